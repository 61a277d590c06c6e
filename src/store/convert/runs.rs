//! Runs.

use sea_orm::Value;

use super::{Columns, digest_value, head_values, instant_value, optional_text_value, text_value};
use crate::domain::append::Appended;
use crate::domain::ids::{RunId, TenantId, TraceId};
use crate::domain::run::{LlmRun, Stored};
use crate::domain::vocabulary::{ActorType, ExecutionStatus, RecordSource};
use crate::error::{Error, Result};

/// Reads a row of `llm_run`; the tenant is the one that the query was scoped to.
pub(in crate::store) fn decode_run(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Stored<LlmRun>> {
    let head = columns.head(tenant)?;
    Ok(head.of(LlmRun {
        run_id: RunId::trusted(columns.take::<&str>()?),
        revision: columns.take()?,
        trace_id: columns.take::<Option<&str>>()?.map(TraceId::trusted),
        name: columns.text()?,
        agent_id: columns.text()?,
        session_id: columns.text()?,
        end_user_id: columns.text()?,
        tags: decode_tags(columns)?,
        provider: columns.take()?,
        model: columns.take()?,
        operation: columns.text()?,
        service_name: columns.text()?,
        service_instance_id: columns.text()?,
        service_version: columns.text()?,
        environment: columns.text()?,
        prompt_hash: columns.optional_digest()?,
        response_hash: columns.optional_digest()?,
        input_tokens: columns.take()?,
        output_tokens: columns.take()?,
        cached_input_tokens: columns.take()?,
        reasoning_tokens: columns.take()?,
        time_to_first_token_us: columns.take()?,
        finish_reason: columns.text()?,
        cost_micros: columns.take()?,
        price_version: columns.text()?,
        execution_status: columns.word(ExecutionStatus::parse)?,
        error_type: columns.text()?,
        started_at: columns.instant()?,
        completed_at: columns.optional_instant()?,
        source: columns.word(RecordSource::parse)?,
        is_synthetic: columns.take()?,
        synthetic_scenario_id: columns.text()?,
        correlation_id: columns.text()?,
        actor_type: columns.optional_word(ActorType::parse)?,
        actor_id: columns.text()?,
        step_count: columns.take()?,
        trace_root_hash: columns.optional_digest()?,
    }))
}

/// Writes a row of `llm_run`.
///
/// # Errors
/// `INTERNAL` when the tags do not become JSON, which text always does.
pub(in crate::store) fn encode_run(
    row: &mut Vec<Value>,
    tenant: &TenantId,
    assigned: &Appended,
    run: &LlmRun,
) -> Result<()> {
    let text = |text: &Option<String>| optional_text_value(text.as_deref());
    row.extend(head_values(tenant, assigned));
    row.extend([
        text_value(run.run_id.as_str()),
        run.revision.into(),
        optional_text_value(run.trace_id.as_ref().map(TraceId::as_str)),
        text(&run.name),
        text(&run.agent_id),
        text(&run.session_id),
        text(&run.end_user_id),
        serde_json::to_string(&run.tags).map_err(Error::internal)?.into(),
        text_value(&run.provider),
        text_value(&run.model),
        text(&run.operation),
        text(&run.service_name),
        text(&run.service_instance_id),
        text(&run.service_version),
        text(&run.environment),
        digest_value(run.prompt_hash),
        digest_value(run.response_hash),
        run.input_tokens.into(),
        run.output_tokens.into(),
        run.cached_input_tokens.into(),
        run.reasoning_tokens.into(),
        run.time_to_first_token_us.into(),
        text(&run.finish_reason),
        run.cost_micros.into(),
        text(&run.price_version),
        text_value(run.execution_status.as_str()),
        text(&run.error_type),
        instant_value(run.started_at),
        Value::BigInt(run.completed_at.map(|end| end.as_micros())),
        text_value(run.source.as_str()),
        run.is_synthetic.into(),
        text(&run.synthetic_scenario_id),
        text(&run.correlation_id),
        optional_text_value(run.actor_type.map(ActorType::as_str)),
        text(&run.actor_id),
        run.step_count.into(),
        digest_value(run.trace_root_hash),
    ]);
    Ok(())
}

/// Most runs have no tags, which needs no parser.
fn decode_tags(columns: &mut Columns<'_>) -> Result<Vec<String>> {
    match columns.take::<&str>()? {
        "[]" => Ok(Vec::new()),
        tags => serde_json::from_str(tags).map_err(|cause| columns.corrupt(&cause)),
    }
}
