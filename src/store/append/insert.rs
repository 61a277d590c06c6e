//! All rows of a flush in one statement: what a flush costs is mostly how often it goes to the database and back.
//!
//! PostgreSQL takes a table's rows as one array a column, whatever their number, and all tables as parts of one statement.
//! SeaORM's array values cannot hold nulls, so that a column that can be null comes with an array that says where it is.
//! SQLite takes the tables' statements one behind the other in one text, each with rows of values; their number is rounded
//! up a little, so that it prepares few texts, and the rows that fill it up are left out by their null tenant.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{ArrayType, ColumnType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, Iden, Iterable, PrimaryKeyToColumn,
    Statement, Value,
};

use super::super::convert::table_name;
use super::super::error::database;
use super::records::{Batch, Updates};
use crate::error::Result;

/// Texts that are remembered; more kinds of flushes than this come only by design.
const TEXTS_MAX: usize = 256;
/// Parameters of one statement that SQLite takes.
const SQLITE_PARAMETERS_MAX: usize = 32_766;

/// What to do with a row that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Refuse,
    /// These columns take the new values.
    Update(&'static [&'static str]),
}

/// Rows of one table.
pub(super) struct Part {
    pub table: Arc<Table>,
    pub values: Vec<Value>,
}

/// How tables are written, made once each.
#[derive(Default)]
pub(super) struct Tables(HashMap<&'static str, Arc<Table>>);

impl Tables {
    pub fn of<E: EntityTrait + Default>(&mut self, existing: Existing) -> Arc<Table> {
        Arc::clone(self.0.entry(table_name::<E>()).or_insert_with(|| Arc::new(Table::of::<E>(existing))))
    }
}

/// How a table's rows are written.
pub(super) struct Table {
    name: &'static str,
    columns: Vec<Column>,
    /// What follows the rows.
    tail: String,
}

struct Column {
    name: String,
    element: ArrayType,
    sql_type: &'static str,
    /// What stands where the value is null.
    filler: Value,
    is_nullable: bool,
}

impl Table {
    fn of<E: EntityTrait + Default>(existing: Existing) -> Self {
        let column = |column: E::Column| {
            let definition = column.def();
            let (element, sql_type, filler) = match definition.get_column_type() {
                ColumnType::BigInteger => (ArrayType::BigInt, "bigint", 0_i64.into()),
                ColumnType::Boolean => (ArrayType::Bool, "boolean", false.into()),
                ColumnType::Uuid => (ArrayType::Uuid, "uuid", uuid::Uuid::nil().into()),
                ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob => {
                    (ArrayType::Bytes, "bytea", Vec::<u8>::new().into())
                }
                _ => (ArrayType::String, "text", "".into()),
            };
            Column { name: column.unquoted().to_owned(), element, sql_type, filler, is_nullable: definition.is_null() }
        };
        Self {
            name: table_name::<E>(),
            columns: E::Column::iter().map(column).collect(),
            tail: on_conflict::<E>(existing),
        }
    }

    fn head(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        format!("INSERT INTO {} ({})", self.name, columns.join(", "))
    }

    /// The statement for rows as arrays, whose parameters follow the first `parameters`.
    fn text_of_arrays(&self, parameters: &mut usize) -> String {
        let mut parameter = |sql_type: &str| {
            *parameters += 1;
            format!("${parameters}::{sql_type}[]")
        };
        let (mut selected, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (at, column) in self.columns.iter().enumerate() {
            arrays.push(parameter(column.sql_type));
            names.push(format!("v{at}"));
            if column.is_nullable {
                arrays.push(parameter("boolean"));
                names.push(format!("n{at}"));
                selected.push(format!("CASE WHEN n{at} THEN NULL ELSE v{at} END"));
            } else {
                selected.push(format!("v{at}"));
            }
        }
        let source = format!("UNNEST({}) AS rows({})", arrays.join(", "), names.join(", "));
        format!("{} SELECT {} FROM {source}{}", self.head(), selected.join(", "), self.tail)
    }

    /// The statement for so many rows of values, the first column of which is null in those that are left out.
    fn text_of_rows(&self, rows: usize) -> String {
        // Numbered parameters would be names to SQLite, looked up one by one.
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row; rows].join(", ");
        format!("{} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL{}", self.head(), self.tail)
    }

    /// Rows as arrays: one a column, and one more behind each that can be null.
    fn arrays(&self, values: Vec<Value>, into: &mut Vec<Value>) {
        let width = self.columns.len();
        let rows = values.len() / width;
        let mut filled: Vec<(Vec<Value>, Vec<Value>)> =
            self.columns.iter().map(|_| (Vec::with_capacity(rows), Vec::new())).collect();
        for (at, value) in values.into_iter().enumerate() {
            let (Column { filler, is_nullable, .. }, (values, nulls)) =
                (&self.columns[at % width], &mut filled[at % width]);
            if *is_nullable {
                let is_null = is_null(&value);
                nulls.push(is_null.into());
                values.push(if is_null { filler.clone() } else { value });
            } else {
                values.push(value);
            }
        }
        for (column, (values, nulls)) in self.columns.iter().zip(filled) {
            into.push(Value::Array(column.element.clone(), Some(Box::new(values))));
            if column.is_nullable {
                into.push(Value::Array(ArrayType::Bool, Some(Box::new(nulls))));
            }
        }
    }

    /// Most rows of one statement on SQLite: a power of two.
    fn rows_max(&self) -> usize {
        let most = SQLITE_PARAMETERS_MAX / self.columns.len();
        (most + 1).next_power_of_two() / 2
    }
}

fn is_null(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_none(),
        Value::BigInt(number) => number.is_none(),
        Value::Bytes(bytes) => bytes.is_none(),
        Value::Uuid(id) => id.is_none(),
        value => *value == value.as_null(),
    }
}

