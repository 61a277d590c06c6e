//! Incident evidence: the record, how it is read and how it is recorded.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::domain::evidence;
use crate::domain::ids::{IdKind, check_name};
use crate::domain::incident::IncidentInput;
use crate::error::Result;
use crate::facade::incidents::StoredIncident;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::root::inputs::{idempotency, run_id};
use crate::graphql::run::replay::LlmRunReplay;
use crate::graphql::run::{self, LlmRun};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::{Incident, Policy, Tenant};
use crate::graphql::shared::enums::IncidentSeverity;
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Decimal, SafeInt};

record! {
    /// See [`crate::domain::incident::IncidentEvidence`].
    IncidentEvidence(StoredIncident)
}

/// What was known of an incident when it was recorded here. The incident itself belongs to another system; this is its
/// evidence, written once and never changed. A correction is a further revision, and the newest revision counts.
#[Object]
impl IncidentEvidence {
    /// The id of this record (one revision), for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Incident))
    }

    /// The incident, as its owner names it; not redacted.
    fn incident_id(&self) -> ID {
        ID(self.0.incident_id.clone())
    }

    /// The incident, which another subgraph may know more about.
    fn incident(&self) -> Row<Incident> {
        Row(Incident(self.0.incident_id.clone()))
    }

    /// Which revision this record is, from 1.
    fn revision(&self) -> SafeInt {
        SafeInt(self.0.revision)
    }

    /// Every revision of the incident's evidence, newest first, at most 200.
    async fn revisions(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<IncidentEvidence>>> {
        let revisions = ctx.facade()?.list_incident_revisions(&self.0.incident_id).await?;
        Ok(revisions.into_iter().map(Into::into).collect())
    }

    /// The tenant that the record belongs to.
    fn tenant(&self) -> Row<Tenant> {
        Row(Tenant(self.0.tenant_id.clone()))
    }

    /// How bad the incident is.
    fn severity(&self) -> IncidentSeverity {
        self.0.severity.into()
    }

    /// Where the incident stood, in its owner's words.
    fn status(&self) -> &str {
        &self.0.status
    }

    /// One line about the incident, redacted. Holds no personal data.
    fn title(&self) -> &str {
        &self.0.title
    }

    /// The name of the run that caused the incident. Null when none is known.
    fn source_run_id(&self) -> Option<ID> {
        self.0.source_run_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// The run that caused the incident: its newest revision. Null when none is known or it is not on record.
    async fn run(&self, ctx: &Context<'_>) -> Maybe<Row<LlmRun>> {
        Maybe::of(self.load_run(ctx).await)
    }

    /// The policy that was violated. Null when none is known.
    fn policy(&self) -> Option<Row<Policy>> {
        self.0.policy_id.clone().map(|id| Row(Policy(id)))
    }

    /// What kind of violation it was, in its owner's words. Null when it is not known.
    fn violation_type(&self) -> Option<&str> {
        self.0.violation_type.as_deref()
    }

    /// When the policy was violated. Null when it is not known.
    fn violation_at(&self) -> Option<DateTime> {
        self.0.violation_at.map(DateTime)
    }

    /// The step that violated the policy, as TraceStep.stepIndex of the run's trace. Null when it is not known.
    fn violation_step_index(&self) -> Option<SafeInt> {
        self.0.violation_step_index.map(SafeInt)
    }

    /// The limit that was set. Null when there was none or it is not known.
    fn threshold(&self) -> Option<Decimal> {
        self.0.threshold.as_deref().and_then(Decimal::of_text)
    }

    /// What was measured instead of the limit. Null when it is not known.
    fn actual(&self) -> Option<Decimal> {
        self.0.actual.as_deref().and_then(Decimal::of_text)
    }

    /// The decisive instant, where it is not that of the violation. Null when it is not known.
    fn inflection_at(&self) -> Option<DateTime> {
        self.0.inflection_at.map(DateTime)
    }

    /// The decisive step, as TraceStep.stepIndex of the run's trace. Null when it is not known.
    fn inflection_step_index(&self) -> Option<SafeInt> {
        self.0.inflection_step_index.map(SafeInt)
    }

    /// When the incident was opened.
    fn opened_at(&self) -> DateTime {
        DateTime(self.0.opened_at)
    }

    /// When the incident was resolved. Null when it was open.
    fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(DateTime)
    }

    /// The caller's own id for cross-reference. Null when none was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// What happened around the inflection that this evidence names, else that of its run. Null when it names no run, or
    /// none that is on record.
    async fn replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 60, desc = "How long the window is, in seconds, 1 to 600.")] window_seconds: i32,
    ) -> Maybe<Row<LlmRunReplay>> {
        Maybe::of(self.load_replay(ctx, window_seconds).await)
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
        metadata(evidence::EvidenceMetadata::of_incident(&self.0))
    }
}

impl IncidentEvidence {
    async fn load_run(&self, ctx: &Context<'_>) -> ApiResult<Option<Row<LlmRun>>> {
        let Some(run_id) = &self.0.source_run_id else { return Ok(None) };
        Ok(run::load_run(ctx, &ID(run_id.to_string())).await?.map(Into::into))
    }

    async fn load_replay(&self, ctx: &Context<'_>, window_seconds: i32) -> ApiResult<Option<Row<LlmRunReplay>>> {
        let replay = ctx.facade()?.replay_incident(&self.0, window_seconds.into()).await?;
        Ok(replay.map(|replay| Row(LlmRunReplay(replay))))
    }
}

