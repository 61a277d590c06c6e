//! One idempotency key is one request, whatever the mutation: the key itself is what is unique. Hashes of requests were
//! plain digests of text that changed with the code; they go, and what stands under such a key answers any request of its
//! mutation, so that a retry across the update is neither refused nor recorded twice.

use sea_orm_migration::prelude::*;

use crate::dialect::{drop_tables, run};

#[derive(DeriveMigrationName)]
pub struct Migration;

const UP: &[&str] = &[
    "CREATE TABLE idempotency_before AS SELECT * FROM idempotency",
    "DROP TABLE idempotency",
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
    "INSERT INTO idempotency (tenant_id, space, idempotency_key, operation, answer, created_at)
        SELECT tenant_id,
            CASE WHEN operation = 'appendAuditEntries/access' THEN 'callers/access'
                WHEN operation IN ('recordLlmRun', 'recordTrace', 'startTrace', 'recordSteps', 'completeTrace', 'abortTrace',
                    'recordSystemRecords', 'appendAuditEntries', 'recordPolicyActivation', 'recordIncidentEvidence')
                THEN 'callers' ELSE operation END,
            idempotency_key,
            CASE operation WHEN 'appendAuditEntries/access' THEN 'appendAuditEntries' ELSE operation END,
            answer, created_at
        FROM idempotency_before WHERE true ORDER BY created_at ON CONFLICT DO NOTHING",
    "DROP TABLE idempotency_before",
    // forget_idempotency_keys, across tenants.
    "CREATE INDEX idempotency_created ON idempotency (created_at)",
];

const DOWN: &[&str] = &[
    "CREATE TABLE idempotency (
        tenant_id {text} NOT NULL,
        operation {text} NOT NULL,
        idempotency_key {text} NOT NULL,
        request_hash {bytes} NOT NULL CHECK (length(request_hash) = 32),
        answer {text} NOT NULL,
        created_at {int} NOT NULL,
        PRIMARY KEY (tenant_id, operation, idempotency_key)
    ) {clustered}",
    "CREATE INDEX idempotency_created ON idempotency (created_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in UP {
            run(manager, statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["idempotency"]).await?;
        for statement in DOWN {
            run(manager, statement).await?;
        }
        Ok(())
    }
}
