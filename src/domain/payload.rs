//! Payload parts: JSON that is kept apart from its record, bound to it by a salted commitment, and erasable.

use super::ids::Digest;
use super::vocabulary::{RecordKind, vocabulary};

vocabulary!(
    /// A part of a record that is kept apart from it and can be erased.
    PayloadPart {
        /// TraceStep.attributes.
        Attributes = "attributes",
        /// TraceStep.content.
        Content = "content",
        /// Trace.plan.
        Plan = "plan",
        /// TraceSeal.metadata.
        Metadata = "metadata",
        /// The details of a system record.
        Details = "details",
        /// Why an audited action was taken.
        ActionReason = "action_reason",
        /// The state of an audited thing before.
        BeforeState = "before_state",
        /// The state of an audited thing after.
        AfterState = "after_state",
    }
);

impl PayloadPart {
    /// The kind of record that has this part.
    #[must_use]
    pub const fn record_kind(self) -> RecordKind {
        match self {
            Self::Attributes | Self::Content => RecordKind::TraceStep,
            Self::Plan => RecordKind::Trace,
            Self::Metadata => RecordKind::TraceSeal,
            Self::Details => RecordKind::SystemRecord,
            Self::ActionReason | Self::BeforeState | Self::AfterState => RecordKind::AuditEntry,
        }
    }
}

/// A payload ready to be written: canonical JSON text (RFC 8785), redacted, with its salt and commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPayload {
    /// Which part it is.
    pub part: PayloadPart,
    /// Canonical JSON text, stored exactly as it was hashed.
    pub text: String,
    /// 32 fresh random bytes.
    pub salt: [u8; 32],
    /// `SHA-256("runledger/payload/v1" 0x00 part 0x00 salt text)`; the record holds the same value.
    pub commitment: Digest,
}
