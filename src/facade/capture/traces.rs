//! `recordTrace`, `startTrace`, `completeTrace`, `abortTrace`.

use super::super::LogsFacade;
use super::super::access::{ServerUse, open_for_server};
use super::steps::{check_step_count, no_such_trace};
use super::{Answer, KeyedRequest, Recorded};
use crate::capture::seal::SealOptions;
use crate::capture::{input, seal};
use crate::domain::append::{AppendUnit, NewRecord, SealGuard, TraceTouch};
use crate::domain::draft::{DraftTrace, SealSource};
use crate::domain::ids::{RunId, TraceId};
use crate::domain::input::{RunInput, SealInput, StepInput, TraceInput};
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::domain::settle::TraceSignals;
use crate::domain::vocabulary::ExecutionStatus;
use crate::error::{Code, Error, Result};
use crate::ledger::behaviour;

/// How often completing a trace is tried again when steps arrive in between.
const SEAL_TRIES: usize = 5;

impl LogsFacade {
    /// Records a whole trace and seals it; with LLM work in it or `run` given, its run too. All or nothing.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `CONFLICT` when the trace, or a run of its name, exists; `LIMIT_EXCEEDED` beyond
    /// 1,000 steps.
    pub async fn record_trace(
        &self,
        trace: TraceInput,
        steps: Vec<StepInput>,
        seal: SealInput,
        run: Option<RunInput>,
        idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        self.record_whole("recordTrace", trace, steps, seal, run, idempotency_key).await
    }

    pub(super) async fn record_whole(
        &self,
        operation: &'static str,
        trace: TraceInput,
        steps: Vec<StepInput>,
        seal: SealInput,
        run: Option<RunInput>,
        idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        self.require(Permission::RunsWrite)?;
        check_step_count(steps.len())?;
        let (keyed, first) = self.keyed(operation, idempotency_key, &(&trace, &steps, &seal, &run)).await?;
        if let Some(first) = first {
            return self.recorded(first, true).await;
        }
        let context = self.capture_context().await?;
        let now = self.logs.0.clock.now();
        let named = run.as_ref().and_then(|run| run.run_id.clone());
        let mut trace = input::trace(trace, &TraceId::trusted(self.fresh_name()), now)?;
        if let Some(run_id) = named {
            trace.trace.run_id = run_id;
        }
        for step in steps {
            trace.steps.push(input::step(&context, &trace.trace.trace_id, step, &self.fresh_span_id()?)?);
        }
        let source = self.unsaved_source(&trace);
        let options = self.seal_options(seal, run, trace.trace.run_id.clone());
        let root_hash = behaviour::root(source.steps.iter().map(|(step, _)| step))?;
        let draft = seal::seal(&context, &source, root_hash, options)?;
        let (end, run_record) = self.logs.new_seal(draft)?;
        let trace_id = trace.trace.trace_id.clone();
        let signals = input::signals(&trace.steps);
        let mut records = vec![self.logs.new_trace(trace.trace, trace.payloads)?];
        for step in trace.steps {
            records.push(self.logs.new_step(step)?);
        }
        let seal = end.first().map(|seal| seal.id().0);
        records.extend(end);
        let answer = Answer {
            run: run_record.map(|id| id.0),
            trace_id: Some(trace_id.as_str().to_owned()),
            trace: records.first().map(|trace| trace.id().0),
            seal,
            ..Answer::default()
        };
        self.record_atomically(records, vec![TraceTouch { trace_id, signals }], keyed, answer).await
    }

    pub(super) async fn record_atomically(
        &self,
        records: Vec<NewRecord>,
        touches: Vec<TraceTouch>,
        keyed: Option<KeyedRequest>,
        answer: Answer,
    ) -> Result<Recorded> {
        let tenant = self.scope.tenant.clone();
        let idempotency = keyed.map(|keyed| keyed.claim(&answer)).transpose()?;
        let unit = AppendUnit { is_atomic: true, touches, idempotency, ..AppendUnit::evidence(tenant, records) };
        let stale = || Error::internal("a unit without guard was called stale");
        self.record(unit, answer).await?.ok_or_else(stale)
    }

    /// Begins a trace that stays open until it is completed, aborted or silent for too long.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `CONFLICT` when the trace exists.
    pub async fn start_trace(&self, trace: TraceInput, idempotency_key: Option<String>) -> Result<Recorded> {
        self.require(Permission::RunsWrite)?;
        let (keyed, first) = self.keyed("startTrace", idempotency_key, &trace).await?;
        if let Some(first) = first {
            return self.recorded(first, true).await;
        }
        let trace = input::trace(trace, &TraceId::trusted(self.fresh_name()), self.logs.0.clock.now())?;
        let trace_id = trace.trace.trace_id.clone();
        let records = vec![self.logs.new_trace(trace.trace, trace.payloads)?];
        let answer = Answer {
            trace_id: Some(trace_id.as_str().to_owned()),
            trace: records.first().map(|trace| trace.id().0),
            ..Answer::default()
        };
        let signals = TraceSignals { is_open: true, ..TraceSignals::default() };
        self.record_atomically(records, vec![TraceTouch { trace_id, signals }], keyed, answer).await
    }

