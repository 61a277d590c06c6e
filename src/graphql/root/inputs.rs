//! What mutations take.

use async_graphql::{ID, InputObject, OneofObject};

use crate::domain::record::pick_texts;
use crate::domain::run::{RunTexts, llm_run};
use crate::graphql::shared::enums::{ActorType, ExecutionStatus, OutcomeCategory, RecordSource, StepKind, StepStatus};
use crate::graphql::shared::scalars::{BigInt, DateTime, Decimal, Json, SafeInt, Sha256};

mod convert;
mod sent;

pub use convert::{run_id, steps, trace_id, whole_steps};
pub use sent::{JSON_FIELDS, idempotency};

/// Most steps of one mutation.
pub const STEPS_MAX: usize = 1_000;

/// One side of a call: its text, or a digest made before. Exactly one must be given.
#[derive(OneofObject)]
pub enum ContentInput {
    /// The text. Its keyed digest is kept; the text itself only where the tenant has content capture turned on. Redacted.
    Text(String),
    /// A digest that contentDigest gave.
    Hash(Sha256),
}

macro_rules! texts_input {
    ($name:ident of $record:ident { $($(#[$meta:meta])* $field:ident,)+ }) => {
        /// What is said of a run in words.
        #[derive(InputObject)]
        pub struct $name { $(
            $(#[$meta])*
            #[doc = " Redacted."]
            $field: Option<String>,
        )+ }

        impl From<$name> for RunTexts {
            fn from(said: $name) -> Self {
                let $name { $($field),+ } = said;
                Self { $($field),+ }
            }
        }
    };
}
llm_run!(pick_texts texts_input => LlmRunTexts);

/// A whole run. What is left out follows from the steps, where there are any; a trace and its run may not disagree in names,
/// service, environment, scenario and status.
#[derive(InputObject)]
pub struct LlmRunInput {
    /// The name of the run, 1 to 128 bytes, unique within the tenant. Made up when it is not given. An identifier: it is not redacted.
    pub run_id: Option<ID>,
    /// The newest revision that you know of: this record becomes the next one. Without it the run must be new.
    supersedes_revision: Option<SafeInt>,
    #[graphql(flatten)]
    texts: LlmRunTexts,
    /// The end user that the run served. An identifier: it is not redacted.
    end_user_id: Option<String>,
    /// Labels. Redacted.
    tags: Option<Vec<String>>,
    /// The provider of the model, for example "openai". Redacted.
    provider: Option<String>,
    /// The model, for example "gpt-4o". Redacted.
    model: Option<String>,
    /// The prompt.
    prompt: Option<ContentInput>,
    /// The response.
    response: Option<ContentInput>,
    /// Tokens sent to models, 0 to 4,503,599,627,370,495, so that both ways together are exact in JSON.
    input_tokens: Option<SafeInt>,
    /// Tokens that models produced, 0 to 4,503,599,627,370,495.
    output_tokens: Option<SafeInt>,
    /// Of the input tokens, those that the provider read from its cache.
    cached_input_tokens: Option<SafeInt>,
    /// Of the output tokens, those spent on reasoning.
    reasoning_tokens: Option<SafeInt>,
    /// Whole milliseconds until the first token of the first streamed call.
    time_to_first_token_ms: Option<SafeInt>,
    /// What the run cost in US dollars, with at most six decimal places. Computed from the price table when it is not given.
    cost_usd: Option<Decimal>,
    /// How the run ended; with a trace, how that ended. When it is not given it follows from the steps that stand under no
    /// other: one of them that failed is enough, and what failed below one of them is that one's to judge. SUCCEEDED without
    /// steps.
    execution_status: Option<ExecutionStatus>,
    /// When the run began. The start of the first step, else now, when it is not given.
    started_at: Option<DateTime>,
    /// When the run ended. The end of the last step when it is not given.
    completed_at: Option<DateTime>,
    /// Who brings the run: API, SDK, SYNTHETIC or WORKER. API when it is not given; OTLP and SYSTEM are the server's own, and
    /// refused.
    source: Option<RecordSource>,
    /// Whether the run is test data.
    #[graphql(default)]
    is_synthetic: bool,
    /// The scenario that made the test data. Needed for test data. Redacted.
    synthetic_scenario_id: Option<String>,
    /// What kind of actor started the run.
    actor_type: Option<ActorType>,
    /// Who started the run. An identifier: it is not redacted.
    actor_id: Option<String>,
}

/// The beginning of a trace.
#[derive(InputObject)]
pub struct TraceInput {
    /// The name of the trace, 1 to 128 bytes, unique within the tenant. Made up when it is not given. An identifier: it is not redacted.
    trace_id: Option<ID>,
    /// The run that the trace belongs to. The trace's own name when it is not given. An identifier: it is not redacted.
    run_id: Option<ID>,
    /// The agent that ran. Redacted.
    agent_id: Option<String>,
    /// The run that started this one. An identifier: it is not redacted.
    parent_run_id: Option<ID>,
    /// Your own id for cross-reference. Redacted.
    correlation_id: Option<String>,
    /// Your hash of the plan that is carried out. Redacted.
    plan_hash: Option<String>,
    /// The random seed of the run.
    seed: Option<BigInt>,
    /// The instant that a replayed run sees as now.
    frozen_at: Option<DateTime>,
    /// How a replayed run treats effects, in your words. Redacted.
    replay_mode: Option<String>,
    /// Whether the trace is test data.
    #[graphql(default)]
    is_synthetic: bool,
    /// The scenario that made the test data. Needed for test data. Redacted.
    synthetic_scenario_id: Option<String>,
    /// The service that ran. Redacted.
    service_name: Option<String>,
    /// The instance of the service. Redacted.
    service_instance_id: Option<String>,
    /// The version of the service. Redacted.
    service_version: Option<String>,
    /// Where it ran, for example "production". Redacted.
    environment: Option<String>,
    /// When the trace began. When it is not given, when the run began that comes with it, else its first step, else now.
    started_at: Option<DateTime>,
    /// The plan that is carried out, as JSON. Redacted, and kept apart from the record.
    plan: Option<Json>,
}

/// One step of a trace.
#[derive(InputObject)]
pub struct TraceStepInput {
    /// Your own number for the step; not checked.
    caller_index: Option<SafeInt>,
    /// The span's id, unique within the trace. Made up when it is not given. An identifier: it is not redacted.
    span_id: Option<String>,
    /// The span that the step runs under. An identifier: it is not redacted.
    parent_span_id: Option<String>,
    /// Which try this is, 1 to 2,147,483,647. The first when it is not given.
    attempt: Option<SafeInt>,
    /// What the step did.
    kind: StepKind,
    /// The tool, agent or operation that was at work. Redacted.
    skill_name: String,
    /// How the step ended.
    status: StepStatus,
    /// The kind of outcome. Follows from status and outcomeCode when it is not given.
    outcome_category: Option<OutcomeCategory>,
    /// The outcome in your own words, for example an error type or an HTTP status. Redacted.
    outcome_code: Option<String>,
    /// The provider that was called. Redacted.
    provider: Option<String>,
    /// The model that was called. Redacted.
    model: Option<String>,
    /// The provider's id of its answer. Redacted.
    response_id: Option<String>,
    /// Tokens sent, 0 to 1,000,000,000,000.
    input_tokens: Option<SafeInt>,
    /// Tokens received, 0 to 1,000,000,000,000.
    output_tokens: Option<SafeInt>,
    /// What the step cost in US dollars, with at most six decimal places. Computed from the price table when it is not
    /// given.
    cost_usd: Option<Decimal>,
    /// When the step began.
    started_at: DateTime,
    /// How long the step took, in whole milliseconds. 0 when it is not given.
    duration_ms: Option<SafeInt>,
    /// What went in.
    input: Option<ContentInput>,
    /// What came out.
    output: Option<ContentInput>,
    /// The key that idempotencyCheck finds the step by, 1 to 128 bytes. An identifier: it is not redacted.
    idempotency_key: Option<String>,
    /// The span id of another step that reports the same call: that one counts in totals, this one does not. An identifier: it is not redacted.
    duplicate_of: Option<String>,
    /// Anything else, as a JSON object. Redacted, and kept apart from the record.
    attributes: Option<Json>,
}

/// The end of a trace.
#[derive(InputObject)]
pub struct TraceSealInput {
    /// How the trace ended, and its run with it. When it is not given it follows from the steps that stand under no other: one
    /// of them that failed is enough, and what failed below one of them is that one's to judge. SUCCEEDED without steps.
    status: Option<ExecutionStatus>,
    /// Why it ended so, in words. Redacted.
    reason: Option<String>,
    /// When it ended, and its run unless that says otherwise. When it is not given, when the run ended that comes with it,
    /// else the last step.
    ended_at: Option<DateTime>,
    /// Anything to be noted at the end, as JSON. Redacted, and kept apart from the record.
    metadata: Option<Json>,
}
