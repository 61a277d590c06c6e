//! Traces: the record, its seals and its lists.

pub mod fields;
pub mod queries;
pub mod seals;
pub mod steps;
pub mod summary;

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    Context, ContextSelectionSet, ID, Object, OneofObject, OutputType, Positioned, ServerResult, Value,
};

use crate::domain::ids::{IdKind, RunId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::trace::{self, StoredTrace};
use crate::domain::{evidence, filter};
use crate::error::{Error, Result};
use crate::facade::LogsFacade;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::run::LlmRun;
use crate::graphql::shared::connection::{Connection, List, PageArgs, canonical, chosen, connect, given, ordered};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::{Agent, Tenant};
use crate::graphql::shared::enums::{StepKind, StepStatus};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::filters::{TraceFilter, TraceOrder};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{BigInt, DateTime, Json, Sha256};
use crate::graphql::trace::fields::TraceFields;
use crate::graphql::trace::seals::TraceSeal;
use crate::graphql::trace::steps::StepList;
use crate::graphql::trace::summary::TraceTotals;

record! {
    /// See [`crate::domain::trace::Trace`].
    Trace(StoredTrace)
}

/// A trace that a mutation has changed, read as it is now when it is selected. As a field it is a nullable Trace.
pub struct TraceNow(pub TraceId);

impl TraceNow {
    async fn load(&self, facade: Option<&LogsFacade>) -> ApiResult<Option<Row<Trace>>> {
        let facade = facade.ok_or_else(|| Error::internal("the request's data holds no LogsFacade"))?;
        Ok(facade.get_trace_now(&self.0).await?.map(Into::into))
    }
}

impl OutputType for TraceNow {
    fn type_name() -> Cow<'static, str> {
        <Row<Trace> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        Self::type_name().into_owned()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Maybe::<Row<Trace>>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        Maybe::<Row<Trace>>::of(self.load(ctx.data_opt()).await).resolve(ctx, field).await
    }
}

/// Points at a trace in one of three ways. Exactly one must be given.
#[derive(Clone, Debug, PartialEq, Eq, OneofObject)]
pub enum TraceRef {
    /// The trace's name within the tenant.
    TraceId(ID),
    /// The name of the run that was made from it.
    RunId(ID),
    /// The root hash of one of its seals. Of several such traces the newest is taken.
    RootHash(Sha256),
}

impl TraceRef {
    /// The domain's reference.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a name that no trace and no run can have.
    pub fn to_domain(&self) -> Result<trace::TraceRef> {
        Ok(match self {
            Self::TraceId(id) => trace::TraceRef::TraceId(TraceId::parse(&id.0)?),
            Self::RunId(id) => trace::TraceRef::RunId(RunId::parse(&id.0)?),
            Self::RootHash(hash) => trace::TraceRef::RootHash(hash.0),
        })
    }
}

/// The steps of one execution, from its beginning to its seal. The beginning is written once and never changed; the end
/// is a seal, and a later seal follows when work arrives after it.
#[Object]
impl Trace {
    /// The id of this record, for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.trace.id.typed(IdKind::Trace))
    }

    /// The run that the trace belongs to, as far as it was known when the trace began.
    fn run_id(&self) -> ID {
        ID(self.0.trace.run_id.to_string())
    }

    /// The run that was made from the trace: its newest revision. Null while the trace is running, and when it holds no
    /// work of a language model.
    async fn run(&self, ctx: &Context<'_>) -> Maybe<Row<LlmRun>> {
        Maybe::of(self.load_run(ctx).await)
    }

    /// The tenant that the trace belongs to.
    fn tenant(&self) -> Row<Tenant> {
        Row(Tenant(self.0.trace.tenant_id.clone()))
    }

    /// The agent that ran. Null when the record names none.
    fn agent(&self) -> Option<Row<Agent>> {
        self.0.trace.agent_id.clone().map(|id| Row(Agent(id)))
    }

    /// The run that started this one. Null when none did or it is not known.
    fn parent_run_id(&self) -> Option<ID> {
        self.0.trace.parent_run_id.clone().map(ID)
    }

    /// The caller's own id for cross-reference. Null when none was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.trace.correlation_id.as_deref()
    }

    /// The caller's hash of the plan that is carried out. Null when none was given.
    fn plan_hash(&self) -> Option<&str> {
        self.0.trace.plan_hash.as_deref()
    }

    /// The random seed of the run. Null when none was given.
    fn seed(&self) -> Option<BigInt> {
        self.0.trace.seed.map(BigInt)
    }

    /// The instant that a replayed run sees as now. Null for an original run.
    fn frozen_at(&self) -> Option<DateTime> {
        self.0.trace.frozen_at.map(DateTime)
    }

    /// How a replayed run treats effects, in the caller's words. Null for an original run.
    fn replay_mode(&self) -> Option<&str> {
        self.0.trace.replay_mode.as_deref()
    }

    /// The version of the trace format.
    fn schema_version(&self) -> &str {
        &self.0.trace.schema_version
    }

    /// Whether the trace is test data.
    fn is_synthetic(&self) -> bool {
        self.0.trace.is_synthetic
    }

    /// The scenario that made the test data. Null for a real trace, never null for test data.
    fn synthetic_scenario_id(&self) -> Option<&str> {
        self.0.trace.synthetic_scenario_id.as_deref()
    }

    /// The service that ran (OpenTelemetry service.name). Null when it is not known.
    fn service_name(&self) -> Option<&str> {
        self.0.trace.service_name.as_deref()
    }

    /// The instance of the service (OpenTelemetry service.instance.id). Null when it is not known.
    fn service_instance_id(&self) -> Option<&str> {
        self.0.trace.service_instance_id.as_deref()
    }

    /// The version of the service (OpenTelemetry service.version). Null when it is not known.
    fn service_version(&self) -> Option<&str> {
        self.0.trace.service_version.as_deref()
    }

    /// Where it ran, for example "production" (OpenTelemetry deployment.environment.name). Null when it is not known.
    fn environment(&self) -> Option<&str> {
        self.0.trace.environment.as_deref()
    }

    /// When the trace began, as far as it was known when its first steps arrived.
    fn started_at(&self) -> DateTime {
        DateTime(self.0.trace.started_at)
    }

    /// When the trace ended, from its newest seal. Null while it is running.
    fn ended_at(&self) -> Option<DateTime> {
        self.0.seal.as_ref().map(|seal| DateTime(seal.ended_at))
    }

    /// Sums over the steps, each model call counted once. So far, while the trace is running.
    async fn totals(&self, ctx: &Context<'_>) -> ApiResult<TraceTotals> {
        Ok(TraceTotals(ctx.facade()?.trace_totals(&self.0).await?))
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

    #[graphql(flatten)]
    fn trace_fields(&self) -> TraceFields<'_> {
        TraceFields(&self.0)
    }

    /// The seals of the trace, newest first: the newest 200 at most. Empty while it is running.
    async fn seals(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<TraceSeal>>> {
        let seals = ctx.facade()?.list_trace_seals(&self.0.trace.trace_id).await?;
        Ok(seals.into_iter().map(|seal| Row(TraceSeal(seal))).collect())
    }

    /// The plan that is carried out, redacted. Null when none was recorded or it was erased. Needs the scope payloads:read.
    async fn plan(&self, ctx: &Context<'_>) -> Maybe<Json> {
        let is_recorded = self.0.trace.plan_commitment.is_some();
        Maybe::of(payload(ctx, is_recorded.then_some(self.0.trace.id), PayloadPart::Plan).await)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&self.0.trace).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.trace.tenant_id, self.0.trace.id).await)
    }

    /// Who, what, when and from where, for use as evidence.
    pub(super) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_trace(&self.0))
    }
}

