//! Inclusion and consistency proofs (RFC 6962, sections 2.1.1 and 2.1.2; verified as RFC 9162, 2.1.3.2 and 2.1.4.2 say).
//!
//! Making a proof takes two steps, so that reading may wait: a [`Plan`] names the short ranges of hashes that it needs, and
//! makes the proof from them. The ranges are of leaf hashes and of the nodes that [`CompactRange::append`] completes; each
//! has at most 256 hashes and lies within one block of 256, and there are at most two for each level: six in a log of ten
//! million entries. Any size up to the log's own will do, since a node that a smaller tree needs is complete in it too.
//!
//! Here a proof binds no size: one that leads to a root is right for several sizes, so size and root are to be taken from
//! one signed checkpoint and from nowhere else.
//!
//! [`CompactRange::append`]: super::tree::CompactRange::append

use std::collections::BTreeMap;
use std::ops::Range;

use super::tree::{NODE_LEVEL_BITS, node_hash};
use crate::domain::ids::Digest;

/// The most hashes that one span covers.
pub const SPAN_MAX: i64 = 1 << NODE_LEVEL_BITS;

/// The largest tree there can be: sizes are 64-bit signed integers in the databases.
const SIZE_MAX: u64 = i64::MAX.cast_unsigned();

/// A short range of hashes to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// 0 for leaf hashes by seq, else the level of stored nodes by idx.
    pub level: i64,
    /// The first.
    pub from: i64,
    /// The one after the last.
    pub to: i64,
}

/// What to read for some hashes of the tree, and how to make them from it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The leaves under each hash, in the order in which the hashes are given.
    parts: Vec<Range<u64>>,
    spans: Vec<Span>,
}

impl Plan {
    /// The proof that the leaf at `index` is in the tree of `size` leaves: from its sibling up to the root's child. `None`
    /// where that tree has no such leaf.
    #[must_use]
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size || size > SIZE_MAX {
            return None;
        }
        let mut parts = Vec::new();
        let mut tree = 0..size;
        while tree.end - tree.start > 1 {
            let middle = tree.start + split(&tree);
            if index < middle {
                parts.push(middle..tree.end);
                tree.end = middle;
            } else {
                parts.push(tree.start..middle);
                tree.start = middle;
            }
        }
        parts.reverse();
        Some(Self::of(parts))
    }

    /// The proof that the tree of `to` leaves begins with the tree of `from` leaves. Empty where both are one, and where
    /// `from` is 0, with which every tree begins; `None` where `from` is larger than `to`.
    #[must_use]
    pub fn consistency(from: u64, to: u64) -> Option<Self> {
        if from > to || to > SIZE_MAX {
            return None;
        }
        let mut parts = Vec::new();
        let mut tree = if from == 0 { 0..0 } else { 0..to };
        while tree.end > from {
            let middle = tree.start + split(&tree);
            if from <= middle {
                parts.push(middle..tree.end);
                tree.end = middle;
            } else {
                parts.push(tree.start..middle);
                tree.start = middle;
            }
        }
        // A verifier knows the old tree's root, but not the root of a part of it.
        if tree.start > 0 {
            parts.push(tree);
        }
        parts.reverse();
        Some(Self::of(parts))
    }

    /// The edge of the tree of `size` leaves, as [`CompactRange::from_edge`] reads it: with it, any earlier size's root.
    ///
    /// [`CompactRange::from_edge`]: super::tree::CompactRange::from_edge
    #[must_use]
    pub fn edge(size: u64) -> Option<Self> {
        let parts = || subtrees(0..size).map(|(height, index)| index << height..(index + 1) << height);
        (size <= SIZE_MAX).then(|| Self::of(parts().collect()))
    }

    /// Finds the spans: within each block, from the first hash that is needed to the last one.
    fn of(parts: Vec<Range<u64>>) -> Self {
        let mut blocks: BTreeMap<(i64, i64), Span> = BTreeMap::new();
        for (height, index) in parts.iter().cloned().flat_map(subtrees) {
            let Span { level, from, to } = stored(height, index);
            let span = blocks.entry((level, from / SPAN_MAX)).or_insert(Span { level, from, to });
            (span.from, span.to) = (span.from.min(from), span.to.max(to));
        }
        Self { parts, spans: blocks.into_values().collect() }
    }

    /// What to read.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Makes the hashes from what was read, one answer for each span in their order. `None` where an answer has not as many
    /// hashes as its span: the log has lost some.
    #[must_use]
    pub fn hashes(&self, answers: &[Vec<Digest>]) -> Option<Vec<Digest>> {
        self.parts.iter().cloned().map(|part| self.root(part, answers)).collect()
    }

    /// The root over a range of leaves: its subtrees, joined from the right.
    fn root(&self, leaves: Range<u64>, answers: &[Vec<Digest>]) -> Option<Digest> {
        let roots: Option<Vec<Digest>> = subtrees(leaves)
            .map(|(height, index)| {
                let wanted = stored(height, index);
                let at = self
                    .spans
                    .iter()
                    .position(|span| span.level == wanted.level && span.from <= wanted.from && wanted.to <= span.to)?;
                let (span, answer) = (self.spans.get(at)?, answers.get(at)?);
                let place = |seq: i64| usize::try_from(seq - span.from).ok();
                if place(span.to)? != answer.len() {
                    return None;
                }
                perfect_root(answer.get(place(wanted.from)?..place(wanted.to)?)?)
            })
            .collect();
        roots?.into_iter().rev().reduce(|right, left| node_hash(left, right))
    }
}

