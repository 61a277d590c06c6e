//! Denials. Each is an entry of its own, before its refusal is answered; a caller who collects more than
//! [`ENTRIES_A_MINUTE`] in a minute is counted from then on, and the counts are appended when the minute ends. Of callers
//! without valid credentials each source is one, so that none fills the budget of the others, and all together have
//! [`ENTRIES_OF_UNKNOWN_A_MINUTE`]. So a flood of refused requests is a bounded number of writes, and none of them is lost
//! but the counts of a minute in which the process dies.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::super::own_audit::OwnEntry;
use crate::domain::ids::TenantId;
use crate::domain::scope::Actor;
use crate::domain::source::Source;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{AuditAction, AuditCategory, AuditEntityType, Verdict};

/// Denials of one caller that get an entry each, in a minute and process.
pub const ENTRIES_A_MINUTE: u32 = 300;
/// The same for all callers without valid credentials together.
pub const ENTRIES_OF_UNKNOWN_A_MINUTE: u32 = 10 * ENTRIES_A_MINUTE;
/// Sources that are told apart in a minute; those that come later are one.
const SOURCES_MAX: usize = 4_096;
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
        match self.actor.as_ref().filter(|_| self.is_authenticated) {
            Some(actor) => Caller::Known(self.tenant.clone(), actor.clone()),
            None => Caller::Unknown,
        }
    }
}

/// Who shares one budget.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Caller {
    Known(TenantId, Actor),
    /// Everybody without valid credentials.
    Unknown,
    /// Those of them from one place, and those of whom it is not known.
    Source(Option<Source>),
}

#[derive(Default)]
struct Counts {
    /// When the minute ends, and the entries so far.
    spent: HashMap<Caller, (Timestamp, u32)>,
    /// When the minute ends in which the first was counted, and how many were. The caller's own minute does not say it:
    /// while a flood lasts, that one begins anew before anybody sees it over.
    counted: HashMap<Denial, (Timestamp, u64)>,
}

impl Counts {
    /// Whether a caller has an entry left in this minute.
    fn has_left(&mut self, caller: &Caller, entries_max: u32, now: Timestamp) -> bool {
        let (until, spent) = self.spent.entry(caller.clone()).or_default();
        if *until <= now {
            (*until, *spent) = (now.plus_micros(WINDOW_US), 0);
        }
        *spent < entries_max
    }

    fn spend(&mut self, caller: &Caller) {
        if let Some((_, spent)) = self.spent.get_mut(caller) {
            *spent += 1;
        }
    }
}

/// The denials of the last minute.
#[derive(Default)]
pub(in crate::facade) struct Denials(Mutex<Counts>);

impl Denials {
    /// Whether a denial gets an entry of its own; else it is counted. The source matters for callers without credentials.
    pub fn admit(&self, denial: &Denial, source: Option<Source>, now: Timestamp) -> bool {
        let mut counts = self.lock();
        let caller = denial.caller();
        let is_admitted = if caller == Caller::Unknown {
            let mut own = Caller::Source(source);
            if counts.spent.len() >= SOURCES_MAX && !counts.spent.contains_key(&own) {
                own = Caller::Source(None);
            }
            let has_left = counts.has_left(&caller, ENTRIES_OF_UNKNOWN_A_MINUTE, now)
                && counts.has_left(&own, ENTRIES_A_MINUTE, now);
            if has_left {
                counts.spend(&own);
            }
            has_left
        } else {
            counts.has_left(&caller, ENTRIES_A_MINUTE, now)
        };
        if is_admitted {
            counts.spend(&caller);
            return true;
        }
        let has_room = counts.counted.len() < COUNTED_MAX || counts.counted.contains_key(denial);
        if has_room {
            let until = counts.spent.get(&caller).map_or(now, |(until, _)| *until);
            counts.counted.entry(denial.clone()).or_insert((until, 0)).1 += 1;
        }
        !has_room
    }

