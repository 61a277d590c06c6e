use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;

use super::*;
use crate::capture::otlp::{decode_json, decode_protobuf};

const TIMES: PointTimes = PointTimes { from: Timestamp::MIN, to: Timestamp::MAX };

/// A request with one metric of a service.
fn request(metric: &str) -> ExportMetricsServiceRequest {
    let text = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"chat"}}}},
        {{"key":"service.instance.id","value":{{"stringValue":"i1"}}}}]}},
        "scopeMetrics":[{{"scope":{{"name":"meter"}},"metrics":[{metric}]}}]}}]}}"#
    );
    decode_json(text.as_bytes()).expect("OTLP/JSON")
}

fn rejected(metric: &str) -> Vec<(String, i64)> {
    map_metrics(&request(metric), TIMES).rejected.into_iter().collect()
}

const GAUGE: &str = r#"{"name":"queue","unit":"{item}","gauge":{"dataPoints":[
    {"timeUnixNano":"2000000","startTimeUnixNano":"0","asInt":"9007199254740993","attributes":[{"key":"b","value":{"intValue":"1"}},
    {"key":"a","value":{"stringValue":"x"}}]}]}}"#;

#[test]
fn gauges_sums_and_histograms_become_samples() {
    let draft = map_metrics(&request(GAUGE), TIMES);
    let [sample] = draft.samples.as_slice() else { panic!("one sample: {draft:?}") };
    assert_eq!(
        (sample.series.service_name.as_str(), sample.series.service_instance_id.as_deref()),
        ("chat", Some("i1"))
    );
    assert_eq!(
        (sample.series.name.as_str(), sample.series.unit.as_str(), sample.series.kind),
        ("queue", "{item}", MetricKind::Gauge)
    );
    assert_eq!((sample.series.attributes.as_str(), sample.series.scope.as_str()), (r#"{"a":"x","b":1}"#, "meter"));
    assert_eq!((sample.point.at.as_micros(), sample.point.start_at), (2_000, None));
    assert_eq!(sample.point.value, PointValue::Number(Number::whole(9_007_199_254_740_993)));

    let sum = r#"{"name":"tokens","sum":{"isMonotonic":true,"aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE",
        "dataPoints":[{"timeUnixNano":2000000,"startTimeUnixNano":1000000,"asDouble":0.1}]}}"#;
    let sample = map_metrics(&request(sum), TIMES).samples.remove(0);
    assert_eq!((sample.series.temporality, sample.series.is_monotonic), (Some(Temporality::Cumulative), true));
    assert_eq!(sample.point.start_at.map(Timestamp::as_micros), Some(1_000));
    assert_eq!(sample.point.value, PointValue::Number(Number::finite(0.1).expect("finite")));

    let histogram = r#"{"name":"latency","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"2000000",
        "count":"3","sum":1.5,"bucketCounts":["1","2"],"explicitBounds":[0.5],"min":0.1}]}}"#;
    let sample = map_metrics(&request(histogram), TIMES).samples.remove(0);
    let PointValue::Histogram(value) = sample.point.value else { panic!("a histogram") };
    assert_eq!((value.count, value.buckets, value.max), (3, vec![1, 2], None));
    assert_eq!(value.bounds[0].as_f64(), Some(0.5));
}

#[test]
fn protobuf_and_json_give_the_same() {
    let json = request(GAUGE);
    let protobuf = decode_protobuf(&json.encode_to_vec()).expect("protobuf");
    assert_eq!(map_metrics(&json, TIMES), map_metrics(&protobuf, TIMES));
}

