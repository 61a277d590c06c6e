//! What a trace shows of its name, its steps and its end, wherever it is seen from. Part of the objects Trace and LlmRunTrace.

use async_graphql::{Context, ID, Object};

use crate::domain::trace::TraceView;
use crate::graphql::shared::enums::TraceStatus;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::row::columns;
use crate::graphql::shared::scalars::{SafeInt, Sha256};
use crate::graphql::trace::summary::TraceSummary;

/// Fields of a trace, and of a trace as its run sees it; leaves, as in [`crate::graphql::shared::record_fields`].
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
