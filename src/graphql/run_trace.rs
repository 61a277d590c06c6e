//! A run's trace: what happened, step by step.

use async_graphql::{Context, ID, Object};

use super::connection::{Connection, PageArgs};
use super::enums::{StepKind, StepStatus, TraceStatus};
use super::error::ApiResult;
use super::evidence::{EvidenceMetadata, metadata};
use super::row::{Row, columns};
use super::scalars::{SafeInt, Sha256};
use super::trace_steps::StepList;
use super::trace_summary::TraceSummary;
use super::traces::Trace;
use crate::domain::evidence;
use crate::domain::ids::RunId;
use crate::domain::trace::TraceView;

/// A trace, seen from its run.
pub struct LlmRunTrace {
    /// The run.
    pub run_id: RunId,
    /// Its trace.
    pub view: TraceView,
}

/// What happened in a run, step by step. It is the run's view of its trace, which has more to say.
#[Object]
impl LlmRunTrace {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.run_id.to_string())
    }

    /// The trace that the run was made from.
    fn trace_id(&self) -> ID {
        ID(self.view.trace.trace_id.to_string())
    }

    /// Where the trace stands.
    fn status(&self) -> TraceStatus {
        self.view.status().into()
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
        StepList::of(&self.view.trace.trace_id, kind, status)?.connect(ctx, &args).await
    }

    /// How many steps the trace has now, those included that came after it was sealed.
    fn total_steps(&self) -> SafeInt {
        SafeInt(self.view.step_count)
    }

    /// Merkle root over the behaviour of the steps, from the newest seal. Null while the trace is running.
    fn root_hash(&self) -> Option<Sha256> {
        self.view.seal.as_ref().map(|seal| Sha256(seal.root_hash))
    }

    /// How many steps of each kind ended how.
    async fn summary(&self, ctx: &Context<'_>) -> ApiResult<TraceSummary> {
        TraceSummary::load(ctx, &self.view.trace.trace_id).await
    }

    /// Who, what, when and from where, for use as evidence.
    pub(super) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_trace(&self.view))
    }

    /// The trace itself.
    fn trace(&self) -> Row<Trace> {
        Row(Trace(self.view.clone()))
    }
}

columns!(LlmRunTrace {
    "runId" => run_id,
    "traceId" => trace_id,
    "status" => status,
    "totalSteps" => total_steps,
    "rootHash" => root_hash,
    "metadata" => metadata,
    "trace" => trace,
});
