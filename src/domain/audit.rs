//! The audit ledger: who did what, who was allowed, who looked.

use super::ids::{Digest, RunId};
use super::time::Timestamp;
use super::vocabulary::{ActorType, AuditAction, AuditCategory, AuditEntityType, Verdict};

/// One entry of the audit ledger. Entries of category ACCESS stand in the access log, all others in the evidence log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Which view of the ledger it belongs to.
    pub category: AuditCategory,
    /// What happened: an open vocabulary of PascalCase names, 2 to 64 letters and digits.
    pub event_type: String,
    /// What kind of thing it happened to.
    pub entity_type: AuditEntityType,
    /// Which thing.
    pub entity_id: String,
    /// What kind of actor acted.
    pub actor_type: ActorType,
    /// Who acted. An identifier: not redacted.
    pub actor_id: Option<String>,
    /// What the rule said.
    pub verdict: Option<Verdict>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// The policy.
    pub policy_id: Option<String>,
    /// The rule of the policy.
    pub rule_id: Option<String>,
    /// The run that it concerns; lifted from the states where the caller sent none.
    pub run_id: Option<RunId>,
    /// The caller's own id for cross-reference.
    pub correlation_id: Option<String>,
    /// The writer: `otlp`, `graphql`, `server`, `verifier`, or the name that the caller gave.
    pub source_component: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Commitment to the payload part `action_reason`.
    pub action_reason_commitment: Option<Digest>,
    /// Commitment to the payload part `before_state`.
    pub before_state_commitment: Option<Digest>,
    /// Commitment to the payload part `after_state`.
    pub after_state_commitment: Option<Digest>,
}
