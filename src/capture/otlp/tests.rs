use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status};
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::capture::digest::content_digest;
use crate::capture::fixture_tests::context;
use crate::capture::fixtures;
use crate::domain::payload::PayloadPart;
use crate::domain::vocabulary::{OutcomeCategory, StepStatus};

pub(crate) fn text(key: &str, text: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(text.into()))
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn span(id: u8, attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![id; 8],
        name: "a span".to_owned(),
        flags: 0x100,
        start_time_unix_nano: 1_000_000_000 + u64::from(id),
        end_time_unix_nano: 2_000_000_000,
        attributes,
        ..Span::default()
    }
}

pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope { name: "tests".to_owned(), ..InstrumentationScope::default() };
    let resource = Resource { attributes: vec![text("service.name", "svc")], ..Resource::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }],
    }
}

fn map(span: Span) -> DraftStep {
    let draft = map_spans(&context(false), request(vec![span]));
    assert_eq!(draft.rejected, Vec::<String>::new());
    draft.traces.into_iter().flat_map(|trace| trace.steps).next().expect("one step")
}

fn payload(draft: &DraftStep) -> Json {
    serde_json::from_str(&draft.payloads[0].text).expect("JSON")
}

#[test]
fn spans_that_cannot_be_recorded_are_rejected_alone() {
    let bad = [
        Span { trace_id: vec![0; 16], ..span(1, Vec::new()) },
        Span { trace_id: vec![1; 15], ..span(1, Vec::new()) },
        Span { span_id: vec![1, 2], ..span(1, Vec::new()) },
        Span { span_id: vec![0; 8], ..span(1, Vec::new()) },
        Span { parent_span_id: vec![1; 3], ..span(1, Vec::new()) },
    ];
    let count = bad.len();
    let draft = map_spans(&context(false), request(bad.into_iter().chain([span(9, Vec::new())]).collect()));
    assert_eq!((draft.rejected.len(), draft.traces[0].steps.len()), (count, 1));
    assert!(draft.rejected[0].contains("all zeros"), "{:?}", draft.rejected);
}

#[test]
fn instants_are_microseconds_and_no_duration_is_negative() {
    let step = map(span(1, Vec::new())).step;
    assert_eq!((step.started_at.as_micros(), step.duration_us), (1_000_000, 1_000_000));
    let backwards = Span { end_time_unix_nano: 5, ..span(1, Vec::new()) };
    assert_eq!(map(backwards).step.duration_us, 0);
}

#[test]
fn flags_tell_roots_from_remote_parents() {
    let of = |parent: Vec<u8>, flags| {
        let draft =
            map_spans(&context(false), request(vec![Span { parent_span_id: parent, flags, ..span(1, Vec::new()) }]));
        assert_eq!(signals(&draft.traces[0].steps), draft.traces[0].signals);
        (draft.traces[0].signals.has_root, draft.traces[0].signals.has_remote_parent)
    };
    assert_eq!(of(Vec::new(), 0), (true, false));
    assert_eq!(of(vec![0; 8], 0x100), (true, false));
    assert_eq!(of(vec![2; 8], 0), (false, true), "an exporter that does not know leaves it open");
    assert_eq!(of(vec![2; 8], 0x100), (false, false));
    assert_eq!(of(vec![2; 8], 0x301), (false, true));
}

#[test]
fn llm_work_is_a_call_a_model_or_usage() {
    let has_llm_work =
        |attributes| map_spans(&context(false), request(vec![span(1, attributes)])).traces[0].signals.has_llm_work;
    assert!(!has_llm_work(vec![text("http.route", "/ask")]));
    assert!(has_llm_work(vec![text("openinference.span.kind", "LLM")]));
    assert!(has_llm_work(vec![text("gen_ai.request.model", "gpt-4o")]));
    assert!(has_llm_work(vec![attribute("gen_ai.usage.input_tokens", Value::IntValue(0))]));
}

