//! What must hold of every request that can be decoded, however odd it is.

use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use runledger::capture::CaptureContext;
use runledger::capture::otlp::{OtlpDraft, map_spans};
use runledger::capture::pricing::PriceTable;
use runledger::capture::redact::redact_json;

static CONTEXT: LazyLock<CaptureContext> = LazyLock::new(|| CaptureContext {
    content_key: [7; 32],
    keeps_content: true,
    prices: Arc::new(PriceTable::embedded().expect("the built-in price table is sound")),
});

/// Every span is a step or a rejection; mapping is a function of the request; payloads are JSON that redaction leaves
/// alone, so nothing that it would take out was kept.
pub fn check(request: ExportTraceServiceRequest) {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans: usize = scopes.map(|scope| scope.spans.len()).sum();
    let draft = map_spans(&CONTEXT, request.clone());
    let steps: usize = draft.traces.iter().map(|trace| trace.steps.len()).sum();
    assert_eq!(spans, steps + draft.rejected.len());
    check_payloads(&draft);
    let again = map_spans(&CONTEXT, request);
    assert_eq!((draft.traces, draft.rejected), (again.traces, again.rejected));
}

fn check_payloads(draft: &OtlpDraft) {
    let steps = draft.traces.iter().flat_map(|trace| &trace.steps);
    for payload in steps.flat_map(|step| &step.payloads) {
        let mut value: serde_json::Value = serde_json::from_str(&payload.text).expect("a payload is JSON");
        // Under the sender's names stand only our own digests and lengths there, which a sensitive name would hide.
        if let Some(content) = value.as_object_mut().and_then(|members| members.remove("content")) {
            assert_digests(&content);
        }
        assert_eq!(redact_json(value.clone()).expect("what is kept can be redacted"), value);
    }
}

/// Nothing below but lengths and digests in hex: no text of the sender's.
fn assert_digests(content: &serde_json::Value) {
    match content {
        serde_json::Value::Object(members) => members.values().for_each(assert_digests),
        serde_json::Value::Array(items) => items.iter().for_each(assert_digests),
        serde_json::Value::String(text) => {
            assert!(text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
        }
        _ => {}
    }
}
