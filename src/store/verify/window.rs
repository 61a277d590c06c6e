//! One stretch of a log, read and rebuilt. Stretches are prepared beside each other: the database reads one while another's
//! leaves are hashed.

use std::sync::Arc;

use sea_orm::{QueryResult, Value};

use super::super::convert::Columns;
use super::super::database::Database;
use super::landmarks::{self, Keys, StoredNote};
use super::records::{RecordRow, Table};
use super::{LogHead, WINDOW, payloads, places, rows_of_log};
use crate::domain::verification::Anomaly;
use crate::domain::vocabulary::{RecordKind, Stream};
use crate::error::{Error, Result};
use crate::ledger::tree::{NODE_LEVEL_BITS, Node};
use crate::ledger::verify::tree::Landmark;
use crate::ledger::verify::{EntryRow, Window};

/// What every window of a pass is read with.
pub(super) struct Reader {
    pub db: Database,
    pub head: LogHead,
    pub stream: Stream,
    /// The tables that have rows of this log.
    pub tables: Vec<Table>,
    pub keys: Keys,
}

/// A window, and what was counted in it.
pub(super) struct Prepared {
    pub window: Window,
    /// Payloads that are there and were checked.
    pub payloads: i64,
    /// Payloads that an erase or prune record names.
    pub erased: i64,
    /// Tags of runs that stand in the side table.
    pub tags: i64,
}

impl Reader {
    /// Entries from a place on: at most a window of them.
    pub async fn entries(&self, from: i64, to: i64) -> Result<Vec<EntryRow>> {
        let sql = format!(
            "SELECT seq, kind, record_id, leaf_hash FROM ledger_entry WHERE tenant_id = $1 AND log_id = $2 \
             AND seq >= $3 AND seq < $4 ORDER BY seq LIMIT {WINDOW}"
        );
        let rows = self.rows_of_log(sql, [from.into(), to.into()]).await?;
        rows.iter().map(decode_entry).collect()
    }

    /// Rows of a statement that is of this log: its tenant is `$1`, its id `$2`.
    pub async fn rows_of_log(
        &self,
        sql: String,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<QueryResult>> {
        rows_of_log(&self.db, &self.head, sql, values).await
    }

    /// Everything else in a window.
    pub async fn prepare(self: Arc<Self>, entries: Vec<EntryRow>, from: i64, to: i64) -> Result<Prepared> {
        let (db, tenant) = (&self.db, &self.head.tenant);
        let mut raw = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            raw.push((*table, table.rows(db, tenant, self.stream, from, to).await?));
        }
        let notes = landmarks::within(db, &self.head, from, to).await?;
        let nodes = self.nodes(from, to).await?;
        let reader = Arc::clone(&self);
        let computed = db.bulk.run(move || {
            let mut rows: Vec<RecordRow> = Vec::new();
            for (table, raw) in raw {
                for row in &raw {
                    // Its hash is all that is wanted of a leaf here.
                    rows.push(RecordRow { leaf: None, ..table.rebuild(row, &reader.head.tenant)? });
                }
            }
            rows.sort_by_key(|row| row.rebuilt.seq);
            let (landmarks, findings) = reader.judge(&notes);
            Ok::<_, Error>((rows, landmarks, findings))
        });
        let (rows, landmarks, mut findings) = computed.await??;
        let payloads = payloads::check(db, tenant, &rows).await?;
        findings.extend(payloads.findings);
        findings.extend(places::check_steps(db, tenant, &rows).await?);
        let (missing, tags) = places::check_tags(db, tenant, &rows).await?;
        findings.extend(missing);
        let records = rows.into_iter().map(|row| row.rebuilt).collect();
        let window = Window { from, to, entries, records, nodes, landmarks, findings };
        Ok(Prepared { window, payloads: payloads.present, erased: payloads.erased, tags })
    }

    /// What checkpoints vouch for, and what is wrong with them.
    pub fn judge(&self, notes: &[StoredNote]) -> (Vec<Landmark>, Vec<Anomaly>) {
        let (mut landmarks, mut findings) = (Vec::new(), Vec::new());
        for note in notes {
            match note.judge(&self.keys, &self.head) {
                Ok(landmark) => landmarks.push(landmark),
                Err(finding) => findings.push(finding),
            }
        }
        (landmarks, findings)
    }

    /// Stored nodes of the subtrees that end in the window.
    async fn nodes(&self, from: i64, to: i64) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        for level in 1..i64::from(u64::BITS / NODE_LEVEL_BITS) {
            let shift = level * i64::from(NODE_LEVEL_BITS);
            let (first, end) = (from >> shift, to >> shift);
            if first == end {
                break;
            }
            let sql = format!(
                "SELECT idx, hash FROM ledger_node WHERE tenant_id = $1 AND log_id = $2 AND level = $3 \
                 AND idx >= $4 AND idx < $5 ORDER BY idx LIMIT {WINDOW}"
            );
            for row in self.rows_of_log(sql, [level.into(), first.into(), end.into()]).await? {
                let mut columns = Columns::of(&row, "ledger_node")?;
                let idx = columns.take()?;
                // One that does not read is as good as missing.
                if let Ok(hash) = columns.field() {
                    nodes.push(Node { level, idx, hash });
                }
            }
        }
        Ok(nodes)
    }
}

/// `seq, kind, record_id, leaf_hash` of an entry.
pub(super) fn decode_entry(row: &QueryResult) -> Result<EntryRow> {
    let mut columns = Columns::of(row, "ledger_entry")?;
    Ok(EntryRow {
        seq: columns.take()?,
        kind: RecordKind::parse(columns.take::<&str>()?),
        record_id: columns.id().ok(),
        leaf_hash: columns.field().ok().flatten(),
    })
}
