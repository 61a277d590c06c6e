//! From inputs to the domain: bounds are checked and units converted here.

use async_graphql::ID;

use super::{ContentInput, LlmRunInput, STEPS_MAX, TraceInput, TraceSealInput, TraceStepInput};
use crate::domain::ids::{RunId, TraceId, check_name};
use crate::domain::input;
use crate::domain::input::{RUN_TOKENS_MAX, STEP_TOKENS_MAX, check_range};
use crate::error::{Error, Result};
use crate::graphql::run::MICROS_PER_MILLI;
use crate::graphql::shared::filters::checked;
use crate::graphql::shared::scalars::{Decimal, SAFE_INT_MAX, SafeInt};

/// The longest duration that is kept, in milliseconds: 2^53 - 1 microseconds.
const MILLIS_MAX: i64 = SAFE_INT_MAX / MICROS_PER_MILLI;

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
            texts: self.texts.into(),
            end_user_id: self.end_user_id,
            tags,
            provider: self.provider,
            model: self.model,
            prompt: content(self.prompt),
            response: content(self.response),
            input_tokens: count("inputTokens", self.input_tokens, RUN_TOKENS_MAX)?,
            output_tokens: count("outputTokens", self.output_tokens, RUN_TOKENS_MAX)?,
            cached_input_tokens: count("cachedInputTokens", self.cached_input_tokens, RUN_TOKENS_MAX)?,
            reasoning_tokens: count("reasoningTokens", self.reasoning_tokens, RUN_TOKENS_MAX)?,
            time_to_first_token_us: millis("timeToFirstTokenMs", self.time_to_first_token_ms)?,
            cost_micros: cost(self.cost_usd)?,
            execution_status: self.execution_status.map(Into::into),
            started_at: self.started_at.map(|instant| instant.0),
            completed_at: self.completed_at.map(|instant| instant.0),
            source: self.source.map(Into::into),
            is_synthetic: self.is_synthetic,
            synthetic_scenario_id: self.synthetic_scenario_id,
            actor_type: self.actor_type.map(Into::into),
            actor_id: self.actor_id,
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
            agent_id: self.agent_id,
            parent_run_id: self.parent_run_id.map(|id| id.0),
            correlation_id: self.correlation_id,
            plan_hash: self.plan_hash,
            seed: self.seed.map(|seed| seed.0),
            frozen_at: self.frozen_at.map(|instant| instant.0),
            replay_mode: self.replay_mode,
            is_synthetic: self.is_synthetic,
            synthetic_scenario_id: self.synthetic_scenario_id,
            service_name: self.service_name,
            service_instance_id: self.service_instance_id,
            service_version: self.service_version,
            environment: self.environment,
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
            span_id: self.span_id,
            parent_span_id: self.parent_span_id,
            attempt: number(self.attempt),
            kind: self.kind.into(),
            skill_name: self.skill_name,
            status: self.status.into(),
            outcome_category: self.outcome_category.map(Into::into),
            outcome_code: self.outcome_code,
            provider: self.provider,
            model: self.model,
            response_id: self.response_id,
            input_tokens: count("inputTokens", self.input_tokens, STEP_TOKENS_MAX)?,
            output_tokens: count("outputTokens", self.output_tokens, STEP_TOKENS_MAX)?,
            cost_micros: cost(self.cost_usd)?,
            started_at: self.started_at.0,
            duration_us: millis("durationMs", self.duration_ms)?.unwrap_or_default(),
            input: content(self.input),
            output: content(self.output),
            idempotency_key: self.idempotency_key,
            duplicate_of: self.duplicate_of,
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
            reason: self.reason,
            ended_at: self.ended_at.map(|instant| instant.0),
            metadata: self.metadata.map(|metadata| metadata.into_json("metadata")).transpose()?,
        })
    }
}

/// The steps of a mutation, each with what is wrong with it.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`STEPS_MAX`].
pub fn steps(steps: Vec<TraceStepInput>) -> Result<Vec<Result<input::StepInput>>> {
    if steps.len() > STEPS_MAX {
        let message = format!("one mutation takes at most {STEPS_MAX} steps; add the others with recordSteps");
        return Err(Error::limit(message, STEPS_MAX as u64, Some(steps.len() as u64)));
    }
    Ok(steps.into_iter().map(TraceStepInput::into_domain).collect())
}

/// The steps of a mutation that takes all or none.
///
/// # Errors
/// As [`steps`], and for the first step that is wrong, led by its place.
pub fn whole_steps(given: Vec<TraceStepInput>) -> Result<Vec<input::StepInput>> {
    let steps = steps(given)?.into_iter().enumerate();
    steps.map(|(at, step)| step.map_err(|error| error.at_place("steps", at))).collect()
}

/// A trace's name.
///
/// # Errors
/// `BAD_USER_INPUT` for a text that no trace can be named.
pub fn trace_id(id: &ID) -> Result<TraceId> {
    TraceId::parse(&id.0)
}

/// A run's name.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field.
pub fn run_id(field: &str, id: Option<ID>) -> Result<Option<RunId>> {
    id.map(|id| check_name(field, &id.0).map(|()| RunId::trusted(id.0))).transpose()
}

fn number(number: Option<SafeInt>) -> Option<i64> {
    number.map(|number| number.0)
}

/// A number of things, from 0.
fn count(field: &str, count: Option<SafeInt>, most: i64) -> Result<Option<i64>> {
    number(count).map(|count| check_range(field, count, 0..=most)).transpose()
}

/// Milliseconds as the microseconds that are kept.
fn millis(field: &str, millis: Option<SafeInt>) -> Result<Option<i64>> {
    let millis = number(millis).map(|millis| check_range(field, millis, 0..=MILLIS_MAX)).transpose()?;
    Ok(millis.map(|millis| millis * MICROS_PER_MILLI))
}

fn cost(cost: Option<Decimal>) -> Result<Option<i64>> {
    cost.map(|cost| cost.to_cost("costUsd")).transpose()
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
    use crate::error::{Code, Detail};
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
        let error = whole_steps(vec![step(value!({})), step(value!({"inputTokens": -1}))]).expect_err("negative");
        assert_eq!(error.detail(), &Detail::Field("steps[1].inputTokens".to_owned()));
    }

    #[test]
    fn too_many_steps_are_refused() {
        let many = (0..=STEPS_MAX).map(|_| step(value!({}))).collect();
        let error = steps(many).expect_err("too many");
        assert_eq!(
            (error.code(), error.detail()),
            (Code::LimitExceeded, &Detail::Limit { limit: 1_000, value: Some(1_001) })
        );
    }
}
