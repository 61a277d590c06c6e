//! The audit ledger: its entries, their lists, and the difference of an entry's states.

pub mod exports;
pub mod filters;
pub mod inputs;
pub mod queries;
pub mod views;

use async_graphql::{Context, ID, Object, SimpleObject, Value};

use crate::domain::diff;
use crate::domain::ids::{IdKind, RecordId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::scope::Permission;
use crate::domain::{evidence, filter};
use crate::error::{Error, Result};
use crate::facade::LogsFacade;
use crate::facade::audit::StoredAuditEntry;
use crate::graphql::audit::filters::{AuditFilter, AuditOrder};
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::shared::connection::{List, canonical, chosen, given, ordered};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::Tenant;
use crate::graphql::shared::enums::{
    ActorType, AuditAction, AuditCategory, AuditChangeKind, AuditEntityType, Decision, Verdict,
};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json};
use crate::graphql::trace::payload;

record! {
    /// See [`crate::domain::audit::AuditEntry`].
    AuditEntry(StoredAuditEntry)
}

/// One entry of the audit ledger: who did what to which thing, what the rule said and what was done. Written once and
/// never changed.
#[Object]
impl AuditEntry {
    /// The id of this record, for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Audit))
    }

    /// The tenant that the entry belongs to.
    fn tenant(&self) -> Row<Tenant> {
        Row(Tenant(self.0.tenant_id.clone()))
    }

    /// Which view of the audit ledger the entry belongs to.
    fn category(&self) -> AuditCategory {
        self.0.category.into()
    }

    /// What happened, for example "LimitBreached": an open vocabulary of PascalCase names.
    fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// What kind of thing it happened to.
    fn entity_type(&self) -> AuditEntityType {
        self.0.entity_type.into()
    }

    /// Which thing, by the id that its owner gave it.
    fn entity_id(&self) -> ID {
        ID(self.0.entity_id.clone())
    }

    /// What kind of actor acted.
    fn actor_type(&self) -> ActorType {
        self.0.actor_type.into()
    }

    /// Who acted, as the writer names them; not redacted. Null when it is not known.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
    }

    /// What the rule said. Null when no rule was asked or the writer did not say.
    fn verdict(&self) -> Option<Verdict> {
        self.0.verdict.map(Into::into)
    }

    /// What was done. Null when the writer did not say.
    fn action(&self) -> Option<AuditAction> {
        self.0.action.map(Into::into)
    }

    /// What came of it: follows from action, else from verdict. Null when the record says neither.
    fn decision(&self) -> Option<Decision> {
        self.0.decision().map(Into::into)
    }

    /// The policy that was at work. Null when none is named.
    fn policy_id(&self) -> Option<ID> {
        self.0.policy_id.clone().map(ID)
    }

    /// The rule of the policy. Null when none is named.
    fn rule_id(&self) -> Option<&str> {
        self.0.rule_id.as_deref()
    }

    /// The run that the entry concerns, as it was named when the entry was written: a run's name, or the name of its
    /// trace. Where the writer sent none it was taken from run_id, runId, source_run_id or sourceRunId at the top of the
    /// after state, else of the before state. Null when there is none.
    fn run_id(&self) -> Option<ID> {
        self.0.run_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// The writer's own id for cross-reference; of an entry made of a span, the trace's id. Null when none was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// The writer: "otlp", "graphql", "server", "verifier", or the name that the caller gave.
    fn source_component(&self) -> &str {
        &self.0.source_component
    }

    /// When it happened.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&self.0).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.tenant_id, self.0.id).await)
    }

    /// Who, what, when and from where, for use as evidence.
    pub(super) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_audit_entry(&self.0))
    }

    /// Why it was done, in the words of who did it, redacted. Read only when it is selected. Null when no reason was
    /// given or it was erased. Needs the scope payloads:read.
    async fn reason(&self, ctx: &Context<'_>) -> Maybe<String> {
        Maybe::of(self.load_reason(ctx).await)
    }

    /// The state of the thing before, redacted. Read only when it is selected. Null when none was given or it was erased.
    /// Needs the scope payloads:read.
    async fn before(&self, ctx: &Context<'_>) -> Maybe<Json> {
        let is_recorded = self.0.before_state_commitment.is_some();
        Maybe::of(payload(ctx, is_recorded.then_some(self.0.id), PayloadPart::BeforeState).await)
    }

    /// The state of the thing after, redacted. Read only when it is selected. Null when none was given or it was erased.
    /// Needs the scope payloads:read.
    async fn after(&self, ctx: &Context<'_>) -> Maybe<Json> {
        let is_recorded = self.0.after_state_commitment.is_some();
        Maybe::of(payload(ctx, is_recorded.then_some(self.0.id), PayloadPart::AfterState).await)
    }

    /// Where the states before and after differ. Null when there is neither, or both were erased. Needs the scope
    /// payloads:read.
    async fn changes(&self, ctx: &Context<'_>) -> Maybe<AuditChanges> {
        Maybe::of(self.load_changes(ctx).await)
    }
}

