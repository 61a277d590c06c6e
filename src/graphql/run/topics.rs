//! What a run has beside its record and its trace: governance, incidents, replay, exports. Part of the object LlmRun.

use async_graphql::{Context, Object};

use crate::domain::run::StoredRun;
use crate::graphql::export::LlmRunExport;
use crate::graphql::incident::IncidentEvidence;
use crate::graphql::run::governance::LlmRunGovernance;
use crate::graphql::run::replay::LlmRunReplay;
use crate::graphql::run::system::RunSystem;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::row::Row;

/// Fields of LlmRun.
pub struct RunTopics<'r>(pub &'r StoredRun);

#[Object]
impl RunTopics<'_> {
    /// Under which rules the run ran: what policies, limits and guardrails said and did in it.
    async fn governance(&self) -> Row<LlmRunGovernance> {
        Row(LlmRunGovernance(self.0.clone()))
    }

    /// The incidents that the run caused, each by its newest revision, newest first, at most 200. Empty when there are none.
    async fn incident_evidence(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<IncidentEvidence>>> {
        Ok(ctx.facade()?.incidents_of_run(&self.0.run_id).await?.into_iter().map(Into::into).collect())
    }

    /// What happened around the decisive moment of the run: its steps, the system records, and the governance entries that
    /// are its own or of no run.
    async fn replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 60, desc = "How long the window is, in seconds, 1 to 600.")] window_seconds: i32,
    ) -> ApiResult<Row<LlmRunReplay>> {
        Ok(Row(LlmRunReplay(ctx.facade()?.replay_run(self.0, window_seconds.into()).await?)))
    }

    /// The platform around the run: the environment it began in, what affected it, and metrics of its service. Needs the
    /// scope system:read.
    async fn system(&self) -> RunSystem {
        RunSystem(self.0.clone())
    }

    /// What can be taken away of the run, and what was.
    async fn export(&self) -> Row<LlmRunExport> {
        Row(LlmRunExport(self.0.clone()))
    }
}
