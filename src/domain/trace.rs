//! Traces, their steps and their seals.

use std::ops::Deref;
use std::sync::Arc;

use super::ids::{Digest, RecordId, RunId, TraceId};
use super::record::record;
use super::run::Stored;
use super::time::Timestamp;
use super::vocabulary::{ExecutionStatus, OutcomeCategory, StepKind, StepStatus, TraceStatus, vocabulary};

/// The version of the trace format that we write.
pub const TRACE_SCHEMA_VERSION: &str = "1";

macro_rules! trace {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// A trace as it was begun. Its end is a [`TraceSeal`].
        Trace in "trace": Trace {
            /// The trace's name, unique within the tenant.
            trace_id: TraceId,
            /// The run it belongs to, as far as it was known when the trace began.
            run_id: RunId,
            /// The agent that ran.
            agent_id: Option<String>,
            /// The run that started this one.
            parent_run_id: Option<String>,
            /// The caller's own id for cross-reference.
            correlation_id: Option<String>,
            /// The caller's hash of the plan that is carried out.
            plan_hash: Option<String>,
            /// The random seed of the run.
            seed: Option<i64>,
            /// The instant that a replayed run sees as now.
            frozen_at: Option<Timestamp>,
            /// Version of the trace format.
            schema_version: String,
            /// How a replay treats effects, in the caller's words; `None` for an original run.
            replay_mode: Option<String>,
            /// Whether it is test data.
            is_synthetic: bool,
            /// The scenario that made it; always set when synthetic.
            synthetic_scenario_id: Option<String>,
            /// OpenTelemetry `service.name`.
            service_name: Option<String>,
            /// OpenTelemetry `service.instance.id`.
            service_instance_id: Option<String>,
            /// OpenTelemetry `service.version`.
            service_version: Option<String>,
            /// OpenTelemetry `deployment.environment.name`.
            environment: Option<String>,
            /// When it began, as far as it was known when the first steps arrived.
            started_at: Timestamp,
            /// Commitment to the payload part `plan`.
            plan_commitment: Option<Digest> [commits Plan],
        }
    } };
}
pub(crate) use trace;
trace!(record);

macro_rules! trace_step {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// One step of a trace: a call, a tool, an agent's turn.
        TraceStep in "trace_step": TraceStep, assigned step_index: i64, is_late: bool {
            /// The trace it belongs to.
            trace_id: TraceId,
            /// The caller's own number for the step; not checked.
            caller_index: Option<i64>,
            /// The span's id, unique within the trace: 16 hex digits for OTLP.
            span_id: String,
            /// The span that it runs under.
            parent_span_id: Option<String>,
            /// 1 for a first try.
            attempt: i64,
            /// What it did.
            kind as step_kind: StepKind,
            /// The tool, agent or operation, else the span's name.
            skill_name: String,
            /// How it ended.
            status: StepStatus,
            /// The kind of outcome.
            outcome_category: OutcomeCategory,
            /// The outcome in the source's own words: `error.type`, an HTTP status.
            outcome_code: Option<String>,
            /// The provider that was called.
            provider: Option<String>,
            /// The model that was called.
            model: Option<String>,
            /// The provider's id of the answer.
            response_id: Option<String>,
            /// Tokens sent, as this span says it.
            input_tokens: Option<i64>,
            /// Tokens received, as this span says it.
            output_tokens: Option<i64>,
            /// Cost in millionths of a US dollar; `None` is unknown.
            cost_micros: Option<i64>,
            /// When it began.
            started_at: Timestamp,
            /// How long it took, in microseconds; never negative.
            duration_us: i64,
            /// Keyed digest of what went in.
            input_hash: Option<Digest>,
            /// Keyed digest of what came out.
            output_hash: Option<Digest>,
            /// The caller's key for `idempotencyCheck`.
            idempotency_key: Option<String>,
            /// The span id of the step that reports the same call; that one counts, this one does not.
            duplicate_of: Option<String>,
            /// Commitment to the payload part `attributes`.
            attributes_commitment: Option<Digest> [commits Attributes],
            /// Commitment to the payload part `content`.
            content_commitment: Option<Digest> [commits Content],
        }
    } };
}
pub(crate) use trace_step;
trace_step!(record);

impl TraceStep {
    /// When it ended.
    #[must_use]
    pub fn ended_at(&self) -> Timestamp {
        self.started_at.plus_micros(self.duration_us)
    }
}

/// A step with the columns that the ledger assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredStep {
    /// Order of recording within the trace, from 0, without gaps.
    pub step_index: i64,
    /// Whether it arrived after a seal.
    pub is_late: bool,
    /// The record.
    pub step: Stored<TraceStep>,
}