impl AuditEntry {
    async fn load_reason(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        let is_recorded = self.0.action_reason_commitment.is_some();
        let reason = payload(ctx, is_recorded.then_some(self.0.id), PayloadPart::ActionReason).await?;
        Ok(match reason {
            None => None,
            Some(Json(Value::String(text))) => Some(text),
            Some(_) => return Err(Error::internal("a reason that is no text").into()),
        })
    }

    async fn load_changes(&self, ctx: &Context<'_>) -> ApiResult<Option<AuditChanges>> {
        Ok(ctx.facade()?.audit_changes(&self.0).await?.map(AuditChanges::try_from).transpose()?)
    }
}

columns!(AuditEntry {
    "id" => id, "tenant" => tenant, "category" => category, "eventType" => event_type, "entityType" => entity_type,
    "entityId" => entity_id, "actorType" => actor_type, "actorId" => actor_id, "verdict" => verdict, "action" => action,
    "decision" => decision, "policyId" => policy_id, "ruleId" => rule_id, "runId" => run_id,
    "correlationId" => correlation_id, "sourceComponent" => source_component, "occurredAt" => occurred_at, "metadata" => metadata, ..record_fields
});

/// Where two states differ, place by place.
#[derive(SimpleObject)]
pub struct AuditChanges {
    /// The places, at most 500. Done one after the other they lead from the state before to the state after.
    items: Vec<AuditChange>,
    /// Whether there are more places than are listed.
    truncated: bool,
}

/// One place where two states differ.
#[derive(SimpleObject)]
pub struct AuditChange {
    /// Where: a JSON Pointer (RFC 6901), for example "/limits/0/value". Empty for the whole state.
    path: String,
    /// How the place differs.
    kind: AuditChangeKind,
    /// What was there. Null when the place was added, or held a null.
    before: Option<Json>,
    /// What is there now. Null when the place was removed, or holds a null.
    after: Option<Json>,
}

impl TryFrom<diff::Diff> for AuditChanges {
    type Error = Error;

    fn try_from(diff: diff::Diff) -> Result<Self> {
        let json = |value: Option<serde_json::Value>| {
            value.map(|value| Value::from_json(value).map(Json).map_err(Error::internal)).transpose()
        };
        let items = diff.changes.into_iter().map(|change| {
            let (before, after) = (json(change.before)?, json(change.after)?);
            Ok(AuditChange { path: change.path, kind: change.kind.into(), before, after })
        });
        Ok(Self { items: items.collect::<Result<_>>()?, truncated: diff.is_truncated })
    }
}

/// A list of audit entries, of one of the two logs.
pub struct AuditList {
    filter: filter::AuditFilter,
    given: Value,
    order: filter::AuditOrder,
    chosen: Value,
    as_of: Option<AsOf>,
}

impl AuditList {
    /// The list that the arguments describe.
    ///
    /// # Errors
    /// As [`AuditFilter::to_domain`]; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(filter: Option<&AuditFilter>, order: Option<&AuditOrder>, as_of: Option<&str>) -> Result<Self> {
        Ok(Self {
            filter: filter.map(AuditFilter::to_domain).transpose()?.unwrap_or_default(),
            given: given(filter),
            order: AuditOrder::to_domain(order),
            chosen: chosen([("filter", given(filter)), ("order", ordered(order))]),
            as_of: as_of.map(AsOf::parse).transpose()?,
        })
    }
}

impl List for AuditList {
    type Item = AuditEntry;
    const CONNECTION: &'static str = "AuditEntryConnection";
    const EDGE: &'static str = "AuditEntryEdge";
    const NEEDS: Permission = Permission::AuditRead;

    fn selection(&self) -> Result<String> {
        canonical(&self.chosen)
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<AuditEntry>> {
        Ok(facade.list_audit_entries(&self.filter, self.order, request, self.as_of).await?.map(AuditEntry))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_audit_entries(&self.filter, self.as_of, cap).await
    }
}

/// An entry by the id of its record.
pub async fn load_entry(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<StoredAuditEntry>> {
    let facade = ctx.facade()?;
    match RecordId::parse_typed(&id.0) {
        Some((IdKind::Audit, id)) => Ok(facade.get_audit_entry(id).await?),
        _ => Ok(None),
    }
}
