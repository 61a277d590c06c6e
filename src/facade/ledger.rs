//! Reads of the ledger: logs, entries, leaves; and the one way to take something out of it.

use std::sync::Arc;

use serde_json::json;

use super::access::{Granted, ServerUse, needed, open_for_server};
use super::loaders::{EntryOf, RecordOf};
use super::{LogsFacade, authorize};
use crate::capture::{input, json};
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, New};
use crate::domain::ids::{IdKind, RecordId, TenantId};
use crate::domain::ledger::{LedgerEntry, LedgerEvent, LedgerLog};
use crate::domain::payload::PayloadPart;
use crate::domain::record::NewRecord;
use crate::domain::record::StoredRecord;
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::domain::vocabulary::{LedgerEventKind, RecordKind, Stream};
use crate::error::{Code, Error, Result};
use crate::ledger::canonical;
use crate::store::ledger::EntryRange;

/// Most entries that one page of the feed looks at: seq has no gaps, so this bounds the work of a filter that fits few.
const SCAN_MAX: i64 = 100_000;

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries, in order.
    pub entries: Vec<LedgerEntry>,
    /// The last place that was looked at: where the next page begins. `None` while the log is empty.
    pub resume_after: Option<i64>,
    /// Whether there are places that were not looked at.
    pub has_next_page: bool,
}

impl LogsFacade {
    /// One of the tenant's logs as it stands now; `None` while nothing was written to it.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, for the access log without `audit:read`, as for every read below.
    pub async fn ledger_log(&self, stream: Stream) -> Result<Option<LedgerLog>> {
        self.require_stream(stream)?;
        self.store().ledger_log(&self.scope.tenant, stream).await
    }

    /// A page of a log behind a place, up to `log_size`, the size that the log had when it was looked at.
    ///
    /// # Errors
    /// `BAD_CURSOR` for a place that the log has not: it was cut off since it was given out.
    pub async fn list_ledger_entries(
        &self,
        stream: Stream,
        log_size: i64,
        after: Option<i64>,
        size: u32,
        kinds: &[RecordKind],
    ) -> Result<EntryPage> {
        let granted = self.require_stream(stream)?;
        if let Some(after) = after.filter(|after| *after >= log_size) {
            let message = format!(
                "after is {after}, and the log has {log_size} entries only. A log never shrinks: the database was set \
                 back, or this is the place of another log"
            );
            return Err(Error::new(Code::BadCursor, message));
        }
        let from = after.map_or(0, |after| after.saturating_add(1)).max(0);
        let to = log_size.min(from.saturating_add(SCAN_MAX));
        let range = EntryRange { from, to, kinds, limit: size.saturating_add(1) };
        let mut has_more = false;
        let entries = self.store().list_entries(&self.scope.tenant, stream, &range).await?.map(|mut entries| {
            has_more = entries.len() > size as usize;
            entries.truncate(size as usize);
            entries
        });
        let entries = self.audit.open(granted, entries)?;
        let last = if has_more { entries.last().map(|entry| entry.seq) } else { to.checked_sub(1) };
        Ok(EntryPage {
            entries,
            resume_after: last.filter(|last| *last >= 0).or(after),
            has_next_page: has_more || to < log_size,
        })
    }

    /// The entry at a place of a log; `None` where the log does not reach so far.
    ///
    /// # Errors
    /// As above.
    pub async fn get_ledger_entry(&self, stream: Stream, seq: i64) -> Result<Option<LedgerEntry>> {
        let granted = self.require_stream(stream)?;
        let range = EntryRange { from: seq, to: seq.saturating_add(1), kinds: &[], limit: 1 };
        let entries = self.store().list_entries(&self.scope.tenant, stream, &range).await?;
        Ok(self.audit.open(granted, entries)?.pop())
    }

    /// The entry of a record of the tenant's or the platform's; batched. `None` for a record that no log knows.
    ///
    /// # Errors
    /// `FORBIDDEN` to those who may read neither the record nor the evidence log; `UNAVAILABLE` or `TIMEOUT` when the database does not answer.
    pub async fn ledger_entry_of(&self, owner: &TenantId, record: RecordId) -> Result<Option<LedgerEntry>> {
        if !self.sees(owner) {
            return Ok(None);
        }
        self.loaders.loader.load_one(EntryOf(owner.clone(), record)).await?.transpose()
    }

    /// The entry of a record, in whichever of the tenant's logs it stands, else in the platform's; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` as above, and for audit entries, which may stand in the access log, without `audit:read`.
    pub async fn find_ledger_entry(&self, record: RecordId) -> Result<Option<(TenantId, LedgerEntry)>> {
        for owner in [self.scope.tenant.clone(), TenantId::platform()] {
            if let Some(entry) = self.ledger_entry_of(&owner, record).await? {
                if entry.kind == RecordKind::AuditEntry {
                    self.require(Permission::AuditRead)?;
                }
                return Ok(Some((owner, entry)));
            }
        }
        Ok(None)
    }

