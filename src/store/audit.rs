//! Reads of the audit ledger. Places are unique within a log, so that a list is of one log only; the filter says of which.

use std::collections::HashMap;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait, Select, Statement, Value};

use super::Store;
use super::condition;
use super::convert::{Columns, decode, decode_all, decode_in_turns};
use super::paginate::{ChildPages, SortKey, count_capped, paginate};
use super::scoped::{any_id, any_text, scoped};
use super::unread::Unread;
use crate::domain::audit::{AuditEntry, GovernanceSummary};
use crate::domain::filter::{AuditFilter, AuditOrder, AuditSort};
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::page::{AsOf, Count, Page, PageRequest, Position, Row};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::domain::vocabulary::AuditCategory;
use crate::entity::audit_entry;
use crate::error::Result;

/// An audit entry as it is stored.
pub type StoredAuditEntry = Stored<AuditEntry>;

const TABLE: &str = "audit_entry";
/// Written out, not bound: the categories of a log never change.
const IS_GOVERNANCE: &str = " AND c.category = 'GOVERNANCE'";

fn sort_key(order: AuditOrder) -> SortKey {
    let key = match order.sort {
        AuditSort::Seq => None,
        AuditSort::OccurredAt => Some(audit_entry::Column::OccurredAt.into_expr()),
    };
    SortKey { key, seq: audit_entry::Column::Seq.into_expr(), direction: order.direction }
}

fn position(entry: &StoredAuditEntry, order: AuditOrder) -> Position {
    let key = match order.sort {
        AuditSort::Seq => entry.seq,
        AuditSort::OccurredAt => entry.occurred_at.as_micros(),
    };
    Position { key, seq: entry.seq }
}

