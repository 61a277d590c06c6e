//! LLM runs: the record and its lists.

pub mod governance;
pub mod list;
pub mod replay;
pub mod system;
pub mod topics;
pub mod trace;

use async_graphql::{Context, ID, Object, Value};

use crate::domain::evidence;
use crate::domain::ids::{IdKind, RunId};
use crate::domain::record::pick_texts;
use crate::domain::run::{self, StoredRun, llm_run};
use crate::domain::trace::TraceRef;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::run::list::RunsField;
use crate::graphql::run::topics::RunTopics;
use crate::graphql::run::trace::LlmRunTrace;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::{Agent, Tenant};
use crate::graphql::shared::enums::{ActorType, ExecutionStatus, RecordSource};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Column as _, Columns, Row, columns};
use crate::graphql::shared::scalars::{DateTime, Decimal, SafeInt, Sha256};

/// Microseconds of a millisecond; durations are shown in whole milliseconds, rounded down.
pub const MICROS_PER_MILLI: i64 = 1_000;

record! {
    /// See [`crate::domain::run::LlmRun`].
    LlmRun(StoredRun)
}

/// One run of an application that works with language models: who ran what, with which model, how it ended and what it
/// cost. A record is written once and never changed; a correction is a further revision of the same run.
#[Object]
impl LlmRun {
    /// The id of this record (one revision of the run), for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Run))
    }

    /// The name of the run, unique within the tenant: what the application gave, else the trace's id.
    fn run_id(&self) -> ID {
        ID(self.0.run_id.to_string())
    }

    /// Which revision of the run this record is, from 1. The newest revision is the run.
    fn revision(&self) -> SafeInt {
        SafeInt(self.0.revision)
    }

    /// Every revision of this run, newest first, at most 200.
    async fn revisions(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<LlmRun>>> {
        Ok(ctx.facade()?.list_run_revisions(&self.0.run_id).await?.into_iter().map(Into::into).collect())
    }

    /// The tenant that the run belongs to.
    fn tenant(&self) -> Row<Tenant> {
        Row(Tenant(self.0.tenant_id.clone()))
    }

    /// The trace that the run was made from. Null when it was recorded without steps.
    fn trace_id(&self) -> Option<ID> {
        self.0.trace_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// The agent that ran. Null when the record names none.
    fn agent(&self) -> Option<Row<Agent>> {
        self.0.agent_id.clone().map(|id| Row(Agent(id)))
    }

    /// The end user that the run served, as the caller names them; not redacted. Null when the record names none.
    fn end_user_id(&self) -> Option<&str> {
        self.0.end_user_id.as_deref()
    }

    /// Labels, in bytewise order and without repeats.
    fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// The provider of the model, for example "openai". "unknown" when nothing says it.
    fn provider(&self) -> &str {
        &self.0.provider
    }

    /// The model, for example "gpt-4o". "unknown" when nothing says it.
    fn model(&self) -> &str {
        &self.0.model
    }

    /// Keyed digest of the prompt, comparable with contentDigest. Null when the prompt was not seen.
    fn prompt_hash(&self) -> Option<Sha256> {
        self.0.prompt_hash.map(Sha256)
    }

    /// Keyed digest of the response, comparable with contentDigest. Null when the response was not seen.
    fn response_hash(&self) -> Option<Sha256> {
        self.0.response_hash.map(Sha256)
    }

    /// Tokens sent to models. Each model call counts once, however many spans report it. A sum of more than
    /// 4,503,599,627,370,495 is given as that.
    fn input_tokens(&self) -> SafeInt {
        SafeInt(self.0.input_tokens)
    }

    /// Tokens that models produced. Each model call counts once, however many spans report it. A sum of more than
    /// 4,503,599,627,370,495 is given as that.
    fn output_tokens(&self) -> SafeInt {
        SafeInt(self.0.output_tokens)
    }

    /// Input and output tokens together.
    fn total_tokens(&self) -> SafeInt {
        SafeInt::sum(self.0.input_tokens, self.0.output_tokens)
    }

    /// Of the input tokens, those that the provider read from its cache. Null when nothing says it.
    fn cached_input_tokens(&self) -> Option<SafeInt> {
        self.0.cached_input_tokens.map(SafeInt)
    }

    /// Of the output tokens, those spent on reasoning. Null when nothing says it.
    fn reasoning_tokens(&self) -> Option<SafeInt> {
        self.0.reasoning_tokens.map(SafeInt)
    }

    /// Whole milliseconds until the first token of the first streamed call. Null when nothing was streamed or timed.
    fn time_to_first_token_ms(&self) -> Option<SafeInt> {
        self.0.time_to_first_token_us.map(|us| SafeInt(us / MICROS_PER_MILLI))
    }

    /// What the run cost, in US dollars with six decimal places. Null when the cost is unknown, and for a sum of more than
    /// 9,007,199,254.740991; never zero for unknown.
    fn cost_usd(&self) -> Option<Decimal> {
        self.0.cost_micros.map(Decimal::usd)
    }

    /// What the run cost, in US cents with four decimal places. Null when the cost is unknown.
    fn cost_cents(&self) -> Option<Decimal> {
        self.0.cost_micros.map(Decimal::cents)
    }

    /// The version of the price table that the cost was computed with. Null when the caller or the spans gave the cost,
    /// and when the cost is unknown.
    fn price_version(&self) -> Option<&str> {
        self.0.price_version.as_deref()
    }

    /// How the run ended: what the caller said, else what the steps say that stand under no other.
    fn execution_status(&self) -> ExecutionStatus {
        self.0.execution_status.into()
    }

    /// When the run began.
    fn started_at(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// When the run ended. Null when the end is unknown.
    fn completed_at(&self) -> Option<DateTime> {
        self.0.completed_at.map(DateTime)
    }

    /// How long the run took, in whole milliseconds, rounded down. Null when the end is unknown.
    fn duration_ms(&self) -> Option<SafeInt> {
        self.0.duration_us().map(|us| SafeInt(us / MICROS_PER_MILLI))
    }

    /// Who brought the run to the ledger.
    fn source(&self) -> RecordSource {
        self.0.source.into()
    }

    /// Whether the run is test data.
    fn is_synthetic(&self) -> bool {
        self.0.is_synthetic
    }

    /// The scenario that made the test data. Null for a real run, never null for test data.
    fn synthetic_scenario_id(&self) -> Option<&str> {
        self.0.synthetic_scenario_id.as_deref()
    }

    /// What kind of actor started the run. Null when it is not known.
    fn actor_type(&self) -> Option<ActorType> {
        self.0.actor_type.map(Into::into)
    }

    /// Who started the run, as the caller names them; not redacted. Null when it is not known.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
    }

    /// How many steps the trace had when it was sealed. Steps that came later are counted by trace.totalSteps.
    fn step_count(&self) -> SafeInt {
        SafeInt(self.0.step_count)
    }

    /// Merkle root over the behaviour of the trace's steps when it was sealed. Two runs with equal roots behaved alike.
    /// Null when the run was recorded without steps.
    fn trace_root_hash(&self) -> Option<Sha256> {
        self.0.trace_root_hash.map(Sha256)
    }

    #[graphql(flatten)]
    fn texts(&self) -> RunTexts<'_> {
        RunTexts(&self.0)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&*self.0).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.tenant_id, self.0.id).await)
    }

    /// Who, what, when and from where, for use as evidence.
    pub(super) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_run(&self.0))
    }

    /// What happened in the run, step by step. Null when it was recorded without steps.
    async fn trace(&self, ctx: &Context<'_>) -> Maybe<Row<LlmRunTrace>> {
        Maybe::of(self.load_trace(ctx).await)
    }

    #[graphql(flatten)]
    fn topics(&self) -> RunTopics<'_> {
        RunTopics(&self.0)
    }
}

