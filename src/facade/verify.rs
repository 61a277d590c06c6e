//! Verification: on demand, in the background, and what is known of it.
//!
//! **What is written.** A verification on demand is stored with its findings and is an audit entry (category INTEGRITY) of
//! the tenant's evidence log. The background looks at every log once an interval, from its trusted position on. Were each
//! of these looks an entry, the next one would have that entry to look at, for ever; so the background stores a look, and
//! appends its entry, only where it has something to say: the status or the number of findings has changed, or it covered
//! records other than the ledger's own (audit entries of verifications, noted checkpoints). In between it only notes when
//! it looked. A log whose head is still the trusted one is not read again.
//!
//! **What tells how a log stands**: its newest verification, except that a look at the newest entries alone never takes
//! back what a look at all of them found: INVALID stays until a verification from the first entry says otherwise.
//!
//! Several processes may look at the same logs: each has its own trusted positions, and the rows they write agree.

pub mod look;
pub mod trusted;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::look::{Look, Looker, unwatched};
use self::trusted::{TrustedFile, TrustedLog};
use super::{Logs, LogsFacade};
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, New, NewRecord};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::page::{Count, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::scope::{Actor, Permission};
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::domain::verification::{
    Anomaly, IntegrityCheck, TrustLevel, Verification, VerificationMode, VerificationStatus,
};
use crate::domain::vocabulary::{ActorType, AuditCategory, AuditEntityType, Stream};
use crate::error::{Error, Result};
use crate::ledger::commitment;
use crate::store::verifications::Standing;
use crate::store::verify::{LogHead, VERIFIER};

/// A look that is older than this tells nothing any more.
pub const STALE_US: i64 = 5 * 60 * MICROS_PER_SECOND;

/// Where trusted positions are kept; not set where nothing is kept outside the database.
#[derive(Default)]
pub(super) struct Trust(OnceLock<TrustedFile>);

impl Logs {
    /// Keeps trusted positions in a folder, from now on.
    pub fn trust_in(&self, data_dir: &Path) {
        // A second folder would be a second memory: the first stays.
        let _ = self.0.trust.0.set(TrustedFile::in_folder(data_dir));
    }

    fn looker(&self, mode: VerificationMode) -> Result<Looker> {
        let trusted = self.0.trust.0.get().map(TrustedFile::load).transpose()?.unwrap_or_default();
        let (store, clock) = (self.0.store.clone(), self.0.clock.clone());
        Ok(Looker { store, clock, trusted, mode, progress: unwatched() })
    }

    fn keep_trusted(&self, looks: &[Look]) -> Result<()> {
        let trusted: Vec<TrustedLog> = looks.iter().filter_map(Look::trusted).collect();
        self.0.trust.0.get().map_or(Ok(()), |file| file.advance(&trusted))
    }

    /// Verifies a tenant's logs on demand, stores what was found and appends it to the audit ledger.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer or take the result, `INTERNAL` when the trusted positions do not
    /// read.
    pub async fn verify_tenant(
        &self,
        tenant: &TenantId,
        mode: VerificationMode,
        actor: &Actor,
    ) -> Result<Vec<Verification>> {
        let looks = self.looker(mode)?.tenant(tenant).await?;
        let standings = self.0.store.standings(tenant).await?;
        for look in &looks {
            self.keep(look, &standings).await?;
        }
        self.audit(tenant, &looks.iter().collect::<Vec<_>>(), actor).await?;
        self.keep_trusted(&looks)?;
        Ok(looks.into_iter().map(|look| look.verification).collect())
    }

    /// Verifies every log once an interval until `cancel`led. Errors are logged; the logs come again.
    pub async fn run_verifier(&self, interval: Duration, cancel: CancellationToken) {
        let work = async {
            loop {
                if let Err(error) = self.verify_changed().await {
                    tracing::error!(?error, "logs could not be verified; they come again");
                }
                tokio::time::sleep(interval).await;
            }
        };
        cancel.run_until_cancelled(work).await;
    }

    /// One round of the background: what has changed is verified, what has not is noted as seen. How many were verified.
    ///
    /// # Errors
    /// As for [`Self::verify_tenant`].
    pub async fn verify_changed(&self) -> Result<usize> {
        let looker = self.looker(VerificationMode::Incremental)?;
        let mut looked = 0;
        let mut unchanged = Vec::new();
        for tenant in looker.tenants().await? {
            let heads = looker.store.log_heads(Some(&tenant)).await?;
            let standings = self.0.store.standings(&tenant).await?;
            if is_quiet(&tenant, &heads, &looker, &standings) {
                unchanged.extend(heads.iter().map(|head| head.log_id));
                continue;
            }
            let looks = looker.tenant(&tenant).await?;
            looked += looks.len();
            unchanged.extend(self.keep_news(&tenant, &looks, &standings).await?);
            self.keep_trusted(&looks)?;
        }
        self.0.store.touch_watch(&unchanged, VerificationMode::Incremental, self.0.clock.now()).await?;
        Ok(looked)
    }

    /// Stores the looks that have something to say; gives the logs of the others.
    async fn keep_news(&self, tenant: &TenantId, looks: &[Look], standings: &[Standing]) -> Result<Vec<Uuid>> {
        let mut unchanged = Vec::new();
        let mut news = Vec::new();
        for look in looks {
            if says_something(look, standing_of(look, standings)) {
                self.keep(look, standings).await?;
                news.push(look);
            } else {
                unchanged.push(look.verification.log_id);
            }
        }
        let actor = Actor { actor_type: ActorType::System, id: VERIFIER.to_owned() };
        self.audit(tenant, &news, &actor).await?;
        Ok(unchanged)
    }

    async fn keep(&self, look: &Look, standings: &[Standing]) -> Result<()> {
        let Verification { status, anomaly_count, warning_count, .. } = &look.verification;
        if *status == VerificationStatus::Invalid {
            let (tenant, log_id) = (&look.verification.tenant_id, look.verification.log_id);
            tracing::error!(%tenant, %log_id, anomaly_count, warning_count, first = ?look.findings.first(), "a log is INVALID");
        }
        let is_telling = tells(&look.verification, standing_of(look, standings));
        self.0.store.insert_verification(&look.verification, &look.findings, is_telling).await
    }

    /// Appends an audit entry for each look.
    async fn audit(&self, tenant: &TenantId, looks: &[&Look], actor: &Actor) -> Result<()> {
        let records: Vec<NewRecord> = looks.iter().map(|look| self.audit_entry(look, actor)).collect::<Result<_>>()?;
        if records.is_empty() {
            return Ok(());
        }
        if let AppendReceipt::Done(results) = self.append(AppendUnit::evidence(tenant.clone(), records)).await? {
            for result in results {
                if let AppendResult::Rejected(error) = result {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn audit_entry(&self, look: &Look, actor: &Actor) -> Result<NewRecord> {
        let Verification { id, log_id, mode, status, from_size, size, root, .. } = &look.verification;
        let state = json!({
            "mode": mode.as_str(),
            "status": status.as_str(),
            "reason": look.verification.reason,
            "from_size": from_size.to_string(),
            "size": size.to_string(),
            "root": root.map(crate::domain::ids::Digest::to_hex),
            "entries": look.verification.entry_count.to_string(),
            "anomalies": look.verification.anomaly_count.to_string(),
            "warnings": look.verification.warning_count.to_string(),
        });
        let text = serde_json_canonicalizer::to_string(&state).map_err(Error::internal)?;
        let payload = commitment::payload(PayloadPart::AfterState, self.0.clock.entropy()?, text);
        let record = AuditEntry {
            category: AuditCategory::Integrity,
            event_type: event_type(*status).to_owned(),
            entity_type: AuditEntityType::Ledger,
            entity_id: log_id.simple().to_string(),
            actor_type: actor.actor_type,
            actor_id: Some(actor.id.clone()),
            verdict: None,
            action: None,
            policy_id: None,
            rule_id: None,
            run_id: None,
            correlation_id: Some(id.to_string()),
            source_component: VERIFIER.to_owned(),
            occurred_at: look.verification.finished_at,
            action_reason_commitment: None,
            before_state_commitment: None,
            after_state_commitment: Some(payload.commitment),
        };
        Ok(NewRecord::Audit(Box::new(New { id: self.0.clock.new_id(), record, payloads: vec![payload] })))
    }
}

/// The event of the audit entry of a verification.
const fn event_type(status: VerificationStatus) -> &'static str {
    match status {
        VerificationStatus::Valid => "IntegrityVerified",
        VerificationStatus::Invalid => "AnomalyDetected",
        VerificationStatus::Unknown => "IntegrityUnknown",
    }
}

fn standing_of<'s>(look: &Look, standings: &'s [Standing]) -> Option<&'s Standing> {
    standings.iter().find(|standing| standing.verification.log_id == look.verification.log_id)
}

/// Whether a verification tells how its log stands from now on.
fn tells(new: &Verification, standing: Option<&Standing>) -> bool {
    let was_invalid = standing.is_some_and(|old| old.verification.status == VerificationStatus::Invalid);
    let is_whole = new.from_size == 0 && new.status == VerificationStatus::Valid;
    !was_invalid || is_whole || new.status == VerificationStatus::Invalid
}

/// Whether the background has something to say.
fn says_something(look: &Look, standing: Option<&Standing>) -> bool {
    let Some(Standing { verification: old, .. }) = standing else { return true };
    let new = &look.verification;
    if !tells(new, standing) {
        return false;
    }
    let found = |one: &Verification| (one.status, one.anomaly_count, one.warning_count);
    found(old) != found(new) || (look.has_news && new.size > old.size)
}

/// Whether a tenant has the logs that it had, each as it was found VALID: then there is nothing to look at.
fn is_quiet(tenant: &TenantId, heads: &[LogHead], looker: &Looker, standings: &[Standing]) -> bool {
    let has = |log: &TrustedLog| heads.iter().any(|head| head.log_id == log.log_id);
    looker.trusted.values().filter(|log| log.tenant == *tenant).all(has)
        && heads.iter().all(|head| is_unchanged(head, looker, standings))
}

fn is_unchanged(head: &LogHead, looker: &Looker, standings: &[Standing]) -> bool {
    let is_trusted = looker.trusted.get(&head.log_id).is_some_and(|log| head.is_at(&log.position));
    let is_watched = standings.iter().any(|standing| {
        standing.verification.log_id == head.log_id && standing.verification.status == VerificationStatus::Valid
    });
    is_trusted && is_watched
}

impl LogsFacade {
    /// Verifies the caller's logs now.
    ///
    /// # Errors
    /// `FORBIDDEN` without `ledger:verify`; else as [`Logs::verify_tenant`].
    pub async fn verify_ledger(&self, mode: VerificationMode) -> Result<Vec<Verification>> {
        self.require(Permission::LedgerVerify)?;
        self.logs.verify_tenant(&self.scope.tenant, mode, &self.scope.actor).await
    }

    /// Verifications of the caller's logs, newest first.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, `UNAVAILABLE` or `TIMEOUT` when the database does not answer.
    pub async fn list_verifications(&self, page: &PageRequest) -> Result<Page<Verification>> {
        self.require(Permission::RunsRead)?;
        self.store().list_verifications(&self.scope.tenant, page).await
    }

    /// How many there are, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn count_verifications(&self, cap: u32) -> Result<Count> {
        self.require(Permission::RunsRead)?;
        self.store().count_verifications(&self.scope.tenant, cap).await
    }

    /// What one of them found, in the order of places.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn list_anomalies(&self, verification: RecordId, page: &PageRequest) -> Result<Page<Anomaly>> {
        self.require(Permission::RunsRead)?;
        self.store().list_anomalies(&self.scope.tenant, verification, page).await
    }

    /// What may be believed of the caller's logs now, both together; UNKNOWN where nobody has looked lately.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn integrity(&self) -> Result<IntegrityCheck> {
        self.require(Permission::RunsRead)?;
        let standings = self.store().standings(&self.scope.tenant).await?;
        let mut is_signed = !standings.is_empty();
        for standing in &standings {
            is_signed &= self.store().is_signed(standing.verification.log_id).await?;
        }
        let mut check = integrity(&standings, self.logs.0.clock.now());
        check.trust_level = is_signed.then_some(TrustLevel::Signed);
        Ok(check)
    }

    /// What was found where the caller's logs stand INVALID or have warnings, log by log.
    ///
    /// # Errors
    /// As for [`Self::list_verifications`].
    pub async fn standing_anomalies(&self, limit: u64) -> Result<Vec<Anomaly>> {
        self.require(Permission::RunsRead)?;
        let mut anomalies = Vec::new();
        for standing in self.store().standings(&self.scope.tenant).await? {
            let id = standing.verification.id;
            anomalies.extend(self.store().first_anomalies(&self.scope.tenant, id, limit).await?);
        }
        Ok(anomalies)
    }
}

/// What is known of several logs together: the worst of them.
fn integrity(standings: &[Standing], now: Timestamp) -> IntegrityCheck {
    let told = standings.iter().filter(|standing| standing.verification.stream != Some(Stream::Access));
    let has_evidence = told.count() > 0;
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

#[cfg(test)]
mod tests;
