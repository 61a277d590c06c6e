//! Metrics of the demo: made-up samples of a real run's service while it ran.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use serde_json::{Value, json};

use crate::app::AppError;
use crate::domain::run::StoredRun;
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::facade::capture::{OtlpEncoding, decode_otlp};

/// How far apart samples are.
const EVERY_US: i64 = 10 * MICROS_PER_SECOND;
/// Samples before the run, and after it.
const AROUND: i64 = 2;
/// OTLP's word for counting from the start.
const CUMULATIVE: u8 = 2;

/// A request of metrics such as the service of a run sends.
///
/// # Errors
/// When it is no OTLP.
pub(super) fn of_run(run: &StoredRun) -> Result<ExportMetricsServiceRequest, AppError> {
    let points = |value: &dyn Fn(i64) -> Value| -> Vec<Value> {
        let start = nanos(run.started_at.plus_micros(-AROUND * EVERY_US));
        let point = |step: i64| {
            let mut point = value(step);
            point["startTimeUnixNano"] = start.clone().into();
            point["timeUnixNano"] = nanos(run.started_at.plus_micros((step - AROUND) * EVERY_US)).into();
            point
        };
        (0..=2 * AROUND).map(point).collect()
    };
    let requests = points(&|step| json!({ "asInt": (3 + step * 2).to_string() }));
    let durations = points(&|step| {
        json!({
            "count": (4 + step).to_string(), "sum": 0.5 + 0.25 * as_float(step), "min": 0.05, "max": 0.5,
            "explicitBounds": [0.1, 0.25, 1.0], "bucketCounts": ["1", (2 + step).to_string(), "1", "0"],
        })
    });
    let metrics = json!([
        { "name": "process.cpu.utilization", "unit": "1",
          "gauge": { "dataPoints": points(&|step| json!({ "asDouble": 0.25 + 0.125 * as_float(step) })) } },
        { "name": "process.memory.usage", "unit": "By",
          "gauge": { "dataPoints": points(&|step| json!({ "asInt": (210_000_000 + step * 4_000_000).to_string() })) } },
        { "name": "http.client.request.count", "unit": "{request}",
          "sum": { "isMonotonic": true, "aggregationTemporality": CUMULATIVE, "dataPoints": requests } },
        { "name": "gen_ai.client.operation.duration", "unit": "s",
          "histogram": { "aggregationTemporality": CUMULATIVE, "dataPoints": durations } },
    ]);
    let request = json!({ "resourceMetrics": [{
        "resource": { "attributes": resource(run) },
        "scopeMetrics": [{ "scope": { "name": "demo" }, "metrics": metrics }],
    }] });
    Ok(decode_otlp(OtlpEncoding::Json, request.to_string().as_bytes())?)
}

/// What tells that metrics are of the run's own service.
fn resource(run: &StoredRun) -> Vec<Value> {
    let names = [("service.name", &run.service_name), ("service.instance.id", &run.service_instance_id)];
    let given = names.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    given.map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } })).collect()
}

fn nanos(at: Timestamp) -> String {
    format!("{}000", at.as_micros())
}

/// A number of a sample, which is small.
fn as_float(step: i64) -> f64 {
    i32::try_from(step).map_or(0.0, f64::from)
}
