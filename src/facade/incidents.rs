//! Reads of incident evidence.

use super::LogsFacade;
use super::loaders::{IncidentById, IncidentNamed, IncidentRevisionsOf, IncidentsOfRun};
use crate::domain::ids::{RecordId, RunId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::run::Stored;
use crate::error::Result;

/// Incident evidence as it is stored.
pub type StoredIncident = Stored<IncidentEvidence>;

impl LogsFacade {
    /// The newest revision of an incident's evidence; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, as for every read below.
    pub async fn get_incident_evidence(&self, incident_id: &str) -> Result<Option<StoredIncident>> {
        self.loaders.loader.load_one(IncidentNamed(incident_id.to_owned())).await
    }

    /// Incident evidence by record id; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn get_incident_evidence_by_id(&self, id: RecordId) -> Result<Option<StoredIncident>> {
        self.loaders.loader.load_one(IncidentById(id)).await
    }

    /// Every revision of an incident's evidence, newest first, at most 200; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn list_incident_revisions(&self, incident_id: &str) -> Result<Vec<StoredIncident>> {
        let key = IncidentRevisionsOf(incident_id.to_owned());
        Ok(self.loaders.loader.load_one(key).await?.unwrap_or_default())
    }

    /// The incidents that a run caused, by their newest revisions, newest first, at most 200; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn incidents_of_run(&self, run_id: &RunId) -> Result<Vec<StoredIncident>> {
        Ok(self.loaders.loader.load_one(IncidentsOfRun(run_id.clone())).await?.unwrap_or_default())
    }
}
