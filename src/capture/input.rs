//! What callers of the mutations hand in: checked, digested, redacted and priced like OTLP, but refused where OTLP is mended:
//! a caller can correct their request, an exporter cannot.

mod check;
mod weight;

use serde_json::{Value, json};

use self::check::{check_length, check_scenario, checked_step, label};
use super::CaptureContext;
use super::digest::{ContentHasher, content_digest};
use super::facts::Facts;
use super::genai::outcome;
use super::genai::provider::UNKNOWN;
use super::genai::usage::is_cache_apart;
use super::json::{self, JSON_DEPTH_MAX, canonical, check_text};
use super::pricing::Usage;
use super::redact::{redact_json, redact_text};
use super::text::{clip, sorted_tags};
use crate::domain::draft::{DraftPayload, DraftStep, DraftTrace};
use crate::domain::ids::{Digest, RunId, TraceId, check_name};
use crate::domain::input::{ContentInput, NUMBER_MAX, RunInput, StepInput, TraceInput};
use crate::domain::payload::PayloadPart;
use crate::domain::run::LlmRun;
use crate::domain::settle::TraceSignals;
use crate::domain::time::Timestamp;
use crate::domain::trace::{TRACE_SCHEMA_VERSION, Trace, TraceStep};
use crate::domain::vocabulary::{ExecutionStatus, OutcomeCategory, RecordSource, StepStatus};
use crate::error::{Error, Result};

pub use self::check::checked_run;
pub(super) use self::check::{check_component, check_length as check_bytes, label as checked_label};
pub use self::weight::Weigh;
pub use super::otlp::signals;

/// The longest text of one side of a call, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_048_576;
/// The largest `attributes` of a step, in bytes of canonical JSON.
pub const ATTRIBUTES_BYTES_MAX: usize = super::otlp::ATTRIBUTES_BYTES_MAX;
/// The largest `plan` of a trace.
pub const PLAN_BYTES_MAX: usize = 262_144;
/// The largest `metadata` of a seal.
pub const METADATA_BYTES_MAX: usize = 65_536;
/// The longest reason of a seal, in bytes; a longer one is refused.
pub const REASON_BYTES_MAX: usize = 512;

/// A step as it is recorded.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for what is too long.
pub fn step(ctx: &CaptureContext, trace_id: &TraceId, input: StepInput, fallback_span_id: &str) -> Result<DraftStep> {
    let digest = step_digest(ctx, &input)?;
    let input = checked_step(input)?;
    let span_id = input.span_id.unwrap_or_else(|| fallback_span_id.to_owned());
    check_name("spanId", &span_id)?;
    let tokens = [input.input_tokens, input.output_tokens, None];
    let priced =
        price(ctx, input.provider.as_deref(), input.model.as_deref(), tokens).filter(|_| input.cost_micros.is_none());
    let facts = Facts {
        span_name: input.skill_name.clone(),
        is_timeout: input.outcome_code.as_deref().is_some_and(outcome::is_timeout),
        error_type: input.outcome_code.clone().filter(|_| input.status == StepStatus::Failure),
        price_version: priced.map(|_| ctx.prices.version().to_owned()),
        ..Facts::default()
    };
    let by_code = || outcome::of_code(input.status, input.outcome_code.as_deref());
    let outcome_category = input.outcome_category.unwrap_or_else(by_code);
    let step = TraceStep {
        trace_id: trace_id.clone(),
        caller_index: input.caller_index,
        span_id,
        parent_span_id: input.parent_span_id,
        attempt: input.attempt.unwrap_or(1),
        kind: input.kind,
        skill_name: input.skill_name,
        status: input.status,
        outcome_category,
        outcome_code: input.outcome_code,
        provider: input.provider,
        model: input.model,
        response_id: input.response_id,
        input_tokens: input.input_tokens,
        output_tokens: input.output_tokens,
        cost_micros: input.cost_micros.or(priced),
        started_at: input.started_at,
        duration_us: input.duration_us,
        input_hash: content_hash(ctx, "input", &input.input)?,
        output_hash: content_hash(ctx, "output", &input.output)?,
        idempotency_key: input.idempotency_key,
        duplicate_of: input.duplicate_of,
        attributes_commitment: None,
        content_commitment: None,
    };
    let mut payloads = Vec::new();
    if let Some(attributes) = input.attributes {
        payloads.push(DraftPayload {
            part: PayloadPart::Attributes,
            text: document("attributes", attributes, ATTRIBUTES_BYTES_MAX)?,
        });
    }
    payloads.extend(kept_content(ctx, &input.input, &input.output)?);
    Ok(DraftStep { step, payloads, facts: facts.store(digest), audits: Vec::new() })
}

