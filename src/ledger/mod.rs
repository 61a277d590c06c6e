//! The bytes of the ledger: tree hashes, commitments, behaviour. Pure.

pub mod behaviour;
pub mod canonical;
pub mod checkpoint;
pub mod commitment;
pub mod note;
pub mod note_secret;
pub mod proof;
pub mod receipt;
pub mod tree;
pub mod verify;
