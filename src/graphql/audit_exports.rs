//! The records of exports, and the view of them.

use async_graphql::{Context, ID, Object, Value};

use super::audit_enums::{ExportFormat, ExportScope, ExportStatus};
use super::audit_filters::ExportFilter;
use super::connection::{self, Connection, List, PageArgs, connect, given, total};
use super::context::ContextExt;
use super::enums::Origin;
use super::error::{ApiResult, Maybe};
use super::evidence::{EvidenceMetadata, metadata};
use super::row::{Columns, Row, columns};
use super::scalars::{BigInt, DateTime, Json, SafeInt, Sha256};
use crate::domain::export::LogExport;
use crate::domain::ids::{IdKind, RecordId};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::domain::{evidence, filter};
use crate::error::Result;
use crate::facade::LogsFacade;

/// See [`LogExport`].
#[derive(Clone)]
pub struct ExportRecord(pub Stored<LogExport>);

impl From<Stored<LogExport>> for Row<ExportRecord> {
    fn from(export: Stored<LogExport>) -> Self {
        Self(ExportRecord(export))
    }
}

/// An export that was made, or that failed. Written once, when it was done, and never changed.
#[Object]
impl ExportRecord {
    /// The id of this record, for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Export))
    }

    /// Which part of the domain it covers.
    fn scope(&self) -> ExportScope {
        self.0.scope.into()
    }

    /// The run that it covers. Null when it covers no single run.
    fn run_id(&self) -> Option<ID> {
        self.0.run_id.as_ref().map(|id| ID(id.to_string()))
    }

    /// The incident that it covers. Null when it covers none.
    fn incident_id(&self) -> Option<ID> {
        self.0.incident_id.clone().map(ID)
    }

    /// The format of the file.
    fn format(&self) -> ExportFormat {
        self.0.format.into()
    }

    /// What it selects, as JSON.
    fn filter(&self) -> ApiResult<Json> {
        Ok(Json::parse_text(&self.0.filter)?)
    }

    /// Who asked for it; not redacted.
    fn requested_by(&self) -> &str {
        &self.0.requested_by
    }

    /// What kind of actor asked for it.
    fn origin(&self) -> Origin {
        self.0.origin.into()
    }

    /// The caller's own id for cross-reference. Null when none was given.
    fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// COMPLETED or FAILED.
    fn status(&self) -> ExportStatus {
        self.0.status.into()
    }

    /// How many records are in it.
    fn record_count(&self) -> SafeInt {
        SafeInt(self.0.record_count)
    }

    /// How many bytes the file has.
    fn byte_count(&self) -> SafeInt {
        SafeInt(self.0.byte_count)
    }

    /// SHA-256 of the file. Null when it failed.
    fn checksum(&self) -> Option<Sha256> {
        self.0.checksum.map(Sha256)
    }

    /// SHA-256 of the manifest inside the file. Null when it has none.
    fn manifest_hash(&self) -> Option<Sha256> {
        self.0.manifest_hash.map(Sha256)
    }

    /// When it was done and this record was written.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was first downloaded. Null when it never was.
    async fn delivered_at(&self, ctx: &Context<'_>) -> Maybe<DateTime> {
        Maybe::of(self.load_delivered_at(ctx).await)
    }

    /// The place of this record in the tenant's evidence log, from 0.
    fn sequence(&self) -> BigInt {
        BigInt(self.0.seq)
    }
}

impl ExportRecord {
    async fn load_delivered_at(&self, ctx: &Context<'_>) -> ApiResult<Option<DateTime>> {
        Ok(ctx.facade()?.export_delivered_at(self.0.id).await?.map(DateTime))
    }
}

columns!(ExportRecord {
    "id" => id, "scope" => scope, "runId" => run_id, "incidentId" => incident_id, "format" => format,
    "requestedBy" => requested_by, "origin" => origin, "correlationId" => correlation_id, "status" => status,
    "recordCount" => record_count, "byteCount" => byte_count, "checksum" => checksum,
    "manifestHash" => manifest_hash, "createdAt" => created_at, "sequence" => sequence,
});

/// A list of exports, newest first.
#[derive(Clone)]
pub struct ExportList {
    filter: filter::ExportFilter,
    given: Value,
    as_of: Option<AsOf>,
}

impl List for ExportList {
    type Item = ExportRecord;
    const CONNECTION: &'static str = "ExportRecordConnection";
    const EDGE: &'static str = "ExportRecordEdge";
    const NEEDS: Permission = Permission::AuditRead;

    fn selection(&self) -> String {
        format!("{:?}", self.filter)
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<ExportRecord>> {
        Ok(facade.list_exports(&self.filter, request, self.as_of).await?.map(ExportRecord))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_exports(&self.filter, self.as_of, cap).await
    }
}

/// The view of exports.
pub struct AuditExports(ExportList);

impl AuditExports {
    /// The view that the arguments describe.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` that name the field; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(filter: Option<&ExportFilter>, as_of: Option<&str>) -> Result<Self> {
        Ok(Self(ExportList {
            filter: filter.map(ExportFilter::to_domain).transpose()?.unwrap_or_default(),
            given: given(filter),
            as_of: as_of.map(AsOf::parse).transpose()?,
        }))
    }

    /// The metadata of the newest export.
    ///
    /// # Errors
    /// As the facade says.
    pub(super) async fn load_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        let facade = ctx.facade()?;
        let page = facade.list_exports(&self.0.filter, &PageRequest::first(1), self.0.as_of).await?;
        let newest = page.rows.first().map(|row| &row.item);
        Ok(metadata(evidence::EvidenceMetadata::of_export_list(&facade.scope().tenant, newest)))
    }
}

/// The exports that were made of the tenant's logs, with their checksums.
#[Object]
impl AuditExports {
    /// The exports, newest first.
    async fn exports(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many exports to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only exports behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many exports to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only exports before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<ExportList>>> {
        connect(ctx, self.0.clone(), &PageArgs { first, after, last, before }).await
    }

    /// How many exports fit the filter, on all pages together. Counted only when this field is selected.
    async fn total_count(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default = 10_000,
            desc = "Where counting stops, 1 to 1,000,000. Where there are more, this is the value, and isExact is false."
        )]
        cap: i32,
    ) -> ApiResult<connection::Count> {
        total(ctx, &self.0, cap).await
    }

    /// Who, what, when and from where, for use as evidence. The times and the sequence are those of the newest export that
    /// fits: null when none does.
    async fn metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        self.load_metadata(ctx).await
    }
}

impl Columns for AuditExports {
    fn column(&self, _: &Context<'_>, _: &str) -> Option<Value> {
        None
    }
}

/// An export by the id of its record.
pub async fn load_export(ctx: &Context<'_>, id: &ID) -> ApiResult<Option<Stored<LogExport>>> {
    let facade = ctx.facade()?;
    match RecordId::parse_typed(&id.0) {
        Some((IdKind::Export, id)) => Ok(facade.get_export(id).await?),
        _ => Ok(None),
    }
}
