//! Root fields about the audit ledger.

use async_graphql::{Context, ID, Object};

use crate::graphql::audit::exports::AuditExports;
use crate::graphql::audit::filters::{AuditFilter, AuditOrder, AuditViewFilter, ExportFilter};
use crate::graphql::audit::views::{AccessEvent, AuthorizationDecision, IdentityEvent, View};
use crate::graphql::audit::{AuditEntry, AuditList, load_entry};
use crate::graphql::shared::connection::{Connection, PageArgs, connect};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::row::Row;

/// Root fields about entries of the audit ledger.
#[derive(Default)]
pub struct AuditQueries;

#[Object]
impl AuditQueries {
    /// One entry of the audit ledger. Null when there is no such entry. Needs the scope audit:read.
    async fn audit_entry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the entry: AuditEntry.id.")] id: ID,
    ) -> Maybe<Row<AuditEntry>> {
        Maybe::of(load_entry(ctx, &id).await)
    }

    /// Entries of the audit ledger, newest first unless ordered otherwise. Those of category ACCESS stand in a log of
    /// their own: they are listed when the filter's category is [ACCESS], and otherwise left out. Needs the scope
    /// audit:read.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries. All but those of category ACCESS when it is not given.")] filter: Option<
            AuditFilter,
        >,
        #[graphql(desc = "In which order. Newest first when it is not given.")] order_by: Option<AuditOrder>,
        #[graphql(
            desc = "How many entries to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only entries behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many entries to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only entries before this cursor.")] before: Option<String>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given. Not with category ACCESS, whose log has moments of its own.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<Connection<AuditList>>> {
        // Asked first: whoever may not read the ledger need not learn what is wrong with the filter.
        ctx.facade()?;
        let list = AuditList::of(filter.as_ref(), order_by.as_ref(), as_of.as_deref())?;
        connect(ctx, list, &PageArgs { first, after, last, before }).await
    }

    /// The lives of principals and keys: entries of category IDENTITY. Needs the scope audit:read.
    async fn audit_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of these entries. All when it is not given.")] filter: Option<AuditViewFilter>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<View<IdentityEvent>>> {
        ctx.facade()?;
        Ok(Row(View::of(filter.as_ref(), as_of.as_deref())?))
    }

    /// Who was allowed and who was denied: entries of category AUTHORIZATION. Needs the scope audit:read.
    async fn audit_authorization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of these entries. All when it is not given.")] filter: Option<AuditViewFilter>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<View<AuthorizationDecision>>> {
        ctx.facade()?;
        Ok(Row(View::of(filter.as_ref(), as_of.as_deref())?))
    }

    /// Who read which evidence: entries of category ACCESS. Needs the scope audit:read.
    async fn audit_access(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of these entries. All when it is not given.")] filter: Option<AuditViewFilter>,
    ) -> ApiResult<Row<View<AccessEvent>>> {
        ctx.facade()?;
        Ok(Row(View::of(filter.as_ref(), None)?))
    }

    /// Exports that were made of the tenant's logs. Needs the scope audit:read.
    async fn audit_exports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which exports. All when it is not given.")] filter: Option<ExportFilter>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<AuditExports>> {
        ctx.facade()?;
        Ok(Row(AuditExports::of(filter.as_ref(), as_of.as_deref())?))
    }
}
