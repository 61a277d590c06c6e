//! The Merkle tree hash of RFC 6962, section 2.1.

use sha2::{Digest as _, Sha256};

use crate::domain::ids::Digest;

/// `SHA-256(0x00 leaf)`.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(leaf);
    Digest(hash.finalize().into())
}

/// `SHA-256(0x01 left right)`.
#[must_use]
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left.0);
    hash.update(right.0);
    Digest(hash.finalize().into())
}

/// The root over leaves that are given one by one, in constant memory. The empty tree's root is `SHA-256("")`.
#[must_use]
pub fn root(leaf_hashes: impl IntoIterator<Item = Digest>) -> Digest {
    let mut range = CompactRange::empty();
    leaf_hashes.into_iter().for_each(|leaf| range.append(leaf, |_| {}));
    range.root()
}

/// Leaves of a stored node's level: a node of level 1 covers 256 leaves, of level 2 65,536.
pub const NODE_LEVEL_BITS: u32 = 8;

/// The root of a complete subtree that is kept, so that a proof reads short ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// From 1: it covers 256^level leaves.
    pub level: i64,
    /// Its place among the nodes of its level, from 0.
    pub idx: i64,
    /// Its hash.
    pub hash: Digest,
}

/// The right edge of a tree: the roots of its complete subtrees, largest first, one for each bit of its size. All that
/// is needed to append to it and to know its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    roots: Vec<Digest>,
}

impl CompactRange {
    /// The edge of the empty tree.
    #[must_use]
    pub const fn empty() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// Reads what [`CompactRange::edge`] wrote; `None` when the bytes do not fit the size.
    #[must_use]
    pub fn from_edge(size: u64, edge: &[u8]) -> Option<Self> {
        let roots: Option<Vec<Digest>> = edge.chunks(32).map(Digest::from_slice).collect();
        roots.filter(|roots| roots.len() == size.count_ones() as usize).map(|roots| Self { size, roots })
    }

    /// The hashes one after the other, 32 bytes each.
    #[must_use]
    pub fn edge(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|root| root.0).collect()
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; `completed` gets every node to be kept that it completes, the smallest first.
    pub fn append(&mut self, leaf_hash: Digest, mut completed: impl FnMut(Node)) {
        let mut hash = leaf_hash;
        // Adding one to a binary counter: every trailing one is a subtree that the new one merges with.
        for height in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(left, hash);
            let height = height + 1;
            if height % NODE_LEVEL_BITS == 0 {
                let (level, idx) = (i64::from(height / NODE_LEVEL_BITS), (self.size >> height).cast_signed());
                completed(Node { level, idx, hash });
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev().copied();
        match roots.next() {
            Some(smallest) => roots.fold(smallest, |right, left| node_hash(left, right)),
            None => Digest(Sha256::digest([]).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves of the test vectors that implementations of RFC 6962 share.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn gives_the_roots_of_the_published_vectors() {
        for (size, expected) in ROOTS.iter().enumerate() {
            let leaves = LEAVES[..size].iter().map(|leaf| leaf_hash(&hex::decode(leaf).expect("hex")));
            assert_eq!(root(leaves).to_hex(), *expected, "size {size}");
        }
    }

    /// The definition of RFC 6962, as it is written there.
    fn recursive(leaves: &[Digest]) -> Digest {
        match leaves.len() {
            1 => leaves[0],
            n => {
                let split = n.next_power_of_two() / 2;
                node_hash(recursive(&leaves[..split]), recursive(&leaves[split..]))
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_recursive_definition(size in 1_usize..300) {
            let leaves: Vec<Digest> = (0..size).map(|leaf| leaf_hash(&leaf.to_be_bytes())).collect();
            proptest::prop_assert_eq!(root(leaves.iter().copied()), recursive(&leaves));
            let mut range = CompactRange::empty();
            for leaf in &leaves {
                range.append(*leaf, |node| {
                    let first = usize::try_from(node.idx * 256).expect("a place");
                    let covered = first..first + 256;
                    assert_eq!((node.level, node.hash), (1, recursive(&leaves[covered])));
                });
                range = CompactRange::from_edge(range.size(), &range.edge()).expect("edge");
            }
            proptest::prop_assert_eq!(range.root(), recursive(&leaves));
        }
    }
}
