//! A pass over a log: windows, then what stands behind the end.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::convert::Columns;
use super::super::database::Database;
use super::landmarks::{self, NotedCheckpoints};
use super::window::{Prepared, Reader};
use super::{Checked, Progress, WINDOW, lookups};
use crate::domain::verification::{Anomaly, AnomalyKind, TrustedPosition};
use crate::error::{Error, Result};
use crate::ledger::tree::{CompactRange, NODE_LEVEL_BITS};
use crate::ledger::verify::LogVerifier;
use crate::ledger::verify::tree::Landmark;

/// Windows that are prepared beside each other.
const WINDOWS: usize = 3;
/// Places behind the last entry that are looked at where the head says that there are more.
const TAIL_MAX: i64 = 1_000_000;

/// A pass over a log.
pub(super) struct Pass<'p> {
    reader: Arc<Reader>,
    verifier: LogVerifier,
    noted: NotedCheckpoints<'p>,
    /// States that are vouched for outside of the database, the smallest first: the trusted one and those of receipts.
    outside: VecDeque<Landmark>,
    progress: &'p Progress,
    payloads: i64,
    erased: i64,
    tags: i64,
}

impl<'p> Pass<'p> {
    pub async fn new(
        db: &'p Database,
        reader: Reader,
        start: &CompactRange,
        trusted: Option<&TrustedPosition>,
        progress: &'p Progress,
    ) -> Result<Self> {
        let from = start.size().cast_signed();
        let noted = NotedCheckpoints::behind(db, &reader.head, from).await?;
        let outside = trusted.filter(|trusted| trusted.size > from).map(|trusted| Landmark {
            size: trusted.size,
            root: trusted.root,
            kind: AnomalyKind::Fork,
            name: "the position that was last verified from here".to_owned(),
        });
        let outside = outside.into_iter().collect();
        let verifier = LogVerifier::new(start);
        Ok(Self { reader: Arc::new(reader), verifier, noted, outside, progress, payloads: 0, erased: 0, tags: 0 })
    }

    pub fn found(&mut self, finding: Anomaly) {
        self.verifier.found(finding);
    }

    /// Adds states that somebody vouches for outside of the database.
    pub fn vouch(&mut self, landmarks: impl IntoIterator<Item = Landmark>) {
        self.outside.extend(landmarks);
        self.outside.make_contiguous().sort_by_key(|landmark| landmark.size);
    }

    /// Goes through the places from `from` to `to`.
    pub async fn run(&mut self, from: i64, to: i64) -> Result<()> {
        let (mut next, mut waiting) = (from, VecDeque::with_capacity(WINDOWS));
        loop {
            while next < to && waiting.len() < WINDOWS {
                // One window's entries after the other's, because only they say where the next one begins.
                let entries = self.reader.entries(next, to).await?;
                let is_full = i64::try_from(entries.len()).is_ok_and(|count| count == WINDOW);
                let end = entries.last().filter(|_| is_full).map_or(to, |entry| entry.seq + 1);
                waiting.push_back(tokio::spawn(Arc::clone(&self.reader).prepare(entries, next, end)));
                next = end;
            }
            let Some(first) = waiting.pop_front() else { return Ok(()) };
            self.window(first.await.map_err(Error::internal)??).await?;
        }
    }

    async fn window(&mut self, prepared: Prepared) -> Result<()> {
        let Prepared { mut window, payloads, erased, tags } = prepared;
        self.payloads += payloads;
        self.erased += erased;
        self.tags += tags;
        let to = window.to;
        let noted = self.noted.up_to(to).await?;
        let (noted, findings) = self.reader.judge(&noted);
        window.findings.extend(findings);
        window.landmarks.extend(noted);
        while let Some(landmark) = self.outside.pop_front_if(|landmark| landmark.size <= to) {
            window.landmarks.push(landmark);
        }
        window.landmarks.sort_by_key(|landmark| landmark.size);
        let lonely = self.verifier.window(window);
        if !lonely.is_empty() {
            self.verifier.resolve(lookups::locate(&self.reader.db, &self.reader.head, lonely).await?);
        }
        (self.progress)(to, self.reader.head.end);
        Ok(())
    }

