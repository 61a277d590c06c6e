//! Reads of traces and seals.

use std::collections::HashMap;

use super::Store;
use crate::domain::filter::{TraceFilter, TraceOrder};
use crate::domain::ids::{Digest, RecordId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::domain::trace::{TraceSeal, TraceView};
use crate::error::Result;

impl Store {
    /// A page of traces, each with its newest seal.
    pub async fn list_traces(
        &self,
        _scope: &Scope,
        _filter: &TraceFilter,
        _order: TraceOrder,
        _page: &PageRequest,
        _as_of: Option<AsOf>,
    ) -> Result<Page<TraceView>> {
        unimplemented!()
    }

    /// How many traces the filter selects, counted to `cap`.
    pub async fn count_traces(
        &self,
        _scope: &Scope,
        _filter: &TraceFilter,
        _as_of: Option<AsOf>,
        _cap: u32,
    ) -> Result<Count> {
        unimplemented!()
    }

    /// Traces by record id.
    pub async fn traces_by_id(&self, _scope: &Scope, _ids: &[RecordId]) -> Result<HashMap<RecordId, TraceView>> {
        unimplemented!()
    }

    /// Traces by name: one statement, newest seal and step count included.
    pub async fn traces_by_trace_id(
        &self,
        _scope: &Scope,
        _trace_ids: &[TraceId],
    ) -> Result<HashMap<TraceId, TraceView>> {
        unimplemented!()
    }

    /// The newest trace whose seal has this root hash.
    pub async fn trace_by_root_hash(&self, _scope: &Scope, _root_hash: Digest) -> Result<Option<TraceView>> {
        unimplemented!()
    }

    /// Every seal of each trace, newest first.
    pub async fn seals_by_trace_id(
        &self,
        _scope: &Scope,
        _trace_ids: &[TraceId],
    ) -> Result<HashMap<TraceId, Vec<Stored<TraceSeal>>>> {
        unimplemented!()
    }
}
