//! Reads of the records of exports.

use std::collections::HashMap;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::Store;
use super::condition;
use super::convert::decode_all;
use super::convert::exports::decode_log_export;
use super::paginate::{SortKey, count_capped, paginate};
use super::scoped::{any_id, any_text, scoped};
use crate::domain::audit_events::BUNDLE_DOWNLOADED;
use crate::domain::export::LogExport;
use crate::domain::filter::ExportFilter;
use crate::domain::ids::{IdKind, RecordId, TenantId};
use crate::domain::page::{AsOf, Count, Direction, Page, PageRequest, Position, Row};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{AuditCategory, AuditEntityType};
use crate::entity::{audit_entry, log_export};
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
    ) -> Result<Page<Stored<LogExport>>> {
        let selected = condition::audit::exports(self.db().backend, filter, as_of)?;
        let sort = SortKey { key: None, seq: log_export::Column::Seq.into_expr(), direction: Direction::Desc };
        let select = paginate(scoped::<log_export::Entity>(&scope.tenant).filter(selected), &sort, page);
        let exports = self.exports(&scope.tenant, select).await?;
        let position = |export: &Stored<LogExport>| Position { key: export.seq, seq: export.seq };
        Ok(page.page(exports.into_iter().map(|export| Row { position: position(&export), item: export }).collect()))
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
    ) -> Result<Count> {
        let selected = condition::audit::exports(self.db().backend, filter, as_of)?;
        count_capped(self.db(), scoped::<log_export::Entity>(&scope.tenant).filter(selected), cap).await
    }

    /// Exports by record id; a missing one is absent.
    ///
    /// # Errors
    /// As for [`Self::list_exports`].
    pub async fn exports_by_id(&self, scope: &Scope, ids: &[RecordId]) -> Result<HashMap<RecordId, Stored<LogExport>>> {
        let wanted = any_id(self.db().backend, log_export::Column::Id.into_expr(), ids)?;
        let exports = self.exports(&scope.tenant, scoped::<log_export::Entity>(&scope.tenant).filter(wanted)).await?;
        Ok(exports.into_iter().map(|export| (export.id, export)).collect())
    }

    /// When each export was first downloaded; one that never was is absent.
    ///
    /// # Errors
    /// As for [`Self::list_exports`].
    pub async fn deliveries_by_export(&self, scope: &Scope, ids: &[RecordId]) -> Result<HashMap<RecordId, Timestamp>> {
        use audit_entry::Column as C;
        let backend = self.db().backend;
        let typed: Vec<String> = ids.iter().map(|id| id.typed(IdKind::Export)).collect();
        let select = scoped::<audit_entry::Entity>(&scope.tenant)
            .filter(C::EntityType.eq(AuditEntityType::LogExport.as_str()))
            .filter(any_text(backend, C::EntityId.into_expr(), typed.iter().map(String::as_str))?)
            .filter(C::Category.eq(AuditCategory::Export.as_str()))
            .filter(C::EventType.eq(BUNDLE_DOWNLOADED))
            .select_only()
            .column(C::EntityId)
            .expr(Expr::cust("MIN(occurred_at)"))
            .group_by(C::EntityId);
        let rows = self.db().rows(select.build(backend)).await?;
        let deliveries =
            decode_all(&rows, "audit_entry", |columns| Ok((columns.take::<String>()?, columns.instant()?)))?;
        Ok(deliveries
            .into_iter()
            .filter_map(|(entity_id, at)| Some((RecordId::parse_typed(&entity_id)?.1, at)))
            .collect())
    }

    async fn exports(&self, tenant: &TenantId, select: Select<log_export::Entity>) -> Result<Vec<Stored<LogExport>>> {
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_all(&rows, TABLE, |columns| decode_log_export(columns, tenant))
    }
}
