//! The schema, change by change: one file each, up and down, on both databases.
//!
//! A table is written once, in the `dialect` that both databases share, so that neither can drift from the other:
//! instants are microseconds and money is micro-dollars in 64-bit integers, record ids are UUIDs (BLOBs on SQLite),
//! digests are bytes, vocabularies are text, and text compares bytewise.

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

use sea_orm_migration::prelude::*;

mod dialect;
mod m20261121_000001_ledger_log;
mod m20261121_000002_llm_run;
mod m20261121_000003_trace;
mod m20261121_000004_payload;
mod m20261121_000005_trace_state;
mod m20261121_000006_access;
mod m20261121_000007_audit;
mod m20261121_000008_evidence;
mod m20261121_000009_ledger;
mod m20261121_000020_telemetry;
mod m20261130_000030_idempotency;

/// Every change, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_ledger_log::Migration),
            Box::new(m20261121_000002_llm_run::Migration),
            Box::new(m20261121_000003_trace::Migration),
            Box::new(m20261121_000004_payload::Migration),
            Box::new(m20261121_000005_trace_state::Migration),
            Box::new(m20261121_000006_access::Migration),
            Box::new(m20261121_000007_audit::Migration),
            Box::new(m20261121_000008_evidence::Migration),
            Box::new(m20261121_000009_ledger::Migration),
            Box::new(m20261121_000020_telemetry::Migration),
            Box::new(m20261130_000030_idempotency::Migration),
        ]
    }
}
