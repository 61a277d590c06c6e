//! System records beside runs: the environment they began in, and what affected them.
//! One statement for all keys of a page, over the tenant's log and the platform's.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};

use super::Store;
use super::convert::decode_visible;
use super::convert::{Columns, column_list, give_way};
use super::database::Database;
use super::scoped::scoped_statement;
use super::system::TABLE;
use super::unread::Unread;
use crate::domain::ids::{PLATFORM_TENANT, RunId, TenantId, TraceId};
use crate::domain::scope::Scope;
use crate::domain::system::{RUN_EVENTS_MAX, RunBaseline, RunEvents, StoredSystemRecord};
use crate::domain::vocabulary::SystemComponent;
use crate::entity::system_record;
use crate::error::{Error, Result};

/// Records found for each key.
type Found<K> = HashMap<K, Vec<StoredSystemRecord>>;

/// The condition of the index `system_record_baseline`, word for word.
const IS_BASELINE: &str = "c.event_type IN ('STARTUP', 'RESTART', 'DEPLOY', 'CONFIG_CHANGE', 'MIGRATION')";

/// What every key comes to: two instants and two texts; an absent text is empty, which no name is.
struct Key<'k> {
    lo: i64,
    hi: i64,
    a: &'k str,
    b: &'k str,
}

/// Records of one log that are looked for with each key.
struct Source {
    tenant: &'static str,
    condition: &'static str,
    limit: usize,
}

