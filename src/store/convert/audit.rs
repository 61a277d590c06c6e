//! Rows of `audit_entry`.

use sea_orm::Value;

use super::{Columns, digest_value, head_values, instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{RunId, TenantId};
use crate::domain::run::Stored;
use crate::domain::vocabulary::{ActorType, AuditAction, AuditCategory, AuditEntityType, Verdict};
use crate::error::Result;

/// Reads a row of `audit_entry`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_audit_entry(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Stored<AuditEntry>> {
    let head = columns.head(tenant)?;
    Ok(head.of(AuditEntry {
        category: columns.word(AuditCategory::parse)?,
        event_type: columns.take()?,
        entity_type: columns.word(AuditEntityType::parse)?,
        entity_id: columns.take()?,
        actor_type: columns.word(ActorType::parse)?,
        actor_id: columns.text()?,
        verdict: columns.optional_word(Verdict::parse)?,
        action: columns.optional_word(AuditAction::parse)?,
        policy_id: columns.text()?,
        rule_id: columns.text()?,
        run_id: columns.take::<Option<&str>>()?.map(RunId::trusted),
        correlation_id: columns.text()?,
        source_component: columns.take()?,
        occurred_at: columns.instant()?,
        action_reason_commitment: columns.optional_digest()?,
        before_state_commitment: columns.optional_digest()?,
        after_state_commitment: columns.optional_digest()?,
    }))
}

/// Writes a row of `audit_entry`.
pub(in crate::store) fn encode_audit_entry(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    record: &AuditEntry,
) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(record.category.as_str()),
        text_value(&record.event_type),
        text_value(record.entity_type.as_str()),
        text_value(&record.entity_id),
        text_value(record.actor_type.as_str()),
        optional_text_value(record.actor_id.as_deref()),
        optional_text_value(record.verdict.map(Verdict::as_str)),
        optional_text_value(record.action.map(AuditAction::as_str)),
        optional_text_value(record.policy_id.as_deref()),
        optional_text_value(record.rule_id.as_deref()),
        optional_text_value(record.run_id.as_ref().map(RunId::as_str)),
        optional_text_value(record.correlation_id.as_deref()),
        text_value(&record.source_component),
        instant_value(record.occurred_at),
        digest_value(record.action_reason_commitment),
        digest_value(record.before_state_commitment),
        digest_value(record.after_state_commitment),
    ]);
}