impl Store {
    /// A page of audit entries, of the log that the filter selects from; with `as_of`, as the evidence log was then.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a filter over both logs; `UNAVAILABLE` or `TIMEOUT` when the database does not answer,
    /// `INTERNAL` for a corrupt row.
    pub async fn list_audit_entries(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        order: AuditOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Unread<Page<StoredAuditEntry>>> {
        let select = self.select_audit_entries(&scope.tenant, filter, order, page, as_of)?;
        let entries = self.audit_entries(&scope.tenant, select).await?;
        let rows = entries.into_iter().map(|entry| Row { position: position(&entry, order), item: entry });
        Ok(Unread(page.page(rows.collect())))
    }

    /// How many audit entries the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::list_audit_entries`].
    pub async fn count_audit_entries(
        &self,
        scope: &Scope,
        filter: &AuditFilter,
        as_of: Option<AsOf>,
        cap: u32,
    ) -> Result<Unread<Count>> {
        let selected = condition::audit::audit_entries(self.db().backend, filter, as_of)?;
        count_capped(self.db(), scoped::<audit_entry::Entity>(&scope.tenant).filter(selected), cap).await.map(Unread)
    }

    /// Audit entries of either log by record id; a missing one is absent.
    ///
    /// # Errors
    /// As for [`Self::list_audit_entries`].
    pub async fn audit_entries_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, StoredAuditEntry>>> {
        let wanted = any_id(self.db().backend, audit_entry::Column::Id.into_expr(), ids)?;
        let select = scoped::<audit_entry::Entity>(&scope.tenant).filter(wanted);
        let entries = self.audit_entries(&scope.tenant, select).await?;
        Ok(Unread(entries.into_iter().map(|entry| (entry.id, entry)).collect()))
    }

    /// Governance entries by the name of the run that they hold, newest first (the page's last ones when it is backward),
    /// for each name as many as the page has and one more; one statement for all names.
    ///
    /// # Errors
    /// As for [`Self::list_audit_entries`].
    pub async fn governance_by_run_name(
        &self,
        scope: &Scope,
        names: &[&str],
        page: &PageRequest,
    ) -> Result<Unread<HashMap<String, Vec<StoredAuditEntry>>>> {
        let rows = self.db().rows(self.select_governance(&scope.tenant, names, page)?).await?;
        let mut entries: HashMap<String, Vec<StoredAuditEntry>> = HashMap::new();
        for entry in decode_in_turns(rows, TABLE, |columns| decode::<AuditEntry>(columns, &scope.tenant)).await? {
            if let Some(name) = entry.run_id.as_ref().map(|name| name.as_str().to_owned()) {
                entries.entry(name).or_default().push(entry);
            }
        }
        Ok(Unread(entries))
    }

    /// The query of governance entries of each run.
    pub(super) fn select_governance(&self, tenant: &TenantId, names: &[&str], page: &PageRequest) -> Result<Statement> {
        let pages = ChildPages {
            table: TABLE,
            parent: "run_id",
            order: "seq",
            condition: IS_GOVERNANCE,
            values: [Value::String(None), Value::String(None)],
            is_descending: !page.is_backward,
            from: page.before.map_or(0, |before| before.seq.saturating_add(1)),
            to: page.after.map_or(i64::MAX, |after| after.seq.saturating_sub(1)),
            limit: u64::from(page.size) + 1,
        };
        pages.statement::<audit_entry::Entity>(self.db(), tenant, names.iter().copied())
    }

    /// What the governance entries under each run name come to; exact. A name without any is absent. One statement.
    ///
    /// # Errors
    /// As for [`Self::list_audit_entries`].
    pub async fn governance_summaries(
        &self,
        scope: &Scope,
        names: &[&str],
    ) -> Result<Unread<HashMap<String, GovernanceSummary>>> {
        use audit_entry::Column as C;
        let backend = self.db().backend;
        let select = scoped::<audit_entry::Entity>(&scope.tenant)
            .filter(any_text(backend, C::RunId.into_expr(), names.iter().copied())?)
            .filter(C::Category.eq(AuditCategory::Governance.as_str()))
            .select_only()
            .columns([C::RunId, C::PolicyId])
            .expr(Expr::cust("CASE WHEN entity_type = 'INCIDENT' THEN entity_id END"))
            .expr(Expr::cust("COUNT(*)"))
            .expr(Expr::cust("COUNT(CASE WHEN action = 'BLOCKED' THEN 1 END)"))
            .expr(Expr::cust("COUNT(CASE WHEN action IN ('BLOCKED', 'MODIFIED') THEN 1 END)"))
            .expr(Expr::cust("MIN(occurred_at)"))
            .expr(Expr::cust("MAX(created_at)"))
            .expr(Expr::cust("MAX(seq)"))
            .group_by(C::RunId)
            .group_by(C::PolicyId)
            .group_by(Expr::cust("CASE WHEN entity_type = 'INCIDENT' THEN entity_id END"));
        let rows = self.db().rows(select.build(backend)).await?;
        let groups = decode_all(&rows, TABLE, decode_group)?;
        let mut summaries: HashMap<String, GovernanceSummary> = HashMap::new();
        for (name, group) in groups {
            let known = summaries.remove(&name).unwrap_or_default();
            summaries.insert(name, known.with(&group));
        }
        Ok(Unread(summaries))
    }

    /// The query of a list.
    pub(super) fn select_audit_entries(
        &self,
        tenant: &TenantId,
        filter: &AuditFilter,
        order: AuditOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Select<audit_entry::Entity>> {
        let selected = condition::audit::audit_entries(self.db().backend, filter, as_of)?;
        Ok(paginate(scoped::<audit_entry::Entity>(tenant).filter(selected), &sort_key(order), page))
    }

    async fn audit_entries(
        &self,
        tenant: &TenantId,
        select: Select<audit_entry::Entity>,
    ) -> Result<Vec<StoredAuditEntry>> {
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_in_turns(rows, TABLE, |columns| decode(columns, tenant)).await
    }
}

/// The entries of one run name, policy and incident.
fn decode_group(columns: &mut Columns<'_>) -> Result<(String, GovernanceSummary)> {
    let name = columns.take()?;
    let (policy_id, incident_id): (Option<String>, Option<String>) = (columns.field()?, columns.field()?);
    let total = columns.take()?;
    let (is_blocked, enforced) = (columns.take::<i64>()? > 0, columns.take()?);
    let summary = GovernanceSummary {
        total,
        is_blocked,
        enforced,
        policy_ids: policy_id.into_iter().collect(),
        incident_ids: incident_id.into_iter().collect(),
        first_occurred_at: Some(columns.field()?),
        newest_recorded_at: Some(columns.field()?),
        newest_seq: Some(columns.take()?),
    };
    Ok((name, summary))
}
