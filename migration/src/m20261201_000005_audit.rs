//! The audit ledger and what happened to the platform.
//!
//! Filters without an index scan the list in its order: a page is quick where matches are near and reads the whole log
//! where there are few.

use sea_orm_migration::prelude::*;

use crate::dialect::{append_only, drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: &[&str] = &[
    "CREATE TABLE system_record (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        created_at {int} NOT NULL,
        component {text} NOT NULL,
        event_type {text} NOT NULL,
        severity {text} NOT NULL,
        summary {text} NOT NULL,
        caused_by {text},
        actor_type {text},
        actor_id {text},
        correlation_id {text},
        service_name {text},
        service_instance_id {text},
        source_component {text} NOT NULL,
        occurred_at {int} NOT NULL,
        details_commitment {bytes} CHECK (length(details_commitment) = 32),
        PRIMARY KEY (tenant_id, id)
    ) {table}",
    "CREATE TABLE audit_entry (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        created_at {int} NOT NULL,
        category {text} NOT NULL,
        event_type {text} NOT NULL,
        entity_type {text} NOT NULL,
        entity_id {text} NOT NULL,
        actor_type {text} NOT NULL,
        actor_id {text},
        verdict {text},
        action {text},
        policy_id {text},
        rule_id {text},
        run_id {text},
        correlation_id {text},
        source_component {text} NOT NULL,
        occurred_at {int} NOT NULL,
        action_reason_commitment {bytes} CHECK (length(action_reason_commitment) = 32),
        before_state_commitment {bytes} CHECK (length(before_state_commitment) = 32),
        after_state_commitment {bytes} CHECK (length(after_state_commitment) = 32),
        PRIMARY KEY (tenant_id, id)
    ) {table}",
];

const INDEXES: &[&str] = &[
    // list_system_records in its default order, and every filter that scans.
    "CREATE UNIQUE INDEX system_record_seq ON system_record (tenant_id, seq)",
    // run_events: what is correlated with a run, and the filter correlation_ids.
    "CREATE INDEX system_record_correlation ON system_record (tenant_id, correlation_id, occurred_at, seq)
        WHERE correlation_id IS NOT NULL",
    // list_system_records by occurred_at, its filter, and system_records_in_windows.
    "CREATE INDEX system_record_occurred ON system_record (tenant_id, occurred_at, seq)",
    // run_events: warnings while a run ran.
    "CREATE INDEX system_record_warning ON system_record (tenant_id, occurred_at, seq) WHERE severity <> 'INFO'",
    // run_baselines: the newest record of a component at or before an instant. Records of other instances are passed over.
    "CREATE INDEX system_record_baseline ON system_record (tenant_id, component, occurred_at, seq)
        WHERE event_type IN ('STARTUP', 'RESTART', 'DEPLOY', 'CONFIG_CHANGE', 'MIGRATION')",
    // list_audit_entries of the evidence log in its default order, and every filter that scans.
    "CREATE UNIQUE INDEX audit_entry_seq ON audit_entry (tenant_id, seq) WHERE category <> 'ACCESS'",
    // list_audit_entries of the access log.
    "CREATE UNIQUE INDEX audit_entry_access_seq ON audit_entry (tenant_id, seq) WHERE category = 'ACCESS'",
    // The views of one category.
    "CREATE INDEX audit_entry_category ON audit_entry (tenant_id, category, seq)",
    // governance_by_run, and the run's entries of governance_in_windows.
    "CREATE INDEX audit_entry_run ON audit_entry (tenant_id, run_id, seq) WHERE run_id IS NOT NULL",
    // The filter policy_ids, a policy's entries.
    "CREATE INDEX audit_entry_policy ON audit_entry (tenant_id, policy_id, seq) WHERE policy_id IS NOT NULL",
    // Entries of one thing.
    "CREATE INDEX audit_entry_entity ON audit_entry (tenant_id, entity_type, entity_id, seq)",
    // governance_in_windows: replay, entries of no run. Reads of evidence outnumber what is governed, so only that is in it.
    "CREATE INDEX audit_entry_governed ON audit_entry (tenant_id, occurred_at, id)
        WHERE category = 'GOVERNANCE' AND run_id IS NULL",
    // The filter occurred_at.
    "CREATE INDEX audit_entry_occurred ON audit_entry (tenant_id, occurred_at, seq)",
];

const NAMES: &[&str] = &["audit_entry", "system_record"];

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
