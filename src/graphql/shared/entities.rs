//! Entities that other subgraphs own, and how a gateway enters the graph here.

use async_graphql::{Context, ID, Object};

use crate::domain::ids::{TenantId, TraceId, check_name};
use crate::domain::trace::TraceRef;
use crate::graphql::audit::{AuditEntry, load_entry};
use crate::graphql::export::LogExport;
use crate::graphql::incident::{IncidentEvidence, load_incident};
use crate::graphql::policy::{ActivationList, PolicyActivation};
use crate::graphql::run::governance::GovernanceList;
use crate::graphql::run::list::RunsField;
use crate::graphql::run::{self, LlmRun};
use crate::graphql::shared::connection::{Connection, PageArgs, connect};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::{ApiError, ApiResult, Maybe};
use crate::graphql::shared::node::{self, Node, load_run, load_trace};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::system::SystemRecord;
use crate::graphql::trace::Trace;
use crate::graphql::trace::queries::TracesField;

/// A tenant; nothing is read to resolve it.
pub struct Tenant(pub TenantId);

/// A tenant: the customer or team that records belong to. Another subgraph owns it; here it carries what is recorded for
/// it. Callers see their own tenant only.
#[Object]
impl Tenant {
    /// The tenant's id.
    fn id(&self) -> ID {
        ID(self.0.to_string())
    }

    #[graphql(flatten)]
    fn runs(&self) -> RunsField {
        RunsField { agent: None }
    }

    #[graphql(flatten)]
    fn trace_list(&self) -> TracesField {
        TracesField
    }
}

columns!(Tenant { "id" => id });

/// An agent; nothing is read to resolve it.
pub struct Agent(pub String);

/// An AI agent that runs work. Another subgraph owns it; here it carries the runs that name it.
#[Object]
impl Agent {
    /// The agent's id, as the records name it.
    fn id(&self) -> ID {
        ID(self.0.clone())
    }

    #[graphql(flatten)]
    fn runs(&self) -> RunsField {
        RunsField { agent: Some(self.0.clone()) }
    }
}

columns!(Agent { "id" => id });

/// A policy; nothing is read to resolve it.
pub struct Policy(pub String);

/// A policy. Another subgraph owns it; here it carries what is on record about it.
#[Object]
impl Policy {
    /// The policy's id, as the records name it.
    fn id(&self) -> ID {
        ID(self.0.clone())
    }

    /// The activations of the policy, newest first. Empty when it never came into force.
    async fn activations(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many activations to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only activations behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many activations to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only activations before this cursor.")] before: Option<String>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<Connection<ActivationList>>> {
        let list = ActivationList::of(Some(&self.0), as_of.as_deref())?;
        connect(ctx, list, &PageArgs { first, after, last, before }).await
    }

    /// What the policy did and what was done to it, newest first: its entries of category GOVERNANCE. Needs audit:read.
    async fn governance_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many events to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only events behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many events to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only events before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<GovernanceList>>> {
        connect(ctx, GovernanceList::of_policy(&self.0), &PageArgs { first, after, last, before }).await
    }

    /// The activation that is in force: the newest one. Null when the policy never came into force.
    async fn current_activation(&self, ctx: &Context<'_>) -> Maybe<Row<PolicyActivation>> {
        Maybe::of(self.load_current(ctx).await)
    }
}

impl Policy {
    async fn load_current(&self, ctx: &Context<'_>) -> ApiResult<Option<Row<PolicyActivation>>> {
        Ok(ctx.facade()?.current_activation(&self.0).await?.map(Into::into))
    }
}

columns!(Policy { "id" => id });

/// An incident; nothing is read to resolve it.
pub struct Incident(pub String);

/// An incident. Another subgraph owns it; here it carries what is on record about it.
#[Object]
impl Incident {
    /// The incident's id, as the records name it.
    fn id(&self) -> ID {
        ID(self.0.clone())
    }

