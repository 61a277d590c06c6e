//! Whether each statement is of one tenant, as PostgreSQL says that it would carry it out: every scan of a table with tenants
//! compares `tenant_id` with one constant. Then a cluster that keeps each tenant on a node of its own asks one node.
//!
//! Statements are planned for any values (`force_generic_plan`), so that a plan names the parameters themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use regex::Regex;
use sea_orm::sqlx::postgres::{PgConnection, PgRow};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Row};
use serde_json::Value;

/// `tenant_id` equals a parameter or a word.
static CONSTANT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\btenant_id = \(?(\$\d+|'[^']*')\)?(::text)?\)").expect("a pattern"));
/// `tenant_id` equals another table's.
static JOINED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\btenant_id = \w+\.tenant_id\)").expect("a pattern"));
/// What a statement over every tenant begins with.
const EVERY_TENANT: &str = "/* every tenant:";
/// How plans are made.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                        SET enable_mergejoin = off; SET enable_material = off";

/// The values of a statement, where they are texts.
type Texts = Vec<Option<String>>;

#[derive(Default)]
struct Sent {
    waiting: BTreeMap<String, Texts>,
    known: BTreeSet<String>,
}

static SENT: LazyLock<Mutex<Sent>> = LazyLock::new(Mutex::default);

fn sent() -> MutexGuard<'static, Sent> {
    SENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what a store sends from now on.
pub fn observe() {
    runledger::store::observe_statements(|sql, texts| {
        let mut sent = sent();
        if !sent.known.contains(sql) {
            sent.known.insert(sql.to_owned());
            sent.waiting.insert(sql.to_owned(), texts.iter().map(|text| text.map(str::to_owned)).collect());
        }
    });
}

/// Explains what was sent since, in the untouched database `url`; panics with what is of no tenant or of several.
pub async fn check_sent(url: &str) {
    let waiting = std::mem::take(&mut sent().waiting);
    if waiting.is_empty() {
        return;
    }
    let mut connection = connect(url).await;
    let mut problems = Vec::new();
    for (sql, texts) in waiting {
        problems.extend(problem(&mut connection, &sql, &texts).await.map(|problem| format!("{problem}:\n    {sql}")));
    }
    connection.close().await.expect("closes");
    assert!(problems.is_empty(), "statements that are not of one tenant:\n{}", problems.join("\n"));
}

/// A session that plans as statements are to be judged.
pub async fn connect(url: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    rows(&mut connection, SETTINGS.to_owned()).await.expect("set");
    connection
}

/// What is wrong with a statement; nothing where it is of one tenant, or of every one and says so.
pub async fn problem(connection: &mut PgConnection, sql: &str, texts: &[Option<String>]) -> Option<String> {
    let plan = match plan(connection, sql).await {
        Ok(plan) => plan,
        Err(cause) => return Some(format!("it has no plan: {cause}")),
    };
    let mut seen = Seen { tenanted: tenanted(connection).await, texts: texts.to_owned(), ..Seen::default() };
    seen.node(&plan["Plan"]);
    seen.problem(sql.starts_with(EVERY_TENANT))
}

async fn rows(connection: &mut PgConnection, sql: String) -> Result<Vec<PgRow>, String> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await.map_err(|cause| cause.to_string())
}

fn text(row: &PgRow) -> String {
    row.try_get_unchecked(0).expect("a text")
}

/// Tables that begin with the tenant, their partitions among them.
async fn tenanted(connection: &mut PgConnection) -> BTreeSet<String> {
    let sql = "SELECT CAST(c.relname AS TEXT) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1 \
               WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id'";
    rows(connection, sql.to_owned()).await.expect("tables").iter().map(text).collect()
}

/// The plan of a statement for any values.
async fn plan(connection: &mut PgConnection, sql: &str) -> Result<Value, String> {
    let parameters = prepare(connection, sql).await?;
    let nulls = if parameters == 0 { String::new() } else { format!("({})", vec!["NULL"; parameters].join(", ")) };
    let explained = rows(connection, format!("EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE judged{nulls}")).await;
    rows(connection, "DEALLOCATE judged".to_owned()).await?;
    let explained: Vec<String> = explained?.iter().map(text).collect();
    let plans: Value = serde_json::from_str(&explained.concat()).map_err(|cause| cause.to_string())?;
    Ok(plans[0].clone())
}

