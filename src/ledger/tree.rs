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
    // Roots of complete subtrees, largest first, as in a binary counter: sizes are distinct powers of two.
    let mut subtrees: Vec<(u64, Digest)> = Vec::new();
    for leaf in leaf_hashes {
        let (mut size, mut hash) = (1, leaf);
        while let Some(&(left_size, left)) = subtrees.last() {
            if left_size != size {
                break;
            }
            subtrees.pop();
            hash = node_hash(left, hash);
            size *= 2;
        }
        subtrees.push((size, hash));
    }
    let empty = || Digest(Sha256::digest([]).into());
    let mut right = match subtrees.pop() {
        Some((_, hash)) => hash,
        None => return empty(),
    };
    while let Some((_, left)) = subtrees.pop() {
        right = node_hash(left, right);
    }
    right
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
        }
    }
}
