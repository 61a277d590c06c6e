//! From inputs to the domain: bounds are checked and units converted here.

use async_graphql::ID;

use super::{ContentInput, LlmRunInput, STEPS_MAX, TraceInput, TraceSealInput, TraceStepInput};
use crate::domain::ids::{RunId, TraceId};
use crate::domain::input;
use crate::error::{Detail, Error, Result};
use crate::graphql::filters::{TEXT_BYTES_MAX, checked};
use crate::graphql::runs::MICROS_PER_MILLI;
use crate::graphql::scalars::{Decimal, SafeInt};

impl LlmRunInput {
    /// The domain's input.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` that name the field.
    pub fn into_domain(self) -> Result<input::RunInput> {
        let tags = self.tags.unwrap_or_default();
        checked("tags", &tags)?;
        Ok(input::RunInput {
            run_id: run_id("runId", self.run_id)?,
            supersedes_revision: number(self.supersedes_revision),
            name: text("name", self.name)?,
            agent_id: text("agentId", self.agent_id)?,
            session_id: text("sessionId", self.session_id)?,
            end_user_id: text("endUserId", self.end_user_id)?,
            tags: tags.into_iter().map(|tag| bounded("tags", tag)).collect::<Result<_>>()?,
            provider: text("provider", self.provider)?,
            model: text("model", self.model)?,
            operation: text("operation", self.operation)?,
            service_name: text("serviceName", self.service_name)?,
            service_instance_id: text("serviceInstanceId", self.service_instance_id)?,
            service_version: text("serviceVersion", self.service_version)?,
            environment: text("environment", self.environment)?,
            prompt: content(self.prompt),
            response: content(self.response),
            input_tokens: count("inputTokens", self.input_tokens)?,
            output_tokens: count("outputTokens", self.output_tokens)?,
            cached_input_tokens: count("cachedInputTokens", self.cached_input_tokens)?,
            reasoning_tokens: count("reasoningTokens", self.reasoning_tokens)?,
            time_to_first_token_us: millis("timeToFirstTokenMs", self.time_to_first_token_ms)?,
            finish_reason: text("finishReason", self.finish_reason)?,
            cost_micros: cost(self.cost_usd)?,
            execution_status: self.execution_status.map(Into::into),
            error_type: text("errorType", self.error_type)?,
            started_at: self.started_at.map(|instant| instant.0),
            completed_at: self.completed_at.map(|instant| instant.0),
            source: self.source.map(Into::into),
            is_synthetic: self.is_synthetic,
            synthetic_scenario_id: text("syntheticScenarioId", self.synthetic_scenario_id)?,
            correlation_id: text("correlationId", self.correlation_id)?,
            actor_type: self.actor_type.map(Into::into),
            actor_id: text("actorId", self.actor_id)?,
        })
    }
}

impl TraceInput {
    /// The domain's input.
    ///
    /// # Errors
    /// As [`LlmRunInput::into_domain`].
    pub fn into_domain(self) -> Result<input::TraceInput> {
        Ok(input::TraceInput {
            trace_id: self.trace_id.map(|id| trace_id(&id)).transpose()?,
            run_id: run_id("runId", self.run_id)?,
            agent_id: text("agentId", self.agent_id)?,
            parent_run_id: text("parentRunId", self.parent_run_id.map(|id| id.0))?,
            correlation_id: text("correlationId", self.correlation_id)?,
            plan_hash: text("planHash", self.plan_hash)?,
            seed: self.seed.map(|seed| seed.0),
            frozen_at: self.frozen_at.map(|instant| instant.0),
            replay_mode: text("replayMode", self.replay_mode)?,
            is_synthetic: self.is_synthetic,
            synthetic_scenario_id: text("syntheticScenarioId", self.synthetic_scenario_id)?,
            service_name: text("serviceName", self.service_name)?,
            service_instance_id: text("serviceInstanceId", self.service_instance_id)?,
            service_version: text("serviceVersion", self.service_version)?,
            environment: text("environment", self.environment)?,
            started_at: self.started_at.map(|instant| instant.0),
            plan: self.plan.map(|plan| plan.into_json("plan")).transpose()?,
        })
    }
}

impl TraceStepInput {
    /// The domain's input.
    ///
    /// # Errors
    /// As [`LlmRunInput::into_domain`].
    pub fn into_domain(self) -> Result<input::StepInput> {
        Ok(input::StepInput {
            caller_index: number(self.caller_index),
            span_id: text("spanId", self.span_id)?,
            parent_span_id: text("parentSpanId", self.parent_span_id)?,
            attempt: count("attempt", self.attempt)?,
            kind: self.kind.into(),
            skill_name: bounded("skillName", self.skill_name)?,
            status: self.status.into(),
            outcome_category: self.outcome_category.map(Into::into),
            outcome_code: text("outcomeCode", self.outcome_code)?,
            provider: text("provider", self.provider)?,
            model: text("model", self.model)?,
            response_id: text("responseId", self.response_id)?,
            input_tokens: count("inputTokens", self.input_tokens)?,
            output_tokens: count("outputTokens", self.output_tokens)?,
            cost_micros: cost(self.cost_usd)?,
            started_at: self.started_at.0,
            duration_us: millis("durationMs", self.duration_ms)?.unwrap_or_default(),
            input: content(self.input),
            output: content(self.output),
            idempotency_key: text("idempotencyKey", self.idempotency_key)?,
            duplicate_of: text("duplicateOf", self.duplicate_of)?,
            attributes: self.attributes.map(|attributes| attributes.into_json("attributes")).transpose()?,
        })
    }
}

