//! System records: the record, its list, and the root fields about them.

pub mod audit;
pub mod inputs;
pub mod telemetry_series;

use async_graphql::{Context, ID, InputObject, Object, Value};

use crate::domain::ids::{IdKind, RecordId};
use crate::domain::page::{AsOf, Count, Direction, Page, PageRequest};
use crate::domain::scope::Permission;
use crate::domain::system;
use crate::domain::{evidence, system::StoredSystemRecord};
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::shared::connection::{Connection, List, PageArgs, canonical, chosen, connect, given, ordered};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::Tenant;
use crate::graphql::shared::enums::{
    ActorType, OrderDirection, SystemCausedBy, SystemComponent, SystemEventType, SystemRecordOrderField,
    SystemSeverity, Word,
};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::filters::{TimeRange, range, texts, values};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json};
use crate::graphql::system::audit::SystemAudit;

record! {
    /// See [`crate::domain::system::SystemRecord`].
    SystemRecord(StoredSystemRecord)
}

/// Something that happened to the platform around the runs: a start, a deploy, a change, an error. Written once and never
/// changed.
#[Object]
impl SystemRecord {
    /// The id of this record, for node. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::System))
    }

    /// The tenant that the record belongs to. Null when it concerns the whole platform.
    fn tenant(&self) -> Option<Row<Tenant>> {
        (!self.0.is_platform_wide()).then(|| Row(Tenant(self.0.tenant_id.clone())))
    }

    /// The id of the tenant that the record belongs to. Null when it concerns the whole platform.
    fn tenant_id(&self) -> Option<ID> {
        (!self.0.is_platform_wide()).then(|| ID(self.0.tenant_id.to_string()))
    }

    /// Whether it concerns the whole platform, so that every tenant sees it.
    fn is_platform_wide(&self) -> bool {
        self.0.is_platform_wide()
    }

    /// The part of the platform.
    fn component(&self) -> SystemComponent {
        self.0.component.into()
    }

    /// What happened.
    fn event_type(&self) -> SystemEventType {
        self.0.event_type.into()
    }

    /// How bad it is.
    fn severity(&self) -> SystemSeverity {
        self.0.severity.into()
    }

    /// What happened in one line, at most 512 bytes, redacted. It holds no personal data.
    fn summary(&self) -> &str {
        &self.0.summary
    }

    /// What kind of cause it had. Null when it is not known.
    fn caused_by(&self) -> Option<SystemCausedBy> {
        self.0.caused_by.map(Into::into)
    }

    /// What kind of actor caused it. Null when it is not known.
    fn actor_type(&self) -> Option<ActorType> {
        self.0.actor_type.map(Into::into)
    }

    /// Who caused it, as the writer names them; not redacted. Null when it is not known.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
    }

    /// The writer's id for cross-reference, by convention a run id; of an OpenTelemetry log its trace id. Null when none
    /// was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// The service that it happened to (OpenTelemetry service.name). Null when it is not known.
    fn service_name(&self) -> Option<&str> {
        self.0.service_name.as_deref()
    }

    /// The instance of the service (OpenTelemetry service.instance.id). Null when it is not known.
    fn service_instance_id(&self) -> Option<&str> {
        self.0.service_instance_id.as_deref()
    }

    /// The writer: "otlp", "graphql", "server", or the name that the caller gave.
    fn source_component(&self) -> &str {
        &self.0.source_component
    }

    /// When it happened.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// Anything else that is known, redacted. Null when nothing was recorded or it was erased. Needs the scope
    /// payloads:read.
    async fn details(&self, ctx: &Context<'_>) -> Maybe<Json> {
        Maybe::of(details(ctx, &self.0).await)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&self.0).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.tenant_id, self.0.id).await)
    }

    /// Who, what, when and from where, for use as evidence.
    pub(super) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_system_record(&self.0, None))
    }
}

