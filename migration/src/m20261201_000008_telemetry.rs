//! What OTLP metrics and log events leave behind beside the ledger: operational, kept for a while, never evidence.

use sea_orm_migration::prelude::*;

use crate::dialect::{drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // One row a series. An absent instance is the empty text, so that the index finds it like any other.
    "CREATE TABLE metric_series (
        tenant_id {text} NOT NULL,
        series_id {uuid} NOT NULL,
        service_name {text} NOT NULL,
        service_instance_id {text} NOT NULL,
        name {text} NOT NULL,
        unit {text} NOT NULL,
        kind {text} NOT NULL,
        is_monotonic {bool} NOT NULL,
        temporality {text},
        scope {text} NOT NULL,
        attributes {text} NOT NULL,
        last_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, series_id)
    ) {clustered}",
    // series_of_runs: the series of a resource in the order in which they are shown.
    "CREATE INDEX metric_series_resource ON metric_series (tenant_id, service_name, service_instance_id, name, series_id)",
    // One row a sample; points_of_series reads a range of the key.
    "CREATE TABLE metric_point (
        tenant_id {text} NOT NULL,
        series_id {uuid} NOT NULL,
        at {int} NOT NULL,
        start_at {int},
        value {text} NOT NULL,
        PRIMARY KEY (tenant_id, series_id, at)
    ) {clustered}",
    // drop_old_telemetry.
    "CREATE INDEX metric_point_age ON metric_point (tenant_id, at)",
    // Digests of content that came as log events, until their step or run takes them.
    "CREATE TABLE span_content (
        tenant_id {text} NOT NULL,
        trace_id {text} NOT NULL,
        span_id {text} NOT NULL,
        side {text} NOT NULL,
        rank {int} NOT NULL,
        at {int} NOT NULL,
        digest {bytes} NOT NULL CHECK (length(digest) = 32),
        received_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, trace_id, span_id, side, rank, at, digest)
    ) {clustered}",
    // drop_old_telemetry, and has_span_contents.
    "CREATE INDEX span_content_age ON span_content (tenant_id, received_at)",
];

const NAMES: &[&str] = &["span_content", "metric_point", "metric_series"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            run(manager, statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, NAMES).await
    }
}