impl TraceSealInput {
    /// The domain's input.
    ///
    /// # Errors
    /// As [`LlmRunInput::into_domain`].
    pub fn into_domain(self) -> Result<input::SealInput> {
        Ok(input::SealInput {
            status: self.status.map(Into::into),
            reason: text("reason", self.reason)?,
            ended_at: self.ended_at.map(|instant| instant.0),
            metadata: self.metadata.map(|metadata| metadata.into_json("metadata")).transpose()?,
        })
    }
}

/// The steps of a mutation.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`STEPS_MAX`]; else as [`LlmRunInput::into_domain`], the field led by the step's place.
pub fn steps(steps: Vec<TraceStepInput>) -> Result<Vec<input::StepInput>> {
    if steps.len() > STEPS_MAX {
        let message = format!("one mutation takes at most {STEPS_MAX} steps; add the others with recordSteps");
        return Err(Error::limit(message, STEPS_MAX as u64, Some(steps.len() as u64)));
    }
    let place = |at: usize, error: Error| at_place("steps", at, error);
    steps.into_iter().enumerate().map(|(at, step)| step.into_domain().map_err(|error| place(at, error))).collect()
}

/// The same error with the field led by its place in a list.
#[must_use]
pub fn at_place(list: &str, at: usize, error: Error) -> Error {
    match error.detail() {
        Detail::Field(field) => {
            let field = format!("{list}[{at}].{field}");
            error.at_field(&field)
        }
        _ => error,
    }
}

/// A trace's name.
///
/// # Errors
/// `BAD_USER_INPUT` for a text that no trace can be named.
pub fn trace_id(id: &ID) -> Result<TraceId> {
    TraceId::parse(&id.0)
}

/// An optional text of bounded length.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`TEXT_BYTES_MAX`].
pub fn text(field: &str, text: Option<String>) -> Result<Option<String>> {
    text.map(|text| bounded(field, text)).transpose()
}

/// A text of bounded length.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`TEXT_BYTES_MAX`].
pub fn bounded(field: &str, text: String) -> Result<String> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("{field} has at most {TEXT_BYTES_MAX} bytes");
        return Err(Error::limit(message, TEXT_BYTES_MAX as u64, Some(text.len() as u64)));
    }
    Ok(text)
}

/// A run's name.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field.
pub fn run_id(field: &str, id: Option<ID>) -> Result<Option<RunId>> {
    id.map(|id| RunId::parse(&id.0).map_err(|error| error.at_field(field))).transpose()
}

fn number(number: Option<SafeInt>) -> Option<i64> {
    number.map(|number| number.0)
}

/// A number that is never negative.
fn count(field: &str, count: Option<SafeInt>) -> Result<Option<i64>> {
    match number(count) {
        Some(negative) if negative < 0 => Err(Error::input(field, format!("{field} is a number from 0"))),
        count => Ok(count),
    }
}

fn millis(field: &str, millis: Option<SafeInt>) -> Result<Option<i64>> {
    Ok(count(field, millis)?.map(|millis| millis.saturating_mul(MICROS_PER_MILLI)))
}

fn cost(cost: Option<Decimal>) -> Result<Option<i64>> {
    let micros = cost.map(|cost| cost.to_micros("costUsd")).transpose()?;
    count("costUsd", micros.map(SafeInt))
}

fn content(content: Option<ContentInput>) -> input::ContentInput {
    match content {
        Some(ContentInput::Text(text)) => input::ContentInput { text: Some(text), hash: None },
        Some(ContentInput::Hash(hash)) => input::ContentInput { text: None, hash: Some(hash.0.to_hex()) },
        None => input::ContentInput::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use async_graphql::{InputType, Value, value};

    fn step(extra: Value) -> TraceStepInput {
        let mut fields = value!({
            "kind": "TOOL", "skillName": "search", "status": "SUCCESS", "startedAt": "2026-11-21T08:30:00Z",
            "durationMs": 12
        });
        if let (Value::Object(fields), Value::Object(extra)) = (&mut fields, extra) {
            fields.extend(extra);
        }
        TraceStepInput::parse(Some(fields)).map_err(|_| ()).expect("a step")
    }

    #[test]
    fn milliseconds_and_dollars_become_micros() {
        let step = step(value!({"costUsd": "0.25", "input": {"text": "hi"}})).into_domain().expect("valid");
        assert_eq!((step.duration_us, step.cost_micros), (12_000, Some(250_000)));
        assert_eq!(step.input.text.as_deref(), Some("hi"));
    }

    #[test]
    fn a_wrong_step_is_named_by_its_place() {
        let error = steps(vec![step(value!({})), step(value!({"inputTokens": -1}))]).expect_err("negative");
        assert_eq!(error.detail(), &Detail::Field("steps[1].inputTokens".to_owned()));
    }

    #[test]
    fn too_many_steps_and_too_long_texts_are_refused() {
        let many = (0..=STEPS_MAX).map(|_| step(value!({}))).collect();
        let error = steps(many).expect_err("too many");
        assert_eq!(
            (error.code(), error.detail()),
            (Code::LimitExceeded, &Detail::Limit { limit: 1_000, value: Some(1_001) })
        );
        let error = step(value!({"skillName": "x".repeat(513)})).into_domain().expect_err("too long");
        assert_eq!(error.detail(), &Detail::Limit { limit: 512, value: Some(513) });
    }
}
