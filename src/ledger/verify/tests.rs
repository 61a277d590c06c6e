//! Every kind of finding, and that an honest log has none.

use uuid::Uuid;

use super::findings::Findings;
use super::tree::Landmark;
use super::*;
use crate::domain::verification::AnomalyKind as Kind;
use crate::ledger::tree::leaf_hash;

fn id(seq: i64) -> RecordId {
    RecordId(Uuid::from_u128(u128::from(seq.cast_unsigned()) + 1))
}

/// A log as the database would give it.
#[derive(Clone)]
struct Log {
    entries: Vec<EntryRow>,
    records: Vec<Rebuilt>,
    nodes: Vec<Node>,
    landmarks: Vec<Landmark>,
    ending: Ending,
}

impl Log {
    fn of(size: i64) -> Self {
        let mut range = CompactRange::empty();
        let mut log = Self {
            entries: Vec::new(),
            records: Vec::new(),
            nodes: Vec::new(),
            landmarks: Vec::new(),
            ending: Ending { size, root: None, edge: Vec::new() },
        };
        for seq in 0..size {
            let hash = leaf_hash(&seq.to_be_bytes());
            let kind = Some(RecordKind::SystemRecord);
            log.entries.push(EntryRow { seq, kind, record_id: Some(id(seq)), leaf_hash: Some(hash) });
            log.records.push(Rebuilt {
                seq,
                kind,
                id: Some(id(seq)),
                created_at: Timestamp::from_micros(seq),
                leaf_hash: Ok(hash),
                is_own: false,
            });
            range.append(hash, |node| log.nodes.push(node));
            if seq % 97 == 0 {
                log.landmarks.push(landmark(seq + 1, range.root()));
            }
        }
        (log.ending.root, log.ending.edge) = (Some(range.root()), range.edge());
        log
    }

    /// Verifies it in windows of this many places.
    fn verify(mut self, window: i64) -> Findings {
        self.records.sort_by_key(|record| record.seq);
        let mut verifier = LogVerifier::new(&CompactRange::empty());
        let end = self.entries.last().map_or(0, |entry| entry.seq + 1).max(self.ending.size);
        for from in (0..end).step_by(usize::try_from(window).expect("a window")) {
            let to = (from + window).min(end);
            let inside = |seq: i64| (from..to).contains(&seq);
            let lonely = verifier.window(Window {
                from,
                to,
                entries: self.entries.iter().filter(|entry| inside(entry.seq)).cloned().collect(),
                records: self.records.iter().filter(|record| inside(record.seq)).cloned().collect(),
                nodes: self.nodes.clone(),
                landmarks: self.landmarks.iter().filter(|one| inside(one.size - 1)).cloned().collect(),
                findings: Vec::new(),
            });
            let found = lonely.into_iter().map(|one| {
                let elsewhere = if one.is_entry {
                    self.records.iter().find(|record| record.id == one.id).map(|record| record.seq)
                } else {
                    self.entries.iter().find(|entry| entry.record_id == one.id).map(|entry| entry.seq)
                };
                Lonely { elsewhere, ..one }
            });
            verifier.resolve(found.collect());
        }
        verifier.finish(&self.ending).findings
    }

    fn kinds(self, window: i64) -> Vec<(Kind, Option<i64>, Option<i64>)> {
        self.verify(window).kept().iter().map(|one| (one.kind, one.seq, one.seq_end)).collect()
    }
}

fn landmark(size: i64, root: Digest) -> Landmark {
    Landmark { size, root, kind: Kind::Rewritten, name: format!("the checkpoint of size {size}") }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, ..Default::default() })]
    #[test]
    fn an_honest_log_has_no_findings(size in 0_i64..1_400, window in 1_i64..700) {
        proptest::prop_assert_eq!(Log::of(size).kinds(window), []);
    }

    #[test]
    fn no_single_change_goes_unnoticed(size in 1_i64..700, at in 0_i64..700, what in 0_u8..9) {
        let mut log = Log::of(size);
        let at = usize::try_from(at % size).expect("a place");
        match what {
            0 => log.entries[at].leaf_hash = Some(Digest([9; 32])),
            1 => log.records[at].leaf_hash = Ok(Digest([9; 32])),
            2 => drop(log.entries.remove(at)),
            3 => drop(log.records.remove(at)),
            4 => log.entries[at].record_id = Some(id(5_000)),
            5 => log.records[at].seq += 1,
            6 => log.ending.root = Some(Digest([9; 32])),
            7 => log.ending.edge[0] ^= 1,
            _ => match log.nodes.first_mut() {
                Some(node) => node.hash = Digest([9; 32]),
                None => log.ending.size += 1,
            },
        }
        let findings = log.verify(256);
        proptest::prop_assert!(findings.anomalies() > 0);
    }
}

