//! Payload parts: JSON that is kept apart from its record, bound to it by a salted commitment, and erasable.

use super::ids::Digest;
use super::vocabulary::RecordKind;

/// Which part of a record a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadPart {
    /// A step's attributes, redacted.
    Attributes,
    /// A step's message content; only where the tenant turned content capture on.
    Content,
    /// A trace's plan.
    Plan,
    /// A seal's metadata.
    Metadata,
    /// A system record's details.
    Details,
    /// Why an audited action was taken.
    ActionReason,
    /// The state of an audited thing before.
    BeforeState,
    /// The state of an audited thing after.
    AfterState,
}

impl PayloadPart {
    /// Every part.
    pub const ALL: &'static [Self] = &[
        Self::Attributes,
        Self::Content,
        Self::Plan,
        Self::Metadata,
        Self::Details,
        Self::ActionReason,
        Self::BeforeState,
        Self::AfterState,
    ];

    /// The text that is stored and hashed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Content => "content",
            Self::Plan => "plan",
            Self::Metadata => "metadata",
            Self::Details => "details",
            Self::ActionReason => "action_reason",
            Self::BeforeState => "before_state",
            Self::AfterState => "after_state",
        }
    }

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

    /// The part with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|part| part.as_str() == text)
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
