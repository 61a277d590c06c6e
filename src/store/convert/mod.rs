//! Rows to domain types and back. A row that holds what nothing of ours writes is an error that names table, column and
//! row. Columns are read by position, in the order of the entity's fields: names would be looked up for every cell.

pub(super) mod audit;
pub(super) mod exports;
pub(super) mod incidents;
pub(super) mod ledger_events;
pub(super) mod policies;
pub(super) mod runs;
pub(super) mod steps;
pub(super) mod system;
pub(super) mod traces;

use sea_orm::sqlx::postgres::{PgRow, Postgres};
use sea_orm::sqlx::sqlite::{Sqlite, SqliteRow};
use sea_orm::sqlx::{Column, Decode, Row, Type};
use sea_orm::{EntityTrait, Iden, Iterable, QueryResult, Value};
use uuid::Uuid;

use super::error::CorruptRow;
use crate::domain::append::Appended;
use crate::domain::ids::{Digest, RecordId, TenantId};
use crate::domain::run::Stored;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// Rows that are decoded in one turn: about half a millisecond. More than the largest page has, so that lists have one turn.
const ROWS_A_TURN: usize = 256;

enum Cells<'r> {
    Postgres(&'r PgRow),
    Sqlite(&'r SqliteRow),
}

/// Reads a row's columns from left to right.
pub(super) struct Columns<'r> {
    cells: Cells<'r>,
    table: &'static str,
    at: usize,
}

impl<'r> Columns<'r> {
    /// The columns of a row that comes, in essence, from `table`.
    pub fn of(row: &'r QueryResult, table: &'static str) -> Result<Self> {
        let cells = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) => Cells::Postgres(row),
            (None, Some(row)) => Cells::Sqlite(row),
            (None, None) => return Err(Error::internal("a row of neither database")),
        };
        Ok(Self { cells, table, at: 0 })
    }

    /// The next column.
    pub fn take<T>(&mut self) -> Result<T>
    where
        T: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite>,
    {
        let value = match self.cells {
            // PostgreSQL holds columns to their types, so there is nothing to ask for each cell. A SQLite file may hold anything.
            Cells::Postgres(row) => row.try_get_unchecked(self.at),
            Cells::Sqlite(row) => row.try_get(self.at),
        };
        self.at += 1;
        value.map_err(|cause| self.corrupt(&cause))
    }

    /// Leaves columns out.
    pub fn skip(&mut self, columns: usize) {
        self.at += columns;
    }

    /// Text, or null.
    pub fn text(&mut self) -> Result<Option<String>> {
        self.take()
    }

    /// A record id.
    pub fn id(&mut self) -> Result<RecordId> {
        self.take::<Uuid>().map(RecordId)
    }

    /// An instant.
    pub fn instant(&mut self) -> Result<Timestamp> {
        let micros = self.take()?;
        Timestamp::from_micros(micros).ok_or_else(|| self.corrupt(&format!("{micros} is no instant")))
    }

    /// An instant, or null.
    pub fn optional_instant(&mut self) -> Result<Option<Timestamp>> {
        let Some(micros) = self.take::<Option<i64>>()? else { return Ok(None) };
        Timestamp::from_micros(micros).map(Some).ok_or_else(|| self.corrupt(&format!("{micros} is no instant")))
    }

    /// A digest.
    pub fn digest(&mut self) -> Result<Digest> {
        self.optional_digest()?.ok_or_else(|| self.corrupt(&"null is no digest"))
    }

    /// A digest, or null.
    pub fn optional_digest(&mut self) -> Result<Option<Digest>> {
        let Some(bytes) = self.take::<Option<&[u8]>>()? else { return Ok(None) };
        Digest::from_slice(bytes).map(Some).ok_or_else(|| self.corrupt(&format!("{} bytes, not 32", bytes.len())))
    }

    /// A value of a vocabulary.
    pub fn word<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<T> {
        self.optional_word(parse)?.ok_or_else(|| self.corrupt(&"null where a word of the vocabulary must stand"))
    }

    /// A value of a vocabulary, or null.
    pub fn optional_word<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(text) = self.take::<Option<&str>>()? else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| self.corrupt(&format!("{text:?} is not in the vocabulary")))
    }

    /// What every record's row begins with; the tenant is the one that the query was scoped to.
    pub fn head(&mut self, tenant: &TenantId) -> Result<Head> {
        self.skip(1);
        let id = self.id()?;
        self.head_behind_id(id, tenant.clone())
    }

    /// The rest of it, where tenant and id are read already.
    pub fn head_behind_id(&mut self, id: RecordId, tenant_id: TenantId) -> Result<Head> {
        Ok(Head { id, tenant_id, seq: self.take()?, created_at: self.instant()? })
    }

    /// The column that was just taken is wrong.
    pub fn corrupt(&self, problem: &dyn std::fmt::Display) -> Error {
        let at = self.at.saturating_sub(1);
        let (column, id) = match self.cells {
            Cells::Postgres(row) => {
                (row.columns().get(at).map(|column| column.name()), row.try_get::<Uuid, _>("id").ok())
            }
            Cells::Sqlite(row) => {
                (row.columns().get(at).map(|column| column.name()), row.try_get::<Uuid, _>("id").ok())
            }
        };
        Error::internal(CorruptRow {
            table: self.table,
            column: column.map_or_else(|| format!("column {at}"), str::to_owned),
            row: id.map_or_else(|| "unknown id".to_owned(), |id| id.to_string()),
            problem: problem.to_string(),
        })
    }
}

