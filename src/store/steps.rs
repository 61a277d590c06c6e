//! Reads of steps and payloads.

use std::collections::HashMap;

use super::Store;
use crate::domain::ids::{RecordId, TraceId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::scope::Scope;
use crate::domain::trace::{IdempotencyHit, StepFilter, StepGroup, StoredStep};
use crate::error::Result;

impl Store {
    /// A page of steps of each trace, in order of step_index; one statement for all traces. A position's key is the
    /// step_index.
    pub async fn steps_by_trace_id(
        &self,
        _scope: &Scope,
        _trace_ids: &[TraceId],
        _filter: &StepFilter,
        _page: &PageRequest,
    ) -> Result<HashMap<TraceId, Page<StoredStep>>> {
        unimplemented!()
    }

    /// How many steps of each trace the filter selects; exact.
    pub async fn count_steps_by_trace_id(
        &self,
        _scope: &Scope,
        _trace_ids: &[TraceId],
        _filter: &StepFilter,
    ) -> Result<HashMap<TraceId, i64>> {
        unimplemented!()
    }

    /// Steps by record id.
    pub async fn steps_by_id(&self, _scope: &Scope, _ids: &[RecordId]) -> Result<HashMap<RecordId, StoredStep>> {
        unimplemented!()
    }

    /// Steps of each trace, grouped by kind and status.
    pub async fn step_groups_by_trace_id(
        &self,
        _scope: &Scope,
        _trace_ids: &[TraceId],
    ) -> Result<HashMap<TraceId, Vec<StepGroup>>> {
        unimplemented!()
    }

    /// The newest step with this idempotency key.
    pub async fn idempotency_hit(&self, _scope: &Scope, _key: &str) -> Result<Option<IdempotencyHit>> {
        unimplemented!()
    }

    /// Payload texts of one part by record id; erased and absent ones are absent.
    pub async fn payloads_by_record_id(
        &self,
        _scope: &Scope,
        _part: PayloadPart,
        _ids: &[RecordId],
    ) -> Result<HashMap<RecordId, String>> {
        unimplemented!()
    }
}
