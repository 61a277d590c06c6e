//! What is handed to the ledger to be appended, and what comes back.

use super::ids::{Digest, RecordId, TenantId, TraceId};
use super::payload::{NewPayload, PayloadPart};
use super::record::NewRecord;
use super::settle::TraceSignals;
use super::time::Timestamp;
use super::vocabulary::Stream;
use crate::error::{Code, Error, Result};

/// A record to be written, with its id and payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New<T> {
    /// Its id (UUIDv7).
    pub id: RecordId,
    /// The record; its commitments match `payloads`.
    pub record: T,
    /// Its payload parts.
    pub payloads: Vec<NewPayload>,
}

/// What sealing needs to know of a step beyond its columns. Operational, never evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFacts {
    /// Digest of the step as it was sent: a re-export with another digest differs from what was recorded.
    pub digest: Digest,
    /// JSON that `capture` writes and reads; opaque to everything else.
    pub text: String,
}

impl AppendUnit {
    /// Records for the tenant's evidence log, each for itself.
    #[must_use]
    pub fn evidence(tenant: TenantId, records: Vec<NewRecord>) -> Self {
        Self {
            tenant,
            stream: Stream::Evidence,
            records,
            is_atomic: false,
            touches: Vec::new(),
            idempotency: None,
            guard: None,
            erasures: Vec::new(),
        }
    }
}

/// News of one trace that gains steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceTouch {
    /// The trace.
    pub trace_id: TraceId,
    /// What the new steps say about it.
    pub signals: TraceSignals,
}

/// The space of the `idempotencyKey`s of callers: one key is one request, whatever the mutation.
pub const CALLERS_KEYS: &str = "callers";
/// The same for the part of a request that goes into the access log, in a transaction of its own.
pub const CALLERS_ACCESS_KEYS: &str = "callers/access";

/// A key under which a unit is appended once: a caller's `idempotencyKey`, or one of the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// Where the key is unique within its tenant: one of the two spaces above, or the operation where it is the server's own.
    pub space: &'static str,
    /// The mutation.
    pub operation: &'static str,
    /// The key.
    pub key: String,
    /// What tells one request from another; of callers' requests keyed, so that nobody confirms a guess with it.
    pub request_hash: Digest,
    /// What the facade needs to give the same answer again, as JSON.
    pub answer: String,
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The mutation.
    pub operation: String,
    /// The request's hash; `None` for one that was recorded when hashes were not keyed: any request is taken for it.
    pub request_hash: Option<Digest>,
    /// The answer.
    pub answer: FirstAnswer,
}

/// The answer that was given under a key, when it was first used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstAnswer {
    /// What the facade left.
    pub text: String,
    /// Which records, by their place in the unit, had been there before.
    pub existing: Vec<ExistingRecord>,
}

/// A record of a unit that was there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExistingRecord {
    /// Its place in the unit.
    pub place: usize,
    /// The record that stands.
    pub id: uuid::Uuid,
    /// Whether what was sent differed from it.
    pub differs: bool,
}

impl Claimed {
    /// The first answer, where a request is the one that it was given to.
    ///
    /// # Errors
    /// `CONFLICT` for another request or another mutation under the same key.
    pub fn answer_to(&self, operation: &str, key: &str, request_hash: Digest) -> Result<&FirstAnswer> {
        let message = if self.operation != operation {
            format!("the idempotencyKey {key} was used with {}; take a fresh one for {operation}", self.operation)
        } else if self.request_hash.is_some_and(|first| first != request_hash) {
            format!("the idempotencyKey {key} was used with another input of {operation}; take a fresh one")
        } else {
            return Ok(&self.answer);
        };
        Err(Error::new(Code::Conflict, message))
    }
}

/// A seal is only right for the steps it was computed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealGuard {
    /// The trace.
    pub trace_id: TraceId,
    /// The trace's version when the steps were read; another version makes the unit stale.
    pub version: i64,
}

/// Records of one tenant that are appended together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendUnit {
    /// The tenant whose log grows.
    pub tenant: TenantId,
    /// Which of its logs. Audit entries of category ACCESS go to the access log and nothing else does.
    pub stream: Stream,
    /// The records, in the order in which they get their seq. A step's trace stands before it or is stored already.
    pub records: Vec<NewRecord>,
    /// All or nothing, and a record that exists already is a CONFLICT. Otherwise each record stands for itself and one
    /// that exists already is reported as such.
    pub is_atomic: bool,
    /// One entry for each trace that gains steps or begins.
    pub touches: Vec<TraceTouch>,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyClaim>,
    /// Set for seals.
    pub guard: Option<SealGuard>,
    /// Payloads that are deleted with their salts in the same transaction. The unit is atomic, and its records name each
    /// of them: an `erase` or `prune` event whose subject is `<record id>/<part>`. One that is not there is a CONFLICT.
    pub erasures: Vec<(RecordId, PayloadPart)>,
}

/// What the ledger assigned to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The record's id.
    pub id: RecordId,
    /// Its place in the log.
    pub seq: i64,
    /// When its unit was handed to the ledger.
    pub created_at: Timestamp,
    /// `SHA-256(0x00 leaf)`.
    pub leaf_hash: Digest,
    /// For a step, its place in the trace.
    pub step_index: Option<i64>,
    /// For a step, whether it came after a seal.
    pub is_late: bool,
}

/// What became of one record of a unit.
#[derive(Clone, Debug)]
pub enum AppendResult {
    /// It is written.
    New(Appended),
    /// It was there already; first truth wins.
    Existing {
        /// The id of the record that stands.
        id: RecordId,
        /// Whether what was sent now differs from what stands.
        differs: bool,
    },
    /// It cannot be written.
    Rejected(Error),
}

/// What became of a unit. Given only after commit.
#[derive(Clone, Debug)]
pub enum AppendReceipt {
    /// One result for each record, in order.
    Done(Vec<AppendResult>),
    /// The idempotency key was used before with the same request: the stored answer.
    Replayed(FirstAnswer),
    /// The guard's version is outdated: read the trace again.
    Stale,
}
