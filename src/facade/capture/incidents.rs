//! `recordIncidentEvidence`.

use super::super::LogsFacade;
use super::super::access::{ServerUse, open_for_server};
use crate::capture::incidents;
use crate::domain::append::New;
use crate::domain::incident::{IncidentEvidence, IncidentInput};
use crate::domain::input::IdempotencyKey;
use crate::domain::record::NewRecord;
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::error::{Code, Error, Result};

/// The answer of `recordIncidentEvidence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedIncident {
    /// The evidence as it is on record.
    pub evidence: Stored<IncidentEvidence>,
    /// The idempotency key had been used: this is the first answer again.
    pub is_replayed: bool,
}

impl LogsFacade {
    /// Records what is known of an incident; a correction is a further revision of it.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:write`; `BAD_USER_INPUT` that names the field; `CONFLICT` when the incident is on record
    /// and `supersedesRevision` is not its newest revision; `NOT_FOUND` when there is none to supersede.
    pub async fn record_incident_evidence(
        &self,
        input: IncidentInput,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RecordedIncident> {
        self.require(Permission::AuditWrite)?;
        let keyed = self.keyed("recordIncidentEvidence", idempotency.as_ref()).await?;
        let made = async {
            let supersedes = input.supersedes_revision;
            let mut evidence = incidents::incident(input, 1)?;
            evidence.revision = self.next_incident_revision(&evidence.incident_id, supersedes).await?;
            let new = New { id: self.logs.0.clock.new_id(), record: evidence, payloads: Vec::new() };
            Ok(vec![NewRecord::Incident(Box::new(new))])
        };
        let (id, is_replayed) = self.append_keyed(keyed.as_ref(), Box::pin(made)).await?;
        let found = self.store().incident_evidence_by_id(&self.scope, &[id]).await?;
        let evidence = self.audit.told(found.map(|mut found| found.remove(&id)))?;
        let evidence = evidence.ok_or_else(|| Error::internal("incident evidence that was written is gone"))?;
        Ok(RecordedIncident { evidence, is_replayed })
    }

    /// The revision that evidence of this incident gets, or why it gets none.
    async fn next_incident_revision(&self, incident_id: &str, supersedes: Option<i64>) -> Result<i64> {
        let names = [incident_id.to_owned()];
        let found = self.store().incident_evidence_by_incident_id(&self.scope, &names).await?;
        let mut found = open_for_server(ServerUse::Judging, found);
        match (found.remove(incident_id).map(|evidence| evidence.revision), supersedes) {
            (None, None) => Ok(1),
            (None, Some(_)) => {
                Err(Error::new(Code::NotFound, format!("there is no incident {incident_id} to supersede")))
            }
            (Some(newest), Some(known)) if newest == known => Ok(newest + 1),
            (Some(newest), _) => {
                let message = format!(
                    "the incident {incident_id} is on record at revision {newest}; to correct it set supersedesRevision \
                     to {newest}"
                );
                Err(Error::new(Code::Conflict, message))
            }
        }
    }
}
