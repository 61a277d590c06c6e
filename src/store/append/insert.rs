//! Multi-row inserts. Rows go in chunks of few fixed sizes, so that a connection prepares few statements. (Arrays by
//! UNNEST would need but one a table on PostgreSQL; SeaORM's array values cannot hold nulls.)

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, Iden, Iterable, PrimaryKeyToColumn, Statement, Value,
};

use super::super::convert::{table_name, width};
use super::super::error::database;
use super::records::{Batch, Rows, Updates};
use crate::error::Result;

/// Rows of one statement. The largest table has 41 columns: 128 rows are far below SQLite's 32,766 parameters.
const CHUNKS: [usize; 4] = [128, 32, 8, 1];

/// What to do with a row that exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
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
        self.insert(txn, batch.claims, Existing::Refuse).await
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
        let (width, mut values) = (width::<E>(), rows.values.into_iter());
        while values.len() > 0 {
            let left = values.len() / width;
            let chunk = CHUNKS.into_iter().find(|chunk| *chunk <= left).unwrap_or(1);
            let chunk_values: Vec<Value> = values.by_ref().take(chunk * width).collect();
            let backend = self.backend;
            let statement = Statement::from_sql_and_values(backend, self.text::<E>(chunk, existing), chunk_values);
            txn.execute_raw(statement).await.map_err(database)?;
        }
        Ok(())
    }

    fn text<E: EntityTrait + Default>(&mut self, rows: usize, existing: Existing) -> &str {
        let backend = self.backend;
        self.texts.entry((table_name::<E>(), rows)).or_insert_with(|| text::<E>(backend, rows, existing))
    }
}

fn text<E: EntityTrait + Default>(backend: DbBackend, rows: usize, existing: Existing) -> String {
    let columns: Vec<String> = E::Column::iter().map(|column| column.unquoted().to_owned()).collect();
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", table_name::<E>(), columns.join(", "));
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns.len() {
            sql.push_str(if column == 0 { "" } else { ", " });
            match backend {
                DbBackend::Postgres => sql.push_str(&format!("${}", row * columns.len() + column + 1)),
                // Numbered parameters are names to SQLite, looked up one by one.
                _ => sql.push('?'),
            }
        }
        sql.push(')');
    }
    if existing == Existing::Replace {
        let key: Vec<String> = E::PrimaryKey::iter().map(|key| key.into_column().unquoted().to_owned()).collect();
        let changed: Vec<String> = columns
            .iter()
            .filter(|column| !key.contains(column))
            .map(|column| format!("{column} = excluded.{column}"))
            .collect();
        sql.push_str(&format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), changed.join(", ")));
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::llm_run_tag;

    #[test]
    fn texts_fit_their_database() {
        assert_eq!(
            text::<llm_run_tag::Entity>(DbBackend::Postgres, 2, Existing::Refuse),
            "INSERT INTO llm_run_tag (tenant_id, tag, seq) VALUES ($1, $2, $3), ($4, $5, $6)"
        );
        assert_eq!(
            text::<crate::entity::tenant_secret::Entity>(DbBackend::Sqlite, 1, Existing::Replace),
            "INSERT INTO tenant_secret (tenant_id, content_key, created_at) VALUES (?, ?, ?) ON CONFLICT (tenant_id) \
             DO UPDATE SET content_key = excluded.content_key, created_at = excluded.created_at"
        );
    }
}
