//! API keys, principals, tenants' content keys and idempotency keys: operational, mutable.

use sea_orm_migration::prelude::*;

use crate::dialect::{drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const STATEMENTS: &[&str] = &[
    // Found by its public half alone, for this is how a tenant is found: a reference table.
    "CREATE TABLE api_key (
        key_id {text} NOT NULL PRIMARY KEY,
        tenant_id {text} NOT NULL,
        name {text},
        permissions {text} NOT NULL,
        secret_hash {bytes} NOT NULL CHECK (length(secret_hash) = 32),
        created_at {int} NOT NULL,
        expires_at {int},
        revoked_at {int}
    ) {clustered}",
    // list_api_keys.
    "CREATE INDEX api_key_tenant ON api_key (tenant_id, created_at, key_id)",
    // Outside evidence: destroying a content key makes the tenant's digests unlinkable.
    "CREATE TABLE tenant_secret (
        tenant_id {text} NOT NULL PRIMARY KEY,
        content_key {bytes} NOT NULL CHECK (length(content_key) = 32),
        created_at {int} NOT NULL
    ) {clustered}",
    // Append looks a key up by the primary key. Callers' keys share one `space`, whatever the mutation; a request that writes
    // to both logs of its tenant has a row in a space for each, because these are two transactions. `existing` names the
    // records of the request that had been there before it, as JSON.
    "CREATE TABLE idempotency (
        tenant_id {text} NOT NULL,
        space {text} NOT NULL,
        idempotency_key {text} NOT NULL,
        operation {text} NOT NULL,
        request_hash {bytes} CHECK (length(request_hash) = 32),
        answer {text} NOT NULL,
        existing {text},
        created_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, space, idempotency_key)
    ) {clustered}",
    // forget_idempotency_keys, across tenants.
    "CREATE INDEX idempotency_created ON idempotency (created_at)",
    // Each actor is recorded once, when it is first seen.
    "CREATE TABLE principal (
        tenant_id {text} NOT NULL,
        actor_type {text} NOT NULL,
        actor_id {text} NOT NULL,
        first_seen_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, actor_type, actor_id)
    ) {clustered}",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            run(manager, statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["principal", "idempotency", "tenant_secret", "api_key"]).await
    }
}
