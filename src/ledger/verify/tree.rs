//! The tree against the entries: blocks of 256, nodes, edge, root, and the signed states that it passes.
//!
//! Two trees are kept above the blocks: one of what the entries give, one of the stored nodes. They are the same until a
//! block disagrees; from then on a higher node, a root or a checkpoint may agree with either, because one of the two was
//! altered and the block already says so.

use std::collections::HashMap;

use super::findings::Findings;
use super::{Ending, range};
use crate::domain::ids::Digest;
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::ledger::tree::{CompactRange, NODE_LEVEL_BITS, Node};

/// Entries of a block: what a node of level 1 covers.
pub const BLOCK: i64 = 1 << NODE_LEVEL_BITS;
/// Blocks without an entry that are stepped over one by one, for their nodes; a longer gap loses the tree behind it.
const GAP_BLOCKS_MAX: u64 = 65_536;

/// A state of the log that somebody vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// The size.
    pub size: i64,
    /// The root at that size.
    pub root: Digest,
    /// What to report where the tree disagrees: REWRITTEN for what was signed, FORK for the trusted position.
    pub kind: AnomalyKind,
    /// Where it stands, for people.
    pub name: String,
}

/// Checks the tree.
#[derive(Debug)]
pub(super) struct TreeCheck {
    /// Over the complete blocks, as the entries give them.
    by_entries: CompactRange,
    /// Over the complete blocks, as their stored nodes give them.
    by_nodes: CompactRange,
    /// The block that is being filled.
    block: CompactRange,
    /// Whether the block holds every hash.
    is_block_known: bool,
    /// Whether the tree above cannot be known any more.
    is_lost: bool,
    stored: HashMap<(i64, i64), Digest>,
    landmarks: std::iter::Peekable<std::vec::IntoIter<Landmark>>,
    /// The first disagreement of each kind in the block: told when the block itself is known to be right.
    pending: Vec<Landmark>,
    /// The newest leaf range that was reported.
    reported: Option<(i64, i64)>,
    has_rewritten: bool,
}

impl TreeCheck {
    pub fn new(start: &CompactRange) -> Self {
        let (upper, block) = range::split(start);
        Self {
            by_entries: upper.clone(),
            by_nodes: upper,
            block,
            is_block_known: true,
            is_lost: false,
            stored: HashMap::new(),
            landmarks: Vec::new().into_iter().peekable(),
            pending: Vec::new(),
            reported: None,
            has_rewritten: false,
        }
    }

    /// The stored nodes of the next window, and the landmarks in it.
    pub fn begin(&mut self, nodes: Vec<Node>, landmarks: Vec<Landmark>, findings: &mut Findings) {
        // What the last window did not use belongs to no subtree that it completed.
        self.stored = nodes.into_iter().map(|node| ((node.level, node.idx), node.hash)).collect();
        forks(&landmarks, findings);
        self.landmarks = landmarks.into_iter().peekable();
        self.pass_landmarks(findings);
    }

    fn size(&self) -> i64 {
        (self.by_entries.size().cast_signed() << NODE_LEVEL_BITS) + self.block.size().cast_signed()
    }

    /// The next hash; `None` where nobody knows it.
    pub fn push(&mut self, hash: Option<Digest>, findings: &mut Findings) {
        self.is_block_known &= hash.is_some();
        self.block.append(hash.unwrap_or(Digest([0; 32])), |_| {});
        if self.block.size() == BLOCK.cast_unsigned() {
            self.complete(findings);
        }
        self.pass_landmarks(findings);
    }

    /// So many hashes that nobody knows.
    pub fn skip(&mut self, count: u64, findings: &mut Findings) {
        if count > GAP_BLOCKS_MAX << NODE_LEVEL_BITS {
            self.is_lost = true;
            return;
        }
        (0..count).for_each(|_| self.push(None, findings));
    }

    fn complete(&mut self, findings: &mut Findings) {
        let idx = self.by_entries.size().cast_signed();
        let given = self.is_block_known.then(|| self.block.root());
        let stored = self.stored.remove(&(1, idx));
        let is_right = given.is_some() && given == stored;
        if !is_right && given.is_some() {
            self.report(1, idx, stored.is_none(), findings);
        }
        self.settle(is_right, findings);
        self.block = CompactRange::empty();
        self.is_block_known = true;
        let Some((by_entries, by_nodes)) = given.or(stored).zip(stored.or(given)) else {
            self.is_lost = true;
            return;
        };
        let of_entries = range::append_block(&mut self.by_entries, by_entries);
        let of_nodes = range::append_block(&mut self.by_nodes, by_nodes);
        for (one, other) in of_entries.into_iter().zip(of_nodes) {
            let stored = self.stored.remove(&(one.level, one.idx));
            if !self.is_lost && stored != Some(one.hash) && stored != Some(other.hash) {
                self.report(one.level, one.idx, stored.is_none(), findings);
            }
        }
    }