    /// Where head and entries do not end together: is it the head that is wrong, or the entries?
    pub async fn behind_the_end(&mut self) -> Result<()> {
        let reader = Arc::clone(&self.reader);
        let (db, head) = (&reader.db, &reader.head);
        let (shorter, longer) = (head.size.min(head.end), head.size.max(head.end));
        if shorter < longer && !self.verifier.is_root(head.root) {
            self.run(shorter, longer.min(shorter.saturating_add(TAIL_MAX))).await?;
        } else {
            for finding in lookups::beyond(db, head, reader.stream).await? {
                self.found(finding);
            }
        }
        self.nodes_beyond().await?;
        // What is left of the trusted position was told when the pass began.
        let vouched = self.outside.drain(..).filter(|landmark| landmark.kind == AnomalyKind::Rewritten);
        let mut largest = vouched.max_by_key(|landmark| landmark.size);
        let mut notes = landmarks::beyond(db, head).await?;
        // Page by page: of a long log that was cut off there may be very many.
        loop {
            let (landmarks, findings) = reader.judge(&notes);
            findings.into_iter().for_each(|finding| self.found(finding));
            largest = largest.into_iter().chain(landmarks).max_by_key(|landmark| landmark.size);
            notes = self.noted.next_page().await?;
            if notes.is_empty() {
                break;
            }
        }
        // What was noted while this pass ran lies behind the end that it began with, and is no finding.
        let end = self.end_now().await?;
        if let Some(largest) = largest.filter(|one| one.size > end) {
            self.found(landmarks::truncated(&largest, end));
        }
        Ok(())
    }

    /// Where the log ends by now, by its head and by its entries: the smaller of the two.
    async fn end_now(&self) -> Result<i64> {
        let sql = "SELECT l.size, COALESCE((SELECT MAX(e.seq) + 1 FROM ledger_entry e \
                   WHERE e.tenant_id = $1 AND e.log_id = l.log_id), 0) \
                   FROM ledger_log l WHERE l.tenant_id = $1 AND l.log_id = $2";
        let rows = self.reader.rows_of_log(sql.to_owned(), []).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        let mut columns = Columns::of(row, "ledger_log")?;
        Ok(columns.take::<i64>()?.min(columns.take()?))
    }

    /// Nodes of subtrees that the log does not have.
    async fn nodes_beyond(&mut self) -> Result<()> {
        let mut findings = Vec::new();
        // A level 8 would be more entries than there are numbers for.
        let levels = i64::from(u64::BITS / NODE_LEVEL_BITS);
        for level in 1..levels {
            let shift = i64::from(NODE_LEVEL_BITS) * level;
            let sql = format!(
                "SELECT n.idx FROM ledger_node n WHERE n.tenant_id = $1 AND n.log_id = $2 AND n.level = {level} \
                 AND n.idx >= ((SELECT l.size FROM ledger_log l WHERE l.tenant_id = $1 AND l.log_id = $2) >> {shift}) \
                 ORDER BY n.idx LIMIT 100"
            );
            for row in self.reader.rows_of_log(sql, []).await? {
                findings.push((level, Columns::of(&row, "ledger_node")?.take::<i64>()?));
            }
        }
        let sql = "SELECT level, idx FROM ledger_node WHERE tenant_id = $1 AND log_id = $2 AND level >= $3 \
                   ORDER BY level, idx LIMIT 100";
        for row in self.reader.rows_of_log(sql.to_owned(), [levels.into()]).await? {
            let mut columns = Columns::of(&row, "ledger_node")?;
            findings.push((columns.take()?, columns.take()?));
        }
        for (level, idx) in findings {
            let detail = format!("a node {idx} of level {level}, which this log is too short for");
            self.found(Anomaly::new(AnomalyKind::Tree, detail).field("ledger_node"));
        }
        Ok(())
    }

    pub async fn finish(self, from: i64) -> Result<Checked> {
        let Self { reader, verifier, payloads, erased, tags, .. } = self;
        let ending = reader.head.ending();
        // Edge and root are as many hashes as the size has bits: nothing to wait for.
        let outcome = verifier.finish(&ending);
        Ok(Checked { from, outcome, payloads, erased, tags })
    }
}