/// A trace's beginning, without steps.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for a plan that is too large.
pub fn trace(input: TraceInput, fallback_trace_id: &TraceId, now: Timestamp) -> Result<DraftTrace> {
    let trace_id = input.trace_id.unwrap_or_else(|| fallback_trace_id.clone());
    check_scenario(input.is_synthetic, input.synthetic_scenario_id.as_deref())?;
    input.parent_run_id.as_deref().map_or(Ok(()), |id| check_name("parentRunId", id))?;
    let plan = input.plan.map(|plan| document("plan", plan, PLAN_BYTES_MAX)).transpose()?;
    let trace = Trace {
        run_id: input.run_id.unwrap_or_else(|| RunId::trusted(trace_id.as_str())),
        trace_id,
        agent_id: label("agentId", input.agent_id)?,
        parent_run_id: input.parent_run_id,
        correlation_id: label("correlationId", input.correlation_id)?,
        plan_hash: label("planHash", input.plan_hash)?,
        seed: input.seed,
        frozen_at: input.frozen_at,
        schema_version: TRACE_SCHEMA_VERSION.to_owned(),
        replay_mode: label("replayMode", input.replay_mode)?,
        is_synthetic: input.is_synthetic,
        synthetic_scenario_id: label("syntheticScenarioId", input.synthetic_scenario_id)?,
        service_name: label("serviceName", input.service_name)?,
        service_instance_id: label("serviceInstanceId", input.service_instance_id)?,
        service_version: label("serviceVersion", input.service_version)?,
        environment: label("environment", input.environment)?,
        started_at: input.started_at.unwrap_or(now),
        plan_commitment: None,
    };
    let payloads = plan.map(|text| DraftPayload { part: PayloadPart::Plan, text }).into_iter().collect();
    Ok(DraftTrace { trace, payloads, steps: Vec::new(), signals: TraceSignals::default() })
}

/// A run that is given without steps.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for what is too long.
pub fn run(
    ctx: &CaptureContext,
    input: RunInput,
    fallback_run_id: &RunId,
    revision: i64,
    now: Timestamp,
) -> Result<LlmRun> {
    let prompt_hash = content_hash(ctx, "prompt", &input.prompt)?;
    let response_hash = content_hash(ctx, "response", &input.response)?;
    let input = checked_run(input)?;
    let tokens = [input.input_tokens, input.output_tokens, input.cached_input_tokens];
    let priced =
        price(ctx, input.provider.as_deref(), input.model.as_deref(), tokens).filter(|_| input.cost_micros.is_none());
    let mut run = LlmRun {
        run_id: input.run_id.unwrap_or_else(|| fallback_run_id.clone()),
        revision,
        trace_id: None,
        name: None,
        agent_id: None,
        session_id: None,
        end_user_id: input.end_user_id,
        tags: sorted_tags(input.tags),
        provider: input.provider.unwrap_or_else(|| UNKNOWN.to_owned()),
        model: input.model.unwrap_or_else(|| UNKNOWN.to_owned()),
        operation: None,
        service_name: None,
        service_instance_id: None,
        service_version: None,
        environment: None,
        region: None,
        prompt_hash,
        response_hash,
        input_tokens: input.input_tokens.unwrap_or(0),
        output_tokens: input.output_tokens.unwrap_or(0),
        cached_input_tokens: input.cached_input_tokens,
        reasoning_tokens: input.reasoning_tokens,
        time_to_first_token_us: input.time_to_first_token_us,
        finish_reason: None,
        cost_micros: input.cost_micros.or(priced),
        price_version: priced.map(|_| ctx.prices.version().to_owned()),
        execution_status: input.execution_status.unwrap_or(ExecutionStatus::Succeeded),
        error_type: None,
        started_at: input.started_at.unwrap_or(now),
        completed_at: input.completed_at,
        source: input.source.unwrap_or(RecordSource::Api),
        is_synthetic: input.is_synthetic,
        synthetic_scenario_id: input.synthetic_scenario_id,
        correlation_id: None,
        actor_type: input.actor_type,
        actor_id: input.actor_id,
        step_count: 0,
        trace_root_hash: None,
    };
    input.texts.lay_over(&mut run);
    Ok(run)
}