#[test]
fn a_leaf_that_differs_is_altered() {
    let mut log = Log::of(600);
    log.records[300].leaf_hash = Ok(Digest([1; 32]));
    log.records[301].leaf_hash = Err(Unreadable { column: "status".to_owned(), problem: "?".to_owned() });
    let findings = log.verify(100);
    let found: Vec<_> = findings.kept().iter().map(|one| (one.kind, one.seq, one.field.as_deref())).collect();
    assert_eq!(found, [(Kind::Altered, Some(300), None), (Kind::Altered, Some(301), Some("status"))]);
}

#[test]
fn an_altered_entry_names_its_record_and_its_block() {
    let mut log = Log::of(600);
    log.entries[300].leaf_hash = Some(Digest([1; 32]));
    assert_eq!(log.kinds(128), [(Kind::Tree, Some(256), Some(512)), (Kind::Altered, Some(300), None)]);
    // Behind the last block, the edge and the root are all that covers an entry.
    let mut log = Log::of(600);
    log.entries[599].leaf_hash = Some(Digest([1; 32]));
    let kinds = log.kinds(600);
    assert!(kinds.contains(&(Kind::Altered, Some(599), None)), "{kinds:?}");
    assert!(kinds.contains(&(Kind::Tree, Some(592), Some(600))), "the subtree of 8: {kinds:?}");
    assert!(!kinds.iter().any(|one| one.0 == Kind::Rewritten), "the tree itself is wrong: {kinds:?}");
}

#[test]
fn an_altered_node_is_its_block_and_nothing_else() {
    let mut log = Log::of(70_000);
    let place = |log: &Log, level, idx| log.nodes.iter().position(|node| (node.level, node.idx) == (level, idx));
    let one = place(&log, 1, 7).expect("a node");
    log.nodes[one].hash = Digest([1; 32]);
    let upper = place(&log, 2, 0).expect("a node");
    assert_eq!(log.clone().kinds(4_096), [(Kind::Tree, Some(1_792), Some(2_048))]);
    log.nodes.remove(upper);
    assert_eq!(
        log.kinds(4_096),
        [(Kind::Tree, Some(0), Some(65_536)), (Kind::Tree, Some(1_792), Some(2_048))],
        "a node that is missing is as wrong"
    );
}

#[test]
fn gaps_are_ranges_and_do_not_hide_what_is_behind_them() {
    let mut log = Log::of(1_000);
    log.entries.retain(|entry| !(300..310).contains(&entry.seq));
    log.records.retain(|record| !(300..310).contains(&record.seq));
    log.entries.iter_mut().find(|entry| entry.seq == 700).expect("an entry").leaf_hash = Some(Digest([1; 32]));
    let kinds = log.kinds(250);
    assert_eq!(
        kinds,
        [(Kind::Deleted, Some(300), Some(310)), (Kind::Tree, Some(512), Some(768)), (Kind::Altered, Some(700), None)]
    );
}

#[test]
fn an_entry_whose_record_is_there_is_filled_in() {
    let mut log = Log::of(300);
    log.entries.remove(40);
    assert_eq!(log.kinds(64), [(Kind::Deleted, Some(40), Some(41))], "the record's leaf stands in for it");
    let mut log = Log::of(300);
    log.records.remove(40);
    assert_eq!(log.kinds(64), [(Kind::Deleted, Some(40), None)]);
}

#[test]
fn what_stands_elsewhere_is_reordered() {
    let mut log = Log::of(300);
    (log.records[10].seq, log.records[200].seq) = (200, 10);
    assert_eq!(log.clone().kinds(64), [(Kind::Reordered, Some(10), Some(200))]);
    let mut log = Log::of(300);
    let (ten, other) = (log.entries[10].leaf_hash, log.entries[200].leaf_hash);
    (log.entries[10].leaf_hash, log.entries[200].leaf_hash) = (other, ten);
    let kinds = log.kinds(64);
    assert!(kinds.contains(&(Kind::Reordered, Some(10), Some(200))), "{kinds:?}");
}

