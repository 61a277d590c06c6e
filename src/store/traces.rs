//! Reads of traces and seals.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Query, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, DbBackend, Iterable, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};

use super::Store;
use super::condition;
use super::convert::traces::decode_view;
use super::convert::{decode, decode_in_turns};
use super::paginate::{ChildPages, SortKey, count_capped, paginate};
use super::scoped::{any_id, any_text, scoped};
use super::unread::Unread;
use crate::domain::filter::{TraceFilter, TraceOrder, TraceSort};
use crate::domain::ids::{Digest, RecordId, RunId, TenantId, TraceId};
use crate::domain::page::{AsOf, Count, Page, PageRequest, Position, Row};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::domain::trace::{SEALS_OF_TRACE_MAX, StoredTrace, TraceSeal};
use crate::entity::{trace, trace_seal, trace_state};
use crate::error::Result;

const SEALS: &str = "trace_seal";

fn sort_key(order: TraceOrder) -> SortKey {
    let key = match order.sort {
        TraceSort::Seq => None,
        TraceSort::StartedAt => Some(trace::Column::StartedAt.into_expr()),
    };
    SortKey { key, seq: trace::Column::Seq.into_expr(), direction: order.direction }
}

/// The same order for rows that SQLite finds by another index than that of the order: it would rather walk the log, but
/// does not see a column behind a plus.
fn sort_key_of_few(order: TraceOrder) -> SortKey {
    let key = match order.sort {
        TraceSort::Seq => None,
        TraceSort::StartedAt => Some(Expr::cust("+\"trace\".\"started_at\"")),
    };
    SortKey { key, seq: Expr::cust("+\"trace\".\"seq\""), direction: order.direction }
}

fn position(view: &StoredTrace, order: TraceOrder) -> Position {
    let key = match order.sort {
        TraceSort::Seq => view.trace.seq,
        TraceSort::StartedAt => view.trace.started_at.as_micros(),
    };
    Position { key, seq: view.trace.seq }
}

/// With the columns of the newest seal as of a moment, and the number of steps now.
fn view(tenant: &TenantId, mut select: Select<trace::Entity>, as_of: Option<AsOf>) -> Select<trace::Entity> {
    let state = |column: trace_state::Column| Expr::col(("state", column));
    let seal = |column: trace_seal::Column| Expr::col(("seal", column));
    let newest_revision: SimpleExpr = match as_of {
        // The same number, kept beside the number of steps that is read anyway.
        None => state(trace_state::Column::SealedRevision),
        Some(_) => condition::newest_seal(tenant, "revision", as_of),
    };
    let same_state = Condition::all()
        .add(state(trace_state::Column::TenantId).eq(tenant.as_str()))
        .add(state(trace_state::Column::TraceId).equals((trace::Entity, trace::Column::TraceId)));
    let same_seal = Condition::all()
        .add(seal(trace_seal::Column::TenantId).eq(tenant.as_str()))
        .add(seal(trace_seal::Column::TraceId).equals((trace::Entity, trace::Column::TraceId)))
        .add(seal(trace_seal::Column::Revision).eq(newest_revision));
    QueryTrait::query(&mut select)
        .expr(state(trace_state::Column::StepCount))
        .exprs(trace_seal::Column::iter().map(seal))
        .join_as(JoinType::LeftJoin, trace_state::Entity, "state", same_state)
        .join_as(JoinType::LeftJoin, trace_seal::Entity, "seal", same_seal);
    select
}

impl Store {
    /// A page of traces, each with its newest seal. With `as_of`, rows and seals are those of that moment; the number of
    /// steps is always today's.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn list_traces(
        &self,
        scope: &Scope,
        filter: &TraceFilter,
        order: TraceOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<Page<StoredTrace>>> {
        let select = self.select_traces(&scope.tenant, filter, order, page, as_of)?;
        let views = self.views(&scope.tenant, select).await?;
        Ok(Unread(
            page.page(views.into_iter().map(|view| Row { position: position(&view, order), item: view }).collect()),
        ))
    }

