//! Traces, their steps and their seals, and what is known of traces beyond their evidence.
//!
//! Filters of traces on agent, plan hash, seed, service and on statuses other than RUNNING have no index: they scan the
//! list in its order, so a page is quick where matches are near and reads the whole log where there are few.

use sea_orm_migration::prelude::*;

use crate::dialect::{append_only, drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// `traces_by_trace_id` uses the primary key.
const TRACE: &str = "CREATE TABLE trace (
    tenant_id {text} NOT NULL,
    id {uuid} NOT NULL,
    seq {int} NOT NULL CHECK (seq >= 0),
    created_at {int} NOT NULL,
    trace_id {text} NOT NULL,
    run_id {text} NOT NULL,
    agent_id {text},
    parent_run_id {text},
    correlation_id {text},
    plan_hash {text},
    seed {int},
    frozen_at {int},
    schema_version {text} NOT NULL,
    replay_mode {text},
    is_synthetic {bool} NOT NULL,
    synthetic_scenario_id {text},
    service_name {text},
    service_instance_id {text},
    service_version {text},
    environment {text},
    started_at {int} NOT NULL,
    plan_commitment {bytes} CHECK (length(plan_commitment) = 32),
    PRIMARY KEY (tenant_id, trace_id)
) {clustered}";

/// The primary key keeps a trace's steps together in order: a page of them is one short range, wherever it lies. The rows
/// are too large for SQLite's index trees: a table in that order would write twice the pages for each step.
const TRACE_STEP: &str = "CREATE TABLE trace_step (
    tenant_id {text} NOT NULL,
    id {uuid} NOT NULL,
    seq {int} NOT NULL CHECK (seq >= 0),
    created_at {int} NOT NULL,
    trace_id {text} NOT NULL,
    step_index {int} NOT NULL CHECK (step_index >= 0),
    is_late {bool} NOT NULL,
    caller_index {int},
    span_id {text} NOT NULL,
    parent_span_id {text},
    attempt {int} NOT NULL,
    kind {text} NOT NULL,
    skill_name {text} NOT NULL,
    status {text} NOT NULL,
    outcome_category {text} NOT NULL,
    outcome_code {text},
    provider {text},
    model {text},
    response_id {text},
    input_tokens {int},
    output_tokens {int},
    cost_micros {int},
    started_at {int} NOT NULL,
    duration_us {int} NOT NULL CHECK (duration_us >= 0),
    input_hash {bytes} CHECK (length(input_hash) = 32),
    output_hash {bytes} CHECK (length(output_hash) = 32),
    idempotency_key {text},
    duplicate_of {text},
    attributes_commitment {bytes} CHECK (length(attributes_commitment) = 32),
    content_commitment {bytes} CHECK (length(content_commitment) = 32),
    PRIMARY KEY (tenant_id, trace_id, step_index)
) {table}";

/// The newest seal of a trace is the end of its range of the primary key.
const TRACE_SEAL: &str = "CREATE TABLE trace_seal (
    tenant_id {text} NOT NULL,
    id {uuid} NOT NULL,
    seq {int} NOT NULL CHECK (seq >= 0),
    created_at {int} NOT NULL,
    trace_id {text} NOT NULL,
    revision {int} NOT NULL CHECK (revision >= 1),
    status {text} NOT NULL,
    reason {text},
    step_count {int} NOT NULL CHECK (step_count >= 0),
    root_hash {bytes} NOT NULL CHECK (length(root_hash) = 32),
    ended_at {int} NOT NULL,
    metadata_commitment {bytes} CHECK (length(metadata_commitment) = 32),
    PRIMARY KEY (tenant_id, trace_id, revision)
) {clustered}";

const INDEXES: &[&str] = &[
    // list_traces in its default order, count_traces, and every filter that scans.
    "CREATE UNIQUE INDEX trace_seq ON trace (tenant_id, seq)",
    // traces_by_id.
    "CREATE UNIQUE INDEX trace_id ON trace (tenant_id, id)",
    // trace_by_run_id: traces of runs that are not recorded yet. Most runs bear their trace's name and are found by that.
    "CREATE INDEX trace_run ON trace (tenant_id, run_id, seq) WHERE run_id <> trace_id",
    // list_traces by start, and the filter started_at.
    "CREATE INDEX trace_started ON trace (tenant_id, started_at, seq)",
    // Verification walks steps and seals in the order of their entries.
    "CREATE UNIQUE INDEX trace_step_seq ON trace_step (tenant_id, seq)",
    "CREATE UNIQUE INDEX trace_seal_seq ON trace_seal (tenant_id, seq)",
    // steps_by_id.
    "CREATE UNIQUE INDEX trace_step_id ON trace_step (tenant_id, id)",
    // inflection_facts: the failed steps of a trace, which are few.
    "CREATE INDEX trace_step_failed ON trace_step (tenant_id, trace_id) WHERE status = 'FAILURE'",
    // run_export_facts: whether the steps of a trace were recorded with content, which most are not.
    "CREATE INDEX trace_step_content ON trace_step (tenant_id, trace_id) WHERE content_commitment IS NOT NULL",
    // idempotency_hit.
    "CREATE INDEX trace_step_idempotency ON trace_step (tenant_id, idempotency_key, seq)
        WHERE idempotency_key IS NOT NULL",
    // records_by_id.
    "CREATE UNIQUE INDEX trace_seal_id ON trace_seal (tenant_id, id)",
    // trace_by_root_hash.
    "CREATE INDEX trace_seal_root ON trace_seal (tenant_id, root_hash, seq)",
];

/// Operational, mutable.
const STATE: &[&str] = &[
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
    // due_traces and next_due_at: this index does not begin with the tenant, because one sealer serves all.
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
        for statement in [TRACE, TRACE_STEP, TRACE_SEAL].iter().chain(INDEXES).chain(STATE) {
            run(manager, statement).await?;
        }
        for table in ["trace", "trace_step", "trace_seal"] {
            append_only(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["step_fact", "trace_state", "trace_seal", "trace_step", "trace"]).await
    }
}
