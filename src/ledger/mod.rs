//! The bytes of the ledger: tree hashes, commitments, behaviour. Pure.

pub mod behaviour;
pub mod canonical;
pub mod commitment;
pub mod tree;
pub mod verify;