columns!(SystemRecord {
    "id" => id, "tenant" => tenant, "tenantId" => tenant_id, "isPlatformWide" => is_platform_wide,
    "component" => component, "eventType" => event_type, "severity" => severity, "summary" => summary,
    "causedBy" => caused_by, "actorType" => actor_type, "actorId" => actor_id, "correlationId" => correlation_id,
    "serviceName" => service_name, "serviceInstanceId" => service_instance_id, "sourceComponent" => source_component,
    "occurredAt" => occurred_at, "metadata" => metadata, ..record_fields
});

/// Details of a record as JSON.
///
/// # Errors
/// `FORBIDDEN` without `payloads:read`, whether there are any or not.
pub async fn details(ctx: &Context<'_>, record: &StoredSystemRecord) -> ApiResult<Option<Json>> {
    Ok(ctx.facade()?.system_details(record).await?.as_deref().map(Json::parse_text).transpose()?)
}

/// Which system records. Every field that is given must fit; a list fits when any of its values does, and an empty list
/// fits nothing. Lists hold at most 200 values.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct SystemRecordFilter {
    /// True for the records that concern the whole platform, false for the tenant's own. They stand in two logs with
    /// sequences of their own, so no list spans both.
    #[graphql(default)]
    is_platform_wide: bool,
    /// Records of any of these parts of the platform.
    component: Option<Vec<SystemComponent>>,
    /// Records of any of these types.
    event_type: Option<Vec<SystemEventType>>,
    /// Records of any of these severities.
    severity: Option<Vec<SystemSeverity>>,
    /// Records with any of these kinds of cause.
    caused_by: Option<Vec<SystemCausedBy>>,
    /// Records caused by any of these kinds of actors.
    actor_type: Option<Vec<ActorType>>,
    /// Records caused by any of these actors.
    actor_id: Option<Vec<String>>,
    /// Records with any of these ids for cross-reference.
    correlation_id: Option<Vec<String>>,
    /// Records of any of these services (OpenTelemetry service.name).
    service_name: Option<Vec<String>>,
    /// Records of any of these instances of services (OpenTelemetry service.instance.id).
    service_instance_id: Option<Vec<String>>,
    /// Records of any of these writers, for example "otlp".
    source_component: Option<Vec<String>>,
    /// Records of what happened in this range.
    occurred_at: Option<TimeRange>,
}

/// An order of system records. Without one they come newest first, by sequence.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct SystemRecordOrder {
    /// What to order by.
    #[graphql(default_with = "Word(system::SystemRecordSort::Seq)")]
    field: SystemRecordOrderField,
    /// Which way round.
    #[graphql(default_with = "Word(Direction::Desc)")]
    direction: OrderDirection,
}

impl SystemRecordFilter {
    /// The domain's filter.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` for a list or text that is too long; it names it.
    pub fn to_domain(&self) -> Result<system::SystemRecordFilter> {
        Ok(system::SystemRecordFilter {
            is_platform_wide: self.is_platform_wide,
            components: values("filter.component", self.component.as_ref())?,
            event_types: values("filter.eventType", self.event_type.as_ref())?,
            severities: values("filter.severity", self.severity.as_ref())?,
            caused_by: values("filter.causedBy", self.caused_by.as_ref())?,
            actor_types: values("filter.actorType", self.actor_type.as_ref())?,
            actor_ids: texts("filter.actorId", self.actor_id.as_ref())?,
            correlation_ids: texts("filter.correlationId", self.correlation_id.as_ref())?,
            service_names: texts("filter.serviceName", self.service_name.as_ref())?,
            service_instance_ids: texts("filter.serviceInstanceId", self.service_instance_id.as_ref())?,
            source_components: texts("filter.sourceComponent", self.source_component.as_ref())?,
            occurred_at: range("filter.occurredAt", self.occurred_at.as_ref(), TimeRange::to_domain)?,
        })
    }
}

impl SystemRecordOrder {
    /// The domain's order; newest first where none is given.
    #[must_use]
    pub fn to_domain(order: Option<&Self>) -> system::SystemRecordOrder {
        order.map_or_else(system::SystemRecordOrder::default, |order| system::SystemRecordOrder {
            sort: order.field.into(),
            direction: order.direction.into(),
        })
    }
}

