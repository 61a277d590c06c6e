//! One look at the logs of a tenant, or of the whole database. Reads only; what it finds is stored by whoever asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::trusted::TrustedLog;
use crate::clock::SharedClock;
use crate::domain::ids::TenantId;
use crate::domain::time::Timestamp;
use crate::domain::verification::{
    Anomaly, AnomalyKind, TrustedPosition, Verification, VerificationMode, VerificationStatus,
};
use crate::domain::vocabulary::Stream;
use crate::error::{Error, Result};
use crate::ledger::verify::findings::Findings;
use crate::ledger::verify::originals::Original;
use crate::ledger::verify::tree::Landmark;
use crate::store::Store;
use crate::store::verify::{Checked, LogHead, Progress};

/// What one look at one log found.
#[derive(Debug)]
pub struct Look {
    /// The result.
    pub verification: Verification,
    /// What was found, as far as it is kept.
    pub findings: Vec<Anomaly>,
    /// Whether it covered more than the ledger watching itself.
    pub has_news: bool,
}

impl Look {
    /// The position that may be trusted from now on.
    #[must_use]
    pub fn trusted(&self) -> Option<TrustedLog> {
        let Verification { status, root, size, tenant_id, log_id, stream, finished_at, .. } = &self.verification;
        (*status == VerificationStatus::Valid).then_some(())?;
        let position = TrustedPosition { size: *size, root: (*root)?, verified_at: *finished_at };
        Some(TrustedLog { log_id: *log_id, tenant: tenant_id.clone(), stream: *stream, position })
    }
}

/// Looks at logs.
pub struct Looker {
    /// Where the logs are.
    pub store: Store,
    /// The clock.
    pub clock: SharedClock,
    /// The trusted positions.
    pub trusted: BTreeMap<Uuid, TrustedLog>,
    /// How much is looked at.
    pub mode: VerificationMode,
    /// What receipts hold: compared with the logs that they are of.
    pub originals: Vec<Original>,
    /// Told how far it is.
    pub progress: Progress,
}

