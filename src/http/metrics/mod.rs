//! What the server counts, and `/metrics` in Prometheus' text form.

pub mod catalog;
mod known;
mod observed;

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

/// Says what each number is, and begins to count at 0: what appears with its first event has no rate before the second.
pub fn begin() {
    catalog::describe();
    known::begin();
}

/// Counts a request.
pub(super) fn count_request(route: String, method: &'static str, status: StatusCode, time: Duration) {
    let status = status.as_u16().to_string();
    metrics::counter!("runledger_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!(catalog::HTTP_SECONDS, "route" => route).record(time.as_secs_f64());
}

/// Counts an error of a GraphQL answer, whose status may be 200.
pub(super) fn count_graphql_error(code: &str) {
    metrics::counter!("runledger_graphql_errors_total", "code" => code.to_owned()).increment(1);
}

/// Counts a gRPC call: its HTTP status is 200 whatever became of it.
pub(super) fn count_grpc(route: String, status: tonic::Code) {
    metrics::counter!("runledger_grpc_requests_total", "route" => route, "status" => grpc_name(status)).increment(1);
}

/// A status as the protocol writes it.
pub(super) fn grpc_name(status: tonic::Code) -> &'static str {
    use tonic::Code;
    match status {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
        Code::Unknown => "UNKNOWN",
    }
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
    let observed = observed::text(&state.backend().vitals().await, state.pulses());
    let text = state.metrics().render() + &observed;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// Behind a proxy on this machine every peer is local, so a forwarded request is not.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let is_forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name));
    !is_forwarded && peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}
