//! `recordLlmRun`: a whole run, with its trace and steps where there are any.

use super::super::LogsFacade;
use super::{Answer, Recorded};
use crate::capture::input;
use crate::domain::append::NewRecord;
use crate::domain::ids::RunId;
use crate::domain::input::{RunInput, SealInput, StepInput, TraceInput};
use crate::domain::scope::Permission;
use crate::error::{Code, Error, Result};

impl LogsFacade {
    /// Records a whole run, with its trace and steps where there are any. All or nothing.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `CONFLICT` when the run exists and `supersedesRevision` is not its newest
    /// revision, or when the trace exists.
    pub async fn record_llm_run(
        &self,
        run: RunInput,
        trace: Option<(TraceInput, Vec<StepInput>)>,
        idempotency_key: Option<String>,
    ) -> Result<Recorded> {
        if let Some((trace, steps)) = trace {
            if run.supersedes_revision.is_some() {
                let message =
                    "a revision of a run keeps its trace; leave trace and steps out, or add steps with recordSteps";
                return Err(Error::input("supersedesRevision", message));
            }
            let seal = SealInput { status: run.execution_status, ended_at: run.completed_at, ..SealInput::default() };
            return self.record_whole("recordLlmRun", trace, steps, seal, Some(run), idempotency_key).await;
        }
        self.require(Permission::RunsWrite)?;
        let (keyed, first) = self.keyed("recordLlmRun", idempotency_key, &run).await?;
        if let Some(first) = first {
            return self.recorded(first, true).await;
        }
        let context = self.capture_context().await?;
        let fallback = RunId::trusted(self.fresh_name());
        let revision = match &run.run_id {
            Some(run_id) => self.next_revision(run_id, run.supersedes_revision).await?,
            None => 1,
        };
        let run = input::run(&context, run, &fallback, revision, self.logs.0.clock.now())?;
        let run = self.logs.new_run(run);
        let answer = Answer { run: Some(run.id.0), ..Answer::default() };
        self.record_atomically(vec![NewRecord::Run(Box::new(run))], Vec::new(), keyed, answer).await
    }

    /// The revision that a record of this run gets, or why it gets none.
    async fn next_revision(&self, run_id: &RunId, supersedes: Option<i64>) -> Result<i64> {
        let mut found = self.store().runs_by_run_id(&self.scope, std::slice::from_ref(run_id)).await?;
        match (found.remove(run_id).map(|run| run.revision), supersedes) {
            (None, None) => Ok(1),
            (None, Some(_)) => Err(Error::new(Code::NotFound, format!("there is no run {run_id} to supersede"))),
            (Some(newest), Some(known)) if newest == known => Ok(newest + 1),
            (Some(newest), _) => {
                let message = format!(
                    "the run {run_id} is on record at revision {newest}; to correct it set supersedesRevision to {newest}"
                );
                Err(Error::new(Code::Conflict, message))
            }
        }
    }
}
