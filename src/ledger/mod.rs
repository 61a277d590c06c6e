//! The bytes of the ledger; pure.

pub mod commitment;
