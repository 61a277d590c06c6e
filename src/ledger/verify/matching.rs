//! Entries against records, in both directions.
//!
//! Where an entry and the record at its place disagree, the record's row was altered or moved, or the entry was. An entry
//! whose record is not at its place, and a record without an entry there, are *lonely*: they are looked up by id, wherever
//! they may be. What is found elsewhere was REORDERED, what is found nowhere was DELETED or INSERTED. Leaves that differ
//! are kept until the end, to see whether their hashes stand at each other's places.

use std::collections::{HashMap, HashSet};

use super::findings::Findings;
use super::{EntryRow, Rebuilt, Unreadable};
use crate::domain::ids::{Digest, RecordId};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;

/// Differing leaves and moved records that are kept; more are reported each for itself.
const KEPT_MAX: usize = 4_096;

/// One half of a pair whose other half is not where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lonely {
    /// Whether it is an entry without its record; else a record without its entry.
    pub is_entry: bool,
    /// Its place.
    pub seq: i64,
    /// The kind that it says.
    pub kind: Option<RecordKind>,
    /// The record.
    pub id: Option<RecordId>,
    /// The id of what stands at this place instead, where exactly one record does.
    pub instead: Option<RecordId>,
    /// Where the other half was found.
    pub elsewhere: Option<i64>,
}

impl Lonely {
    pub(super) fn record(record: &Rebuilt, instead: Option<RecordId>) -> Self {
        let Rebuilt { seq, kind, id, .. } = record;
        Self { is_entry: false, seq: *seq, kind: *kind, id: *id, instead, elsewhere: None }
    }

    fn entry(entry: &EntryRow, instead: Option<RecordId>) -> Self {
        let EntryRow { seq, kind, record_id, .. } = entry;
        Self { is_entry: true, seq: *seq, kind: *kind, id: *record_id, instead, elsewhere: None }
    }
}

/// A leaf that is not its entry's.
#[derive(Debug)]
struct Differing {
    seq: i64,
    kind: RecordKind,
    id: RecordId,
    entry_hash: Digest,
    rebuilt: Digest,
}

/// Matches entries with records.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    differing: Vec<Differing>,
    /// Pairs of places that were reported.
    moved: HashSet<(i64, i64)>,
}

impl Matcher {
    /// An entry, and every record that says it has its place.
    pub fn entry(&mut self, entry: &EntryRow, here: &[Rebuilt], lonely: &mut Vec<Lonely>, findings: &mut Findings) {
        unreadable_entry(entry, findings);
        // Where one of the two ids does not read, what stands at the place is taken for the record.
        let own = here.iter().position(|record| record.id == entry.record_id).or_else(|| {
            let is_unknown = |record: &Rebuilt| record.id.is_none() || entry.record_id.is_none();
            here.iter().position(is_unknown).filter(|_| here.len() == 1)
        });
        for (at, record) in here.iter().enumerate() {
            if Some(at) != own {
                lonely.push(Lonely::record(record, entry.record_id.filter(|_| own.is_none() && here.len() == 1)));
            }
        }
        match own.and_then(|at| here.get(at)) {
            Some(record) => self.pair(entry, record, findings),
            None => {
                let instead = if let [only] = here { only.id } else { None };
                lonely.push(Lonely::entry(entry, instead));
            }
        }
    }

    fn pair(&mut self, entry: &EntryRow, record: &Rebuilt, findings: &mut Findings) {
        let altered = |detail: String| {
            let mut finding = Anomaly::new(AnomalyKind::Altered, detail).at(entry.seq);
            finding.record_kind = record.kind.or(entry.kind);
            finding.record_id = record.id.or(entry.record_id);
            finding
        };
        if let (Some(says), Some(is)) = (entry.kind, record.kind)
            && says != is
        {
            let detail = format!("the entry says {}, its record is a {}", says.as_str(), is.as_str());
            findings.push(altered(detail).field("ledger_entry.kind"));
        }
        match (&record.leaf_hash, entry.leaf_hash, record.id, record.kind) {
            (Err(Unreadable { column, problem }), ..) => {
                findings.push(altered(format!("{column} does not read: {problem}")).field(column.clone()));
            }
            (Ok(rebuilt), Some(entry_hash), Some(id), Some(kind)) if *rebuilt != entry_hash => {
                let differing = Differing { seq: entry.seq, kind, id, entry_hash, rebuilt: *rebuilt };
                if self.differing.len() < KEPT_MAX {
                    self.differing.push(differing);
                } else {
                    findings.push(differing.altered());
                }
            }
            _ => {}
        }
    }

