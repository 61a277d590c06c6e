//! A run's trace: what happened, step by step.

use async_graphql::{Context, ID, Object};

use crate::domain::evidence;
use crate::domain::ids::RunId;
use crate::domain::trace::StoredTrace;
use crate::graphql::shared::connection::{Connection, PageArgs};
use crate::graphql::shared::enums::{StepKind, StepStatus};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::trace::Trace;
use crate::graphql::trace::fields::TraceFields;
use crate::graphql::trace::steps::StepList;

/// A trace, seen from its run.
pub struct LlmRunTrace {
    /// The run.
    pub run_id: RunId,
    /// Its trace.
    pub view: StoredTrace,
}

/// What happened in a run, step by step. It is the run's view of its trace, which has more to say.
#[Object]
impl LlmRunTrace {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.run_id.to_string())
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

    #[graphql(flatten)]
    fn trace_fields(&self) -> TraceFields<'_> {
        TraceFields(&self.view)
    }

    /// Who, what, when and from where, for use as evidence.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_trace(&self.view))
    }

    /// The trace itself.
    fn trace(&self) -> Row<Trace> {
        Row(Trace(self.view.clone()))
    }
}

columns!(LlmRunTrace { "runId" => run_id, "metadata" => metadata, "trace" => trace, ..trace_fields });
