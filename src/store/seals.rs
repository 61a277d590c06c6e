//! Which traces are due, and everything that sealing one needs. Operational: works across tenants.

use super::Store;
use crate::domain::draft::{DueTrace, SealSource};
use crate::domain::ids::{TenantId, TraceId};
use crate::domain::time::Timestamp;
use crate::error::Result;

impl Store {
    /// Claims up to `limit` due traces for this process until a lease of `lease_us` ends; no two processes get the same.
    pub async fn claim_due_traces(&self, _limit: u32, _lease_us: i64) -> Result<Vec<DueTrace>> {
        unimplemented!()
    }

    /// When the next trace is due; `None` when none waits. For the sealer's sleep.
    pub async fn next_due_at(&self) -> Result<Option<Timestamp>> {
        unimplemented!()
    }

    /// Everything known of these traces of one tenant; a trace that does not exist is absent.
    pub async fn seal_sources(&self, _tenant: &TenantId, _trace_ids: &[TraceId]) -> Result<Vec<SealSource>> {
        unimplemented!()
    }
}
