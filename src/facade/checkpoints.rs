//! How logs are signed, and what was signed is noted in the platform's log of logs. Only committed states are signed, and
//! only those that extend what was signed before.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use super::Logs;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, New};
use crate::domain::checkpoint::SignedCheckpoint;
use crate::domain::ids::{Digest, TenantId};
use crate::domain::ledger::{LedgerEvent, LedgerLog, LogName};
use crate::domain::record::NewRecord;
use crate::domain::vocabulary::{ActorType, LedgerEventKind, Stream};
use crate::error::{Error, Result};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::note::NoteSigner;
use crate::ledger::proof::{self, Plan};
use crate::ledger::tree::CompactRange;
use crate::store::checkpoints::UnsignedLog;

/// Checkpoints that are noted in one unit.
const NOTE_TOGETHER: u32 = 200;
const SIGN_RETRY_MS: u64 = 1_000;

/// The process's signing key, and why it does not sign.
#[derive(Default)]
pub(super) struct Signing {
    pub key: OnceLock<NoteSigner>,
    trouble: Mutex<Trouble>,
    /// Rung when a log other than the log of logs was signed.
    unnoted: Notify,
}

#[derive(Default)]
struct Trouble {
    /// Why nothing is signed any more.
    stopped: Option<String>,
    /// Logs that are not signed, and why.
    logs: BTreeMap<Uuid, String>,
}

impl Signing {
    /// What keeps this process from signing.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says what, and what to do.
    pub fn check(&self) -> Result<()> {
        let trouble = self.trouble();
        refusal(trouble.stopped.as_ref().or_else(|| trouble.logs.values().next()))
    }

    /// Whether nothing is signed any more, and how many logs are not.
    pub fn refusals(&self) -> (bool, usize) {
        let trouble = self.trouble();
        (trouble.stopped.is_some(), trouble.logs.len())
    }

    /// The same for one log.
    fn check_log(&self, log_id: Uuid) -> Result<()> {
        let trouble = self.trouble();
        refusal(trouble.stopped.as_ref().or_else(|| trouble.logs.get(&log_id)))
    }

    fn stop(&self, reason: String) {
        tracing::error!(reason, "nothing is signed any more");
        self.trouble().stopped = Some(reason);
    }

    fn refuse(&self, log: &LedgerLog, reason: String) {
        tracing::error!(log = log.origin, tenant = %log.tenant_id, reason, "this log is not signed");
        self.trouble().logs.insert(log.log_id, reason);
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        // Nothing under this lock can panic half-way.
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logs {
    /// Waits until this process has changed logs that it has not signed since.
    pub async fn logs_changed(&self) {
        self.0.store.changed_logs().any().await;
    }

    /// Waits until this process has signed what is to be noted, since somebody last waited.
    pub async fn checkpoints_signed(&self) {
        self.0.signing.unnoted.notified().await;
    }

    /// Signs every log whose state has no checkpoint, whoever changed it; how many.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn sign_all(&self) -> Result<usize> {
        let changed = self.0.store.changed_logs().take();
        let unsigned = self.0.store.unsigned_logs();
        self.sign(unsigned).await.inspect_err(|_| self.0.store.changed_logs().add(changed))
    }

    /// Signs the logs that this process has changed since; how many. Reads nothing when there are none.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn sign_changed(&self) -> Result<usize> {
        let changed = self.0.store.changed_logs().take();
        if changed.is_empty() {
            return Ok(0);
        }
        let unsigned = self.0.store.unsigned_among(&changed);
        self.sign(unsigned).await.inspect_err(|_| self.0.store.changed_logs().add(changed))
    }

    async fn sign(&self, unsigned: impl Future<Output = Result<Vec<UnsignedLog>>>) -> Result<usize> {
        let signing = &self.0.signing;
        let Some(key) = signing.key.get().filter(|_| signing.trouble().stopped.is_none()) else { return Ok(0) };
        let mut signed = Vec::new();
        let mut is_news = false;
        for UnsignedLog { log, newest } in unsigned.await? {
            match self.contradiction(&log, newest).await? {
                Some(reason) => signing.refuse(&log, reason),
                None => {
                    signing.trouble().logs.remove(&log.log_id);
                    is_news |= !is_log_of_logs(&log);
                    signed.push(self.signed(key, &log)?);
                }
            }
        }
        self.store_signed(key, &signed).await?;
        if is_news {
            signing.unnoted.notify_one();
        }
        metrics::counter!("runledger_checkpoints_signed_total").increment(signed.len() as u64);
        Ok(signed.len())
    }

    async fn store_signed(&self, key: &NoteSigner, signed: &[SignedCheckpoint]) -> Result<()> {
        let key_id = key.key().id_hex();
        if signed.is_empty() || self.0.store.insert_checkpoints(&key_id, signed).await? {
            return Ok(());
        }
        let reason = format!("key {key_id} was retired: restart this server with the ledger's new key file");
        self.0.signing.stop(reason);
        self.0.signing.check()
    }

    fn signed(&self, key: &NoteSigner, log: &LedgerLog) -> Result<SignedCheckpoint> {
        let checkpoint = Checkpoint { origin: log.origin.clone(), size: log.size.cast_unsigned(), root: log.root };
        Ok(SignedCheckpoint {
            tenant_id: log.tenant_id.clone(),
            log_id: log.log_id,
            origin: log.origin.clone(),
            size: log.size,
            root: log.root,
            note: checkpoint.sign(key).map_err(Error::internal)?,
            made_at: self.0.clock.now(),
        })
    }