fn on_conflict<E: EntityTrait>(existing: Existing) -> String {
    let Existing::Update(columns) = existing else { return String::new() };
    let key: Vec<String> = E::PrimaryKey::iter().map(|key| key.into_column().unquoted().to_owned()).collect();
    let changed: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), changed.join(", "))
}

/// Writes rows; remembers its statements' texts.
pub(super) struct Inserter {
    backend: DbBackend,
    /// By the tables and, on SQLite, the number of rows of each.
    texts: HashMap<Vec<(&'static str, usize)>, String>,
    tables: Tables,
}

impl Inserter {
    pub fn new(backend: DbBackend) -> Self {
        Self { backend, texts: HashMap::new(), tables: Tables::default() }
    }

    /// Inserts a batch and brings trace states and logs up to date.
    pub async fn write(&mut self, txn: &DatabaseTransaction, batch: Batch, updates: Updates) -> Result<()> {
        let mut parts = batch.into_parts(&mut self.tables);
        parts.extend(updates.into_parts(&mut self.tables));
        if parts.is_empty() {
            return Ok(());
        }
        let statement = self.statement(parts);
        txn.execute_raw(statement).await.map(drop).map_err(database)
    }

    fn statement(&mut self, parts: Vec<Part>) -> Statement {
        let mut values = Vec::new();
        // Each table with its number of rows; on PostgreSQL any number.
        let mut chunks: Vec<(Arc<Table>, usize)> = Vec::with_capacity(parts.len());
        for Part { table, values: rows } in parts {
            if self.backend == DbBackend::Postgres {
                table.arrays(rows, &mut values);
                chunks.push((table, 0));
                continue;
            }
            let (width, rows_max) = (table.columns.len(), table.rows_max());
            let mut rows = rows.into_iter();
            while rows.len() > 0 {
                let count = step_up(rows.len() / width).min(rows_max);
                let before = values.len();
                values.extend(rows.by_ref().take(count * width));
                values.resize(before + count * width, Value::String(None));
                chunks.push((Arc::clone(&table), count));
            }
        }
        if self.texts.len() >= TEXTS_MAX {
            self.texts.clear();
        }
        let key = chunks.iter().map(|(table, rows)| (table.name, *rows)).collect();
        let text = self.texts.entry(key).or_insert_with(|| match self.backend {
            DbBackend::Postgres => one_statement(&chunks),
            _ => one_text(&chunks),
        });
        Statement::from_sql_and_values(self.backend, text.as_str(), values)
    }
}

/// The next number of the form 2^n or 3 * 2^n.
fn step_up(rows: usize) -> usize {
    let power = rows.next_power_of_two();
    if power / 4 * 3 >= rows { power / 4 * 3 } else { power }
}

/// All tables as one statement of PostgreSQL.
fn one_statement(tables: &[(Arc<Table>, usize)]) -> String {
    let mut parameters = 0;
    let mut texts: Vec<String> = tables.iter().map(|(table, _)| table.text_of_arrays(&mut parameters)).collect();
    let last = texts.pop().unwrap_or_default();
    if texts.is_empty() {
        return last;
    }
    let parts: Vec<String> = texts.iter().enumerate().map(|(at, text)| format!("w{at} AS ({text})")).collect();
    format!("WITH {} {last}", parts.join(", "))
}

/// All chunks of rows as statements of SQLite, one behind the other.
fn one_text(chunks: &[(Arc<Table>, usize)]) -> String {
    let texts: Vec<String> = chunks.iter().map(|(table, rows)| table.text_of_rows(*rows)).collect();
    texts.join(";\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{api_key, llm_run_tag, tenant_secret};

    #[test]
    fn texts_fit_their_database() {
        let tags = Arc::new(Table::of::<llm_run_tag::Entity>(Existing::Refuse));
        let secrets = Arc::new(Table::of::<tenant_secret::Entity>(Existing::Update(&["content_key"])));
        assert_eq!(
            one_statement(&[(Arc::clone(&tags), 0), (secrets, 0)]),
            "WITH w0 AS (INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT v0, v1, v2 \
             FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS rows(v0, v1, v2)) \
             INSERT INTO tenant_secret (tenant_id, content_key, created_at) SELECT v0, v1, v2 \
             FROM UNNEST($4::text[], $5::bytea[], $6::bigint[]) AS rows(v0, v1, v2) \
             ON CONFLICT (tenant_id) DO UPDATE SET content_key = excluded.content_key"
        );
        assert_eq!(
            one_text(&[(Arc::clone(&tags), 2), (tags, 1)]),
            "INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT * FROM (VALUES (?, ?, ?), (?, ?, ?)) \
             WHERE column1 IS NOT NULL;\n\
             INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT * FROM (VALUES (?, ?, ?)) WHERE column1 IS NOT NULL"
        );
        let text = Table::of::<api_key::Entity>(Existing::Refuse).text_of_arrays(&mut 0);
        assert!(text.contains("SELECT v0, v1, CASE WHEN n2 THEN NULL ELSE v2 END, v3"), "{text}");
        assert!(text.contains("$5::text[], $6::bytea[], $7::bigint[], $8::bigint[], $9::boolean[]"), "{text}");
    }

    #[test]
    fn rows_are_filled_up_a_little_and_never_past_what_sqlite_takes() {
        let mut inserter = Inserter::new(DbBackend::Sqlite);
        let part = |rows: usize| {
            let row: [Value; 3] = ["t".into(), "tag".into(), 1_i64.into()];
            Part {
                table: Tables::default().of::<llm_run_tag::Entity>(Existing::Refuse),
                values: vec![row; rows].concat(),
            }
        };
        let count = |statement: &Statement| statement.values.as_ref().map_or(0, |values| values.0.len());
        assert_eq!(count(&inserter.statement(vec![part(5)])), 6 * 3);
        assert_eq!(count(&inserter.statement(vec![part(8_192 + 7)])), (8_192 + 8) * 3);
        assert_eq!(inserter.texts.len(), 2);
    }

    #[test]
    fn nulls_travel_beside_their_column() {
        let row = |name: Option<&str>| {
            let name = Value::String(name.map(str::to_owned));
            [
                "id".into(),
                "t".into(),
                name,
                "p".into(),
                vec![1_u8].into(),
                1_i64.into(),
                Value::BigInt(None),
                2_i64.into(),
            ]
        };
        let rows: Vec<Value> = [row(None), row(Some("n"))].concat();
        let mut arrays = Vec::new();
        Table::of::<api_key::Entity>(Existing::Refuse).arrays(rows, &mut arrays);
        let array = |element, values: Vec<Value>| Value::Array(element, Some(Box::new(values)));
        assert_eq!(arrays[2], array(ArrayType::String, vec!["".into(), "n".into()]));
        assert_eq!(arrays[3], array(ArrayType::Bool, vec![true.into(), false.into()]));
        assert_eq!(arrays.len(), 8 + 3);
    }
}
