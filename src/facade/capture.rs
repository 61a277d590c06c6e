//! Writes: OTLP requests and the six mutations. Everything goes through `capture` (pure) to the one append.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::LogsFacade;
use super::runs::StoredRun;
use crate::domain::ids::TraceId;
use crate::domain::input::{RunInput, SealInput, StepInput, TraceInput};
use crate::domain::trace::{StoredStep, TraceView};
use crate::error::{Error, Result};

/// What became of an OTLP request. All accepted spans are committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// Spans that are now on record, re-exports included.
    pub accepted: i64,
    /// Of them, those that were on record before.
    pub existing: i64,
    /// Of those, the ones that differ from what is on record; the first truth stands.
    pub differing: i64,
    /// Spans that cannot be recorded.
    pub rejected: i64,
    /// Why, for the exporter's log: the first few reasons.
    pub message: Option<String>,
}

/// The answer of `recordLlmRun`, `recordTrace`, `startTrace`, `completeTrace` and `abortTrace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The run, where one was written.
    pub run: Option<StoredRun>,
    /// The trace, where there is one.
    pub trace: Option<TraceView>,
    /// The idempotency key had been used: this is the first answer again.
    pub is_replayed: bool,
}

/// What became of one step of `recordSteps`.
#[derive(Clone, Debug)]
pub enum StepResult {
    /// It is on record.
    Recorded(StoredStep),
    /// A step with this span id was on record before; the first truth stands.
    Existing {
        /// The step that stands.
        step: StoredStep,
        /// Whether what was sent now differs from it.
        differs: bool,
    },
    /// It cannot be recorded.
    Rejected(Error),
}

/// The answer of `recordSteps`.
#[derive(Clone, Debug)]
pub struct RecordedSteps {
    /// The trace.
    pub trace: TraceView,
    /// One result for each step, in order.
    pub results: Vec<StepResult>,
    /// The idempotency key had been used.
    pub is_replayed: bool,
}

impl LogsFacade {
    /// Records the spans of an OTLP request. Needs `runs:write`.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait: nothing of it may be taken as recorded, send it again.
    pub async fn ingest_otlp(&self, _request: ExportTraceServiceRequest) -> Result<IngestReport> {
        unimplemented!()
    }

    /// Records a whole run, with its trace and steps where there are any.
    pub async fn record_llm_run(
        &self,
        _run: RunInput,
        _trace: Option<(TraceInput, Vec<StepInput>)>,
        _idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        unimplemented!()
    }

    /// Records a whole trace and seals it; with LLM work in it, its run too.
    pub async fn record_trace(
        &self,
        _trace: TraceInput,
        _steps: Vec<StepInput>,
        _seal: SealInput,
        _run: Option<RunInput>,
        _idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        unimplemented!()
    }

    /// Begins a trace that stays open until it is completed, aborted or silent for too long.
    pub async fn start_trace(&self, _trace: TraceInput, _idempotency_key: Option<String>) -> Result<Recorded> {
        unimplemented!()
    }

    /// Adds steps to a trace; each stands for itself.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such trace.
    pub async fn record_steps(
        &self,
        _trace_id: TraceId,
        _steps: Vec<StepInput>,
        _idempotency_key: Option<String>,
    ) -> Result<RecordedSteps> {
        unimplemented!()
    }

    /// Seals a trace and, with LLM work in it or `run` given, records its run.
    ///
    /// # Errors
    /// `NOT_FOUND` when there is no such trace, `CONFLICT` when it is sealed and has no newer steps.
    pub async fn complete_trace(
        &self,
        _trace_id: TraceId,
        _seal: SealInput,
        _run: Option<RunInput>,
        _idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        unimplemented!()
    }

    /// Seals a trace as ABORTED.
    ///
    /// # Errors
    /// As for [`Self::complete_trace`].
    pub async fn abort_trace(
        &self,
        _trace_id: TraceId,
        _reason: Option<String>,
        _idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        unimplemented!()
    }
}
