use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::capture::digest::content_digest;
use crate::capture::otlp::{decode_json, decode_protobuf};
use crate::capture::pricing::PriceTable;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const NOW: i64 = 1_000_000;

fn context() -> CaptureContext {
    let prices = Arc::new(PriceTable::embedded().expect("the embedded prices parse"));
    CaptureContext { content_key: [7; 32], keeps_content: false, prices }
}

fn request(records: &[Json]) -> ExportLogsServiceRequest {
    let request = json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "chat" } },
            { "key": "service.instance.id", "value": { "stringValue": "i1" } }] },
        "scopeLogs": [{ "scope": { "name": "logger" }, "logRecords": records }] }] });
    decode_json(request.to_string().as_bytes()).expect("OTLP/JSON")
}

fn map(records: &[Json]) -> LogsDraft {
    map_logs(&context(), &request(records), Timestamp::from_micros_clamped(NOW))
}

fn one(record: Json) -> DraftSystemRecord {
    let mut draft = map(&[record]);
    assert_eq!((draft.records.len(), draft.dropped, draft.rejected.len()), (1, 0, 0), "{draft:?}");
    draft.records.remove(0)
}

fn details(draft: &DraftSystemRecord) -> Json {
    let text = &draft.payloads[0].text;
    let value: Json = serde_json::from_str(text).expect("JSON");
    assert_eq!(*text, crate::capture::json::canonical(&value).expect("canonical"), "details are canonical JSON");
    value
}

#[test]
fn a_warning_becomes_a_record_of_the_service() {
    let draft =
        one(json!({ "timeUnixNano": "5000000", "severityNumber": 13, "body": { "stringValue": "disk is filling" },
        "attributes": [{ "key": "disk", "value": { "stringValue": "sda" } }], "traceId": TRACE, "spanId": SPAN }));
    let record = &draft.record;
    assert_eq!((record.component, record.event_type), (SystemComponent::Other, SystemEventType::Other));
    assert_eq!((record.severity, record.summary.as_str()), (SystemSeverity::Warn, "disk is filling"));
    assert_eq!((record.service_name.as_deref(), record.service_instance_id.as_deref()), (Some("chat"), Some("i1")));
    assert_eq!((record.correlation_id.as_deref(), record.source_component.as_str()), (Some(TRACE), "otlp"));
    assert_eq!(record.occurred_at.as_micros(), 5_000);
    let details = details(&draft);
    assert_eq!((&details["attributes"], &details["body"]), (&json!({ "disk": "sda" }), &json!("disk is filling")));
    assert_eq!((&details["span_id"], &details["severity_number"]), (&json!(SPAN), &json!(13)));
}

#[test]
fn severities_are_ours_and_what_is_below_warn_is_dropped_unless_it_is_an_event() {
    let severity = |record: Json| map(&[record]).records.first().map(|draft| draft.record.severity);
    for (number, expected) in [
        (12, None),
        (13, Some(SystemSeverity::Warn)),
        (16, Some(SystemSeverity::Warn)),
        (17, Some(SystemSeverity::Critical)),
        (24, Some(SystemSeverity::Critical)),
    ] {
        assert_eq!(severity(json!({ "severityNumber": number, "body": { "stringValue": "x" } })), expected, "{number}");
    }
    assert_eq!(severity(json!({ "severityNumber": "SEVERITY_NUMBER_ERROR" })), Some(SystemSeverity::Critical));
    assert_eq!(severity(json!({ "severityText": "warning" })), Some(SystemSeverity::Warn));
    assert_eq!(severity(json!({ "severityText": "INFO" })), None);
    assert_eq!(severity(json!({ "severityNumber": 9, "eventName": "app.started" })), Some(SystemSeverity::Info));
    assert_eq!(map(&[json!({ "severityNumber": 9 }), json!({})]).dropped, 2);
}

#[test]
fn words_of_ours_say_component_type_and_cause() {
    let attribute = |key: &str, text: &str| json!({ "key": key, "value": { "stringValue": text } });
    let record = one(json!({ "severityNumber": 9, "eventName": "release", "attributes": [
        attribute("runledger.component", "worker"), attribute("runledger.event_type", "deploy"),
        attribute("runledger.caused_by", "human"), attribute("runledger.actor_type", "human"),
        attribute("runledger.actor_id", "jane.doe@example.test"), attribute("runledger.correlation_id", "change-7"),
    ] }))
    .record;
    assert_eq!((record.component, record.event_type), (SystemComponent::Worker, SystemEventType::Deploy));
    assert_eq!((record.caused_by, record.actor_type), (Some(SystemCausedBy::Human), Some(ActorType::Human)));
    assert_eq!(record.actor_id.as_deref(), Some("jane.doe@example.test"), "identifiers are not redacted");
    assert_eq!(record.correlation_id.as_deref(), Some("change-7"));
    assert_eq!(one(json!({ "eventName": "service.config_change" })).record.event_type, SystemEventType::ConfigChange);
    let unknown = one(json!({ "eventName": "x", "attributes": [attribute("runledger.component", "moon")] })).record;
    assert_eq!((unknown.component, unknown.event_type), (SystemComponent::Other, SystemEventType::Other));
}

#[test]
fn a_time_that_was_not_said_is_when_it_was_seen_else_now() {
    let at = |record: Json| one(record).record.occurred_at.as_micros();
    assert_eq!(at(json!({ "severityNumber": 17, "observedTimeUnixNano": "7000000" })), 7_000);
    assert_eq!(at(json!({ "severityNumber": 17 })), NOW);
}