/// The largest power of two that is smaller than the number of leaves, of which there are two or more.
fn split(leaves: &Range<u64>) -> u64 {
    1 << (leaves.end - leaves.start - 1).ilog2()
}

/// The complete subtrees that a range of a tree consists of, as (height, place at that height), largest first.
fn subtrees(leaves: Range<u64>) -> impl Iterator<Item = (u32, u64)> {
    let mut rest = leaves;
    std::iter::from_fn(move || {
        let height = (rest.end - rest.start).checked_ilog2()?.min(rest.start.trailing_zeros());
        let index = rest.start >> height;
        rest.start += 1 << height;
        Some((height, index))
    })
}

/// The stored hashes that a complete subtree is made from.
fn stored(height: u32, index: u64) -> Span {
    let width = 1 << (height % NODE_LEVEL_BITS);
    let from = index.cast_signed() * width;
    Span { level: i64::from(height / NODE_LEVEL_BITS), from, to: from + width }
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[Digest]) -> Option<Digest> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            Some(node_hash(perfect_root(left)?, perfect_root(right)?))
        }
    }
}

/// Whether `proof` shows that the tree of `size` leaves with this root has a leaf of this hash at `index`. A hash too many
/// is as wrong as one too few.
#[must_use]
pub fn is_included(leaf_hash: Digest, index: u64, size: u64, root: Digest, proof: &[Digest]) -> bool {
    if index >= size {
        return false;
    }
    let mut node = index;
    let mut last = size - 1;
    let mut hash = leaf_hash;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(*sibling, hash);
            (node, last) = past_lonely(node, last);
        } else {
            hash = node_hash(hash, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether `proof` shows that the tree of `to` leaves begins with the tree of `from` leaves. A hash too many is as wrong as
/// one too few.
#[must_use]
pub fn is_consistent(from: u64, from_root: Digest, to: u64, to_root: Digest, proof: &[Digest]) -> bool {
    if from == 0 {
        return proof.is_empty() && from_root == super::tree::root([]) && (to > 0 || to_root == from_root);
    }
    if from >= to {
        return from == to && proof.is_empty() && from_root == to_root;
    }
    let mut node = from - 1;
    let mut last = to - 1;
    let (common, rest) = if from.is_power_of_two() {
        (from_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (*first, rest)
    };
    let shift = node.trailing_ones();
    node >>= shift;
    last >>= shift;
    let (mut old, mut new) = (common, common);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old = node_hash(*sibling, old);
            new = node_hash(*sibling, new);
            (node, last) = past_lonely(node, last);
        } else {
            new = node_hash(new, *sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old == from_root && new == to_root
}

/// Climbs past the heights at which the tree's last node has no sibling.
fn past_lonely(node: u64, last: u64) -> (u64, u64) {
    // A node of 0 has 64 trailing zeros; shifting all of a u64 away is not defined, and 0 stays 0.
    let heights = if node == 0 { 0 } else { node.trailing_zeros() };
    (node >> heights, last >> heights)
}

#[cfg(test)]
mod tests;
