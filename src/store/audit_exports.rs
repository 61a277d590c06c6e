//! Reads of the records of exports.

use sea_orm::{ColumnTrait, QueryFilter, QueryTrait, Select};

use super::Store;
use super::condition;
use super::convert::{decode, decode_all};
use super::paginate::{SortKey, count_capped, paginate};
use super::scoped::scoped;
use super::unread::Unread;
use crate::domain::export::LogExport;
use crate::domain::filter::ExportFilter;
use crate::domain::ids::TenantId;
use crate::domain::page::{AsOf, Count, Direction, Page, PageRequest, Position, Row};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::entity::log_export;
use crate::error::Result;

const TABLE: &str = "log_export";

impl Store {
    /// A page of exports, newest first; with `as_of`, as the list was then.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn list_exports(
        &self,
        scope: &Scope,
        filter: &ExportFilter,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<Page<Stored<LogExport>>>> {
        let selected = condition::audit::exports(self.db().backend, filter, as_of)?;
        let sort = SortKey { key: None, seq: log_export::Column::Seq.into_expr(), direction: Direction::Desc };
        let select = paginate(scoped::<log_export::Entity>(&scope.tenant).filter(selected), &sort, page);
        let exports = self.exports(&scope.tenant, select).await?;
        let position = |export: &Stored<LogExport>| Position { key: export.seq, seq: export.seq };
        Ok(Unread(
            page.page(exports.into_iter().map(|export| Row { position: position(&export), item: export }).collect()),
        ))
    }

    /// How many exports the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_exports`].
    pub async fn count_exports(
        &self,
        scope: &Scope,
        filter: &ExportFilter,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Unread<Count>> {
        let selected = condition::audit::exports(self.db().backend, filter, as_of)?;
        count_capped(self.db(), scoped::<log_export::Entity>(&scope.tenant).filter(selected), cap).await.map(Unread)
    }

    async fn exports(&self, tenant: &TenantId, select: Select<log_export::Entity>) -> Result<Vec<Stored<LogExport>>> {
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_all(&rows, TABLE, |columns| decode(columns, tenant))
    }
}
