//! Reads of incident evidence. Only the newest revision of an incident is its evidence.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, QueryFilter, QueryTrait, Select};

use super::Store;
use super::convert::{column_list, decode, decode_all};
use super::keytable::KeyTable;
use super::paginate::ChildPages;
use super::scoped::{any_id, any_text, scoped};
use super::unread::Unread;
use super::windows::{FirstRows, by_place};
use crate::domain::ids::{RecordId, RunId, TenantId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::entity::incident_evidence;
use crate::error::Result;

const TABLE: &str = "incident_evidence";

type StoredIncident = Stored<IncidentEvidence>;

/// No later revision of the tenant's incident is on record.
fn newest_revision(tenant: &TenantId) -> SimpleExpr {
    let newer = |column: &'static str| Expr::col(("newer", column));
    let this = |column: incident_evidence::Column| (incident_evidence::Entity, column);
    let select = Query::select()
        .expr(Expr::cust("1"))
        .from_as(incident_evidence::Entity, "newer")
        .and_where(newer("tenant_id").eq(tenant.as_str()))
        .and_where(newer("incident_id").equals(this(incident_evidence::Column::IncidentId)))
        .and_where(newer("revision").gt(Expr::col(this(incident_evidence::Column::Revision))))
        .take();
    Expr::exists(select).not()
}

impl Store {
    /// Incident evidence by record id, older revisions too; a missing one is absent.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn incident_evidence_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, StoredIncident>>> {
        let wanted = any_id(self.db().backend, incident_evidence::Column::Id.into_expr(), ids)?;
        let select = scoped::<incident_evidence::Entity>(&scope.tenant).filter(wanted);
        let found = self.incident_rows(&scope.tenant, select).await?;
        Ok(Unread(found.into_iter().map(|evidence| (evidence.id, evidence)).collect()))
    }

    /// The newest revision of each incident.
    ///
    /// # Errors
    /// As for [`Self::incident_evidence_by_id`].
    pub async fn incident_evidence_by_incident_id(
        &self,
        scope: &Scope,
        incident_ids: &[String],
    ) -> Result<Unread<HashMap<String, StoredIncident>>> {
        let names = incident_ids.iter().map(String::as_str);
        let select = scoped::<incident_evidence::Entity>(&scope.tenant)
            .filter(any_text(self.db().backend, incident_evidence::Column::IncidentId.into_expr(), names)?)
            .filter(newest_revision(&scope.tenant));
        let found = self.incident_rows(&scope.tenant, select).await?;
        Ok(Unread(found.into_iter().map(|evidence| (evidence.incident_id.clone(), evidence)).collect()))
    }

    /// Every revision of each incident, newest first, at most `limit` of each.
    ///
    /// # Errors
    /// As for [`Self::incident_evidence_by_id`].
    pub async fn incident_revisions(
        &self,
        scope: &Scope,
        incident_ids: &[String],
        limit: u32,
    ) -> Result<Unread<HashMap<String, Vec<StoredIncident>>>> {
        let pages = ChildPages::newest(TABLE, "incident_id", limit);
        let names = incident_ids.iter().map(String::as_str);
        let statement = pages.statement::<incident_evidence::Entity>(self.db(), &scope.tenant, names)?;
        let rows = self.db().rows(statement).await?;
        let mut revisions: HashMap<String, Vec<StoredIncident>> = HashMap::new();
        for evidence in decode_all(&rows, TABLE, |columns| decode::<IncidentEvidence>(columns, &scope.tenant))? {
            revisions.entry(evidence.incident_id.clone()).or_default().push(evidence);
        }
        Ok(Unread(revisions))
    }

    /// The incidents that each run caused, by their newest revisions, newest first, at most `limit` of each run.
    ///
    /// # Errors
    /// As for [`Self::incident_evidence_by_id`].
    pub async fn incidents_by_run_id(
        &self,
        scope: &Scope,
        run_ids: &[RunId],
        limit: usize,
    ) -> Result<Unread<HashMap<RunId, Vec<StoredIncident>>>> {
        let is_newest = "NOT EXISTS (SELECT 1 FROM incident_evidence n WHERE n.tenant_id = $1 \
                         AND n.incident_id = c.incident_id AND n.revision > c.revision)";
        let rows = FirstRows {
            table: TABLE,
            columns: &column_list::<incident_evidence::Entity>("c"),
            condition: &format!("c.source_run_id = k.run AND {is_newest}"),
            order: "c.seq DESC",
            limit,
        };
        let keys = KeyTable::placed(run_ids.len()).texts("run", run_ids.iter().map(RunId::as_str));
        let rows = self.db().rows(rows.statement(self.db(), &scope.tenant, &keys)?).await?;
        let decode = |columns: &mut super::convert::Columns<'_>| decode(columns, &scope.tenant);
        let mut found = by_place(run_ids.len(), rows, TABLE, decode).await?;
        found.iter_mut().for_each(|incidents| incidents.sort_by_key(|incident| -incident.seq));
        Ok(Unread(run_ids.iter().cloned().zip(found).collect()))
    }

    async fn incident_rows(
        &self,
        tenant: &TenantId,
        select: Select<incident_evidence::Entity>,
    ) -> Result<Vec<StoredIncident>> {
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_all(&rows, TABLE, |columns| decode(columns, tenant))
    }
}
