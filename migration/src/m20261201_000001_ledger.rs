//! The ledger: logs, entries, nodes, checkpoints, events, keys, verifications and what they found.

use sea_orm_migration::prelude::*;

use crate::dialect::{append_only, create_append_only_function, drop_append_only_function, drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // The logs: one row each, whose `size` is the next `seq`, with the root of its tree and the right edge that the next
    // entries are appended to. Locked first by every write. Mutable: what it says is proven by the entries.
    "CREATE TABLE ledger_log (
        tenant_id {text} NOT NULL,
        log_id {uuid} NOT NULL,
        stream {text} NOT NULL,
        origin {text} NOT NULL,
        size {int} NOT NULL CHECK (size >= 0),
        root {bytes} NOT NULL CHECK (length(root) = 32),
        edge {bytes} NOT NULL CHECK (length(edge) <= 2048),
        updated_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, log_id),
        UNIQUE (tenant_id, stream),
        UNIQUE (tenant_id, origin)
    ) {clustered}",
    // The tenant's one ordered feed. A page of it, a proof's leaves and a verification walk the primary key.
    "CREATE TABLE ledger_entry (
        tenant_id {text} NOT NULL,
        log_id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        kind {text} NOT NULL,
        record_id {uuid} NOT NULL,
        leaf_hash {bytes} NOT NULL CHECK (length(leaf_hash) = 32),
        PRIMARY KEY (tenant_id, log_id, seq)
    ) {clustered}",
    // entries_by_record_id.
    "CREATE UNIQUE INDEX ledger_entry_record ON ledger_entry (tenant_id, log_id, record_id)",
    // Roots of complete subtrees of 256 leaves (level 1), 65,536 leaves (level 2) and so on, so that a proof reads a few
    // short ranges.
    "CREATE TABLE ledger_node (
        tenant_id {text} NOT NULL,
        log_id {uuid} NOT NULL,
        level {int} NOT NULL CHECK (level >= 1),
        idx {int} NOT NULL CHECK (idx >= 0),
        hash {bytes} NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (tenant_id, log_id, level, idx)
    ) {clustered}",
    // The newest checkpoint of a log is the end of its range of the primary key.
    "CREATE TABLE ledger_checkpoint (
        tenant_id {text} NOT NULL,
        log_id {uuid} NOT NULL,
        size {int} NOT NULL CHECK (size >= 0),
        root {bytes} NOT NULL CHECK (length(root) = 32),
        note {text} NOT NULL,
        made_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, log_id, size)
    ) {clustered}",
    "CREATE TABLE ledger_event (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        seq {int} NOT NULL CHECK (seq >= 0),
        created_at {int} NOT NULL,
        kind {text} NOT NULL,
        subject {text} NOT NULL,
        reason {text},
        detail {text} NOT NULL,
        actor_type {text} NOT NULL,
        actor_id {text},
        PRIMARY KEY (tenant_id, id)
    ) {table}",
    // list_ledger_events.
    "CREATE UNIQUE INDEX ledger_event_seq ON ledger_event (tenant_id, seq)",
    // events_by_subject: erasures of a payload, keys.
    "CREATE INDEX ledger_event_subject ON ledger_event (tenant_id, kind, subject, seq)",
    // A reference table: public halves of the keys that sign, with the size of every log when each began and ceased to sign (JSON: log id to
    // size): operational; the evidence is the `key` event.
    "CREATE TABLE ledger_key (
        key_id {text} NOT NULL PRIMARY KEY,
        name {text} NOT NULL,
        public_key {bytes} NOT NULL CHECK (length(public_key) = 32),
        created_at {int} NOT NULL,
        retired_at {int},
        from_sizes {text} NOT NULL,
        to_sizes {text}
    ) {clustered}",
    // One key signs at a time, whichever process registers it first.
    "CREATE UNIQUE INDEX ledger_key_active ON ledger_key ((1)) WHERE retired_at IS NULL",
    // A reference table: work that one process does at a time, which process has it, and until when unless it renews that.
    "CREATE TABLE ledger_duty (
        name {text} NOT NULL PRIMARY KEY,
        holder {text} NOT NULL,
        held_until {int} NOT NULL
    ) {clustered}",
    // One row a run of verification that has something new to say.
    "CREATE TABLE ledger_verification (
        tenant_id {text} NOT NULL,
        id {uuid} NOT NULL,
        number {int} NOT NULL CHECK (number >= 0),
        log_id {uuid} NOT NULL,
        stream {text},
        mode {text} NOT NULL,
        status {text} NOT NULL,
        reason {text},
        from_size {int} NOT NULL,
        size {int} NOT NULL,
        root {bytes} CHECK (length(root) = 32),
        entry_count {int} NOT NULL,
        payload_count {int} NOT NULL,
        erased_count {int} NOT NULL,
        anomaly_count {int} NOT NULL,
        warning_count {int} NOT NULL,
        is_chain_valid {bool} NOT NULL,
        started_at {int} NOT NULL,
        finished_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, id)
    ) {table}",
    // list_verifications, newest first.
    "CREATE UNIQUE INDEX ledger_verification_number ON ledger_verification (tenant_id, number)",
    // When each log was last looked at, and the verification that tells how it stands: operational.
    "CREATE TABLE ledger_watch (
        tenant_id {text} NOT NULL,
        log_id {uuid} NOT NULL,
        verification_id {uuid} NOT NULL,
        mode {text} NOT NULL,
        checked_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, log_id)
    ) {clustered}",
    // What a verification found, in the order of finding.
    "CREATE TABLE ledger_anomaly (
        tenant_id {text} NOT NULL,
        verification_id {uuid} NOT NULL,
        idx {int} NOT NULL CHECK (idx >= 0),
        kind {text} NOT NULL,
        is_warning {bool} NOT NULL,
        seq {int},
        seq_end {int},
        record_kind {text},
        record_id {uuid},
        field {text},
        detail {text} NOT NULL,
        PRIMARY KEY (tenant_id, verification_id, idx)
    ) {clustered}",
];

/// Tables of evidence, in the order in which they can be dropped.
const EVIDENCE: &[&str] =
    &["ledger_anomaly", "ledger_verification", "ledger_event", "ledger_checkpoint", "ledger_node", "ledger_entry"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_append_only_function(manager).await?;
        for statement in STATEMENTS {
            run(manager, statement).await?;
        }
        for table in EVIDENCE {
            append_only(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, EVIDENCE).await?;
        drop_tables(manager, &["ledger_watch", "ledger_key", "ledger_duty", "ledger_log"]).await?;
        drop_append_only_function(manager).await
    }
}
