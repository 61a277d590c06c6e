//! Views of the audit ledger: each its own category, with its own fields.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_graphql::{Context, ID, Object, OutputType, TypeName, Value};

use crate::domain::audit::AccessDetail;
use crate::domain::evidence;
use crate::domain::filter::{AuditFilter, AuditOrder};
use crate::domain::ids::IdKind;
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::scope::Permission;
use crate::domain::vocabulary::AuditCategory;
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::facade::audit::StoredAuditEntry;
use crate::graphql::audit::AuditEntry;
use crate::graphql::audit::filters::AuditViewFilter;
use crate::graphql::shared::connection::{self, Connection, List, PageArgs, connect, given, total};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{ActorType, AuditAction, AuditEntityType, Decision, Verdict};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Columns, Row, columns};
use crate::graphql::shared::scalars::{DateTime, SafeInt};

/// A row of a view.
pub trait ViewRow: Columns + OutputType + From<StoredAuditEntry> + Sync + 'static {
    /// The category that the view shows.
    const CATEGORY: AuditCategory;
    /// The GraphQL name of the view.
    const VIEW: &'static str;
    /// The GraphQL name of its pages.
    const CONNECTION: &'static str;
    /// The GraphQL name of a row with its cursor.
    const EDGE: &'static str;
}

macro_rules! view_rows {
    ($($row:ident = $category:ident as $view:literal: $connection:literal, $edge:literal);+ $(;)?) => { $(
        impl From<StoredAuditEntry> for $row {
            fn from(entry: StoredAuditEntry) -> Self {
                Self(entry)
            }
        }

        impl ViewRow for $row {
            const CATEGORY: AuditCategory = AuditCategory::$category;
            const VIEW: &'static str = $view;
            const CONNECTION: &'static str = $connection;
            const EDGE: &'static str = $edge;
        }
    )+ };
}

view_rows! {
    IdentityEvent = Identity as "AuditIdentity": "IdentityEventConnection", "IdentityEventEdge";
    AuthorizationDecision = Authorization as "AuditAuthorization": "AuthorizationDecisionConnection", "AuthorizationDecisionEdge";
    AccessEvent = Access as "AuditAccess": "AccessEventConnection", "AccessEventEdge";
}

/// The list behind a view.
#[derive(Clone)]
pub struct ViewList<T> {
    filter: AuditFilter,
    given: Value,
    as_of: Option<AsOf>,
    row: PhantomData<fn() -> T>,
}

impl<T: ViewRow> List for ViewList<T> {
    type Item = T;
    const CONNECTION: &'static str = T::CONNECTION;
    const EDGE: &'static str = T::EDGE;
    const NEEDS: Permission = Permission::AuditRead;

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<T>> {
        Ok(facade.list_audit_entries(&self.filter, AuditOrder::default(), request, self.as_of).await?.map(T::from))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_audit_entries(&self.filter, self.as_of, cap).await
    }
}

/// A view: its list, what it comes to, and where it is from.
pub struct View<T>(ViewList<T>);

impl<T: ViewRow> View<T> {
    /// The view that the arguments describe.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` that name the field; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(filter: Option<&AuditViewFilter>, as_of: Option<&str>) -> Result<Self> {
        Ok(Self(ViewList {
            filter: AuditViewFilter::of_category(filter, T::CATEGORY)?,
            given: given(filter),
            as_of: as_of.map(AsOf::parse).transpose()?,
            row: PhantomData,
        }))
    }

    /// The metadata of the newest row.
    ///
    /// # Errors
    /// As the facade says.
    pub(in crate::graphql) async fn load_metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        let (facade, list) = (ctx.facade()?, &self.0);
        let newest = PageRequest::first(1);
        let page = facade.list_audit_entries(&list.filter, AuditOrder::default(), &newest, list.as_of).await?;
        let newest = page.rows.first().map(|row| &row.item);
        Ok(metadata(evidence::EvidenceMetadata::of_audit_list(&facade.scope().tenant, newest)))
    }
}

impl<T: ViewRow> TypeName for View<T> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(T::VIEW)
    }
}

/// One view of the audit ledger: the entries of one category that fit the filter.
#[Object(name_type)]
impl<T: ViewRow> View<T> {
    /// The entries, newest first.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many entries to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only entries behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many entries to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only entries before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<ViewList<T>>>> {
        let list = ViewList { row: PhantomData, given: self.0.given.clone(), filter: self.0.filter.clone(), ..self.0 };
        connect(ctx, list, &PageArgs { first, after, last, before }).await
    }

    /// How many entries fit the filter, on all pages together. Counted only when this field is selected.
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

    /// Who, what, when and from where, for use as evidence. The times and the sequence are those of the newest entry that
    /// fits: null when none does.
    async fn metadata(&self, ctx: &Context<'_>) -> ApiResult<Row<EvidenceMetadata>> {
        self.load_metadata(ctx).await
    }
}