#[test]
fn content_is_digested_as_sent_and_dropped() {
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"What?"}]}]"#;
    let attributes = vec![
        text("gen_ai.input.messages", messages),
        text("gen_ai.system_instructions", "be kind"),
        text("gen_ai.completion.0.content", "That."),
        text("gen_ai.completion.0.role", "assistant"),
    ];
    let draft = map(span(1, attributes.clone()));
    assert_eq!(draft.step.input_hash, Some(content_digest(&[7; 32], messages)));
    let family = r#"{"0.content":"That.","0.role":"assistant"}"#;
    assert_eq!(draft.step.output_hash, Some(content_digest(&[7; 32], family)));
    let payload = payload(&draft);
    assert_eq!(payload["attributes"], serde_json::json!({}));
    assert_eq!(
        payload["content"]["input"]["gen_ai.system_instructions"]["digest"],
        content_digest(&[7; 32], "be kind").to_hex()
    );
    assert_eq!(payload["content"]["output"]["gen_ai.completion"]["bytes"], family.len());
    let kept = map_spans(&context(true), request(vec![span(1, attributes)]));
    let content = &kept.traces[0].steps[0].payloads[1];
    assert_eq!(content.part, PayloadPart::Content);
    let content: Json = serde_json::from_str(&content.text).expect("JSON");
    assert_eq!(content["input"]["gen_ai.input.messages"], messages);
    assert_eq!(content["output"]["gen_ai.completion.0.content"], "That.");
}