    /// The evidence of the incident: its newest revision. Null when nothing of it is on record.
    async fn evidence(&self, ctx: &Context<'_>) -> Maybe<Row<IncidentEvidence>> {
        Maybe::of(load_incident(ctx, &ID(self.0.clone())).await)
    }
}

columns!(Incident { "id" => id });

/// A thing that others own, by any id that a record can name it by.
fn foreign<T>(ctx: &Context<'_>, id: ID, of: impl FnOnce(String) -> T) -> ApiResult<Option<Row<T>>> {
    ctx.facade()?;
    Ok(check_name("id", &id.0).is_ok().then(|| Row(of(id.0))))
}

/// A record of ours by its id.
async fn owned<T>(ctx: &Context<'_>, id: &ID, of: impl FnOnce(Node) -> Option<T>) -> ApiResult<Option<T>> {
    Ok(node::load(ctx, id).await?.and_then(of))
}

/// How a gateway enters: an unknown key is null and harms none of its neighbours.
#[derive(Default)]
pub struct Entities;

#[Object]
impl Entities {
    #[graphql(entity)]
    async fn llm_run_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<LlmRun>>, ApiError> {
        Ok(load_run(ctx, &id).await?.map(Into::into))
    }

    #[graphql(entity)]
    async fn llm_run_by_run_id(&self, ctx: &Context<'_>, run_id: ID) -> Result<Option<Row<LlmRun>>, ApiError> {
        Ok(run::load_run(ctx, &run_id).await?.map(Into::into))
    }

    #[graphql(entity)]
    async fn trace_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Trace>>, ApiError> {
        Ok(load_trace(ctx, &id).await?.map(Into::into))
    }

    #[graphql(entity)]
    async fn trace_by_trace_id(&self, ctx: &Context<'_>, trace_id: ID) -> Result<Option<Row<Trace>>, ApiError> {
        let facade = ctx.facade()?;
        let Ok(trace_id) = TraceId::parse(&trace_id.0) else { return Ok(None) };
        Ok(facade.get_trace(&TraceRef::TraceId(trace_id)).await?.map(Into::into))
    }

    #[graphql(entity)]
    async fn audit_entry_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<AuditEntry>>, ApiError> {
        Ok(load_entry(ctx, &id).await?.map(Into::into))
    }

    #[graphql(entity)]
    async fn tenant_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Tenant>>, ApiError> {
        let tenant = &ctx.facade()?.scope().tenant;
        Ok((tenant.as_str() == id.0).then(|| Row(Tenant(tenant.clone()))))
    }

    #[graphql(entity)]
    async fn agent_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Agent>>, ApiError> {
        foreign(ctx, id, Agent)
    }

    #[graphql(entity)]
    async fn policy_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Policy>>, ApiError> {
        foreign(ctx, id, Policy)
    }

    #[graphql(entity)]
    async fn incident_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Incident>>, ApiError> {
        foreign(ctx, id, Incident)
    }

    #[graphql(entity)]
    async fn system_record_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<SystemRecord>>, ApiError> {
        owned(ctx, &id, |node| if let Node::SystemRecord(found) = node { Some(found) } else { None }).await
    }

    #[graphql(entity)]
    async fn incident_evidence_by_id(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<Option<Row<IncidentEvidence>>, ApiError> {
        owned(ctx, &id, |node| if let Node::IncidentEvidence(found) = node { Some(found) } else { None }).await
    }

    #[graphql(entity)]
    async fn policy_activation_by_id(
        &self,
        ctx: &Context<'_>,
        id: ID,
    ) -> Result<Option<Row<PolicyActivation>>, ApiError> {
        owned(ctx, &id, |node| if let Node::PolicyActivation(found) = node { Some(found) } else { None }).await
    }

    #[graphql(entity)]
    async fn log_export_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<LogExport>>, ApiError> {
        owned(ctx, &id, |node| if let Node::LogExport(found) = node { Some(found) } else { None }).await
    }
}
