//! `recordLlmRun`: a whole run, with its trace and steps where there are any.

use super::super::LogsFacade;
use super::super::access::{ServerUse, open_for_server};
use super::contradictions::{Places, check_run, check_same_run};
use super::once::{Answer, KeyedRequest};
use super::traces::Whole;
use super::{Atomic, Recorded};
use crate::capture::input;
use crate::domain::ids::RunId;
use crate::domain::input::{IdempotencyKey, RunInput, SealInput, StepInput, TraceInput};
use crate::domain::record::NewRecord;
use crate::domain::run::StoredRun;
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
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Recorded> {
        if let Some((trace, steps)) = trace {
            if run.supersedes_revision.is_some() {
                let message =
                    "a revision of a run keeps its trace; leave trace and steps out, or add steps with recordSteps";
                return Err(Error::input("supersedesRevision", message));
            }
            check_same_run(("runId", run.run_id.as_ref()), ("trace.runId", trace.run_id.as_ref()))?;
            // How and when it ended the run says.
            let whole = Whole { trace, steps, seal: SealInput::default(), run: Some(run) };
            return self.record_whole("recordLlmRun", Places::OF_RUN, whole, idempotency).await;
        }
        self.require(Permission::RunsWrite)?;
        check_run(Places::OF_RUN, Some(&run))?;
        let keyed = self.keyed("recordLlmRun", idempotency.as_ref()).await?;
        self.record_once(keyed.as_ref(), Box::pin(self.write_run(run, keyed.as_ref()))).await
    }

    /// Appends a run without steps.
    async fn write_run(&self, run: RunInput, keyed: Option<&KeyedRequest>) -> Result<Atomic> {
        let context = self.capture_context().await?;
        let fallback = RunId::trusted(self.fresh_name());
        let superseded = match &run.run_id {
            Some(run_id) => self.superseded(run_id, run.supersedes_revision).await?,
            None => None,
        };
        let revision = superseded.as_ref().map_or(1, |run| run.revision + 1);
        let mut run = input::run(&context, run, &fallback, revision, self.logs.0.clock.now())?;
        if let Some(superseded) = superseded {
            run.trace_id.clone_from(&superseded.trace_id);
            run.step_count = superseded.record.step_count;
            run.trace_root_hash = superseded.record.trace_root_hash;
        }
        let run = self.logs.new_run(run);
        let answer = Answer { run: Some(run.id.0), ..Answer::default() };
        self.append_atomically(vec![NewRecord::Run(Box::new(run))], Vec::new(), keyed, answer).await
    }

    /// The revision that a record of this run corrects, `None` for its first; or why it can be neither.
    async fn superseded(&self, run_id: &RunId, supersedes: Option<i64>) -> Result<Option<StoredRun>> {
        let found = self.store().runs_by_run_id(&self.scope, std::slice::from_ref(run_id)).await?;
        let mut found = open_for_server(ServerUse::Judging, found);
        match (found.remove(run_id), supersedes) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Error::new(Code::NotFound, format!("there is no run {run_id} to supersede"))),
            (Some(newest), Some(known)) if newest.revision == known => Ok(Some(newest)),
            (Some(newest), _) => {
                let newest = newest.revision;
                let message = format!(
                    "the run {run_id} is on record at revision {newest}; to correct it set supersedesRevision to {newest}"
                );
                Err(Error::new(Code::Conflict, message))
            }
        }
    }
}
