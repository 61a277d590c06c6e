//! How the server writes its own entries of the audit ledger: by the same append as everything else, and never quietly.
//!
//! What stands in them is made here, of words and numbers of ours and of identifiers; the few texts that callers choose
//! (the name of an operation, of a key) are redacted and cut first.

use serde_json::Value;

use super::Logs;
use crate::capture::json::canonical;
use crate::capture::text::label;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit};
use crate::domain::audit::AuditEntry;
use crate::domain::draft::DraftPayload;
use crate::domain::ids::{RunId, TenantId};
use crate::domain::payload::PayloadPart;
use crate::domain::record::NewRecord;
use crate::domain::scope::Actor;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{ActorType, AuditAction, AuditCategory, AuditEntityType, Stream, Verdict};
use crate::error::{Code, Error, Result};

/// The writer of the server's own records.
pub(super) const SERVER: &str = "server";
/// How long a caller waits before it sends again what could not be audited, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// An entry of the server's own.
pub(super) struct OwnEntry {
    pub category: AuditCategory,
    pub event_type: &'static str,
    pub entity_type: AuditEntityType,
    pub entity_id: String,
    /// `None` where nobody is known: a caller without credentials.
    pub actor: Option<Actor>,
    /// What the rule said, and what was done.
    pub decision: Option<(Verdict, AuditAction)>,
    /// The permission that was asked for.
    pub rule_id: Option<String>,
    pub run_id: Option<RunId>,
    pub correlation_id: Option<String>,
    /// The part of the server that writes it.
    pub source_component: &'static str,
    /// `None` is now.
    pub occurred_at: Option<Timestamp>,
    pub reason: Option<String>,
    pub before_state: Option<Value>,
    pub after_state: Option<Value>,
}

impl OwnEntry {
    pub fn new(
        category: AuditCategory,
        event_type: &'static str,
        entity_type: AuditEntityType,
        entity_id: impl Into<String>,
    ) -> Self {
        Self {
            category,
            event_type,
            entity_type,
            entity_id: entity_id.into(),
            actor: None,
            decision: None,
            rule_id: None,
            run_id: None,
            correlation_id: None,
            source_component: SERVER,
            occurred_at: None,
            reason: None,
            before_state: None,
            after_state: None,
        }
    }
}

/// A name that a caller chose, as it may stand in an entry; `-` where nothing is left of it.
pub(super) fn chosen(name: &str) -> String {
    label(name).unwrap_or_else(|| "-".to_owned())
}

impl Logs {
    /// The record of an entry.
    pub(super) fn own_entry(&self, entry: OwnEntry) -> Result<NewRecord> {
        let (actor_type, actor_id) = match entry.actor {
            Some(actor) => (actor.actor_type, Some(actor.id)),
            None => (ActorType::System, None),
        };
        let record = AuditEntry {
            category: entry.category,
            event_type: entry.event_type.to_owned(),
            entity_type: entry.entity_type,
            entity_id: entry.entity_id,
            actor_type,
            actor_id,
            verdict: entry.decision.map(|(verdict, _)| verdict),
            action: entry.decision.map(|(_, action)| action),
            policy_id: None,
            rule_id: entry.rule_id,
            run_id: entry.run_id,
            correlation_id: entry.correlation_id,
            source_component: entry.source_component.to_owned(),
            occurred_at: entry.occurred_at.unwrap_or_else(|| self.0.clock.now()),
            action_reason_commitment: None,
            before_state_commitment: None,
            after_state_commitment: None,
        };
        let parts = [
            (PayloadPart::ActionReason, entry.reason.map(Value::from)),
            (PayloadPart::BeforeState, entry.before_state),
            (PayloadPart::AfterState, entry.after_state),
        ];
        let payloads = parts.into_iter().filter_map(|(part, value)| Some((part, value?)));
        let payloads = payloads.map(|(part, value)| Ok(DraftPayload { part, text: canonical(&value)? }));
        let new = self.new_record(record, payloads.collect::<Result<_>>()?, |entry, part, commitment| match part {
            PayloadPart::ActionReason => entry.action_reason_commitment = Some(commitment),
            PayloadPart::BeforeState => entry.before_state_commitment = Some(commitment),
            _ => entry.after_state_commitment = Some(commitment),
        })?;
        Ok(NewRecord::Audit(Box::new(new), None))
    }

    /// Appends records of the server's own to a log of a tenant.
    ///
    /// # Errors
    /// `UNAVAILABLE` when they are not all on record: what they are about must not go on as if they were.
    pub(super) async fn append_own(&self, tenant: TenantId, stream: Stream, records: Vec<NewRecord>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let unit = AppendUnit { stream, ..AppendUnit::evidence(tenant, records) };
        self.append_own_unit(unit).await
    }

    /// The same for a unit; one that was appended before is fine.
    pub(super) async fn append_own_unit(&self, unit: AppendUnit) -> Result<()> {
        let outcome = self.append(unit).await.and_then(|receipt| match receipt {
            AppendReceipt::Done(results) => results.into_iter().try_for_each(|result| match result {
                AppendResult::Rejected(error) => Err(error),
                _ => Ok(()),
            }),
            AppendReceipt::Replayed(_) => Ok(()),
            AppendReceipt::Stale => Err(Error::internal("a unit without a guard was called stale")),
        });
        outcome.map_err(|error| {
            if error.code() == Code::Unavailable {
                return error;
            }
            tracing::error!(?error, "the server's own entry could not be written");
            Error::unavailable("this cannot be audited now, so it is not answered; try again", RETRY_AFTER_MS)
        })
    }
}
