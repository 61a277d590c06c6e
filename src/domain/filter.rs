//! Filters and orders as data. Every field that is absent selects everything; several fields select what fits all.

use super::ids::{RunId, TraceId};
use super::page::Direction;
use super::time::Timestamp;
use super::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExecutionStatus, ExportFormat, ExportScope, ExportStatus,
    RecordSource, Stream, TraceStatus, Verdict, vocabulary,
};
use crate::error::{Error, Result};

/// A half-open range of instants: `from <= t < to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The earliest instant that is in.
    pub from: Option<Timestamp>,
    /// The first instant that is out again.
    pub to: Option<Timestamp>,
}

/// A closed range of numbers: `min <= n <= max`. A null never lies in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberRange {
    /// The smallest number that is in.
    pub min: Option<i64>,
    /// The largest number that is in.
    pub max: Option<i64>,
}

/// Which runs. A list of values selects runs that have any of them; an empty list selects none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LlmRunFilter {
    /// Run ids.
    pub run_ids: Option<Vec<RunId>>,
    /// Trace ids.
    pub trace_ids: Option<Vec<TraceId>>,
    /// Names.
    pub names: Option<Vec<String>>,
    /// Agents.
    pub agent_ids: Option<Vec<String>>,
    /// Sessions.
    pub session_ids: Option<Vec<String>>,
    /// End users.
    pub end_user_ids: Option<Vec<String>>,
    /// Tags: runs that carry at least one of them.
    pub tags: Option<Vec<String>>,
    /// Services.
    pub service_names: Option<Vec<String>>,
    /// Environments.
    pub environments: Option<Vec<String>>,
    /// Providers.
    pub providers: Option<Vec<String>>,
    /// Models.
    pub models: Option<Vec<String>>,
    /// How they ended.
    pub execution_statuses: Option<Vec<ExecutionStatus>>,
    /// Who brought them.
    pub sources: Option<Vec<RecordSource>>,
    /// Only test data, or only real runs.
    pub is_synthetic: Option<bool>,
    /// Correlation ids.
    pub correlation_ids: Option<Vec<String>>,
    /// When they began.
    pub started_at: Option<TimeRange>,
    /// When they ended.
    pub completed_at: Option<TimeRange>,
    /// Input tokens.
    pub input_tokens: Option<NumberRange>,
    /// Output tokens.
    pub output_tokens: Option<NumberRange>,
    /// Input and output tokens together.
    pub total_tokens: Option<NumberRange>,
    /// Cost in micro-dollars.
    pub cost_micros: Option<NumberRange>,
    /// Duration in microseconds.
    pub duration_us: Option<NumberRange>,
}

vocabulary!(
    /// What LLM runs can be ordered by. Runs with equal values are ordered by sequence, the same way round.
    LlmRunSort as LlmRunOrderField {
        /// The place in the tenant's evidence log: the order in which runs were recorded.
        Seq = "SEQUENCE",
        /// When the run began.
        StartedAt = "STARTED_AT",
        /// How long the run took. A run whose end is unknown comes last both ways.
        Duration = "DURATION",
        /// What the run cost. A run whose cost is unknown comes last both ways.
        Cost = "COST",
        /// Input and output tokens together.
        TotalTokens = "TOTAL_TOKENS",
    }
);

/// An order of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LlmRunOrder {
    /// By what.
    pub sort: LlmRunSort,
    /// Which way.
    pub direction: Direction,
}

impl Default for LlmRunOrder {
    /// Newest first, in commit order.
    fn default() -> Self {
        Self { sort: LlmRunSort::Seq, direction: Direction::Desc }
    }
}

/// Which traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFilter {
    /// Trace ids.
    pub trace_ids: Option<Vec<TraceId>>,
    /// Where they stand.
    pub statuses: Option<Vec<TraceStatus>>,
    /// Agents.
    pub agent_ids: Option<Vec<String>>,
    /// Plan hashes.
    pub plan_hashes: Option<Vec<String>>,
    /// Random seeds.
    pub seeds: Option<Vec<i64>>,
    /// When they began.
    pub started_at: Option<TimeRange>,
    /// Services.
    pub service_names: Option<Vec<String>>,
}

