//! `recordSteps`: steps for a trace that was begun before; each stands for itself.

use std::collections::HashMap;

use super::super::LogsFacade;
use super::batch::{Outcome, not_first, put_back, sorted_out};
use crate::capture::input;
use crate::domain::append::{AppendUnit, TraceTouch};
use crate::domain::ids::{RecordId, TraceId};
use crate::domain::input::{IdempotencyKey, StepInput};
use crate::domain::scope::Permission;
use crate::domain::trace::{StoredStep, StoredTrace};
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
    pub trace: StoredTrace,
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
        let trace = self.find_trace(&trace_id).await?.ok_or_else(|| no_such_trace(&trace_id))?;
        let keyed = self.keyed("recordSteps", idempotency.as_ref()).await?;
        let context = self.capture_context().await?;
        let mut drafts = Vec::with_capacity(steps.len());
        for step in steps {
            let fallback = self.fresh_span_id()?;
            drafts.push(step.and_then(|step| input::step(&context, &trace_id, step, &fallback)));
        }
        let (drafts, faults) = sorted_out(drafts);
        let signals = crate::domain::settle::TraceSignals { is_open: trace.seal.is_none(), ..input::signals(&drafts) };
        let records = drafts.into_iter().map(|draft| self.logs.new_step(draft)).collect::<Result<Vec<_>>>()?;
        let touches = vec![TraceTouch { trace_id: trace_id.clone(), signals }];
        let unit = AppendUnit { touches, ..AppendUnit::evidence(self.scope.tenant.clone(), records) };
        let (outcomes, is_replayed) = self.append_batch(keyed.as_ref(), unit).await?;
        self.steps_recorded(trace, put_back(faults, outcomes), is_replayed).await
    }

    async fn steps_recorded(
        &self,
        trace: StoredTrace,
        outcomes: Vec<Outcome>,
        is_replayed: bool,
    ) -> Result<RecordedSteps> {
        let results = self.step_results(outcomes).await?;
        let trace = self.find_trace(&trace.trace.trace_id).await?.unwrap_or(trace);
        Ok(RecordedSteps { trace, results, is_replayed })
    }

    /// Reads the records that the outcomes name.
    async fn step_results(&self, outcomes: Vec<Outcome>) -> Result<Vec<StepResult>> {
        let ids: Vec<RecordId> = outcomes.iter().filter_map(Outcome::id).collect();
        let steps: HashMap<RecordId, StoredStep> = self.store().steps_by_id(&self.scope, &ids).await?;
        let find = |id| steps.get(&id).cloned();
        Ok(outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Outcome::Recorded(id) => {
                    find(id).map_or_else(|| StepResult::Rejected(not_first()), StepResult::Recorded)
                }
                Outcome::Existing(id, differs) => find(id)
                    .map_or_else(|| StepResult::Rejected(not_first()), |step| StepResult::Existing { step, differs }),
                Outcome::Rejected(error) => StepResult::Rejected(error),
            })
            .collect())
    }
}

/// The error for a trace that is not there.
pub(super) fn no_such_trace(trace_id: &TraceId) -> Error {
    Error::new(Code::NotFound, format!("there is no trace {trace_id}; begin it with startTrace"))
}
