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
use crate::domain::scope::{Permission, Permissions, Scope};
use crate::domain::telemetry_series::{MetricPoint, MetricSeries};
use crate::domain::time::Timestamp;
use crate::domain::trace::{StoredTrace, TraceTotals};
use crate::domain::vocabulary::RecordKind;
use crate::error::{Code, Error, Result};
use crate::store::unread::{Opener, Unread};

/// The caller holds permissions, these: there is no other way to one of these than asking for them. What each opens is
/// compared when it does.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// Of those that were asked for.
    held: Permissions,
    /// Records of this kind are shown as a part of what is read.
    shown: Option<RecordKind>,
}

impl Granted {
    /// Of a caller with any of these.
    fn of(scope: &Scope, permissions: &[Permission]) -> Result<Self> {
        let Some(first) = permissions.first() else {
            return Err(Error::new(Code::Forbidden, "there is no scope that allows this"));
        };
        let held = permissions.iter().copied().filter(|permission| scope.permissions.holds(*permission));
        let held: Permissions = held.collect();
        if held == Permissions::default() {
            scope.require(*first)?;
        }
        Ok(Self { held, shown: None })
    }

    /// The same for a view that shows records of a kind to those who may read what they are a part of, whoever else may
    /// read them: the governance of a run to readers of runs.
    pub(in crate::facade) fn showing(self, kind: RecordKind) -> Self {
        Self { shown: Some(kind), ..self }
    }

    /// Refuses to open records of a kind that this is not for. A place in the ledger, which may be of any kind, opens to
    /// readers of any; which of them is asked of each.
    ///
    /// # Errors
    /// `INTERNAL`: whoever read them asked for the wrong permission.
    fn check(self, kind: Option<RecordKind>) -> Result<()> {
        const READERS: [Permission; 3] = [Permission::RunsRead, Permission::AuditRead, Permission::SystemRead];
        let opens = |permission: &Permission| self.held.holds(*permission);
        let is_fit = match kind {
            Some(kind) => self.shown == Some(kind) || opens(&needed(kind)),
            None => READERS.iter().any(opens),
        };
        if is_fit {
            return Ok(());
        }
        Err(Error::internal(format!("records of kind {kind:?} are not opened by {self:?}")))
    }

    /// The same of the payloads of such records.
    fn check_payload(self, kind: RecordKind) -> Result<()> {
        match self.held.holds(Permission::PayloadsRead) || self.shown == Some(kind) {
            true => Ok(()),
            false => Err(Error::internal(format!("payloads of kind {kind:?} are not opened by {self:?}"))),
        }
    }
}

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

    /// Refuses a caller with none of these permissions, and notes that the first was lacking. Of none nobody has any.
    ///
    /// # Errors
    /// `FORBIDDEN` that names the first.
    pub(in crate::facade) fn require_any(&self, permissions: &[Permission]) -> Result<Granted> {
        Granted::of(self.scope(), permissions).inspect_err(|_| {
            if let Some(first) = permissions.first() {
                self.denied(*first);
            }
        })
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
    ///
    /// # Errors
    /// `INTERNAL`, here and below, where what was granted is for something else.
    pub(in crate::facade) fn open<V: Viewable>(&self, granted: Granted, unread: Unread<V>) -> Result<V> {
        granted.check(V::KIND)?;
        let value = unread.open(&Collector);
        self.views().note(&value);
        Ok(value)
    }

    /// Opens what is made of records of a kind, and notes that they were looked for.
    pub(in crate::facade) fn open_made<T: HoldsNoRecord>(
        &self,
        granted: Granted,
        of: RecordKind,
        unread: Unread<T>,
    ) -> Result<T> {
        granted.check(Some(of))?;
        self.views().viewed(of, []);
        Ok(unread.open(&Collector))
    }

    /// Opens a sum over records that a writer's own are only a part of: a read also where the request wrote.
    pub(in crate::facade) fn open_sum<T: HoldsNoRecord>(
        &self,
        granted: Granted,
        of: RecordKind,
        unread: Unread<T>,
    ) -> Result<T> {
        granted.check(Some(of))?;
        self.views().summed(of);
        Ok(unread.open(&Collector))
    }

    /// Opens payloads, and notes the records that they belong to.
    pub(in crate::facade) fn open_payloads(
        &self,
        granted: Granted,
        part: PayloadPart,
        unread: Unread<HashMap<RecordId, String>>,
    ) -> Result<HashMap<RecordId, String>> {
        granted.check_payload(part.record_kind())?;
        let texts = unread.open(&Collector);
        self.views().viewed(part.record_kind(), texts.keys().copied());
        Ok(texts)
    }

    /// Opens leaves, and notes the records that they are of.
    pub(in crate::facade) fn open_leaves(
        &self,
        granted: Granted,
        entries: &[LedgerEntry],
        unread: Unread<HashMap<RecordId, Vec<u8>>>,
    ) -> Result<HashMap<RecordId, Vec<u8>>> {
        granted.check(None)?;
        entries.iter().for_each(|entry| self.views().viewed(entry.kind, [entry.record_id]));
        Ok(unread.open(&Collector))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TenantId;
    use crate::domain::scope::Actor;
    use crate::domain::vocabulary::ActorType;

    fn granted(held: &[Permission], asked: &[Permission]) -> Result<Granted> {
        let scope = Scope {
            tenant: TenantId::trusted("t"),
            actor: Actor { actor_type: ActorType::System, id: "a".to_owned() },
            permissions: held.iter().copied().collect(),
        };
        Granted::of(&scope, asked)
    }

    #[test]
    fn what_is_granted_opens_what_it_is_for_and_nothing_else() {
        let by = |permission| granted(&[permission], &[permission]).expect("it is held");
        for kind in RecordKind::ALL {
            for permission in Permission::ALL {
                let opens = by(*permission).check(Some(*kind)).is_ok();
                // An administrator's stands for each.
                assert_eq!(
                    opens,
                    *permission == needed(*kind) || *permission == Permission::Admin,
                    "{permission:?} {kind:?}"
                );
            }
        }
        assert!(by(Permission::RunsWrite).check(None).is_err() && by(Permission::AuditRead).check(None).is_ok());
        let shown = by(Permission::RunsRead).showing(RecordKind::AuditEntry);
        assert!(
            shown.check(Some(RecordKind::AuditEntry)).is_ok() && shown.check(Some(RecordKind::SystemRecord)).is_err()
        );
        assert!(by(Permission::RunsRead).check_payload(RecordKind::TraceStep).is_err());
        assert!(by(Permission::PayloadsRead).check_payload(RecordKind::TraceStep).is_ok());
    }

    #[test]
    fn only_what_was_asked_for_and_is_held_is_granted() {
        use Permission::{AuditRead, RunsRead};
        let either = granted(&[AuditRead], &[RunsRead, AuditRead]).expect("one of them is enough");
        assert!(either.check(Some(RecordKind::LlmRun)).is_err(), "the other one is not held");
        assert_eq!(granted(&[AuditRead], &[RunsRead]).expect_err("lacking").code(), Code::Forbidden);
        assert_eq!(granted(Permission::ALL, &[]).expect_err("nothing was asked for").code(), Code::Forbidden);
    }
}
