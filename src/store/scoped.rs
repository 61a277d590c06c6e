//! The one start of every read: a tenant's rows of a table.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select, Statement, Value};

use super::database::Database;
pub(super) use super::keytable::{any_id, any_number, any_text};
use crate::domain::ids::TenantId;
use crate::entity;

/// A table whose rows belong to tenants.
pub(super) trait Tenanted: EntityTrait {
    /// The column that says to which.
    const TENANT: Self::Column;
}

macro_rules! tenanted {
    ($($table:ident),+) => { $(
        impl Tenanted for entity::$table::Entity {
            const TENANT: entity::$table::Column = entity::$table::Column::TenantId;
        }
    )+ };
}

tenanted!(
    api_key,
    audit_entry,
    idempotency,
    incident_evidence,
    ledger_anomaly,
    ledger_entry,
    ledger_event,
    ledger_log,
    ledger_verification,
    ledger_watch,
    llm_run,
    log_export,
    metric_series,
    payload,
    policy_activation,
    principal,
    span_content,
    system_record,
    tenant_secret,
    trace,
    trace_seal,
    trace_state,
    trace_step
);

/// A tenant's rows of a table.
pub(super) fn scoped<E: Tenanted>(tenant: &TenantId) -> Select<E> {
    E::find().filter(E::TENANT.eq(tenant.as_str()))
}

/// The same for statements that SeaORM cannot write: the tenant is `$1`, `values` follow.
pub(super) fn scoped_statement(
    db: &Database,
    tenant: &TenantId,
    sql: String,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    debug_assert!(sql.contains("tenant_id = $1"), "every read starts from its tenant: {sql}");
    db.statement(sql, std::iter::once(tenant.as_str().into()).chain(values))
}

/// The statements that look at every tenant. They are operational, few, and lock nothing; where one reads several tables,
/// each is joined by its tenant. Everything else is of one tenant.
#[derive(Clone, Copy, Debug)]
pub(super) enum EveryTenant {
    /// Which traces are due, for the sealer.
    DueTraces,
    /// When the next one is.
    NextDue,
    /// Which logs a signer has to sign.
    UnsignedLogs,
    /// The newest checkpoints, for the log of logs.
    NewestCheckpoints,
    /// Where each log stands: when a key begins or ceases to sign, and beside what the log of logs has noted.
    LogSizes,
    /// The logs that a verification of the whole database goes through.
    LogHeads,
    /// Tenants and logs that have rows and no head.
    Strays,
    /// How the logs stand, for those who watch the server.
    Vitals,
    /// Idempotency keys that are to be forgotten.
    OldIdempotencyKeys,
    /// Whose metrics and digests are to be cleaned.
    TenantsOfTelemetry,
}

/// A statement over every tenant: it says so, and which it is.
pub(super) fn every_tenant(
    db: &Database,
    what: EveryTenant,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    db.statement(format!("/* every tenant: {what:?} */ {sql}"), values)
}
