//! The list of runs.

use async_graphql::{Context, Object, Value};

use crate::domain::filter;
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::graphql::run::LlmRun;
use crate::graphql::shared::connection::{Connection, List, PageArgs, canonical, chosen, connect, given, ordered};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::filters::{LlmRunFilter, LlmRunOrder};
use crate::graphql::shared::prefetch;
use crate::graphql::shared::row::Row;

/// A list of runs.
pub struct RunList {
    filter: filter::LlmRunFilter,
    given: Value,
    order: filter::LlmRunOrder,
    chosen: Value,
    as_of: Option<AsOf>,
}

impl RunList {
    /// The list that the arguments describe.
    ///
    /// # Errors
    /// As [`LlmRunFilter::to_domain`]; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(filter: Option<&LlmRunFilter>, order: Option<&LlmRunOrder>, as_of: Option<&str>) -> Result<Self> {
        Ok(Self {
            filter: filter.map(LlmRunFilter::to_domain).transpose()?.unwrap_or_default(),
            given: given(filter),
            order: LlmRunOrder::to_domain(order),
            chosen: chosen([("filter", given(filter)), ("order", ordered(order))]),
            as_of: as_of.map(AsOf::parse).transpose()?,
        })
    }

    /// Of these, only the runs of one agent.
    #[must_use]
    pub fn of_agent(mut self, agent_id: &str) -> Self {
        let is_wanted = self.filter.agent_ids.as_ref().is_none_or(|ids| ids.iter().any(|id| id == agent_id));
        self.filter.agent_ids = Some(if is_wanted { vec![agent_id.to_owned()] } else { Vec::new() });
        self.chosen = chosen([("list", self.chosen), ("agent", Value::from(agent_id))]);
        self
    }

    /// A page of it, with the traces and steps that the query goes on to read.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(self, ctx: &Context<'_>, args: PageArgs) -> ApiResult<Row<Connection<Self>>> {
        let page = connect(ctx, self, &args).await?;
        prefetch::traces(ctx, page.items().filter_map(|run| run.0.trace_id.clone()).collect())?;
        Ok(page)
    }
}

impl List for RunList {
    type Item = LlmRun;
    const CONNECTION: &'static str = "LlmRunConnection";
    const EDGE: &'static str = "LlmRunEdge";

    fn selection(&self) -> Result<String> {
        canonical(&self.chosen)
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<LlmRun>> {
        Ok(facade.list_llm_runs(&self.filter, self.order, request, self.as_of).await?.map(LlmRun))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_llm_runs(&self.filter, self.as_of, cap).await
    }
}

/// The field that gives runs: of the root, of a tenant, of an agent.
pub struct RunsField {
    /// Only runs of this agent.
    pub agent: Option<String>,
}

#[Object]
impl RunsField {
    /// LLM runs, newest first unless ordered otherwise. Runs whose trace is still running are not in it: see traces.
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
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<Connection<RunList>>> {
        let mut list = RunList::of(filter.as_ref(), order_by.as_ref(), as_of.as_deref())?;
        if let Some(agent) = &self.agent {
            list = list.of_agent(agent);
        }
        list.connect(ctx, PageArgs { first, after, last, before }).await
    }
}
