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
//! One process looks at a time. Each has its own trusted positions, so one that takes over looks from its own on; the rows
//! that several write agree.

mod integrity;
pub mod look;
pub mod trusted;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::json;
use uuid::Uuid;

use self::look::{Look, Looker, unwatched};
use self::trusted::{TrustedFile, TrustedLog};
use super::Logs;
use super::own_audit::OwnEntry;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit};
use crate::domain::ids::TenantId;
use crate::domain::record::NewRecord;
use crate::domain::scope::Actor;
use crate::domain::time::MICROS_PER_SECOND;
use crate::domain::verification::{Verification, VerificationMode, VerificationStatus};
use crate::domain::vocabulary::{ActorType, AuditCategory, AuditEntityType};
use crate::error::{Error, Result};
use crate::store::verifications::Standing;
use crate::store::verify::{LogHead, VERIFIER};

/// When to ask again while a verification runs.
const RUNNING_RETRY_MS: u64 = 5_000;
/// A look that is older than this tells nothing any more.
pub const STALE_US: i64 = 5 * 60 * MICROS_PER_SECOND;

/// What this process remembers of its verifications.
#[derive(Default)]
pub(super) struct Trust {
    /// Where trusted positions are kept; not set where nothing is kept outside the database.
    file: OnceLock<TrustedFile>,
    /// Tenants that are being verified on demand.
    running: Mutex<HashSet<TenantId>>,
}

/// A tenant that is being verified, until this is dropped.
struct Running {
    logs: Logs,
    tenant: TenantId,
}

impl Running {
    /// # Errors
    /// `UNAVAILABLE` while the tenant is being verified: a second one would only slow the first.
    fn begin(logs: &Logs, tenant: &TenantId) -> Result<Self> {
        if logs.0.trust.running.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone()) {
            return Ok(Self { logs: logs.clone(), tenant: tenant.clone() });
        }
        Err(Error::unavailable("the logs are being verified; ask for the result in a while", RUNNING_RETRY_MS))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.logs.0.trust.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.tenant);
    }
}

impl Logs {
    /// Keeps trusted positions in a folder, from now on.
    pub fn trust_in(&self, data_dir: &Path) {
        // A second folder would be a second memory: the first stays.
        let _ = self.0.trust.file.set(TrustedFile::in_folder(data_dir));
    }

    fn looker(&self, mode: VerificationMode) -> Result<Looker> {
        let trusted = self.0.trust.file.get().map(TrustedFile::load).transpose()?.unwrap_or_default();
        let (store, clock) = (self.0.store.clone(), self.0.clock.clone());
        Ok(Looker { store, clock, trusted, mode, originals: Vec::new(), progress: unwatched() })
    }

    fn keep_trusted(&self, looks: &[Look]) -> Result<()> {
        let trusted: Vec<TrustedLog> = looks.iter().filter_map(Look::trusted).collect();
        self.0.trust.file.get().map_or(Ok(()), |file| file.advance(&trusted))
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

    /// One round of the background: what has changed is verified, what has not is noted as seen. How many were verified.
    ///
    /// # Errors
    /// As for [`Self::verify_tenant`].
    pub async fn verify_changed(&self) -> Result<usize> {
        let looker = self.looker(VerificationMode::Incremental)?;
        let mut looked = 0;
        for tenant in looker.tenants().await? {
            // What keeps one tenant from being verified keeps no other.
            match self.verify_if_changed(&looker, &tenant).await {
                Ok(count) => looked += count,
                Err(error) => {
                    tracing::error!(?error, %tenant, "a tenant's logs could not be verified; they come again")
                }
            }
        }
        Ok(looked)
    }

    async fn verify_if_changed(&self, looker: &Looker, tenant: &TenantId) -> Result<usize> {
        let heads = looker.store.log_heads(Some(tenant)).await?;
        let standings = self.0.store.standings(tenant).await?;
        if is_quiet(tenant, &heads, looker, &standings) {
            let unchanged: Vec<Uuid> = heads.iter().map(|head| head.log_id).collect();
            self.note_unchanged(tenant, &unchanged).await?;
            return Ok(0);
        }
        let looks = looker.tenant(tenant).await?;
        let unchanged = self.keep_news(tenant, &looks, &standings).await?;
        self.keep_trusted(&looks)?;
        self.note_unchanged(tenant, &unchanged).await?;
        Ok(looks.len())
    }

    async fn note_unchanged(&self, tenant: &TenantId, log_ids: &[Uuid]) -> Result<()> {
        self.0.store.touch_watch(tenant, log_ids, VerificationMode::Incremental, self.0.clock.now()).await
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
            let first = look.findings.first().map(tracing::field::display);
            tracing::error!(%tenant, %log_id, anomaly_count, warning_count, first, "a log is INVALID");
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
        let appended = match self.append(AppendUnit::evidence(tenant.clone(), records)).await {
            Ok(AppendReceipt::Done(results)) => results.into_iter().find_map(|result| match result {
                AppendResult::Rejected(error) => Some(error),
                AppendResult::New(_) | AppendResult::Existing { .. } => None,
            }),
            Ok(AppendReceipt::Replayed(_) | AppendReceipt::Stale) => None,
            Err(error) => Some(error),
        };
        let is_invalid = looks.iter().any(|look| look.verification.status == VerificationStatus::Invalid);
        match appended {
            None => Ok(()),
            // Nothing is appended to a log that contradicts itself, but whoever asked must hear of it all the more.
            Some(error) if is_invalid => {
                tracing::error!(?error, %tenant, "what was found is stored, but not in the audit ledger");
                Ok(())
            }
            Some(error) => Err(error),
        }
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
        self.own_entry(OwnEntry {
            actor: Some(actor.clone()),
            correlation_id: Some(id.to_string()),
            source_component: VERIFIER,
            occurred_at: Some(look.verification.finished_at),
            after_state: Some(state),
            ..OwnEntry::new(
                AuditCategory::Integrity,
                event_type(*status),
                AuditEntityType::Ledger,
                log_id.simple().to_string(),
            )
        })
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

#[cfg(test)]
mod tests;
