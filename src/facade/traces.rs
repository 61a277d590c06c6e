//! Reads of traces, steps, seals and payloads.

use super::LogsFacade;
use crate::domain::filter::{TraceFilter, TraceOrder};
use crate::domain::ids::{Digest, RecordId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::run::Stored;
use crate::domain::trace::{
    IdempotencyHit, StepFilter, StepGroup, StoredStep, TraceComparison, TraceRef, TraceSeal, TraceTotals, TraceView,
};
use crate::error::Result;

impl LogsFacade {
    /// A trace; by name and by run batched.
    pub async fn get_trace(&self, _by: &TraceRef) -> Result<Option<TraceView>> {
        unimplemented!()
    }

    /// A trace by record id; batched.
    pub async fn get_trace_by_id(&self, _id: RecordId) -> Result<Option<TraceView>> {
        unimplemented!()
    }

    /// A page of traces.
    pub async fn list_traces(
        &self,
        _filter: &TraceFilter,
        _order: TraceOrder,
        _page: &PageRequest,
        _as_of: Option<AsOf>,
    ) -> Result<Page<TraceView>> {
        unimplemented!()
    }

    /// How many traces the filter selects, counted to `cap`.
    pub async fn count_traces(&self, _filter: &TraceFilter, _as_of: Option<AsOf>, _cap: u32) -> Result<Count> {
        unimplemented!()
    }

    /// Loads traces, and a page of steps of each, in one statement each, so that the calls below find them loaded.
    pub async fn prefetch_traces(
        &self,
        _trace_ids: &[TraceId],
        _steps: Option<(&StepFilter, &PageRequest)>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// A page of a trace's steps; batched. A position's key is the step_index.
    pub async fn list_trace_steps(
        &self,
        _trace_id: &TraceId,
        _filter: &StepFilter,
        _page: &PageRequest,
    ) -> Result<Page<StoredStep>> {
        unimplemented!()
    }

    /// How many steps of a trace the filter selects, exactly; batched.
    pub async fn count_trace_steps(&self, _trace_id: &TraceId, _filter: &StepFilter) -> Result<i64> {
        unimplemented!()
    }

    /// A step by record id; batched.
    pub async fn get_trace_step_by_id(&self, _id: RecordId) -> Result<Option<StoredStep>> {
        unimplemented!()
    }

    /// The span id of the step that this one repeats; batched. What the writer said, else what the newest seal found.
    pub async fn step_duplicate_of(&self, _step: &StoredStep) -> Result<Option<String>> {
        unimplemented!()
    }

    /// Every seal of a trace, newest first; batched.
    pub async fn list_trace_seals(&self, _trace_id: &TraceId) -> Result<Vec<Stored<TraceSeal>>> {
        unimplemented!()
    }

    /// Sums over the steps, each call counted once: from the newest seal, computed now while running.
    pub async fn trace_totals(&self, _trace: &TraceView) -> Result<TraceTotals> {
        unimplemented!()
    }

    /// Steps grouped by kind and status; batched.
    pub async fn trace_step_groups(&self, _trace_id: &TraceId) -> Result<Vec<StepGroup>> {
        unimplemented!()
    }

    /// A payload's JSON text; `None` where there is none or it was erased; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `payloads:read`.
    pub async fn payload(&self, _record: RecordId, _part: PayloadPart) -> Result<Option<String>> {
        unimplemented!()
    }

    /// Whether two traces behaved alike, and where they part.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` that names `left` or `right` when there is no such trace.
    pub async fn compare_traces(&self, _left: &TraceRef, _right: &TraceRef) -> Result<TraceComparison> {
        unimplemented!()
    }

    /// The step that was recorded under an idempotency key.
    pub async fn idempotency_check(&self, _key: &str) -> Result<Option<IdempotencyHit>> {
        unimplemented!()
    }

    /// The tenant's keyed digest of a text, to compare with prompt and step hashes. Needs `payloads:read`.
    pub async fn content_digest(&self, _text: &str) -> Result<Digest> {
        unimplemented!()
    }
}
