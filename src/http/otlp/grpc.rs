//! OTLP/gRPC: the services of traces, metrics and logs, on a port of their own.
//!
//! A call here is one message in and one out, so it is read as a body is: within the same time, charged to the same budget,
//! counted before it is decoded. A server that the library generates reads messages whole before anybody can count them.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;

use super::super::body::{self, Arrived, BodyLimit, Refused, broken};
use super::super::error;
use super::super::state::HttpState;
use super::take::take;
use super::{
    BODY_BYTES_MAX, ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Exported,
    OPERATION, rpc_status,
};
use crate::domain::scope::Permission;
use crate::error::Error;
use crate::facade::capture::OtlpEncoding;

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// The methods that are served, as routes.
pub(in crate::http) const METHODS: [&str; 3] = [TRACES, METRICS, LOGS];

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const ENCODING: &str = "grpc-encoding";
const ACCEPTED: &str = "grpc-accept-encoding";
/// A flag, and the length of the message in four bytes, stand before it.
const PREFIX_BYTES: usize = 5;

/// The services, each under its method's own route.
pub(in crate::http) fn routes() -> Router<HttpState> {
    Router::new()
        .route(TRACES, post(export::<ExportTraceServiceRequest>))
        .route(METRICS, post(export::<ExportMetricsServiceRequest>))
        .route(LOGS, post(export::<ExportLogsServiceRequest>))
        .fallback(no_such_method)
}

async fn no_such_method(request: Request) -> Response {
    let message = format!("{} is not served here; see {TRACES}, {METRICS}, {LOGS}", request.uri().path());
    tonic::Status::unimplemented(message).into_http()
}

async fn export<S: Exported>(State(state): State<HttpState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(GRPC.as_bytes());
    if !parts.headers.get(CONTENT_TYPE).is_some_and(is_grpc) {
        let error = Error::input("content-type", "this port speaks gRPC; OTLP/HTTP is served at the other one");
        return error::response(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error);
    }
    match handle::<S>(&state, &parts, body).await {
        Ok(answer) => answer,
        Err(refused) => to_status(&refused.error).into_http(),
    }
}

async fn handle<S: Exported>(state: &HttpState, parts: &Parts, body: Body) -> Result<Response, Refused> {
    let scope = state.admit(&parts.headers, OPERATION).await?;
    state.backend().authorize(&scope, OPERATION, Permission::RunsWrite).await?;
    let _place = state.place(&scope.tenant)?;
    let limit = BodyLimit { bytes_max: BODY_BYTES_MAX, budget: Some(state.budget(&scope.tenant)) };
    let (mut frame, share) = body::collect(&HeaderMap::new(), body, &limit, PREFIX_BYTES).await?;
    let is_packed = read_prefix(&frame)?;
    if is_packed && !is_gzip(&parts.headers) {
        let mut unknown = tonic::Status::unimplemented("this encoding is not read; send gzip or identity").into_http();
        unknown.headers_mut().insert(ACCEPTED, HeaderValue::from_static("gzip,identity"));
        return Ok(unknown);
    }
    frame.drain(..PREFIX_BYTES);
    let arrived = Arrived::new(frame, is_packed, BODY_BYTES_MAX, share)?;
    let partial = take::<S>(state, scope, OtlpEncoding::Protobuf, arrived).await?;
    Ok(success(&S::response(partial)))
}

/// Whether the one message of a call is packed.
fn read_prefix(frame: &[u8]) -> Result<bool, Refused> {
    let [flag, a, b, c, d, message @ ..] = frame else { return Err(broken("the call has no message")) };
    let length = u32::from_be_bytes([*a, *b, *c, *d]);
    if u64::from(length) != message.len() as u64 {
        return Err(broken(format!(
            "a call has one message, as long as it says; this one says {length} bytes and has {}",
            message.len()
        )));
    }
    match flag {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(broken(format!("a message begins with 0, or with 1 when it is packed, not with {other}"))),
    }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(ENCODING).is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"))
}

fn success(message: &impl prost::Message) -> Response {
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + message.encoded_len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX));
    if let Err(error) = message.encode(&mut frame) {
        return to_status(&Error::internal(error)).into_http();
    }
    let trailers = HeaderMap::from_iter([(tonic::Status::GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::<Bytes>::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

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
