//! How what was read is opened. There are three ways, and no fourth compiles: for a caller who holds a permission, and it is
//! noted that they looked; for a writer who is told of its own records; and for the server itself, which looks at nothing
//! on anybody's behalf.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::RequestAudit;
use super::views::Viewable;
use crate::domain::audit::GovernanceSummary;
use crate::domain::export::RunExportFacts;
use crate::domain::ids::RecordId;
use crate::domain::ledger::LedgerEntry;
use crate::domain::page::Count;
use crate::domain::payload::PayloadPart;
use crate::domain::replay::InflectionFacts;
use crate::domain::scope::Permission;
use crate::domain::telemetry_series::{MetricPoint, MetricSeries};
use crate::domain::time::Timestamp;
use crate::domain::trace::{StoredTrace, TraceTotals};
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;
use crate::store::unread::{Opener, Unread};

/// The caller holds a permission: there is no other way to one of these than asking for it.
#[derive(Clone, Copy, Debug)]
pub struct Granted(());

/// Notes what it opens.
struct Collector;

impl Opener for Collector {}

/// A value that is made of records and holds none of them: a count, a sum, what was measured beside them.
pub(in crate::facade) trait HoldsNoRecord {}

macro_rules! holds_no_record {
    ($($made:ty),+ $(,)?) => { $(impl HoldsNoRecord for $made {})+ };
}
holds_no_record!(
    (TraceTotals, BTreeMap<String, String>),
    Count,
    GovernanceSummary,
    InflectionFacts,
    MetricPoint,
    MetricSeries,
    RunExportFacts,
    Timestamp,
    TraceTotals,
    i64,
);

impl<T: HoldsNoRecord> HoldsNoRecord for Arc<T> {}
impl<T: HoldsNoRecord> HoldsNoRecord for Option<T> {}
impl<T: HoldsNoRecord> HoldsNoRecord for Vec<T> {}
impl<K, T: HoldsNoRecord> HoldsNoRecord for HashMap<K, T> {}

/// What one must be allowed to read a record of this kind.
pub(in crate::facade) const fn needed(kind: RecordKind) -> Permission {
    match kind {
        RecordKind::AuditEntry => Permission::AuditRead,
        RecordKind::SystemRecord => Permission::SystemRead,
        _ => Permission::RunsRead,
    }
}

impl RequestAudit {
    /// Refuses a caller without the permission, and notes the refusal.
    ///
    /// # Errors
    /// `FORBIDDEN` that names the permission.
    pub(in crate::facade) fn require(&self, permission: Permission) -> Result<Granted> {
        self.require_any(&[permission])
    }

    /// Refuses a caller with none of these permissions, and notes that the first was lacking.
    ///
    /// # Errors
    /// `FORBIDDEN` that names the first.
    pub(in crate::facade) fn require_any(&self, permissions: &[Permission]) -> Result<Granted> {
        let scope = self.scope();
        match permissions.first() {
            Some(first) if !permissions.iter().any(|permission| scope.permissions.holds(*permission)) => {
                scope.require(*first).inspect_err(|_| self.denied(*first))?;
            }
            _ => {}
        }
        Ok(Granted(()))
    }

    /// Refuses a caller who may read neither the evidence log nor records of this kind: whose places in the log are no
    /// secret to them either way.
    ///
    /// # Errors
    /// `FORBIDDEN` that names the permission to read records of this kind.
    pub(in crate::facade) fn require_entry(&self, kind: RecordKind) -> Result<Granted> {
        self.require_any(&[needed(kind), Permission::RunsRead])
    }

    /// Opens what a caller reads, and notes each record in it.
    pub(in crate::facade) fn open<V: Viewable>(&self, _granted: Granted, unread: Unread<V>) -> V {
        let value = unread.open(&Collector);
        self.views().note(&value);
        value
    }

    /// Opens what is made of records of a kind, and notes that they were looked for.
    pub(in crate::facade) fn open_made<T: HoldsNoRecord>(
        &self,
        _granted: Granted,
        of: RecordKind,
        unread: Unread<T>,
    ) -> T {
        self.views().viewed(of, []);
        unread.open(&Collector)
    }

    /// Opens a sum over records that a writer's own are only a part of: a read also where the request wrote.
    pub(in crate::facade) fn open_sum<T: HoldsNoRecord>(
        &self,
        _granted: Granted,
        of: RecordKind,
        unread: Unread<T>,
    ) -> T {
        self.views().summed(of);
        unread.open(&Collector)
    }

    /// Opens payloads, and notes the records that they belong to.
    pub(in crate::facade) fn open_payloads(
        &self,
        _granted: Granted,
        part: PayloadPart,
        unread: Unread<HashMap<RecordId, String>>,
    ) -> HashMap<RecordId, String> {
        let texts = unread.open(&Collector);
        self.views().viewed(part.record_kind(), texts.keys().copied());
        texts
    }

    /// Opens leaves, and notes the records that they are of.
    pub(in crate::facade) fn open_leaves(
        &self,
        _granted: Granted,
        entries: &[LedgerEntry],
        unread: Unread<HashMap<RecordId, Vec<u8>>>,
    ) -> HashMap<RecordId, Vec<u8>> {
        entries.iter().for_each(|entry| self.views().viewed(entry.kind, [entry.record_id]));
        unread.open(&Collector)
    }

    /// Opens what a writer is told. To be told of what this request wrote, or of what it repeats under its own idempotency
    /// key, is no read; to be told of any other record is one.
    ///
    /// # Errors
    /// `FORBIDDEN` without the permission to read a record of others.
    pub(in crate::facade) fn told<V: Viewable>(&self, unread: Unread<V>) -> Result<V> {
        let value = unread.open(&Collector);
        self.tell(&value)?;
        Ok(value)
    }

    /// The same of many: each is told or refused.
    pub(in crate::facade) fn told_each<K: Eq + Hash, V: Viewable>(
        &self,
        unread: Unread<HashMap<K, V>>,
    ) -> HashMap<K, Result<V>> {
        let values = unread.open(&Collector);
        values.into_iter().map(|(key, value)| (key, self.tell(&value).map(|()| value))).collect()
    }

    /// Opens the trace that a writer began. How it ended is a part of it, whoever ended it.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read` when it was begun by others.
    pub(in crate::facade) fn told_trace(&self, unread: Unread<Option<StoredTrace>>) -> Result<Option<StoredTrace>> {
        let view = unread.open(&Collector);
        if let Some(view) = &view {
            self.tell(&view.trace)?;
        }
        Ok(view)
    }

    fn tell<V: Viewable>(&self, value: &V) -> Result<()> {
        let others = self.views().kinds_of_others(value);
        others.iter().try_for_each(|kind| self.require(needed(*kind)).map(drop))?;
        if !others.is_empty() {
            self.views().note(value);
        }
        Ok(())
    }
}

/// Why the server reads evidence of its own accord. Nothing of it reaches a caller but what the record that is written, or
/// the refusal to write it, says.
#[derive(Clone, Copy, Debug)]
pub(in crate::facade) enum ServerUse {
    /// A trace is sealed: its seal and its run are made from its steps.
    Sealing,
    /// Whether a write can be is decided by what is on record: the newest revision, whether a trace is there or sealed.
    Judging,
    /// A payload is erased: the event says what the record held of it.
    Erasing,
    /// How the server ended when it last ran.
    OwnPast,
}

/// The server's own door.
struct Server;

impl Opener for Server {}

/// Opens what the server reads of its own accord.
pub(in crate::facade) fn open_for_server<T>(_why: ServerUse, unread: Unread<T>) -> T {
    unread.open(&Server)
}
