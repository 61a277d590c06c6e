//! LLM runs: the canonical immutable record of one execution.

use std::ops::Deref;
use std::sync::Arc;

use super::ids::{Digest, RecordId, RunId, TenantId, TraceId};
use super::record::{record, texts, texts_type};
use super::time::Timestamp;
use super::vocabulary::{ActorType, ExecutionStatus, RecordSource};

/// A record as it stands in the log: what was written, plus what the ledger assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The record's id (UUIDv7).
    pub id: RecordId,
    /// The tenant it belongs to.
    pub tenant_id: TenantId,
    /// Its place in the tenant's evidence log, from 0: commit order, and the default order of every list.
    pub seq: i64,
    /// When the batch that wrote it was made.
    pub created_at: Timestamp,
    /// What was written.
    pub record: T,
}

impl<T> Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.record
    }
}

/// A run as it is read. Shared: everything that hangs below it holds it.
pub type StoredRun = Arc<Stored<LlmRun>>;

macro_rules! llm_run {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// One revision of a run. The newest revision is the run; older ones stay readable.
        LlmRun in "llm_run": LlmRun {
            /// The run's name, unique with `revision` within the tenant.
            run_id: RunId,
            /// 1 for the first record of the run.
            revision: i64,
            /// The trace it was made from.
            trace_id: Option<TraceId>,
            /// A readable name: what the caller gave, else the name of the root span.
            name: Option<String> [text],
            /// The agent that ran.
            agent_id: Option<String> [text],
            /// The conversation or session that the run belongs to.
            session_id: Option<String> [text],
            /// The end user it served. An identifier: not redacted.
            end_user_id: Option<String>,
            /// Labels, sorted bytewise, without repeats.
            tags: Vec<String>,
            /// The provider, for example `openai`; `unknown` where nothing says it.
            provider: String,
            /// The model, for example `gpt-4o`; `unknown` where nothing says it.
            model: String,
            /// What was asked of the model: "chat", "embeddings", "invoke_agent" and so on (OpenTelemetry gen_ai.operation.name).
            operation: Option<String> [text],
            /// The service that ran (OpenTelemetry service.name).
            service_name: Option<String> [text],
            /// The instance of the service (OpenTelemetry service.instance.id).
            service_instance_id: Option<String> [text],
            /// The version of the service (OpenTelemetry service.version).
            service_version: Option<String> [text],
            /// Where it ran, for example "production" (OpenTelemetry deployment.environment.name).
            environment: Option<String> [text],
            /// The region of the cloud it ran in, for example "eu-central-1" (OpenTelemetry cloud.region).
            region: Option<String> [text],
            /// Keyed digest of the prompt.
            prompt_hash: Option<Digest>,
            /// Keyed digest of the response.
            response_hash: Option<Digest>,
            /// Tokens sent to models, each call counted once.
            input_tokens: i64,
            /// Tokens that models produced, each call counted once.
            output_tokens: i64,
            /// Of the input tokens, those read from a provider's cache.
            cached_input_tokens: Option<i64>,
            /// Of the output tokens, those spent on reasoning.
            reasoning_tokens: Option<i64>,
            /// Microseconds until the first token of the first streamed call.
            time_to_first_token_us: Option<i64>,
            /// Why the last model call stopped: "stop", "length", "tool_calls" and so on.
            finish_reason: Option<String> [text],
            /// Cost in millionths of a US dollar; `None` is unknown, never zero.
            cost_micros: Option<i64>,
            /// The version of the price table that the cost comes from; `None` where the spans or the caller gave the cost.
            price_version: Option<String>,
            /// How it ended.
            execution_status: ExecutionStatus,
            /// The kind of error that the run failed with (OpenTelemetry error.type).
            error_type: Option<String> [text],
            /// When it began.
            started_at: Timestamp,
            /// When it ended.
            completed_at: Option<Timestamp>,
            /// Who brought it.
            source: RecordSource,
            /// Whether it is test data.
            is_synthetic: bool,
            /// The scenario that made it; always set when synthetic.
            synthetic_scenario_id: Option<String>,
            /// The caller's own id for cross-reference.
            correlation_id: Option<String> [text],
            /// What kind of actor started it.
            actor_type: Option<ActorType>,
            /// Who started it. An identifier: not redacted.
            actor_id: Option<String>,
            /// Steps of its trace when it was sealed.
            step_count: i64,
            /// RFC 6962 root over the steps' behaviour hashes.
            trace_root_hash: Option<Digest>,
        }
    } };
}
pub(crate) use llm_run;
llm_run!(record);
llm_run!(texts => RunTexts);

impl LlmRun {
    /// Microseconds from start to completion; `None` while the completion is unknown.
    #[must_use]
    pub fn duration_us(&self) -> Option<i64> {
        self.completed_at.map(|end| end.since(self.started_at))
    }
}
