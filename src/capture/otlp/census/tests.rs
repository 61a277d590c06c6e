use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::*;
use crate::capture::fixtures;
use crate::capture::otlp::{Signal, decode_json, decode_protobuf};
use crate::error::{Code, Detail};

/// A field that holds bytes.
fn field(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encode_length_delimiter(inner.len(), &mut field).expect("memory");
    field.extend_from_slice(inner);
    field
}

/// Fields around each other, the outermost first.
fn within(path: &[u8], inner: Vec<u8>) -> Vec<u8> {
    path.iter().rev().fold(inner, |inner, number| field(*number, &inner))
}

/// A limit that a request of so many small things runs into.
fn refused<S: Signal>(bytes: &[u8], limit: u64, value: u64, what: &str) {
    let error = decode_protobuf::<S>(bytes).err().expect(what);
    assert_eq!(error.code(), Code::LimitExceeded, "{what}: {error:?}");
    assert!(error.message().contains(what) && error.message().contains(&limit.to_string()), "{}", error.message());
    assert_eq!(*error.detail(), Detail::Limit { limit, value: Some(value) }, "{what}");
}

#[test]
fn what_no_exporter_sends_is_refused_before_it_is_made() {
    let many = |number: u8, count: u64| field(number, &[]).repeat(usize::try_from(count).expect("few"));
    let spans = |count| within(&[1, 2], many(2, count));
    refused::<ExportTraceServiceRequest>(&spans(ITEMS_MAX + 1), ITEMS_MAX, ITEMS_MAX + 1, "spans");
    assert!(decode_protobuf::<ExportTraceServiceRequest>(&spans(ITEMS_MAX)).is_ok());
    let logs = within(&[1, 2], many(2, ITEMS_MAX + 1));
    refused::<ExportLogsServiceRequest>(&logs, ITEMS_MAX, ITEMS_MAX + 1, "log records");
    for kind in [5, 7, 9, 10, 11] {
        let points = within(&[1, 2, 2, kind], many(1, ITEMS_MAX));
        refused::<ExportMetricsServiceRequest>(&points, ITEMS_MAX, ITEMS_MAX + 1, "points");
    }
    for part in [11, 13] {
        let parts = within(&[1, 2, 2], many(part, PARTS_MAX + 1));
        refused::<ExportTraceServiceRequest>(&parts, PARTS_MAX, PARTS_MAX + 1, "events");
    }
    for (path, number, around) in [
        (&[1, 1][..], 1, 0),
        (&[1, 2, 1], 3, 0),
        (&[1, 2, 2], 9, 0),
        (&[1, 2, 2, 11], 3, 0),
        (&[1, 2, 2, 13], 4, 0),
        // The attribute and the value that hold the list count too.
        (&[1, 1, 1, 2, 5], 1, 2),
        (&[1, 1, 1, 2, 6], 1, 2),
    ] {
        let values = within(path, many(number, VALUES_MAX + 1 - around));
        refused::<ExportTraceServiceRequest>(&values, VALUES_MAX, VALUES_MAX + 1, "attributes");
    }
    let keys = within(&[1, 1, 3], many(3, VALUES_MAX));
    refused::<ExportTraceServiceRequest>(&keys, VALUES_MAX, VALUES_MAX + 1, "attributes");
    refused::<ExportTraceServiceRequest>(&many(1, GROUPS_MAX + 1), GROUPS_MAX, GROUPS_MAX + 1, "resources");
    refused::<ExportTraceServiceRequest>(&field(1, &many(2, GROUPS_MAX)), GROUPS_MAX, GROUPS_MAX + 1, "scopes");
}

#[test]
fn bytes_in_memory_are_reckoned_before_they_are_taken() {
    // One point with 7 million buckets of a byte each: 8 bytes each in memory.
    let buckets = within(&[1, 2, 2, 10, 1, 8, 2], vec![0; 7_000_000]);
    let error = decode_protobuf::<ExportMetricsServiceRequest>(&buckets).expect_err("too much");
    assert!(
        matches!(error.detail(), Detail::Limit { limit: DECODED_BYTES_MAX, value: Some(56_000_000..) }),
        "{error:?}"
    );
    // One of them at a time, not as a list.
    let single = within(&[1, 2, 2, 10, 1, 8], [16, 0].repeat(7_000_000));
    assert!(decode_protobuf::<ExportMetricsServiceRequest>(&single).is_err());
}

