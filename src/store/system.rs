//! Reads of system records. A list is of one log: the tenant's own, or the platform's, which every tenant sees.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::Store;
use super::condition;
use super::convert::{decode, decode_all, decode_in_turns};
use super::paginate::{SortKey, count_capped, paginate};
use super::scoped::{any_id, scoped};
use super::unread::Unread;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::page::{AsOf, Count, Page, PageRequest, Position, Row};
use crate::domain::payload::PayloadPart;
use crate::domain::scope::Scope;
use crate::domain::system::{StoredSystemRecord, SystemRecordFilter, SystemRecordOrder, SystemRecordSort};
use crate::entity::{payload, system_record};
use crate::error::Result;

pub(super) const TABLE: &str = "system_record";

fn sort_key(order: SystemRecordOrder) -> SortKey {
    let key = match order.sort {
        SystemRecordSort::Seq => None,
        SystemRecordSort::OccurredAt => Some(system_record::Column::OccurredAt.into_expr()),
    };
    SortKey { key, seq: system_record::Column::Seq.into_expr(), direction: order.direction }
}

fn position(record: &StoredSystemRecord, order: SystemRecordOrder) -> Position {
    let key = match order.sort {
        SystemRecordSort::Seq => record.seq,
        SystemRecordSort::OccurredAt => record.occurred_at.as_micros(),
    };
    Position { key, seq: record.seq }
}

impl Store {
    /// A page of system records; with `as_of`, as the list was then.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn list_system_records(
        &self,
        scope: &Scope,
        filter: &SystemRecordFilter,
        order: SystemRecordOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<Page<StoredSystemRecord>>> {
        let log = filter.log_of(&scope.tenant);
        let select = self.select_system_records(&log, filter, order, page, as_of)?;
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let records = decode_all(&rows, TABLE, |columns| decode(columns, &log))?;
        Ok(Unread(page.page(
            records.into_iter().map(|record| Row { position: position(&record, order), item: record }).collect(),
        )))
    }

    /// The query of a list.
    pub(super) fn select_system_records(
        &self,
        log: &TenantId,
        filter: &SystemRecordFilter,
        order: SystemRecordOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Select<system_record::Entity>> {
        let selected = condition::system_records(self.db().backend, filter, as_of)?;
        Ok(paginate(scoped::<system_record::Entity>(log).filter(selected), &sort_key(order), page))
    }

    /// How many system records the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_system_records`].
    pub async fn count_system_records(
        &self,
        scope: &Scope,
        filter: &SystemRecordFilter,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Unread<Count>> {
        let selected = condition::system_records(self.db().backend, filter, as_of)?;
        let log = filter.log_of(&scope.tenant);
        count_capped(self.db(), scoped::<system_record::Entity>(&log).filter(selected), cap).await.map(Unread)
    }

    /// System records by record id, the platform's too.
    ///
    /// # Errors
    /// As for [`Self::list_system_records`].
    pub async fn system_records_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, StoredSystemRecord>>> {
        let mut found = self.system_records_of(&scope.tenant, ids).await?;
        if let Some(missing) = platforms(scope, ids, &found) {
            found.extend(self.system_records_of(&TenantId::platform(), &missing).await?);
        }
        Ok(Unread(found))
    }

    async fn system_records_of(
        &self,
        tenant: &TenantId,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, StoredSystemRecord>> {
        let wanted = any_id(self.db().backend, system_record::Column::Id.into_expr(), ids)?;
        let select = scoped::<system_record::Entity>(tenant).filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let records = decode_in_turns(rows, TABLE, |columns| decode(columns, tenant)).await?;
        Ok(records.into_iter().map(|record| (record.id, record)).collect())
    }

    /// Details of system records by record id, the platform's too; erased and absent ones are absent.
    ///
    /// # Errors
    /// As for [`Self::list_system_records`].
    pub async fn system_details_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, String>>> {
        let mut found = self.system_details_of(&scope.tenant, ids).await?;
        if let Some(missing) = platforms(scope, ids, &found) {
            found.extend(self.system_details_of(&TenantId::platform(), &missing).await?);
        }
        Ok(Unread(found))
    }

    async fn system_details_of(&self, tenant: &TenantId, ids: &[RecordId]) -> Result<HashMap<RecordId, String>> {
        use payload::Column as C;
        let select = scoped::<payload::Entity>(tenant)
            .filter(any_id(self.db().backend, C::RecordId.into_expr(), ids)?)
            .filter(C::Part.eq(PayloadPart::Details.as_str()))
            .select_only()
            .columns([C::RecordId, C::Text]);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let texts = decode_in_turns(rows, "payload", |columns| Ok((columns.id()?, columns.take()?))).await?;
        Ok(texts.into_iter().collect())
    }
}

/// Ids that are left for the platform's log, which every tenant sees; `None` where there is nothing to look for.
fn platforms<T>(scope: &Scope, ids: &[RecordId], found: &HashMap<RecordId, T>) -> Option<Vec<RecordId>> {
    let missing: Vec<RecordId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
    (!missing.is_empty() && !scope.tenant.is_platform()).then_some(missing)
}