impl LlmRun {
    async fn load_trace(&self, ctx: &Context<'_>) -> ApiResult<Option<Row<LlmRunTrace>>> {
        let Some(trace_id) = self.0.trace_id.clone() else { return Ok(None) };
        let view = ctx.facade()?.get_trace(&TraceRef::TraceId(trace_id)).await?;
        Ok(view.map(|view| Row(LlmRunTrace { run_id: self.0.run_id.clone(), view })))
    }
}

columns!(LlmRun {
    "id" => id, "runId" => run_id, "revision" => revision, "tenant" => tenant, "traceId" => trace_id,
    "agent" => agent, "endUserId" => end_user_id, "tags" => tags, "provider" => provider,
    "model" => model,
    "promptHash" => prompt_hash, "responseHash" => response_hash, "inputTokens" => input_tokens,
    "outputTokens" => output_tokens, "totalTokens" => total_tokens, "cachedInputTokens" => cached_input_tokens,
    "reasoningTokens" => reasoning_tokens, "timeToFirstTokenMs" => time_to_first_token_ms, "costUsd" => cost_usd, "costCents" => cost_cents,
    "priceVersion" => price_version, "executionStatus" => execution_status,
    "startedAt" => started_at, "completedAt" => completed_at, "durationMs" => duration_ms, "source" => source,
    "isSynthetic" => is_synthetic, "syntheticScenarioId" => synthetic_scenario_id, "actorType" => actor_type, "actorId" => actor_id, "stepCount" => step_count,
    "traceRootHash" => trace_root_hash, "metadata" => metadata, ..record_fields, ..texts
});

/// What is said of a run in words.
pub struct RunTexts<'a>(&'a run::LlmRun);

macro_rules! texts_object {
    ($name:ident of $record:ident { $($(#[$meta:meta])* $field:ident,)+ }) => {
        #[Object]
        impl $name<'_> { $(
            $(#[$meta])*
            #[doc = " Null when it is not known."]
            fn $field(&self) -> Option<&str> {
                self.0.$field.as_deref()
            }
        )+ }

        impl Columns for $name<'_> {
            fn column(&self, ctx: &Context<'_>, field: &str) -> Option<Value> {
                $(if is_camel_of(field, stringify!($field)) {
                    return self.$field(ctx).now(ctx);
                })+
                None
            }
        }
    };
}
llm_run!(pick_texts texts_object => RunTexts);

/// Whether a field's name in the API is that of a column.
fn is_camel_of(shown: &str, column: &str) -> bool {
    let mut letters = column.bytes();
    let is_alike = shown.bytes().all(|shown| match letters.next() {
        Some(b'_') => letters.next().map(|letter| letter.to_ascii_uppercase()) == Some(shown),
        letter => letter == Some(shown),
    });
    is_alike && letters.next().is_none()
}

/// Root fields about runs.
#[derive(Default)]
pub struct RunQueries;

#[Object]
impl RunQueries {
    /// One LLM run by its name within the tenant: its newest revision. Null when there is no such run.
    async fn llm_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name of the run: LlmRun.runId.")] run_id: ID,
    ) -> Maybe<Row<LlmRun>> {
        Maybe::of(load_run(ctx, &run_id).await)
    }

    #[graphql(flatten)]
    fn lists(&self) -> RunsField {
        RunsField { agent: None }
    }
}

/// A run by name; a name that no run can have finds none.
pub async fn load_run(ctx: &Context<'_>, run_id: &ID) -> ApiResult<Option<StoredRun>> {
    let facade = ctx.facade()?;
    match RunId::parse(&run_id.0) {
        Ok(run_id) => Ok(facade.get_llm_run(&run_id).await?),
        Err(_) => Ok(None),
    }
}
