//! The hashes that proofs and tiles are made of: short ranges of entries and nodes.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, DbBackend, QueryFilter, QueryTrait, Statement};
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, decode_all, decode_in_turns};
use super::keytable::KeyTable;
use super::scoped::{any_id, scoped, scoped_statement};
use super::unread::Unread;
use crate::domain::ids::{Digest, RecordId};
use crate::domain::ledger::{LedgerEntry, LedgerLog};
use crate::entity::ledger_entry;
use crate::error::Result;
use crate::ledger::proof::Span;

const ENTRY: &str = "ledger_entry";
const NODE: &str = "ledger_node";

impl Store {
    /// The hashes of each span, in order; spans may overlap. One statement for leaves and one for everything above. A hash
    /// that is not there is left out, so that its span has fewer than it should.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn hashes(&self, log: &LedgerLog, spans: &[Span]) -> Result<Vec<Vec<Digest>>> {
        let (leaves, nodes): (Vec<Span>, Vec<Span>) = merged(spans).into_iter().partition(|span| span.level == 0);
        let mut found: HashMap<(i64, i64), Digest> = HashMap::new();
        for (spans, is_node) in [(leaves, false), (nodes, true)] {
            if spans.is_empty() {
                continue;
            }
            let rows = self.db().rows(self.select_hashes(log, &spans, is_node)?).await?;
            let table = if is_node { NODE } else { ENTRY };
            let decode = |columns: &mut Columns<'_>| Ok(((columns.take()?, columns.take()?), columns.field()?));
            found.extend(decode_in_turns(rows, table, decode).await?);
        }
        let of =
            |span: &Span| (span.from..span.to).filter_map(|place| found.get(&(span.level, place)).copied()).collect();
        Ok(spans.iter().map(of).collect())
    }

    fn select_hashes(&self, log: &LedgerLog, spans: &[Span], is_node: bool) -> Result<Statement> {
        let (table, place, hash) = if is_node { (NODE, "idx", "hash") } else { (ENTRY, "seq", "leaf_hash") };
        let same_level = if is_node { "c.level = r.level AND" } else { "" };
        let inside = format!(
            "c.tenant_id = $1 AND c.log_id = $2 AND {same_level} c.{place} >= r.from_idx AND c.{place} < r.to_idx"
        );
        let keys = KeyTable::new()
            .numbers("level", spans.iter().map(|span| span.level))
            .numbers("from_idx", spans.iter().map(|span| span.from))
            .numbers("to_idx", spans.iter().map(|span| span.to));
        let backend = self.db().backend;
        let spans = keys.table(backend, "r", 3);
        let sql = if backend == DbBackend::Postgres {
            format!(
                "SELECT r.level, c.{place}, c.{hash} FROM {spans} CROSS JOIN LATERAL (SELECT * FROM {table} c \
                 WHERE {inside} ORDER BY c.{place}) c"
            )
        } else {
            format!(
                "WITH r AS MATERIALIZED (SELECT * FROM {spans}) \
                 SELECT r.level, c.{place}, c.{hash} FROM r CROSS JOIN {table} c WHERE {inside}"
            )
        };
        let values = std::iter::once(log.log_id.into()).chain(keys.values(backend)?);
        Ok(scoped_statement(self.db(), &log.tenant_id, sql, values))
    }

    /// The entries from one place to before another, in order.
    ///
    /// # Errors
    /// As for [`Self::hashes`].
    pub async fn entries_between(&self, log: &LedgerLog, from: i64, to: i64) -> Result<Unread<Vec<LedgerEntry>>> {
        let sql = "SELECT seq, kind, record_id, leaf_hash FROM ledger_entry \
                   WHERE tenant_id = $1 AND log_id = $2 AND seq >= $3 AND seq < $4 ORDER BY seq";
        let values = [log.log_id.into(), from.into(), to.into()];
        let statement = scoped_statement(self.db(), &log.tenant_id, sql.to_owned(), values);
        decode_in_turns(self.db().rows(statement).await?, ENTRY, decode_entry).await.map(Unread)
    }

    /// The entries of records in any of these logs, with their logs' ids; a record that is in none is absent.
    ///
    /// # Errors
    /// As for [`Self::hashes`].
    pub async fn entries_by_record_id(
        &self,
        logs: &[LedgerLog],
        ids: &[RecordId],
    ) -> Result<Unread<Vec<(Uuid, LedgerEntry)>>> {
        use ledger_entry::Column as C;
        let backend = self.db().backend;
        let mut logs: Vec<&LedgerLog> = logs.iter().collect();
        logs.sort_by(|left, right| left.tenant_id.cmp(&right.tenant_id));
        let mut found = Vec::new();
        for logs in logs.chunk_by(|left, right| left.tenant_id == right.tenant_id) {
            let Some(LedgerLog { tenant_id, .. }) = logs.first() else { continue };
            let log_ids: Vec<RecordId> = logs.iter().map(|log| RecordId(log.log_id)).collect();
            let select = scoped::<ledger_entry::Entity>(tenant_id)
                .filter(any_id(backend, C::LogId.into_expr(), &log_ids)?)
                .filter(any_id(backend, C::RecordId.into_expr(), ids)?);
            found.extend(decode_all(&self.db().rows(select.build(backend)).await?, ENTRY, |columns| {
                columns.skip(1);
                Ok((columns.take()?, decode_entry(columns)?))
            })?);
        }
        Ok(Unread(found))
    }
}

pub(super) fn decode_entry(columns: &mut Columns<'_>) -> Result<LedgerEntry> {
    Ok(LedgerEntry {
        seq: columns.take()?,
        kind: columns.field()?,
        record_id: columns.id()?,
        leaf_hash: columns.field()?,
    })
}

/// The same hashes without overlaps, in order.
fn merged(spans: &[Span]) -> Vec<Span> {
    let mut sorted = spans.to_vec();
    sorted.sort_unstable_by_key(|span| (span.level, span.from));
    let mut merged: Vec<Span> = Vec::with_capacity(sorted.len());
    for span in sorted {
        match merged.last_mut() {
            Some(last) if last.level == span.level && span.from <= last.to => last.to = last.to.max(span.to),
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_spans_are_read_once() {
        let span = |level, from, to| Span { level, from, to };
        let spans = [span(1, 0, 4), span(0, 8, 16), span(0, 0, 8), span(0, 3, 5), span(0, 20, 21), span(1, 5, 6)];
        assert_eq!(merged(&spans), [span(0, 0, 16), span(0, 20, 21), span(1, 0, 4), span(1, 5, 6)]);
    }
}