/// A list of system records.
pub struct SystemRecordList {
    filter: system::SystemRecordFilter,
    given: Value,
    order: system::SystemRecordOrder,
    chosen: Value,
    as_of: Option<AsOf>,
}

impl SystemRecordList {
    /// The list that the arguments describe.
    ///
    /// # Errors
    /// As [`SystemRecordFilter::to_domain`]; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(
        filter: Option<&SystemRecordFilter>,
        order: Option<&SystemRecordOrder>,
        as_of: Option<&str>,
    ) -> Result<Self> {
        Ok(Self {
            filter: filter.map(SystemRecordFilter::to_domain).transpose()?.unwrap_or_default(),
            given: given(filter),
            order: SystemRecordOrder::to_domain(order),
            chosen: chosen([("filter", given(filter)), ("order", ordered(order))]),
            as_of: as_of.map(AsOf::parse).transpose()?,
        })
    }

    /// Of these, only what changed the infrastructure.
    #[must_use]
    pub fn of_changes(mut self) -> Self {
        let wanted = self.filter.event_types.take();
        let is_wanted = |change: &&_| wanted.as_ref().is_none_or(|wanted| wanted.contains(*change));
        self.filter.event_types = Some(system::CHANGES.iter().filter(is_wanted).copied().collect());
        self.chosen = chosen([("list", self.chosen), ("changes", Value::from(true))]);
        self
    }
}

impl List for SystemRecordList {
    type Item = SystemRecord;
    const CONNECTION: &'static str = "SystemRecordConnection";
    const EDGE: &'static str = "SystemRecordEdge";
    const NEEDS: Permission = Permission::SystemRead;

    fn selection(&self) -> Result<String> {
        canonical(&self.chosen)
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<SystemRecord>> {
        Ok(facade.list_system_records(&self.filter, self.order, request, self.as_of).await?.map(SystemRecord))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_system_records(&self.filter, self.as_of, cap).await
    }
}

/// Root fields about system records.
#[derive(Default)]
pub struct SystemQueries;

#[Object]
impl SystemQueries {
    /// One system record by its id, the tenant's own or one of the platform. Null when there is no such record.
    async fn system_record(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the record: SystemRecord.id.")] id: ID,
    ) -> Maybe<Row<SystemRecord>> {
        Maybe::of(load_record(ctx, &id).await)
    }

    /// System records, newest first unless ordered otherwise: the tenant's own, or with isPlatformWide in the filter those
    /// of the whole platform.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn system_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which records. All of the tenant's own when it is not given.")] filter: Option<
            SystemRecordFilter,
        >,
        #[graphql(desc = "In which order. Newest first when it is not given.")] order_by: Option<SystemRecordOrder>,
        #[graphql(
            desc = "How many records to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only records behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many records to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only records before this cursor.")] before: Option<String>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given. It is a moment of the tenant's own log, so not together with isPlatformWide.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<Connection<SystemRecordList>>> {
        let list = SystemRecordList::of(filter.as_ref(), order_by.as_ref(), as_of.as_deref())?;
        connect(ctx, list, &PageArgs { first, after, last, before }).await
    }

    /// Who or what caused which change of the infrastructure: starts, stops, restarts, deploys, migrations, changes of
    /// settings and of permissions. Newest first.
    async fn system_audit(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Which changes. All of the tenant's own when it is not given. Of event types only those that are \
                          changes are found."
        )]
        filter: Option<SystemRecordFilter>,
        #[graphql(
            desc = "How many changes to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only changes behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many changes to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only changes before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<SystemAudit>> {
        let list = SystemRecordList::of(filter.as_ref(), None, None)?.of_changes();
        let tenant = list.filter.log_of(&ctx.facade()?.scope().tenant);
        let page = connect(ctx, list, &PageArgs { first, after, last, before }).await?;
        Ok(Row(SystemAudit { tenant, page }))
    }
}

async fn load_record(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<StoredSystemRecord>> {
    let facade = ctx.facade()?;
    match RecordId::parse_typed(&id.0) {
        Some((IdKind::System, id)) => Ok(facade.get_system_record(id).await?),
        _ => Ok(None),
    }
}
