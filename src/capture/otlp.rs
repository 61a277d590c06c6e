//! OTLP: bytes to messages, messages to drafts of records. A step's draft depends on nothing but its own span, resource and
//! scope, so that order, batching and transport do not matter.

mod census;
mod content;
mod document;
mod governance;
mod json;
pub mod logs;
pub mod metrics;
mod payload;
mod real;
mod redactions;
mod span;
mod wire;

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use self::span::{Mapper, ResourceContext, ScopeContext};
use super::CaptureContext;
use super::facts::Facts;
use crate::domain::draft::{DraftStep, DraftTrace};
use crate::domain::settle::TraceSignals;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceStep;
use crate::domain::vocabulary::StepKind;
use crate::error::{Error, Result};

pub use self::census::{Census, Shape};
pub use self::payload::{ATTRIBUTES_BYTES_MAX, ATTRIBUTES_MAX, CONTENT_BYTES_MAX, EVENTS_MAX, STRING_BYTES_MAX};

/// What became of a request.
#[derive(Clone, Debug, Default)]
pub struct OtlpDraft {
    /// The traces, each with the steps that the request brought.
    pub traces: Vec<DraftTrace>,
    /// One reason for each span that cannot be recorded.
    pub rejected: Vec<String>,
}

/// A request of one of OTLP's signals.
pub trait Signal: Message + Default {
    /// What it is called in errors.
    const NAME: &'static str;
    /// What is in it.
    const SHAPE: Shape;
    /// Reads it from OTLP/JSON.
    ///
    /// # Errors
    /// When the bytes are no such JSON.
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self>;
}

impl Signal for ExportTraceServiceRequest {
    const NAME: &'static str = "trace";
    const SHAPE: Shape = Shape::Traces;
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        json::decode(bytes)
    }
}

impl Signal for ExportMetricsServiceRequest {
    const NAME: &'static str = "metrics";
    const SHAPE: Shape = Shape::Metrics;
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        json::metrics::decode(bytes)
    }
}

impl Signal for ExportLogsServiceRequest {
    const NAME: &'static str = "logs";
    const SHAPE: Shape = Shape::Logs;
    fn from_json(bytes: &[u8]) -> serde_json::Result<Self> {
        json::logs::decode(bytes)
    }
}

/// Reads a protobuf request.
///
/// # Errors
/// `BAD_USER_INPUT` when the bytes are no such message; text that is not UTF-8 is an error too. `LIMIT_EXCEEDED` when it
/// holds more than one request may.
pub fn decode_protobuf<S: Signal>(bytes: &[u8]) -> Result<S> {
    decode_protobuf_if(bytes, |_| Ok(()))
}

/// The same; what it will take of memory, in bytes, is asked for first.
///
/// # Errors
/// Those, and the one that `admit` gives.
pub fn decode_protobuf_if<S: Signal>(bytes: &[u8], admit: impl FnOnce(u64) -> Result<()>) -> Result<S> {
    let refuse = |error| Error::input("", format!("the body is not an OTLP {} request in protobuf: {error}", S::NAME));
    let census = census::count_protobuf(S::SHAPE, bytes).map_err(refuse)?;
    census.check()?;
    admit(census.decoded_bytes())?;
    S::decode(bytes).map_err(refuse)
}

/// Reads a JSON request, as leniently as OTLP asks: 64-bit integers as numbers or text, ids in hex of any case, enums by
/// number or name, unknown fields ignored, null and missing alike. An id that is not hex is taken as empty, so that its span is
/// rejected alone.
///
/// # Errors
/// `BAD_USER_INPUT` when the bytes are no such JSON; `LIMIT_EXCEEDED` when it holds more than one request may.
pub fn decode_json<S: Signal>(bytes: &[u8]) -> Result<S> {
    decode_json_if(bytes, |_| Ok(()))
}

