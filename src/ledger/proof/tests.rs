#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "places in a small log fit every integer"
)]

use std::collections::HashMap;
use std::sync::LazyLock;

use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;
use sha2::digest::Output;
use tlog_tiles::{Hash, HashReader};

use super::*;
use crate::ledger::tree::{CompactRange, leaf_hash};

const SIZE: u64 = 100_000;

/// A log of 100,000 leaves as the database keeps it, and as another implementation does.
struct Log {
    leaf_hashes: Vec<Digest>,
    nodes: HashMap<(i64, i64), Digest>,
    oracle: Oracle,
}

struct Oracle(Vec<Hash>);

impl HashReader for Oracle {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let (mut range, mut nodes, mut oracle) = (CompactRange::empty(), HashMap::new(), Oracle(Vec::new()));
    let leaf_hashes = (0..SIZE).map(|seq| leaf_hash(&seq.to_be_bytes())).collect::<Vec<_>>();
    for (seq, leaf_hash) in leaf_hashes.iter().enumerate() {
        range.append(*leaf_hash, |node| assert!(nodes.insert((node.level, node.idx), node.hash).is_none()));
        let stored = tlog_tiles::stored_hashes_for_record_hash(seq as u64, Hash(leaf_hash.0), &oracle);
        oracle.0.extend(stored.expect("stored hashes"));
    }
    Log { leaf_hashes, nodes, oracle }
});

impl Log {
    fn read(&self, span: Span) -> Vec<Digest> {
        assert!(0 < span.to - span.from && span.to - span.from <= SPAN_MAX, "{span:?}");
        let read = |at: i64| match span.level {
            0 => self.leaf_hashes[at as usize],
            level => self.nodes[&(level, at)],
        };
        (span.from..span.to).map(read).collect()
    }

    fn hashes(&self, plan: &Plan) -> Vec<Digest> {
        let answers: Vec<Vec<Digest>> = plan.spans().iter().map(|span| self.read(*span)).collect();
        plan.hashes(&answers).expect("complete answers")
    }

    fn root(&self, size: u64) -> Digest {
        let edge = self.hashes(&Plan::edge(size).expect("edge"));
        let edge: Vec<u8> = edge.iter().flat_map(|root| root.0).collect();
        CompactRange::from_edge(size, &edge).expect("edge").root()
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Digest> {
        self.hashes(&Plan::inclusion(index, size).expect("plan"))
    }

    fn consistency(&self, from: u64, to: u64) -> Vec<Digest> {
        self.hashes(&Plan::consistency(from, to).expect("plan"))
    }
}

fn ct_root(root: Digest, size: u64) -> RootHash<Sha256> {
    RootHash::new(Output::<Sha256>::from(root.0), size)
}

fn ct_bytes(proof: &[Digest]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

fn tlog_hashes(proof: &[Digest]) -> Vec<Hash> {
    proof.iter().map(|hash| Hash(hash.0)).collect()
}

/// Everything that differs from a proof in one place.
fn forgeries(proof: &[Digest], bit: usize) -> Vec<Vec<Digest>> {
    let mut forged = vec![[proof, &[Digest([7; 32])]].concat(), [&[Digest([7; 32])], proof].concat()];
    for at in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[at].0[bit / 8 % 32] ^= 1 << (bit % 8);
        let mut without = proof.to_vec();
        without.remove(at);
        let mut twice = proof.to_vec();
        twice.insert(at, proof[at]);
        forged.extend([flipped, without, twice]);
        if at > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(at - 1, at);
            forged.push(swapped);
        }
    }
    forged
}

