//! Policy activations, incident evidence and the records of exports.

use sea_orm_migration::prelude::*;

use crate::dialect::{append_only, drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    "CREATE TABLE policy_activation (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        created_at {int} NOT NULL,
        policy_id {text} NOT NULL,
        source_pattern_id {text} NOT NULL,
        source_recovery_id {text},
        confidence_ppm {int} NOT NULL,
        confidence_version {text} NOT NULL,
        approval_path {text} NOT NULL,
        loop_trace_id {text},
        actor_type {text},
        actor_id {text},
        source_component {text} NOT NULL,
        activated_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, id)
    ) {table}",
    "CREATE TABLE incident_evidence (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        created_at {int} NOT NULL,
        incident_id {text} NOT NULL,
        revision {int} NOT NULL,
        severity {text} NOT NULL,
        status {text} NOT NULL,
        title {text} NOT NULL,
        source_run_id {text},
        policy_id {text},
        violation_type {text},
        violation_at {int},
        violation_step_index {int},
        threshold {text},
        actual {text},
        inflection_at {int},
        inflection_step_index {int},
        opened_at {int} NOT NULL,
        resolved_at {int},
        correlation_id {text},
        source_component {text} NOT NULL,
        PRIMARY KEY (tenant_id, incident_id, revision)
    ) {table}",
    "CREATE TABLE log_export (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        created_at {int} NOT NULL,
        scope {text} NOT NULL,
        run_id {text},
        incident_id {text},
        format {text} NOT NULL,
        filter {text} NOT NULL,
        requested_by {text} NOT NULL,
        origin {text} NOT NULL,
        source_component {text} NOT NULL,
        correlation_id {text},
        record_count {int} NOT NULL,
        byte_count {int} NOT NULL,
        checksum {bytes} CHECK (length(checksum) = 32),
        checkpoint_sizes {text} NOT NULL,
        manifest_hash {bytes} CHECK (length(manifest_hash) = 32),
        -- A row is never changed, so it is written when the export is done.
        status {text} NOT NULL CHECK (status IN ('COMPLETED', 'FAILED')),
        PRIMARY KEY (tenant_id, id)
    ) {table}",
];

const INDEXES: &[&str] = &[
    // list_policy_activations in its default order.
    "CREATE UNIQUE INDEX policy_activation_seq ON policy_activation (tenant_id, seq)",
    // activations_by_policy.
    "CREATE INDEX policy_activation_policy ON policy_activation (tenant_id, policy_id, seq)",
    // list_incident_evidence in its default order.
    "CREATE UNIQUE INDEX incident_evidence_seq ON incident_evidence (tenant_id, seq)",
    // incident_evidence_by_id.
    "CREATE UNIQUE INDEX incident_evidence_id ON incident_evidence (tenant_id, id)",
    // incidents_by_run.
    "CREATE INDEX incident_evidence_run ON incident_evidence (tenant_id, source_run_id, seq) WHERE source_run_id IS NOT NULL",
    // list_exports in its default order.
    "CREATE UNIQUE INDEX log_export_seq ON log_export (tenant_id, seq)",
    // exports_by_run.
    "CREATE INDEX log_export_run ON log_export (tenant_id, run_id, seq) WHERE run_id IS NOT NULL",
];

const NAMES: &[&str] = &["policy_activation", "incident_evidence", "log_export"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in TABLES.iter().chain(INDEXES) {
            run(manager, statement).await?;
        }
        for table in NAMES {
            append_only(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, NAMES).await
    }
}
