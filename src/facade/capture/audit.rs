//! `appendAuditEntries`: entries of the audit ledger; each stands for itself.

use std::collections::HashMap;

use super::super::LogsFacade;
use super::super::audit::StoredAuditEntry;
use super::Answer;
use crate::capture::audit;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, NewRecord};
use crate::domain::audit::AuditEntry;
use crate::domain::draft::DraftAudit;
use crate::domain::ids::RecordId;
use crate::domain::input::AuditEntryInput;
use crate::domain::scope::Permission;
use crate::domain::vocabulary::Stream;
use crate::error::{Code, Error, Result};

/// Most entries of one call.
pub const ENTRIES_MAX: usize = 1_000;

/// What became of one entry: the entry that is on record, or why it cannot be recorded.
pub type AuditResult = Result<StoredAuditEntry>;

/// The answer of `appendAuditEntries`.
#[derive(Clone, Debug)]
pub struct RecordedAudit {
    /// One result for each entry, in order.
    pub results: Vec<AuditResult>,
    /// The idempotency key had been used.
    pub is_replayed: bool,
}

/// What is known of an entry before its record is read.
type Outcome = Result<RecordId>;

impl LogsFacade {
    /// Appends entries to the audit ledger; good ones are kept, bad ones named. Those of category ACCESS go to the access
    /// log, which is another unit: under one idempotency key each of the two is written once.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:write`; `BAD_USER_INPUT` for no entries; `LIMIT_EXCEEDED` beyond 1,000.
    pub async fn append_audit_entries(
        &self,
        entries: Vec<AuditEntryInput>,
        idempotency_key: Option<String>,
    ) -> Result<RecordedAudit> {
        self.require(Permission::AuditWrite)?;
        check_count(entries.len())?;
        let (now, mut outcomes) = (self.logs.0.clock.now(), Vec::with_capacity(entries.len()));
        let mut parts: [Vec<(usize, DraftAudit)>; 2] = Default::default();
        let request = format!("{entries:?}");
        for (place, entry) in entries.into_iter().enumerate() {
            match audit::entry(entry, &self.scope.actor, now) {
                Ok(draft) => {
                    let is_access = AuditEntry::stream(draft.entry.category) == Stream::Access;
                    parts[usize::from(is_access)].push((place, draft));
                    outcomes.push(Err(not_first()));
                }
                Err(error) => outcomes.push(Err(error)),
            }
        }
        let mut is_replayed = true;
        for (stream, drafts) in [Stream::Evidence, Stream::Access].into_iter().zip(parts) {
            if !drafts.is_empty() {
                is_replayed &=
                    self.append_audits(stream, drafts, idempotency_key.clone(), &request, &mut outcomes).await?;
            }
        }
        let is_replayed = is_replayed && idempotency_key.is_some() && outcomes.iter().any(Outcome::is_ok);
        Ok(RecordedAudit { results: self.audit_results(outcomes).await?, is_replayed })
    }

    /// Appends the entries of one log and notes what became of them; true where that had been done before.
    async fn append_audits(
        &self,
        stream: Stream,
        drafts: Vec<(usize, DraftAudit)>,
        key: Option<String>,
        request: &str,
        outcomes: &mut [Outcome],
    ) -> Result<bool> {
        let operation = match stream {
            Stream::Evidence => "appendAuditEntries",
            Stream::Access => "appendAuditEntries/access",
        };
        let places: Vec<usize> = drafts.iter().map(|(place, _)| *place).collect();
        let (keyed, first) = self.keyed(operation, key, &request).await?;
        if let Some(first) = first {
            replay(first, &places, outcomes);
            return Ok(true);
        }
        let records = drafts
            .into_iter()
            .map(|(_, draft)| Ok(NewRecord::Audit(self.logs.new_audit(draft)?)))
            .collect::<Result<Vec<_>>>()?;
        let answer = Answer { records: records.iter().map(|record| record.id().0).collect(), ..Answer::default() };
        let unit = AppendUnit {
            stream,
            idempotency: keyed.map(|keyed| keyed.claim(&answer)).transpose()?,
            ..AppendUnit::evidence(self.scope.tenant.clone(), records)
        };
        match self.append(unit).await? {
            AppendReceipt::Done(results) => {
                for (place, result) in places.into_iter().zip(results) {
                    outcomes[place] = match result {
                        AppendResult::New(appended) => Ok(appended.id),
                        AppendResult::Existing { id, .. } => Ok(id),
                        AppendResult::Rejected(error) => Err(error),
                    };
                }
                Ok(false)
            }
            AppendReceipt::Replayed(first) => {
                replay(self.first_answer(&first)?, &places, outcomes);
                Ok(true)
            }
            AppendReceipt::Stale => Err(Error::internal("a unit without guard was called stale")),
        }
    }

    /// Reads the records that the outcomes name.
    async fn audit_results(&self, outcomes: Vec<Outcome>) -> Result<Vec<AuditResult>> {
        let ids: Vec<RecordId> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
        let entries: HashMap<RecordId, Result<StoredAuditEntry>> = match ids.is_empty() {
            true => HashMap::new(),
            false => self.audit.told_each(self.store().audit_entries_by_id(&self.scope, &ids).await?),
        };
        let find = |id| entries.get(&id).cloned().unwrap_or_else(|| Err(not_first()));
        Ok(outcomes.into_iter().map(|outcome| outcome.and_then(find)).collect())
    }
}

/// The same request has the same good entries, so that the records of the first answer fall into their places.
fn replay(first: Answer, places: &[usize], outcomes: &mut [Outcome]) {
    for (place, id) in places.iter().zip(first.records) {
        outcomes[*place] = Ok(RecordId(id));
    }
}

/// A replayed answer names the records that the first request meant to write; what it did not write is gone.
fn not_first() -> Error {
    Error::new(Code::Conflict, "the first request with this idempotency key did not record this entry")
}

fn check_count(count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::input("entries", "a call brings at least one entry"));
    }
    if count > ENTRIES_MAX {
        let message = format!("a call brings at most {ENTRIES_MAX} entries; send the rest with further calls");
        return Err(Error::limit(message, ENTRIES_MAX as u64, Some(count as u64)));
    }
    Ok(())
}