fn size_and_smaller() -> impl Strategy<Value = (u64, u64)> {
    (1..=SIZE).prop_flat_map(|size| (Just(size), 0..size))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn inclusion_proofs_are_those_of_other_implementations((size, index) in size_and_smaller(), bit in 0_usize..256) {
        let (root, proof, leaf_hash) = (LOG.root(size), LOG.inclusion(index, size), LOG.leaf_hashes[index as usize]);
        prop_assert_eq!(root.0, tlog_tiles::tree_hash(size, &LOG.oracle).expect("root").0);
        let theirs = tlog_tiles::prove_record(size, index, &LOG.oracle).expect("proof");
        prop_assert_eq!(tlog_hashes(&proof), theirs);
        let ct_proof = InclusionProof::from_bytes(ct_bytes(&proof));
        prop_assert!(ct_root(root, size).verify_inclusion(&index.to_be_bytes(), index, &ct_proof).is_ok());

        prop_assert!(is_included(leaf_hash, index, size, root, &proof));
        for forged in forgeries(&proof, bit) {
            prop_assert!(!is_included(leaf_hash, index, size, root, &forged));
        }
        prop_assert!(!is_included(Digest([7; 32]), index, size, root, &proof));
        prop_assert!(!is_included(leaf_hash, index, size, Digest([7; 32]), &proof));
        prop_assert!(!is_included(leaf_hash, size, size, root, &proof));
        let other = (index + 1) % size;
        prop_assert!(other == index || !is_included(leaf_hash, other, size, root, &proof));
    }

    #[test]
    fn consistency_proofs_are_those_of_other_implementations((to, from) in size_and_smaller(), bit in 0_usize..256) {
        let from = from + 1;
        let (from_root, to_root, proof) = (LOG.root(from), LOG.root(to), LOG.consistency(from, to));
        let theirs = tlog_tiles::prove_tree(to, from, &LOG.oracle).expect("proof");
        prop_assert_eq!(tlog_hashes(&proof), theirs);
        let ct_proof = ConsistencyProof::try_from_bytes(ct_bytes(&proof)).expect("proof");
        prop_assert!(ct_root(to_root, to).verify_consistency(&ct_root(from_root, from), &ct_proof).is_ok());

        prop_assert!(is_consistent(from, from_root, to, to_root, &proof));
        for forged in forgeries(&proof, bit) {
            prop_assert!(!is_consistent(from, from_root, to, to_root, &forged));
        }
        prop_assert!(!is_consistent(from, Digest([7; 32]), to, to_root, &proof));
        prop_assert!(!is_consistent(from, from_root, to, Digest([7; 32]), &proof));
        prop_assert!(from == to || !is_consistent(to, to_root, from, from_root, &proof));
    }

    /// Verdicts on arbitrary proofs of arbitrary trees are those of another verifier, and never a crash.
    #[test]
    fn verdicts_are_those_of_another_verifier(
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..8),
        (size, index) in size_and_smaller(),
        huge in any::<[u64; 2]>(),
    ) {
        let proof: Vec<Digest> = hashes.iter().copied().map(Digest).collect();
        let leaf = Digest([1; 32]);
        let root = Digest(hashes.first().copied().unwrap_or_default());
        let theirs = tlog_tiles::check_record(&tlog_hashes(&proof), size, Hash(root.0), index, Hash(leaf.0));
        prop_assert_eq!(is_included(leaf, index, size, root, &proof), theirs.is_ok());
        prop_assert!(!is_included(leaf, huge[0], huge[1], root, &proof));
        prop_assert!(huge[0] == huge[1] || !is_consistent(huge[0], leaf, huge[1], root, &proof));
    }

    /// What a log of any size reads: never more than two short ranges of a level.
    #[test]
    fn reads_are_few_and_short(bits in 1_u32..63, raw in any::<[u64; 2]>()) {
        let size = (raw[0] >> (64 - bits)).max(1);
        let other = raw[1] % size;
        let plans = [Plan::inclusion(other, size), Plan::consistency(other, size), Plan::edge(size)];
        for plan in plans.into_iter().flatten() {
            let mut of_level = HashMap::new();
            for span in plan.spans() {
                *of_level.entry(span.level).or_insert(0) += 1;
                prop_assert!(span.from / SPAN_MAX == (span.to - 1) / SPAN_MAX, "in one block: {span:?}");
                prop_assert!(span.to <= (size >> (8 * span.level)) as i64, "complete in the tree: {span:?}");
            }
            prop_assert!(of_level.values().all(|spans| *spans <= 2), "{:?}", plan.spans());
        }
    }
}