#[test]
fn content_of_events_is_content() {
    let event = |name: &str, key: &str, value: &str| Event {
        name: name.to_owned(),
        attributes: vec![text(key, value), text("gen_ai.system", "openai")],
        ..Event::default()
    };
    let events = vec![event("gen_ai.user.message", "content", "What?"), event("gen_ai.choice", "message", "That.")];
    let draft = map(Span { events, ..span(1, Vec::new()) });
    assert_eq!(draft.step.input_hash, Some(content_digest(&[7; 32], r#"[{"content":"What?"}]"#)));
    assert_eq!(draft.step.output_hash, Some(content_digest(&[7; 32], r#"[{"message":"That."}]"#)));
    assert!(!draft.payloads[0].text.contains("What?") && !draft.payloads[0].text.contains("That."));
    assert_eq!(payload(&draft)["events"][0]["attributes"]["gen_ai.system"], "openai");
}

#[test]
fn names_labels_and_errors_are_redacted_cut_and_free_of_nul() {
    let long = format!("{}é\0", "n".repeat(300));
    let mut span = span(
        1,
        vec![text("session.id", "jane@example.test"), text("user.id", "jane@example.test"), text("error.type", "x")],
    );
    span.name = long;
    span.status = Some(Status { code: 2, message: "Incorrect API key provided: sk-fake".to_owned() });
    let draft = map(span);
    assert_eq!((draft.step.status, draft.step.outcome_category), (StepStatus::Failure, OutcomeCategory::Permanent));
    assert!(draft.step.skill_name.len() <= 128 && draft.step.skill_name.contains('~'));
    assert!(!draft.payloads[0].text.contains("sk-fake") && !draft.payloads[0].text.contains("\\u0000"));
    let facts = Facts::parse(&draft.facts.text);
    assert_eq!(facts.session_id.as_deref(), Some("[REDACTED]"));
    // An identifier that the caller chose; the attribute itself is redacted like any other.
    assert_eq!(facts.end_user_id.as_deref(), Some("jane@example.test"));
    assert!(!draft.payloads[0].text.contains("jane"));
}

#[test]
fn attempts_count_from_one() {
    let attempt = |key: &str, number| map(span(1, vec![attribute(key, Value::IntValue(number))])).step.attempt;
    assert_eq!(attempt("none", 5), 1);
    assert_eq!(attempt("runledger.attempt", 3), 3);
    assert_eq!(attempt("http.request.resend_count", 2), 3);
    assert_eq!(attempt("runledger.attempt", -5), 1);
    assert_eq!(attempt("http.request.resend_count", i64::MAX), i64::from(i32::MAX));
}

#[test]
fn values_that_json_would_change_are_text() {
    let draft = map(span(
        1,
        vec![
            attribute("big", Value::IntValue(i64::MAX)),
            attribute("nan", Value::DoubleValue(f64::NAN)),
            attribute("bytes", Value::BytesValue(vec![0, 255])),
            attribute("secret_bytes", Value::BytesValue(b"mail jane@example.test".to_vec())),
            attribute("card", Value::IntValue(4_111_111_111_111_111)),
            attribute("api_key", Value::StringValue("abc".to_owned())),
            attribute("twice", Value::IntValue(1)),
            attribute("twice", Value::IntValue(2)),
            KeyValue { key: "null".to_owned(), ..KeyValue::default() },
        ],
    ));
    let attributes = &payload(&draft)["attributes"];
    assert_eq!(attributes["big"], "9223372036854775807");
    assert_eq!(attributes["nan"], "NaN");
    assert_eq!(attributes["bytes"], "AP8=");
    for redacted in ["secret_bytes", "card", "api_key"] {
        assert_eq!(attributes[redacted], "[REDACTED]", "{redacted}");
    }
    assert_eq!((&attributes["twice"], &attributes["null"]), (&Json::from(1), &Json::Null));
}

#[test]
fn large_spans_are_cut_visibly() {
    let long = map(span(1, vec![text("http.route", "x".repeat(STRING_BYTES_MAX + 5))]));
    assert!(payload(&long)["attributes"]["http.route"].as_str().is_some_and(|text| text.contains("…[5 bytes cut, ")));
    let many = map(span(1, (0..ATTRIBUTES_MAX + 7).map(|n| text(&format!("k{n}"), "v")).collect()));
    assert_eq!(payload(&many)["omitted"]["attributes"], 7);
    let wide = map(span(1, (0..200).map(|n| text(&format!("url.k{n}"), "x".repeat(8_000))).collect()));
    assert!(wide.payloads[0].text.len() <= ATTRIBUTES_BYTES_MAX);
    let event = |n: u64| Event { name: "e".to_owned(), time_unix_nano: n, ..Event::default() };
    let noisy = map(Span { events: (0..EVENTS_MAX as u64 + 3).map(event).collect(), ..span(1, Vec::new()) });
    assert_eq!(payload(&noisy)["omitted"]["events"], 3);
    let mut deep = Value::IntValue(1);
    for _ in 0..40 {
        deep = Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(deep) }] });
    }
    assert!(map(span(1, vec![attribute("deep", deep)])).payloads[0].text.contains("[nested too deep]"));
    let list = Value::KvlistValue(KeyValueList { values: vec![attribute("n", Value::IntValue(1))] });
    assert_eq!(payload(&map(span(1, vec![attribute("map", list)])))["attributes"]["map"]["n"], 1);
}

#[test]
fn kept_content_has_a_cap() {
    let parts = (0..100).map(|n| text(&format!("gen_ai.prompt.{n}.content"), "x".repeat(20_000)));
    let draft = map_spans(&context(true), request(vec![span(1, parts.collect())]));
    assert!(draft.traces[0].steps[0].payloads[1].text.len() <= CONTENT_BYTES_MAX);
}

#[test]
fn a_re_export_that_differs_has_another_digest() {
    let first = map(span(1, vec![text("a", "1")])).facts.digest;
    assert_eq!(map(span(1, vec![text("a", "1")])).facts.digest, first);
    assert_ne!(map(span(1, vec![text("a", "2")])).facts.digest, first);
    assert_ne!(map(Span { name: "b".to_owned(), ..span(1, vec![text("a", "1")]) }).facts.digest, first);
}

#[test]
fn the_price_and_where_it_comes_from_are_known() {
    let call = |extra: Vec<KeyValue>| {
        let mut attributes = vec![
            text("gen_ai.system", "openai"),
            text("gen_ai.response.model", "gpt-4o-2026-08-06"),
            attribute("gen_ai.usage.input_tokens", Value::IntValue(1_000)),
            attribute("gen_ai.usage.output_tokens", Value::IntValue(100)),
        ];
        attributes.extend(extra);
        let draft = map(span(1, attributes));
        (draft.step.cost_micros, Facts::parse(&draft.facts.text).price_version.is_some())
    };
    assert_eq!(call(Vec::new()), (Some(3_500), true));
    assert_eq!(call(vec![attribute("gen_ai.usage.cost", Value::DoubleValue(0.5))]), (Some(500_000), false));
    assert_eq!(
        call(vec![attribute("gen_ai.usage.cache_read.input_tokens", Value::IntValue(400))]),
        (Some(3_000), true)
    );
    assert_eq!(call(vec![text("gen_ai.provider.name", "my_gateway")]), (None, false));
}

#[test]
fn json_is_read_as_leniently_as_otlp_asks() {
    let json = r#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":{"name":"s","future":1},"spans":[{
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","parentSpanId":null,"name":"n","kind":"SPAN_KIND_CLIENT",
        "startTimeUnixNano":1544712660000000000,"endTimeUnixNano":"1544712661000000000","flags":"257","future":{"a":[1]},
        "status":{"code":"STATUS_CODE_ERROR","message":null},"events":null,"attributes":[
        {"key":"i","value":{"intValue":"9007199254740993"}},{"key":"n","value":{"intValue":7}},{"key":"d","value":{"doubleValue":0.1}},
        {"key":"nan","value":{"doubleValue":"NaN"}},{"key":"b","value":{"bytesValue":"AP8="}},{"key":"none","value":{}},
        {"key":"later","value":{"futureValue":1}},{"key":"l","value":{"arrayValue":{"values":[{"boolValue":true}]}}},
        {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":null}]}}}]}]}]}],"futureField":{"a":1}}"#;
    let request: ExportTraceServiceRequest = decode_json(json.as_bytes()).expect("JSON");
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.kind, span.flags, span.start_time_unix_nano), (3, 257, 1_544_712_660_000_000_000));
    assert_eq!(span.trace_id[0], 0x5b);
    assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    let values: Vec<_> = span.attributes.iter().map(|own| own.value.clone().and_then(|value| value.value)).collect();
    assert_eq!(values[0], Some(Value::IntValue(9_007_199_254_740_993)));
    assert_eq!(values[2], Some(Value::DoubleValue(0.1)));
    assert_eq!(values[4], Some(Value::BytesValue(vec![0, 255])));
    assert_eq!((&values[5], &values[6]), (&None, &None));
    assert_eq!(map_spans(&context(false), request).rejected, Vec::<String>::new());
    assert!(decode_json::<ExportTraceServiceRequest>(b"{}").expect("empty").resource_spans.is_empty());
    for bad in ["{\"resourceSpans\": [", "[]", "{\"resourceSpans\":[{\"scopeSpans\":3}]}", "\u{1}"] {
        assert!(decode_json::<ExportTraceServiceRequest>(bad.as_bytes()).is_err(), "{bad}");
    }
    let bad_id =
        br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"x"}]}]}]}"#;
    assert_eq!(map_spans(&context(false), decode_json(bad_id).expect("JSON")).rejected.len(), 1);
}

