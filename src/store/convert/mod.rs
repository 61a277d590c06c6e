//! Rows to domain types and back. A row that holds what nothing of ours writes is an error that names table, column and
//! row. Columns are read by position, in the order of the entity's fields: names would be looked up for every cell.

pub(super) mod steps;
pub(super) mod traces;

use std::sync::Arc;

use sea_orm::sqlx::postgres::{PgRow, Postgres};
use sea_orm::sqlx::sqlite::{Sqlite, SqliteRow};
use sea_orm::sqlx::{Column, Decode, Row, Type};
use sea_orm::{EntityTrait, Iden, Iterable, QueryResult, Value};
use uuid::Uuid;

use super::error::CorruptRow;
use crate::domain::append::Appended;
use crate::domain::ids::{Digest, RecordId, TenantId};
use crate::domain::record::{Cells, Datum, Field, Kind, Record};
use crate::domain::run::Stored;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// Rows that are decoded in one turn: about half a millisecond. More than the largest page has, so that lists have one turn.
const ROWS_A_TURN: usize = 256;

enum Raw<'r> {
    Postgres(&'r PgRow),
    Sqlite(&'r SqliteRow),
}

/// Reads a row's columns from left to right.
pub(super) struct Columns<'r> {
    cells: Raw<'r>,
    table: &'static str,
    at: usize,
    /// The name that was read last, perhaps in the row before: neighbours often share one.
    latest: Option<Arc<str>>,
}

impl<'r> Columns<'r> {
    /// The columns of a row that comes, in essence, from `table`.
    pub fn of(row: &'r QueryResult, table: &'static str) -> Result<Self> {
        let cells = match (row.try_as_pg_row(), row.try_as_sqlite_row()) {
            (Some(row), _) => Raw::Postgres(row),
            (None, Some(row)) => Raw::Sqlite(row),
            (None, None) => return Err(Error::internal("a row of neither database")),
        };
        Ok(Self { cells, table, at: 0, latest: None })
    }

    /// The next column.
    pub fn take<T>(&mut self) -> Result<T>
    where
        T: Decode<'r, Postgres> + Type<Postgres> + Decode<'r, Sqlite> + Type<Sqlite>,
    {
        let value = match self.cells {
            // PostgreSQL holds columns to their types, so there is nothing to ask for each cell. A SQLite file may hold anything.
            Raw::Postgres(row) => row.try_get_unchecked(self.at),
            Raw::Sqlite(row) => row.try_get(self.at),
        };
        self.at += 1;
        value.map_err(|cause| self.corrupt(&cause))
    }

    /// Leaves columns out.
    pub fn skip(&mut self, columns: usize) {
        self.at += columns;
    }

    /// A record id.
    pub fn id(&mut self) -> Result<RecordId> {
        self.take::<Uuid>().map(RecordId)
    }

    /// A value of a type that records have.
    pub fn field<T: Field>(&mut self) -> Result<T> {
        T::required(self)
    }

    /// Text that means something to `parse`.
    pub fn parsed<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<T> {
        self.optional_parsed(parse)?.ok_or_else(|| self.corrupt(&"null where a value must stand"))
    }

    /// The same, or null.
    pub fn optional_parsed<T>(&mut self, parse: fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(text) = self.take::<Option<&str>>()? else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| self.corrupt(&format!("{text:?} does not read")))
    }

    /// What every record's row begins with; the tenant is the one that the query was scoped to.
    pub fn head(&mut self, tenant: &TenantId) -> Result<Head> {
        self.skip(1);
        let id = self.id()?;
        self.head_behind_id(id, tenant.clone())
    }

    /// The rest of it, where tenant and id are read already.
    pub fn head_behind_id(&mut self, id: RecordId, tenant_id: TenantId) -> Result<Head> {
        Ok(Head { id, tenant_id, seq: self.take()?, created_at: self.field()? })
    }

    /// The column that was just taken is wrong.
    pub fn corrupt(&self, problem: &dyn std::fmt::Display) -> Error {
        let at = self.at.saturating_sub(1);
        let (column, id) = match self.cells {
            Raw::Postgres(row) => {
                (row.columns().get(at).map(|column| column.name()), row.try_get::<Uuid, _>("id").ok())
            }
            Raw::Sqlite(row) => (row.columns().get(at).map(|column| column.name()), row.try_get::<Uuid, _>("id").ok()),
        };
        Error::internal(CorruptRow {
            table: self.table,
            column: column.map_or_else(|| format!("column {at}"), str::to_owned),
            row: id.map_or_else(|| "unknown id".to_owned(), |id| id.to_string()),
            problem: problem.to_string(),
        })
    }
}

