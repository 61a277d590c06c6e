//! The view of exports.

use async_graphql::{Context, Object, Value};

use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::scope::Permission;
use crate::domain::{evidence, filter};
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::graphql::audit::filters::ExportFilter;
use crate::graphql::export::LogExport;
use crate::graphql::shared::connection::{self, Connection, List, PageArgs, connect, given, total};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Columns, Row};

/// A list of exports, newest first.
#[derive(Clone)]
pub struct ExportList {
    filter: filter::ExportFilter,
    given: Value,
    as_of: Option<AsOf>,
}

impl List for ExportList {
    type Item = LogExport;
    const CONNECTION: &'static str = "LogExportConnection";
    const EDGE: &'static str = "LogExportEdge";
    const NEEDS: Permission = Permission::AuditRead;

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<LogExport>> {
        Ok(facade.list_exports(&self.filter, request, self.as_of).await?.map(LogExport))
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
    pub(in crate::graphql) async fn load_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
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
