//! Traces and seals.

use sea_orm::Value;

use super::{Columns, Head, digest_value, head_values, instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::{Digest, RecordId, RunId, TenantId, TraceId};
use crate::domain::run::Stored;
use crate::domain::trace::{Trace, TraceSeal, TraceView};
use crate::domain::vocabulary::ExecutionStatus;
use crate::error::Result;

/// Reads a row of `trace`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_trace(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Stored<Trace>> {
    let head = columns.head(tenant)?;
    Ok(head.of(Trace {
        trace_id: TraceId::trusted(columns.take::<&str>()?),
        run_id: RunId::trusted(columns.take::<&str>()?),
        agent_id: columns.text()?,
        parent_run_id: columns.text()?,
        correlation_id: columns.text()?,
        plan_hash: columns.text()?,
        seed: columns.take()?,
        frozen_at: columns.optional_instant()?,
        schema_version: columns.take()?,
        replay_mode: columns.text()?,
        is_synthetic: columns.take()?,
        synthetic_scenario_id: columns.text()?,
        service_name: columns.text()?,
        service_instance_id: columns.text()?,
        service_version: columns.text()?,
        environment: columns.text()?,
        started_at: columns.instant()?,
        plan_commitment: columns.optional_digest()?,
    }))
}

/// Writes a row of `trace`.
pub(in crate::store) fn encode_trace(row: &mut Vec<Value>, tenant: &TenantId, assigned: &Appended, trace: &Trace) {
    let text = |text: &Option<String>| optional_text_value(text.as_deref());
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(trace.trace_id.as_str()),
        text_value(trace.run_id.as_str()),
        text(&trace.agent_id),
        text(&trace.parent_run_id),
        text(&trace.correlation_id),
        text(&trace.plan_hash),
        trace.seed.into(),
        Value::BigInt(trace.frozen_at.map(|instant| instant.as_micros())),
        text_value(&trace.schema_version),
        text(&trace.replay_mode),
        trace.is_synthetic.into(),
        text(&trace.synthetic_scenario_id),
        text(&trace.service_name),
        text(&trace.service_instance_id),
        text(&trace.service_version),
        text(&trace.environment),
        instant_value(trace.started_at),
        digest_value(trace.plan_commitment),
    ]);
}

/// Reads a row of `trace_seal`.
pub(in crate::store) fn decode_seal(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Stored<TraceSeal>> {
    let head = columns.head(tenant)?;
    decode_seal_behind(head, columns)
}

fn decode_seal_behind(head: Head, columns: &mut Columns<'_>) -> Result<Stored<TraceSeal>> {
    Ok(head.of(TraceSeal {
        trace_id: TraceId::trusted(columns.take::<&str>()?),
        revision: columns.take()?,
        status: columns.word(ExecutionStatus::parse)?,
        reason: columns.text()?,
        step_count: columns.take()?,
        root_hash: columns.digest()?,
        ended_at: columns.instant()?,
        metadata_commitment: columns.optional_digest()?,
    }))
}

/// Writes a row of `trace_seal`.
pub(in crate::store) fn encode_seal(row: &mut Vec<Value>, tenant: &TenantId, assigned: &Appended, seal: &TraceSeal) {
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(seal.trace_id.as_str()),
        seal.revision.into(),
        text_value(seal.status.as_str()),
        optional_text_value(seal.reason.as_deref()),
        seal.step_count.into(),
        digest_value(Some::<Digest>(seal.root_hash)),
        instant_value(seal.ended_at),
        digest_value(seal.metadata_commitment),
    ]);
}

/// Reads a row of `trace`, the columns of its newest `trace_seal` or nulls, and its number of steps.
pub(in crate::store) fn decode_view(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<TraceView> {
    let trace = decode_trace(columns, tenant)?;
    let step_count = columns.take::<Option<i64>>()?.unwrap_or(0);
    columns.skip(1);
    let seal = match columns.take::<Option<uuid::Uuid>>()? {
        Some(id) => {
            let head = columns.head_behind_id(RecordId(id), tenant.clone())?;
            Some(decode_seal_behind(head, columns)?)
        }
        None => None,
    };
    Ok(TraceView { trace, seal, step_count })
}
