//! What PostgreSQL's planner knows of our tables. Of a table that was never analyzed it guesses that any tenant has one row in
//! two hundred, and then goes through all of a tenant's rows where a key of the primary key was asked for. Autovacuum comes
//! once a minute, if it is on at all. (SQLite decides by the schema alone.)

use sea_orm::DbBackend;

use super::Store;
use super::convert::{decode_all, table_name};
use super::keytable::Keys;
use crate::entity;
use crate::error::Result;

/// A smaller table is read as quickly in any way.
const BYTES_MIN: i64 = 128 << 10;

impl Store {
    /// Whether the database plans by statistics.
    #[must_use]
    pub fn has_statistics(&self) -> bool {
        self.db().backend == DbBackend::Postgres
    }

    /// Our tables that have no statistics, or twice the size that they had for them: each at most once a doubling. It goes
    /// by what the database keeps over a crash, not by its counters.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer.
    pub async fn tables_without_statistics(&self) -> Result<Vec<String>> {
        if !self.has_statistics() {
            return Ok(Vec::new());
        }
        // Whoever does not own a table cannot analyze it. A bare index build sets relpages, so columns are asked for too.
        let sql = "SELECT c.relname::text FROM pg_class c \
                   WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname = ANY($1) \
                   AND pg_has_role(c.relowner, 'USAGE') AND pg_relation_size(c.oid) >= $2 \
                   AND (pg_relation_size(c.oid) >= 2 * c.relpages::bigint * current_setting('block_size')::bigint \
                   OR NOT EXISTS (SELECT 1 FROM pg_stats s \
                   WHERE s.schemaname = current_schema() AND s.tablename = c.relname)) ORDER BY c.relname";
        let tables = Keys::texts(read_tables()).value(self.db().backend)?;
        let rows = self.db().rows(self.db().statement(sql, [tables, BYTES_MIN.into()])).await?;
        decode_all(&rows, "pg_class", |columns| columns.take())
    }

    /// Gives the planner statistics of these tables. A sample is read of each, whose size is bounded; a table that takes
    /// longer than any read may is left as it is.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer in time.
    pub async fn analyze(&self, tables: &[String]) -> Result<()> {
        for table in tables {
            self.db().analyze(table).await?;
        }
        Ok(())
    }
}

/// Tables that grow with what is recorded.
fn read_tables() -> [&'static str; 20] {
    [
        table_name::<entity::llm_run::Entity>(),
        table_name::<entity::llm_run_tag::Entity>(),
        table_name::<entity::trace::Entity>(),
        table_name::<entity::trace_step::Entity>(),
        table_name::<entity::trace_seal::Entity>(),
        table_name::<entity::trace_state::Entity>(),
        table_name::<entity::step_fact::Entity>(),
        table_name::<entity::span_content::Entity>(),
        table_name::<entity::payload::Entity>(),
        table_name::<entity::system_record::Entity>(),
        table_name::<entity::audit_entry::Entity>(),
        table_name::<entity::policy_activation::Entity>(),
        table_name::<entity::incident_evidence::Entity>(),
        table_name::<entity::log_export::Entity>(),
        table_name::<entity::ledger_event::Entity>(),
        table_name::<entity::ledger_entry::Entity>(),
        table_name::<entity::ledger_node::Entity>(),
        table_name::<entity::ledger_checkpoint::Entity>(),
        table_name::<entity::metric_series::Entity>(),
        table_name::<entity::metric_point::Entity>(),
    ]
}
