//! What `appendAuditEntries` takes and gives.

use async_graphql::{ID, InputObject, SimpleObject};

use crate::domain::input;
use crate::error::{Error, Result};
use crate::facade::LogsFacade;
use crate::facade::capture::AuditResult;
use crate::graphql::audit::AuditEntry;
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::root::inputs::{idempotency, run_id};
use crate::graphql::root::mutation::{RecordError, RecordOutcome};
use crate::graphql::shared::enums::{ActorType, AuditAction, AuditCategory, AuditEntityType, Verdict};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::row::Row;
use crate::graphql::shared::scalars::{DateTime, Json};

/// Most entries of one mutation.
pub const ENTRIES_MAX: usize = 1_000;

/// What appendAuditEntries takes.
#[derive(InputObject)]
pub struct AppendAuditEntriesInput {
    /// The entries, 1 to 1,000. Each stands for itself: good ones are recorded, bad ones are named in the results. Only a
    /// value of another type than the schema says refuses them all, as GraphQL demands.
    entries: Vec<AuditEntryInput>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// One entry for the audit ledger.
#[derive(InputObject)]
pub struct AuditEntryInput {
    /// Which view of the audit ledger the entry belongs to. Known event types have a category of their own, and need none
    /// here; any other type needs it.
    category: Option<AuditCategory>,
    /// What happened, as a PascalCase name of 2 to 64 letters and digits, for example "LimitBreached". Names of what the
    /// server itself writes (AccessAllowed, AccessDenied, LogViewed, LogExported, BundleDownloaded, IntegrityVerified,
    /// AnomalyDetected, PrincipalFirstSeen, and all that begin with ApiKey or SigningKey) are refused. Not redacted.
    event_type: String,
    /// What kind of thing it happened to.
    entity_type: AuditEntityType,
    /// Which thing, by the id that its owner gave it, 1 to 128 bytes. An identifier: it is not redacted.
    entity_id: ID,
    /// What kind of actor acted. When neither this nor actorId is given, you did.
    actor_type: Option<ActorType>,
    /// Who acted. An identifier: it is not redacted.
    actor_id: Option<String>,
    /// What the rule said.
    verdict: Option<Verdict>,
    /// What was done.
    action: Option<AuditAction>,
    /// The policy that was at work. Redacted.
    policy_id: Option<ID>,
    /// The rule of the policy. Redacted.
    rule_id: Option<String>,
    /// The run that the entry concerns. Taken from run_id, runId, source_run_id or sourceRunId at the top of after, else
    /// of before, when it is not given. An identifier: it is not redacted.
    run_id: Option<ID>,
    /// Your own id for cross-reference. Redacted.
    correlation_id: Option<String>,
    /// The service that writes the entry, 1 to 128 bytes. "graphql" when it is not given; the names of the server's own
    /// parts (otlp, graphql, server, export, verifier) are refused. Redacted.
    source_component: Option<String>,
    /// When it happened. Now when it is not given.
    occurred_at: Option<DateTime>,
    /// Why it was done, in words, at most 4,096 bytes. Redacted, and kept apart from the record.
    reason: Option<String>,
    /// The state of the thing before, as JSON of at most 65,536 bytes. Redacted, and kept apart from the record.
    before: Option<Json>,
    /// The state of the thing after, as JSON of at most 65,536 bytes. Redacted, and kept apart from the record.
    after: Option<Json>,
}

/// What appendAuditEntries gives.
#[derive(SimpleObject)]
pub struct AppendAuditEntriesPayload {
    /// One result for each entry, in the order of the input.
    results: Vec<AppendAuditEntryResult>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
}

/// What became of one entry.
#[derive(SimpleObject)]
pub struct AppendAuditEntryResult {
    /// What became of it: RECORDED or REJECTED.
    outcome: RecordOutcome,
    /// The entry that is on record. Null when it was rejected.
    entry: Option<Row<AuditEntry>>,
    /// The receipt of the entry, made when it is selected: see LedgerEntry.receipt. Null when it was rejected.
    receipt: Receipt,
    /// Why the entry was rejected. Null when it was not.
    error: Option<RecordError>,
}

impl AuditEntryInput {
    /// The domain's input.
    fn into_domain(self) -> Result<input::AuditEntryInput> {
        let json = |field: &str, json: Option<Json>| json.map(|json| json.into_json(field)).transpose();
        Ok(input::AuditEntryInput {
            category: self.category.map(Into::into),
            event_type: self.event_type,
            entity_type: self.entity_type.into(),
            entity_id: self.entity_id.0,
            actor_type: self.actor_type.map(Into::into),
            actor_id: self.actor_id,
            verdict: self.verdict.map(Into::into),
            action: self.action.map(Into::into),
            policy_id: self.policy_id.map(|id| id.0),
            rule_id: self.rule_id,
            run_id: run_id("runId", self.run_id)?,
            correlation_id: self.correlation_id,
            source_component: self.source_component,
            occurred_at: self.occurred_at.map(|instant| instant.0),
            reason: self.reason,
            before: json("before", self.before)?,
            after: json("after", self.after)?,
        })
    }
}

impl AppendAuditEntriesPayload {
    /// Appends the entries. One that cannot even be read is rejected alone, like one that cannot be recorded.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` beyond [`ENTRIES_MAX`]; else as the facade says.
    pub async fn append(facade: &LogsFacade, input: AppendAuditEntriesInput) -> ApiResult<Self> {
        if input.entries.len() > ENTRIES_MAX {
            let message =
                format!("one mutation takes at most {ENTRIES_MAX} entries; send the others with further ones");
            return Err(Error::limit(message, ENTRIES_MAX as u64, Some(input.entries.len() as u64)).into());
        }
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let entries = input.entries.into_iter().map(AuditEntryInput::into_domain).collect();
        let recorded = facade.append_audit_entries(entries, key).await?;
        let results = recorded.results.into_iter().map(AppendAuditEntryResult::from).collect();
        Ok(Self { results, is_replayed: recorded.is_replayed })
    }
}

impl From<AuditResult> for AppendAuditEntryResult {
    fn from(result: AuditResult) -> Self {
        match result {
            Ok(entry) => Self {
                outcome: RecordOutcome::Recorded,
                receipt: Receipt(Some(entry.id)),
                entry: Some(entry.into()),
                error: None,
            },
            Err(error) => Self {
                outcome: RecordOutcome::Rejected,
                receipt: Receipt(None),
                entry: None,
                error: Some((&error).into()),
            },
        }
    }
}
