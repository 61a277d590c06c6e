//! Reads of runs.

use super::LogsFacade;
use crate::domain::filter::{LlmRunFilter, LlmRunOrder};
use crate::domain::ids::{RecordId, RunId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::run::{LlmRun, Stored};
use crate::error::Result;

/// A run as it is stored.
pub type StoredRun = Stored<LlmRun>;

impl LogsFacade {
    /// The newest revision of a run; batched.
    pub async fn get_llm_run(&self, _run_id: &RunId) -> Result<Option<StoredRun>> {
        unimplemented!()
    }

    /// A run by record id; batched.
    pub async fn get_llm_run_by_id(&self, _id: RecordId) -> Result<Option<StoredRun>> {
        unimplemented!()
    }

    /// The newest run made from a trace; batched.
    pub async fn run_of_trace(&self, _trace_id: &TraceId) -> Result<Option<StoredRun>> {
        unimplemented!()
    }

    /// Every revision of a run, newest first, at most 200; batched.
    pub async fn list_run_revisions(&self, _run_id: &RunId) -> Result<Vec<StoredRun>> {
        unimplemented!()
    }

    /// A page of runs.
    pub async fn list_llm_runs(
        &self,
        _filter: &LlmRunFilter,
        _order: LlmRunOrder,
        _page: &PageRequest,
        _as_of: Option<AsOf>,
    ) -> Result<Page<StoredRun>> {
        unimplemented!()
    }

    /// How many runs the filter selects, counted to `cap`.
    pub async fn count_llm_runs(&self, _filter: &LlmRunFilter, _as_of: Option<AsOf>, _cap: u32) -> Result<Count> {
        unimplemented!()
    }

    /// This moment of the tenant's log.
    pub async fn ledger_now(&self) -> Result<AsOf> {
        unimplemented!()
    }
}
