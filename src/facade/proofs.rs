//! What a log can prove: checkpoints, that a record is in it, that it only grew, and receipts that say so offline.

use std::collections::HashMap;

use super::access::{Granted, RequestAudit, needed};
use super::tiles::altered;
use super::{Logs, LogsFacade};
use crate::domain::checkpoint::{ConsistencyProof, InclusionProof, SignedCheckpoint};
use crate::domain::ids::{Digest, RecordId, TenantId};
use crate::domain::ledger::{LedgerEntry, LedgerLog};
use crate::domain::scope::Permission;
use crate::domain::vocabulary::{RecordKind, Stream};
use crate::error::{Error, Result};
use crate::ledger::proof::{self, Plan};
use crate::ledger::receipt::Receipt;
use crate::ledger::tree::{self, CompactRange};
use crate::store::unread::Unread;

/// Receipts by record, each or why there is none.
pub type Receipts = HashMap<RecordId, Result<String>>;

impl LogsFacade {
    /// The signed checkpoint of exactly this size, where there is one; the newest for `None`, signed now where there is
    /// none yet.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn checkpoint(&self, stream: Stream, size: Option<i64>) -> Result<Option<SignedCheckpoint>> {
        match (self.ledger_log(stream).await?, size) {
            (Some(log), None) => self.logs.newest_checkpoint(&log).await,
            (Some(log), size) => self.store().get_checkpoint(&log, size).await,
            (None, _) => Ok(None),
        }
    }

    /// Proof that a record is in its log, in the tree of `size` entries or of all there are now. `None` for a record that
    /// the caller does not have.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a size that the log did not reach or that lies before the record; `CONFLICT` where what is
    /// stored proves nothing; else as for [`Self::ledger_log`].
    pub async fn inclusion_proof(&self, record_id: RecordId, size: Option<i64>) -> Result<Option<InclusionProof>> {
        let granted = self.require_any_log()?;
        let logs = self.logs.readable_logs(&self.scope.tenant).await?;
        let entries = self.logs.entries(&logs, &[record_id]).await?;
        let allowed =
            |(log, entry): (&LedgerLog, LedgerEntry)| self.require_stream(log.stream).map(|_| (log.clone(), entry));
        let entry = self.audit.open(granted, entries.map(|mut entries| entries.pop().map(allowed)))?;
        let Some((log, LedgerEntry { seq, leaf_hash, .. })) = entry.transpose()? else { return Ok(None) };
        let size = size.unwrap_or(log.size);
        if !(seq + 1..=log.size).contains(&size) {
            let message = format!("size lies between {} and {} for this record, got {size}", seq + 1, log.size);
            return Err(Error::input("size", message));
        }
        let plans = [inclusion(seq, size)?, edge(size)?];
        let mut hashes = self.logs.planned(&log, &plans).await?.into_iter();
        let (hashes, edge) = (hashes.next().unwrap_or_default(), hashes.next().unwrap_or_default());
        let proof = InclusionProof { log_id: log.log_id, seq, leaf_hash, size, root: root(size, &edge)?, hashes };
        check_inclusion(&proof)?;
        Ok(Some(proof))
    }

    /// Proof that the log of `to` entries begins with the log of `from` entries. `None` where there is no such log.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for sizes that are out of order or that the log did not reach; else as for
    /// [`Self::inclusion_proof`].
    pub async fn consistency_proof(&self, stream: Stream, from: i64, to: i64) -> Result<Option<ConsistencyProof>> {
        let Some(log) = self.ledger_log(stream).await? else { return Ok(None) };
        if !(0..=log.size).contains(&to) {
            return Err(Error::input("to", format!("to lies between 0 and {}, got {to}", log.size)));
        }
        if !(0..=to).contains(&from) {
            return Err(Error::input("from", format!("from lies between 0 and to, which is {to}, got {from}")));
        }
        let plan = Plan::consistency(from.cast_unsigned(), to.cast_unsigned()).ok_or_else(no_plan)?;
        let mut hashes = self.logs.planned(&log, &[plan, edge(from)?, edge(to)?]).await?.into_iter();
        let mut next = || hashes.next().unwrap_or_default();
        let (hashes, from_root, to_root) = (next(), root(from, &next())?, root(to, &next())?);
        if !proof::is_consistent(from.cast_unsigned(), from_root, to.cast_unsigned(), to_root, &hashes) {
            return Err(altered(format!("the hashes of log {} prove nothing", log.origin)));
        }
        Ok(Some(ConsistencyProof { log_id: log.log_id, from, from_root, to, to_root, hashes }))
    }

    /// The receipt of a record: its leaf, its place, the audit path and a signed checkpoint (C2SP tlog-proof), verifiable
    /// offline. `None` for a record that the caller does not have. Asked for a page of records it is made for all of them
    /// together; the request must be [driven](super::loaders::LoadQueue::drive).
    ///
    /// # Errors
    /// `FORBIDDEN` without the permission to read the record's kind; `CONFLICT` where the stored record is not what was
    /// chained; `UNAVAILABLE` when it is not signed yet and cannot be now, or the database does not answer.
    pub async fn receipt(&self, record_id: RecordId) -> Result<Option<String>> {
        self.loaders.loader.load_one(super::loaders::ReceiptOf(record_id)).await?.transpose()
    }
}

