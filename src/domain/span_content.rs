//! Digests of message content that came as log events beside the spans they belong to. Operational, never evidence: they
//! wait here until the step is recorded, or the run is made.

use super::ids::{Digest, TraceId};
use super::time::Timestamp;
use super::vocabulary::vocabulary;

vocabulary!(
    /// Which side of a call some content is on.
    ContentSide {
        /// What went in.
        Input = "INPUT",
        /// What came out.
        Output = "OUTPUT",
    }
);

/// Digest of the content of one log event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanContent {
    /// The trace of its span.
    pub trace_id: TraceId,
    /// Its span: 16 hex digits.
    pub span_id: String,
    /// Its side.
    pub side: ContentSide,
    /// Of several contents of one side those of the lowest rank count.
    pub rank: i64,
    /// When the event happened; contents of one rank are in this order.
    pub at: Timestamp,
    /// Keyed digest of the content.
    pub digest: Digest,
}
