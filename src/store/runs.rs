//! Reads of runs. Only the newest revision of a run is a row of a list.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::Store;
use super::condition;
use super::convert::{Columns, decode, decode_in_turns};
use super::paginate::{ChildPages, SortKey, count_capped, paginate};
use super::scoped::{any_id, any_text, scoped};
use super::unread::Unread;
use crate::domain::filter::{LlmRunFilter, LlmRunOrder, LlmRunSort};
use crate::domain::ids::{RecordId, RunId, TenantId, TraceId};
use crate::domain::page::{AsOf, Count, Direction, Page, PageRequest, Position, Row};
use crate::domain::run::{LlmRun, StoredRun};
use crate::domain::scope::Scope;
use crate::domain::vocabulary::Stream;
use crate::entity::{ledger_log, llm_run};
use crate::error::Result;

const TABLE: &str = "llm_run";

/// What stands for a null in the order of a list, so that it comes last either way; as the computed columns have it.
const fn absent(direction: Direction) -> i64 {
    match direction {
        Direction::Asc => i64::MAX,
        Direction::Desc => i64::MIN + 1,
    }
}

/// The order in SQL: the column that the list's index has behind the tenant.
fn sort_key(order: LlmRunOrder) -> SortKey {
    let column = match (order.sort, order.direction) {
        (LlmRunSort::Seq, _) => None,
        (LlmRunSort::StartedAt, _) => Some("started_at"),
        (LlmRunSort::Duration, Direction::Asc) => Some("duration_asc"),
        (LlmRunSort::Duration, Direction::Desc) => Some("duration_desc"),
        (LlmRunSort::Cost, Direction::Asc) => Some("cost_asc"),
        (LlmRunSort::Cost, Direction::Desc) => Some("cost_desc"),
        (LlmRunSort::TotalTokens, _) => Some("total_tokens"),
    };
    let key = column.map(|column| Expr::col((llm_run::Entity, column)));
    SortKey { key, seq: llm_run::Column::Seq.into_expr(), direction: order.direction }
}

/// Where a run stands in the order.
fn position(run: &StoredRun, order: LlmRunOrder) -> Position {
    let absent = absent(order.direction);
    let key = match order.sort {
        LlmRunSort::Seq => run.seq,
        LlmRunSort::StartedAt => run.started_at.as_micros(),
        LlmRunSort::Duration => run.duration_us().unwrap_or(absent),
        LlmRunSort::Cost => run.cost_micros.unwrap_or(absent),
        LlmRunSort::TotalTokens => run.input_tokens.saturating_add(run.output_tokens),
    };
    Position { key, seq: run.seq }
}

impl Store {
    /// A page of runs; with `as_of`, as the list was then.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn list_runs(
        &self,
        scope: &Scope,
        filter: &LlmRunFilter,
        order: LlmRunOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<Page<StoredRun>>> {
        let select = self.select_runs(&scope.tenant, filter, order, page, as_of)?;
        let runs = self.runs(&scope.tenant, select).await?;
        Ok(Unread(page.page(runs.into_iter().map(|run| Row { position: position(&run, order), item: run }).collect())))
    }

