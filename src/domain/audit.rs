//! The audit ledger: who did what, who was allowed, who looked.

use std::collections::BTreeSet;

use super::ids::{Digest, RunId};
use super::record::record;
use super::time::Timestamp;
use super::vocabulary::{ActorType, AuditAction, AuditCategory, AuditEntityType, Stream, Verdict, vocabulary};

macro_rules! audit_entry {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// One entry of the audit ledger. Entries of category ACCESS stand in the access log, all others in the evidence log.
        AuditEntry in "audit_entry": AuditEntry {
            /// Which view of the ledger it belongs to.
            category: AuditCategory,
            /// What happened: an open vocabulary of PascalCase names, 2 to 64 letters and digits.
            event_type: String,
            /// What kind of thing it happened to.
            entity_type: AuditEntityType,
            /// Which thing.
            entity_id: String,
            /// What kind of actor acted.
            actor_type: ActorType,
            /// Who acted. An identifier: not redacted.
            actor_id: Option<String>,
            /// What the rule said.
            verdict: Option<Verdict>,
            /// What was done.
            action: Option<AuditAction>,
            /// The policy.
            policy_id: Option<String>,
            /// The rule of the policy.
            rule_id: Option<String>,
            /// The run that it concerns; lifted from the states where the caller sent none.
            run_id: Option<RunId>,
            /// The caller's own id for cross-reference.
            correlation_id: Option<String>,
            /// The writer: `otlp`, `graphql`, `server`, `verifier`, or the name that the caller gave.
            source_component: String,
            /// When it happened.
            occurred_at: Timestamp,
            /// Commitment to the payload part `action_reason`.
            action_reason_commitment: Option<Digest> [commits ActionReason],
            /// Commitment to the payload part `before_state`.
            before_state_commitment: Option<Digest> [commits BeforeState],
            /// Commitment to the payload part `after_state`.
            after_state_commitment: Option<Digest> [commits AfterState],
        }
    } };
}
pub(crate) use audit_entry;
audit_entry!(record);

impl AuditEntry {
    /// What came of it: what was done where the record says so, else what the rule said; `None` where it says neither.
    #[must_use]
    pub const fn decision(&self) -> Option<Decision> {
        match (self.action, self.verdict) {
            (Some(AuditAction::Allowed), _) => Some(Decision::Allow),
            (Some(AuditAction::Blocked), _) => Some(Decision::Deny),
            (Some(AuditAction::Modified), _) => Some(Decision::Modify),
            (Some(AuditAction::Escalated), _) => Some(Decision::Escalate),
            (Some(AuditAction::Overridden), _) => Some(Decision::Override),
            (Some(AuditAction::None) | None, Some(Verdict::Allow)) => Some(Decision::Allow),
            (Some(AuditAction::None) | None, Some(Verdict::Deny)) => Some(Decision::Deny),
            (Some(AuditAction::None) | None, Some(Verdict::Warn)) => Some(Decision::Warn),
            (Some(AuditAction::None) | None, Some(Verdict::Modify)) => Some(Decision::Modify),
            (Some(AuditAction::None) | None, Some(Verdict::Escalate)) => Some(Decision::Escalate),
            (Some(AuditAction::None) | None, None) => None,
        }
    }

    /// Which of the tenant's logs holds entries of a category.
    #[must_use]
    pub const fn stream(category: AuditCategory) -> Stream {
        match category {
            AuditCategory::Access => Stream::Access,
            _ => Stream::Evidence,
        }
    }
}

vocabulary!(
    /// What came of a decision: what was done where the record says so, else what the rule said.
    Decision {
        /// It passed.
        Allow = "ALLOW",
        /// It was stopped.
        Deny = "DENY",
        /// It passed, and somebody was told.
        Warn = "WARN",
        /// It was changed.
        Modify = "MODIFY",
        /// Somebody was asked.
        Escalate = "ESCALATE",
        /// The rule was set aside.
        Override = "OVERRIDE",
    }
);

/// What a run's governance entries come to, all of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GovernanceSummary {
    /// How many there are.
    pub total: i64,
    /// Whether the action of any is BLOCKED.
    pub is_blocked: bool,
    /// How many have the action BLOCKED or MODIFIED.
    pub enforced: i64,
    /// Policies that they name, in bytewise order, at most [`NAMES_SHOWN`].
    pub policy_ids: BTreeSet<String>,
    /// Incidents that they are about, likewise.
    pub incident_ids: BTreeSet<String>,
    /// When the first of them happened.
    pub first_occurred_at: Option<Timestamp>,
    /// When the newest of them was recorded.
    pub newest_recorded_at: Option<Timestamp>,
    /// The place of the newest of them in the log.
    pub newest_seq: Option<i64>,
}

/// Most policies, and most incidents, that a summary names.
pub const NAMES_SHOWN: usize = 200;

impl GovernanceSummary {
    /// Both together: a run's entries under its own name and under its trace's.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.total += other.total;
        self.is_blocked |= other.is_blocked;
        self.enforced += other.enforced;
        self.policy_ids.extend(other.policy_ids.iter().cloned());
        self.incident_ids.extend(other.incident_ids.iter().cloned());
        self.first_occurred_at = [self.first_occurred_at, other.first_occurred_at].into_iter().flatten().min();
        self.newest_recorded_at = self.newest_recorded_at.max(other.newest_recorded_at);
        self.newest_seq = self.newest_seq.max(other.newest_seq);
        self
    }
}

/// What a LogViewed entry says of the reads that it stands for: the members of its after state.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct AccessDetail {
    /// Records that were read, as typed ids; at most 100.
    pub record_ids: Vec<String>,
    /// How many identical reads the entry stands for.
    pub repeat_count: Option<i64>,
}

impl AccessDetail {
    /// Reads an after state; what it does not say is absent.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}
