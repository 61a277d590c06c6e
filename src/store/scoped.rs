//! The one start of every read: a tenant's rows of a table.

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, Select, Statement, Value};

use super::database::Database;
use crate::domain::ids::{PLATFORM_TENANT, RecordId, TenantId};
use crate::entity;
use crate::error::{Error, Result};

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

/// A tenant's rows of a table and the platform's, which every tenant sees.
pub(super) fn scoped_visible<E: Tenanted>(tenant: &TenantId) -> Select<E> {
    E::find().filter(E::TENANT.is_in([tenant.as_str(), PLATFORM_TENANT]))
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

/// Distinct keys as one value, so that one prepared statement serves any number of them: an array on PostgreSQL, a JSON
/// array on SQLite.
pub(super) fn text_keys<'k>(backend: DbBackend, keys: impl IntoIterator<Item = &'k str>) -> Result<Value> {
    let mut keys = possible(keys);
    keys.sort_unstable();
    keys.dedup();
    if backend == DbBackend::Postgres {
        return Ok(Value::Array(ArrayType::String, Some(Box::new(keys.into_iter().map(Value::from).collect()))));
    }
    Ok(serde_json::to_string(&keys).map_err(Error::internal)?.into())
}

/// Rows whose column has any of these texts; none has any of no texts. A single one is compared by `=`, which lets
/// SQLite keep an index's order.
pub(super) fn any_text<'k>(
    backend: DbBackend,
    column: impl Into<SimpleExpr>,
    keys: impl IntoIterator<Item = &'k str>,
) -> Result<SimpleExpr> {
    let keys = possible(keys);
    match keys.as_slice() {
        [] => Ok(nothing()),
        [key] => Ok(column.into().eq(*key)),
        _ => Ok(any(backend, column.into(), text_keys(backend, keys)?, "value")),
    }
}

/// Rows whose column has any of these numbers.
pub(super) fn any_number(backend: DbBackend, column: impl Into<SimpleExpr>, keys: &[i64]) -> Result<SimpleExpr> {
    let value = match (keys, backend) {
        ([], _) => return Ok(nothing()),
        (_, DbBackend::Postgres) => {
            Value::Array(ArrayType::BigInt, Some(Box::new(keys.iter().map(|key| (*key).into()).collect())))
        }
        _ => serde_json::to_string(keys).map_err(Error::internal)?.into(),
    };
    Ok(any(backend, column.into(), value, "value"))
}

/// Rows whose column has any of these record ids.
pub(super) fn any_id(backend: DbBackend, column: impl Into<SimpleExpr>, ids: &[RecordId]) -> Result<SimpleExpr> {
    Ok(any(backend, column.into(), id_keys(backend, ids)?, "unhex(value)"))
}

/// Record ids as one value, as [`text_keys`].
pub(super) fn id_keys(backend: DbBackend, ids: &[RecordId]) -> Result<Value> {
    if backend == DbBackend::Postgres {
        return Ok(Value::Array(ArrayType::Uuid, Some(Box::new(ids.iter().map(|id| id.0.into()).collect()))));
    }
    let hex: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
    Ok(serde_json::to_string(&hex).map_err(Error::internal)?.into())
}

/// Keys that a row can have. One with U+0000 is on no row; PostgreSQL would refuse it, SQLite find nothing.
fn possible<'k>(keys: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    keys.into_iter().filter(|key| !key.contains('\0')).collect()
}

fn any(backend: DbBackend, column: SimpleExpr, keys: Value, of_json: &str) -> SimpleExpr {
    if backend == DbBackend::Postgres {
        return column.eq(PgFunc::any(Expr::val(keys)));
    }
    Expr::cust_with_exprs(format!("? IN (SELECT {of_json} FROM json_each(?))"), [column, Expr::val(keys)])
}

fn nothing() -> SimpleExpr {
    Expr::cust("FALSE")
}