/// Prepares a statement; how many parameters it has. One whose type nothing tells is a text: it is in no condition.
async fn prepare(connection: &mut PgConnection, sql: &str) -> Result<usize, String> {
    static PARAMETER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$(\d+)").expect("a pattern"));
    static UNTYPED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"data type of parameter \$(\d+)").expect("a pattern"));
    let numbers = PARAMETER.captures_iter(sql).filter_map(|found| found[1].parse().ok());
    let count = numbers.max().unwrap_or(0);
    let mut types = vec!["unknown"; count];
    loop {
        let list = if count == 0 { String::new() } else { format!("({})", types.join(", ")) };
        let cause = match rows(connection, format!("PREPARE judged{list} AS {sql}")).await {
            Ok(_) => return Ok(count),
            Err(cause) => cause,
        };
        let untyped = UNTYPED.captures(&cause).and_then(|found| found[1].parse::<usize>().ok());
        match untyped.and_then(|at| types.get_mut(at.wrapping_sub(1))) {
            Some(kind) if *kind == "unknown" => *kind = "text",
            _ => return Err(cause),
        }
    }
}

/// What a plan looks at.
#[derive(Default)]
struct Seen {
    tenanted: BTreeSet<String>,
    texts: Texts,
    /// The constants that tenants are compared with, or written as.
    constants: BTreeSet<String>,
    /// Scans that compare the tenant with another table's.
    joined: Vec<String>,
    /// Scans that do not compare it.
    open: Vec<String>,
    locks: bool,
}

impl Seen {
    fn node(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().unwrap_or_default();
        let table = node["Relation Name"].as_str().filter(|table| self.tenanted.contains(*table));
        self.locks |= kind == "LockRows";
        if let Some(table) = table {
            if kind == "ModifyTable" {
                self.written(node, table);
            } else {
                self.scanned(node, table);
            }
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.node(child);
        }
    }

    fn scanned(&mut self, node: &Value, table: &str) {
        let conditions = ["Index Cond", "Recheck Cond", "Filter"].map(|name| node[name].as_str().unwrap_or_default());
        let conditions = conditions.join(" ");
        let constants: Vec<String> = CONSTANT.captures_iter(&conditions).map(|found| found[1].to_owned()).collect();
        if constants.is_empty() {
            let scans = if JOINED.is_match(&conditions) { &mut self.joined } else { &mut self.open };
            scans.push(format!("{table} ({})", conditions.trim()));
        }
        constants.iter().for_each(|constant| self.constant(constant));
    }

    /// A parameter stands for its value: the same tenant may be several of them.
    fn constant(&mut self, constant: &str) {
        let at = constant.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
        let value = at.and_then(|at| self.texts.get(at.wrapping_sub(1))?.clone());
        self.constants.insert(value.unwrap_or_else(|| constant.trim_matches('\'').to_owned()));
    }

    /// The tenant of what is inserted is the first column. Rows of values come from one function that is given one tenant.
    fn written(&mut self, node: &Value, table: &str) {
        if node["Operation"] != "Insert" {
            return;
        }
        let plans = node["Plans"].as_array().into_iter().flatten();
        let rows = plans.filter(|plan| plan["Parent Relationship"] == "Outer");
        let first = rows.filter_map(|plan| plan["Output"][0].as_str()).next().unwrap_or_default();
        let constant = first.trim_end_matches("::text").trim_matches(['(', ')']);
        if constant.starts_with(['$', '\'']) {
            self.constant(constant);
        } else if first != "\"*VALUES*\".column1" {
            self.open.push(format!("{table} (written for {first})"));
        }
    }

    fn problem(&self, is_every_tenant: bool) -> Option<String> {
        let scans = self.open.iter().chain(&self.joined).cloned().collect::<Vec<_>>().join(", ");
        if is_every_tenant {
            if self.locks {
                return Some("it locks rows of every tenant".to_owned());
            }
            return (self.open.len() > 1).then(|| format!("it joins tables across tenants: {scans}"));
        }
        if !scans.is_empty() {
            return Some(format!("it is of no tenant in {scans}"));
        }
        (self.constants.len() > 1).then(|| format!("it is of several tenants: {:?}", self.constants))
    }
}