    /// What was found of lonely halves.
    pub fn resolve(&mut self, lonely: Vec<Lonely>, findings: &mut Findings) {
        // An entry and a record that stand at one place and are both found nowhere else belong together.
        let lost: HashSet<(i64, RecordId)> = lonely
            .iter()
            .filter(|one| one.is_entry && one.elsewhere.is_none())
            .filter_map(|one| Some((one.seq, one.instead?)))
            .collect();
        for one in &lonely {
            match one.elsewhere {
                Some(other) => self.moved(one, other, findings),
                None if one.is_entry => findings.push(self.lost_entry(one, &lonely)),
                None if one.id.is_some_and(|id| lost.contains(&(one.seq, id))) => {}
                None => {
                    let detail = format!("a record at {} that no entry names", one.seq);
                    findings.push(located(Anomaly::new(AnomalyKind::Inserted, detail), one));
                }
            }
        }
    }

    fn lost_entry(&self, one: &Lonely, all: &[Lonely]) -> Anomaly {
        let stands_alone = |record: &&Lonely| !record.is_entry && record.seq == one.seq && record.elsewhere.is_none();
        match all.iter().find(stands_alone).filter(|_| one.instead.is_some()) {
            Some(record) if record.kind == one.kind => {
                let id = record.id.map_or_else(|| "unreadable".to_owned(), |id| id.to_string());
                located(Anomaly::new(AnomalyKind::Altered, format!("the record's id is now {id}")), one).field("id")
            }
            _ => {
                let detail = format!("the entry at {} names a record that is gone", one.seq);
                located(Anomaly::new(AnomalyKind::Deleted, detail), one)
            }
        }
    }

    fn moved(&mut self, one: &Lonely, other: i64, findings: &mut Findings) {
        if one.seq == other {
            let detail = format!("the record of the entry at {other} says that it is of the tenant's other log");
            findings.push(located(Anomaly::new(AnomalyKind::Altered, detail), one).field("category"));
            return;
        }
        let pair = (one.seq.min(other), one.seq.max(other));
        if self.moved.len() < KEPT_MAX && !self.moved.insert(pair) {
            return;
        }
        let (entry, record) = if one.is_entry { (one.seq, other) } else { (other, one.seq) };
        let detail = format!("the entry stands at {entry}, its record says {record}");
        let finding = Anomaly::new(AnomalyKind::Reordered, detail).field("seq");
        findings.push(located(finding, one).within(pair.0, pair.1));
    }

    /// Reports the leaves that differ.
    pub fn finish(&mut self, findings: &mut Findings) {
        let places: HashMap<Digest, i64> = self.differing.iter().map(|one| (one.entry_hash, one.seq)).collect();
        let mut seen = HashSet::new();
        for one in std::mem::take(&mut self.differing) {
            match places.get(&one.rebuilt) {
                Some(other) => {
                    let pair = (one.seq.min(*other), one.seq.max(*other));
                    if seen.insert(pair) {
                        let detail = format!("the leaf of {} is the entry of {other}", one.seq);
                        let finding = Anomaly::new(AnomalyKind::Reordered, detail).field("leaf_hash");
                        findings.push(finding.of(one.kind, one.id).within(pair.0, pair.1));
                    }
                }
                None => findings.push(one.altered()),
            }
        }
    }
}

impl Differing {
    fn altered(&self) -> Anomaly {
        let detail = format!(
            "the columns give the leaf hash {}, the entry has {}",
            self.rebuilt.to_hex(),
            self.entry_hash.to_hex()
        );
        Anomaly::new(AnomalyKind::Altered, detail).at(self.seq).of(self.kind, self.id)
    }
}

fn unreadable_entry(entry: &EntryRow, findings: &mut Findings) {
    let columns = [
        ("ledger_entry.kind", entry.kind.is_none()),
        ("ledger_entry.record_id", entry.record_id.is_none()),
        ("ledger_entry.leaf_hash", entry.leaf_hash.is_none()),
    ];
    for (column, _) in columns.into_iter().filter(|(_, is_unreadable)| *is_unreadable) {
        let mut finding = Anomaly::new(AnomalyKind::Altered, format!("{column} of the entry does not read"));
        (finding.record_kind, finding.record_id) = (entry.kind, entry.record_id);
        findings.push(finding.at(entry.seq).field(column));
    }
}

fn located(mut finding: Anomaly, one: &Lonely) -> Anomaly {
    (finding.record_kind, finding.record_id) = (one.kind, one.id);
    finding.at(one.seq)
}
