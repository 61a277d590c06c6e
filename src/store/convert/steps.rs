//! Steps.

use sea_orm::Value;

use super::Columns;
use crate::domain::append::Appended;
use crate::domain::ids::TenantId;
use crate::domain::record::Record;
use crate::domain::replay::ReplayStep;
use crate::domain::trace::{StoredStep, TraceStep};
use crate::error::Result;

/// Reads a row of `trace_step`, with what the ledger assigned.
pub(in crate::store) fn decode_step(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<StoredStep> {
    let head = columns.head(tenant)?;
    let (step_index, is_late) = (columns.take()?, columns.take()?);
    Ok(StoredStep { step_index, is_late, step: head.of(TraceStep::read(columns)?) })
}

/// What the ledger assigned to a step, in the order of the columns.
pub(in crate::store) fn assigned_to_step(appended: &Appended) -> [Value; 2] {
    [appended.step_index.into(), appended.is_late.into()]
}

/// Reads what a replay tells of a step: `id, step_index, skill_name, status, started_at, duration_us`.
pub(in crate::store) fn decode_replay_step(columns: &mut Columns<'_>) -> Result<ReplayStep> {
    Ok(ReplayStep {
        id: columns.id()?,
        step_index: columns.take()?,
        skill_name: columns.take()?,
        status: columns.field()?,
        started_at: columns.field()?,
        duration_us: columns.take()?,
    })
}
