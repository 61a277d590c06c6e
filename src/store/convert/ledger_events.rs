//! Rows of `ledger_event`.

use sea_orm::Value;

use super::{Columns, head_values, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::TenantId;
use crate::domain::ledger::LedgerEvent;
use crate::domain::run::Stored;
use crate::domain::vocabulary::{ActorType, LedgerEventKind};
use crate::error::Result;

/// Reads a row of `ledger_event`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_ledger_event(
    columns: &mut Columns<'_>,
    tenant: &TenantId,
) -> Result<Stored<LedgerEvent>> {
    let head = columns.head(tenant)?;
    Ok(head.of(LedgerEvent {
        kind: columns.word(LedgerEventKind::parse)?,
        subject: columns.take()?,
        reason: columns.text()?,
        detail: columns.take()?,
        actor_type: columns.word(ActorType::parse)?,
        actor_id: columns.text()?,
    }))
}

/// Writes a row of `ledger_event`.
pub(in crate::store) fn encode_ledger_event(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    record: &LedgerEvent,
) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(record.kind.as_str()),
        text_value(&record.subject),
        optional_text_value(record.reason.as_deref()),
        text_value(&record.detail),
        text_value(record.actor_type.as_str()),
        optional_text_value(record.actor_id.as_deref()),
    ]);
}