/// What every record's row begins with.
pub(super) struct Head {
    id: RecordId,
    tenant_id: TenantId,
    seq: i64,
    created_at: Timestamp,
}

impl Head {
    /// The record that stands behind it.
    pub fn of<T>(self, record: T) -> Stored<T> {
        let Self { id, tenant_id, seq, created_at } = self;
        Stored { id, tenant_id, seq, created_at, record }
    }
}

/// The same, to be written.
fn head_values(tenant: &TenantId, assigned: &Appended) -> [Value; 4] {
    [text_value(tenant.as_str()), id_value(assigned.id), assigned.seq.into(), instant_value(assigned.created_at)]
}

/// Every row, decoded.
pub(super) fn decode_all<T>(
    rows: &[QueryResult],
    table: &'static str,
    decode: impl Fn(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.iter().map(|row| decode(&mut Columns::of(row, table)?)).collect()
}

/// The same for rows that may be many: others have their turn between them.
pub(super) async fn decode_in_turns<T>(
    rows: Vec<QueryResult>,
    table: &'static str,
    mut decode: impl FnMut(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        give_way(all.len()).await;
        all.push(decode(&mut Columns::of(&row, table)?)?);
    }
    Ok(all)
}

/// Lets others have their turn now and then, by how many rows were decoded.
pub(super) async fn give_way(decoded: usize) {
    if decoded % ROWS_A_TURN == ROWS_A_TURN - 1 {
        tokio::task::yield_now().await;
    }
}

/// The columns of a table for a SELECT, each behind `alias`.
pub(super) fn column_list<E: EntityTrait>(alias: &str) -> String {
    let names: Vec<String> = E::Column::iter().map(|column| format!("{alias}.{}", column.unquoted())).collect();
    names.join(", ")
}

/// How many columns a table has.
pub(super) fn width<E: EntityTrait>() -> usize {
    E::Column::iter().count()
}

/// A table's name.
pub(super) fn table_name<E: EntityTrait + Default>() -> &'static str {
    // An entity's name is a literal; SeaORM only gives it by reference to the entity.
    E::default().table_name()
}

pub(super) fn id_value(id: RecordId) -> Value {
    Value::Uuid(Some(id.0))
}

pub(super) fn text_value(text: &str) -> Value {
    Value::String(Some(text.to_owned()))
}

pub(super) fn optional_text_value(text: Option<&str>) -> Value {
    Value::String(text.map(str::to_owned))
}

pub(super) fn digest_value(digest: Option<Digest>) -> Value {
    Value::Bytes(digest.map(|digest| digest.0.to_vec()))
}

pub(super) fn instant_value(instant: Timestamp) -> Value {
    Value::BigInt(Some(instant.as_micros()))
}

pub(super) fn optional_instant_value(instant: Option<Timestamp>) -> Value {
    Value::BigInt(instant.map(Timestamp::as_micros))
}
