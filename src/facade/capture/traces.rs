//! `recordTrace`, `startTrace`, `completeTrace`, `abortTrace`.

use super::super::LogsFacade;
use super::super::access::{ServerUse, open_for_server};
use super::contradictions::{
    Places, check_no_revision, check_run, check_same_run, check_spans, settle_end, settle_new,
};
use super::once::{Answer, KeyedRequest};
use super::steps::{check_step_count, no_such_trace};
use super::{Atomic, Recorded};
use crate::capture::seal::SealOptions;
use crate::capture::{CaptureContext, input, seal};
use crate::domain::append::{AppendUnit, SealGuard, TraceTouch};
use crate::domain::draft::{DraftSeal, DraftTrace, SealSource};
use crate::domain::ids::{Digest, RunId, TraceId};
use crate::domain::input::{IdempotencyKey, RunInput, SealInput, StepInput, TraceInput};
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::domain::settle::TraceSignals;
use crate::domain::trace::StepFilter;
use crate::domain::vocabulary::ExecutionStatus;
use crate::error::{Code, Error, Result};
use crate::ledger::behaviour;

/// A whole trace, as a caller hands it in.
pub(super) struct Whole {
    pub trace: TraceInput,
    pub steps: Vec<StepInput>,
    pub seal: SealInput,
    pub run: Option<RunInput>,
}

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
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Recorded> {
        let of_run = run.as_ref().and_then(|run| run.run_id.as_ref());
        check_same_run(("runId", trace.run_id.as_ref()), ("run.runId", of_run))?;
        check_no_revision(run.as_ref())?;
        self.record_whole("recordTrace", Places::OF_TRACE, Whole { trace, steps, seal, run }, idempotency).await
    }

    pub(super) async fn record_whole(
        &self,
        operation: &'static str,
        places: Places,
        mut whole: Whole,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Recorded> {
        self.require(Permission::RunsWrite)?;
        check_step_count(whole.steps.len())?;
        check_spans(&whole.steps)?;
        let Whole { trace, seal, run, .. } = &mut whole;
        check_run(places, run.as_ref())?;
        settle_new(places, trace, seal, run.as_ref())?;
        let keyed = self.keyed(operation, idempotency.as_ref()).await?;
        self.record_once(keyed.as_ref(), Box::pin(self.write_whole(places, whole, keyed.as_ref()))).await
    }

    /// Appends a whole trace with its seal and run.
    async fn write_whole(&self, places: Places, whole: Whole, keyed: Option<&KeyedRequest>) -> Result<Atomic> {
        let Whole { mut trace, steps, seal, run } = whole;
        let context = self.capture_context().await?;
        let now = self.logs.0.clock.now();
        // What is over has not begun now.
        trace.started_at = trace.started_at.or_else(|| steps.iter().map(|step| step.started_at).min());
        let named = run.as_ref().and_then(|run| run.run_id.clone());
        let fallback = TraceId::trusted(self.fresh_name());
        let mut trace = input::trace(trace, &fallback, now).map_err(|error| places.of_trace(error))?;
        if let Some(run_id) = named {
            trace.trace.run_id = run_id;
        }
        let steps = self.captured_steps(&context, &trace.trace.trace_id, steps.into_iter().map(Ok).collect()).await?;
        let steps = steps.into_iter().enumerate();
        let steps = steps.map(|(at, step)| step.map_err(|error| error.at_place("steps", at)));
        trace.steps = steps.collect::<Result<_>>()?;
        let source = self.unsaved_source(&trace);
        let options = self.seal_options(seal, run, trace.trace.run_id.clone());
        let root_hash = behaviour::root(source.steps.iter().map(|(step, _)| step))?;
        let draft = sealed(&context, places, root_hash, &source, options)?;
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
        self.append_atomically(records, vec![TraceTouch { trace_id, signals }], keyed, answer).await
    }

    /// Begins a trace that stays open until it is completed, aborted or silent for too long.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `CONFLICT` when the trace exists.
    pub async fn start_trace(&self, trace: TraceInput, idempotency: Option<IdempotencyKey>) -> Result<Recorded> {
        self.require(Permission::RunsWrite)?;
        let keyed = self.keyed("startTrace", idempotency.as_ref()).await?;
        let write = async {
            let trace = input::trace(trace, &TraceId::trusted(self.fresh_name()), self.logs.0.clock.now())?;
            let trace_id = trace.trace.trace_id.clone();
            let records = vec![self.logs.new_trace(trace.trace, trace.payloads)?];
            let answer = Answer {
                trace_id: Some(trace_id.as_str().to_owned()),
                trace: records.first().map(|trace| trace.id().0),
                ..Answer::default()
            };
            let signals = TraceSignals { is_open: true, ..TraceSignals::default() };
            self.append_atomically(records, vec![TraceTouch { trace_id, signals }], keyed.as_ref(), answer).await
        };
        self.record_once(keyed.as_ref(), Box::pin(write)).await
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
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Recorded> {
        self.seal_trace("completeTrace", trace_id, seal, run, idempotency).await
    }

    /// Seals a trace as ABORTED.
    ///
    /// # Errors
    /// As for [`Self::complete_trace`].
    pub async fn abort_trace(
        &self,
        trace_id: TraceId,
        reason: Option<String>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Recorded> {
        let seal = SealInput { status: Some(ExecutionStatus::Aborted), reason, ..SealInput::default() };
        self.seal_trace("abortTrace", trace_id, seal, None, idempotency).await
    }

    async fn seal_trace(
        &self,
        operation: &'static str,
        trace_id: TraceId,
        seal: SealInput,
        run: Option<RunInput>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Recorded> {
        self.require(Permission::RunsWrite)?;
        check_no_revision(run.as_ref())?;
        check_run(Places::OF_END, run.as_ref())?;
        let keyed = self.keyed(operation, idempotency.as_ref()).await?;
        self.record_once(keyed.as_ref(), Box::pin(self.write_seal(trace_id, seal, run, keyed.as_ref()))).await
    }

    /// Appends a trace's seal with its run.
    async fn write_seal(
        &self,
        trace_id: TraceId,
        seal: SealInput,
        run: Option<RunInput>,
        keyed: Option<&KeyedRequest>,
    ) -> Result<Atomic> {
        // Asked before the steps are read: that nothing is new is found out at little cost.
        self.refuse_second_seal(&trace_id, None).await?;
        for _ in 0..SEAL_TRIES {
            let root = |source: &SealSource, leaves: &mut Vec<Digest>| {
                behaviour::root_with(&source.steps, |(step, _)| step, leaves)
            };
            let trace_ids = std::slice::from_ref(&trace_id);
            let sources = self.logs.seal_sources(&self.scope.tenant, trace_ids, root).await?;
            let sources = open_for_server(ServerUse::Sealing, sources);
            let ready = sources.into_iter().next().ok_or_else(|| no_such_trace(&trace_id))?;
            let step_count = i64::try_from(ready.source.steps.len()).unwrap_or(i64::MAX);
            self.refuse_second_seal(&trace_id, Some(step_count)).await?;
            let written = self.try_seal(&ready.source, ready.made.clone()?, seal.clone(), run.clone(), keyed).await;
            let _ = self.logs.remember(ready);
            if let Some(written) = written? {
                return Ok(written);
            }
        }
        Err(Error::unavailable("steps keep arriving; try again when the trace is quiet", 1_000))
    }

    /// One try to seal; `None` when steps arrived since the source was read.
    async fn try_seal(
        &self,
        source: &SealSource,
        root_hash: Digest,
        mut seal: SealInput,
        run: Option<RunInput>,
        keyed: Option<&KeyedRequest>,
    ) -> Result<Option<Atomic>> {
        let context = self.capture_context().await?;
        settle_end(source, &mut seal, run.as_ref())?;
        let run_id = run.as_ref().and_then(|run| run.run_id.clone());
        let begun = &source.trace.record;
        // A trace that was begun without a run goes by its own name until now.
        if begun.run_id.as_str() != begun.trace_id.as_str() {
            check_same_run(("the trace's runId", Some(&begun.run_id)), ("run.runId", run_id.as_ref()))?;
        }
        let run_id = run_id.unwrap_or_else(|| begun.run_id.clone());
        let options = self.seal_options(seal, run, run_id);
        let filled = self.logs.with_contents(&self.scope.tenant, &context, source).await?;
        let draft = sealed(&context, Places::OF_END, root_hash, &filled, options)?;
        let (records, run_record) = self.logs.new_seal(draft)?;
        let trace_id = source.trace.trace_id.clone();
        let answer = Answer {
            run: run_record.map(|id| id.0),
            trace_id: Some(trace_id.as_str().to_owned()),
            seal: records.first().map(|seal| seal.id().0),
            ..Answer::default()
        };
        let guard = Some(SealGuard { trace_id, version: source.version });
        let unit = AppendUnit { guard, ..AppendUnit::evidence(self.scope.tenant.clone(), records) };
        self.append_whole(unit, keyed, answer).await
    }

    /// Answers that were kept before they named who asked did not say which record began the trace either: it is the one of
    /// that name, which was begun by the same request or not at all.
    pub(super) async fn complete_answer(&self, answer: &mut Answer) -> Result<()> {
        if let (None, None, Some(trace_id)) = (&answer.by, &answer.trace, &answer.trace_id) {
            let found = self.find_trace(&TraceId::trusted(trace_id.as_str())).await?;
            answer.trace = open_for_server(ServerUse::Judging, found).map(|view| view.trace.id.0);
        }
        Ok(())
    }

    /// A seal over the same steps again would say nothing new. Without a number of steps it is looked up.
    async fn refuse_second_seal(&self, trace_id: &TraceId, step_count: Option<i64>) -> Result<()> {
        let trace = open_for_server(ServerUse::Judging, self.find_trace(trace_id).await?);
        let Some(seal) = trace.and_then(|view| view.seal.clone()) else { return Ok(()) };
        let step_count = match step_count {
            Some(step_count) => step_count,
            None => {
                let trace_ids = std::slice::from_ref(trace_id);
                let all = StepFilter::default();
                let counts = self.store().count_steps_by_trace_id(&self.scope, trace_ids, &all);
                open_for_server(ServerUse::Judging, counts.await?).get(trace_id).copied().unwrap_or_default()
            }
        };
        if seal.step_count == step_count {
            return Err(Error::new(Code::Conflict, format!("the trace {trace_id} is sealed already")));
        }
        Ok(())
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
            first: 0,
            seal_revision: 0,
            run: None,
            signals: trace.signals,
            version: 0,
        }
    }
}

/// The end of a trace, with its run.
fn sealed(
    context: &CaptureContext,
    places: Places,
    root_hash: Digest,
    filled: &SealSource,
    options: SealOptions,
) -> Result<DraftSeal> {
    seal::seal(context, filled, root_hash, options).map_err(|error| places.of_end(error))
}
