//! What a trace shows of its steps and of its end, wherever it is seen from. Part of the objects Trace and LlmRunTrace.

use async_graphql::{Context, ID, Object};

use super::connection::{Connection, PageArgs};
use super::enums::{StepKind, StepStatus, TraceStatus};
use super::error::ApiResult;
use super::row::{Row, columns};
use super::scalars::{SafeInt, Sha256};
use super::trace_steps::StepList;
use super::trace_summary::TraceSummary;
use crate::domain::trace::TraceView;

/// Fields of a trace, and of a trace as its run sees it.
pub struct TraceFields<'r>(pub &'r TraceView);

#[Object]
impl TraceFields<'_> {
    /// The name of the trace, unique within the tenant. For OpenTelemetry it is the 32 hexadecimal digits of the trace id.
    fn trace_id(&self) -> ID {
        ID(self.0.trace.trace_id.to_string())
    }

    /// Where the trace stands: running until it is sealed.
    fn status(&self) -> TraceStatus {
        self.0.status().into()
    }

    /// The steps in the order in which they were recorded.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn steps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many steps to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only steps behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many steps to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only steps before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only steps of these kinds. All kinds when it is not given.")] kind: Option<Vec<StepKind>>,
        #[graphql(desc = "Only steps that ended in these ways. All when it is not given.")] status: Option<
            Vec<StepStatus>,
        >,
    ) -> ApiResult<Row<Connection<StepList>>> {
        let args = PageArgs { first, after, last, before };
        StepList::of(&self.0.trace.trace_id, kind, status)?.connect(ctx, &args).await
    }

    /// How many steps the trace has now, those included that came after it was sealed.
    fn total_steps(&self) -> SafeInt {
        SafeInt(self.0.step_count)
    }

    /// Merkle root over the behaviour of the steps, from the newest seal: traces with equal roots behaved alike. Null
    /// while the trace is running.
    fn root_hash(&self) -> Option<Sha256> {
        self.0.seal.as_ref().map(|seal| Sha256(seal.root_hash))
    }

    /// How many steps of each kind ended how.
    async fn summary(&self, ctx: &Context<'_>) -> ApiResult<TraceSummary> {
        TraceSummary::load(ctx, &self.0.trace.trace_id).await
    }
}

columns!(TraceFields<'_> {
    "traceId" => trace_id, "status" => status, "totalSteps" => total_steps, "rootHash" => root_hash,
});
