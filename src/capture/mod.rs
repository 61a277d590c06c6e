//! From what applications send to drafts of records: pure. No I/O, no clock, no entropy; those are inputs.
//!
//! | module | what |
//! |---|---|
//! | [`otlp`] | bytes to messages, spans to drafts |
//! | [`genai`] | the versioned alias table: what attribute names mean |
//! | [`input`], [`audit`] | the same for what callers of the mutations hand in |
//! | [`incidents`], [`policies`] | the same for incident evidence and policy activations |
//! | [`system`] | what they hand in of the platform |
//! | [`contents`] | digests of content that came as log events, put into the steps they belong to |
//! | [`facts`] | what sealing needs of a step beyond its columns |
//! | [`calls`] | which spans are one model call, and what a trace sums to |
//! | [`seal`] | a trace's end and its run |
//! | [`pricing`], [`digest`], [`redact`] | cost, keyed digests, redaction |
//! | [`request`] | which two requests are the same |
//! | [`text`], [`json`] | caps on text; canonical JSON |

pub mod audit;
pub mod calls;
pub mod contents;
pub mod digest;
pub mod facts;
pub mod genai;
pub mod incidents;
pub mod input;
pub mod json;
pub mod otlp;
pub mod policies;
pub mod pricing;
pub mod redact;
pub mod request;
pub mod seal;
pub mod system;
pub mod text;

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod fixtures;

use std::sync::Arc;

use self::pricing::PriceTable;

/// What capture needs to know of a tenant.
#[derive(Clone)]
pub struct CaptureContext {
    /// The tenant's key for digests of content.
    pub content_key: [u8; 32],
    /// Whether message content is kept, redacted, as payload part `content`; otherwise only its digest is.
    pub keeps_content: bool,
    /// The price table in force.
    pub prices: Arc<PriceTable>,
}

impl std::fmt::Debug for CaptureContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureContext")
            .field("keeps_content", &self.keeps_content)
            .field("prices", &self.prices.version())
            .finish_non_exhaustive()
    }
}
