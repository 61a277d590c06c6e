//! Steps of a trace: the record and its list.

use std::sync::Arc;

use async_graphql::{Context, ID, InputType, Object, Value, indexmap::IndexMap};

use crate::domain::ids::{IdKind, TraceId};
use crate::domain::page::{Count, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::trace::{StepFilter, StoredStep};
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::run::MICROS_PER_MILLI;
use crate::graphql::shared::connection::{Connection, List, PageArgs, connect};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{OutcomeCategory, StepKind, StepLevel, StepStatus};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::filters::checked;
use crate::graphql::shared::record_fields::RecordFields;
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Decimal, Json, SafeInt, Sha256};
use crate::graphql::trace::payload;

/// See [`crate::domain::trace::TraceStep`].
#[derive(Clone)]
pub struct TraceStep(pub Arc<StoredStep>);

impl From<StoredStep> for Row<TraceStep> {
    fn from(step: StoredStep) -> Self {
        Self(TraceStep(Arc::new(step)))
    }
}

/// One step of a trace: a call to a model, a tool, an agent's turn. For OpenTelemetry it is one span. Written once and
/// never changed; another try is another step.
#[Object]
impl TraceStep {
    /// The id of this record, for node. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Step))
    }

    /// The trace that the step belongs to.
    fn trace_id(&self) -> ID {
        ID(self.0.trace_id.to_string())
    }

    /// The step's place in its trace, from 0 and without gaps: the order in which steps were recorded.
    fn step_index(&self) -> SafeInt {
        SafeInt(self.0.step_index)
    }

    /// The caller's own number for the step; not checked. Null when none was given.
    fn caller_index(&self) -> Option<SafeInt> {
        self.0.caller_index.map(SafeInt)
    }

    /// The span's id, unique within the trace: 16 hexadecimal digits for OpenTelemetry.
    fn span_id(&self) -> &str {
        &self.0.span_id
    }

    /// The span that the step runs under. Null for a step at the top.
    fn parent_span_id(&self) -> Option<&str> {
        self.0.parent_span_id.as_deref()
    }

    /// Which try this is, from 1.
    fn attempt(&self) -> SafeInt {
        SafeInt(self.0.attempt)
    }

    /// What the step did.
    fn kind(&self) -> StepKind {
        self.0.kind.into()
    }

    /// The tool, agent or operation that was at work, else the span's name.
    fn skill_name(&self) -> &str {
        &self.0.skill_name
    }

    /// How the step ended.
    fn status(&self) -> StepStatus {
        self.0.status.into()
    }

    /// The step's severity, which follows from its status.
    fn level(&self) -> StepLevel {
        self.0.status.level().into()
    }

    /// The kind of the step's outcome.
    fn outcome_category(&self) -> OutcomeCategory {
        self.0.outcome_category.into()
    }

    /// The outcome in the source's own words, for example an error type or an HTTP status. Null when nothing says it.
    fn outcome_code(&self) -> Option<&str> {
        self.0.outcome_code.as_deref()
    }

    /// The provider that was called. Null when none was.
    fn provider(&self) -> Option<&str> {
        self.0.provider.as_deref()
    }

    /// The model that was called. Null when none was.
    fn model(&self) -> Option<&str> {
        self.0.model.as_deref()
    }

    /// The provider's id of its answer. Null when nothing says it.
    fn response_id(&self) -> Option<&str> {
        self.0.response_id.as_deref()
    }

    /// Tokens sent, as this step reports them. Do not add up steps: a step around others repeats their tokens; see the
    /// trace's totals. Null when nothing says it.
    fn input_tokens(&self) -> Option<SafeInt> {
        self.0.input_tokens.map(SafeInt)
    }

    /// Tokens received, as this step reports them. Null when nothing says it.
    fn output_tokens(&self) -> Option<SafeInt> {
        self.0.output_tokens.map(SafeInt)
    }

    /// What the step cost, in US dollars with six decimal places. Null when the cost is unknown.
    fn cost_usd(&self) -> Option<Decimal> {
        self.0.cost_micros.map(Decimal::usd)
    }

    /// What the step cost, in US cents with four decimal places. Null when the cost is unknown.
    fn cost_cents(&self) -> Option<Decimal> {
        self.0.cost_micros.map(Decimal::cents)
    }

    /// The instant at which the step stands on a time line: the same as startedAt.
    fn timestamp(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// When the step began.
    fn started_at(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// When the step ended.
    fn ended_at(&self) -> DateTime {
        DateTime(self.0.ended_at())
    }

    /// How long the step took, in whole milliseconds, rounded down.
    fn duration_ms(&self) -> SafeInt {
        SafeInt(self.0.duration_us / MICROS_PER_MILLI)
    }

    /// Keyed digest of what went in, comparable with contentDigest. Null when it was not seen.
    fn input_hash(&self) -> Option<Sha256> {
        self.0.input_hash.map(Sha256)
    }

    /// Keyed digest of what came out, comparable with contentDigest. Null when it was not seen.
    fn output_hash(&self) -> Option<Sha256> {
        self.0.output_hash.map(Sha256)
    }

    /// The caller's key for idempotencyCheck. Null when none was given.
    fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    /// The span id of another step that reports the same call: that one counts in totals, this one does not. Null when
    /// this step stands for itself.
    async fn duplicate_of(&self, ctx: &Context<'_>) -> Maybe<String> {
        Maybe::of(self.load_duplicate_of(ctx).await)
    }

    /// Whether the step arrived after its trace had been sealed.
    fn is_late(&self) -> bool {
        self.0.is_late
    }

    /// Everything else that the step reported, redacted, as a JSON object. Read only when it is selected. Null when there
    /// is nothing or it was erased. Needs the scope payloads:read.
    async fn attributes(&self, ctx: &Context<'_>) -> Maybe<Json> {
        let is_recorded = self.0.attributes_commitment.is_some();
        Maybe::of(payload(ctx, is_recorded.then_some(self.0.id), PayloadPart::Attributes).await)
    }

    /// The messages that went in and out, redacted. Null unless the tenant has content capture turned on: by default only
    /// digests are kept. Needs the scope payloads:read.
    async fn content(&self, ctx: &Context<'_>) -> Maybe<Json> {
        let is_recorded = self.0.content_commitment.is_some();
        Maybe::of(payload(ctx, is_recorded.then_some(self.0.id), PayloadPart::Content).await)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&**self.0).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.tenant_id, self.0.id).await)
    }
}

