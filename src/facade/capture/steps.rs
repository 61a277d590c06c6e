//! `recordSteps`: steps for a trace that was begun before; each stands for itself.

use std::collections::HashMap;

use super::super::LogsFacade;
use super::super::access::{ServerUse, open_for_server};
use super::Answer;
use crate::capture::input;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, NewRecord, TraceTouch};
use crate::domain::ids::{RecordId, TraceId};
use crate::domain::input::StepInput;
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

/// What is known of a step before its record is read.
enum Outcome {
    Recorded(RecordId),
    Existing(RecordId, bool),
    Rejected(Error),
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
        steps: Vec<StepInput>,
        idempotency_key: Option<String>,
    ) -> Result<RecordedSteps> {
        self.require(Permission::RunsWrite)?;
        check_step_count(steps.len())?;
        let trace = open_for_server(ServerUse::Judging, self.find_trace(&trace_id).await?);
        let trace = trace.ok_or_else(|| no_such_trace(&trace_id))?;
        let (keyed, first) = self.keyed("recordSteps", idempotency_key, &(&trace_id, &steps)).await?;
        if let Some(first) = first {
            return self.steps_recorded(replayed(first), true).await;
        }
        let context = self.capture_context().await?;
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(steps.len());
        let mut drafts = Vec::new();
        for step in steps {
            match input::step(&context, &trace_id, step, &self.fresh_span_id()?) {
                Ok(draft) => {
                    drafts.push(draft);
                    outcomes.push(None);
                }
                Err(error) => outcomes.push(Some(Outcome::Rejected(error))),
            }
        }
        let signals = crate::domain::settle::TraceSignals { is_open: trace.seal.is_none(), ..input::signals(&drafts) };
        let records = drafts.into_iter().map(|draft| self.logs.new_step(draft)).collect::<Result<Vec<_>>>()?;
        let answer = Answer { steps: records.iter().filter_map(step_id).collect(), ..Answer::default() };
        let unit = AppendUnit {
            touches: vec![TraceTouch { trace_id: trace_id.clone(), signals }],
            idempotency: keyed.map(|keyed| keyed.claim(&answer)).transpose()?,
            ..AppendUnit::evidence(self.scope.tenant.clone(), records)
        };
        match self.append(unit).await? {
            AppendReceipt::Done(results) => {
                let fresh = results.into_iter().map(outcome).collect();
                self.steps_recorded(fill(outcomes, fresh), false).await
            }
            AppendReceipt::Replayed(first) => {
                let first = self.first_answer(&first)?;
                self.steps_recorded(replayed(first), true).await
            }
            AppendReceipt::Stale => Err(Error::internal("a unit without guard was called stale")),
        }
    }

    async fn steps_recorded(&self, outcomes: Vec<Outcome>, is_replayed: bool) -> Result<RecordedSteps> {
        Ok(RecordedSteps { results: self.step_results(outcomes).await?, is_replayed })
    }

    /// Reads the records that the outcomes name.
    async fn step_results(&self, outcomes: Vec<Outcome>) -> Result<Vec<StepResult>> {
        let ids: Vec<RecordId> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Recorded(id) | Outcome::Existing(id, _) => Some(*id),
                Outcome::Rejected(_) => None,
            })
            .collect();
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

/// A replayed answer names the records that the first request meant to write; what it did not write is gone.
fn not_first() -> Error {
    Error::new(Code::Conflict, "the first request with this idempotency key did not record this step")
}

fn step_id(record: &NewRecord) -> Option<uuid::Uuid> {
    match record {
        NewRecord::Step(step, _) => Some(step.id.0),
        _ => None,
    }
}

fn outcome(result: AppendResult) -> Outcome {
    match result {
        AppendResult::New(appended) => Outcome::Recorded(appended.id),
        AppendResult::Existing { id, differs } => Outcome::Existing(id, differs),
        AppendResult::Rejected(error) => Outcome::Rejected(error),
    }
}

fn replayed(first: Answer) -> Vec<Outcome> {
    first.steps.into_iter().map(|id| Outcome::Recorded(RecordId(id))).collect()
}

/// Puts the outcomes of the steps that were sent into the places of those that were not refused before.
fn fill(outcomes: Vec<Option<Outcome>>, fresh: Vec<Outcome>) -> Vec<Outcome> {
    let mut fresh = fresh.into_iter();
    let next = |fresh: &mut std::vec::IntoIter<Outcome>| fresh.next().unwrap_or_else(|| Outcome::Rejected(not_first()));
    outcomes.into_iter().map(|known| known.unwrap_or_else(|| next(&mut fresh))).collect()
}
