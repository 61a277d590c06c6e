//! Rows of `incident_evidence`.

use sea_orm::Value;

use super::{Columns, head_values, instant_value, optional_instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::{RunId, TenantId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::run::Stored;
use crate::domain::vocabulary::IncidentSeverity;
use crate::error::Result;

/// Reads a row of `incident_evidence`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_incident_evidence(
    columns: &mut Columns<'_>,
    tenant: &TenantId,
) -> Result<Stored<IncidentEvidence>> {
    let head = columns.head(tenant)?;
    Ok(head.of(IncidentEvidence {
        incident_id: columns.take()?,
        revision: columns.take()?,
        severity: columns.word(IncidentSeverity::parse)?,
        status: columns.take()?,
        title: columns.take()?,
        source_run_id: columns.take::<Option<&str>>()?.map(RunId::trusted),
        policy_id: columns.text()?,
        violation_type: columns.text()?,
        violation_at: columns.optional_instant()?,
        violation_step_index: columns.take()?,
        threshold: columns.text()?,
        actual: columns.text()?,
        inflection_at: columns.optional_instant()?,
        inflection_step_index: columns.take()?,
        opened_at: columns.instant()?,
        resolved_at: columns.optional_instant()?,
        correlation_id: columns.text()?,
        source_component: columns.take()?,
    }))
}

/// Writes a row of `incident_evidence`.
pub(in crate::store) fn encode_incident_evidence(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    record: &IncidentEvidence,
) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(&record.incident_id),
        record.revision.into(),
        text_value(record.severity.as_str()),
        text_value(&record.status),
        text_value(&record.title),
        optional_text_value(record.source_run_id.as_ref().map(RunId::as_str)),
        optional_text_value(record.policy_id.as_deref()),
        optional_text_value(record.violation_type.as_deref()),
        optional_instant_value(record.violation_at),
        record.violation_step_index.into(),
        optional_text_value(record.threshold.as_deref()),
        optional_text_value(record.actual.as_deref()),
        optional_instant_value(record.inflection_at),
        record.inflection_step_index.into(),
        instant_value(record.opened_at),
        optional_instant_value(record.resolved_at),
        optional_text_value(record.correlation_id.as_deref()),
        text_value(&record.source_component),
    ]);
}
