//! `recordPolicyActivation`.

use super::super::LogsFacade;
use crate::capture::policies;
use crate::domain::append::New;
use crate::domain::audit::AuditEntry;
use crate::domain::input::IdempotencyKey;
use crate::domain::policy::{PolicyActivation, PolicyActivationInput};
use crate::domain::record::NewRecord;
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::error::{Error, Result};

/// The answer of `recordPolicyActivation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedActivation {
    /// The activation as it is on record.
    pub activation: Stored<PolicyActivation>,
    /// The idempotency key had been used: this is the first answer again.
    pub is_replayed: bool,
}

impl LogsFacade {
    /// Records that a policy came into force, together with its audit entry: both or neither.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:write`; `BAD_USER_INPUT` that names the field; `CONFLICT` for a used idempotency key.
    pub async fn record_policy_activation(
        &self,
        input: PolicyActivationInput,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RecordedActivation> {
        self.require(Permission::AuditWrite)?;
        let keyed = self.keyed("recordPolicyActivation", idempotency.as_ref()).await?;
        let made = async {
            let activation = policies::activation(input, self.logs.0.clock.now())?;
            let (entry, payloads) = policies::activated(&activation, &self.scope.actor)?;
            let bind = |entry: &mut AuditEntry, _, commitment| entry.after_state_commitment = Some(commitment);
            let entry = self.logs.new_record(entry, payloads, bind)?;
            let new = New { id: self.logs.0.clock.new_id(), record: activation, payloads: Vec::new() };
            Ok(vec![NewRecord::Policy(Box::new(new)), NewRecord::Audit(Box::new(entry), None)])
        };
        let (id, is_replayed) = self.append_keyed(keyed.as_ref(), Box::pin(made)).await?;
        let found = self.store().policy_activations_by_id(&self.scope, &[id]).await?;
        let activation = self.audit.told(found.map(|mut found| found.remove(&id)))?;
        let activation = activation.ok_or_else(|| Error::internal("an activation that was written is gone"))?;
        Ok(RecordedActivation { activation, is_replayed })
    }
}
