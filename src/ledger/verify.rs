//! Verification of one log: a state machine that is fed with rows in the order of `seq` and keeps a bounded amount of
//! them, whatever the log's size. Pure; `store` reads the rows, rebuilds leaves from columns and asks what is asked here.
//!
//! What a second verifier has to do to come to the same findings:
//! - **Leaves** are rebuilt from the columns ([`canonical`](super::canonical)), never taken from a stored hash, and
//!   compared with the entry of the same `seq`. See [`matching`].
//! - **Tree**: each block of 256 entry hashes is hashed and compared with its node of level 1; nodes of higher levels are
//!   compared with what the level below gives; what remains with the log's edge and root. See [`tree`].
//! - **Gaps**: an entry that is missing is stood in for by its record's rebuilt leaf; where that is gone too, the stored
//!   node of its block goes into the tree instead, so that one gap does not make everything behind it unknown.
//! - **Checkpoints** are compared with the root at their size while the tree passes it. Where a block's node disagrees
//!   with its entries, a checkpoint may agree with either: the block is reported, not the checkpoint.
//! - **Assigned columns**: `seq` must be the entry's; `step_index` and `is_late` are recomputed. See [`steps`].
//! - **Payloads** are hashed with salt and part and compared with the commitment in their record.
//! - **Receipts** that others kept hold originals and checkpoints; the one shows which columns were altered, the other that
//!   a log which agrees with itself is not the one that was signed. See [`originals`].

pub mod findings;
pub mod matching;
pub mod originals;
pub mod range;
pub mod steps;
#[cfg(test)]
mod tests;
pub mod tree;

use crate::domain::ids::{Digest, RecordId};
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;

use findings::Findings;
use matching::{Lonely, Matcher};
use tree::{Landmark, TreeCheck};

use super::tree::{CompactRange, Node};

/// How far `created_at` may fall behind its predecessor's: several processes have several clocks.
const CLOCK_SKEW_US: i64 = 5 * MICROS_PER_SECOND;

/// An entry as its row says it; `None` where a column holds what nothing of ours writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Its place.
    pub seq: i64,
    /// The kind of its record.
    pub kind: Option<RecordKind>,
    /// Its record.
    pub record_id: Option<RecordId>,
    /// Its leaf's hash.
    pub leaf_hash: Option<Digest>,
}

/// Why a row gives no leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The column that holds what nothing of ours writes.
    pub column: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What a record's columns give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The place that its `seq` column says.
    pub seq: i64,
    /// The kind that its table and columns say; `None` where they do not read.
    pub kind: Option<RecordKind>,
    /// Its id; `None` where it does not read.
    pub id: Option<RecordId>,
    /// When it was handed to the ledger.
    pub created_at: Option<Timestamp>,
    /// The hash of the leaf that its columns give.
    pub leaf_hash: Result<Digest, Unreadable>,
    /// Whether it is a trace of the ledger watching itself: a verification's audit entry, a noted checkpoint.
    pub is_own: bool,
}

/// A stretch of a log, with everything that stands in it.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The first place.
    pub from: i64,
    /// One past the last place.
    pub to: i64,
    /// Entries, in the order of `seq`.
    pub entries: Vec<EntryRow>,
    /// Records whose `seq` lies in it, in that order.
    pub records: Vec<Rebuilt>,
    /// Stored nodes of the subtrees that end in it.
    pub nodes: Vec<Node>,
    /// Signed and trusted states whose size lies in it, ascending.
    pub landmarks: Vec<Landmark>,
    /// What was found while it was read.
    pub findings: Vec<Anomaly>,
}

/// How a log ends, as its head says.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The size of the head.
    pub size: i64,
    /// The root of the head; `None` where it does not read.
    pub root: Option<Digest>,
    /// The edge of the head.
    pub edge: Vec<u8>,
}

/// What a pass over a log found.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong.
    pub findings: Findings,
    /// The root that the entries give; `None` where it could not be computed.
    pub root: Option<Digest>,
    /// Entries that were looked at.
    pub entry_count: i64,
    /// Whether any of them is more than the ledger watching itself.
    pub has_news: bool,
}

/// Checks one log.
#[derive(Debug)]
pub struct LogVerifier {
    findings: Findings,
    matcher: Matcher,
    tree: TreeCheck,
    next: i64,
    entry_count: i64,
    has_news: bool,
    last_created_at: Option<Timestamp>,
}

impl LogVerifier {
    /// Begins behind a tree that is taken on trust; the empty one for a full verification.
    #[must_use]
    pub fn new(start: &CompactRange) -> Self {
        Self {
            findings: Findings::default(),
            matcher: Matcher::default(),
            tree: TreeCheck::new(start),
            next: start.size().cast_signed(),
            entry_count: 0,
            has_news: false,
            last_created_at: None,
        }
    }

