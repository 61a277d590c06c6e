//! What verification of a log found, and what may be believed because of it.

use std::fmt;

use uuid::Uuid;

use super::ids::{Digest, RecordId, TenantId};
use super::time::Timestamp;
use super::vocabulary::{RecordKind, Stream, vocabulary};

vocabulary!(
    /// Whether a log is what was acknowledged.
    VerificationStatus {
        /// Everything that was covered was checked and agrees. There may be warnings.
        Valid = "VALID",
        /// Something disagrees. The anomalies say what and where.
        Invalid = "INVALID",
        /// Nobody knows: it was never checked, too long ago, the check broke off, or there was nothing to check.
        Unknown = "UNKNOWN",
    }
);

vocabulary!(
    /// How much a verification covers.
    VerificationMode {
        /// What was written since the last verification, and that the log still continues what was verified then.
        Incremental = "INCREMENTAL",
        /// Everything, from the first entry.
        Full = "FULL",
    }
);

vocabulary!(
    /// What outside of the database and its signing key would notice if both were rewritten.
    TrustLevel {
        /// Checkpoints are signed. Whoever holds the database and the signing key can still rewrite both; receipts that are
        /// held by others would show it.
        Signed = "SIGNED",
        /// Checkpoints are also kept where they cannot be changed.
        Anchored = "ANCHORED",
        /// Checkpoints are also signed by witnesses.
        Witnessed = "WITNESSED",
    }
);

vocabulary!(
    /// What kind of thing is wrong with a log.
    AnomalyKind {
        /// A record, or a stored checkpoint, is not what was written.
        Altered = "ALTERED",
        /// A payload is not the one that its record commits to.
        PayloadAltered = "PAYLOAD_ALTERED",
        /// A payload is gone, and no record says that it was erased.
        PayloadMissing = "PAYLOAD_MISSING",
        /// A record, an entry or a whole log is gone.
        Deleted = "DELETED",
        /// There is a record, a payload or an entry that was never acknowledged.
        Inserted = "INSERTED",
        /// Records or entries stand at other places than they were given.
        Reordered = "REORDERED",
        /// The tree's nodes, root, edge or size are not what the entries give.
        Tree = "TREE",
        /// The log is shorter than a signed checkpoint of it.
        Truncated = "TRUNCATED",
        /// The log is shorter than it was when this server last verified it.
        Rollback = "ROLLBACK",
        /// There are two histories: two signed states that exclude each other, or a verified state that this log does not
        /// continue.
        Fork = "FORK",
        /// The log agrees with itself, but a signed checkpoint disagrees with it.
        Rewritten = "REWRITTEN",
        /// A record's createdAt falls more than 5 seconds behind that of the record before it. A warning.
        Clock = "CLOCK",
        /// A guard that keeps a table from being changed is missing or off. A warning.
        GuardOff = "GUARD_OFF",
    }
);

impl AnomalyKind {
    /// Warnings do not make a log INVALID.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::Clock | Self::GuardOff)
    }
}

/// One finding, as exactly located as the evidence allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What is wrong.
    pub kind: AnomalyKind,
    /// Whether it is only a warning.
    pub is_warning: bool,
    /// The first place concerned; for a checkpoint its size.
    pub seq: Option<i64>,
    /// One past the last place concerned, where it is a range; for REORDERED the other place of the pair.
    pub seq_end: Option<i64>,
    /// The kind of the record concerned.
    pub record_kind: Option<RecordKind>,
    /// The record concerned.
    pub record_id: Option<RecordId>,
    /// The column, payload part or table concerned, where it can be told; several columns where a receipt tells them,
    /// separated by commas.
    pub field: Option<String>,
    /// What was expected and what is there, for people.
    pub detail: String,
}

impl fmt::Display for Anomaly {
    /// One line for people; its last part may hold what stands in the database.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match (self.seq, self.seq_end) {
            (Some(from), Some(to)) => write!(f, " at {from}..{to}")?,
            (Some(from), None) => write!(f, " at {from}")?,
            _ => {}
        }
        if let Some(kind) = self.record_kind {
            write!(f, " {}", kind.as_str())?;
        }
        if let Some(id) = self.record_id {
            write!(f, " {id}")?;
        }
        if let Some(field) = &self.field {
            write!(f, " [{field}]")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// A finding that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnomaly {
    /// The verification that found it.
    pub verification_id: RecordId,
    /// Its place among what that verification found, from 0.
    pub index: i64,
    /// What was found.
    pub anomaly: Anomaly,
}

