//! Reads of runs.

use super::LogsFacade;
use super::loaders::{RevisionsOf, RunById, RunNamed, RunOfTrace};
use crate::domain::filter::{LlmRunFilter, LlmRunOrder};
use crate::domain::ids::{RecordId, RunId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::run::StoredRun;
use crate::domain::scope::Permission;
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;

impl LogsFacade {
    /// The newest revision of a run; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, as for every read below.
    pub async fn get_llm_run(&self, run_id: &RunId) -> Result<Option<StoredRun>> {
        self.loaders.loader.load_one(RunNamed(run_id.clone())).await
    }

    /// A run by record id; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn get_llm_run_by_id(&self, id: RecordId) -> Result<Option<StoredRun>> {
        self.loaders.loader.load_one(RunById(id)).await
    }

    /// The newest run made from a trace; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn run_of_trace(&self, trace_id: &TraceId) -> Result<Option<StoredRun>> {
        self.loaders.loader.load_one(RunOfTrace(trace_id.clone())).await
    }

    /// Every revision of a run, newest first, at most 200; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn list_run_revisions(&self, run_id: &RunId) -> Result<Vec<StoredRun>> {
        Ok(self.loaders.loader.load_one(RevisionsOf(run_id.clone())).await?.unwrap_or_default())
    }

    /// A page of runs.
    ///
    /// # Errors
    /// As above.
    pub async fn list_llm_runs(
        &self,
        filter: &LlmRunFilter,
        order: LlmRunOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Page<StoredRun>> {
        let granted = self.require(Permission::RunsRead)?;
        self.audit.open(granted, self.store().list_runs(&self.scope, filter, order, page, as_of).await?)
    }

    /// How many runs the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As above.
    pub async fn count_llm_runs(&self, filter: &LlmRunFilter, as_of: Option<AsOf>, cap: u32) -> Result<Count> {
        let granted = self.require(Permission::RunsRead)?;
        let count = self.store().count_runs(&self.scope, filter, as_of, cap).await?;
        self.audit.open_made(granted, RecordKind::LlmRun, count)
    }
}