    fn report(&mut self, level: i64, idx: i64, is_missing: bool, findings: &mut Findings) {
        let leaves = 1_i64 << (i64::from(NODE_LEVEL_BITS) * level).min(62);
        let (from, to) = (idx * leaves, (idx + 1) * leaves);
        let what = if is_missing { "is missing" } else { "is not what the entries give" };
        let detail = format!("node {idx} of level {level} {what}: entries {from} to {}", to - 1);
        findings.push(Anomaly::new(AnomalyKind::Tree, detail).within(from, to).field("ledger_node"));
        self.reported = Some((from, to));
    }

    /// Tells the disagreements of the block where the block itself is right.
    fn settle(&mut self, is_block_right: bool, findings: &mut Findings) {
        for Landmark { size, root, kind, name } in std::mem::take(&mut self.pending) {
            let is_known = kind == AnomalyKind::Rewritten && self.has_rewritten;
            if !is_block_right || self.is_lost || is_known {
                continue;
            }
            self.has_rewritten |= kind == AnomalyKind::Rewritten;
            let root = root.to_hex();
            let detail = format!("{name} says that the root at size {size} was {root}; the entries give another");
            findings.push(Anomaly::new(kind, detail).at(size));
        }
    }

    fn pass_landmarks(&mut self, findings: &mut Findings) {
        let size = self.size();
        while let Some(landmark) = self.landmarks.next_if(|landmark| landmark.size <= size) {
            if landmark.size < size || self.is_lost || !self.is_block_known {
                continue;
            }
            let agrees = self.roots().contains(&landmark.root);
            if !agrees && self.pending.iter().all(|pending| pending.kind != landmark.kind) {
                self.pending.push(landmark);
            }
        }
        if self.block.size() == 0 {
            // Between blocks: what was to be said of the last one is said.
            self.settle(true, findings);
        }
    }

    /// The root now, by the entries and by the nodes.
    fn roots(&self) -> [Digest; 2] {
        [&self.by_entries, &self.by_nodes].map(|blocks| range::join(blocks, &self.block).root())
    }

    /// Whether this is the root now.
    pub fn is_root(&self, root: Option<Digest>) -> bool {
        !self.is_lost && self.is_block_known && root.is_some_and(|root| self.roots().contains(&root))
    }

    /// Compares what is left with the head; the root that the entries give.
    pub fn finish(&mut self, ending: &Ending, findings: &mut Findings) -> Option<Digest> {
        if self.is_lost || !self.is_block_known {
            return None;
        }
        let (by_entries, by_nodes) =
            (range::join(&self.by_entries, &self.block), range::join(&self.by_nodes, &self.block));
        let size = self.size();
        let is_root_right = self.is_root(ending.root);
        if ending.size != size {
            let detail = format!("the head says {} entries, there are {size}", ending.size);
            findings.push(tree("size", detail, ending.size.min(size), ending.size.max(size)));
        }
        if !is_root_right && ending.size == size {
            let says = ending.root.map_or_else(|| "nothing that reads".to_owned(), Digest::to_hex);
            let detail = format!("the head's root is {says}, the entries give {}", by_entries.root().to_hex());
            findings.push(tree("root", detail, self.open_from(), size));
        }
        if ending.size == size {
            edges(&ending.edge, &by_entries, &by_nodes, findings);
        }
        self.settle(is_root_right, findings);
        Some(by_entries.root())
    }

    /// Where the part begins that only the root covers: the block that is not complete, if the nodes are right.
    fn open_from(&self) -> i64 {
        let open = self.by_entries.size().cast_signed() << NODE_LEVEL_BITS;
        self.reported.map_or(open, |(from, _)| from.min(open))
    }
}

/// Two valid notes of one size that do not agree with each other.
fn forks(landmarks: &[Landmark], findings: &mut Findings) {
    for pair in landmarks.windows(2) {
        if let [left, right] = pair
            && left.size == right.size
            && left.root != right.root
            && left.kind == right.kind
        {
            let detail = format!(
                "two signed states of size {}: {} has the root {}, {} has {}",
                left.size,
                left.name,
                left.root.to_hex(),
                right.name,
                right.root.to_hex()
            );
            findings.push(Anomaly::new(AnomalyKind::Fork, detail).at(left.size));
        }
    }
}

/// The subtrees of the edge, one by one.
fn edges(edge: &[u8], by_entries: &CompactRange, by_nodes: &CompactRange, findings: &mut Findings) {
    let size = by_entries.size();
    let Some(stored) = CompactRange::from_edge(size, edge) else {
        let detail = format!("an edge of {} bytes does not fit {size} entries", edge.len());
        return findings.push(tree("edge", detail, 0, size.cast_signed()));
    };
    let mut from = 0;
    let given = range::subtrees(by_entries).into_iter().zip(range::subtrees(by_nodes));
    for ((leaves, stored), ((_, one), (_, other))) in range::subtrees(&stored).into_iter().zip(given) {
        let to = from + leaves;
        if stored != one && stored != other {
            let detail = format!("the edge's subtree over entries {from} to {} is not what they give", to - 1);
            findings.push(tree("edge", detail, from, to));
        }
        from = to;
    }
}

fn tree(field: &str, detail: String, from: i64, to: i64) -> Anomaly {
    Anomaly::new(AnomalyKind::Tree, detail).within(from, to).field(format!("ledger_log.{field}"))
}
