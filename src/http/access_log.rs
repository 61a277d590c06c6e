//! A line in the log for each request, when its answer has left: who asked for what, and how it went. No query text, no
//! header, no address.

use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use super::current::Current;
use super::metrics::grpc_name;
use super::observed::Observer;

/// What the line says.
pub(super) struct AccessLine {
    pub(super) current: Arc<Current>,
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: StatusCode,
    pub(super) grpc_status: Option<tonic::Code>,
    pub(super) began: Instant,
}

/// Counts what is sent; its end writes the line.
pub(super) struct Logged {
    line: AccessLine,
    bytes: u64,
}

impl Logged {
    pub(super) fn new(line: AccessLine) -> Self {
        Self { line, bytes: 0 }
    }
}

impl Observer for Logged {
    fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let AccessLine { current, method, route, status, grpc_status, began } = &self.line;
        let ms = began.elapsed().as_secs_f64() * 1_000.0;
        tracing::info!(
            target: "runledger::access",
            method,
            route,
            status = status.as_u16(),
            grpc = grpc_status.map(grpc_name),
            ms = format_args!("{ms:.1}"),
            bytes = self.bytes,
            tenant = current.tenant(),
            id = current.id(),
            "request"
        );
    }
}

/// The gRPC status of an answer; `None` for one that is not gRPC.
pub(super) fn grpc_status(response: &Response) -> Option<tonic::Code> {
    let headers = response.headers();
    if let Some(status) = headers.get(tonic::Status::GRPC_STATUS) {
        return Some(tonic::Code::from_bytes(status.as_bytes()));
    }
    // In trailers it is written for success only.
    let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
    content_type.starts_with(b"application/grpc").then_some(tonic::Code::Ok)
}
