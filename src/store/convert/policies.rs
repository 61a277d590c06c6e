//! Rows of `policy_activation`.

use sea_orm::Value;

use super::{Columns, head_values, instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::TenantId;
use crate::domain::policy::PolicyActivation;
use crate::domain::run::Stored;
use crate::domain::vocabulary::ActorType;
use crate::error::Result;

/// Reads a row of `policy_activation`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_policy_activation(
    columns: &mut Columns<'_>,
    tenant: &TenantId,
) -> Result<Stored<PolicyActivation>> {
    let head = columns.head(tenant)?;
    Ok(head.of(PolicyActivation {
        policy_id: columns.take()?,
        source_pattern_id: columns.take()?,
        source_recovery_id: columns.text()?,
        confidence_ppm: columns.take()?,
        confidence_version: columns.take()?,
        approval_path: columns.take()?,
        loop_trace_id: columns.text()?,
        actor_type: columns.optional_word(ActorType::parse)?,
        actor_id: columns.text()?,
        source_component: columns.take()?,
        activated_at: columns.instant()?,
    }))
}

/// Writes a row of `policy_activation`.
pub(in crate::store) fn encode_policy_activation(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    record: &PolicyActivation,
) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(&record.policy_id),
        text_value(&record.source_pattern_id),
        optional_text_value(record.source_recovery_id.as_deref()),
        record.confidence_ppm.into(),
        text_value(&record.confidence_version),
        text_value(&record.approval_path),
        optional_text_value(record.loop_trace_id.as_deref()),
        optional_text_value(record.actor_type.map(ActorType::as_str)),
        optional_text_value(record.actor_id.as_deref()),
        text_value(&record.source_component),
        instant_value(record.activated_at),
    ]);
}