/// The digest of one side of a call: of its text, or as the caller gives it.
///
/// # Errors
/// `BAD_USER_INPUT` for both at once and for what is no digest, `LIMIT_EXCEEDED` for text beyond [`TEXT_BYTES_MAX`].
pub fn content_hash(ctx: &CaptureContext, field: &str, content: &ContentInput) -> Result<Option<Digest>> {
    match (&content.text, &content.hash) {
        (Some(_), Some(_)) => Err(Error::input(field, format!("{field} is given as text or as hash, not both"))),
        (Some(text), None) => {
            check_length(field, text, TEXT_BYTES_MAX)?;
            check_text(field, text)?;
            Ok(Some(content_digest(&ctx.content_key, text)))
        }
        (None, Some(hash)) => Digest::parse(hash).map(Some).ok_or_else(|| {
            Error::input(field, format!("the hash of {field} is 64 hex digits, as contentDigest gives it"))
        }),
        (None, None) => Ok(None),
    }
}

/// JSON as it is stored: checked, redacted, canonical.
///
/// # Errors
/// `BAD_USER_INPUT` for what canonical JSON would change, `LIMIT_EXCEEDED` for size and depth.
pub fn document(field: &str, value: Value, bytes_max: usize) -> Result<String> {
    json::check(field, &value, JSON_DEPTH_MAX)?;
    // What is too long as it was sent is not read for secrets first.
    if value.weight() > bytes_max {
        check_length(field, &canonical(&value)?, bytes_max)?;
    }
    let text = canonical(&redact_json(value).map_err(|error| error.at_field(field))?)?;
    check_length(field, &text, bytes_max)?;
    Ok(text)
}

/// A seal's reason as it is stored.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`REASON_BYTES_MAX`], `BAD_USER_INPUT` for U+0000.
pub fn reason(text: &str) -> Result<String> {
    check_length("reason", text, REASON_BYTES_MAX)?;
    check_text("reason", text)?;
    Ok(clip(&redact_text(text), REASON_BYTES_MAX * 2).into_owned())
}

/// What the table asks for some tokens: input, output, cached.
fn price(ctx: &CaptureContext, provider: Option<&str>, model: Option<&str>, tokens: [Option<i64>; 3]) -> Option<i64> {
    let [input, output, cached] = tokens;
    if input.is_none() && output.is_none() {
        return None;
    }
    let usage = Usage {
        input_tokens: input.unwrap_or(0),
        output_tokens: output.unwrap_or(0),
        cached_input_tokens: cached.unwrap_or(0),
        cache_write_tokens: 0,
        is_cache_apart: is_cache_apart(provider, model, ""),
    };
    ctx.prices.cost_micros(provider, model?, &usage).filter(|cost| *cost <= NUMBER_MAX)
}

/// The contents themselves, redacted, where the tenant keeps them.
fn kept_content(ctx: &CaptureContext, input: &ContentInput, output: &ContentInput) -> Result<Option<DraftPayload>> {
    // Decided first: what is not kept need not be read.
    if !ctx.keeps_content {
        return Ok(None);
    }
    let mut members = serde_json::Map::new();
    for (side, content) in [("input", input), ("output", output)] {
        if let Some(text) = &content.text {
            let text = clip(&redact_text(text), super::otlp::CONTENT_BYTES_MAX / 4).into_owned();
            members.insert(side.to_owned(), json!({ "text": text }));
        }
    }
    if members.is_empty() {
        return Ok(None);
    }
    Ok(Some(DraftPayload { part: PayloadPart::Content, text: canonical(&Value::Object(members))? }))
}

/// Keyed digest of a step as it was handed in, to notice one that differs under the same span id. Span id and idempotency
/// key name the step; they are no part of what it says.
fn step_digest(ctx: &CaptureContext, input: &StepInput) -> Result<Digest> {
    let text = |number: Option<i64>| number.map(|number| number.to_string());
    let content = |content: &ContentInput| json!([content.text, content.hash]);
    let said = json!([
        [text(input.caller_index), text(input.attempt), text(Some(input.duration_us)), input.started_at.to_rfc3339()],
        [text(input.input_tokens), text(input.output_tokens), text(input.cost_micros)],
        [input.kind.as_str(), input.status.as_str(), input.skill_name],
        [input.outcome_category.map(OutcomeCategory::as_str), input.outcome_code.as_deref(), input.provider.as_deref()],
        [
            input.model.as_deref(),
            input.response_id.as_deref(),
            input.parent_span_id.as_deref(),
            input.duplicate_of.as_deref()
        ],
        [content(&input.input), content(&input.output), input.attributes],
    ]);
    Ok(ContentHasher::new(&ctx.content_key).digest(&canonical(&said)?))
}

#[cfg(test)]
pub(crate) mod tests;
