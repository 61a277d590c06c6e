//! Reads of runs. Only the newest revision of a run is a row of a list.

use std::collections::HashMap;

use super::Store;
use crate::domain::filter::{LlmRunFilter, LlmRunOrder};
use crate::domain::ids::{RecordId, RunId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::run::{LlmRun, Stored};
use crate::domain::scope::Scope;
use crate::error::Result;

/// A run as it is stored.
pub type StoredRun = Stored<LlmRun>;

impl Store {
    /// A page of runs; with `as_of`, as the list was then.
    pub async fn list_runs(
        &self,
        _scope: &Scope,
        _filter: &LlmRunFilter,
        _order: LlmRunOrder,
        _page: &PageRequest,
        _as_of: Option<AsOf>,
    ) -> Result<Page<StoredRun>> {
        unimplemented!()
    }

    /// How many runs the filter selects, counted to `cap`.
    pub async fn count_runs(
        &self,
        _scope: &Scope,
        _filter: &LlmRunFilter,
        _as_of: Option<AsOf>,
        _cap: u32,
    ) -> Result<Count> {
        unimplemented!()
    }

    /// Runs by record id, older revisions too; a missing one is absent.
    pub async fn runs_by_id(&self, _scope: &Scope, _ids: &[RecordId]) -> Result<HashMap<RecordId, StoredRun>> {
        unimplemented!()
    }

    /// The newest revisions by run id.
    pub async fn runs_by_run_id(&self, _scope: &Scope, _run_ids: &[RunId]) -> Result<HashMap<RunId, StoredRun>> {
        unimplemented!()
    }

    /// The newest run made from each trace.
    pub async fn runs_by_trace_id(
        &self,
        _scope: &Scope,
        _trace_ids: &[TraceId],
    ) -> Result<HashMap<TraceId, StoredRun>> {
        unimplemented!()
    }

    /// Every revision of each run, newest first, at most `limit` a run.
    pub async fn revisions_by_run_id(
        &self,
        _scope: &Scope,
        _run_ids: &[RunId],
        _limit: u32,
    ) -> Result<HashMap<RunId, Vec<StoredRun>>> {
        unimplemented!()
    }

    /// The size of the tenant's evidence log now; 0 where there is none yet.
    pub async fn log_size(&self, _scope: &Scope) -> Result<i64> {
        unimplemented!()
    }
}
