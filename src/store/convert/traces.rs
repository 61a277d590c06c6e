//! Traces with their seals.

use super::{Columns, decode};
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::record::Record;
use crate::domain::trace::{TraceSeal, TraceView};
use crate::error::Result;

/// Reads a row of `trace`, the columns of its newest `trace_seal` or nulls, and its number of steps.
pub(in crate::store) fn decode_view(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<TraceView> {
    let trace = decode(columns, tenant)?;
    let step_count = columns.take::<Option<i64>>()?.unwrap_or(0);
    columns.skip(1);
    let seal = match columns.take::<Option<uuid::Uuid>>()? {
        Some(id) => {
            let head = columns.head_behind_id(RecordId(id), tenant.clone())?;
            Some(head.of(TraceSeal::read(columns)?))
        }
        None => None,
    };
    Ok(TraceView { trace, seal, step_count })
}
