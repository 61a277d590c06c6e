//! Rows of `system_record`.

use sea_orm::Value;

use super::{Columns, Head, digest_value, head_values, instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::TenantId;
use crate::domain::run::Stored;
use crate::domain::system::SystemRecord;
use crate::domain::vocabulary::{ActorType, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity};
use crate::error::Result;

/// Reads a row of `system_record`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_system_record(
    columns: &mut Columns<'_>,
    tenant: &TenantId,
) -> Result<Stored<SystemRecord>> {
    let head = columns.head(tenant)?;
    decode_behind(head, columns)
}

fn decode_behind(head: Head, columns: &mut Columns<'_>) -> Result<Stored<SystemRecord>> {
    Ok(head.of(SystemRecord {
        component: columns.word(SystemComponent::parse)?,
        event_type: columns.word(SystemEventType::parse)?,
        severity: columns.word(SystemSeverity::parse)?,
        summary: columns.take()?,
        caused_by: columns.optional_word(SystemCausedBy::parse)?,
        actor_type: columns.optional_word(ActorType::parse)?,
        actor_id: columns.text()?,
        correlation_id: columns.text()?,
        service_name: columns.text()?,
        service_instance_id: columns.text()?,
        source_component: columns.take()?,
        occurred_at: columns.instant()?,
        details_commitment: columns.optional_digest()?,
    }))
}

/// Writes a row of `system_record`.
pub(in crate::store) fn encode_system_record(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    record: &SystemRecord,
) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(record.component.as_str()),
        text_value(record.event_type.as_str()),
        text_value(record.severity.as_str()),
        text_value(&record.summary),
        optional_text_value(record.caused_by.map(SystemCausedBy::as_str)),
        optional_text_value(record.actor_type.map(ActorType::as_str)),
        optional_text_value(record.actor_id.as_deref()),
        optional_text_value(record.correlation_id.as_deref()),
        optional_text_value(record.service_name.as_deref()),
        optional_text_value(record.service_instance_id.as_deref()),
        text_value(&record.source_component),
        instant_value(record.occurred_at),
        digest_value(record.details_commitment),
    ]);
}