impl Logs {
    /// The receipts of records: a few statements for all of them. A record that the caller does not have is absent.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer; what is wrong with one record stands in its place.
    pub(super) async fn receipts(&self, audit: &RequestAudit, ids: &[RecordId]) -> Result<Receipts> {
        let readers = [Permission::RunsRead, Permission::AuditRead, Permission::SystemRead];
        let granted = audit.require_any(&readers)?;
        let logs = self.readable_logs(&audit.scope().tenant).await?;
        let mut by_log: HashMap<uuid::Uuid, (&LedgerLog, Vec<LedgerEntry>)> = HashMap::new();
        let mut receipts = Receipts::new();
        let mut refused = Vec::new();
        let entries = self.entries(&logs, ids).await?.map(|mut entries| {
            entries.retain(|(_, entry)| {
                let refusal = audit.require(needed(entry.kind)).err();
                refused.extend(refusal.clone().map(|refusal| (entry.record_id, Err(refusal))));
                refusal.is_none()
            });
            entries
        });
        receipts.extend(refused);
        for (log, entry) in audit.open(granted, entries)? {
            by_log.entry(log.log_id).or_insert_with(|| (log, Vec::new())).1.push(entry);
        }
        for (log, entries) in by_log.into_values() {
            receipts.extend(self.receipts_of_log(audit, granted, log, &entries).await?);
        }
        Ok(receipts)
    }

    async fn receipts_of_log(
        &self,
        audit: &RequestAudit,
        granted: Granted,
        log: &LedgerLog,
        entries: &[LedgerEntry],
    ) -> Result<Receipts> {
        let mut receipts = Receipts::new();
        let mut covered = Vec::with_capacity(entries.len());
        for (entry, checkpoint) in self.covered(log, entries).await? {
            match checkpoint {
                Ok(checkpoint) => covered.push((entry, checkpoint)),
                Err(refusal) => drop(receipts.insert(entry.record_id, Err(refusal))),
            }
        }
        let plans = covered.iter().map(|(entry, checkpoint)| inclusion(entry.seq, checkpoint.size));
        let hashes = self.planned(log, &plans.collect::<Result<Vec<Plan>>>()?).await?;
        let leaves = audit.open_leaves(granted, entries, self.0.store.leaves(log, entries).await?)?;
        for ((entry, checkpoint), hashes) in covered.into_iter().zip(hashes) {
            let leaf = leaves.get(&entry.record_id).filter(|leaf| tree::leaf_hash(leaf) == entry.leaf_hash);
            let receipt = match leaf {
                Some(leaf) => receipt(&entry, &checkpoint, hashes, leaf),
                None => Err(altered(format!("record {} is not what was chained", entry.record_id))),
            };
            receipts.insert(entry.record_id, receipt);
        }
        Ok(receipts)
    }