    /// Why a log's state may not be signed: it contradicts itself, or what was signed before.
    async fn contradiction(&self, log: &LedgerLog, newest: Option<(i64, Digest)>) -> Result<Option<String>> {
        let verify = "run `runledger verify database`";
        let is_whole =
            CompactRange::from_edge(log.size.cast_unsigned(), &log.edge).is_some_and(|range| range.root() == log.root);
        if !is_whole {
            return Ok(Some(format!("root and edge of log {} disagree; {verify}", log.origin)));
        }
        let Some((size, root)) = newest else { return Ok(None) };
        if size > log.size {
            let message =
                format!("log {} has {} entries, but a checkpoint of {size} was signed; {verify}", log.origin, log.size);
            return Ok(Some(message));
        }
        let (from, to) = (size.cast_unsigned(), log.size.cast_unsigned());
        let hashes = match Plan::consistency(from, to) {
            Some(plan) => plan.hashes(&self.0.store.hashes(log, plan.spans()).await?),
            None => None,
        };
        let is_extended = hashes.is_some_and(|hashes| proof::is_consistent(from, root, to, log.root, &hashes));
        let contradicts = || format!("log {} does not extend its checkpoint of {size} entries; {verify}", log.origin);
        Ok((!is_extended).then(contradicts))
    }

    /// Appends the newest checkpoint of every log to the log of logs where it is not there yet; how many. One process does
    /// that at a time; a checkpoint that is noted twice does no harm.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database or the queue does not take them.
    pub async fn note_checkpoints(&self) -> Result<usize> {
        if self.0.signing.key.get().is_none() {
            return Ok(0);
        }
        let mut noted = 0;
        loop {
            let unnoted = self.0.store.unnoted_checkpoints(NOTE_TOGETHER).await?;
            if unnoted.is_empty() {
                return Ok(noted);
            }
            noted += unnoted.len();
            let records = unnoted.iter().map(|checkpoint| self.note_of(checkpoint)).collect::<Result<Vec<_>>>()?;
            let unit = AppendUnit::evidence(TenantId::platform(), records);
            if let AppendReceipt::Done(results) = self.append(unit).await? {
                for result in results {
                    if let AppendResult::Rejected(error) = result {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The record of a checkpoint in the log of logs.
    fn note_of(&self, checkpoint: &SignedCheckpoint) -> Result<NewRecord> {
        let detail = json!({
            "log_id": checkpoint.log_id.simple().to_string(),
            "origin": checkpoint.origin,
            "size": checkpoint.size.to_string(),
            "root": checkpoint.root.to_hex(),
            "note": checkpoint.note,
        });
        let record = LedgerEvent {
            kind: LedgerEventKind::Checkpoint,
            subject: checkpoint.log_id.simple().to_string(),
            reason: None,
            detail: serde_json_canonicalizer::to_string(&detail).map_err(Error::internal)?,
            actor_type: ActorType::System,
            actor_id: Some(super::own_audit::SERVER.to_owned()),
        };
        Ok(NewRecord::Event(Box::new(New { id: self.0.clock.new_id(), record, payloads: Vec::new() })))
    }

    /// The last signatures of a process: everything that it wrote is written, signed and noted, and nothing more is taken.
    pub async fn finish_checkpoints(&self) {
        let finished = async {
            self.sign_changed().await?;
            // Whoever's turn it is.
            self.note_checkpoints().await?;
            self.0.store.drain().await;
            self.sign_changed().await
        };
        if let Err(error) = finished.await {
            tracing::warn!(?error, "the last checkpoints were not signed; the next start signs them");
        }
    }

    /// The newest checkpoint of a log; signed now where there is none yet.
    pub(super) async fn newest_checkpoint(&self, log: &LedgerLog) -> Result<Option<SignedCheckpoint>> {
        match self.0.store.get_checkpoint(log, None).await? {
            Some(checkpoint) => Ok(Some(checkpoint)),
            None => self.sign_now(log).await,
        }
    }

    /// Signs the present state of a log and gives its newest checkpoint; `None` for an empty log.
    ///
    /// # Errors
    /// `UNAVAILABLE` when this process has no key, does not sign any more, or will not sign this log.
    pub(super) async fn sign_now(&self, log: &LedgerLog) -> Result<Option<SignedCheckpoint>> {
        if self.0.signing.key.get().is_none() {
            return Err(Error::unavailable("this process has no key to sign with", SIGN_RETRY_MS));
        }
        let name = [LogName { tenant: log.tenant_id.clone(), log_id: log.log_id }];
        self.sign(self.0.store.unsigned_among(&name)).await?;
        self.0.signing.check_log(log.log_id)?;
        self.0.store.get_checkpoint(log, None).await
    }
}

fn refusal(reason: Option<&String>) -> Result<()> {
    reason.map_or(Ok(()), |reason| Err(Error::unavailable(reason.clone(), SIGN_RETRY_MS)))
}

fn is_log_of_logs(log: &LedgerLog) -> bool {
    log.tenant_id.is_platform() && log.stream == Stream::Evidence
}
