//! `appendAuditEntries`: entries of the audit ledger; each stands for itself.

use std::collections::HashMap;

use super::super::LogsFacade;
use super::super::audit::StoredAuditEntry;
use super::batch::{Outcome, not_first};
use super::once::KeyedRequest;
use crate::capture::audit;
use crate::capture::input::Weigh;
use crate::domain::append::AppendUnit;
use crate::domain::audit::AuditEntry;
use crate::domain::draft::DraftAudit;
use crate::domain::ids::RecordId;
use crate::domain::input::{AuditEntryInput, IdempotencyKey};
use crate::domain::record::NewRecord;
use crate::domain::scope::Permission;
use crate::domain::vocabulary::Stream;
use crate::error::{Error, Result};

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

impl LogsFacade {
    /// Appends entries to the audit ledger; good ones are kept, bad ones named. Those of category ACCESS go to the access
    /// log, which is another transaction: a key is claimed in the first, and in each what it stands for is written once.
    ///
    /// # Errors
    /// `FORBIDDEN` without `audit:write`; `BAD_USER_INPUT` for no entries; `LIMIT_EXCEEDED` beyond 1,000.
    pub async fn append_audit_entries(
        &self,
        entries: Vec<Result<AuditEntryInput>>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RecordedAudit> {
        self.require(Permission::AuditWrite)?;
        check_count(entries.len())?;
        let now = self.logs.0.clock.now();
        let keyed = self.keyed("appendAuditEntries", idempotency.as_ref()).await?;
        let mut parts: [Vec<(usize, DraftAudit)>; 2] = Default::default();
        let mut outcomes = Vec::with_capacity(entries.len());
        let (bytes, actor) = (entries.iter().flatten().map(Weigh::weight).sum(), self.scope.actor.clone());
        let capture = move || {
            let draft = |entry: Result<AuditEntryInput>| entry.and_then(|entry| audit::entry(entry, &actor, now));
            entries.into_iter().map(draft).collect::<Vec<_>>()
        };
        let drafts = self.logs.0.capturing.aside.capture(&self.scope.tenant, bytes, capture).await?;
        for (place, draft) in drafts.into_iter().enumerate() {
            outcomes.push(Outcome::Rejected(match draft {
                Ok(draft) => {
                    let is_access = AuditEntry::stream(draft.entry.category) == Stream::Access;
                    parts[usize::from(is_access)].push((place, draft));
                    not_first()
                }
                Err(error) => error.at_place("entries", place),
            }));
        }
        let mut is_replayed = false;
        let [evidence, access] = parts;
        // With a key this one is written even where it is empty: it is where the key is claimed, so it says who came first.
        if !evidence.is_empty() || (keyed.is_some() && !access.is_empty()) {
            is_replayed = self.append_part(Stream::Evidence, evidence, keyed.as_ref(), &mut outcomes).await?;
        }
        if !access.is_empty() {
            let keyed = keyed.map(KeyedRequest::of_access);
            self.append_part(Stream::Access, access, keyed.as_ref(), &mut outcomes).await?;
        }
        let is_replayed = is_replayed && outcomes.iter().any(|outcome| outcome.id().is_some());
        Ok(RecordedAudit { results: self.audit_results(outcomes).await?, is_replayed })
    }

    /// Appends the entries of one log and notes what became of them; true where that had been done before.
    async fn append_part(
        &self,
        stream: Stream,
        drafts: Vec<(usize, DraftAudit)>,
        keyed: Option<&KeyedRequest>,
        outcomes: &mut [Outcome],
    ) -> Result<bool> {
        let (mut places, mut records) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for (place, draft) in drafts {
            places.push(place);
            records.push(NewRecord::Audit(self.logs.new_audit(draft)?, None));
        }
        let unit = AppendUnit { stream, ..AppendUnit::evidence(self.scope.tenant.clone(), records) };
        let (appended, is_replayed) = self.append_batch(keyed, unit).await?;
        for (place, outcome) in places.into_iter().zip(appended) {
            outcomes[place] = outcome;
        }
        Ok(is_replayed)
    }

    /// Reads the records that the outcomes name.
    async fn audit_results(&self, outcomes: Vec<Outcome>) -> Result<Vec<AuditResult>> {
        let ids: Vec<RecordId> = outcomes.iter().filter_map(Outcome::id).collect();
        let entries: HashMap<RecordId, Result<StoredAuditEntry>> = match ids.is_empty() {
            true => HashMap::new(),
            false => self.audit.told_each(self.store().audit_entries_by_id(&self.scope, &ids).await?),
        };
        let find = |id| entries.get(&id).cloned().unwrap_or_else(|| Err(not_first()));
        let result = |outcome| match outcome {
            Outcome::Recorded(id) | Outcome::Existing(id, _) => find(id),
            Outcome::Rejected(error) => Err(error),
        };
        Ok(outcomes.into_iter().map(result).collect())
    }
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
