//! Reads of exports that were made, and of what can be said of a run that may be exported.

use super::LogsFacade;
use super::audit::RunNames;
use super::loaders::{DeliveryOf, ExportById, ExportFactsOf, ExportsOfRun};
use crate::domain::export::{LogExport, TagReason, compliance_tags};
use crate::domain::ids::{RecordId, RunId};
use crate::domain::run::{Stored, StoredRun};
use crate::domain::scope::Permission;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceRef;
use crate::error::Result;

/// An export as it is stored.
pub type StoredExport = Stored<LogExport>;

impl LogsFacade {
    /// An export by record id; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, as for every read below.
    pub async fn get_export_by_id(&self, id: RecordId) -> Result<Option<StoredExport>> {
        self.loaders.loader.load_one(ExportById(id)).await
    }

    /// The exports of a run, newest first, at most 200; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn exports_of_run(&self, run_id: &RunId) -> Result<Vec<StoredExport>> {
        Ok(self.loaders.loader.load_one(ExportsOfRun(run_id.clone())).await?.unwrap_or_default())
    }

    /// When an export was first downloaded; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:read` or `runs:read`: whoever sees the export may see this.
    pub async fn export_delivered_at(&self, id: RecordId) -> Result<Option<Timestamp>> {
        self.loaders.loader.load_one(DeliveryOf(id)).await
    }

    /// What the evidence at hand says of a run in the words of compliance; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn run_compliance_tags(&self, run: &StoredRun) -> Result<Vec<TagReason>> {
        self.require(Permission::RunsRead)?;
        let (key, names) = (ExportFactsOf((run.id, run.trace_id.clone())), RunNames::of(run));
        let trace = async {
            match &run.trace_id {
                Some(trace_id) => self.get_trace(&TraceRef::TraceId(trace_id.clone())).await,
                None => Ok(None),
            }
        };
        let facts = self.loaders.loader.load_one(key);
        let (incidents, governance) = (self.incidents_of_run(&run.run_id), self.run_governance_summary(&names));
        let (trace, incidents, governance, facts) = futures_util::try_join!(trace, incidents, governance, facts)?;
        Ok(compliance_tags(run, trace.as_deref(), &incidents, &governance, &facts.unwrap_or_default()))
    }
}
