//! Reads of the logs' entries, and of the records behind these.

use std::collections::HashMap;

use sea_orm::Value;

use super::Store;
use super::convert::{decode_in_turns, give_way};
use super::keytable::Keys;
use super::kinds::Table;
use super::proofs::decode_entry;
use super::scoped::scoped_statement;
use super::unread::Unread;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::ledger::LedgerEntry;
use crate::domain::record::StoredRecord;
use crate::domain::vocabulary::{RecordKind, Stream};
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
        let table = Table::of(kind);
        let records: Vec<StoredRecord> = if table == Table::Trace {
            self.traces_with_ids(tenant, ids).await?.into_iter().map(StoredRecord::Trace).collect()
        } else {
            let (backend, keys) = (self.db().backend, Keys::records(ids));
            let (columns, name, among) = (table.columns("t"), table.name(), keys.among(backend, "$2"));
            let sql = format!("SELECT {columns} FROM {name} t WHERE t.tenant_id = $1 AND t.id {among}");
            let rows = self.db().rows(scoped_statement(self.db(), tenant, sql, [keys.value(backend)?])).await?;
            let mut records = Vec::with_capacity(rows.len());
            for row in rows {
                give_way(records.len()).await;
                records.push(table.read(&row, tenant)?);
            }
            records
        };
        Ok(Unread(records.into_iter().map(|record| (record.head().id, record)).collect()))
    }
}