#[test]
fn records_that_no_entry_names_are_inserted_and_a_new_id_is_altered() {
    let mut log = Log::of(300);
    log.records.push(Rebuilt { id: Some(id(9_000)), ..log.records[20].clone() });
    assert_eq!(log.kinds(64), [(Kind::Inserted, Some(20), None)]);
    let mut log = Log::of(300);
    log.records[20].id = Some(id(9_000));
    let findings = log.verify(64);
    let found: Vec<_> =
        findings.kept().iter().map(|one| (one.kind, one.seq, one.field.as_deref(), one.record_id)).collect();
    assert_eq!(found, [(Kind::Altered, Some(20), Some("id"), Some(id(20)))]);
}

#[test]
fn a_consistent_tree_that_a_checkpoint_denies_is_rewritten() {
    let honest = Log::of(1_000);
    let mut forged = Log::of(1_000);
    // Everything from 500 on is written anew, nodes, root and edge with it.
    let mut range = CompactRange::empty();
    forged.nodes.clear();
    for seq in 0..1_000_usize {
        if seq >= 500 {
            let hash = leaf_hash(&[7, u8::try_from(seq % 256).expect("a byte")]);
            (forged.entries[seq].leaf_hash, forged.records[seq].leaf_hash) = (Some(hash), Ok(hash));
        }
        range.append(forged.entries[seq].leaf_hash.expect("a hash"), |node| forged.nodes.push(node));
    }
    forged.ending = Ending { size: 1_000, root: Some(range.root()), edge: range.edge() };
    let first = honest.landmarks.iter().find(|one| one.size > 500).expect("a checkpoint").size;
    assert_eq!(forged.clone().kinds(333), [(Kind::Rewritten, Some(first), None)], "the first one, and only that");
    forged.landmarks = vec![Landmark { kind: Kind::Fork, ..honest.landmarks[9].clone() }];
    assert_eq!(forged.kinds(333), [(Kind::Fork, Some(honest.landmarks[9].size), None)]);
}

#[test]
fn two_notes_of_one_size_are_a_fork() {
    let mut log = Log::of(200);
    log.landmarks.insert(2, landmark(log.landmarks[1].size, Digest([3; 32])));
    let kinds = log.kinds(64);
    assert!(kinds.contains(&(Kind::Fork, Some(98), None)), "{kinds:?}");
}

#[test]
fn the_head_is_compared_with_the_entries() {
    let mut log = Log::of(300);
    log.ending.root = Some(Digest([1; 32]));
    assert_eq!(log.kinds(64), [(Kind::Tree, Some(256), Some(300))]);
    let mut log = Log::of(300);
    log.ending.edge.truncate(32);
    assert_eq!(log.kinds(64), [(Kind::Tree, Some(0), Some(300))]);
}

#[test]
fn clocks_that_fall_behind_are_warnings() {
    let mut log = Log::of(10);
    for record in &mut log.records[5..] {
        record.created_at = record.created_at.map(|at| at.plus_micros(60_000_000));
    }
    log.records[7].created_at = Timestamp::from_micros(7);
    let findings = log.verify(10);
    assert_eq!((findings.anomalies(), findings.warnings()), (0, 1));
    assert_eq!((findings.kept()[0].kind, findings.kept()[0].seq), (Kind::Clock, Some(7)));
}

#[test]
fn a_forged_place_far_away_does_not_take_for_ever() {
    let mut log = Log::of(300);
    log.entries[299].seq = 1_000_000_000_000;
    let mut verifier = LogVerifier::new(&CompactRange::empty());
    let window = Window {
        from: 0,
        to: 1_000_000_000_001,
        entries: log.entries.clone(),
        records: log.records.clone(),
        nodes: log.nodes.clone(),
        ..Window::default()
    };
    let lonely = verifier.window(window);
    assert_eq!(lonely.len(), 1);
    let outcome = verifier.finish(&log.ending);
    assert_eq!(outcome.root, None, "nobody can know it");
    assert!(outcome.findings.anomalies() >= 2);
}