#[test]
fn small_trees_are_proven_at_every_place() {
    for size in (0..40).chain([255, 256, 257, 511, 512, 513, 520]) {
        let root = LOG.root(size);
        assert_eq!(root, crate::ledger::tree::root(LOG.leaf_hashes[..size as usize].iter().copied()), "size {size}");
        for index in (0..size).step_by(if size < 40 { 1 } else { 17 }) {
            let proof = LOG.inclusion(index, size);
            assert!(is_included(LOG.leaf_hashes[index as usize], index, size, root, &proof), "{index} of {size}");
        }
        for from in (0..=size).step_by(if size < 40 { 1 } else { 17 }) {
            let proof = LOG.consistency(from, size);
            assert!(is_consistent(from, LOG.root(from), size, root, &proof), "{from} to {size}");
        }
    }
}

#[test]
fn ten_million_entries_are_six_reads() {
    for index in [0, 255, 256, 4_999_999, 9_961_471, 9_999_998] {
        let plan = Plan::inclusion(index, 9_999_999).expect("plan");
        assert!(plan.spans().len() <= 6, "{:?}", plan.spans());
    }
}

#[test]
fn what_is_not_there_cannot_be_proven() {
    assert!(Plan::inclusion(0, 0).is_none() && Plan::inclusion(5, 5).is_none());
    assert!(Plan::consistency(6, 5).is_none());
    assert!(Plan::inclusion(0, 1 << 63).is_none() && Plan::edge(1 << 63).is_none());
    assert!(Plan::inclusion(0, SIZE_MAX).is_some());
    let plan = Plan::inclusion(3, 7).expect("plan");
    assert!(plan.hashes(&[]).is_none());
    let mut answers: Vec<Vec<Digest>> = plan.spans().iter().map(|span| LOG.read(*span)).collect();
    assert!(plan.hashes(&answers).is_some());
    answers[0].pop();
    assert!(plan.hashes(&answers).is_none());
}

#[test]
fn every_tree_begins_with_the_empty_one() {
    let (empty, root) = (crate::ledger::tree::root([]), LOG.root(9));
    assert!(is_consistent(0, empty, 9, root, &[]) && is_consistent(0, empty, 0, empty, &[]));
    assert!(!is_consistent(0, root, 9, root, &[]) && !is_consistent(0, empty, 0, root, &[]));
    assert!(!is_consistent(0, empty, 9, root, &[root]));
}

/// The proofs that implementations of RFC 6962 share, over the leaves of the tree's tests.
#[test]
fn gives_the_published_proofs() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let leaves: Vec<Digest> = leaves.iter().map(|leaf| leaf_hash(&hex::decode(leaf).expect("hex"))).collect();
    let proof = |plan: Option<Plan>| {
        let plan = plan.expect("plan");
        let read = |span: &Span| leaves[span.from as usize..span.to as usize].to_vec();
        let hashes = plan.hashes(&plan.spans().iter().map(read).collect::<Vec<_>>()).expect("complete answers");
        hashes.iter().map(|hash| hash.to_hex()[..16].to_owned()).collect::<Vec<_>>()
    };
    let (none, l0_0, l0_1, l0_4) = ([""; 0], "6e340b9cffb37a98", "96a296d224f285c6", "bc1a0643b12e4d2d");
    let (l1_0, l1_1, l1_2, l1_3) = ("fac54203e7cc696c", "5f083f0a1a33ca07", "0ebc5d3437fbe2db", "ca854ea128ed050b");
    let (l2_0, l2_1) = ("d37ee418976dd957", "6b47aaf29ee3c2af");
    assert_eq!(proof(Plan::inclusion(0, 1)), none);
    assert_eq!(proof(Plan::inclusion(0, 8)), [l0_1, l1_1, l2_1]);
    assert_eq!(proof(Plan::inclusion(5, 8)), [l0_4, l1_3, l2_0]);
    assert_eq!(proof(Plan::inclusion(2, 3)), [l1_0]);
    assert_eq!(proof(Plan::inclusion(1, 5)), [l0_0, l1_1, l0_4]);
    assert_eq!(proof(Plan::consistency(1, 1)), none);
    assert_eq!(proof(Plan::consistency(1, 8)), [l0_1, l1_1, l2_1]);
    assert_eq!(proof(Plan::consistency(6, 8)), [l1_2, l1_3, l2_0]);
    assert_eq!(proof(Plan::consistency(2, 5)), [l1_1, l0_4]);
}