impl<'r> Cells<'r> for Columns<'r> {
    fn text(&mut self) -> Result<Option<&'r str>> {
        self.take()
    }

    fn name(&mut self) -> Result<Option<Arc<str>>> {
        let Some(name) = self.take::<Option<&str>>()? else { return Ok(None) };
        match &self.latest {
            Some(latest) if **latest == *name => {}
            _ => self.latest = Some(name.into()),
        }
        Ok(self.latest.clone())
    }

    fn number(&mut self) -> Result<Option<i64>> {
        self.take()
    }

    fn flag(&mut self) -> Result<Option<bool>> {
        self.take()
    }

    fn digest(&mut self) -> Result<Option<Digest>> {
        let Some(bytes) = self.take::<Option<&[u8]>>()? else { return Ok(None) };
        Digest::from_slice(bytes).map(Some).ok_or_else(|| self.corrupt(&format!("{} bytes, not 32", bytes.len())))
    }

    fn instant(&mut self) -> Result<Option<Timestamp>> {
        let Some(micros) = self.take::<Option<i64>>()? else { return Ok(None) };
        Timestamp::from_micros(micros).map(Some).ok_or_else(|| self.corrupt(&format!("{micros} is no instant")))
    }

    fn texts(&mut self) -> Result<Option<Vec<String>>> {
        match self.take::<Option<&str>>()? {
            None => Ok(None),
            // Mostly there are none, which needs no parser.
            Some("[]") => Ok(Some(Vec::new())),
            Some(texts) => serde_json::from_str(texts).map(Some).map_err(|cause| self.corrupt(&cause)),
        }
    }

    fn corrupt(&self, problem: &dyn std::fmt::Display) -> Error {
        Columns::corrupt(self, problem)
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

/// Reads a row of a kind of record; the tenant is the one that the query was scoped to.
pub(super) fn decode<R: Record>(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Stored<R>> {
    let head = columns.head(tenant)?;
    columns.skip(R::ASSIGNED.len());
    Ok(head.of(R::read(columns)?))
}

/// Writes a row of a kind of record. `assigned` are the columns that the ledger assigns to this kind alone.
pub(super) fn encode<R: Record>(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    appended: &Appended,
    assigned: impl IntoIterator<Item = Value>,
    record: &R,
) -> Result<()> {
    let head = [text_value(tenant.as_str()), id_value(appended.id), appended.seq.into()];
    row.extend(head.into_iter().chain([instant_value(appended.created_at)]).chain(assigned));
    for field in R::FIELDS {
        row.push(match ((field.of)(record), field.kind) {
            (Datum::Text(text), _) => text_value(text),
            (Datum::Number(number), _) => number.into(),
            (Datum::Flag(flag), _) => flag.into(),
            (Datum::Digest(digest), _) => digest_value(Some(digest)),
            (Datum::Instant(instant), _) => instant_value(instant),
            (Datum::Texts(texts), _) => serde_json::to_string(texts).map_err(Error::internal)?.into(),
            (Datum::Null, Kind::Text | Kind::Texts) => Value::String(None),
            (Datum::Null, Kind::Number | Kind::Instant) => Value::BigInt(None),
            (Datum::Null, Kind::Flag) => Value::Bool(None),
            (Datum::Null, Kind::Digest) => Value::Bytes(None),
        });
    }
    Ok(())
}

/// The columns of a kind's table for a SELECT, each behind `alias`.
pub(super) fn record_columns<R: Record>(alias: &str) -> String {
    let head = ["tenant_id", "id", "seq", "created_at"];
    let names = head.iter().chain(R::ASSIGNED).copied().chain(R::FIELDS.iter().map(|field| field.name));
    names.map(|name| format!("{alias}.{name}")).collect::<Vec<_>>().join(", ")
}

/// Every row, decoded.
pub(super) fn decode_all<T>(
    rows: &[QueryResult],
    table: &'static str,
    decode: impl Fn(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut latest = None;
    rows.iter().map(|row| decode_behind(&mut latest, row, table, &decode)).collect()
}

/// The same for rows that may be many: others have their turn between them.
pub(super) async fn decode_in_turns<T>(
    rows: Vec<QueryResult>,
    table: &'static str,
    mut decode: impl FnMut(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let (mut all, mut latest) = (Vec::with_capacity(rows.len()), None);
    for row in rows {
        give_way(all.len()).await;
        all.push(decode_behind(&mut latest, &row, table, &mut decode)?);
    }
    Ok(all)
}

/// One row behind another, whose latest name it may share.
fn decode_behind<T>(
    latest: &mut Option<Arc<str>>,
    row: &QueryResult,
    table: &'static str,
    decode: impl FnOnce(&mut Columns<'_>) -> Result<T>,
) -> Result<T> {
    let mut columns = Columns::of(row, table)?;
    columns.latest = latest.take();
    let decoded = decode(&mut columns);
    *latest = columns.latest;
    decoded
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
