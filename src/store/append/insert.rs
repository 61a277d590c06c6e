//! Multi-row inserts.
//!
//! PostgreSQL takes a table's rows as one array a column, whatever their number: one prepared statement, one round trip.
//! SeaORM's array values cannot hold nulls, so that a column that can be null comes with an array that says where it is.
//! SQLite takes rows of values in chunks of few fixed sizes, so that it prepares few statements.

use std::collections::HashMap;

use sea_orm::sea_query::{ArrayType, ColumnType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, Iden, Iterable, PrimaryKeyToColumn,
    Statement, Value,
};

use super::super::convert::{table_name, width};
use super::super::error::database;
use super::records::{Batch, Rows, Updates};
use crate::error::Result;

/// Rows of one statement on SQLite. The largest table has 41 columns: 128 rows are far below its 32,766 parameters.
const CHUNKS: [usize; 4] = [128, 32, 8, 1];

/// What to do with a row that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

/// Writes rows; remembers its statements' texts.
pub(super) struct Inserter {
    backend: DbBackend,
    texts: HashMap<(&'static str, usize), String>,
}

impl Inserter {
    pub fn new(backend: DbBackend) -> Self {
        Self { backend, texts: HashMap::new() }
    }

    /// Inserts a batch.
    pub async fn batch(&mut self, txn: &DatabaseTransaction, batch: Batch) -> Result<()> {
        self.insert(txn, batch.runs, Existing::Refuse).await?;
        self.insert(txn, batch.tags, Existing::Refuse).await?;
        self.insert(txn, batch.traces, Existing::Refuse).await?;
        self.insert(txn, batch.steps, Existing::Refuse).await?;
        self.insert(txn, batch.seals, Existing::Refuse).await?;
        self.insert(txn, batch.payloads, Existing::Refuse).await?;
        self.insert(txn, batch.facts, Existing::Refuse).await?;
        self.insert(txn, batch.claims, Existing::Refuse).await?;
        self.insert(txn, batch.systems, Existing::Refuse).await?;
        self.insert(txn, batch.audits, Existing::Refuse).await?;
        self.insert(txn, batch.policies, Existing::Refuse).await?;
        self.insert(txn, batch.incidents, Existing::Refuse).await?;
        self.insert(txn, batch.exports, Existing::Refuse).await?;
        self.insert(txn, batch.events, Existing::Refuse).await?;
        self.insert(txn, batch.entries, Existing::Refuse).await?;
        self.insert(txn, batch.nodes, Existing::Refuse).await
    }

    /// Brings trace states and logs up to date.
    pub async fn updates(&mut self, txn: &DatabaseTransaction, updates: Updates) -> Result<()> {
        self.insert(txn, updates.states, Existing::Replace).await?;
        self.insert(txn, updates.logs, Existing::Replace).await
    }

