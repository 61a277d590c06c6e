//! From what applications send to drafts of records: pure. No I/O, no clock, no entropy; those are inputs.
//!
//! | module | what |
//! |---|---|
//! | [`otlp`] | bytes to messages, spans to drafts |
//! | [`genai`] | the versioned alias table: what attribute names mean |
//! | [`input`] | the same for what callers of the mutations hand in |
//! | [`facts`] | what sealing needs of a step beyond its columns |
//! | [`calls`] | which spans are one model call, and what a trace sums to |
//! | [`seal`] | a trace's end and its run |
//! | [`pricing`], [`digest`], [`redact`] | cost, keyed digests, redaction |
//! | [`text`], [`json`] | caps on text; canonical JSON |

pub mod digest;
pub mod json;
pub mod redact;
pub mod text;

