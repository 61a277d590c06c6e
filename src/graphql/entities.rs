//! Entities that other subgraphs own, and how a gateway enters the graph here.

use async_graphql::{Context, ID, Object};

use super::audit::{AuditEntry, load_entry};
use super::audit_exports::{ExportRecord, load_export};
use super::connection::{Connection, PageArgs};
use super::context::ContextExt;
use super::error::{ApiError, ApiResult};
use super::filters::{LlmRunFilter, LlmRunOrder, TraceFilter, TraceOrder};
use super::node::{load_run, load_trace};
use super::row::{Row, columns};
use super::run_list::RunList;
use super::runs::{self, LlmRun};
use super::traces::{Trace, TraceList};
use crate::domain::ids::{TenantId, TraceId, check_name};
use crate::domain::trace::TraceRef;

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

    /// The tenant's LLM runs, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn llm_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which runs. All when it is not given.")] filter: Option<LlmRunFilter>,
        #[graphql(desc = "In which order. Newest first when it is not given.")] order_by: Option<LlmRunOrder>,
        #[graphql(desc = "How many runs to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only runs behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many runs to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only runs before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<RunList>>> {
        let list = RunList::of(filter.as_ref(), order_by.as_ref(), None)?;
        list.connect(ctx, PageArgs { first, after, last, before }).await
    }

    /// The tenant's traces, running ones included, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn traces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which traces. All when it is not given.")] filter: Option<TraceFilter>,
        #[graphql(desc = "In which order. Newest first when it is not given.")] order_by: Option<TraceOrder>,
        #[graphql(desc = "How many traces to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only traces behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many traces to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only traces before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<TraceList>>> {
        let list = TraceList::of(filter.as_ref(), order_by.as_ref(), None)?;
        list.connect(ctx, PageArgs { first, after, last, before }).await
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

    /// The agent's LLM runs, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn llm_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of the agent's runs. All when it is not given.")] filter: Option<LlmRunFilter>,
        #[graphql(desc = "In which order. Newest first when it is not given.")] order_by: Option<LlmRunOrder>,
        #[graphql(desc = "How many runs to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only runs behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many runs to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only runs before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<RunList>>> {
        let list = RunList::of(filter.as_ref(), order_by.as_ref(), None)?.of_agent(&self.0);
        list.connect(ctx, PageArgs { first, after, last, before }).await
    }
}

columns!(Agent { "id" => id });

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
        Ok(runs::load_run(ctx, &run_id).await?.map(Into::into))
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
    async fn export_record_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<ExportRecord>>, ApiError> {
        Ok(load_export(ctx, &id).await?.map(Into::into))
    }

    #[graphql(entity)]
    async fn tenant_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Tenant>>, ApiError> {
        let tenant = &ctx.facade()?.scope().tenant;
        Ok((tenant.as_str() == id.0).then(|| Row(Tenant(tenant.clone()))))
    }

    #[graphql(entity)]
    async fn agent_by_id(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Row<Agent>>, ApiError> {
        ctx.facade()?;
        Ok(check_name("id", &id.0).is_ok().then_some(Row(Agent(id.0))))
    }
}