    /// Seals a trace and, with LLM work in it or `run` given, records its run.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `NOT_FOUND` when there is no such trace; `CONFLICT` when it is sealed and has no
    /// newer steps; `UNAVAILABLE` when steps keep arriving.
    pub async fn complete_trace(
        &self,
        trace_id: TraceId,
        seal: SealInput,
        run: Option<RunInput>,
        idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        self.seal_trace("completeTrace", trace_id, seal, run, idempotency_key).await
    }

    /// Seals a trace as ABORTED.
    ///
    /// # Errors
    /// As for [`Self::complete_trace`].
    pub async fn abort_trace(
        &self,
        trace_id: TraceId,
        reason: Option<String>,
        idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        let seal = SealInput { status: Some(ExecutionStatus::Aborted), reason, ..SealInput::default() };
        self.seal_trace("abortTrace", trace_id, seal, None, idempotency_key).await
    }

    async fn seal_trace(
        &self,
        operation: &'static str,
        trace_id: TraceId,
        seal: SealInput,
        run: Option<RunInput>,
        idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        self.require(Permission::RunsWrite)?;
        let (keyed, first) = self.keyed(operation, idempotency_key, &(&trace_id, &seal, &run)).await?;
        if let Some(first) = first {
            return self.recorded(first, true).await;
        }
        for _ in 0..SEAL_TRIES {
            let sources = self.store().seal_sources(&self.scope.tenant, std::slice::from_ref(&trace_id)).await?;
            let sources = open_for_server(ServerUse::Sealing, sources);
            let source = sources.into_iter().next().ok_or_else(|| no_such_trace(&trace_id))?;
            self.refuse_second_seal(&source).await?;
            if let Some(recorded) = self.try_seal(&source, seal.clone(), run.clone(), keyed.clone()).await? {
                return Ok(recorded);
            }
        }
        Err(Error::unavailable("steps keep arriving; try again when the trace is quiet", 1_000))
    }

    /// One try to seal; `None` when steps arrived since the source was read.
    async fn try_seal(
        &self,
        source: &SealSource,
        seal: SealInput,
        run: Option<RunInput>,
        keyed: Option<KeyedRequest>,
    ) -> Result<Option<Recorded>> {
        let context = self.capture_context().await?;
        let run_id = run.as_ref().and_then(|run| run.run_id.clone());
        let run_id = run_id.unwrap_or_else(|| source.trace.run_id.clone());
        let options = self.seal_options(seal, run, run_id);
        let root_hash = behaviour::root(source.steps.iter().map(|(step, _)| step))?;
        let filled = self.logs.with_contents(&self.scope.tenant, &context, source.clone()).await?;
        let (records, run_record) = self.logs.new_seal(seal::seal(&context, &filled, root_hash, options)?)?;
        let trace_id = source.trace.trace_id.clone();
        let answer = Answer {
            run: run_record.map(|id| id.0),
            trace_id: Some(trace_id.as_str().to_owned()),
            seal: records.first().map(|seal| seal.id().0),
            ..Answer::default()
        };
        let idempotency = keyed.map(|keyed| keyed.claim(&answer)).transpose()?;
        let unit = AppendUnit {
            is_atomic: true,
            idempotency,
            guard: Some(SealGuard { trace_id, version: source.version }),
            ..AppendUnit::evidence(self.scope.tenant.clone(), records)
        };
        self.record(unit, answer).await
    }

    /// A seal over the same steps again would say nothing new.
    async fn refuse_second_seal(&self, source: &SealSource) -> Result<()> {
        let trace = open_for_server(ServerUse::Judging, self.find_trace(&source.trace.trace_id).await?);
        let sealed = trace.and_then(|view| view.seal.clone());
        match sealed {
            Some(seal) if seal.step_count == i64::try_from(source.steps.len()).unwrap_or(i64::MAX) => {
                Err(Error::new(Code::Conflict, format!("the trace {} is sealed already", source.trace.trace_id)))
            }
            _ => Ok(()),
        }
    }

    fn seal_options(&self, seal: SealInput, run: Option<RunInput>, run_id: RunId) -> SealOptions {
        SealOptions {
            status: seal.status,
            reason: seal.reason,
            ended_at: seal.ended_at,
            metadata: seal.metadata,
            run,
            run_id,
            conflicting_run_id: None,
        }
    }

    /// What sealing needs of a trace that is not on record yet. Its id, seq and instant are never looked at.
    fn unsaved_source(&self, trace: &DraftTrace) -> SealSource {
        let now = self.logs.0.clock.now();
        SealSource {
            trace: Stored {
                id: self.logs.0.clock.new_id(),
                tenant_id: self.scope.tenant.clone(),
                seq: 0,
                created_at: now,
                record: trace.trace.clone(),
            },
            steps: trace.steps.iter().map(|draft| (draft.step.clone(), draft.facts.text.clone())).collect(),
            seal_revision: 0,
            run: None,
            signals: trace.signals,
            version: 0,
        }
    }
}
