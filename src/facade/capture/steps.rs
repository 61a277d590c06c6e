//! `recordSteps`: steps for a trace that was begun before; each stands for itself.

use std::collections::HashMap;

use super::super::LogsFacade;
use super::super::access::{ServerUse, open_for_server};
use super::batch::{Outcome, not_first, put_back, sorted_out};
use crate::capture::CaptureContext;
use crate::capture::input::{self, Weigh};
use crate::domain::append::{AppendUnit, TraceTouch};
use crate::domain::draft::DraftStep;
use crate::domain::ids::{RecordId, TraceId};
use crate::domain::input::{IdempotencyKey, StepInput};
use crate::domain::scope::Permission;
use crate::domain::trace::StoredStep;
use crate::error::{Code, Error, Result};

/// Most steps of one call.
pub(super) const STEPS_MAX: usize = 1_000;

/// What became of one step of `recordSteps`.
#[derive(Clone, Debug)]
pub enum StepResult {
    /// It is on record.
    Recorded(StoredStep),
    /// A step with this span id was on record before; the first truth stands.
    Existing {
        /// The step that stands; `FORBIDDEN` to those who may not read it: somebody else recorded it, or an earlier call.
        step: Result<StoredStep>,
        /// Whether what was sent now differs from it.
        differs: bool,
    },
    /// It cannot be recorded.
    Rejected(Error),
}

/// The answer of `recordSteps`.
#[derive(Clone, Debug)]
pub struct RecordedSteps {
    /// One result for each step, in order.
    pub results: Vec<StepResult>,
    /// The idempotency key had been used.
    pub is_replayed: bool,
}

/// Refuses more steps than one call may bring.
pub(super) fn check_step_count(count: usize) -> Result<()> {
    if count > STEPS_MAX {
        let message = format!("a call brings at most {STEPS_MAX} steps; send the rest with recordSteps");
        return Err(Error::limit(message, STEPS_MAX as u64, Some(count as u64)));
    }
    Ok(())
}

impl LogsFacade {
    /// Adds steps to a trace; each stands for itself.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `NOT_FOUND` when there is no such trace; `LIMIT_EXCEEDED` beyond 1,000 steps.
    pub async fn record_steps(
        &self,
        trace_id: TraceId,
        steps: Vec<Result<StepInput>>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RecordedSteps> {
        self.require(Permission::RunsWrite)?;
        check_step_count(steps.len())?;
        let trace = open_for_server(ServerUse::Judging, self.find_trace(&trace_id).await?);
        let keyed = self.keyed("recordSteps", idempotency.as_ref()).await?;
        if let Some(keyed) = keyed.as_ref().filter(|_| trace.is_none()) {
            // A key that was used for something else says so, whatever this input names.
            self.first(keyed).await?;
        }
        let trace = trace.ok_or_else(|| no_such_trace(&trace_id))?;
        let context = self.capture_context().await?;
        let (drafts, faults) = sorted_out(self.captured_steps(&context, &trace_id, steps).await?);
        let signals = crate::domain::settle::TraceSignals { is_open: trace.seal.is_none(), ..input::signals(&drafts) };
        let records = drafts.into_iter().map(|draft| self.logs.new_step(draft)).collect::<Result<Vec<_>>>()?;
        let touches = vec![TraceTouch { trace_id: trace_id.clone(), signals }];
        let unit = AppendUnit { touches, ..AppendUnit::evidence(self.scope.tenant.clone(), records) };
        let (outcomes, is_replayed) = self.append_batch(keyed.as_ref(), unit).await?;
        self.steps_recorded(put_back(faults, outcomes), is_replayed).await
    }

    /// The steps as they are recorded, each for itself.
    pub(super) async fn captured_steps(
        &self,
        context: &CaptureContext,
        trace_id: &TraceId,
        steps: Vec<Result<StepInput>>,
    ) -> Result<Vec<Result<DraftStep>>> {
        let (context, trace_id) = (context.clone(), trace_id.clone());
        let bytes = steps.iter().flatten().map(Weigh::weight).sum();
        let named: Vec<_> = steps.into_iter().zip(self.fresh_span_ids()?).collect();
        let capture = move || {
            let captured = |(step, span_id): (Result<StepInput>, String)| {
                step.and_then(|step| input::step(&context, &trace_id, step, &span_id))
            };
            named.into_iter().map(captured).collect()
        };
        self.logs.0.capturing.aside.capture(&self.scope.tenant, bytes, capture).await
    }

    async fn steps_recorded(&self, outcomes: Vec<Outcome>, is_replayed: bool) -> Result<RecordedSteps> {
        Ok(RecordedSteps { results: self.step_results(outcomes).await?, is_replayed })
    }

    /// Reads the records that the outcomes name.
    async fn step_results(&self, outcomes: Vec<Outcome>) -> Result<Vec<StepResult>> {
        let ids: Vec<RecordId> = outcomes.iter().filter_map(Outcome::id).collect();
        let steps: HashMap<RecordId, Result<StoredStep>> =
            self.audit.told_each(self.store().steps_by_id(&self.scope, &ids).await?);
        let find = |id| steps.get(&id).cloned().ok_or_else(not_first);
        let result = |outcome| match outcome {
            Outcome::Recorded(id) => find(id)?.map(StepResult::Recorded),
            Outcome::Existing(id, differs) => find(id).map(|step| StepResult::Existing { step, differs }),
            Outcome::Rejected(error) => Err(error),
        };
        Ok(outcomes.into_iter().map(|outcome| result(outcome).unwrap_or_else(StepResult::Rejected)).collect())
    }
}

/// The error for a trace that is not there.
pub(super) fn no_such_trace(trace_id: &TraceId) -> Error {
    Error::new(Code::NotFound, format!("there is no trace {trace_id}; begin it with startTrace"))
}