    /// How many runs the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_runs`].
    pub async fn count_runs(
        &self,
        scope: &Scope,
        filter: &LlmRunFilter,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Unread<Count>> {
        let selected = condition::runs(self.db().backend, &scope.tenant, filter, as_of)?;
        count_capped(self.db(), scoped::<llm_run::Entity>(&scope.tenant).filter(selected), cap).await.map(Unread)
    }

    /// Runs by record id, older revisions too; a missing one is absent.
    ///
    /// # Errors
    /// As for [`Self::list_runs`].
    pub async fn runs_by_id(&self, scope: &Scope, ids: &[RecordId]) -> Result<Unread<HashMap<RecordId, StoredRun>>> {
        let wanted = any_id(self.db().backend, llm_run::Column::Id.into_expr(), ids)?;
        let runs = self.runs(&scope.tenant, scoped::<llm_run::Entity>(&scope.tenant).filter(wanted)).await?;
        Ok(Unread(runs.into_iter().map(|run| (run.id, run)).collect()))
    }

    /// The newest revisions by run id.
    ///
    /// # Errors
    /// As for [`Self::list_runs`].
    pub async fn runs_by_run_id(&self, scope: &Scope, run_ids: &[RunId]) -> Result<Unread<HashMap<RunId, StoredRun>>> {
        let names = run_ids.iter().map(RunId::as_str);
        let select = scoped::<llm_run::Entity>(&scope.tenant)
            .filter(any_text(self.db().backend, llm_run::Column::RunId.into_expr(), names)?)
            .filter(condition::newest_revision(&scope.tenant, None));
        Ok(Unread(self.runs(&scope.tenant, select).await?.into_iter().map(|run| (run.run_id.clone(), run)).collect()))
    }

    /// The newest run made from each trace.
    ///
    /// # Errors
    /// As for [`Self::list_runs`].
    pub async fn runs_by_trace_id(
        &self,
        scope: &Scope,
        trace_ids: &[TraceId],
    ) -> Result<Unread<HashMap<TraceId, StoredRun>>> {
        let runs = self.newest_runs_of_traces(&scope.tenant, trace_ids).await?;
        Ok(Unread(runs.into_iter().filter_map(|run| Some((run.trace_id.clone()?, run))).collect()))
    }

    /// Every revision of each run, newest first, at most `limit` a run.
    ///
    /// # Errors
    /// As for [`Self::list_runs`].
    pub async fn revisions_by_run_id(
        &self,
        scope: &Scope,
        run_ids: &[RunId],
        limit: u32,
    ) -> Result<Unread<HashMap<RunId, Vec<StoredRun>>>> {
        if limit == 0 {
            return Ok(Unread(HashMap::new()));
        }
        let pages = ChildPages::newest(TABLE, "run_id", limit);
        let names = run_ids.iter().map(RunId::as_str);
        let rows = self.db().rows(pages.statement::<llm_run::Entity>(self.db(), &scope.tenant, names)?).await?;
        let mut revisions: HashMap<RunId, Vec<StoredRun>> = HashMap::new();
        for run in
            decode_in_turns(rows, TABLE, |columns| decode::<LlmRun>(columns, &scope.tenant).map(Arc::new)).await?
        {
            revisions.entry(run.run_id.clone()).or_default().push(run);
        }
        Ok(Unread(revisions))
    }

    /// The size of the tenant's evidence log now; 0 where there is none yet.
    ///
    /// # Errors
    /// As for [`Self::list_runs`].
    pub async fn log_size(&self, scope: &Scope) -> Result<i64> {
        let select = scoped::<ledger_log::Entity>(&scope.tenant)
            .filter(ledger_log::Column::Stream.eq(Stream::Evidence.as_str()))
            .select_only()
            .column(ledger_log::Column::Size);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        rows.first().map_or(Ok(0), |row| Columns::of(row, "ledger_log")?.take())
    }

    /// The newest run of each trace, in no order.
    pub(super) async fn newest_runs_of_traces(
        &self,
        tenant: &TenantId,
        trace_ids: &[TraceId],
    ) -> Result<Vec<StoredRun>> {
        let names = trace_ids.iter().map(TraceId::as_str);
        let select = scoped::<llm_run::Entity>(tenant)
            .filter(any_text(self.db().backend, llm_run::Column::TraceId.into_expr(), names)?)
            .filter(condition::newest_of_trace(tenant));
        self.runs(tenant, select).await
    }

    /// The query of a list.
    pub(super) fn select_runs(
        &self,
        tenant: &TenantId,
        filter: &LlmRunFilter,
        order: LlmRunOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Select<llm_run::Entity>> {
        let selected = condition::runs(self.db().backend, tenant, filter, as_of)?;
        Ok(paginate(scoped::<llm_run::Entity>(tenant).filter(selected), &sort_key(order), page))
    }

    async fn runs(&self, tenant: &TenantId, select: Select<llm_run::Entity>) -> Result<Vec<StoredRun>> {
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_in_turns(rows, TABLE, |columns| decode(columns, tenant).map(Arc::new)).await
    }
}
