//! Interfaces: Relay's `Node`, and `Evidenced` for everything that carries evidence metadata.

use async_graphql::{Context, ID, Interface};
use uuid::Uuid;

use crate::domain::ids::{IdKind, RecordId};
use crate::domain::run::StoredRun;
use crate::domain::trace::StoredTrace;
use crate::domain::verification::StoredAnomaly;
use crate::domain::vocabulary::AuditCategory;
use crate::facade::LogsFacade;
use crate::graphql::audit::AuditEntry;
use crate::graphql::audit::exports::AuditExports;
use crate::graphql::audit::views::{AccessEvent, AuthorizationDecision, IdentityEvent, View};
use crate::graphql::export::{LlmRunExport, LogExport};
use crate::graphql::incident::IncidentEvidence;
use crate::graphql::ledger::entries::{LedgerEntry, LedgerEvent, load_entry, load_ledger_node};
use crate::graphql::ledger::verification::{Anomaly, Verification};
use crate::graphql::policy::PolicyActivation;
use crate::graphql::run::LlmRun;
use crate::graphql::run::governance::{GovernanceEvent, LlmRunGovernance};
use crate::graphql::run::replay::LlmRunReplay;
use crate::graphql::run::system::{SystemEvents, SystemReplay, SystemSnapshot};
use crate::graphql::run::trace::LlmRunTrace;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::EvidenceMetadata;
use crate::graphql::shared::row::Row;
use crate::graphql::system::SystemRecord;
use crate::graphql::system::audit::SystemAudit;
use crate::graphql::system::telemetry_series::SystemTelemetry;
use crate::graphql::trace::Trace;
use crate::graphql::trace::seals::TraceSeal;
use crate::graphql::trace::steps::TraceStep;

/// A record with an id of its own, which node reads it by.
#[derive(Interface)]
#[graphql(field(name = "id", method = "node_id", ty = "ID", desc = "The id of the record. Opaque."))]
pub enum Node {
    /// A run.
    LlmRun(Row<LlmRun>),
    /// A trace.
    Trace(Row<Trace>),
    /// A step.
    TraceStep(Row<TraceStep>),
    /// An entry of the audit ledger.
    AuditEntry(Row<AuditEntry>),
    /// Incident evidence.
    IncidentEvidence(Row<IncidentEvidence>),
    /// A policy activation.
    PolicyActivation(Row<PolicyActivation>),
    /// An export.
    LogExport(Row<LogExport>),
    /// The end of a trace.
    TraceSeal(Row<TraceSeal>),
    /// An event of the ledger.
    LedgerEvent(Row<LedgerEvent>),
    /// A system record.
    SystemRecord(Row<SystemRecord>),
    /// An entry of the ledger.
    LedgerEntry(Row<LedgerEntry>),
    /// A verification of a log.
    Verification(Row<Verification>),
    /// A finding of a verification.
    Anomaly(Row<Anomaly>),
    /// An audit entry as an event in the life of a principal or key.
    IdentityEvent(Row<IdentityEvent>),
    /// An audit entry as a decision.
    AuthorizationDecision(Row<AuthorizationDecision>),
    /// An audit entry as a read.
    AccessEvent(Row<AccessEvent>),
    /// An audit entry as what a rule said.
    GovernanceEvent(Row<GovernanceEvent>),
}

/// Something that can be used as evidence: it says who, what, when and from where.
#[derive(Interface)]
#[graphql(field(
    name = "metadata",
    method = "evidence_metadata",
    ty = "Row<EvidenceMetadata>",
    desc = "Who, what, when and from where, for use as evidence."
))]
pub enum Evidenced {
    /// A run.
    LlmRun(Row<LlmRun>),
    /// A run's trace.
    LlmRunTrace(Row<LlmRunTrace>),
    /// A trace.
    Trace(Row<Trace>),
    /// A run's governance.
    LlmRunGovernance(Row<LlmRunGovernance>),
    /// An entry of the audit ledger.
    AuditEntry(Row<AuditEntry>),
    /// The lives of principals and keys.
    AuditIdentity(Row<View<IdentityEvent>>),
    /// Who was allowed and who was denied.
    AuditAuthorization(Row<View<AuthorizationDecision>>),
    /// Who read which evidence.
    AuditAccess(Row<View<AccessEvent>>),
    /// Exports that were made.
    AuditExports(Row<AuditExports>),
    /// A run's replay.
    LlmRunReplay(Row<LlmRunReplay>),
    /// A run's exports.
    LlmRunExport(Row<LlmRunExport>),
    /// Incident evidence.
    IncidentEvidence(Row<IncidentEvidence>),
    /// A policy activation.
    PolicyActivation(Row<PolicyActivation>),
    /// An export.
    LogExport(Row<LogExport>),
    /// A system record.
    SystemRecord(Row<SystemRecord>),
    /// Of a run's environment, one component.
    SystemSnapshot(Row<SystemSnapshot>),
    /// What affected a run.
    SystemEvents(Row<SystemEvents>),
    /// What happened around the decisive moment of a run.
    SystemReplay(Row<SystemReplay>),
    /// Metrics of a run's service.
    SystemTelemetry(Row<SystemTelemetry>),
    /// Changes of the infrastructure.
    SystemAudit(Row<SystemAudit>),
}

/// Interfaces call async methods; those of rows are not.
macro_rules! interface_method {
    ($name:ident = $method:ident -> $value:ty: $($object:ty),+) => {
        $(impl Row<$object> {
            async fn $name(&self, ctx: &Context<'_>) -> ApiResult<$value> {
                Ok(self.0.$method(ctx))
            }
        })+
    };
}
interface_method!(node_id = id -> ID: LlmRun, Trace, TraceStep, TraceSeal, LedgerEvent, AuditEntry, SystemRecord);
interface_method!(evidence_metadata = metadata -> Row<EvidenceMetadata>: LlmRun, LlmRunTrace, Trace, AuditEntry, SystemRecord,
    SystemSnapshot, SystemEvents, SystemReplay, SystemTelemetry, SystemAudit);