impl Looker {
    /// Every tenant that has a log, had one when it was last verified from here or has receipts, the platform last: its log of logs must
    /// be at least as new as the logs.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn tenants(&self) -> Result<Vec<TenantId>> {
        let heads = self.store.log_heads(None).await?;
        let known = self.trusted.values().map(|log| &log.tenant).chain(self.originals.iter().map(|one| &one.tenant));
        let mut tenants: BTreeSet<TenantId> = known.cloned().chain(heads.into_iter().map(|head| head.tenant)).collect();
        let platform = TenantId::platform();
        tenants.remove(&platform);
        Ok(tenants.into_iter().chain([platform]).collect())
    }

    /// A tenant's logs, one by one. A log that cannot be read to its end is UNKNOWN; what was found before is lost, because
    /// half a look is none.
    ///
    /// # Errors
    /// `UNAVAILABLE` when not even the logs can be listed.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Vec<Look>> {
        let heads = self.store.log_heads(Some(tenant)).await?;
        let mut looks = Vec::new();
        let (mut payloads, mut tags, mut evidence) = (0, 0, None);
        let mut is_whole = true;
        let guards = if heads.is_empty() { Vec::new() } else { self.store.open_guards().await? };
        for head in &heads {
            let started_at = self.clock.now();
            let trusted = self.trusted.get(&head.log_id).map(|log| &log.position);
            let originals: Vec<&Original> = self.originals.iter().filter(|one| one.log_id == head.log_id).collect();
            match self.store.verify_log(head, self.mode, trusted, &originals, &self.progress).await {
                Ok(mut checked) => {
                    checked.outcome.findings.extend(guards.iter().cloned());
                    payloads += checked.payloads;
                    tags += checked.tags;
                    if head.stream == Some(Stream::Evidence) {
                        evidence = Some((looks.len(), checked.outcome.root.is_some(), head.size.min(head.end)));
                    }
                    is_whole &= checked.from == 0;
                    looks.push(self.look(head, checked, trusted.is_some(), started_at));
                }
                Err(error) => {
                    is_whole = false;
                    looks.push(self.unknown(head, &error, started_at));
                }
            }
        }
        for log in self.gone(tenant, &heads) {
            looks.push(self.lost(log));
        }
        self.add_gone(tenant, &heads, &mut looks);
        for stream in [Stream::Evidence, Stream::Access] {
            if heads.iter().all(|head| head.stream != Some(stream)) {
                let findings = self.store.unlogged_records(tenant, stream).await?;
                if !findings.is_empty() {
                    let mut look = self.empty(tenant.clone(), Uuid::nil(), Some(stream));
                    look.add(findings);
                    looks.push(look);
                }
            }
        }
        // Payloads and tags belong to the tenant, not to a log: they can be counted where every log was gone through.
        if let Some((at, _, end)) = evidence.filter(|_| is_whole) {
            let strays = self.store.stray_parts(tenant, payloads, tags, end).await?;
            looks[at].add(strays);
        }
        if tenant.is_platform() && self.mode == VerificationMode::Full {
            self.add_stray_logs(&mut looks).await?;
        }
        Ok(looks)
    }

    /// Every tenant.
    ///
    /// # Errors
    /// As for [`Self::tenant`].
    pub async fn database(&self) -> Result<Vec<Look>> {
        let mut looks = Vec::new();
        for tenant in self.tenants().await? {
            looks.extend(self.tenant(&tenant).await?);
        }
        if self.mode == VerificationMode::Incremental {
            self.add_stray_logs(&mut looks).await?;
        }
        Ok(looks)
    }

    /// What concerns no single tenant is told with the log of logs.
    async fn add_stray_logs(&self, looks: &mut Vec<Look>) -> Result<()> {
        let strays = self.store.stray_logs().await?;
        if strays.is_empty() {
            return Ok(());
        }
        let is_log_of_logs = |look: &Look| {
            look.verification.tenant_id.is_platform() && look.verification.stream == Some(Stream::Evidence)
        };
        if !looks.iter().any(is_log_of_logs) {
            looks.push(self.empty(TenantId::platform(), Uuid::nil(), Some(Stream::Evidence)));
        }
        if let Some(look) = looks.iter_mut().find(|look| is_log_of_logs(look)) {
            look.add(strays);
        }
        Ok(())
    }

    fn look(&self, head: &LogHead, checked: Checked, is_trusted: bool, started_at: Timestamp) -> Look {
        let Checked { from, outcome, payloads, erased, .. } = checked;
        let mut look = self.empty(head.tenant.clone(), head.log_id, head.stream);
        let verification = &mut look.verification;
        verification.from_size = from;
        verification.size = head.size;
        verification.root = outcome.root;
        verification.entry_count = outcome.entry_count;
        verification.payload_count = payloads;
        verification.erased_count = erased;
        verification.started_at = started_at;
        let is_empty = head.size == 0 && outcome.entry_count == 0 && !is_trusted;
        if !is_empty {
            (verification.status, verification.reason) = (VerificationStatus::Valid, None);
        }
        look.has_news = outcome.has_news;
        look.count(&outcome.findings);
        look
    }

    fn unknown(&self, head: &LogHead, error: &Error, started_at: Timestamp) -> Look {
        tracing::warn!(?error, tenant = %head.tenant, log = head.origin, "a log could not be verified");
        let mut look = self.empty(head.tenant.clone(), head.log_id, head.stream);
        look.verification.size = head.size;
        look.verification.started_at = started_at;
        look.verification.reason = Some(format!("the check broke off: {}", error.message()));
        look
    }

    fn empty(&self, tenant_id: TenantId, log_id: Uuid, stream: Option<Stream>) -> Look {
        let now = self.clock.now();
        let verification = Verification {
            id: self.clock.new_id(),
            tenant_id,
            log_id,
            stream,
            mode: self.mode,
            status: VerificationStatus::Unknown,
            reason: Some("the log is empty: there was nothing to check".to_owned()),
            from_size: 0,
            size: 0,
            root: None,
            entry_count: 0,
            payload_count: 0,
            erased_count: 0,
            anomaly_count: 0,
            warning_count: 0,
            is_chain_valid: true,
            started_at: now,
            finished_at: now,
        };
        Look { verification, findings: Vec::new(), has_news: false }
    }

    /// Trusted logs of a tenant that are not there any more.
    fn gone(&self, tenant: &TenantId, heads: &[LogHead]) -> Vec<&TrustedLog> {
        let is_gone = |log: &&TrustedLog| heads.iter().all(|head| head.log_id != log.log_id);
        self.trusted.values().filter(|log| log.tenant == *tenant).filter(is_gone).collect()
    }

    /// Logs of a tenant that only receipts know any more.
    fn add_gone(&self, tenant: &TenantId, heads: &[LogHead], looks: &mut Vec<Look>) {
        let is_gone = |one: &&Original| one.tenant == *tenant && heads.iter().all(|head| head.log_id != one.log_id);
        let mut newest: BTreeMap<Uuid, (&Original, Landmark)> = BTreeMap::new();
        for original in self.originals.iter().filter(is_gone) {
            let landmark = original.landmark();
            if newest.get(&original.log_id).is_none_or(|(_, known)| known.size < landmark.size) {
                newest.insert(original.log_id, (original, landmark));
            }
        }
        for (original, Landmark { size, name, .. }) in newest.into_values() {
            let detail = format!("{name} is of {size} entries of {}, a log that is gone", original.origin());
            let finding = Anomaly::new(AnomalyKind::Deleted, detail).within(0, size).field("ledger_log");
            match looks.iter_mut().find(|look| look.verification.log_id == original.log_id) {
                Some(look) => look.add(vec![finding]),
                None => {
                    let mut look = self.empty(tenant.clone(), original.log_id, None);
                    look.add(vec![finding]);
                    looks.push(look);
                }
            }
        }
    }

    fn lost(&self, log: &TrustedLog) -> Look {
        let size = log.position.size;
        let detail = format!(
            "the log had {size} entries when it was last verified from here, and is gone with them, or the trusted.json of \
             this data folder is of another database"
        );
        let mut look = self.empty(log.tenant.clone(), log.log_id, log.stream);
        look.add(vec![Anomaly::new(AnomalyKind::Rollback, detail).within(0, size)]);
        look
    }
}

