//! What is known of traces beyond their evidence: operational, mutable.

use sea_orm_migration::prelude::*;

use crate::dialect::{drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // One row a trace, written with its record. `version` grows with every change that a seal must know of; `due_at` is
    // when the sealer has to look at the trace next: after its quiet time, or when another process's claim ends.
    "CREATE TABLE trace_state (
        tenant_id {text} NOT NULL,
        trace_id {text} NOT NULL,
        step_count {int} NOT NULL,
        has_root {bool} NOT NULL,
        has_remote_parent {bool} NOT NULL,
        has_llm_work {bool} NOT NULL,
        is_open {bool} NOT NULL,
        sealed_revision {int} NOT NULL,
        last_seen_at {int} NOT NULL,
        due_at {int},
        version {int} NOT NULL,
        PRIMARY KEY (tenant_id, trace_id)
    ) {clustered}",
    // claim_due_traces and next_due_at: the one index that does not begin with the tenant, because one sealer serves all.
    "CREATE INDEX trace_state_due ON trace_state (due_at, tenant_id, trace_id) WHERE due_at IS NOT NULL",
    // list_traces and count_traces of RUNNING ones.
    "CREATE INDEX trace_state_running ON trace_state (tenant_id, trace_id) WHERE sealed_revision = 0",
    // One row a step. Append looks here for steps that are re-exported; sealing reads a trace's facts along the key.
    "CREATE TABLE step_fact (
        tenant_id {text} NOT NULL,
        trace_id {text} NOT NULL,
        span_id {text} NOT NULL,
        record_id {uuid} NOT NULL,
        digest {bytes} NOT NULL CHECK (length(digest) = 32),
        facts {text} NOT NULL,
        PRIMARY KEY (tenant_id, trace_id, span_id)
    ) {table}",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            run(manager, statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["step_fact", "trace_state"]).await
    }
}