/// The keys as parameter `$2` and those behind it, and the table `k(place, lo, hi, a, b)` that they make.
fn keys_table(backend: DbBackend, keys: &[Key<'_>]) -> Result<(&'static str, Vec<Value>)> {
    if backend == DbBackend::Postgres {
        let numbers = |number: &dyn Fn(usize, &Key<'_>) -> i64| {
            let numbers = keys.iter().enumerate().map(|(place, key)| number(place, key).into()).collect();
            Value::Array(ArrayType::BigInt, Some(Box::new(numbers)))
        };
        let texts = |text: &dyn Fn(&Key<'_>) -> String| {
            let texts = keys.iter().map(|key| text(key).into()).collect();
            Value::Array(ArrayType::String, Some(Box::new(texts)))
        };
        let table =
            "unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[]) AS k(place, lo, hi, a, b)";
        let values = vec![
            numbers(&|place, _| i64::try_from(place).unwrap_or(i64::MAX)),
            numbers(&|_, key| key.lo),
            numbers(&|_, key| key.hi),
            texts(&|key| possible(key.a).to_owned()),
            texts(&|key| possible(key.b).to_owned()),
        ];
        return Ok((table, values));
    }
    let rows: Vec<_> =
        keys.iter().enumerate().map(|(place, key)| (place, key.lo, key.hi, possible(key.a), possible(key.b))).collect();
    let json = serde_json::to_string(&rows).map_err(Error::internal)?;
    let table = "(SELECT value->>0 AS place, value->>1 AS lo, value->>2 AS hi, value->>3 AS a, value->>4 AS b \
                 FROM json_each($2)) k";
    Ok((table, vec![json.into()]))
}

/// A name with U+0000 is on no record, and PostgreSQL does not even take it as a parameter.
fn possible(name: &str) -> &str {
    if name.contains('\0') { "" } else { name }
}

/// The first records of each source for each key, by instant and seq.
fn statement(db: &Database, tenant: &TenantId, keys: &[Key<'_>], sources: &[Source]) -> Result<Statement> {
    let (table, values) = keys_table(db.backend, keys)?;
    let columns = column_list::<system_record::Entity>("r");
    let part = |source: &Source, what: &str| {
        let Source { tenant, condition, limit } = source;
        format!(
            "SELECT {what} FROM system_record c WHERE c.tenant_id = {tenant} AND {condition} \
             ORDER BY c.occurred_at, c.seq LIMIT {limit}"
        )
    };
    let sql = if db.backend == DbBackend::Postgres {
        let parts: Vec<String> = sources.iter().map(|source| format!("({})", part(source, "*"))).collect();
        format!("SELECT k.place, {columns} FROM {table} CROSS JOIN LATERAL ({}) r", parts.join(" UNION ALL "))
    } else {
        // A cross join makes SQLite walk the keys and seek each record by its own key.
        let parts: Vec<String> = sources
            .iter()
            .map(|source| {
                format!(
                    "SELECT k.place, {columns} FROM {table} CROSS JOIN system_record r \
                     WHERE r.tenant_id = {} AND r.id IN ({})",
                    source.tenant,
                    part(source, "c.id")
                )
            })
            .collect();
        parts.join(" UNION ALL ")
    };
    Ok(scoped_statement(db, tenant, sql, values))
}

/// The newest baseline record of each component in use, in each of the two logs, for each key.
fn baseline_statement(db: &Database, tenant: &TenantId, keys: &[Key<'_>]) -> Result<Statement> {
    let (table, values) = keys_table(db.backend, keys)?;
    let columns = column_list::<system_record::Entity>("r");
    let words: Vec<String> = SystemComponent::ALL.iter().map(|word| format!("('{}')", word.as_str())).collect();
    let words = words.join(", ");
    let used = |log: &str| {
        format!(
            "SELECT {log} AS tenant_id, v.column1 AS component FROM (VALUES {words}) v WHERE EXISTS (SELECT 1 \
             FROM system_record c WHERE c.tenant_id = {log} AND c.component = v.column1 AND {IS_BASELINE})"
        )
    };
    let newest = |what: &str| {
        format!(
            "SELECT {what} FROM system_record c WHERE c.tenant_id = u.tenant_id AND c.component = u.component \
             AND {IS_BASELINE} AND c.occurred_at <= k.hi \
             AND (k.a = '' OR c.service_instance_id IS NULL OR c.service_instance_id = k.a) \
             ORDER BY c.occurred_at DESC, c.seq DESC LIMIT 1"
        )
    };
    let found = if db.backend == DbBackend::Postgres {
        format!("CROSS JOIN LATERAL ({}) r", newest("*"))
    } else {
        format!("CROSS JOIN system_record r WHERE r.tenant_id = u.tenant_id AND r.id = ({})", newest("c.id"))
    };
    let sql = format!(
        "WITH used AS MATERIALIZED ({own} UNION ALL {platform}) \
         SELECT k.place, {columns} FROM {table} CROSS JOIN used u {found}",
        own = used("CAST($1 AS TEXT)").replace("c.tenant_id = CAST($1 AS TEXT)", "c.tenant_id = $1"),
        platform = used(&format!("'{PLATFORM_TENANT}'")),
    );
    Ok(scoped_statement(db, tenant, sql, values))
}

impl Store {
    /// For each key, of every component and each of the two logs, the newest STARTUP, RESTART, DEPLOY, CONFIG_CHANGE or
    /// MIGRATION record at or before the instant. Records of another instance are left out; those that name none count
    /// for all. One statement.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn run_baselines(&self, scope: &Scope, keys: &[RunBaseline]) -> Result<Unread<Found<RunBaseline>>> {
        let rows: Vec<Key<'_>> = keys
            .iter()
            .map(|key| Key {
                lo: 0,
                hi: key.at.as_micros(),
                a: key.service_instance_id.as_deref().unwrap_or_default(),
                b: "",
            })
            .collect();
        self.found(baseline_statement(self.db(), &scope.tenant, &rows)?, keys).await.map(Unread)
    }

    /// For each key, what is correlated with the run, and the tenant's and the platform's records of severity WARN or
    /// above while it ran: the first of each, one more than are shown; one record may come twice. One statement.
    ///
    /// # Errors
    /// As for [`Self::run_baselines`].
    pub async fn run_events(&self, scope: &Scope, keys: &[RunEvents]) -> Result<Unread<Found<RunEvents>>> {
        const LIMIT: usize = RUN_EVENTS_MAX + 1;
        const WARNINGS: &str = "c.severity <> 'INFO' AND c.occurred_at BETWEEN k.lo AND k.hi";
        let rows: Vec<Key<'_>> = keys
            .iter()
            .map(|key| Key {
                lo: key.from.as_micros(),
                hi: key.to.as_micros(),
                a: key.run_id.as_str(),
                b: key
                    .trace_id
                    .as_ref()
                    .map(TraceId::as_str)
                    .filter(|id| *id != RunId::as_str(&key.run_id))
                    .unwrap_or(""),
            })
            .collect();
        let sources = [
            Source { tenant: "$1", condition: "c.correlation_id = k.a", limit: LIMIT },
            Source { tenant: "$1", condition: "c.correlation_id = k.b", limit: LIMIT },
            Source { tenant: "$1", condition: WARNINGS, limit: LIMIT },
            Source { tenant: "'platform'", condition: WARNINGS, limit: LIMIT },
        ];
        self.found(statement(self.db(), &scope.tenant, &rows, &sources)?, keys).await.map(Unread)
    }

    async fn found<K: Clone + Eq + Hash>(&self, statement: Statement, keys: &[K]) -> Result<Found<K>> {
        let mut found: Found<K> = keys.iter().map(|key| (key.clone(), Vec::new())).collect();
        for (decoded, row) in self.db().rows(statement).await?.into_iter().enumerate() {
            give_way(decoded).await;
            let mut columns = Columns::of(&row, TABLE)?;
            let place = usize::try_from(columns.take::<i64>()?).map_err(Error::internal)?;
            let records = keys.get(place).and_then(|key| found.get_mut(key));
            let records = records.ok_or_else(|| Error::internal("a row for a key that was not asked for"))?;
            records.push(decode_visible(&mut columns)?);
        }
        Ok(found)
    }
}