    /// A record of any kind; batched. `None` where it is missing, which verification reports.
    ///
    /// # Errors
    /// `FORBIDDEN` without the permission to read records of this kind.
    pub async fn evidence_record(
        &self,
        owner: &TenantId,
        kind: RecordKind,
        record: RecordId,
    ) -> Result<Option<Arc<StoredRecord>>> {
        self.require(needed(kind))?;
        if !self.sees(owner) {
            return Ok(None);
        }
        self.loaders.loader.load_one(RecordOf(owner.clone(), kind, record)).await
    }

    /// The tenant's own record behind an id whose prefix several kinds share: an event of the ledger, or a seal.
    ///
    /// # Errors
    /// As above.
    pub async fn get_ledger_record(&self, record: RecordId) -> Result<Option<Arc<StoredRecord>>> {
        let tenant = &self.scope.tenant;
        match self.ledger_entry_of(tenant, record).await?.filter(|entry| entry.kind.id_kind() == IdKind::Ledger) {
            Some(entry) => self.evidence_record(tenant, entry.kind, record).await,
            None => Ok(None),
        }
    }

    /// The leaf of a record, made from its columns as they are now; batched. It hashes to the entry's leaf hash unless
    /// somebody changed the one or the other.
    ///
    /// # Errors
    /// As above.
    pub async fn leaf(&self, owner: &TenantId, kind: RecordKind, record: RecordId) -> Result<Option<String>> {
        let Some(record) = self.evidence_record(owner, kind, record).await? else { return Ok(None) };
        let leaf = canonical::leaf(record.head(), record.record());
        String::from_utf8(leaf).map(Some).map_err(Error::internal)
    }

    /// Deletes a payload with its salt and appends the event that says so, in one transaction. What the record's leaf
    /// holds of it, the commitment, stays: the tree is not touched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `admin`; `BAD_USER_INPUT` or `LIMIT_EXCEEDED` for the reason; `NOT_FOUND` when the tenant has
    /// no such record; `CONFLICT` when it has no such payload, or it was erased before.
    pub async fn erase_payload(
        &self,
        kind: IdKind,
        record: RecordId,
        part: PayloadPart,
        reason: &str,
    ) -> Result<Stored<LedgerEvent>> {
        self.require(Permission::Admin)?;
        if reason.trim().is_empty() {
            return Err(Error::input("reason", "reason says why the payload is erased, in 1 to 512 bytes"));
        }
        let event = self.erasure(kind, record, part, input::reason(reason)?).await?;
        let tenant = self.scope.tenant.clone();
        let new = New { id: self.logs.0.clock.new_id(), record: event.clone(), payloads: Vec::new() };
        let unit = AppendUnit {
            is_atomic: true,
            erasures: vec![(record, part)],
            ..AppendUnit::evidence(tenant.clone(), vec![NewRecord::Event(Box::new(new))])
        };
        match self.logs.append(unit).await? {
            AppendReceipt::Done(results) => match results.into_iter().next() {
                Some(AppendResult::New(appended)) => Ok(Stored {
                    id: appended.id,
                    tenant_id: tenant,
                    seq: appended.seq,
                    created_at: appended.created_at,
                    record: event,
                }),
                Some(AppendResult::Rejected(error)) => Err(error),
                _ => Err(Error::internal("an erasure that was not appended")),
            },
            _ => Err(Error::internal("an erasure has neither key nor guard")),
        }
    }

    /// The event of an erasure, of a payload that the record has or had.
    async fn erasure(&self, kind: IdKind, id: RecordId, part: PayloadPart, reason: String) -> Result<LedgerEvent> {
        let tenant = &self.scope.tenant;
        let missing = || Error::new(Code::NotFound, "there is no record with this recordId");
        let entries = self.store().entries_of_records(tenant, &[id]).await?;
        let entry = open_for_server(ServerUse::Erasing, entries).remove(&id);
        let entry = entry.filter(|entry| entry.kind.id_kind() == kind).ok_or_else(missing)?;
        let records = self.store().records_by_id(tenant, entry.kind, &[id]).await?;
        let record = open_for_server(ServerUse::Erasing, records).remove(&id).ok_or_else(missing)?;
        let part_name = part.as_str();
        let commitment = record.record().commitment(part).ok_or_else(|| {
            Error::new(Code::Conflict, format!("this record has no payload {part_name}: there is nothing to erase"))
        })?;
        let detail = json::canonical(&json!({
            "commitment": commitment.to_hex(),
            "part": part_name,
            "record_id": id.to_string(),
            "record_kind": entry.kind.as_str(),
        }))?;
        Ok(LedgerEvent {
            kind: LedgerEventKind::Erase,
            subject: format!("{id}/{part_name}"),
            reason: Some(reason),
            detail,
            actor_type: self.scope.actor.actor_type,
            actor_id: Some(self.scope.actor.id.clone()),
        })
    }

    pub(super) fn require_stream(&self, stream: Stream) -> Result<Granted> {
        self.require(authorize::of_stream(stream))
    }

    /// Refuses a caller who reads neither of the two logs.
    pub(super) fn require_any_log(&self) -> Result<Granted> {
        self.audit.require_any(&[Stream::Evidence, Stream::Access].map(authorize::of_stream))
    }

    /// Whether the caller reads records of this tenant: their own and the platform's.
    fn sees(&self, owner: &TenantId) -> bool {
        *owner == self.scope.tenant || owner.is_platform()
    }
}