impl Deref for StoredStep {
    type Target = Stored<TraceStep>;
    fn deref(&self) -> &Stored<TraceStep> {
        &self.step
    }
}

/// Most seals of one trace that are shown: the newest.
pub const SEALS_OF_TRACE_MAX: u32 = 200;

macro_rules! trace_seal {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// The end of a trace. A later revision follows when LLM work arrives after the seal.
        TraceSeal in "trace_seal": TraceSeal {
            /// The trace it ends.
            trace_id: TraceId,
            /// 1 for the first seal.
            revision: i64,
            /// How the trace ended; never RUNNING.
            status: ExecutionStatus,
            /// Why, where there is something to say: `silent for 3600 s`, a caller's reason.
            reason: Option<String>,
            /// Steps when it was sealed.
            step_count: i64,
            /// RFC 6962 root over the steps' behaviour hashes in (started_at, span_id) order.
            root_hash: Digest,
            /// When the trace ended: its last step's end, or what the caller said.
            ended_at: Timestamp,
            /// Commitment to the payload part `metadata`.
            metadata_commitment: Option<Digest> [commits Metadata],
        }
    } };
}
pub(crate) use trace_seal;
trace_seal!(record);

/// A trace as it is read: its record, its newest seal, and how many steps it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceView {
    /// The record of its beginning.
    pub trace: Stored<Trace>,
    /// Its newest seal; `None` while it is running.
    pub seal: Option<Stored<TraceSeal>>,
    /// Steps recorded so far, late ones included.
    pub step_count: i64,
}

/// A trace as it is read. Shared: everything that hangs below it holds it.
pub type StoredTrace = Arc<TraceView>;

impl TraceView {
    /// RUNNING without a seal, else what the newest seal says.
    #[must_use]
    pub fn status(&self) -> TraceStatus {
        self.seal.as_ref().map_or(TraceStatus::Running, |seal| seal.status.into())
    }
}

/// How a caller points at a trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TraceRef {
    /// By its name.
    TraceId(TraceId),
    /// By the run made from it.
    RunId(RunId),
    /// By the root hash of a seal; the newest such trace.
    RootHash(Digest),
}

/// What steps a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StepFilter {
    /// Only these kinds; empty means all.
    pub kinds: Vec<StepKind>,
    /// Only these statuses; empty means all.
    pub statuses: Vec<StepStatus>,
}

/// What `idempotencyCheck` finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyHit {
    /// The step's record id.
    pub id: RecordId,
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its place in the trace.
    pub step_index: i64,
    /// How it ended.
    pub status: StepStatus,
    /// What came out, as a keyed digest.
    pub output_hash: Option<Digest>,
    /// The kind of outcome.
    pub outcome: OutcomeCategory,
}

/// Sums over a trace's steps, each model call counted once. Kept in the newest seal's metadata; computed while running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceTotals {
    /// Model calls.
    pub calls: i64,
    /// Tokens sent to models.
    pub input_tokens: i64,
    /// Tokens that models produced.
    pub output_tokens: i64,
    /// Cost in millionths of a US dollar; `None` where a counted call has no known cost.
    pub cost_micros: Option<i64>,
}

/// How many steps of a kind and status a trace has: one row of its summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepGroup {
    /// The kind.
    pub kind: StepKind,
    /// The status.
    pub status: StepStatus,
    /// How many.
    pub count: i64,
    /// How many of them came after a seal.
    pub late: i64,
}

vocabulary!(
    /// Why two traces do not behave alike.
    DivergenceReason {
        /// The steps at that place differ in kind or in skill.
        Work = "WORK",
        /// They differ in status or in outcome.
        Outcome = "OUTCOME",
        /// They differ in what went in.
        Input = "INPUT",
        /// They differ in the attempt.
        Attempt = "ATTEMPT",
        /// One trace ends where the other one goes on.
        Length = "LENGTH",
    }
);

/// How two traces compare, step by step in (started_at, span_id) order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceComparison {
    /// The left trace.
    pub left: StoredTrace,
    /// The right trace.
    pub right: StoredTrace,
    /// Root over the left trace's behaviour hashes, as of now.
    pub left_root_hash: Digest,
    /// Root over the right trace's behaviour hashes, as of now.
    pub right_root_hash: Digest,
    /// Where they first part; `None` when they behave alike.
    pub divergence: Option<Divergence>,
}

/// The first place where two traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The place, from 0, in (started_at, span_id) order.
    pub position: i64,
    /// Why.
    pub reason: DivergenceReason,
    /// The left trace's step there; `None` where it has ended.
    pub left: Option<StoredStep>,
    /// The right trace's step there; `None` where it has ended.
    pub right: Option<StoredStep>,
}
