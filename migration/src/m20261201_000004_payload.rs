//! Payload parts, apart from their records, as the very text that was hashed.

use sea_orm_migration::prelude::*;

use crate::dialect::{drop_erase_only_function, drop_tables, guard_payloads, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // payloads_by_record_id uses the primary key. Texts are too large for SQLite's index trees: rowid.
        run(
            manager,
            "CREATE TABLE payload (
                tenant_id {text} NOT NULL,
                record_id {uuid} NOT NULL,
                part {text} NOT NULL,
                text {text} NOT NULL,
                salt {bytes} NOT NULL CHECK (length(salt) = 32),
                PRIMARY KEY (tenant_id, record_id, part)
            ) {table}",
        )
        .await?;
        guard_payloads(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["payload"]).await?;
        drop_erase_only_function(manager).await
    }
}
