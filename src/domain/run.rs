//! LLM runs: the canonical immutable record of one execution.

use std::ops::Deref;
use std::sync::Arc;

use super::ids::{Digest, RecordId, RunId, TenantId, TraceId};
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

/// One revision of a run. The newest revision is the run; older ones stay readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmRun {
    /// The run's name, unique with `revision` within the tenant.
    pub run_id: RunId,
    /// 1 for the first record of the run.
    pub revision: i64,
    /// The trace it was made from.
    pub trace_id: Option<TraceId>,
    /// A readable name: the root span's name, or what the caller gave.
    pub name: Option<String>,
    /// The agent that ran.
    pub agent_id: Option<String>,
    /// The conversation or session it belongs to.
    pub session_id: Option<String>,
    /// The end user it served. An identifier: not redacted.
    pub end_user_id: Option<String>,
    /// Labels, sorted bytewise, without repeats.
    pub tags: Vec<String>,
    /// The provider, for example `openai`; `unknown` where nothing says it.
    pub provider: String,
    /// The model, for example `gpt-4o`; `unknown` where nothing says it.
    pub model: String,
    /// `gen_ai.operation.name`: chat, embeddings, invoke_agent ...
    pub operation: Option<String>,
    /// OpenTelemetry `service.name`.
    pub service_name: Option<String>,
    /// OpenTelemetry `service.instance.id`.
    pub service_instance_id: Option<String>,
    /// OpenTelemetry `service.version`.
    pub service_version: Option<String>,
    /// OpenTelemetry `deployment.environment.name`.
    pub environment: Option<String>,
    /// Keyed digest of the prompt.
    pub prompt_hash: Option<Digest>,
    /// Keyed digest of the response.
    pub response_hash: Option<Digest>,
    /// Tokens sent to models, each call counted once.
    pub input_tokens: i64,
    /// Tokens that models produced, each call counted once.
    pub output_tokens: i64,
    /// Of the input tokens, those read from a provider's cache.
    pub cached_input_tokens: Option<i64>,
    /// Of the output tokens, those spent on reasoning.
    pub reasoning_tokens: Option<i64>,
    /// Microseconds until the first token of the first streamed call.
    pub time_to_first_token_us: Option<i64>,
    /// Why the last call stopped: stop, length, tool_calls ...
    pub finish_reason: Option<String>,
    /// Cost in millionths of a US dollar; `None` is unknown, never zero.
    pub cost_micros: Option<i64>,
    /// The version of the price table that the cost comes from; `None` where the spans or the caller gave the cost.
    pub price_version: Option<String>,
    /// How it ended.
    pub execution_status: ExecutionStatus,
    /// OpenTelemetry `error.type` of the failure.
    pub error_type: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Who brought it.
    pub source: RecordSource,
    /// Whether it is test data.
    pub is_synthetic: bool,
    /// The scenario that made it; always set when synthetic.
    pub synthetic_scenario_id: Option<String>,
    /// The caller's own id for cross-reference.
    pub correlation_id: Option<String>,
    /// What kind of actor started it.
    pub actor_type: Option<ActorType>,
    /// Who started it. An identifier: not redacted.
    pub actor_id: Option<String>,
    /// Steps of its trace when it was sealed.
    pub step_count: i64,
    /// RFC 6962 root over the steps' behaviour hashes.
    pub trace_root_hash: Option<Digest>,
}

impl LlmRun {
    /// Microseconds from start to completion; `None` while the completion is unknown.
    #[must_use]
    pub fn duration_us(&self) -> Option<i64> {
        self.completed_at.map(|end| end.since(self.started_at))
    }
}
