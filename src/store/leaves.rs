//! Leaves, rebuilt from the columns that every other read serves.

use std::collections::HashMap;

use super::Store;
use super::convert::give_way;
use super::kinds::Table;
use super::unread::Unread;
use crate::domain::ids::RecordId;
use crate::domain::ledger::{LedgerEntry, LedgerLog};
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;
use crate::ledger::canonical;

impl Store {
    /// The leaves of these entries by record; a record that is gone is absent. One statement a kind. Whether a leaf is
    /// what its entry says is for the caller to see.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn leaves(&self, log: &LedgerLog, entries: &[LedgerEntry]) -> Result<Unread<HashMap<RecordId, Vec<u8>>>> {
        let mut by_table: HashMap<Table, (RecordKind, Vec<RecordId>)> = HashMap::new();
        for entry in entries {
            by_table.entry(Table::of(entry.kind)).or_insert((entry.kind, Vec::new())).1.push(entry.record_id);
        }
        let mut leaves = HashMap::with_capacity(entries.len());
        for (kind, ids) in by_table.into_values() {
            for (id, record) in self.records_by_id(&log.tenant_id, kind, &ids).await?.0 {
                give_way(leaves.len()).await;
                leaves.insert(id, canonical::leaf(record.head(), record.record()));
            }
        }
        Ok(Unread(leaves))
    }
}
