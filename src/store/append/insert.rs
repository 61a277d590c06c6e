//! All rows of a flush in one statement: what a flush costs is mostly how often it goes to the database and back.
//!
//! PostgreSQL takes a table's rows as one array a column, whatever their number, and all tables as parts of one statement.
//! SQLite takes the tables' statements one behind the other in one text, each with rows of values; their number is rounded
//! up a little, so that it prepares few texts, and the rows that fill it up are left out by their null tenant.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::ColumnType;
use sea_orm::sqlx::error::BoxDynError;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{Arguments, Encode, Postgres, Type};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, Iden, Iterable, PrimaryKeyToColumn, Statement, Value};

use super::super::convert::table_name;
use super::super::transaction::Transaction;
use super::records::{Batch, Updates};
use crate::error::{Error, Result};

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

/// A table with a number of rows; on PostgreSQL, which takes any number, with none.
type Chunk = (Arc<Table>, usize);

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
    kind: Kind,
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Number,
    Flag,
    Id,
    Bytes,
    Text,
}

impl Kind {
    const fn sql_type(self) -> &'static str {
        match self {
            Self::Number => "bigint",
            Self::Flag => "boolean",
            Self::Id => "uuid",
            Self::Bytes => "bytea",
            Self::Text => "text",
        }
    }
}

impl Table {
    fn of<E: EntityTrait + Default>(existing: Existing) -> Self {
        let column = |column: E::Column| {
            let kind = match column.def().get_column_type() {
                ColumnType::BigInteger => Kind::Number,
                ColumnType::Boolean => Kind::Flag,
                ColumnType::Uuid => Kind::Id,
                ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob => Kind::Bytes,
                _ => Kind::Text,
            };
            Column { name: column.unquoted().to_owned(), kind }
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

    /// The statement for rows as arrays, whose parameters follow the first `parameters`. The tenant, which every table
    /// begins with, is one for all rows: `$1`.
    fn text_of_arrays(&self, parameters: &mut usize) -> String {
        let array = |column: &Column| {
            *parameters += 1;
            format!("${parameters}::{}[]", column.kind.sql_type())
        };
        let arrays: Vec<String> = self.columns.iter().skip(1).map(array).collect();
        format!("{} SELECT $1::text, * FROM UNNEST({}){}", self.head(), arrays.join(", "), self.tail)
    }

    /// The statement for so many rows of values, the first column of which is null in those that are left out.
    fn text_of_rows(&self, rows: usize) -> String {
        // Numbered parameters would be names to SQLite, looked up one by one.
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row; rows].join(", ");
        format!("{} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL{}", self.head(), self.tail)
    }

    /// Binds rows as arrays, one a column but for the tenant's.
    fn bind(&self, rows: &[Value], into: &mut PgArguments) -> Result<()> {
        let width = self.columns.len();
        for (at, column) in self.columns.iter().enumerate().skip(1) {
            let cells = rows.iter().skip(at).step_by(width);
            match column.kind {
                Kind::Number => {
                    add(into, cells, |cell| if let Value::BigInt(number) = cell { Some(*number) } else { None })
                }
                Kind::Flag => add(into, cells, |cell| if let Value::Bool(flag) = cell { Some(*flag) } else { None }),
                Kind::Id => add(into, cells, |cell| if let Value::Uuid(id) = cell { Some(*id) } else { None }),
                Kind::Bytes => {
                    add(into, cells, |cell| if let Value::Bytes(bytes) = cell { Some(bytes.as_deref()) } else { None })
                }
                Kind::Text => {
                    add(into, cells, |cell| if let Value::String(text) = cell { Some(text.as_deref()) } else { None })
                }
            }
            .map_err(|problem| Error::internal(format!("{}.{}: {problem}", self.name, column.name)))?;
        }
        Ok(())
    }

    /// Most rows of one statement on SQLite: a power of two.
    fn rows_max(&self) -> usize {
        let most = SQLITE_PARAMETERS_MAX / self.columns.len();
        (most + 1).next_power_of_two() / 2
    }
}

/// Adds cells as one array; `of` knows those of the column's kind.
fn add<'c, T>(
    into: &mut PgArguments,
    cells: impl Iterator<Item = &'c Value>,
    of: impl Fn(&'c Value) -> Option<Option<T>>,
) -> std::result::Result<(), BoxDynError>
where
    Vec<Option<T>>: Encode<'c, Postgres> + Type<Postgres>,
{
    let cells: Option<Vec<Option<T>>> = cells.map(of).collect();
    into.add(cells.ok_or("a value of another kind than its column's")?)
}

fn on_conflict<E: EntityTrait>(existing: Existing) -> String {
    let Existing::Update(columns) = existing else { return String::new() };
    let key: Vec<String> = E::PrimaryKey::iter().map(|key| key.into_column().unquoted().to_owned()).collect();
    let changed: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), changed.join(", "))
}

/// Writes rows; remembers its statements' texts.
#[derive(Default)]
pub(super) struct Inserter {
    /// By the tables and, on SQLite, the number of rows of each.
    texts: HashMap<Vec<(&'static str, usize)>, Arc<str>>,
    tables: Tables,
}

impl Inserter {
    /// Inserts a batch and brings trace states and logs up to date.
    pub async fn write(&mut self, txn: &mut Transaction, batch: Batch, updates: Updates) -> Result<()> {
        let mut parts = batch.into_parts(&mut self.tables);
        parts.extend(updates.into_parts(&mut self.tables));
        if parts.is_empty() {
            return Ok(());
        }
        if txn.backend() == DbBackend::Postgres {
            let (text, columns) = self.columns(&parts)?;
            txn.execute_columns(text, columns).await
        } else {
            txn.execute(self.rows(parts)).await.map(drop)
        }
    }