impl Look {
    fn count(&mut self, findings: &Findings) {
        let verification = &mut self.verification;
        verification.anomaly_count = findings.anomalies();
        verification.warning_count = findings.warnings();
        verification.is_chain_valid = findings.is_chain_valid();
        if findings.anomalies() > 0 {
            (verification.status, verification.reason) = (VerificationStatus::Invalid, None);
        }
        self.findings = findings.kept().to_vec();
    }

    /// Adds findings that were made outside of the pass.
    fn add(&mut self, more: Vec<Anomaly>) {
        if more.is_empty() {
            return;
        }
        let (anomalies, warnings) = (self.verification.anomaly_count, self.verification.warning_count);
        let kept = i64::try_from(self.findings.len()).unwrap_or(i64::MAX);
        let unkept = (anomalies + warnings - kept).max(0);
        let was_valid = self.verification.is_chain_valid;
        let mut findings = Findings::default();
        findings.extend(std::mem::take(&mut self.findings));
        findings.extend(more);
        findings.sort();
        self.count(&findings);
        // Those that were counted and not kept are counted still.
        self.verification.anomaly_count += unkept;
        self.verification.is_chain_valid &= was_valid;
    }
}

/// For those who do not watch.
#[must_use]
pub fn unwatched() -> Progress {
    Arc::new(|_, _| {})
}
