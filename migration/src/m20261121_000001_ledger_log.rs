//! The logs: one row each, whose `size` is the next `seq`, with the root of its tree and the right edge that the next
//! entries are appended to. Locked first by every write. Mutable: what it says is proven by the entries.

use sea_orm_migration::prelude::*;

use crate::dialect::{create_append_only_function, drop_append_only_function, drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_append_only_function(manager).await?;
        run(
            manager,
            "CREATE TABLE ledger_log (
                log_id {uuid} NOT NULL PRIMARY KEY,
                tenant_id {text} NOT NULL,
                stream {text} NOT NULL,
                origin {text} NOT NULL UNIQUE,
                size {int} NOT NULL CHECK (size >= 0),
                root {bytes} NOT NULL CHECK (length(root) = 32),
                edge {bytes} NOT NULL CHECK (length(edge) <= 2048),
                updated_at {int} NOT NULL,
                UNIQUE (tenant_id, stream)
            ) {clustered}",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["ledger_log"]).await?;
        drop_append_only_function(manager).await
    }
}
