//! The hashes that proofs and tiles are made of: short ranges of entries and nodes.

use std::collections::HashMap;

use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter, QueryTrait, Statement, Value};
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, decode_all, decode_in_turns};
use super::scoped::any_id;
use super::unread::Unread;
use crate::domain::ids::{Digest, RecordId};
use crate::domain::ledger::{LedgerEntry, LedgerLog};
use crate::error::{Error, Result};
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
            let rows = self.db().rows(self.select_hashes(log.log_id, &spans, is_node)?).await?;
            let table = if is_node { NODE } else { ENTRY };
            let decode = |columns: &mut Columns<'_>| Ok(((columns.take()?, columns.take()?), columns.field()?));
            found.extend(decode_in_turns(rows, table, decode).await?);
        }
        let of =
            |span: &Span| (span.from..span.to).filter_map(|place| found.get(&(span.level, place)).copied()).collect();
        Ok(spans.iter().map(of).collect())
    }

    fn select_hashes(&self, log_id: Uuid, spans: &[Span], is_node: bool) -> Result<Statement> {
        let (table, place, hash) = if is_node { (NODE, "idx", "hash") } else { (ENTRY, "seq", "leaf_hash") };
        let same_level = if is_node { "c.level = r.level AND" } else { "" };
        let inside = format!("c.log_id = $1 AND {same_level} c.{place} >= r.from_idx AND c.{place} < r.to_idx");
        if self.db().backend == DbBackend::Postgres {
            let array = |part: fn(&Span) -> i64| {
                let values = spans.iter().map(|span| part(span).into()).collect();
                Value::Array(ArrayType::BigInt, Some(Box::new(values)))
            };
            let sql = format!(
                "SELECT r.level, c.{place}, c.{hash} FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) \
                 AS r(level, from_idx, to_idx) CROSS JOIN LATERAL (SELECT * FROM {table} c WHERE {inside} \
                 ORDER BY c.{place}) c"
            );
            let arrays = [array(|span| span.level), array(|span| span.from), array(|span| span.to)];
            return Ok(self.db().statement(sql, std::iter::once(log_id.into()).chain(arrays)));
        }
        let spans: Vec<[i64; 3]> = spans.iter().map(|span| [span.level, span.from, span.to]).collect();
        let spans = serde_json::to_string(&spans).map_err(Error::internal)?;
        let sql = format!(
            "WITH r AS MATERIALIZED (SELECT json_extract(value, '$[0]') AS level, json_extract(value, '$[1]') AS from_idx, \
             json_extract(value, '$[2]') AS to_idx FROM json_each($2)) \
             SELECT r.level, c.{place}, c.{hash} FROM r CROSS JOIN {table} c WHERE {inside}"
        );
        Ok(self.db().statement(sql, [log_id.into(), spans.into()]))
    }

    /// The entries from one place to before another, in order.
    ///
    /// # Errors
    /// As for [`Self::hashes`].
    pub async fn entries_between(&self, log: &LedgerLog, from: i64, to: i64) -> Result<Unread<Vec<LedgerEntry>>> {
        let sql = "SELECT seq, kind, record_id, leaf_hash FROM ledger_entry \
                   WHERE log_id = $1 AND seq >= $2 AND seq < $3 ORDER BY seq";
        let statement = self.db().statement(sql, [log.log_id.into(), from.into(), to.into()]);
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
        use crate::entity::ledger_entry::{Column, Entity};
        let backend = self.db().backend;
        let log_ids: Vec<RecordId> = logs.iter().map(|log| RecordId(log.log_id)).collect();
        let select = Entity::find().filter(any_id(backend, Column::LogId.into_expr(), &log_ids)?).filter(any_id(
            backend,
            Column::RecordId.into_expr(),
            ids,
        )?);
        decode_all(&self.db().rows(select.build(backend)).await?, ENTRY, |columns| {
            Ok((columns.take()?, decode_entry(columns)?))
        })
        .map(Unread)
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
