//! OTLP/gRPC: the services of traces, metrics and logs, on a port of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;

use super::super::body::{READ_TIMEOUT, late};
use super::super::error;
use super::super::state::HttpState;
use super::{
    BODY_BYTES_MAX, ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Exported,
    OPERATION, rpc_status,
};
use crate::domain::scope::{Permission, Scope};
use crate::error::Error;

/// Serves every signal.
struct Service(HttpState);

/// Who calls, and whether the message could be read.
#[derive(Clone)]
struct Caller {
    scope: Scope,
    is_read: Arc<AtomicBool>,
}

/// The services; they find their caller where [`admit`] put it.
pub(in crate::http) fn service(state: &HttpState) -> Router {
    macro_rules! bounded {
        ($server:ident) => {
            $server::new(Service(state.clone()))
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(BODY_BYTES_MAX)
        };
    }
    Routes::new(bounded!(TraceServiceServer))
        .add_service(bounded!(MetricsServiceServer))
        .add_service(bounded!(LogsServiceServer))
        .into_axum_router()
}

/// Lets a call in before its message is read.
pub(in crate::http) async fn admit(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let admitted = async {
        let scope = state.admit(headers, OPERATION).await?;
        state.backend().authorize(&scope, OPERATION, Permission::RunsWrite).await?;
        Ok((scope, state.grpc_in_flight()?))
    };
    match admitted.await {
        Ok((scope, _permit)) => {
            let caller = Caller { scope, is_read: Arc::default() };
            request.extensions_mut().insert(caller.clone());
            let mut response = unless_late(READ_TIMEOUT, &caller.is_read, next.run(request)).await;
            if !caller.is_read.load(Ordering::Relaxed) {
                correct_unread(response.headers_mut());
            }
            response
        }
        Err(error) => to_status(&error).into_http::<Body>(),
    }
}

/// The answer to a call whose message arrives in time: one that never does would hold its place for ever.
async fn unless_late(time: Duration, is_read: &AtomicBool, call: impl Future<Output = Response>) -> Response {
    let mut call = std::pin::pin!(call);
    match tokio::time::timeout(time, &mut call).await {
        Ok(response) => response,
        Err(_) if is_read.load(Ordering::Relaxed) => call.await,
        Err(_) => to_status(&late()).into_http(),
    }
}

/// The library answers INTERNAL to a broken message and OUT_OF_RANGE to one that is too large. The first is the caller's
/// fault, and the second tells an exporter to send the same message again and again.
fn correct_unread(headers: &mut HeaderMap) {
    let code = headers.get(tonic::Status::GRPC_STATUS).map(|value| tonic::Code::from_bytes(value.as_bytes()));
    let corrected = match code {
        Some(tonic::Code::Internal) => tonic::Code::InvalidArgument,
        Some(tonic::Code::OutOfRange) => tonic::Code::ResourceExhausted,
        _ => return,
    };
    headers.insert(tonic::Status::GRPC_STATUS, HeaderValue::from(i32::from(corrected)));
}

impl Service {
    async fn take<S: Exported>(
        &self,
        request: tonic::Request<S>,
    ) -> Result<tonic::Response<S::Response>, tonic::Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| to_status(&Error::internal("a call came in past the door")))?;
        caller.is_read.store(true, Ordering::Relaxed);
        let taken = S::ingest(self.0.backend(), caller.scope, request.into_inner()).await;
        taken.map(|partial| tonic::Response::new(S::response(partial))).map_err(|error| to_status(&error))
    }
}

/// The services differ in their names only.
macro_rules! serve {
    ($service:ty, $request:ty) => {
        #[tonic::async_trait]
        impl $service for Service {
            async fn export(
                &self,
                request: tonic::Request<$request>,
            ) -> Result<tonic::Response<<$request as Exported>::Response>, tonic::Status> {
                self.take(request).await
            }
        }
    };
}

serve!(TraceService, ExportTraceServiceRequest);
serve!(MetricsService, ExportMetricsServiceRequest);
serve!(LogsService, ExportLogsServiceRequest);

fn to_status(error: &Error) -> tonic::Status {
    error::log(error);
    let status = rpc_status::to_message(error);
    let code = rpc_status::grpc_code(error);
    if status.details.is_empty() {
        return tonic::Status::new(code, status.message);
    }
    let details = Bytes::from(status.encode_to_vec());
    tonic::Status::with_details(code, status.message, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_does_not_arrive_is_given_up_and_work_on_one_that_did_is_not() {
        let brief = Duration::from_millis(5);
        let never = unless_late(brief, &AtomicBool::new(false), std::future::pending()).await;
        let deadline_exceeded = HeaderValue::from(i32::from(tonic::Code::DeadlineExceeded));
        assert_eq!(never.headers()[tonic::Status::GRPC_STATUS], deadline_exceeded);
        let slow = async {
            tokio::time::sleep(brief * 10).await;
            Response::default()
        };
        let answered = unless_late(brief, &AtomicBool::new(true), slow).await;
        assert!(!answered.headers().contains_key(tonic::Status::GRPC_STATUS));
    }
}