/// The same; what it will take of memory, in bytes, is asked for first.
///
/// # Errors
/// Those, and the one that `admit` gives.
pub fn decode_json_if<S: Signal>(bytes: &[u8], admit: impl FnOnce(u64) -> Result<()>) -> Result<S> {
    let census = census::count_json(S::SHAPE, bytes);
    census.check()?;
    admit(census.decoded_bytes())?;
    S::from_json(bytes)
        .map_err(|error| Error::input("", format!("the body is not an OTLP {} request in JSON: {error}", S::NAME)))
}

/// Turns spans into drafts: mapped, digested, priced, redacted, capped.
#[must_use]
pub fn map_spans(ctx: &CaptureContext, request: ExportTraceServiceRequest) -> OtlpDraft {
    let mut mapper = Mapper::new(ctx);
    let mut groups = Groups::default();
    for resource_spans in &request.resource_spans {
        let resource = ResourceContext::read(resource_spans.resource.as_ref(), &resource_spans.schema_url);
        for scope_spans in &resource_spans.scope_spans {
            let scope = ScopeContext::read(scope_spans.scope.as_ref(), &scope_spans.schema_url);
            for span in &scope_spans.spans {
                match mapper.step(&resource, &scope, span) {
                    Ok((draft, signals)) => groups.add(span, &resource, draft, signals),
                    Err(reason) => groups.rejected.push(reason),
                }
            }
        }
    }
    OtlpDraft { traces: groups.traces, rejected: groups.rejected }
}

#[derive(Default)]
struct Groups {
    places: HashMap<Vec<u8>, usize>,
    traces: Vec<DraftTrace>,
    /// For each trace the rank of the span that its beginning was read from.
    best: Vec<(bool, Timestamp, String)>,
    rejected: Vec<String>,
}

impl Groups {
    fn add(&mut self, span: &Span, resource: &ResourceContext, draft: DraftStep, signals: TraceSignals) {
        // The root knows best how the trace began, else the earliest span does.
        let step = &draft.step;
        let rank = (step.parent_span_id.is_some(), step.started_at, step.span_id.clone());
        let place = self.places.get(span.trace_id.as_slice()).copied();
        let known = place.and_then(|place| Some((self.traces.get_mut(place)?, self.best.get_mut(place)?)));
        let Some((trace, best)) = known else {
            let trace = span::trace(span, resource, &draft);
            self.places.insert(span.trace_id.clone(), self.traces.len());
            self.traces.push(DraftTrace { trace, payloads: Vec::new(), steps: vec![draft], signals });
            self.best.push(rank);
            return;
        };
        let started_at = trace.trace.started_at.min(step.started_at);
        if rank < *best {
            trace.trace = span::trace(span, resource, &draft);
            *best = rank;
        }
        trace.trace.started_at = started_at;
        trace.signals = trace.signals.union(signals);
        trace.steps.push(draft);
    }
}

/// What steps say about their trace: roots, remote parents, LLM work. Never that it is open.
#[must_use]
pub fn signals(steps: &[DraftStep]) -> TraceSignals {
    steps.iter().fold(TraceSignals::default(), |sum, draft| {
        let facts = Facts::parse(&draft.facts.text);
        sum.union(signals_of(&draft.step, &facts))
    })
}

/// What one step says about its trace.
#[must_use]
pub fn signals_of(step: &TraceStep, facts: &Facts) -> TraceSignals {
    TraceSignals {
        has_root: step.parent_span_id.is_none(),
        has_remote_parent: step.parent_span_id.is_some() && facts.has_remote_parent,
        has_llm_work: is_llm_work(step),
        is_open: false,
    }
}

/// Whether a step is LLM work: a call to a model, or anything that names a model or bears usage.
#[must_use]
pub fn is_llm_work(step: &TraceStep) -> bool {
    matches!(step.kind, StepKind::Llm | StepKind::Embedding | StepKind::Reranker)
        || step.model.is_some()
        || step.input_tokens.is_some()
        || step.output_tokens.is_some()
}

#[cfg(test)]
mod dialects;
#[cfg(test)]
mod guardrails;
#[cfg(test)]
mod tests;