impl<T: ViewRow> Columns for View<T> {
    fn column(&self, _: &Context<'_>, _: &str) -> Option<Value> {
        None
    }
}

/// What the rows of all views say; leaves, as in [`crate::graphql::shared::record_fields`].
pub struct EventFields<'r>(&'r StoredAuditEntry);

#[Object]
impl EventFields<'_> {
    /// What happened, for example "ApiKeyCreated", "AccessDenied" or "LogViewed".
    fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// What kind of thing it was about.
    fn entity_type(&self) -> AuditEntityType {
        self.0.entity_type.into()
    }

    /// Which thing it was about. Of a read of several things it is what stands for them.
    fn entity_id(&self) -> ID {
        ID(self.0.entity_id.clone())
    }

    /// What kind of actor acted, asked or read.
    fn actor_type(&self) -> ActorType {
        self.0.actor_type.into()
    }

    /// Who acted, asked or read; not redacted. Null when it is not known.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
    }

    /// When it happened.
    fn occurred_at(&self) -> DateTime {
        DateTime(self.0.occurred_at)
    }

    /// When it was written to the ledger.
    fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

columns!(EventFields<'_> {
    "eventType" => event_type, "entityType" => entity_type, "entityId" => entity_id, "actorType" => actor_type,
    "actorId" => actor_id, "occurredAt" => occurred_at, "createdAt" => created_at,
});

/// An entry of category IDENTITY.
pub struct IdentityEvent(StoredAuditEntry);

/// Something in the life of a principal or key: it was made, first seen, revoked.
#[Object]
impl IdentityEvent {
    /// The id of this row, for node. The record behind it has its own: see entry. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Identity))
    }

    /// The record in the audit ledger.
    fn entry(&self) -> Row<AuditEntry> {
        Row(AuditEntry(self.0.clone()))
    }

    #[graphql(flatten)]
    fn event_fields(&self) -> EventFields<'_> {
        EventFields(&self.0)
    }
}

columns!(IdentityEvent { "id" => id, "entry" => entry, ..event_fields });

/// An entry of category AUTHORIZATION.
pub struct AuthorizationDecision(StoredAuditEntry);

/// Whether somebody was allowed to do something.
#[Object]
impl AuthorizationDecision {
    /// The id of this row, for node. The record behind it has its own: see entry. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Authorization))
    }

    /// What came of it: follows from action, else from verdict. Null when the record says neither.
    fn decision(&self) -> Option<Decision> {
        self.0.decision().map(Into::into)
    }

    /// What the rule said. Null when the record does not say.
    fn verdict(&self) -> Option<Verdict> {
        self.0.verdict.map(Into::into)
    }

    /// What was done. Null when the record does not say.
    fn action(&self) -> Option<AuditAction> {
        self.0.action.map(Into::into)
    }

    /// The record in the audit ledger.
    fn entry(&self) -> Row<AuditEntry> {
        Row(AuditEntry(self.0.clone()))
    }

    #[graphql(flatten)]
    fn event_fields(&self) -> EventFields<'_> {
        EventFields(&self.0)
    }
}

columns!(AuthorizationDecision { "id" => id, "decision" => decision, "verdict" => verdict, "action" => action, "entry" => entry, ..event_fields });

/// An entry of category ACCESS.
pub struct AccessEvent(StoredAuditEntry);

/// Somebody read evidence.
#[Object]
impl AccessEvent {
    /// The id of this row, for node. The record behind it has its own: see entry. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Access))
    }

    /// The ids of the records that were read, at most 100. Empty when the entry was not written by this server, or its
    /// payload was erased.
    async fn record_ids(&self, ctx: &Context<'_>) -> ApiResult<Vec<ID>> {
        Ok(self.detail(ctx).await?.record_ids.into_iter().map(ID).collect())
    }

    /// How many identical reads of the same actor within a minute the entry stands for. Null when it does not say.
    async fn repeat_count(&self, ctx: &Context<'_>) -> Maybe<SafeInt> {
        Maybe::of(self.detail(ctx).await.map(|detail| detail.repeat_count))
    }

    /// The record in the audit ledger.
    fn entry(&self) -> Row<AuditEntry> {
        Row(AuditEntry(self.0.clone()))
    }

    #[graphql(flatten)]
    fn event_fields(&self) -> EventFields<'_> {
        EventFields(&self.0)
    }
}

impl AccessEvent {
    async fn detail(&self, ctx: &Context<'_>) -> ApiResult<AccessDetail> {
        Ok(ctx.facade()?.access_detail(&self.0).await?)
    }
}

columns!(AccessEvent { "id" => id, "entry" => entry, ..event_fields });