#[test]
fn numbers_of_several_bytes_are_counted_once() {
    let is_taken = |bytes: &[u8]| decode_protobuf::<ExportMetricsServiceRequest>(bytes).map(drop);
    // 5,000 histograms of 100 buckets: as many counts, and a bound less, of 8 bytes each.
    let point = field(1, &[field(6, &[0; 800]), field(7, &[0; 792])].concat());
    is_taken(&within(&[1, 2, 2, 9], point.repeat(5_000))).expect("what an exporter may send");
    // Counts of two bytes each in the other kind.
    is_taken(&within(&[1, 2, 2, 10, 1, 8, 2], [0x80, 1].repeat(3_000_000))).expect("24 MB of numbers");
    // They are still reckoned, in one list or one at a time.
    let list = within(&[1, 2, 2, 9, 1, 6], vec![0; 32 << 20]);
    let single = within(&[1, 2, 2, 9, 1], [6 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0].repeat(3_500_000));
    for (bytes, least) in [(list, 64 << 20), (single, 59_000_000)] {
        let error = is_taken(&bytes).expect_err("too much");
        let Detail::Limit { limit: DECODED_BYTES_MAX, value: Some(value) } = *error.detail() else {
            panic!("{error:?}");
        };
        assert!((least..least + (1 << 20)).contains(&value), "{value}");
    }
}

#[test]
fn an_attribute_and_its_value_are_two() {
    let attributes = |count: usize| within(&[1, 1], field(1, &field(2, &[])).repeat(count));
    assert!(decode_protobuf::<ExportTraceServiceRequest>(&attributes(250_000)).is_ok());
    refused::<ExportTraceServiceRequest>(&attributes(250_001), VALUES_MAX, VALUES_MAX + 2, "attributes");
}

/// So many empty items of a list, within JSON.
fn json(before: &str, item: &str, count: u64, after: &str) -> String {
    let items = vec![item; usize::try_from(count).expect("few")].join(",");
    format!("{before}[{items}]{after}")
}

#[test]
fn json_is_counted_as_protobuf_is() {
    let count = |text: &str| decode_json::<ExportTraceServiceRequest>(text.as_bytes()).map(drop);
    let limit = |text: &str| match count(text) {
        Err(error) if error.code() == Code::LimitExceeded => error.detail().clone(),
        other => panic!("{other:?}: {}", &text[..100.min(text.len())]),
    };
    let spans = |name: &str, item: &str, number| {
        json(&format!("{{\"resourceSpans\": [ {{ \"scopeSpans\":[{{ \"{name}\" : "), item, number, "}]}]}")
    };
    let expected = Detail::Limit { limit: ITEMS_MAX, value: Some(ITEMS_MAX + 1) };
    assert_eq!(limit(&spans("spans", "{}", ITEMS_MAX + 1)), expected);
    // A message as a list of its fields, and a name that is written otherwise, are messages too.
    assert_eq!(limit(&spans("spans", "[]", ITEMS_MAX + 1)), expected);
    assert_eq!(limit(&spans("sp\\u0061ns", "{}", ITEMS_MAX + 1)), expected);
    assert!(count(&spans("spans", "{}", 50_000)).is_ok());
    // Brackets and names in texts are neither.
    assert!(count(&spans("spans", r#"{"name":"{}[]{}\"{},{\\"}"#, 50_000)).is_ok());
    let attributes = |number| json("{\"resourceSpans\":[{\"resource\":{\"attributes\":", "{}", number, "}}]}");
    assert_eq!(limit(&attributes(VALUES_MAX + 1)), Detail::Limit { limit: VALUES_MAX, value: Some(VALUES_MAX + 1) });
    assert!(count(&attributes(200_000)).is_ok());
    let deep = format!("{}1", "[".repeat(1_000_000));
    assert_eq!(count(&deep).expect_err("deep").code(), Code::BadUserInput);
}

#[test]
fn what_is_sent_in_both_forms_is_counted_alike() {
    for fixture in fixtures::all() {
        let protobuf = count_protobuf(Shape::Traces, &fixture.protobuf).expect("counts");
        let json = count_json(Shape::Traces, &fixture.json);
        let counts = |census: &Census| (census.items, census.parts, census.values, census.groups);
        assert_eq!(counts(&protobuf), counts(&json), "{}", fixture.name);
        assert!(protobuf.check().is_ok() && json.check().is_ok(), "{}", fixture.name);
    }
}
