//! A run's trace: what happened, step by step.

use async_graphql::{ID, Object};

use super::evidence::{EvidenceMetadata, metadata};
use super::row::{Row, columns};
use super::trace_fields::TraceFields;
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

    #[graphql(flatten)]
    fn trace_fields(&self) -> TraceFields<'_> {
        TraceFields(&self.view)
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

columns!(LlmRunTrace { "runId" => run_id, "metadata" => metadata, "trace" => trace, ..trace_fields });