impl StoredAnomaly {
    /// Its public id.
    #[must_use]
    pub fn id(&self) -> String {
        format!("ano_{}_{}", self.verification_id, self.index)
    }

    /// The verification and the place that a public id names; `None` for any other text.
    #[must_use]
    pub fn parse_id(text: &str) -> Option<(RecordId, i64)> {
        let (verification, index) = text.strip_prefix("ano_")?.split_once('_')?;
        let id = (RecordId(Uuid::try_parse(verification).ok()?), index.parse().ok()?);
        (text == format!("ano_{}_{}", id.0, id.1)).then_some(id)
    }
}

impl Anomaly {
    /// A finding that is not located yet.
    #[must_use]
    pub fn new(kind: AnomalyKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            is_warning: kind.is_warning(),
            seq: None,
            seq_end: None,
            record_kind: None,
            record_id: None,
            field: None,
            detail: detail.into(),
        }
    }

    /// At this place.
    #[must_use]
    pub fn at(mut self, seq: i64) -> Self {
        self.seq = Some(seq);
        self
    }

    /// In these places, or, for REORDERED, at both.
    #[must_use]
    pub fn within(mut self, seq: i64, seq_end: i64) -> Self {
        (self.seq, self.seq_end) = (Some(seq), Some(seq_end));
        self
    }

    /// In this record.
    #[must_use]
    pub fn of(mut self, kind: RecordKind, id: RecordId) -> Self {
        (self.record_kind, self.record_id) = (Some(kind), Some(id));
        self
    }

    /// In this column, payload part or table.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

/// One finished look at one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Its id (UUIDv7).
    pub id: RecordId,
    /// Whose log.
    pub tenant_id: TenantId,
    /// Which log; the nil UUID where there is none.
    pub log_id: Uuid,
    /// Which of the tenant's two; `None` where the log no longer says it.
    pub stream: Option<Stream>,
    /// How much was asked for.
    pub mode: VerificationMode,
    /// The result.
    pub status: VerificationStatus,
    /// Why it is UNKNOWN.
    pub reason: Option<String>,
    /// Entries before this place were taken on trust.
    pub from_size: i64,
    /// The log's size when the look began: what was written later is not covered.
    pub size: i64,
    /// The root that the entries give at that size; `None` where it could not be computed.
    pub root: Option<Digest>,
    /// Entries that were covered.
    pub entry_count: i64,
    /// Payloads that were checked against their commitments.
    pub payload_count: i64,
    /// Payloads that are gone, with an erase or prune record.
    pub erased_count: i64,
    /// Findings that make it INVALID.
    pub anomaly_count: i64,
    /// Findings that do not.
    pub warning_count: i64,
    /// Whether entries, records, nodes, root and checkpoints agree; payloads apart.
    pub is_chain_valid: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// A state of a log that was found VALID, kept outside of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedPosition {
    /// How many entries the log had.
    pub size: i64,
    /// The root of its tree.
    pub root: Digest,
    /// When it was verified.
    pub verified_at: Timestamp,
}

/// What is known of a log's integrity now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityCheck {
    /// What may be believed now: UNKNOWN where the last look is too old.
    pub status: VerificationStatus,
    /// Why it is UNKNOWN.
    pub reason: Option<String>,
    /// When the last look ended; `None` where there was none.
    pub last_verified: Option<Timestamp>,
    /// Findings of the last look that make it INVALID.
    pub anomalies_detected: i64,
    /// Whether entries, nodes, root and checkpoints agreed in the last look; `None` where there was none.
    pub hash_chain_valid: Option<bool>,
    /// How much the last look covered.
    pub mode: Option<VerificationMode>,
    /// What outside of database and key stands behind the log; `None` while nothing is signed.
    pub trust_level: Option<TrustLevel>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clock_and_guards_are_warnings() {
        let warnings: Vec<_> = AnomalyKind::ALL.iter().filter(|kind| kind.is_warning()).collect();
        assert_eq!(warnings, [&AnomalyKind::Clock, &AnomalyKind::GuardOff]);
        assert!(Anomaly::new(AnomalyKind::Clock, "late").is_warning);
    }
}