    /// How many traces the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_traces`].
    pub async fn count_traces(
        &self,
        scope: &Scope,
        filter: &TraceFilter,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Unread<Count>> {
        let selected = condition::traces(self.db().backend, &scope.tenant, filter, as_of)?;
        count_capped(self.db(), scoped::<trace::Entity>(&scope.tenant).filter(selected), cap).await.map(Unread)
    }

    /// Traces by record id.
    ///
    /// # Errors
    /// As for [`Self::list_traces`].
    pub async fn traces_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, StoredTrace>>> {
        let views = self.traces_with_ids(&scope.tenant, ids).await?;
        Ok(Unread(views.into_iter().map(|view| (view.trace.id, view)).collect()))
    }

    /// Traces by name: one statement, newest seal and step count included.
    ///
    /// # Errors
    /// As for [`Self::list_traces`].
    pub async fn traces_by_trace_id(
        &self,
        scope: &Scope,
        trace_ids: &[TraceId],
    ) -> Result<Unread<HashMap<TraceId, StoredTrace>>> {
        let views = self.traces_named(&scope.tenant, trace_ids).await?;
        Ok(Unread(views.into_iter().map(|view| (view.trace.trace_id.clone(), view)).collect()))
    }

    /// The newest trace whose seal has this root hash.
    ///
    /// # Errors
    /// As for [`Self::list_traces`].
    pub async fn trace_by_root_hash(&self, scope: &Scope, root_hash: Digest) -> Result<Unread<Option<StoredTrace>>> {
        let sealed = |column: trace_seal::Column| Expr::col((trace_seal::Entity, column));
        let newest = Query::select()
            .expr(sealed(trace_seal::Column::TraceId))
            .from(trace_seal::Entity)
            .and_where(sealed(trace_seal::Column::TenantId).eq(scope.tenant.as_str()))
            .and_where(sealed(trace_seal::Column::RootHash).eq(root_hash.0.to_vec()))
            .order_by_expr(sealed(trace_seal::Column::Seq), sea_orm::Order::Desc)
            .limit(1)
            .take();
        let wanted = trace::Column::TraceId.in_subquery(newest);
        let select = view(&scope.tenant, scoped::<trace::Entity>(&scope.tenant).filter(wanted), None);
        Ok(Unread(self.views(&scope.tenant, select).await?.pop()))
    }

    /// The newest trace that was begun for a run.
    ///
    /// # Errors
    /// As for [`Self::list_traces`].
    pub async fn trace_by_run_id(&self, scope: &Scope, run_id: &RunId) -> Result<Unread<Option<StoredTrace>>> {
        let (run, name) = (trace::Column::RunId.into_expr(), trace::Column::TraceId.into_expr());
        // Two ways in, each with its index.
        let is_named_so = name.clone().eq(run_id.as_str()).and(run.clone().eq(run_id.as_str()));
        let is_named_otherwise = run.clone().eq(run_id.as_str()).and(run.ne(name));
        let select = scoped::<trace::Entity>(&scope.tenant)
            .filter(is_named_so.or(is_named_otherwise))
            .order_by_desc(trace::Column::Seq)
            .limit(1);
        Ok(Unread(self.views(&scope.tenant, view(&scope.tenant, select, None)).await?.pop()))
    }

    /// The newest seals of each trace, [`SEALS_OF_TRACE_MAX`] at most, newest first.
    ///
    /// # Errors
    /// As for [`Self::list_traces`].
    pub async fn seals_by_trace_id(
        &self,
        scope: &Scope,
        trace_ids: &[TraceId],
    ) -> Result<Unread<HashMap<TraceId, Vec<Stored<TraceSeal>>>>> {
        let pages = ChildPages::newest(SEALS, "trace_id", SEALS_OF_TRACE_MAX);
        let names = trace_ids.iter().map(TraceId::as_str);
        let rows = self.db().rows(pages.statement::<trace_seal::Entity>(self.db(), &scope.tenant, names)?).await?;
        let mut seals: HashMap<TraceId, Vec<Stored<TraceSeal>>> = HashMap::new();
        for seal in decode_in_turns(rows, SEALS, |columns| decode::<TraceSeal>(columns, &scope.tenant)).await? {
            seals.entry(seal.trace_id.clone()).or_default().push(seal);
        }
        Ok(Unread(seals))
    }

    /// Traces by record id, in no order.
    pub(super) async fn traces_with_ids(&self, tenant: &TenantId, ids: &[RecordId]) -> Result<Vec<StoredTrace>> {
        let wanted = any_id(self.db().backend, trace::Column::Id.into_expr(), ids)?;
        self.views(tenant, view(tenant, scoped::<trace::Entity>(tenant).filter(wanted), None)).await
    }

    /// Traces by name, in no order.
    pub(super) async fn traces_named(&self, tenant: &TenantId, trace_ids: &[TraceId]) -> Result<Vec<StoredTrace>> {
        let names = trace_ids.iter().map(TraceId::as_str);
        let wanted = any_text(self.db().backend, trace::Column::TraceId.into_expr(), names)?;
        self.views(tenant, view(tenant, scoped::<trace::Entity>(tenant).filter(wanted), None)).await
    }

    /// The query of a list.
    pub(super) fn select_traces(
        &self,
        tenant: &TenantId,
        filter: &TraceFilter,
        order: TraceOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Select<trace::Entity>> {
        let selected = condition::traces(self.db().backend, tenant, filter, as_of)?;
        let select = scoped::<trace::Entity>(tenant).filter(selected);
        let is_few = self.db().backend == DbBackend::Sqlite && condition::selects_running(filter, as_of);
        let sort = if is_few { sort_key_of_few(order) } else { sort_key(order) };
        Ok(paginate(view(tenant, select, as_of), &sort, page))
    }

    async fn views(&self, tenant: &TenantId, select: Select<trace::Entity>) -> Result<Vec<StoredTrace>> {
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_in_turns(rows, "trace", |columns| decode_view(columns, tenant).map(Arc::new)).await
    }
}