columns!(IncidentEvidence {
    "id" => id, "incidentId" => incident_id, "incident" => incident, "revision" => revision, "tenant" => tenant,
    "severity" => severity, "status" => status, "title" => title, "sourceRunId" => source_run_id, "policy" => policy,
    "violationType" => violation_type, "violationAt" => violation_at, "violationStepIndex" => violation_step_index,
    "threshold" => threshold, "actual" => actual, "inflectionAt" => inflection_at,
    "inflectionStepIndex" => inflection_step_index, "openedAt" => opened_at, "resolvedAt" => resolved_at,
    "correlationId" => correlation_id, "metadata" => metadata, ..record_fields
});

/// The newest evidence of an incident; a name that no incident can have finds none.
pub async fn load_incident(ctx: &Context<'_>, incident_id: &ID) -> ApiResult<Option<Row<IncidentEvidence>>> {
    let facade = ctx.facade()?;
    match check_name("incidentId", &incident_id.0) {
        Ok(()) => Ok(facade.get_incident_evidence(&incident_id.0).await?.map(Into::into)),
        Err(_) => Ok(None),
    }
}

/// Root fields about incidents.
#[derive(Default)]
pub struct IncidentQueries;

#[Object]
impl IncidentQueries {
    /// The evidence of an incident: its newest revision. Null when nothing of it is on record.
    async fn incident_evidence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The incident, as its owner names it.")] incident_id: ID,
    ) -> Maybe<Row<IncidentEvidence>> {
        Maybe::of(load_incident(ctx, &incident_id).await)
    }
}

/// What recordIncidentEvidence takes.
#[derive(InputObject)]
pub struct RecordIncidentEvidenceInput {
    /// The incident, as its owner names it, 1 to 128 bytes. An identifier: it is not redacted.
    incident_id: ID,
    /// The newest revision that you know of: this record becomes the next one. Without it the incident must be new here.
    supersedes_revision: Option<SafeInt>,
    /// How bad the incident is.
    severity: IncidentSeverity,
    /// Where the incident stands, in your words, at most 128 bytes. Redacted.
    status: String,
    /// One line about the incident, at most 512 bytes. Redacted; give no personal data.
    title: String,
    /// The run that caused the incident. An identifier: it is not redacted.
    source_run_id: Option<ID>,
    /// The policy that was violated. Redacted.
    policy_id: Option<ID>,
    /// What kind of violation it was, in your words, at most 128 bytes. Redacted.
    violation_type: Option<String>,
    /// When the policy was violated.
    violation_at: Option<DateTime>,
    /// The step that violated the policy, as TraceStep.stepIndex of the run's trace.
    violation_step_index: Option<SafeInt>,
    /// The limit that was set.
    threshold: Option<Decimal>,
    /// What was measured instead of the limit.
    actual: Option<Decimal>,
    /// The decisive instant, where it is not that of the violation.
    inflection_at: Option<DateTime>,
    /// The decisive step, as TraceStep.stepIndex of the run's trace.
    inflection_step_index: Option<SafeInt>,
    /// When the incident was opened.
    opened_at: DateTime,
    /// When the incident was resolved. Leave it out while it is open.
    resolved_at: Option<DateTime>,
    /// Your own id for cross-reference. Redacted.
    correlation_id: Option<String>,
    /// The name of the program that records this, at most 128 bytes. "graphql" when it is not given; the names of the
    /// server's own parts (otlp, graphql, server, export, verifier) are refused. Redacted.
    source_component: Option<String>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

impl RecordIncidentEvidenceInput {
    fn into_domain(self) -> Result<IncidentInput> {
        let number = |number: Option<SafeInt>| number.map(|number| number.0);
        Ok(IncidentInput {
            incident_id: self.incident_id.0,
            supersedes_revision: number(self.supersedes_revision),
            severity: self.severity.into(),
            status: self.status,
            title: self.title,
            source_run_id: run_id("sourceRunId", self.source_run_id)?,
            policy_id: self.policy_id.map(|id| id.0),
            violation_type: self.violation_type,
            violation_at: self.violation_at.map(|instant| instant.0),
            violation_step_index: number(self.violation_step_index),
            threshold: self.threshold.map(Decimal::to_text),
            actual: self.actual.map(Decimal::to_text),
            inflection_at: self.inflection_at.map(|instant| instant.0),
            inflection_step_index: number(self.inflection_step_index),
            opened_at: self.opened_at.0,
            resolved_at: self.resolved_at.map(|instant| instant.0),
            correlation_id: self.correlation_id,
            source_component: self.source_component,
        })
    }
}

/// What recordIncidentEvidence gives.
#[derive(SimpleObject)]
pub struct RecordIncidentEvidencePayload {
    /// The evidence as it was recorded. Null with an error where something that is selected of it is not yours to read: it is
    /// on record either way.
    incident_evidence: Option<Row<IncidentEvidence>>,
    /// The receipt of the evidence, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
}

/// Writes about incidents.
#[derive(Default)]
pub struct IncidentMutations;

#[Object]
impl IncidentMutations {
    /// Records what is known of an incident that another system owns. A correction is a further revision. Needs the scope
    /// audit:write.
    async fn record_incident_evidence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is known of the incident.")] input: RecordIncidentEvidenceInput,
    ) -> ApiResult<RecordIncidentEvidencePayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let recorded = facade.record_incident_evidence(input.into_domain()?, key).await?;
        Ok(RecordIncidentEvidencePayload {
            receipt: Receipt(Some(recorded.evidence.id)),
            incident_evidence: Some(recorded.evidence.into()),
            is_replayed: recorded.is_replayed,
        })
    }
}
