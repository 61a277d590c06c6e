//! Compact ranges taken apart at the blocks of 256 and put together again.

use crate::domain::ids::Digest;
use crate::ledger::tree::{CompactRange, NODE_LEVEL_BITS, Node};

const HASH_BYTES: usize = 32;

/// The complete blocks as a tree of their roots, and the leaves behind them.
pub(super) fn split(range: &CompactRange) -> (CompactRange, CompactRange) {
    let edge = range.edge();
    let blocks = range.size() >> NODE_LEVEL_BITS;
    let (upper, lower) = edge.split_at((blocks.count_ones() as usize * HASH_BYTES).min(edge.len()));
    let rest = range.size() & ((1 << NODE_LEVEL_BITS) - 1);
    // Both fit: a range has one root for each bit of its size.
    let of = |size, edge| CompactRange::from_edge(size, edge).unwrap_or_else(CompactRange::empty);
    (of(blocks, upper), of(rest, lower))
}

/// The range over all leaves again.
pub(super) fn join(blocks: &CompactRange, rest: &CompactRange) -> CompactRange {
    let edge = [blocks.edge(), rest.edge()].concat();
    let size = (blocks.size() << NODE_LEVEL_BITS) + rest.size();
    // It fits: the bits of a size are those of its blocks and those of its rest.
    CompactRange::from_edge(size, &edge).unwrap_or_else(CompactRange::empty)
}

/// Appends a block's root; gives the nodes that it completes, as nodes over all leaves.
pub(super) fn append_block(blocks: &mut CompactRange, root: Digest) -> Vec<Node> {
    let mut nodes = Vec::new();
    blocks.append(root, |node| nodes.push(Node { level: node.level + 1, ..node }));
    nodes
}

/// The subtrees of a range, largest first: how many leaves each has, and its root.
pub(super) fn subtrees(range: &CompactRange) -> Vec<(i64, Digest)> {
    let bits = (0..u64::BITS - 1).rev().filter(|bit| range.size() >> bit & 1 == 1);
    let edge = range.edge();
    bits.zip(edge.chunks(HASH_BYTES).filter_map(Digest::from_slice)).map(|(bit, root)| (1 << bit, root)).collect()
}

/// Which stored hashes make up the tree of this size, from the highest level down to the entries (level 0): the level,
/// and the first index and the number of its hashes.
#[must_use]
pub fn parts(size: u64) -> Vec<(i64, i64, i64)> {
    let levels = u64::BITS.div_ceil(NODE_LEVEL_BITS);
    let part = |level: u32| {
        let (shift, above) = (NODE_LEVEL_BITS * level, NODE_LEVEL_BITS * (level + 1));
        let first = if above < u64::BITS { (size >> above) << NODE_LEVEL_BITS } else { 0 };
        let count = (size >> shift) - first;
        (i64::from(level), first.cast_signed(), count.cast_signed())
    };
    (0..levels).rev().map(part).filter(|(_, _, count)| *count > 0).collect()
}

/// The range of a tree from the hashes of its [`parts`]; `None` where one is missing.
#[must_use]
pub fn assemble(size: u64, hashes: &[Vec<Digest>]) -> Option<CompactRange> {
    let mut edge = Vec::new();
    for hashes in hashes {
        let mut range = CompactRange::empty();
        hashes.iter().for_each(|hash| range.append(*hash, |_| {}));
        edge.extend(range.edge());
    }
    CompactRange::from_edge(size, &edge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tree::leaf_hash;

    fn comes_back(size: u64) {
        let mut range = CompactRange::empty();
        let mut stored: std::collections::HashMap<(i64, i64), Digest> = std::collections::HashMap::new();
        for leaf in 0..size {
            let hash = leaf_hash(&leaf.to_be_bytes());
            stored.insert((0, leaf.cast_signed()), hash);
            range.append(hash, |node| {
                stored.insert((node.level, node.idx), node.hash);
            });
        }
        let hashes: Vec<Vec<Digest>> = parts(size)
            .into_iter()
            .map(|(level, first, count)| (first..first + count).map(|idx| stored[&(level, idx)]).collect())
            .collect();
        assert_eq!(assemble(size, &hashes).as_ref(), Some(&range));
        let (blocks, rest) = split(&range);
        assert_eq!(join(&blocks, &rest), range);
        assert_eq!(subtrees(&range).iter().map(|(leaves, _)| *leaves).sum::<i64>(), size.cast_signed());
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 24, ..Default::default() })]
        #[test]
        fn a_range_comes_back_from_its_parts(size in 0_u64..1_500) {
            comes_back(size);
        }
    }

    #[test]
    fn so_does_one_with_three_levels() {
        comes_back((1 << 16) + 513);
    }
}