    async fn insert<E: EntityTrait + Default>(
        &mut self,
        txn: &DatabaseTransaction,
        rows: Rows<E>,
        existing: Existing,
    ) -> Result<()> {
        let (width, backend, mut values) = (width::<E>(), self.backend, rows.values.into_iter());
        while values.len() > 0 {
            let statement = if backend == DbBackend::Postgres {
                let text = self.texts.entry((table_name::<E>(), 0)).or_insert_with(|| text_of_arrays::<E>(existing));
                Statement::from_sql_and_values(backend, text.as_str(), arrays::<E>(values.by_ref()))
            } else {
                let left = values.len() / width;
                let rows = CHUNKS.into_iter().find(|chunk| *chunk <= left).unwrap_or(1);
                let text =
                    self.texts.entry((table_name::<E>(), rows)).or_insert_with(|| text_of_rows::<E>(rows, existing));
                Statement::from_sql_and_values(backend, text.as_str(), values.by_ref().take(rows * width))
            };
            txn.execute_raw(statement).await.map_err(database)?;
        }
        Ok(())
    }
}

/// How a column travels in an array.
struct ArrayColumn {
    element: ArrayType,
    sql_type: &'static str,
    /// What stands where the value is null.
    filler: Value,
    is_nullable: bool,
}

fn array_columns<E: EntityTrait>() -> impl Iterator<Item = ArrayColumn> {
    E::Column::iter().map(|column| {
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
        ArrayColumn { element, sql_type, filler, is_nullable: definition.is_null() }
    })
}

/// Rows as arrays: one a column, and one more behind each that can be null.
fn arrays<E: EntityTrait>(values: impl ExactSizeIterator<Item = Value>) -> Vec<Value> {
    let columns: Vec<ArrayColumn> = array_columns::<E>().collect();
    let rows = values.len() / columns.len();
    let mut filled: Vec<(Vec<Value>, Vec<Value>)> =
        columns.iter().map(|_| (Vec::with_capacity(rows), Vec::new())).collect();
    let width = columns.len();
    for (at, value) in values.enumerate() {
        let (ArrayColumn { filler, is_nullable, .. }, (values, nulls)) =
            (&columns[at % width], &mut filled[at % width]);
        if *is_nullable {
            let is_null = value == value.as_null();
            nulls.push(is_null.into());
            values.push(if is_null { filler.clone() } else { value });
        } else {
            values.push(value);
        }
    }
    let mut arrays = Vec::with_capacity(2 * width);
    for (column, (values, nulls)) in columns.into_iter().zip(filled) {
        arrays.push(Value::Array(column.element, Some(Box::new(values))));
        if column.is_nullable {
            arrays.push(Value::Array(ArrayType::Bool, Some(Box::new(nulls))));
        }
    }
    arrays
}

fn text_of_arrays<E: EntityTrait + Default>(existing: Existing) -> String {
    let (mut selected, mut parameters, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (at, column) in array_columns::<E>().enumerate() {
        parameters.push(format!("${}::{}[]", parameters.len() + 1, column.sql_type));
        names.push(format!("v{at}"));
        if column.is_nullable {
            parameters.push(format!("${}::boolean[]", parameters.len() + 1));
            names.push(format!("n{at}"));
            selected.push(format!("CASE WHEN n{at} THEN NULL ELSE v{at} END"));
        } else {
            selected.push(format!("v{at}"));
        }
    }
    let source = format!("UNNEST({}) AS rows({})", parameters.join(", "), names.join(", "));
    format!("{} SELECT {} FROM {source}{}", insert_into::<E>(), selected.join(", "), on_conflict::<E>(existing))
}

fn text_of_rows<E: EntityTrait + Default>(rows: usize, existing: Existing) -> String {
    // Numbered parameters would be names to SQLite, looked up one by one.
    let row = format!("({})", vec!["?"; width::<E>()].join(", "));
    format!("{} VALUES {}{}", insert_into::<E>(), vec![row; rows].join(", "), on_conflict::<E>(existing))
}

fn insert_into<E: EntityTrait + Default>() -> String {
    let columns: Vec<String> = E::Column::iter().map(|column| column.unquoted().to_owned()).collect();
    format!("INSERT INTO {} ({})", table_name::<E>(), columns.join(", "))
}

fn on_conflict<E: EntityTrait>(existing: Existing) -> String {
    if existing == Existing::Refuse {
        return String::new();
    }
    let key: Vec<String> = E::PrimaryKey::iter().map(|key| key.into_column().unquoted().to_owned()).collect();
    let columns = E::Column::iter().map(|column| column.unquoted().to_owned());
    let changed: Vec<String> =
        columns.filter(|column| !key.contains(column)).map(|column| format!("{column} = excluded.{column}")).collect();
    format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), changed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{api_key, llm_run_tag, tenant_secret};

    #[test]
    fn texts_fit_their_database() {
        assert_eq!(
            text_of_arrays::<llm_run_tag::Entity>(Existing::Refuse),
            "INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT v0, v1, v2 \
             FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS rows(v0, v1, v2)"
        );
        assert_eq!(
            text_of_rows::<tenant_secret::Entity>(2, Existing::Replace),
            "INSERT INTO tenant_secret (tenant_id, content_key, created_at) VALUES (?, ?, ?), (?, ?, ?) \
             ON CONFLICT (tenant_id) DO UPDATE SET content_key = excluded.content_key, created_at = excluded.created_at"
        );
        let text = text_of_arrays::<api_key::Entity>(Existing::Refuse);
        assert!(text.contains("SELECT v0, v1, CASE WHEN n2 THEN NULL ELSE v2 END, v3"), "{text}");
        assert!(text.contains("$5::text[], $6::bytea[], $7::bigint[], $8::bigint[], $9::boolean[]"), "{text}");
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
        let arrays = arrays::<api_key::Entity>(rows.into_iter());
        let array = |element, values: Vec<Value>| Value::Array(element, Some(Box::new(values)));
        assert_eq!(arrays[2], array(ArrayType::String, vec!["".into(), "n".into()]));
        assert_eq!(arrays[3], array(ArrayType::Bool, vec![true.into(), false.into()]));
        assert_eq!(arrays.len(), 8 + 3);
    }
}