    /// One statement of PostgreSQL, for any number of rows of one tenant.
    fn columns(&mut self, parts: &[Part]) -> Result<(Arc<str>, PgArguments)> {
        let mut columns = PgArguments::default();
        let Some(Value::String(Some(tenant))) = parts.first().and_then(|part| part.values.first()) else {
            return Err(Error::internal("rows of no tenant"));
        };
        columns.add(tenant.as_str()).map_err(Error::internal)?;
        for Part { table, values } in parts {
            table.bind(values, &mut columns)?;
        }
        let tables: Vec<Chunk> = parts.iter().map(|part| (Arc::clone(&part.table), 0)).collect();
        Ok((self.text(&tables, one_statement), columns))
    }

    /// Statements of SQLite, for so many rows each.
    fn rows(&mut self, parts: Vec<Part>) -> Statement {
        let mut values = Vec::new();
        let mut chunks: Vec<Chunk> = Vec::with_capacity(parts.len());
        for Part { table, values: rows } in parts {
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
        let text = self.text(&chunks, one_text);
        Statement::from_sql_and_values(DbBackend::Sqlite, &*text, values)
    }

    /// The text for these tables with so many rows each.
    fn text(&mut self, tables: &[Chunk], make: fn(&[Chunk]) -> String) -> Arc<str> {
        if self.texts.len() >= TEXTS_MAX {
            self.texts.clear();
        }
        let key = tables.iter().map(|(table, rows)| (table.name, *rows)).collect();
        Arc::clone(self.texts.entry(key).or_insert_with(|| make(tables).into()))
    }
}

/// The next number of the form 2^n or 3 * 2^n.
fn step_up(rows: usize) -> usize {
    let power = rows.next_power_of_two();
    if power / 4 * 3 >= rows { power / 4 * 3 } else { power }
}

/// All tables as one statement of PostgreSQL.
fn one_statement(tables: &[Chunk]) -> String {
    let mut parameters = 1;
    let mut texts: Vec<String> = tables.iter().map(|(table, _)| table.text_of_arrays(&mut parameters)).collect();
    let last = texts.pop().unwrap_or_default();
    if texts.is_empty() {
        return last;
    }
    let parts: Vec<String> = texts.iter().enumerate().map(|(at, text)| format!("w{at} AS ({text})")).collect();
    format!("WITH {} {last}", parts.join(", "))
}

/// All chunks of rows as statements of SQLite, one behind the other.
fn one_text(chunks: &[Chunk]) -> String {
    let texts: Vec<String> = chunks.iter().map(|(table, rows)| table.text_of_rows(*rows)).collect();
    texts.join(";\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{llm_run_tag, tenant_secret};

    #[test]
    fn texts_fit_their_database() {
        let tags = Arc::new(Table::of::<llm_run_tag::Entity>(Existing::Refuse));
        let secrets = Arc::new(Table::of::<tenant_secret::Entity>(Existing::Update(&["content_key"])));
        assert_eq!(
            one_statement(&[(Arc::clone(&tags), 0), (secrets, 0)]),
            "WITH w0 AS (INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT $1::text, * \
             FROM UNNEST($2::text[], $3::bigint[])) \
             INSERT INTO tenant_secret (tenant_id, content_key, created_at) SELECT $1::text, * \
             FROM UNNEST($4::bytea[], $5::bigint[]) \
             ON CONFLICT (tenant_id) DO UPDATE SET content_key = excluded.content_key"
        );
        assert_eq!(
            one_text(&[(Arc::clone(&tags), 2), (tags, 1)]),
            "INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT * FROM (VALUES (?, ?, ?), (?, ?, ?)) \
             WHERE column1 IS NOT NULL;\n\
             INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT * FROM (VALUES (?, ?, ?)) WHERE column1 IS NOT NULL"
        );
    }

    #[test]
    fn rows_are_filled_up_a_little_and_never_past_what_sqlite_takes() {
        let mut inserter = Inserter::default();
        let part = |rows: usize| {
            let row: [Value; 3] = ["t".into(), "tag".into(), 1_i64.into()];
            Part {
                table: Tables::default().of::<llm_run_tag::Entity>(Existing::Refuse),
                values: vec![row; rows].concat(),
            }
        };
        let count = |statement: &Statement| statement.values.as_ref().map_or(0, |values| values.0.len());
        assert_eq!(count(&inserter.rows(vec![part(5)])), 6 * 3);
        assert_eq!(count(&inserter.rows(vec![part(8_192 + 7)])), (8_192 + 8) * 3);
        assert_eq!(inserter.texts.len(), 2);
    }

    #[test]
    fn a_value_of_another_kind_than_its_column_is_refused_by_name() {
        let table = Table::of::<llm_run_tag::Entity>(Existing::Refuse);
        let row = |seq: Value| -> [Value; 3] { ["t".into(), Value::String(None), seq] };
        let rows = [row(1_i64.into()), row(Value::BigInt(None))].concat();
        assert!(table.bind(&rows, &mut PgArguments::default()).is_ok(), "nulls go with the others");
        let refusal = table.bind(&row(true.into()), &mut PgArguments::default()).expect_err("a flag for a number");
        assert!(format!("{refusal:?}").contains("llm_run_tag.seq"), "{refusal:?}");
    }
}
