//! Steps.

use sea_orm::Value;

use super::{Columns, digest_value, head_values, instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::{TenantId, TraceId};
use crate::domain::replay::ReplayStep;
use crate::domain::trace::{StoredStep, TraceStep};
use crate::domain::vocabulary::{OutcomeCategory, StepKind, StepStatus};
use crate::error::Result;

/// Reads a row of `trace_step`. Steps come trace by trace: one that follows another of its trace shares its name.
pub(in crate::store) fn decode_step(
    columns: &mut Columns<'_>,
    tenant: &TenantId,
    latest_trace: &mut Option<TraceId>,
) -> Result<StoredStep> {
    let head = columns.head(tenant)?;
    let name = columns.take::<&str>()?;
    let trace_id = match latest_trace {
        Some(latest) if latest.as_str() == name => latest.clone(),
        _ => latest_trace.insert(TraceId::trusted(name)).clone(),
    };
    let step_index = columns.take()?;
    let is_late = columns.take()?;
    let record = TraceStep {
        trace_id,
        caller_index: columns.take()?,
        span_id: columns.take()?,
        parent_span_id: columns.text()?,
        attempt: columns.take()?,
        kind: columns.word(StepKind::parse)?,
        skill_name: columns.take()?,
        status: columns.word(StepStatus::parse)?,
        outcome_category: columns.word(OutcomeCategory::parse)?,
        outcome_code: columns.text()?,
        provider: columns.text()?,
        model: columns.text()?,
        response_id: columns.text()?,
        input_tokens: columns.take()?,
        output_tokens: columns.take()?,
        cost_micros: columns.take()?,
        started_at: columns.instant()?,
        duration_us: columns.take()?,
        input_hash: columns.optional_digest()?,
        output_hash: columns.optional_digest()?,
        idempotency_key: columns.text()?,
        duplicate_of: columns.text()?,
        attributes_commitment: columns.optional_digest()?,
        content_commitment: columns.optional_digest()?,
    };
    Ok(StoredStep { step_index, is_late, step: head.of(record) })
}

/// Reads what a replay tells of a step: `id, step_index, skill_name, status, started_at, duration_us`.
pub(in crate::store) fn decode_replay_step(columns: &mut Columns<'_>) -> Result<ReplayStep> {
    Ok(ReplayStep {
        id: columns.id()?,
        step_index: columns.take()?,
        skill_name: columns.take()?,
        status: columns.word(StepStatus::parse)?,
        started_at: columns.instant()?,
        duration_us: columns.take()?,
    })
}

/// Writes a row of `trace_step`.
pub(in crate::store) fn encode_step(row: &mut Vec<Value>, tenant: &TenantId, assigned: &Appended, step: &TraceStep) {
    let text = |text: &Option<String>| optional_text_value(text.as_deref());
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(step.trace_id.as_str()),
        assigned.step_index.into(),
        assigned.is_late.into(),
        step.caller_index.into(),
        text_value(&step.span_id),
        text(&step.parent_span_id),
        step.attempt.into(),
        text_value(step.kind.as_str()),
        text_value(&step.skill_name),
        text_value(step.status.as_str()),
        text_value(step.outcome_category.as_str()),
        text(&step.outcome_code),
        text(&step.provider),
        text(&step.model),
        text(&step.response_id),
        step.input_tokens.into(),
        step.output_tokens.into(),
        step.cost_micros.into(),
        instant_value(step.started_at),
        step.duration_us.into(),
        digest_value(step.input_hash),
        digest_value(step.output_hash),
        text(&step.idempotency_key),
        text(&step.duplicate_of),
        digest_value(step.attributes_commitment),
        digest_value(step.content_commitment),
    ]);
}
