//! Signed states of the logs, the keys that sign them, and proofs.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::ids::{Digest, TenantId};
use super::time::Timestamp;

/// Sizes of logs at one instant, by log id. A log that is not in it was empty or did not exist.
pub type LogSizes = BTreeMap<Uuid, i64>;

/// A signed state of a log. Only committed states are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// Whose log it is of.
    pub tenant_id: TenantId,
    /// The log.
    pub log_id: Uuid,
    /// The log's name, the first line of the note: `<ledger.origin>/<log id>`.
    pub origin: String,
    /// How many entries the log had.
    pub size: i64,
    /// The root of its tree then.
    pub root: Digest,
    /// The checkpoint with its signature: C2SP tlog-checkpoint in a signed note.
    pub note: String,
    /// When it was signed.
    pub made_at: Timestamp,
}

/// Proof that a record is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The log.
    pub log_id: Uuid,
    /// The record's place in it, from 0.
    pub seq: i64,
    /// `SHA-256(0x00 leaf)`.
    pub leaf_hash: Digest,
    /// The size of the tree that the proof leads to.
    pub size: i64,
    /// The root of that tree.
    pub root: Digest,
    /// Hashes of RFC 6962's audit path, from the leaf upwards.
    pub hashes: Vec<Digest>,
}

/// Proof that a log only grew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The log.
    pub log_id: Uuid,
    /// The earlier size.
    pub from: i64,
    /// The root of the tree of that size.
    pub from_root: Digest,
    /// The later size.
    pub to: i64,
    /// The root of the tree of that size.
    pub to_root: Digest,
    /// Hashes of RFC 6962's consistency proof.
    pub hashes: Vec<Digest>,
}

/// The public half of a key that signs or has signed, and what it may have signed: of each log the sizes from
/// `from_sizes` to `to_sizes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerKey {
    /// Eight hex digits: the key's hash in signed notes.
    pub key_id: String,
    /// Its name: `ledger.origin`.
    pub name: String,
    /// The public half.
    pub public_key: [u8; 32],
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was retired; `None` while it signs.
    pub retired_at: Option<Timestamp>,
    /// The sizes of the logs when it began to sign. A log that is not in it began later: 0.
    pub from_sizes: LogSizes,
    /// Their sizes when it was retired; it signed nothing of a log that is not in it. `None` while it signs.
    pub to_sizes: Option<LogSizes>,
}
