//! What the server counts, and `/metrics` in Prometheus' text form.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::error;
use super::state::HttpState;
use crate::domain::scope::Permission;
use crate::facade::capture::{IngestReport, SignalReport};

/// Bounds of the latency histogram, in seconds.
pub const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// The latency histogram.
pub const LATENCY: &str = "runledger_http_request_duration_seconds";

/// Says what each number is.
pub fn describe() {
    metrics::describe_counter!("runledger_http_requests_total", "Requests by route, method and status");
    metrics::describe_histogram!(LATENCY, metrics::Unit::Seconds, "Time to answer, by route");
    metrics::describe_counter!(
        "runledger_graphql_errors_total",
        "Errors of GraphQL answers by code; at most 20 of one answer. The status of such an answer may be 200"
    );
    metrics::describe_counter!(
        "runledger_otlp_spans_total",
        "Spans of OTLP requests: accepted, and of them existing (sent before) and differing (sent before otherwise); rejected"
    );
    metrics::describe_counter!(
        "runledger_otlp_points_total",
        "Points of OTLP metrics: accepted; dropped (they said that there was no value); rejected"
    );
    metrics::describe_counter!(
        "runledger_otlp_log_records_total",
        "OTLP log records: accepted as system records; digested (message content); dropped by design; rejected"
    );
    metrics::describe_gauge!("runledger_append_queue_records", "Records that wait to be appended");
    metrics::describe_gauge!("runledger_append_queue_capacity_records", "Records that may wait to be appended");
    metrics::describe_counter!("runledger_traces_sealed_total", "Traces sealed by this process");
    metrics::describe_gauge!("runledger_build_info", "1, with the version as label");
    metrics::gauge!("runledger_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Counts a request.
pub(super) fn count_request(route: String, method: &'static str, status: StatusCode, time: Duration) {
    let status = status.as_u16().to_string();
    metrics::counter!("runledger_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!(LATENCY, "route" => route).record(time.as_secs_f64());
}

/// Counts an error of a GraphQL answer, whose status may be 200.
pub(super) fn count_graphql_error(code: &str) {
    metrics::counter!("runledger_graphql_errors_total", "code" => code.to_owned()).increment(1);
}

/// Counts what became of an OTLP request's spans.
pub(super) fn count_spans(report: &IngestReport) {
    let counts = [
        ("accepted", report.accepted),
        ("existing", report.existing),
        ("differing", report.differing),
        ("rejected", report.rejected),
    ];
    for (outcome, count) in counts {
        if let Ok(count @ 1..) = u64::try_from(count) {
            metrics::counter!("runledger_otlp_spans_total", "outcome" => outcome).increment(count);
        }
    }
}

/// Counts what became of an OTLP request's points or log records.
pub(super) fn count_signal(name: &'static str, report: &SignalReport) {
    let counts = [
        ("accepted", report.accepted),
        ("digested", report.digested),
        ("dropped", report.dropped),
        ("rejected", report.rejected),
    ];
    for (outcome, count) in counts {
        if let Ok(count @ 1..) = u64::try_from(count) {
            metrics::counter!(name, "outcome" => outcome).increment(count);
        }
    }
}

/// For callers on this machine, and for the scope `admin`.
pub async fn scrape(State(state): State<HttpState>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    if !is_local(peer, request.headers()) {
        let headers = request.headers();
        let allowed = async {
            let scope = state.admit(headers, "metrics").await?;
            state.backend().authorize(&scope, "metrics", Permission::Admin).await
        };
        let allowed = allowed.await;
        if let Err(refusal) = allowed {
            return error::response(error::status(&refusal), &refusal);
        }
    }
    let (waiting, capacity) = state.backend().queue_depth();
    metrics::gauge!("runledger_append_queue_records").set(to_f64(waiting));
    metrics::gauge!("runledger_append_queue_capacity_records").set(to_f64(capacity));
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics().render()).into_response()
}

/// Behind a proxy on this machine every peer is local, so a forwarded request is not.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let is_forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    !is_forwarded && peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
