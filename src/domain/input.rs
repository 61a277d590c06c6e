//! What callers of the mutations hand in, before capture has redacted, digested and priced it.

use std::ops::RangeInclusive;

use super::ids::{RunId, TraceId};
use super::run::RunTexts;
use super::time::Timestamp;
use super::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExecutionStatus, OutcomeCategory, RecordSource, StepKind,
    StepStatus, Verdict,
};
use crate::error::{Error, Result};

/// The highest number that a caller may give: JSON carries no higher one exactly.
pub const NUMBER_MAX: i64 = 9_007_199_254_740_991;
/// The most tokens that one step may claim either way; of an exporter's span too.
pub const STEP_TOKENS_MAX: i64 = 1_000_000_000_000;
/// The most tokens of a run or trace either way, so that JSON carries both together exactly. A sum that is larger is
/// written as this: no step may make a trace that cannot end.
pub const RUN_TOKENS_MAX: i64 = NUMBER_MAX / 2;

/// A number that lies in a range.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, what was sent and what is allowed.
pub fn check_range(field: &str, number: i64, allowed: RangeInclusive<i64>) -> Result<i64> {
    if allowed.contains(&number) {
        return Ok(number);
    }
    let (least, most) = (allowed.start(), allowed.end());
    Err(Error::input(field, format!("{field} lies between {least} and {most}, got {number}")))
}

/// A caller's `idempotencyKey`, with what was sent under it.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// The input as it was sent, but for the key: what was left out is no member of it.
    pub sent: serde_json::Value,
}

/// One side of a call: its text, which is digested and dropped, or a digest that the caller made with `contentDigest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentInput {
    /// The text.
    pub text: Option<String>,
    /// The digest, 64 hex digits; not together with the text.
    pub hash: Option<String>,
}

/// A step as a caller hands it in.
#[derive(Clone, Debug, PartialEq)]
pub struct StepInput {
    /// The caller's own number for the step.
    pub caller_index: Option<i64>,
    /// Unique within the trace; made up where it is absent.
    pub span_id: Option<String>,
    /// The span that it runs under.
    pub parent_span_id: Option<String>,
    /// 1 for a first try.
    pub attempt: Option<i64>,
    /// What it did.
    pub kind: StepKind,
    /// Tool, agent or operation.
    pub skill_name: String,
    /// How it ended.
    pub status: StepStatus,
    /// The kind of outcome; follows from status and code where it is absent.
    pub outcome_category: Option<OutcomeCategory>,
    /// The outcome in the caller's words.
    pub outcome_code: Option<String>,
    /// The provider that was called.
    pub provider: Option<String>,
    /// The model that was called.
    pub model: Option<String>,
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// Tokens sent.
    pub input_tokens: Option<i64>,
    /// Tokens received.
    pub output_tokens: Option<i64>,
    /// Cost in micro-dollars; priced from the table where it is absent.
    pub cost_micros: Option<i64>,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// What went in.
    pub input: ContentInput,
    /// What came out.
    pub output: ContentInput,
    /// The caller's key for `idempotencyCheck`.
    pub idempotency_key: Option<String>,
    /// The span id of the step that reports the same call.
    pub duplicate_of: Option<String>,
    /// Free attributes: a JSON object; redacted and kept as a payload.
    pub attributes: Option<serde_json::Value>,
}

/// A trace as a caller hands it in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceInput {
    /// Its name; made up where it is absent.
    pub trace_id: Option<TraceId>,
    /// The run it belongs to; the trace id where it is absent.
    pub run_id: Option<RunId>,
    /// The agent.
    pub agent_id: Option<String>,
    /// The run that started this one.
    pub parent_run_id: Option<String>,
    /// For cross-reference.
    pub correlation_id: Option<String>,
    /// Hash of the plan.
    pub plan_hash: Option<String>,
    /// Random seed.
    pub seed: Option<i64>,
    /// The instant that a replay sees as now.
    pub frozen_at: Option<Timestamp>,
    /// How a replay treats effects.
    pub replay_mode: Option<String>,
    /// Whether it is test data.
    pub is_synthetic: bool,
    /// The scenario; required when synthetic.
    pub synthetic_scenario_id: Option<String>,
    /// `service.name`.
    pub service_name: Option<String>,
    /// `service.instance.id`.
    pub service_instance_id: Option<String>,
    /// `service.version`.
    pub service_version: Option<String>,
    /// `deployment.environment.name`.
    pub environment: Option<String>,
    /// When it began; now where it is absent.
    pub started_at: Option<Timestamp>,
    /// The plan: JSON; redacted and kept as a payload.
    pub plan: Option<serde_json::Value>,
}

/// How a trace ended, as a caller says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SealInput {
    /// How; follows from the steps where it is absent.
    pub status: Option<ExecutionStatus>,
    /// Why.
    pub reason: Option<String>,
    /// When; the last step's end where it is absent.
    pub ended_at: Option<Timestamp>,
    /// JSON; redacted and kept as a payload.
    pub metadata: Option<serde_json::Value>,
}

/// What a caller says about the run itself; what is absent follows from the steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunInput {
    /// Its name within the tenant; made up where it is absent.
    pub run_id: Option<RunId>,
    /// The newest revision that the caller knows: given, this record becomes the next one; absent, the run must be new.
    pub supersedes_revision: Option<i64>,
    /// What it says of the run in words.
    pub texts: RunTexts,
    /// The end user.
    pub end_user_id: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The prompt.
    pub prompt: ContentInput,
    /// The response.
    pub response: ContentInput,
    /// Tokens sent.
    pub input_tokens: Option<i64>,
    /// Tokens received.
    pub output_tokens: Option<i64>,
    /// Of the input, read from a cache.
    pub cached_input_tokens: Option<i64>,
    /// Of the output, spent on reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Microseconds to the first token.
    pub time_to_first_token_us: Option<i64>,
    /// Cost in micro-dollars.
    pub cost_micros: Option<i64>,
    /// How it ended.
    pub execution_status: Option<ExecutionStatus>,
    /// When it began; the first step's start, else now.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Who brings it; API where it is absent.
    pub source: Option<RecordSource>,
    /// Whether it is test data.
    pub is_synthetic: bool,
    /// The scenario; required when synthetic.
    pub synthetic_scenario_id: Option<String>,
    /// What kind of actor started it.
    pub actor_type: Option<ActorType>,
    /// Who started it.
    pub actor_id: Option<String>,
}

/// An audit entry as a caller hands it in.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntryInput {
    /// Its category; follows from a known event type.
    pub category: Option<AuditCategory>,
    /// What happened.
    pub event_type: String,
    /// What kind of thing it happened to.
    pub entity_type: AuditEntityType,
    /// Which thing.
    pub entity_id: String,
    /// What kind of actor acted; the caller where neither this nor `actor_id` is given.
    pub actor_type: Option<ActorType>,
    /// Who acted.
    pub actor_id: Option<String>,
    /// What the rule said.
    pub verdict: Option<Verdict>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// The policy.
    pub policy_id: Option<String>,
    /// The rule.
    pub rule_id: Option<String>,
    /// The run; lifted from the states where it is absent.
    pub run_id: Option<RunId>,
    /// For cross-reference.
    pub correlation_id: Option<String>,
    /// The writer; `graphql` where it is absent.
    pub source_component: Option<String>,
    /// When it happened; now where it is absent.
    pub occurred_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The state before.
    pub before: Option<serde_json::Value>,
    /// The state after.
    pub after: Option<serde_json::Value>,
}
