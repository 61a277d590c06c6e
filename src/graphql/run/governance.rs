//! A run's governance: what policies, limits and guardrails said and did in it.

use async_graphql::{Context, ID, Object, Value, indexmap::IndexMap};

use crate::domain::audit::GovernanceSummary;
use crate::domain::evidence;
use crate::domain::ids::IdKind;
use crate::domain::page::{Count, Page, PageRequest};
use crate::domain::run::StoredRun;
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::facade::audit::{RunNames, StoredAuditEntry};
use crate::graphql::audit::AuditEntry;
use crate::graphql::shared::connection::{Connection, List, PageArgs, canonical, chosen, connect};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{AuditAction, AuditEntityType, Decision, Verdict};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, SafeInt};

/// A run, for what rules made of it.
pub struct LlmRunGovernance(pub StoredRun);

/// Under which rules a run ran: every interaction with a policy, limit, guardrail, signal or incident that is on record
/// for it.
#[Object]
impl LlmRunGovernance {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.0.run_id.to_string())
    }

    /// The run's governance entries, newest first: those that name the run, and those that name its trace.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many events to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only events behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many events to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only events before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<GovernanceList>>> {
        connect(ctx, GovernanceList::of_run(&self.0), &PageArgs { first, after, last, before }).await
    }

    /// How many governance entries the run has, exactly.
    async fn total_events(&self, ctx: &Context<'_>) -> ApiResult<SafeInt> {
        Ok(SafeInt(self.summary(ctx).await?.total))
    }

    /// Whether something was stopped: the action of any of the entries is BLOCKED.
    async fn blocked(&self, ctx: &Context<'_>) -> ApiResult<bool> {
        Ok(self.summary(ctx).await?.is_blocked)
    }

    /// Who, what, when and from where, for use as evidence. The times are those of the entries: null when there are none.
    async fn metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        self.load_metadata(ctx).await
    }
}

impl LlmRunGovernance {
    async fn summary(&self, ctx: &Context<'_>) -> ApiResult<GovernanceSummary> {
        Ok(ctx.facade()?.run_governance_summary(&RunNames::of(&self.0)).await?)
    }

    /// The metadata of all the entries together.
    ///
    /// # Errors
    /// As the facade says.
    pub(in crate::graphql) async fn load_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        Ok(metadata(evidence::EvidenceMetadata::of_governance(&self.0, &self.summary(ctx).await?)))
    }
}

columns!(LlmRunGovernance { "runId" => run_id });

/// An entry of category GOVERNANCE, read as a decision.
pub struct GovernanceEvent(pub StoredAuditEntry);

/// One interaction with a rule: what it was asked about, what it said, what was done.
#[Object]
impl GovernanceEvent {
    /// The id of this row, for node. The record behind it has its own: see entry. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Governance))
    }

    /// When it happened.
    fn timestamp(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// What happened, for example "PolicyEvaluated" or "LimitBreached".
    fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// The policy that was at work. Null when the record names none.
    fn policy_id(&self) -> Option<ID> {
        self.0.policy_id.clone().map(ID)
    }

    /// The rule of the policy. Null when the record names none.
    fn rule_id(&self) -> Option<&str> {
        self.0.rule_id.as_deref()
    }

    /// What came of it: follows from action, else from verdict. Null when the record says neither.
    fn decision(&self) -> Option<Decision> {
        self.0.decision().map(Into::into)
    }

    /// What the rule said. Null when the record does not say.
    fn verdict(&self) -> Option<Verdict> {
        self.0.verdict.map(Into::into)
    }

    /// What was done. Null when the record does not say.
    fn action(&self) -> Option<AuditAction> {
        self.0.action.map(Into::into)
    }

    /// What kind of thing it is about.
    fn entity_type(&self) -> AuditEntityType {
        self.0.entity_type.into()
    }

    /// Which thing: of a guardrail its name.
    fn entity_id(&self) -> ID {
        ID(self.0.entity_id.clone())
    }

    /// The record in the audit ledger.
    fn entry(&self) -> Row<AuditEntry> {
        Row(AuditEntry(self.0.clone()))
    }
}

columns!(GovernanceEvent {
    "id" => id,
    "timestamp" => timestamp, "eventType" => event_type, "policyId" => policy_id, "ruleId" => rule_id,
    "decision" => decision, "verdict" => verdict, "action" => action, "entityType" => entity_type,
    "entityId" => entity_id, "entry" => entry,
});

/// Whose governance entries.
#[derive(Debug)]
enum Subject {
    Run(RunNames),
    Policy(String),
}

/// The governance entries of a run or of a policy.
pub struct GovernanceList {
    subject: Subject,
    given: Value,
}

impl GovernanceList {
    /// Those of a run.
    #[must_use]
    pub fn of_run(run: &StoredRun) -> Self {
        Self { subject: Subject::Run(RunNames::of(run)), given: Value::Object(IndexMap::new()) }
    }

    /// Those of a policy.
    #[must_use]
    pub fn of_policy(policy_id: &str) -> Self {
        Self { subject: Subject::Policy(policy_id.to_owned()), given: Value::Object(IndexMap::new()) }
    }
}

impl List for GovernanceList {
    type Item = GovernanceEvent;
    const CONNECTION: &'static str = "GovernanceEventConnection";
    const EDGE: &'static str = "GovernanceEventEdge";

    fn selection(&self) -> Result<String> {
        let (kind, names) = match &self.subject {
            Subject::Run(run) => ("run", run.each().map(Value::from).collect()),
            Subject::Policy(policy_id) => ("policy", vec![Value::from(policy_id.as_str())]),
        };
        canonical(&chosen([(kind, Value::List(names))]))
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<GovernanceEvent>> {
        let page = match &self.subject {
            Subject::Run(run) => facade.list_run_governance(run, request).await?,
            Subject::Policy(policy_id) => facade.list_policy_governance(policy_id, request).await?,
        };
        Ok(page.map(GovernanceEvent))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        match &self.subject {
            Subject::Run(run) => Ok(Count::capped(facade.run_governance_summary(run).await?.total, cap)),
            Subject::Policy(policy_id) => facade.count_policy_governance(policy_id, cap).await,
        }
    }
}
