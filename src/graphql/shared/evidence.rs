//! Evidence metadata, on every answer that is evidence.

use async_graphql::{Context, ID, Object};

use crate::domain::evidence::{self, TIMEZONE};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{Origin, SourceDomain};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{BigInt, DateTime, Sha256};

/// See [`evidence::EvidenceMetadata`].
pub struct EvidenceMetadata(pub evidence::EvidenceMetadata);

/// Who, what, when and from where: the context that makes a record evidence. All of it comes from the records, never
/// from the clock at the time of the query; what the records do not say is null.
#[Object]
impl EvidenceMetadata {
    /// The tenant that the record belongs to. Null when it concerns the whole platform.
    fn tenant_id(&self) -> Option<ID> {
        (!self.0.tenant_id.is_platform()).then(|| ID(self.0.tenant_id.to_string()))
    }

    /// The run that the record is about. Null when it is about none.
    fn run_id(&self) -> Option<ID> {
        self.0.run_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// The person who acted, as the caller named them; not redacted. Null when no person is known.
    fn human_actor_id(&self) -> Option<&str> {
        self.0.human_actor_id.as_deref()
    }

    /// The agent that acted. Null when none is known.
    fn agent_id(&self) -> Option<&str> {
        self.0.agent_id.as_deref()
    }

    /// The program that acted, often a service's name. Null when none is known.
    fn system_id(&self) -> Option<&str> {
        self.0.system_id.as_deref()
    }

    /// When it happened. Null when the records do not say.
    fn occurred_at(&self) -> Option<DateTime> {
        self.0.occurred_at.map(DateTime)
    }

    /// When it was recorded. Null when there is no record.
    fn recorded_at(&self) -> Option<DateTime> {
        self.0.recorded_at.map(DateTime)
    }

    /// The timezone of all instants: always "UTC".
    fn timezone(&self) -> &'static str {
        TIMEZONE
    }

    /// The trace that the record belongs to. Null when there is none.
    fn trace_id(&self) -> Option<ID> {
        self.0.trace_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// Policies that the records name. Empty when they name none.
    fn policy_ids(&self) -> &[String] {
        &self.0.policy_ids
    }

    /// Incidents that the records name. Empty when they name none.
    fn incident_ids(&self) -> &[String] {
        &self.0.incident_ids
    }

    /// The export that this answer is part of. Null when it is part of none.
    fn export_id(&self) -> Option<&str> {
        self.0.export_id.as_deref()
    }

    /// The caller's own id for cross-reference. Null when none was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// The part of the domain that the evidence comes from.
    fn source_domain(&self) -> SourceDomain {
        self.0.source_domain.into()
    }

    /// The writer of the record, for example "otlp", "graphql" or "server". Null when it is not known.
    fn source_component(&self) -> Option<&str> {
        self.0.source_component.as_deref()
    }

    /// What kind of actor stands behind the record. A person comes before an agent, an agent before a program.
    fn origin(&self) -> Origin {
        self.0.origin.into()
    }

    /// Whether the evidence can never change again. False for a trace that is still running.
    fn immutable(&self) -> bool {
        self.0.is_immutable
    }

    /// The record's place in the tenant's evidence log, from 0. Null when there is no record.
    fn sequence(&self) -> Option<BigInt> {
        self.0.sequence.map(BigInt)
    }

    /// The leaf hash of the record in the ledger: SHA-256 of a zero byte and its leaf. Read only when it is selected. Null
    /// when there is no record, and where several stand behind the answer.
    async fn checksum(&self, ctx: &Context<'_>) -> Maybe<Sha256> {
        Maybe::of(self.load_checksum(ctx).await)
    }
}

impl EvidenceMetadata {
    async fn load_checksum(&self, ctx: &Context<'_>) -> ApiResult<Option<Sha256>> {
        let Some(record) = self.0.record_id else { return Ok(None) };
        let entry = ctx.facade()?.ledger_entry_of(&self.0.tenant_id, record).await?;
        Ok(entry.map(|entry| Sha256(entry.leaf_hash)))
    }
}

columns!(EvidenceMetadata {
    "tenantId" => tenant_id,
    "runId" => run_id,
    "humanActorId" => human_actor_id,
    "agentId" => agent_id,
    "systemId" => system_id,
    "occurredAt" => occurred_at,
    "recordedAt" => recorded_at,
    "timezone" => timezone,
    "traceId" => trace_id,
    "policyIds" => policy_ids,
    "incidentIds" => incident_ids,
    "exportId" => export_id,
    "correlationId" => correlation_id,
    "sourceDomain" => source_domain,
    "sourceComponent" => source_component,
    "origin" => origin,
    "immutable" => immutable,
    "sequence" => sequence,
});

/// The metadata as an object of columns.
#[must_use]
pub fn metadata(metadata: evidence::EvidenceMetadata) -> Row<EvidenceMetadata> {
    Row(EvidenceMetadata(metadata))
}
