//! Exports that were made, and what can be said of a run that may be exported.

use async_graphql::{Context, ID, Object};

use crate::domain::evidence;
use crate::domain::export::{TagReason, available_formats, missing_reason, newest_checksum};
use crate::domain::ids::IdKind;
use crate::domain::run::StoredRun;
use crate::facade::exports::StoredExport;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{ComplianceTag, ExportFormat, ExportScope, ExportStatus, Origin};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json, SafeInt, Sha256};

record! {
    /// See [`crate::domain::export::LogExport`].
    LogExport(StoredExport)
}

/// An export that was made, or that failed. Written once, when it was done, and never changed.
#[Object]
impl LogExport {
    /// The id of this record, for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Export))
    }

    /// Which part of the domain the export covers.
    fn scope(&self) -> ExportScope {
        self.0.scope.into()
    }

    /// The run that the export covers. Null when it is not of one run.
    fn run_id(&self) -> Option<ID> {
        self.0.run_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// The incident that the export covers. Null when it is not of one incident.
    fn incident_id(&self) -> Option<ID> {
        self.0.incident_id.clone().map(ID)
    }

    /// The format of the file.
    fn format(&self) -> ExportFormat {
        self.0.format.into()
    }

    /// Who asked for the export, as the credentials name them; not redacted.
    fn requested_by(&self) -> &str {
        &self.0.requested_by
    }

    /// What it selects, as JSON.
    fn filter(&self) -> ApiResult<Json> {
        Ok(Json::parse_text(&self.0.filter)?)
    }

    /// What kind of actor asked for it.
    fn origin(&self) -> Origin {
        self.0.origin.into()
    }

    /// The caller's own id for cross-reference. Null when none was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// SHA-256 of the manifest inside the file. Null when it has none.
    fn manifest_hash(&self) -> Option<Sha256> {
        self.0.manifest_hash.map(Sha256)
    }

    /// Whether the export was made or failed.
    fn status(&self) -> ExportStatus {
        self.0.status.into()
    }

    /// How many records the file holds.
    fn record_count(&self) -> SafeInt {
        SafeInt(self.0.record_count)
    }

    /// How many bytes the file has.
    fn byte_count(&self) -> SafeInt {
        SafeInt(self.0.byte_count)
    }

    /// SHA-256 of the file. Null when the export failed.
    fn checksum(&self) -> Option<Sha256> {
        self.0.checksum.map(Sha256)
    }

    /// When the file was first downloaded. Null when it never was.
    async fn delivered_at(&self, ctx: &Context<'_>) -> Maybe<DateTime> {
        Maybe::of(self.load_delivery(ctx).await)
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
        metadata(evidence::EvidenceMetadata::of_export(&self.0))
    }
}

impl LogExport {
    async fn load_delivery(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime>> {
        Ok(ctx.facade()?.export_delivered_at(self.0.id).await?.map(DateTime))
    }
}

columns!(LogExport {
    "id" => id, "scope" => scope, "runId" => run_id, "incidentId" => incident_id, "format" => format,
    "requestedBy" => requested_by, "origin" => origin, "correlationId" => correlation_id,
    "manifestHash" => manifest_hash, "status" => status, "recordCount" => record_count, "byteCount" => byte_count,
    "checksum" => checksum, "metadata" => metadata, ..record_fields
});

/// A run, for the exports that were made of it. Each field reads what it needs, all of them in one batch: what waited for
/// another read would come too late for the batches of the page.
pub struct LlmRunExport(pub StoredRun);

/// What can be taken away of a run, and what was: only what is true now.
#[Object]
impl LlmRunExport {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.0.run_id.to_string())
    }

    /// The formats in which a finished export of this run exists. Empty when there is none; reason says why.
    async fn available_formats(&self, ctx: &Context<'_>) -> ApiResult<Vec<ExportFormat>> {
        Ok(available_formats(&self.load(ctx).await?).into_iter().map(Into::into).collect())
    }

    /// Why no format is available, in words. Null when there is one.
    async fn reason(&self, ctx: &Context<'_>) -> ApiResult<Option<&'static str>> {
        Ok(missing_reason(&self.load(ctx).await?))
    }

    /// SHA-256 of the file of the newest finished export of this run. Null when there is none.
    async fn checksum(&self, ctx: &Context<'_>) -> ApiResult<Option<Sha256>> {
        Ok(newest_checksum(&self.load(ctx).await?).map(Sha256))
    }

    /// What the evidence at hand says of the run in the words of compliance, each tag with its reason.
    async fn compliance_tags(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<RunComplianceTag>>> {
        let tags = ctx.facade()?.run_compliance_tags(&self.0).await?;
        Ok(tags.into_iter().map(|tag| Row(RunComplianceTag(tag))).collect())
    }

    /// The exports of this run, failed ones included, newest first, at most 200.
    async fn exports(&self, ctx: &Context<'_>) -> ApiResult<Vec<Row<LogExport>>> {
        Ok(self.load(ctx).await?.into_iter().map(|export| Row(LogExport(export))).collect())
    }

    /// Who, what, when and from where, for use as evidence. The times are those of the newest export: null when there is
    /// none.
    async fn metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        self.load_metadata(ctx).await
    }
}

impl LlmRunExport {
    pub(super) async fn load_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        Ok(metadata(evidence::EvidenceMetadata::of_run_export(&self.0, &self.load(ctx).await?)))
    }

    async fn load(&self, ctx: &Context<'_>) -> ApiResult<Vec<StoredExport>> {
        Ok(ctx.facade()?.exports_of_run(&self.0.run_id).await?)
    }
}

columns!(LlmRunExport { "runId" => run_id });

/// See [`TagReason`].
pub struct RunComplianceTag(pub TagReason);

/// A compliance tag with what it rests on.
#[Object]
impl RunComplianceTag {
    /// The tag.
    fn tag(&self) -> ComplianceTag {
        self.0.tag.into()
    }

    /// What on record says so, in words.
    fn reason(&self) -> &str {
        &self.0.reason
    }
}

columns!(RunComplianceTag { "tag" => tag, "reason" => reason });