    /// Each entry with a checkpoint that covers it, signed now where there is none, or why there is none.
    async fn covered(
        &self,
        log: &LedgerLog,
        entries: &[LedgerEntry],
    ) -> Result<Vec<(LedgerEntry, Result<SignedCheckpoint>)>> {
        let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
        let stored: HashMap<i64, SignedCheckpoint> =
            self.0.store.checkpoints_covering(log, &seqs).await?.into_iter().collect();
        let fresh = if stored.len() < seqs.len() { self.sign_now(log).await } else { Ok(None) };
        let of = |entry: &LedgerEntry| match (stored.get(&entry.seq), &fresh) {
            (Some(checkpoint), _) => Ok(checkpoint.clone()),
            (None, Ok(Some(fresh))) if fresh.size > entry.seq => Ok(fresh.clone()),
            (None, Ok(_)) => Err(Error::unavailable("this record is not signed yet; ask again", 1_000)),
            (None, Err(refusal)) => Err(refusal.clone()),
        };
        Ok(entries.iter().map(|entry| (*entry, of(entry))).collect())
    }

    /// The tenant's logs, and the log of logs, whose records about the platform are for everyone.
    async fn readable_logs(&self, tenant: &TenantId) -> Result<Vec<LedgerLog>> {
        let mut logs = self.0.store.ledger_logs(tenant).await?;
        logs.extend(self.0.store.ledger_log(&TenantId::platform(), Stream::Evidence).await?);
        Ok(logs)
    }

    /// The entries of records, each with its log. Checkpoints of other tenants' logs are nobody's to read.
    async fn entries<'l>(
        &self,
        logs: &'l [LedgerLog],
        ids: &[RecordId],
    ) -> Result<Unread<Vec<(&'l LedgerLog, LedgerEntry)>>> {
        let with_log = |(log_id, entry): (uuid::Uuid, LedgerEntry)| {
            let log = logs.iter().find(|log| log.log_id == log_id)?;
            let is_hidden = log.tenant_id.is_platform() && entry.kind == RecordKind::Checkpoint;
            (!is_hidden).then_some((log, entry))
        };
        let found = self.0.store.entries_by_record_id(logs, ids).await?;
        Ok(found.map(|found| found.into_iter().filter_map(with_log).collect()))
    }

    /// The hashes of several plans, read together.
    async fn planned(&self, log: &LedgerLog, plans: &[Plan]) -> Result<Vec<Vec<Digest>>> {
        let spans: Vec<proof::Span> = plans.iter().flat_map(|plan| plan.spans().iter().copied()).collect();
        let answers = self.0.store.hashes(log, &spans).await?;
        let mut rest = answers.as_slice();
        let hashes = plans.iter().map(|plan| {
            let (own, others) = rest.split_at_checked(plan.spans().len())?;
            rest = others;
            plan.hashes(own)
        });
        hashes.collect::<Option<_>>().ok_or_else(|| altered(format!("hashes of log {} are gone", log.origin)))
    }
}

/// The receipt, which is given only where it verifies.
fn receipt(entry: &LedgerEntry, checkpoint: &SignedCheckpoint, hashes: Vec<Digest>, leaf: &[u8]) -> Result<String> {
    let proof = InclusionProof {
        log_id: checkpoint.log_id,
        seq: entry.seq,
        leaf_hash: entry.leaf_hash,
        size: checkpoint.size,
        root: checkpoint.root,
        hashes,
    };
    check_inclusion(&proof)?;
    let (index, checkpoint) = (entry.seq.cast_unsigned(), checkpoint.note.clone());
    Ok(Receipt { leaf: leaf.to_vec(), index, proof: proof.hashes, checkpoint }.to_text())
}

fn check_inclusion(proof: &InclusionProof) -> Result<()> {
    let InclusionProof { seq, leaf_hash, size, root, hashes, .. } = proof;
    match proof::is_included(*leaf_hash, seq.cast_unsigned(), size.cast_unsigned(), *root, hashes) {
        true => Ok(()),
        false => Err(altered(format!("the hashes around place {seq} do not lead to the root of {size} entries"))),
    }
}

fn inclusion(seq: i64, size: i64) -> Result<Plan> {
    Plan::inclusion(seq.cast_unsigned(), size.cast_unsigned()).ok_or_else(no_plan)
}

fn edge(size: i64) -> Result<Plan> {
    Plan::edge(size.cast_unsigned()).ok_or_else(no_plan)
}

fn root(size: i64, edge: &[Digest]) -> Result<Digest> {
    let bytes: Vec<u8> = edge.iter().flat_map(|hash| hash.0).collect();
    CompactRange::from_edge(size.cast_unsigned(), &bytes).map(|range| range.root()).ok_or_else(no_plan)
}

fn no_plan() -> Error {
    Error::internal("a proof of sizes that no log has")
}