    /// The counts whose minute is over, or all of them.
    pub fn take(&self, now: Timestamp, is_all: bool) -> Vec<(Denial, u64)> {
        let mut counts = self.lock();
        counts.spent.retain(|_, (until, _)| now < *until);
        let over = counts.counted.extract_if(|_, (until, _)| is_all || *until <= now);
        over.map(|(denial, (_, count))| (denial, count)).collect()
    }

    /// Counts that could not be appended come again.
    pub fn put_back(&self, denials: impl IntoIterator<Item = (Denial, u64)>) {
        let mut counts = self.lock();
        for (denial, count) in denials {
            let kept = counts.counted.entry(denial).or_default();
            *kept = (Timestamp::default(), kept.1 + count);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::domain::vocabulary::ActorType;

    fn denial(operation: &str) -> Denial {
        Denial {
            tenant: TenantId::platform(),
            actor: None,
            is_authenticated: false,
            entity: (AuditEntityType::Principal, "unknown".to_owned()),
            rule_id: None,
            operation: operation.to_owned(),
            reason: "no".to_owned(),
        }
    }

    fn known(operation: &str) -> Denial {
        let actor = Actor { actor_type: ActorType::Human, id: "ada".to_owned() };
        Denial { actor: Some(actor), is_authenticated: true, ..denial(operation) }
    }

    fn source(number: u8) -> Option<Source> {
        Some(IpAddr::from([192, 0, 2, number]).into())
    }

    #[test]
    fn one_source_does_not_fill_the_budget_of_the_others() {
        let (denials, now) = (Denials::default(), Timestamp::default());
        let admitted = |from: u8, count: u32| -> u32 {
            (0..count).map(|_| u32::from(denials.admit(&denial("otlp"), source(from), now))).sum()
        };
        assert_eq!(admitted(1, ENTRIES_A_MINUTE + 50), ENTRIES_A_MINUTE);
        assert_eq!(admitted(2, 1), 1, "another source");
        // All of them together are bounded too.
        let rest: u32 = (3..=20).map(|number| admitted(number, ENTRIES_A_MINUTE)).sum();
        assert_eq!(rest + ENTRIES_A_MINUTE + 1, ENTRIES_OF_UNKNOWN_A_MINUTE);
        let counted = denials.take(now.plus_micros(WINDOW_US), false);
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].1, u64::from(50 + 18 * ENTRIES_A_MINUTE - rest));
        assert!(denials.admit(&denial("otlp"), source(1), now.plus_micros(WINDOW_US)), "a new minute");
    }

    #[test]
    fn counts_are_given_out_while_a_flood_lasts() {
        for one in [denial("otlp"), known("otlp")] {
            let (denials, begin) = (Denials::default(), Timestamp::default().plus_micros(1));
            let flood = |now: Timestamp, count: u32| -> u32 {
                (0..count).map(|_| u32::from(denials.admit(&one, source(1), now))).sum()
            };
            assert_eq!(flood(begin, ENTRIES_A_MINUTE + 7), ENTRIES_A_MINUTE);
            assert!(denials.take(begin.plus_micros(WINDOW_US - 1), false).is_empty(), "the minute is not over");
            // The next minute begins with a denial, before anybody looks for counts.
            let next = begin.plus_micros(WINDOW_US);
            assert_eq!(flood(next, ENTRIES_A_MINUTE), ENTRIES_A_MINUTE);
            assert_eq!(denials.take(next.plus_micros(1), false), [(one.clone(), 7)]);
            assert_eq!(flood(next.plus_micros(2), 5), 0);
            assert!(denials.take(next.plus_micros(3), false).is_empty(), "a count of the new minute");
            let last = next.plus_micros(WINDOW_US);
            assert_eq!(flood(last, 1), 1);
            let taken = denials.take(last, false);
            assert_eq!(taken, [(one.clone(), 5)]);
            // What could not be appended is not put off by what is counted meanwhile.
            assert_eq!(flood(last, ENTRIES_A_MINUTE + 2), ENTRIES_A_MINUTE - 1);
            denials.put_back(taken);
            assert_eq!(denials.take(last, false), [(one.clone(), 8)]);
            assert!(denials.take(last.plus_micros(WINDOW_US), true).is_empty());
        }
    }
}
