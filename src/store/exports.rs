//! Reads of exports that were made, and of what is on record about runs that may be exported.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, QueryFilter, QueryTrait};

use super::Store;
use super::convert::{Columns, column_list, decode, decode_all};
use super::keytable::KeyTable;
use super::scoped::{any_id, scoped, scoped_statement};
use super::unread::Unread;
use super::windows::{FirstRows, by_place};
use crate::domain::export::{EXPORTS_OF_RUN_MAX, LogExport, RunExportFacts};
use crate::domain::ids::{IdKind, RecordId, RunId, TraceId};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::entity::log_export;
use crate::error::Result;

const TABLE: &str = "log_export";

/// A run whose facts are looked for: its record and its trace.
pub type RunKey = (RecordId, Option<TraceId>);

/// What is on record about the run `k`, each a look into an index.
const FACTS: &str = "SELECT k.place, \
    (SELECT e.seq FROM ledger_log l JOIN ledger_entry e ON e.tenant_id = $1 AND e.log_id = l.log_id \
        WHERE l.tenant_id = $1 AND l.stream = 'evidence' AND e.record_id = k.record), \
    (SELECT COUNT(*) FROM trace_step c WHERE c.tenant_id = $1 AND c.trace_id = k.trace \
        AND c.content_commitment IS NOT NULL), \
    (SELECT COUNT(*) FROM trace_step c JOIN payload p ON p.tenant_id = $1 AND p.record_id = c.id \
        WHERE c.tenant_id = $1 AND c.trace_id = k.trace AND c.content_commitment IS NOT NULL AND p.part = 'content') \
    FROM {keys}";

impl Store {
    /// Exports by record id; a missing one is absent.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn exports_by_id(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, Stored<LogExport>>>> {
        let wanted = any_id(self.db().backend, log_export::Column::Id.into_expr(), ids)?;
        let select = scoped::<log_export::Entity>(&scope.tenant).filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let found = decode_all(&rows, TABLE, |columns| decode(columns, &scope.tenant))?;
        Ok(Unread(found.into_iter().map(|export| (export.id, export)).collect()))
    }

    /// The exports of each run, newest first, at most [`EXPORTS_OF_RUN_MAX`] of each.
    ///
    /// # Errors
    /// As for [`Self::exports_by_id`].
    pub async fn exports_by_run_id(
        &self,
        scope: &Scope,
        run_ids: &[RunId],
    ) -> Result<Unread<HashMap<RunId, Vec<Stored<LogExport>>>>> {
        let rows = FirstRows {
            table: TABLE,
            columns: &column_list::<log_export::Entity>("c"),
            condition: "c.run_id = k.run",
            order: "c.seq DESC",
            limit: EXPORTS_OF_RUN_MAX,
        };
        let keys = KeyTable::placed(run_ids.len()).texts("run", run_ids.iter().map(RunId::as_str));
        let rows = self.db().rows(rows.statement(self.db(), &scope.tenant, &keys)?).await?;
        let decode = |columns: &mut Columns<'_>| decode(columns, &scope.tenant);
        let mut found = by_place(run_ids.len(), rows, TABLE, decode).await?;
        found.iter_mut().for_each(|exports| exports.sort_by_key(|export| -export.seq));
        Ok(Unread(run_ids.iter().cloned().zip(found).collect()))
    }

    /// When each export was first downloaded; one that never was is absent.
    ///
    /// # Errors
    /// As for [`Self::exports_by_id`].
    pub async fn export_deliveries(
        &self,
        scope: &Scope,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, Timestamp>>> {
        let rows = FirstRows {
            table: "audit_entry",
            columns: "c.occurred_at",
            condition: "c.entity_type = 'LOG_EXPORT' AND c.entity_id = k.name AND c.event_type = 'BundleDownloaded'",
            order: "c.occurred_at, c.seq",
            limit: 1,
        };
        let names: Vec<String> = ids.iter().map(|id| id.typed(IdKind::Export)).collect();
        let keys = KeyTable::placed(names.len()).texts("name", names.iter().map(String::as_str));
        let rows = self.db().rows(rows.statement(self.db(), &scope.tenant, &keys)?).await?;
        let found = by_place(ids.len(), rows, "audit_entry", |columns| columns.field()).await?;
        Ok(Unread(ids.iter().copied().zip(found).filter_map(|(id, first)| Some((id, *first.first()?))).collect()))
    }

    /// What is on record about each run, for its compliance tags.
    ///
    /// # Errors
    /// As for [`Self::exports_by_id`].
    pub async fn run_export_facts(
        &self,
        scope: &Scope,
        runs: &[RunKey],
    ) -> Result<Unread<HashMap<RunKey, RunExportFacts>>> {
        let backend = self.db().backend;
        let keys = KeyTable::placed(runs.len())
            .ids("record", runs.iter().map(|(id, _)| id.0))
            .texts("trace", runs.iter().map(|(_, trace_id)| trace_id.as_ref().map_or("", TraceId::as_str)));
        let sql = FACTS.replace("{keys}", &keys.table(backend, "k", 2));
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, keys.values(backend)?)).await?;
        let found = by_place(runs.len(), rows, TABLE, |columns| {
            Ok(RunExportFacts {
                ledger_seq: columns.take()?,
                content_steps: columns.take()?,
                content_kept: columns.take()?,
            })
        })
        .await?;
        Ok(Unread(
            runs.iter()
                .cloned()
                .zip(found)
                .map(|(run, facts)| (run, facts.into_iter().next().unwrap_or_default()))
                .collect(),
        ))
    }
}
