//! Reads of the logs' entries, and of the records behind these.

use std::collections::HashMap;

use sea_orm::sea_query::SimpleExpr;
use sea_orm::{ColumnTrait, QueryFilter, QueryTrait, Value};

use super::Store;
use super::convert::{Columns, decode_in_turns};
use super::convert::{audit::decode_audit_entry, exports::decode_log_export, incidents::decode_incident_evidence};
use super::convert::{ledger_events::decode_ledger_event, policies::decode_policy_activation, runs::decode_run};
use super::convert::{steps::decode_step, system::decode_system_record, traces::decode_seal};
use super::keytable::Keys;
use super::proofs::decode_entry;
use super::scoped::{Tenanted, any_id, scoped, scoped_statement};
use super::unread::Unread;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::ledger::LedgerEntry;
use crate::domain::record::StoredRecord;
use crate::domain::vocabulary::{RecordKind, Stream};
use crate::entity::{
    audit_entry, incident_evidence, ledger_event, llm_run, log_export, policy_activation, system_record, trace_seal,
    trace_step,
};
use crate::error::Result;

const TABLE: &str = "ledger_entry";
const ENTRY: &str = "e.seq, e.kind, e.record_id, e.leaf_hash";
/// The log's id as a constant of the statement: entries are read along their key.
const IN_LOG: &str =
    "e.tenant_id = $1 AND e.log_id = (SELECT log_id FROM ledger_log WHERE tenant_id = $1 AND stream = $2)";

/// Which entries of a log are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRange<'k> {
    /// The first place that is looked at.
    pub from: i64,
    /// The first place that is not looked at any more.
    pub to: i64,
    /// Only records of these kinds; of every kind where there is none.
    pub kinds: &'k [RecordKind],
    /// Most entries.
    pub limit: u32,
}

impl Store {
    /// Entries of both of a tenant's logs by their records; one that has none is absent.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn entries_of_records(
        &self,
        tenant: &TenantId,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, LedgerEntry>>> {
        let (backend, keys) = (self.db().backend, Keys::records(ids));
        let sql = format!(
            "SELECT {ENTRY} FROM ledger_log l JOIN {TABLE} e ON e.tenant_id = $1 AND e.log_id = l.log_id \
             WHERE l.tenant_id = $1 AND e.record_id {}",
            keys.among(backend, "$2")
        );
        let statement = scoped_statement(self.db(), tenant, sql, [keys.value(backend)?]);
        let entries = decode_in_turns(self.db().rows(statement).await?, TABLE, decode_entry).await?;
        Ok(Unread(entries.into_iter().map(|entry| (entry.record_id, entry)).collect()))
    }

    /// Entries of one of a tenant's logs, in order.
    ///
    /// # Errors
    /// As for [`Self::entries_of_records`].
    pub async fn list_entries(
        &self,
        tenant: &TenantId,
        stream: Stream,
        range: &EntryRange<'_>,
    ) -> Result<Unread<Vec<LedgerEntry>>> {
        let backend = self.db().backend;
        let mut values: Vec<Value> =
            vec![stream.as_str().into(), range.from.into(), range.to.into(), i64::from(range.limit).into()];
        let mut of_kind = String::new();
        if !range.kinds.is_empty() {
            let kinds = Keys::texts(range.kinds.iter().map(|kind| kind.as_str()));
            of_kind = format!("AND e.kind {}", kinds.among(backend, "$6"));
            values.push(kinds.value(backend)?);
        }
        let sql = format!(
            "SELECT {ENTRY} FROM {TABLE} e WHERE {IN_LOG} AND e.seq >= $3 AND e.seq < $4 {of_kind} \
             ORDER BY e.seq LIMIT $5"
        );
        let statement = scoped_statement(self.db(), tenant, sql, values);
        decode_in_turns(self.db().rows(statement).await?, TABLE, decode_entry).await.map(Unread)
    }

    /// Records of one kind by record id, whatever log they stand in; a missing one is absent.
    ///
    /// # Errors
    /// As for [`Self::entries_of_records`].
    pub async fn records_by_id(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, StoredRecord>>> {
        /// Reads a table's rows by their ids.
        macro_rules! read {
            ($table:ident, $variant:ident, |$columns:ident| $decode:expr) => {{
                let rows = self.rows_with_ids::<$table::Entity>(tenant, $table::Column::Id.into_expr(), ids).await?;
                let decode = |$columns: &mut Columns<'_>| Ok(StoredRecord::$variant(Box::new($decode?)));
                decode_in_turns(rows, stringify!($table), decode).await?
            }};
        }
        let records = match kind {
            RecordKind::LlmRun => read!(llm_run, Run, |columns| decode_run(columns, tenant)),
            RecordKind::Trace => {
                let views = self.traces_with_ids(tenant, ids).await?;
                views.into_iter().map(StoredRecord::Trace).collect()
            }
            RecordKind::TraceStep => read!(trace_step, Step, |columns| decode_step(columns, tenant, &mut None)),
            RecordKind::TraceSeal => read!(trace_seal, Seal, |columns| decode_seal(columns, tenant)),
            RecordKind::SystemRecord => read!(system_record, System, |columns| decode_system_record(columns, tenant)),
            RecordKind::AuditEntry => read!(audit_entry, Audit, |columns| decode_audit_entry(columns, tenant)),
            RecordKind::PolicyActivation => {
                read!(policy_activation, Policy, |columns| decode_policy_activation(columns, tenant))
            }
            RecordKind::IncidentEvidence => {
                read!(incident_evidence, Incident, |columns| decode_incident_evidence(columns, tenant))
            }
            RecordKind::LogExport => read!(log_export, Export, |columns| decode_log_export(columns, tenant)),
            RecordKind::Checkpoint | RecordKind::Key | RecordKind::Erase | RecordKind::Hold | RecordKind::Prune => {
                read!(ledger_event, Event, |columns| decode_ledger_event(columns, tenant))
            }
        };
        Ok(Unread(records.into_iter().map(|record| (record.head().id, record)).collect()))
    }

    async fn rows_with_ids<E: Tenanted>(
        &self,
        tenant: &TenantId,
        id: SimpleExpr,
        ids: &[RecordId],
    ) -> Result<Vec<sea_orm::QueryResult>> {
        let backend = self.db().backend;
        self.db().rows(scoped::<E>(tenant).filter(any_id(backend, id, ids)?).build(backend)).await
    }
}
