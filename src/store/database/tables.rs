//! Whether the schema is still there: a server that runs on has nothing to serve when its tables were dropped.

use std::collections::BTreeSet;

use migration::{Migrator, MigratorTrait};
use sea_orm::DbBackend;

use super::super::error::database;
use super::Database;
use crate::error::{Error, Result};

/// The tables that every server needs, by name; a test holds the list to what the changes of the schema make.
const TABLES: [&str; 30] = [
    "api_key",
    "audit_entry",
    "idempotency",
    "incident_evidence",
    "ledger_anomaly",
    "ledger_checkpoint",
    "ledger_duty",
    "ledger_entry",
    "ledger_event",
    "ledger_key",
    "ledger_log",
    "ledger_node",
    "ledger_verification",
    "ledger_watch",
    "llm_run",
    "llm_run_tag",
    "log_export",
    "metric_point",
    "metric_series",
    "payload",
    "policy_activation",
    "principal",
    "span_content",
    "step_fact",
    "system_record",
    "tenant_secret",
    "trace",
    "trace_seal",
    "trace_state",
    "trace_step",
];
/// Where the changes are listed that were applied.
const CHANGES: &str = "seaql_migrations";
/// Missing tables that are named.
const NAMED_MAX: usize = 3;
/// How long to wait before another look, in milliseconds.
const RETRY_AFTER_MS: u64 = 10_000;

/// Whether every table and every change of the schema is there.
///
/// # Errors
/// `UNAVAILABLE` that says what is missing.
pub(in crate::store) async fn check(db: &Database) -> Result<()> {
    let sql = match db.backend {
        DbBackend::Sqlite => "SELECT name FROM sqlite_schema WHERE type = 'table'",
        _ => {
            "SELECT CAST(relname AS TEXT) FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid) \
             AND relnamespace <> CAST('pg_catalog' AS regnamespace)"
        }
    };
    let there = texts(db, sql).await?;
    let missing: Vec<&str> = TABLES.into_iter().chain([CHANGES]).filter(|table| !there.contains(*table)).collect();
    if !missing.is_empty() {
        return Err(lacks("tables", &missing));
    }
    let applied = texts(db, "SELECT version FROM seaql_migrations").await?;
    let changes = Migrator::migrations();
    let missing: Vec<&str> = changes.iter().map(|one| one.name()).filter(|name| !applied.contains(*name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(lacks("changes of its schema", &missing)) }
}

async fn texts(db: &Database, sql: &str) -> Result<BTreeSet<String>> {
    let rows = db.rows(db.statement(sql, [])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, sea_orm::DbErr>>().map_err(database)
}

fn lacks(what: &str, missing: &[&str]) -> Error {
    let named = missing.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = match missing.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "the database lacks {what} that were there when the server started: {named}{more}. Stop the server, restore a backup, \
         and start it again"
    );
    Error::unavailable(message, RETRY_AFTER_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::holdings::lost_tables;

    #[tokio::test]
    async fn every_table_of_the_schema_is_looked_for() {
        let made = lost_tables(Migrator::migrations().len(), u32::MAX).await.expect("tried");
        assert_eq!(made, TABLES.map(str::to_owned).into());
    }
}
