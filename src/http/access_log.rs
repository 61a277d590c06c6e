//! A line in the log for each request, when its answer has left: who asked for what, and how it went. No query text, no
//! header, no address. Requests that were given up before their answer have one too, and are counted.

use std::sync::Arc;
use std::time::Instant;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::current::Current;
use super::metrics::{self, grpc_name};
use super::observed::{Observed, Observer};

/// What the line says.
pub(super) struct AccessLine {
    pub(super) current: Arc<Current>,
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: StatusCode,
    pub(super) grpc_status: Option<tonic::Code>,
    pub(super) began: Instant,
}

/// The status of a request that was given up by whoever sent it: nobody is told, so it is of no standard but of custom. The
/// status of a gRPC call beside it is CANCELLED.
pub(super) fn gone() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT)
}

/// A request that is being served: counted when it is answered, or when it is dropped without an answer.
pub(super) struct Served {
    line: Option<AccessLine>,
    is_logged: bool,
}

impl Served {
    /// A request whose line says as much as is known before its answer.
    pub(super) fn begin(line: AccessLine, is_logged: bool) -> Self {
        Self { line: Some(line), is_logged }
    }

    /// It has its answer, whose end writes the line.
    pub(super) fn answered(mut self, response: Response) -> Response {
        let Some(mut line) = self.line.take() else { return response };
        (line.status, line.grpc_status) = (response.status(), grpc_status(&response));
        line.count();
        if !self.is_logged {
            return response;
        }
        response.map(|body| Observed::watch(body, Logged::new(line)))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let Some(line) = self.line.take() else { return };
        line.count();
        if self.is_logged {
            drop(Logged::new(line));
        }
    }
}

impl AccessLine {
    fn count(&self) {
        metrics::count_request(self.route.clone(), self.method, self.status, self.began.elapsed());
        if let Some(status) = self.grpc_status {
            metrics::count_grpc(self.route.clone(), status);
        }
    }
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
        // A number, with one digit behind the point.
        let ms = (began.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
        tracing::info!(
            target: "runledger::access",
            method,
            route,
            status = status.as_u16(),
            grpc = grpc_status.map(grpc_name),
            ms,
            bytes = self.bytes,
            tenant = current.tenant(),
            id = current.id(),
            "request"
        );
    }
}

/// The gRPC status of an answer; `None` for one that is not gRPC.
fn grpc_status(response: &Response) -> Option<tonic::Code> {
    let headers = response.headers();
    if let Some(status) = headers.get(tonic::Status::GRPC_STATUS) {
        return Some(tonic::Code::from_bytes(status.as_bytes()));
    }
    // In trailers it is written for success only.
    is_grpc(headers).then_some(tonic::Code::Ok)
}

/// Whether a request or an answer is gRPC.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
