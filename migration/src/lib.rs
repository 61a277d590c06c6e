//! The schema, change by change: one file a noun, up and down, on both databases.
//!
//! A table is written once, in the `dialect` that both databases share, so that neither can drift from the other:
//! instants are microseconds and money is micro-dollars in 64-bit integers, record ids are UUIDs (BLOBs on SQLite),
//! digests are bytes, vocabularies are text, and text compares bytewise.
//!
//! `tenant_id` is the first column of every table, key and unique index, so that a tenant's rows can live together on one
//! node of a cluster. The few tables without a tenant are [`REFERENCE_TABLES`], which every node has whole.

pub use sea_orm_migration::{MigrationStatus, MigratorTrait};

use sea_orm_migration::prelude::*;

mod dialect;
mod m20261201_000001_ledger;
mod m20261201_000002_llm_run;
mod m20261201_000003_trace;
mod m20261201_000004_payload;
mod m20261201_000005_audit;
mod m20261201_000006_evidence;
mod m20261201_000007_access;
mod m20261201_000008_telemetry;

/// Tables of all tenants together: small, and read without a tenant, or to find one.
pub const REFERENCE_TABLES: &[&str] = &["api_key", "ledger_duty", "ledger_key"];

/// A change that is applied, or taken back, whole. Left to itself SQLite would commit each of its statements alone, and a
/// process that is killed between two of them would leave what leads neither forward nor back.
struct Whole(Box<dyn MigrationTrait>);

impl Whole {
    fn boxed(change: Box<dyn MigrationTrait>) -> Box<dyn MigrationTrait> {
        Box::new(Self(change))
    }
}

impl MigrationName for Whole {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Whole {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Every change, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let changes: Vec<Box<dyn MigrationTrait>> = vec![
            Box::new(m20261201_000001_ledger::Migration),
            Box::new(m20261201_000002_llm_run::Migration),
            Box::new(m20261201_000003_trace::Migration),
            Box::new(m20261201_000004_payload::Migration),
            Box::new(m20261201_000005_audit::Migration),
            Box::new(m20261201_000006_evidence::Migration),
            Box::new(m20261201_000007_access::Migration),
            Box::new(m20261201_000008_telemetry::Migration),
        ];
        changes.into_iter().map(Whole::boxed).collect()
    }
}