vocabulary!(
    /// What traces can be ordered by. Traces with equal values are ordered by sequence, the same way round.
    TraceSort as TraceOrderField {
        /// The place in the tenant's evidence log: the order in which traces were begun.
        Seq = "SEQUENCE",
        /// When the trace began.
        StartedAt = "STARTED_AT",
    }
);

/// An order of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceOrder {
    /// By what.
    pub sort: TraceSort,
    /// Which way.
    pub direction: Direction,
}

impl Default for TraceOrder {
    /// Newest first, in commit order.
    fn default() -> Self {
        Self { sort: TraceSort::Seq, direction: Direction::Desc }
    }
}

/// Which audit entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Categories. ACCESS alone selects the access log, everything else the evidence log.
    pub categories: Option<Vec<AuditCategory>>,
    /// What happened.
    pub event_types: Option<Vec<String>>,
    /// What kind of thing it happened to.
    pub entity_types: Option<Vec<AuditEntityType>>,
    /// Which thing.
    pub entity_ids: Option<Vec<String>>,
    /// What kind of actor acted.
    pub actor_types: Option<Vec<ActorType>>,
    /// Who acted.
    pub actor_ids: Option<Vec<String>>,
    /// What the rule said.
    pub verdicts: Option<Vec<Verdict>>,
    /// What was done.
    pub actions: Option<Vec<AuditAction>>,
    /// Policies.
    pub policy_ids: Option<Vec<String>>,
    /// Rules.
    pub rule_ids: Option<Vec<String>>,
    /// Runs, by the name that the entry holds.
    pub run_ids: Option<Vec<RunId>>,
    /// Correlation ids.
    pub correlation_ids: Option<Vec<String>>,
    /// Writers.
    pub source_components: Option<Vec<String>>,
    /// When it happened.
    pub occurred_at: Option<TimeRange>,
    /// When it was recorded.
    pub created_at: Option<TimeRange>,
}

impl AuditFilter {
    /// The log that the filter selects from: places in it are unique, places in both are not.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for ACCESS together with other categories.
    pub fn stream(&self) -> Result<Stream> {
        let categories = self.categories.as_deref().unwrap_or_default();
        let accesses = categories.iter().filter(|category| **category == AuditCategory::Access).count();
        if accesses == 0 {
            return Ok(Stream::Evidence);
        }
        if accesses == categories.len() {
            return Ok(Stream::Access);
        }
        let message = "ACCESS entries stand in a log of their own, so that no list holds them together with others; ask \
                       for category [ACCESS] apart";
        Err(Error::input("filter.category", message))
    }
}

vocabulary!(
    /// What audit entries can be ordered by. Entries with equal values are ordered by sequence, the same way round.
    AuditSort as AuditOrderField {
        /// The place in the log: the order in which entries were recorded.
        Seq = "SEQUENCE",
        /// When it happened.
        OccurredAt = "OCCURRED_AT",
    }
);

/// An order of audit entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuditOrder {
    /// By what.
    pub sort: AuditSort,
    /// Which way.
    pub direction: Direction,
}

impl Default for AuditOrder {
    /// Newest first, in commit order.
    fn default() -> Self {
        Self { sort: AuditSort::Seq, direction: Direction::Desc }
    }
}

/// Which exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportFilter {
    /// Which part of the domain they cover.
    pub scopes: Option<Vec<ExportScope>>,
    /// Their formats.
    pub formats: Option<Vec<ExportFormat>>,
    /// How they ended.
    pub statuses: Option<Vec<ExportStatus>>,
    /// Who asked for them.
    pub requested_by: Option<Vec<String>>,
    /// The runs that they cover.
    pub run_ids: Option<Vec<RunId>>,
    /// The incidents that they cover.
    pub incident_ids: Option<Vec<String>>,
    /// When they were done.
    pub created_at: Option<TimeRange>,
}