/// The same for metadata that has to be read.
macro_rules! evidence_that_is_read {
    ($($object:ty),+ $(,)?) => {
        $(impl Row<$object> {
            async fn evidence_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
                self.0.load_metadata(ctx).await
            }
        })+
    };
}
evidence_that_is_read!(
    LlmRunGovernance,
    View<IdentityEvent>,
    View<AuthorizationDecision>,
    View<AccessEvent>,
    AuditExports,
);
interface_method!(node_id = id -> ID: IncidentEvidence, PolicyActivation, LogExport, LedgerEntry, Verification, Anomaly,
    IdentityEvent, AuthorizationDecision, AccessEvent, GovernanceEvent);
interface_method!(evidence_metadata = metadata -> Row<EvidenceMetadata>:
    LlmRunReplay, IncidentEvidence, PolicyActivation, LogExport);

impl Row<LlmRunExport> {
    async fn evidence_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        self.0.load_metadata(ctx).await
    }
}

/// Any record by its id; another tenant's id, like any text that is no id, finds nothing.
pub async fn load(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<Node>> {
    let facade = ctx.facade()?;
    Ok(match RecordId::parse_typed(&id.0) {
        Some((IdKind::Run, id)) => facade.get_llm_run_by_id(id).await?.map(|run| Node::LlmRun(run.into())),
        Some((IdKind::Trace, id)) => facade.get_trace_by_id(id).await?.map(|view| Node::Trace(view.into())),
        Some((IdKind::Step, id)) => facade.get_trace_step_by_id(id).await?.map(|step| Node::TraceStep(step.into())),
        Some((IdKind::Audit, id)) => facade.get_audit_entry(id).await?.map(|entry| Node::AuditEntry(entry.into())),
        Some((IdKind::Incident, id)) => load_incident(facade, id).await?.map(Node::IncidentEvidence),
        Some((IdKind::Policy, id)) => load_activation(facade, id).await?.map(Node::PolicyActivation),
        Some((IdKind::Export, id)) => load_export(facade, id).await?.map(Node::LogExport),
        Some((IdKind::Ledger, id)) => load_ledger_node(ctx, id).await?,
        Some((IdKind::System, id)) => {
            facade.get_system_record(id).await?.map(|record| Node::SystemRecord(record.into()))
        }
        Some((IdKind::Entry, id)) => load_entry(ctx, id).await?.map(Node::LedgerEntry),
        Some((kind, id)) => load_view(facade, kind, id).await?,
        None => load_check(facade, &id.0).await?,
    })
}

/// An audit entry as a row of the view that shows its category.
async fn load_view(facade: &LogsFacade, kind: IdKind, id: RecordId) -> ApiResult<Option<Node>> {
    let Some(entry) = facade.get_audit_entry(id).await? else { return Ok(None) };
    Ok(match (kind, entry.category) {
        (IdKind::Identity, AuditCategory::Identity) => Some(Node::IdentityEvent(Row(entry.into()))),
        (IdKind::Authorization, AuditCategory::Authorization) => Some(Node::AuthorizationDecision(Row(entry.into()))),
        (IdKind::Access, AuditCategory::Access) => Some(Node::AccessEvent(Row(entry.into()))),
        (IdKind::Governance, AuditCategory::Governance) => Some(Node::GovernanceEvent(Row(GovernanceEvent(entry)))),
        _ => None,
    })
}

/// A verification, whose id is a plain UUID, or one of its findings.
async fn load_check(facade: &LogsFacade, id: &str) -> ApiResult<Option<Node>> {
    if let Some((verification, index)) = StoredAnomaly::parse_id(id) {
        return Ok(facade.get_anomaly(verification, index).await?.map(|found| Node::Anomaly(Row(Anomaly(found)))));
    }
    let Some(verification) = Uuid::try_parse(id).ok().map(RecordId).filter(|parsed| parsed.to_string() == id) else {
        return Ok(None);
    };
    Ok(facade.get_verification(verification).await?.map(|found| Node::Verification(Row(Verification(found)))))
}

async fn load_incident(facade: &LogsFacade, id: RecordId) -> ApiResult<Option<Row<IncidentEvidence>>> {
    Ok(facade.get_incident_evidence_by_id(id).await?.map(Into::into))
}

async fn load_activation(facade: &LogsFacade, id: RecordId) -> ApiResult<Option<Row<PolicyActivation>>> {
    Ok(facade.get_policy_activation_by_id(id).await?.map(Into::into))
}

async fn load_export(facade: &LogsFacade, id: RecordId) -> ApiResult<Option<Row<LogExport>>> {
    Ok(facade.get_export_by_id(id).await?.map(|export| Row(LogExport(export))))
}

/// A run by the id of its record.
pub async fn load_run(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<StoredRun>> {
    let facade = ctx.facade()?;
    match RecordId::parse_typed(&id.0) {
        Some((IdKind::Run, id)) => Ok(facade.get_llm_run_by_id(id).await?),
        _ => Ok(None),
    }
}

/// A trace by the id of its record.
pub async fn load_trace(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<StoredTrace>> {
    let facade = ctx.facade()?;
    match RecordId::parse_typed(&id.0) {
        Some((IdKind::Trace, id)) => Ok(facade.get_trace_by_id(id).await?),
        _ => Ok(None),
    }
}