#[test]
fn a_series_is_the_same_whatever_the_order_of_its_attributes_and_another_with_any_other_part() {
    let id = |metric: &str| map_metrics(&request(metric), TIMES).samples[0].series.id;
    let swapped = GAUGE.replace(r#""key":"b""#, r#""key":"c""#).replace(r#""key":"a""#, r#""key":"b""#);
    let renamed = GAUGE.replace(r#""unit":"{item}""#, r#""unit":"1""#);
    assert_ne!(id(GAUGE), id(&swapped));
    assert_ne!(id(GAUGE), id(&renamed));
    let mut reordered = request(GAUGE);
    if let Some(Data::Gauge(gauge)) = &mut reordered.resource_metrics[0].scope_metrics[0].metrics[0].data {
        gauge.data_points[0].attributes.reverse();
    }
    assert_eq!(map_metrics(&reordered, TIMES).samples[0].series.id, id(GAUGE));
}

#[test]
fn secrets_in_attributes_are_gone() {
    let metric = GAUGE.replace(r#"{"stringValue":"x"}"#, r#"{"stringValue":"jane.doe@example.test"}"#);
    assert_eq!(map_metrics(&request(&metric), TIMES).samples[0].series.attributes, r#"{"a":"[REDACTED]","b":1}"#);
}

#[test]
fn what_cannot_be_recorded_is_rejected_by_point_with_its_reason() {
    for kind in ["summary", "exponentialHistogram"] {
        let found = rejected(&format!(r#"{{"name":"x","{kind}":{{"dataPoints":[{{}},{{"unknown":[1]}}]}}}}"#));
        assert_eq!(found.len(), 1, "{kind}");
        assert!(found[0].0.contains("gauges, sums and histograms") && found[0].1 == 2, "{found:?}");
    }
    let point = |fields: &str| format!(r#"{{"name":"x","gauge":{{"dataPoints":[{{{fields}}}]}}}}"#);
    for (fields, reason) in [
        (r#""timeUnixNano":"1000000""#, "no finite number"),
        (r#""timeUnixNano":"1000000","asDouble":"NaN""#, "no finite number"),
    ] {
        assert!(rejected(&point(fields))[0].0.contains(reason), "{fields}");
    }
    let late = PointTimes { from: Timestamp::from_micros_clamped(10), to: Timestamp::from_micros_clamped(20) };
    for nanos in [9_999_u64, 20_000] {
        let draft = map_metrics(&request(&point(&format!(r#""timeUnixNano":"{nanos}","asInt":1"#))), late);
        assert!(draft.samples.is_empty() && draft.rejected.keys().all(|reason| reason.contains("time_unix_nano")));
    }
    assert_eq!(map_metrics(&request(&point(r#""timeUnixNano":"10000","asInt":1"#)), late).samples.len(), 1);
    assert!(rejected(r#"{"gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":1}]}}"#)[0].0.contains("no name"));
    let unspecified = r#"{"name":"x","sum":{"dataPoints":[{"timeUnixNano":"1","asInt":1}]}}"#;
    assert!(rejected(unspecified)[0].0.contains("aggregation_temporality"));
    let lopsided = r#"{"name":"x","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1000","count":1,
        "bucketCounts":[1],"explicitBounds":[1,2]}]}}"#;
    assert!(rejected(lopsided)[0].0.contains("one bucket more"));
    let mut nameless = request(GAUGE);
    nameless.resource_metrics[0].resource = None;
    assert!(map_metrics(&nameless, TIMES).rejected.keys().all(|reason| reason.contains("service.name")));
}

#[test]
fn a_point_without_a_recorded_value_is_neither_kept_nor_rejected() {
    let draft = map_metrics(&request(r#"{"name":"x","gauge":{"dataPoints":[{"timeUnixNano":"1","flags":1}]}}"#), TIMES);
    assert_eq!((draft.empty, draft.samples.len(), draft.rejected.len()), (1, 0, 0));
}

#[test]
fn points_attributes_and_buckets_have_caps() {
    let point = NumberDataPoint { time_unix_nano: 1_000, value: Some(Value::AsInt(1)), ..NumberDataPoint::default() };
    let mut many = request(GAUGE);
    let set = |request: &mut ExportMetricsServiceRequest, points: Vec<NumberDataPoint>| {
        if let Some(Data::Gauge(gauge)) = &mut request.resource_metrics[0].scope_metrics[0].metrics[0].data {
            gauge.data_points = points;
        }
    };
    set(&mut many, vec![point.clone(); POINTS_MAX + 2]);
    let draft = map_metrics(&many, TIMES);
    assert_eq!((draft.samples.len(), draft.rejected.values().sum::<i64>()), (POINTS_MAX, 2));

    let attribute = |place: usize, bytes: usize| KeyValue {
        key: format!("k{place}"),
        value: Some(AnyValue { value: Some(Any::StringValue("v".repeat(bytes))) }),
        ..KeyValue::default()
    };
    for (count, bytes, fits) in [(32, 1, true), (33, 1, false), (4, 1_000, true), (5, 1_000, false)] {
        let attributes = (0..count).map(|place| attribute(place, bytes)).collect();
        set(&mut many, vec![NumberDataPoint { attributes, ..point.clone() }]);
        assert_eq!(map_metrics(&many, TIMES).samples.len(), usize::from(fits), "{count} of {bytes} bytes");
    }

    let buckets = |count: usize| {
        let point = HistogramDataPoint {
            bucket_counts: vec![1; count],
            explicit_bounds: (1..count).map(|bound| f64::from(u32::try_from(bound).expect("small"))).collect(),
            ..HistogramDataPoint::default()
        };
        histogram(&point).is_ok()
    };
    assert!(buckets(BUCKETS_MAX) && !buckets(BUCKETS_MAX + 1));
}