impl TraceStep {
    async fn load_duplicate_of(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        Ok(ctx.facade()?.step_duplicate_of(&self.0).await?)
    }
}

columns!(TraceStep {
    "id" => id, "traceId" => trace_id, "stepIndex" => step_index, "callerIndex" => caller_index, "spanId" => span_id,
    "parentSpanId" => parent_span_id, "attempt" => attempt, "kind" => kind, "skillName" => skill_name,
    "status" => status, "level" => level, "outcomeCategory" => outcome_category, "outcomeCode" => outcome_code,
    "provider" => provider, "model" => model, "responseId" => response_id, "inputTokens" => input_tokens,
    "outputTokens" => output_tokens, "costUsd" => cost_usd, "costCents" => cost_cents, "timestamp" => timestamp,
    "startedAt" => started_at, "endedAt" => ended_at, "durationMs" => duration_ms, "inputHash" => input_hash,
    "outputHash" => output_hash, "idempotencyKey" => idempotency_key, "isLate" => is_late, ..record_fields
});

/// The steps of a trace.
pub struct StepList {
    trace_id: TraceId,
    filter: StepFilter,
    given: Value,
}

impl StepList {
    /// The list that the arguments describe. An empty list of kinds or statuses means all of them.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` for a list of too many values.
    pub fn of(trace_id: &TraceId, kind: Option<Vec<StepKind>>, status: Option<Vec<StepStatus>>) -> Result<Self> {
        let mut given = IndexMap::new();
        for (name, value) in
            [("kind", kind.as_ref().map(InputType::to_value)), ("status", status.as_ref().map(InputType::to_value))]
        {
            if let Some(value) = value {
                given.insert(async_graphql::Name::new(name), value);
            }
        }
        Ok(Self {
            trace_id: trace_id.clone(),
            filter: step_filter(kind.unwrap_or_default(), status.unwrap_or_default())?,
            given: Value::Object(given),
        })
    }

    /// A page of it.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(self, ctx: &Context<'_>, args: &PageArgs) -> ApiResult<Row<Connection<Self>>> {
        connect(ctx, self, args).await
    }
}

/// The domain's filter of steps.
///
/// # Errors
/// `LIMIT_EXCEEDED` for a list of too many values.
pub fn step_filter(kind: Vec<StepKind>, status: Vec<StepStatus>) -> Result<StepFilter> {
    checked("kind", &kind)?;
    checked("status", &status)?;
    Ok(StepFilter {
        kinds: kind.into_iter().map(Into::into).collect(),
        statuses: status.into_iter().map(Into::into).collect(),
    })
}

impl List for StepList {
    type Item = TraceStep;
    const CONNECTION: &'static str = "TraceStepConnection";
    const EDGE: &'static str = "TraceStepEdge";

    fn selection(&self) -> Result<String> {
        let mut text = String::new();
        for kind in &self.filter.kinds {
            text.extend([kind.as_str(), ","]);
        }
        text.push(';');
        for status in &self.filter.statuses {
            text.extend([status.as_str(), ","]);
        }
        // The name last: it may hold anything.
        text.extend([";", self.trace_id.as_str()]);
        Ok(text)
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<TraceStep>> {
        Ok(facade.list_trace_steps(&self.trace_id, &self.filter, request).await?.map(TraceStep))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        Ok(Count::capped(facade.count_trace_steps(&self.trace_id, &self.filter).await?, cap))
    }
}
