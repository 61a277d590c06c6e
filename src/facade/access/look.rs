//! One look at evidence: what LogViewed says of it, and how often it was repeated.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::super::own_audit::OwnEntry;
use super::views::Viewed;
use crate::domain::ids::{Digest, RecordId, RunId, TenantId};
use crate::domain::scope::{Actor, Scope};
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{AuditCategory, AuditEntityType, RecordKind};

/// Looks that are remembered, to count their repeats. A look that finds no room is appended each time.
const REMEMBERED_MAX: usize = 4_096;
/// How long repeats of a look are counted before the count is appended.
const WINDOW_US: i64 = 60_000_000;

/// A look, as it is recorded.
#[derive(Clone, Debug)]
pub(in crate::facade) struct Look {
    pub tenant: TenantId,
    actor: Actor,
    operation: String,
    query_hash: Digest,
    kinds: Vec<RecordKind>,
    first: Vec<(RecordKind, RecordId)>,
    record_count: usize,
    run_id: Option<RunId>,
    /// The same for looks that are identical.
    key: Digest,
}

impl Look {
    pub(super) fn new(
        scope: &Scope,
        operation: String,
        query_hash: Digest,
        variables_hash: Digest,
        viewed: Viewed,
    ) -> Self {
        let mut key = Sha256::new();
        let actor_type = scope.actor.actor_type.as_str();
        for part in [scope.tenant.as_str(), actor_type, &scope.actor.id, &operation] {
            key.update(part);
            key.update([0]);
        }
        key.update(query_hash.0);
        key.update(variables_hash.0);
        viewed.all.iter().for_each(|id| key.update(id.0.as_bytes()));
        Self {
            tenant: scope.tenant.clone(),
            actor: scope.actor.clone(),
            operation,
            query_hash,
            kinds: viewed.kinds,
            first: viewed.first,
            record_count: viewed.all.len(),
            run_id: viewed.run_id,
            key: Digest(key.finalize().into()),
        }
    }

    /// The entry; `repeat_count` is how many identical looks it stands for beside the one that has an entry of its own.
    pub fn entry(&self, repeat_count: u64) -> OwnEntry {
        let (entity_type, entity_id) = self.entity();
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        let record_ids: Vec<String> = self.first.iter().map(|(kind, id)| id.typed(kind.id_kind())).collect();
        OwnEntry {
            actor: Some(self.actor.clone()),
            run_id: self.run_id.clone(),
            after_state: Some(json!({
                "operation": self.operation,
                "query_hash": self.query_hash.to_hex(),
                "kinds": kinds,
                "record_ids": record_ids,
                "record_count": self.record_count,
                "repeat_count": repeat_count,
            })),
            ..OwnEntry::new(AuditCategory::Access, "LogViewed", entity_type, entity_id)
        }
    }

    /// The run that it was about; else the one record; else the ledger itself, or the tenant's records as a whole.
    fn entity(&self) -> (AuditEntityType, String) {
        if let Some(run_id) = &self.run_id {
            return (AuditEntityType::LlmRun, run_id.as_str().to_owned());
        }
        match self.first.as_slice() {
            [(kind, id)] => (entity_type(*kind), id.typed(kind.id_kind())),
            _ => {
                let is_ledger = self.kinds.iter().all(|kind| entity_type(*kind) == AuditEntityType::Ledger);
                let entity_type = if is_ledger { AuditEntityType::Ledger } else { AuditEntityType::Tenant };
                (entity_type, self.tenant.as_str().to_owned())
            }
        }
    }
}

fn entity_type(kind: RecordKind) -> AuditEntityType {
    match kind {
        RecordKind::LlmRun => AuditEntityType::LlmRun,
        RecordKind::Trace | RecordKind::TraceStep | RecordKind::TraceSeal => AuditEntityType::Trace,
        RecordKind::SystemRecord => AuditEntityType::SystemRecord,
        RecordKind::AuditEntry => AuditEntityType::AuditEntry,
        RecordKind::LogExport => AuditEntityType::LogExport,
        RecordKind::IncidentEvidence => AuditEntityType::Incident,
        RecordKind::PolicyActivation => AuditEntityType::PolicyRule,
        RecordKind::Key => AuditEntityType::SigningKey,
        RecordKind::Checkpoint | RecordKind::Erase | RecordKind::Hold | RecordKind::Prune => AuditEntityType::Ledger,
    }
}

/// A look that is on record, and the repeats of it that are not yet.
struct Repeat {
    look: Look,
    until: Timestamp,
    count: u64,
}

/// What is known of a look before it is recorded.
pub(super) enum Known {
    /// An identical one is on record; this one was counted.
    Counted,
    /// It is to be recorded, together with the count of an earlier minute where there is one.
    First(Option<u64>),
}

/// The looks of the last minute.
#[derive(Default)]
pub(super) struct Repeats(Mutex<HashMap<Digest, Repeat>>);

impl Repeats {
    /// Counts a look that repeats one of the last minute.
    pub fn count(&self, look: &Look, now: Timestamp) -> Known {
        let mut repeats = self.lock();
        match repeats.get_mut(&look.key) {
            Some(repeat) if now < repeat.until => {
                repeat.count += 1;
                Known::Counted
            }
            Some(_) => Known::First(repeats.remove(&look.key).map(|repeat| repeat.count).filter(|count| *count > 0)),
            None => Known::First(None),
        }
    }

    /// Remembers a look that is on record, where there is room.
    pub fn remember(&self, look: Look, now: Timestamp) {
        let mut repeats = self.lock();
        if repeats.len() < REMEMBERED_MAX {
            let until = now.plus_micros(WINDOW_US);
            repeats.entry(look.key).or_insert(Repeat { look, until, count: 0 });
        }
    }

    /// The counts whose minute is over, or all of them; looks without repeats are forgotten.
    pub fn take(&self, now: Timestamp, is_all: bool) -> Vec<(Look, u64)> {
        let ended = self.lock().extract_if(|_, repeat| is_all || repeat.until <= now).collect::<Vec<_>>();
        ended
            .into_iter()
            .filter(|(_, repeat)| repeat.count > 0)
            .map(|(_, repeat)| (repeat.look, repeat.count))
            .collect()
    }

    /// Counts that could not be appended come again; they may exceed the room for a while.
    pub fn put_back(&self, counts: impl IntoIterator<Item = (Look, u64)>, now: Timestamp) {
        let mut repeats = self.lock();
        for (look, count) in counts {
            repeats.entry(look.key).or_insert(Repeat { look, until: now, count: 0 }).count += count;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Repeat>> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