    /// Takes the next window. What stands alone in it must be looked for elsewhere and come back to [`Self::resolve`].
    pub fn window(&mut self, window: Window) -> Vec<Lonely> {
        window.findings.into_iter().for_each(|finding| self.findings.push(finding));
        self.clocks(&window.records);
        self.has_news |= window.records.iter().any(|record| !record.is_own);
        self.entry_count += i64::try_from(window.entries.len()).unwrap_or(i64::MAX);
        self.tree.begin(window.nodes, window.landmarks, &mut self.findings);
        let mut records = window.records.as_slice();
        let mut lonely = Vec::new();
        for entry in &window.entries {
            self.gap(entry.seq, &mut records, &mut lonely);
            let here = take_at(&mut records, entry.seq);
            self.matcher.entry(entry, here, &mut lonely, &mut self.findings);
            self.tree.push(entry.leaf_hash, &mut self.findings);
            self.next = entry.seq + 1;
        }
        self.gap(window.to, &mut records, &mut lonely);
        lonely
    }

    /// Takes back what [`Self::window`] gave, with where its record or entry was found.
    pub fn resolve(&mut self, lonely: Vec<Lonely>) {
        self.matcher.resolve(lonely, &mut self.findings);
    }

    /// Whether the head's root is that of the entries so far.
    #[must_use]
    pub fn is_root(&self, root: Option<Digest>) -> bool {
        self.tree.is_root(root)
    }

    /// Adds what was found outside of the windows.
    pub fn found(&mut self, finding: Anomaly) {
        self.findings.push(finding);
    }

    /// Compares the end with the head.
    #[must_use]
    pub fn finish(mut self, ending: &Ending) -> Outcome {
        self.matcher.finish(&mut self.findings);
        let root = self.tree.finish(ending, &mut self.findings);
        self.findings.sort();
        Outcome { findings: self.findings, root, entry_count: self.entry_count, has_news: self.has_news }
    }

    /// Places without an entry, up to `to`.
    fn gap(&mut self, to: i64, records: &mut &[Rebuilt], lonely: &mut Vec<Lonely>) {
        while self.next < to {
            // Runs of places that hold nothing at all are skipped at once: a forged `seq` may make them very long.
            let next_record = records.first().map_or(to, |record| record.seq.clamp(self.next, to));
            if next_record > self.next {
                self.deleted(self.next, next_record, None);
                self.tree.skip((next_record - self.next).cast_unsigned(), &mut self.findings);
                self.next = next_record;
                continue;
            }
            match take_at(records, self.next) {
                [only] => {
                    self.deleted(self.next, self.next + 1, Some(only));
                    self.tree.push(only.leaf_hash.as_ref().ok().copied(), &mut self.findings);
                }
                several => {
                    self.deleted(self.next, self.next + 1, None);
                    lonely.extend(several.iter().map(|record| Lonely::record(record, None)));
                    self.tree.push(None, &mut self.findings);
                }
            }
            self.next += 1;
        }
    }

    fn deleted(&mut self, from: i64, to: i64, record: Option<&Rebuilt>) {
        let mut finding = match record {
            None => Anomaly::new(AnomalyKind::Deleted, format!("no entry and no record at {}", places(from, to))),
            Some(_) => Anomaly::new(AnomalyKind::Deleted, format!("no entry at {from}, whose record is there"))
                .field("ledger_entry"),
        };
        finding = finding.within(from, to);
        if let Some(Rebuilt { kind: Some(kind), id: Some(id), .. }) = record {
            finding = finding.of(*kind, *id);
        }
        self.findings.push(finding);
    }

    fn clocks(&mut self, records: &[Rebuilt]) {
        for record in records {
            let Some(created_at) = record.created_at else { continue };
            if let Some(before) = self.last_created_at
                && before.since(created_at) > CLOCK_SKEW_US
            {
                let behind = before.since(created_at) / MICROS_PER_SECOND;
                let detail = format!("created_at falls {behind} s behind that of the record before");
                let mut finding = Anomaly::new(AnomalyKind::Clock, detail).at(record.seq).field("created_at");
                (finding.record_kind, finding.record_id) = (record.kind, record.id);
                self.findings.push(finding);
            }
            self.last_created_at = Some(created_at);
        }
    }
}

/// Splits off the records at one place; those before it cannot be: gaps took them.
fn take_at<'r>(records: &mut &'r [Rebuilt], seq: i64) -> &'r [Rebuilt] {
    let count = records.iter().take_while(|record| record.seq <= seq).count();
    let (here, rest) = records.split_at(count);
    *records = rest;
    here
}

fn places(from: i64, to: i64) -> String {
    if to == from + 1 { from.to_string() } else { format!("{from} to {}", to - 1) }
}
