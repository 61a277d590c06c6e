//! A run's replay: what happened around its inflection.

use async_graphql::{Context, ID, Object};

use crate::domain::evidence;
use crate::domain::ids::IdKind;
use crate::domain::replay::ReplayRecord;
use crate::facade::replay::Replay;
use crate::graphql::shared::enums::{InflectionRule, ReplaySource};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::node::{self, Node};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, SafeInt};

/// See [`Replay`].
pub struct LlmRunReplay(pub Replay);

/// What happened around the decisive moment of a run: steps of its trace, system records and governance entries in one
/// ordered list. Made from the records each time it is asked for, never stored: the same records give the same answer.
#[Object]
impl LlmRunReplay {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.0.run.run_id.to_string())
    }

    /// The decisive moment of the run.
    fn inflection_timestamp(&self) -> DateTime {
        DateTime(self.0.inflection.at)
    }

    /// The rule that decided what the decisive moment is.
    fn inflection_rule(&self) -> InflectionRule {
        self.0.inflection.rule.into()
    }

    /// The beginning of the window: half its length before the decisive moment. It belongs to the window.
    fn window_start(&self) -> DateTime {
        DateTime(self.0.window.from())
    }

    /// The end of the window: half its length after the decisive moment. It does not belong to the window.
    fn window_end(&self) -> DateTime {
        DateTime(self.0.window.to())
    }

    /// What happened in the window, ordered by time, then source, then id; at most 1,000 events. A step is in it when it was
    /// under way inside the window: one that ended where the window begins, or began where it ends, is not.
    fn events(&self) -> Vec<Row<ReplayEvent>> {
        self.0.events.events.iter().map(|event| Row(ReplayEvent(event.clone()))).collect()
    }

    /// Whether there are more than 1,000 events; those that come last are left out. Ask for a shorter window.
    fn truncated(&self) -> bool {
        self.0.events.is_truncated
    }

    /// Who, what, when and from where, for use as evidence.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        let Replay { run, inflection, events, incident_ids, .. } = &self.0;
        metadata(evidence::EvidenceMetadata::of_replay(run, *inflection, events, incident_ids))
    }
}

columns!(LlmRunReplay {
    "runId" => run_id, "inflectionTimestamp" => inflection_timestamp, "inflectionRule" => inflection_rule,
    "windowStart" => window_start, "windowEnd" => window_end, "events" => events, "truncated" => truncated,
    "metadata" => metadata,
});

/// See [`ReplayRecord`].
pub struct ReplayEvent(pub ReplayRecord);

/// One thing that happened in the window of a replay.
#[Object]
impl ReplayEvent {
    /// Where the event comes from.
    fn source(&self) -> ReplaySource {
        self.0.source().into()
    }

    /// When it happened. For a step when it began, which may lie before the window.
    fn timestamp(&self) -> DateTime {
        DateTime(self.0.at())
    }

    /// The place of the step in its trace. Null when the event is not a step.
    fn step_index(&self) -> Option<SafeInt> {
        match &self.0 {
            ReplayRecord::Step(step) => Some(SafeInt(step.step_index)),
            _ => None,
        }
    }

    /// What happened: the tool, agent or operation of a step; the event type of a system record or a governance entry.
    fn action(&self) -> &str {
        match &self.0 {
            ReplayRecord::Step(step) => &step.skill_name,
            ReplayRecord::System(record) => record.event_type.as_str(),
            ReplayRecord::Policy(entry) => &entry.event_type,
        }
    }

    /// What came of it: the status of a step, the severity of a system record, the action of a governance entry, else its
    /// verdict. Null when a governance entry says neither.
    fn outcome(&self) -> Option<&str> {
        match &self.0 {
            ReplayRecord::Step(step) => Some(step.status.as_str()),
            ReplayRecord::System(record) => Some(record.severity.as_str()),
            ReplayRecord::Policy(entry) => {
                entry.action.map(|action| action.as_str()).or(entry.verdict.map(|verdict| verdict.as_str()))
            }
        }
    }

    /// The record behind the event. Needs the permission to read the record: system:read, audit:read.
    async fn record(&self, ctx: &Context<'_>) -> Maybe<Node> {
        Maybe::of(self.load_record(ctx).await)
    }
}

impl ReplayEvent {
    async fn load_record(&self, ctx: &Context<'_>) -> ApiResult<Option<Node>> {
        let kind = match &self.0 {
            ReplayRecord::Step(_) => IdKind::Step,
            ReplayRecord::System(_) => IdKind::System,
            ReplayRecord::Policy(_) => IdKind::Audit,
        };
        node::load(ctx, &ID(self.0.id().typed(kind))).await
    }
}

columns!(ReplayEvent {
    "source" => source, "timestamp" => timestamp, "stepIndex" => step_index, "action" => action, "outcome" => outcome,
});
