//! Denials. Each is an entry of its own, before its refusal is answered; a caller who collects more than
//! [`ENTRIES_A_MINUTE`] in a minute is counted from then on, and the counts are appended when the minute ends. Callers
//! without valid credentials are one caller here. So a flood of refused requests is a bounded number of writes, and none
//! of them is lost but the counts of a minute in which the process dies.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::super::own_audit::OwnEntry;
use crate::domain::ids::TenantId;
use crate::domain::scope::Actor;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{AuditAction, AuditCategory, AuditEntityType, Verdict};

/// Denials of one caller that get an entry each, in a minute and process.
pub const ENTRIES_A_MINUTE: u32 = 300;
const WINDOW_US: i64 = 60_000_000;
/// Different denials that are counted at a time; the rest get entries of their own.
const COUNTED_MAX: usize = 4_096;

/// A denial.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::facade) struct Denial {
    /// In whose log it stands.
    pub tenant: TenantId,
    /// Who was denied; a claim where the credentials were not valid, `None` where there was none.
    pub actor: Option<Actor>,
    /// Whether the actor was proven.
    pub is_authenticated: bool,
    /// What was asked for.
    pub entity: (AuditEntityType, String),
    /// The permission that was lacking.
    pub rule_id: Option<&'static str>,
    /// The operation: a root field, or a path.
    pub operation: String,
    /// What the caller was told.
    pub reason: String,
}

impl Denial {
    /// The entry; `repeat_count` is how many further ones like it it stands for.
    pub fn entry(self, repeat_count: u64) -> OwnEntry {
        OwnEntry {
            actor: self.actor,
            decision: Some((Verdict::Deny, AuditAction::Blocked)),
            rule_id: self.rule_id.map(str::to_owned),
            reason: Some(self.reason),
            after_state: Some(json!({
                "operation": self.operation,
                "is_authenticated": self.is_authenticated,
                "repeat_count": repeat_count,
            })),
            ..OwnEntry::new(AuditCategory::Authorization, "AccessDenied", self.entity.0, self.entity.1)
        }
    }

    fn caller(&self) -> Caller {
        let actor = self.actor.as_ref().filter(|_| self.is_authenticated);
        actor.map(|actor| (self.tenant.clone(), actor.clone()))
    }
}

/// Who shares one budget; `None` is everybody without valid credentials.
type Caller = Option<(TenantId, Actor)>;

#[derive(Default)]
struct Counts {
    /// When the minute ends, and the entries so far.
    spent: HashMap<Caller, (Timestamp, u32)>,
    counted: HashMap<Denial, u64>,
}

/// The denials of the last minute.
#[derive(Default)]
pub(in crate::facade) struct Denials(Mutex<Counts>);

impl Denials {
    /// Whether a denial gets an entry of its own; else it is counted.
    pub fn admit(&self, denial: &Denial, now: Timestamp) -> bool {
        let mut counts = self.lock();
        let (until, spent) = counts.spent.entry(denial.caller()).or_default();
        if *until <= now {
            (*until, *spent) = (now.plus_micros(WINDOW_US), 0);
        }
        if *spent < ENTRIES_A_MINUTE {
            *spent += 1;
            return true;
        }
        let has_room = counts.counted.len() < COUNTED_MAX || counts.counted.contains_key(denial);
        if has_room {
            *counts.counted.entry(denial.clone()).or_default() += 1;
        }
        !has_room
    }

    /// The counts of callers whose minute is over, or all of them.
    pub fn take(&self, now: Timestamp, is_all: bool) -> Vec<(Denial, u64)> {
        let mut counts = self.lock();
        counts.spent.retain(|_, (until, _)| now < *until);
        let Counts { spent, counted } = &mut *counts;
        counted.extract_if(|denial, _| is_all || !spent.contains_key(&denial.caller())).collect()
    }

    /// Counts that could not be appended come again.
    pub fn put_back(&self, denials: impl IntoIterator<Item = (Denial, u64)>) {
        let mut counts = self.lock();
        for (denial, count) in denials {
            *counts.counted.entry(denial).or_default() += count;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