#[test]
fn the_summary_is_redacted_and_cut() {
    let record = one(json!({ "severityNumber": 17,
        "body": { "stringValue": format!("mail to jane.doe@example.test failed {}", "x".repeat(600)) } }));
    assert!(record.record.summary.starts_with("mail to [REDACTED] failed") && record.record.summary.len() == 512);
    assert!(!record.payloads[0].text.contains("jane"));
    let structured = one(json!({ "severityNumber": 17, "body": { "kvlistValue": { "values": [
        { "key": "password", "value": { "stringValue": "hunter2" } } ] } } }));
    assert_eq!(structured.record.summary, r#"{"password":"[REDACTED]"}"#);
    assert_eq!(one(json!({ "severityNumber": 17, "eventName": "app.crash" })).record.summary, "app.crash");
    assert_eq!(one(json!({ "severityNumber": 17 })).record.summary, "no text");
}

fn message(name: &str, content: &str) -> Json {
    json!({ "timeUnixNano": "5000000", "severityNumber": 9, "eventName": name, "traceId": TRACE, "spanId": SPAN,
        "body": { "kvlistValue": { "values": [{ "key": "content", "value": { "stringValue": content } },
            { "key": "role", "value": { "stringValue": "user" } }] } } })
}

#[test]
fn messages_are_digested_for_their_span_and_never_stored() {
    let text = "what is the secret of the sea?";
    let draft = map(&[message("gen_ai.user.message", text)]);
    assert!(draft.records.is_empty() && draft.digested == 1 && draft.dropped == 0, "{draft:?}");
    let [content] = draft.contents.as_slice() else { panic!("one digest: {draft:?}") };
    assert_eq!((content.trace_id.as_str(), content.span_id.as_str(), content.side), (TRACE, SPAN, ContentSide::Input));
    assert_eq!(content.digest, content_digest(&[7; 32], text), "contentDigest gives the same");
    assert!(!format!("{draft:?}").contains("sea"));
}

#[test]
fn a_choice_is_output_and_a_message_that_only_says_who_spoke_is_none() {
    let choice = |message: Json| {
        json!({ "severityNumber": 9, "attributes": [{ "key": "event.name", "value": { "stringValue": "gen_ai.choice" } }],
        "traceId": TRACE, "spanId": SPAN, "body": { "kvlistValue": { "values": [
            { "key": "index", "value": { "intValue": "0" } },
            { "key": "message", "value": { "kvlistValue": { "values": message } } } ] } } })
    };
    let role = json!({ "key": "role", "value": { "stringValue": "assistant" } });
    let said = json!({ "key": "content", "value": { "stringValue": "42" } });
    let draft = map(&[choice(json!([role.clone(), said]))]);
    assert_eq!(draft.contents.iter().map(|content| content.side).collect::<Vec<_>>(), [ContentSide::Output]);
    let silent = map(&[choice(json!([role]))]);
    assert!(silent.contents.is_empty() && silent.records.is_empty() && silent.dropped == 1, "{silent:?}");
}

#[test]
fn the_details_event_bears_both_sides_and_ranks_before_messages() {
    let attribute = |key: &str, text: &str| json!({ "key": key, "value": { "stringValue": text } });
    let (input, output) = (r#"[{"role":"user","parts":[]}]"#, r#"[{"role":"assistant","parts":[]}]"#);
    let draft = map(&[
        json!({ "severityNumber": 9, "eventName": "gen_ai.client.inference.operation.details", "traceId": TRACE,
            "spanId": SPAN, "attributes": [attribute("gen_ai.input.messages", input),
                attribute("gen_ai.output.messages", output), attribute("gen_ai.request.model", "gpt-4o")] }),
        message("gen_ai.user.message", "hi"),
    ]);
    assert_eq!((draft.contents.len(), draft.digested), (3, 2));
    assert_eq!(draft.contents[0].digest, content_digest(&[7; 32], input));
    assert_eq!(draft.contents[1].digest, content_digest(&[7; 32], output));
    assert!(draft.contents[0].rank < draft.contents[2].rank);
}

#[test]
fn content_without_a_span_is_dropped_and_a_failure_keeps_no_content() {
    let mut homeless = message("gen_ai.user.message", "hi");
    homeless["spanId"] = json!("");
    assert_eq!(map(&[homeless]).dropped, 1);
    let failure = map(&[json!({ "severityNumber": 17, "eventName": "gen_ai.client.operation.exception",
        "body": { "stringValue": "the prompt was: hello" },
        "attributes": [{ "key": "exception.type", "value": { "stringValue": "Timeout" } }] })]);
    assert_eq!(failure.records.len(), 1, "{failure:?}");
    assert!(!format!("{failure:?}").contains("hello") && format!("{failure:?}").contains("Timeout"));
}

#[test]
fn protobuf_and_json_give_the_same() {
    use prost::Message as _;
    let json =
        request(&[message("gen_ai.user.message", "hi"), json!({ "severityNumber": 17, "body": { "intValue": "1" } })]);
    let protobuf = decode_protobuf(&json.encode_to_vec()).expect("protobuf");
    let now = Timestamp::default();
    assert_eq!(map_logs(&context(), &json, now), map_logs(&context(), &protobuf, now));
}
