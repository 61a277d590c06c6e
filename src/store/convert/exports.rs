//! Rows of `log_export`.

use sea_orm::Value;

use super::{Columns, digest_value, head_values, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::export::LogExport;
use crate::domain::ids::{RunId, TenantId};
use crate::domain::run::Stored;
use crate::domain::vocabulary::{ExportFormat, ExportScope, ExportStatus, Origin};
use crate::error::Result;

/// Reads a row of `log_export`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_log_export(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Stored<LogExport>> {
    let head = columns.head(tenant)?;
    Ok(head.of(LogExport {
        scope: columns.word(ExportScope::parse)?,
        run_id: columns.take::<Option<&str>>()?.map(RunId::trusted),
        incident_id: columns.text()?,
        format: columns.word(ExportFormat::parse)?,
        filter: columns.take()?,
        requested_by: columns.take()?,
        origin: columns.word(Origin::parse)?,
        source_component: columns.take()?,
        correlation_id: columns.text()?,
        record_count: columns.take()?,
        byte_count: columns.take()?,
        checksum: columns.optional_digest()?,
        checkpoint_sizes: columns.take()?,
        manifest_hash: columns.optional_digest()?,
        status: columns.word(ExportStatus::parse)?,
    }))
}

/// Writes a row of `log_export`.
pub(in crate::store) fn encode_log_export(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    record: &LogExport,
) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(record.scope.as_str()),
        optional_text_value(record.run_id.as_ref().map(RunId::as_str)),
        optional_text_value(record.incident_id.as_deref()),
        text_value(record.format.as_str()),
        text_value(&record.filter),
        text_value(&record.requested_by),
        text_value(record.origin.as_str()),
        text_value(&record.source_component),
        optional_text_value(record.correlation_id.as_deref()),
        record.record_count.into(),
        record.byte_count.into(),
        digest_value(record.checksum),
        text_value(&record.checkpoint_sizes),
        digest_value(record.manifest_hash),
        text_value(record.status.as_str()),
    ]);
}