impl Trace {
    async fn load_run(&self, ctx: &Context<'_>) -> ApiResult<Option<crate::domain::run::StoredRun>> {
        Ok(ctx.facade()?.run_of_trace(&self.0.trace.trace_id).await?)
    }
}

columns!(Trace {
    "id" => id, "runId" => run_id, "tenant" => tenant, "agent" => agent,
    "parentRunId" => parent_run_id, "correlationId" => correlation_id, "planHash" => plan_hash, "seed" => seed,
    "frozenAt" => frozen_at, "replayMode" => replay_mode, "schemaVersion" => schema_version,
    "isSynthetic" => is_synthetic, "syntheticScenarioId" => synthetic_scenario_id, "serviceName" => service_name,
    "serviceInstanceId" => service_instance_id, "serviceVersion" => service_version, "environment" => environment,
    "startedAt" => started_at, "endedAt" => ended_at, "metadata" => metadata, ..record_fields, ..trace_fields
});

/// A payload part of a record as JSON; `None` where the record has none.
///
/// # Errors
/// `FORBIDDEN` without `payloads:read`, whether there is one or not.
pub async fn payload(
    ctx: &Context<'_>,
    record: Option<crate::domain::ids::RecordId>,
    part: PayloadPart,
) -> ApiResult<Option<Json>> {
    let facade = ctx.facade()?;
    facade.require(crate::domain::scope::Permission::PayloadsRead)?;
    let Some(record) = record else { return Ok(None) };
    Ok(facade.payload(record, part).await?.as_deref().map(Json::parse_text).transpose()?)
}

/// A list of traces.
pub struct TraceList {
    filter: filter::TraceFilter,
    given: Value,
    order: filter::TraceOrder,
    chosen: Value,
    as_of: Option<AsOf>,
}

impl TraceList {
    /// The list that the arguments describe.
    ///
    /// # Errors
    /// As [`TraceFilter::to_domain`]; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(filter: Option<&TraceFilter>, order: Option<&TraceOrder>, as_of: Option<&str>) -> Result<Self> {
        Ok(Self {
            filter: filter.map(TraceFilter::to_domain).transpose()?.unwrap_or_default(),
            given: given(filter),
            order: TraceOrder::to_domain(order),
            chosen: chosen([("filter", given(filter)), ("order", ordered(order))]),
            as_of: as_of.map(AsOf::parse).transpose()?,
        })
    }

    /// A page of it.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(self, ctx: &Context<'_>, args: PageArgs) -> ApiResult<Row<Connection<Self>>> {
        connect(ctx, self, &args).await
    }
}

impl List for TraceList {
    type Item = Trace;
    const CONNECTION: &'static str = "TraceConnection";
    const EDGE: &'static str = "TraceEdge";

    fn selection(&self) -> Result<String> {
        canonical(&self.chosen)
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<Trace>> {
        Ok(facade.list_traces(&self.filter, self.order, request, self.as_of).await?.map(Trace))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_traces(&self.filter, self.as_of, cap).await
    }
}