#[test]
fn broken_protobuf_is_the_callers_error() {
    assert_eq!(
        decode_protobuf::<ExportTraceServiceRequest>(b"\xff\xfe\x00garbage").expect_err("broken").code(),
        crate::error::Code::BadUserInput
    );
    assert!(decode_protobuf::<ExportTraceServiceRequest>(b"").expect("empty").resource_spans.is_empty());
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_json::<ExportTraceServiceRequest>(&bytes);
        if let Ok(request) = decode_protobuf(&bytes) {
            prop_assert!(map_spans(&context(true), request).rejected.len() < 1_000);
        }
    }

    #[test]
    fn damaged_requests_are_read_or_refused(place in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        thread_local!(static FIXTURES: Vec<fixtures::Fixture> = fixtures::all());
        FIXTURES.with(|fixtures| {
            let fixture = place.get(fixtures);
            let (mut protobuf, mut json) = (fixture.protobuf.clone(), fixture.json.clone());
            *at.get_mut(&mut protobuf) = byte;
            *at.get_mut(&mut json) = byte;
            for request in [decode_protobuf(&protobuf), decode_json(&json)].into_iter().flatten() {
                assert!(map_spans(&context(true), request).rejected.len() < 1_000);
            }
        });
    }

    #[test]
    fn arbitrary_attributes_give_canonical_json(pairs in proptest::collection::vec((".{0,12}", ".{0,40}"), 0..8), number in any::<f64>()) {
        let mut attributes: Vec<KeyValue> = pairs.iter().map(|(key, value)| text(key, value.as_str())).collect();
        attributes.push(attribute("number", Value::DoubleValue(number)));
        let draft = map(span(1, attributes));
        let value: Json = serde_json::from_str(&draft.payloads[0].text).expect("JSON");
        prop_assert_eq!(&crate::capture::json::canonical(&value).expect("canonical"), &draft.payloads[0].text);
    }
}

#[test]
fn identifiers_are_kept_as_those_of_mutations_are_and_stay_apart() {
    let of = |mark: &str| {
        let attributes = vec![
            text("runledger.run_id", format!("run-{mark}@example.test")),
            text("runledger.parent_run_id", format!("parent-{mark}@example.test")),
            text("runledger.idempotency_key", format!("key-{mark}@example.test")),
            text("runledger.correlation_id", format!("other-{mark}@example.test")),
        ];
        let draft = map_spans(&context(false), request(vec![span(1, attributes)]));
        let trace = draft.traces.into_iter().next().expect("a trace");
        let step = &trace.steps[0].step;
        (
            trace.trace.run_id.to_string(),
            trace.trace.parent_run_id,
            step.idempotency_key.clone(),
            trace.trace.correlation_id,
        )
    };
    let expected = |mark: &str| {
        (
            format!("run-{mark}@example.test"),
            Some(format!("parent-{mark}@example.test")),
            Some(format!("key-{mark}@example.test")),
            Some("[REDACTED]".to_owned()),
        )
    };
    assert_eq!(of("one"), expected("one"));
    assert_eq!(of("two"), expected("two"));
}
