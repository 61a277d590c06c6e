//! Runs, and the side index of their tags.
//!
//! Filters on name, session, end user, service, environment, provider, model, status, source, synthetic, correlation
//! id, completion, and ranges of tokens, cost and duration have no index: they scan the list in its order, so a page is
//! quick where matches are near and reads the whole log where there are few.

use sea_orm_migration::prelude::*;

use crate::dialect::{append_only, drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Rows are large for SQLite's index trees, so the table keeps its rowid: lists read it in the order of insertion.
///
/// The computed columns are what lists are ordered by: no field of a run, never selected. A null sorts last either way, so
/// each way has its own stand-in for null. They are columns because SQLite does not seek (expression, seq) in an index.
const TABLE: &str = "CREATE TABLE llm_run (
    tenant_id {text} NOT NULL,
    id {uuid} NOT NULL,
    seq {int} NOT NULL CHECK (seq >= 0),
    created_at {int} NOT NULL,
    run_id {text} NOT NULL,
    revision {int} NOT NULL CHECK (revision >= 1),
    trace_id {text},
    name {text},
    agent_id {text},
    session_id {text},
    end_user_id {text},
    tags {text} NOT NULL,
    provider {text} NOT NULL,
    model {text} NOT NULL,
    operation {text},
    service_name {text},
    service_instance_id {text},
    service_version {text},
    environment {text},
    region {text},
    prompt_hash {bytes} CHECK (length(prompt_hash) = 32),
    response_hash {bytes} CHECK (length(response_hash) = 32),
    input_tokens {int} NOT NULL CHECK (input_tokens BETWEEN 0 AND 9007199254740991),
    output_tokens {int} NOT NULL CHECK (output_tokens BETWEEN 0 AND 9007199254740991),
    cached_input_tokens {int} CHECK (cached_input_tokens BETWEEN 0 AND 9007199254740991),
    reasoning_tokens {int} CHECK (reasoning_tokens BETWEEN 0 AND 9007199254740991),
    time_to_first_token_us {int},
    finish_reason {text},
    cost_micros {int},
    price_version {text},
    execution_status {text} NOT NULL,
    error_type {text},
    started_at {int} NOT NULL,
    completed_at {int},
    source {text} NOT NULL,
    is_synthetic {bool} NOT NULL,
    synthetic_scenario_id {text},
    correlation_id {text},
    actor_type {text},
    actor_id {text},
    step_count {int} NOT NULL CHECK (step_count >= 0),
    trace_root_hash {bytes} CHECK (length(trace_root_hash) = 32),
    total_tokens {int} GENERATED ALWAYS AS (input_tokens + output_tokens) {computed},
    cost_asc {int} GENERATED ALWAYS AS (COALESCE(cost_micros, 9223372036854775807)) {computed},
    cost_desc {int} GENERATED ALWAYS AS (COALESCE(cost_micros, -9223372036854775807)) {computed},
    duration_asc {int} GENERATED ALWAYS AS (COALESCE(completed_at - started_at, 9223372036854775807)) {computed},
    duration_desc {int} GENERATED ALWAYS AS (COALESCE(completed_at - started_at, -9223372036854775807)) {computed},
    PRIMARY KEY (tenant_id, run_id, revision)
) {table}";

/// `runs_by_run_id`, `revisions_by_run_id` and the check for a newer revision use the primary key.
const INDEXES: &[&str] = &[
    // list_runs in its default order, count_runs, and every filter that scans.
    "CREATE UNIQUE INDEX llm_run_seq ON llm_run (tenant_id, seq)",
    // runs_by_id.
    "CREATE UNIQUE INDEX llm_run_id ON llm_run (tenant_id, id)",
    // runs_by_trace_id, and the filter trace_ids.
    "CREATE INDEX llm_run_trace ON llm_run (tenant_id, trace_id, seq)",
    // The filter agent_ids, an agent's runs.
    "CREATE INDEX llm_run_agent ON llm_run (tenant_id, agent_id, seq)",
    // list_runs by start, and the filter started_at.
    "CREATE INDEX llm_run_started ON llm_run (tenant_id, started_at, seq)",
    // list_runs by total tokens.
    "CREATE INDEX llm_run_tokens ON llm_run (tenant_id, total_tokens, seq)",
    // list_runs by cost and by duration, each way.
    "CREATE INDEX llm_run_cost_asc ON llm_run (tenant_id, cost_asc, seq)",
    "CREATE INDEX llm_run_cost_desc ON llm_run (tenant_id, cost_desc, seq)",
    "CREATE INDEX llm_run_duration_asc ON llm_run (tenant_id, duration_asc, seq)",
    "CREATE INDEX llm_run_duration_desc ON llm_run (tenant_id, duration_desc, seq)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, TABLE).await?;
        for index in INDEXES {
            run(manager, index).await?;
        }
        // The filter tags. One row a tag of each revision; made from llm_run.tags, which the leaf covers.
        run(
            manager,
            "CREATE TABLE llm_run_tag (
                tenant_id {text} NOT NULL,
                tag {text} NOT NULL,
                seq {int} NOT NULL,
                PRIMARY KEY (tenant_id, tag, seq)
            ) {clustered}",
        )
        .await?;
        append_only(manager, "llm_run").await?;
        append_only(manager, "llm_run_tag").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["llm_run_tag", "llm_run"]).await
    }
}
