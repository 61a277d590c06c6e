//! What is known of the caller's logs, and verification on demand.

use uuid::Uuid;

use super::super::LogsFacade;
use super::{Running, STALE_US};
use crate::domain::ids::RecordId;
use crate::domain::page::{Count, Page, PageRequest};
use crate::domain::scope::Permission;
use crate::domain::time::Timestamp;
use crate::domain::verification::{
    IntegrityCheck, StoredAnomaly, TrustLevel, Verification, VerificationMode, VerificationStatus,
};
use crate::domain::vocabulary::Stream;
use crate::error::{Error, Result};
use crate::store::verifications::Standing;

impl LogsFacade {
    /// Verifies the caller's logs now.
    ///
    /// # Errors
    /// `FORBIDDEN` without `ledger:verify`; `UNAVAILABLE` while they are being verified; else as [`Logs::verify_tenant`](crate::facade::Logs::verify_tenant).
    pub async fn verify_ledger(&self, mode: VerificationMode) -> Result<Vec<Verification>> {
        self.require(Permission::LedgerVerify)?;
        let running = Running::begin(&self.logs, &self.scope.tenant)?;
        let actor = self.scope.actor.clone();
        // A task of its own: it comes to its end even if the caller does not wait for it.
        let verifying = tokio::spawn(async move { running.logs.verify_tenant(&running.tenant, mode, &actor).await });
        verifying.await.map_err(Error::internal)?
    }

    /// Verifications of one of the caller's logs, newest first.
    ///
    /// # Errors
    /// `FORBIDDEN` to those who may read neither runs nor the audit ledger nor verify, as for all below; `UNAVAILABLE` or
    /// `TIMEOUT` when the database does not answer.
    pub async fn list_verifications(&self, log_id: Uuid, page: &PageRequest) -> Result<Page<Verification>> {
        self.require_reader()?;
        self.store().list_verifications(&self.scope.tenant, log_id, page).await
    }

    /// How many there are, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn count_verifications(&self, log_id: Uuid, cap: u32) -> Result<Count> {
        self.require_reader()?;
        self.store().count_verifications(&self.scope.tenant, log_id, cap).await
    }

    /// What one of them found, in the order of places.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn list_anomalies(&self, verification: RecordId, page: &PageRequest) -> Result<Page<StoredAnomaly>> {
        self.require_reader()?;
        self.store().list_anomalies(&self.scope.tenant, verification, page).await
    }

    /// One verification of the caller's logs.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn get_verification(&self, id: RecordId) -> Result<Option<Verification>> {
        self.require_reader()?;
        Ok(self.store().verifications_by_id(&self.scope.tenant, &[id]).await?.remove(&id))
    }

    /// One finding of a verification of the caller's logs.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn get_anomaly(&self, verification: RecordId, index: i64) -> Result<Option<StoredAnomaly>> {
        self.require_reader()?;
        self.store().anomaly(&self.scope.tenant, verification, index).await
    }

    /// What may be believed of one of the caller's logs now, or of both together; UNKNOWN where nobody has looked lately.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn integrity(&self, log_id: Option<Uuid>) -> Result<IntegrityCheck> {
        let standings = self.standings(log_id).await?;
        let mut is_signed = !standings.is_empty();
        for standing in &standings {
            is_signed = is_signed && self.store().is_signed(&self.scope.tenant, standing.verification.log_id).await?;
        }
        let mut check = integrity(&standings, log_id.is_none(), self.logs.0.clock.now());
        check.trust_level = is_signed.then_some(TrustLevel::Signed);
        Ok(check)
    }

    /// The first findings of the verification that tells how a log stands.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn standing_anomalies(&self, log_id: Uuid, limit: u32) -> Result<Vec<StoredAnomaly>> {
        match self.standings(Some(log_id)).await?.first() {
            None => Ok(Vec::new()),
            Some(standing) => {
                self.store().first_anomalies(&self.scope.tenant, standing.verification.id, limit.into()).await
            }
        }
    }

    async fn standings(&self, log_id: Option<Uuid>) -> Result<Vec<Standing>> {
        self.require_reader()?;
        let mut standings = self.store().standings(&self.scope.tenant).await?;
        standings.retain(|standing| log_id.is_none_or(|log_id| standing.verification.log_id == log_id));
        Ok(standings)
    }

    /// Whether a log is intact concerns all who read it.
    fn require_reader(&self) -> Result<()> {
        self.audit.require_any(&[Permission::RunsRead, Permission::AuditRead, Permission::LedgerVerify]).map(drop)
    }
}

/// What is known of several logs together: the worst of them. Where all of a tenant's logs are meant, its evidence log must
/// be among them.
pub(super) fn integrity(standings: &[Standing], are_all: bool, now: Timestamp) -> IntegrityCheck {
    let is_meant = |standing: &Standing| !are_all || standing.verification.stream != Some(Stream::Access);
    let has_evidence = standings.iter().any(is_meant);
    let oldest = standings.iter().min_by_key(|standing| standing.checked_at);
    let is_stale = oldest.is_some_and(|oldest| now.since(oldest.checked_at) > STALE_US);
    let any = |status| standings.iter().any(|standing| standing.verification.status == status);
    let unknown = standings.iter().find(|standing| standing.verification.status == VerificationStatus::Unknown);
    let (status, reason) = if any(VerificationStatus::Invalid) {
        (VerificationStatus::Invalid, None)
    } else if !has_evidence {
        (VerificationStatus::Unknown, Some("the log was never verified".to_owned()))
    } else if let Some(unknown) = unknown {
        (VerificationStatus::Unknown, unknown.verification.reason.clone())
    } else if is_stale {
        (VerificationStatus::Unknown, Some("the last verification is more than 5 minutes old".to_owned()))
    } else {
        (VerificationStatus::Valid, None)
    };
    IntegrityCheck {
        status,
        reason,
        last_verified: oldest.map(|oldest| oldest.checked_at),
        anomalies_detected: standings.iter().map(|standing| standing.verification.anomaly_count).sum(),
        hash_chain_valid: (!standings.is_empty())
            .then(|| standings.iter().all(|standing| standing.verification.is_chain_valid)),
        mode: oldest.map(|oldest| oldest.mode),
        trust_level: None,
    }
}
