//! OTLP/HTTP: `POST /v1/traces`, `/v1/metrics` and `/v1/logs`, in protobuf or JSON, as the OTLP specification says; [`grpc`]
//! is its sister. What is particular to a signal is in `signals`.

pub mod grpc;
pub(super) mod rpc_status;
mod signals;
mod take;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
pub use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
pub use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
pub use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::json;
pub use signals::Exported;
use signals::Partial;

use super::body::{self, BodyLimit, Refused};
use super::error;
use super::state::HttpState;
use crate::domain::scope::Permission;
use crate::error::{Code, Error, Result};
use crate::facade::capture::OtlpEncoding;

/// Where spans are sent.
pub const PATH: &str = "/v1/traces";
/// The operation's name in the audit ledger, over HTTP and gRPC alike.
pub(super) const OPERATION: &str = "otlp";
/// Where metrics are sent.
pub const METRICS_PATH: &str = "/v1/metrics";
/// Where logs are sent.
pub const LOGS_PATH: &str = "/v1/logs";
/// Bytes of one request after decompression.
pub const BODY_BYTES_MAX: usize = 16 << 20;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Takes a signal; answers in the encoding of the request.
pub async fn export<S: Exported>(State(state): State<HttpState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let encoding = encoding(&parts.headers);
    let outcome = match &encoding {
        Ok(encoding) => handle::<S>(&state, &parts.headers, body, *encoding).await,
        // Who may not ask learns no more than that.
        Err(refused) => match state.admit(&parts.headers, OPERATION).await {
            Ok(_) => Err(Refused::new(refused.status, refused.error.clone())),
            Err(error) => Err(error.into()),
        },
    };
    let encoding = encoding.unwrap_or(OtlpEncoding::Json);
    match outcome {
        Ok(partial) => success::<S>(encoding, partial),
        Err(refused) => failure(encoding, &refused),
    }
}

async fn handle<S: Exported>(
    state: &HttpState,
    headers: &HeaderMap,
    body: Body,
    encoding: OtlpEncoding,
) -> Result<Option<Partial>, Refused> {
    let scope = state.admit(headers, OPERATION).await?;
    state.backend().authorize(&scope, OPERATION, Permission::RunsWrite).await?;
    let _place = state.place(&scope.tenant)?;
    let limit = BodyLimit { bytes_max: BODY_BYTES_MAX, budget: Some(state.budget(&scope.tenant)) };
    let arrived = body::arrive(headers, body, &limit).await?;
    take::take::<S>(state, scope, encoding, arrived).await
}

fn encoding(headers: &HeaderMap) -> Result<OtlpEncoding, Refused> {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next()).map(str::trim);
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case(PROTOBUF) => Ok(OtlpEncoding::Protobuf),
        Some(essence) if essence.eq_ignore_ascii_case(JSON) => Ok(OtlpEncoding::Json),
        _ => Err(Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::new(Code::BadUserInput, format!("send {PROTOBUF} or {JSON} as content type")),
        )),
    }
}

fn success<S: Exported>(encoding: OtlpEncoding, partial: Option<Partial>) -> Response {
    let body = match encoding {
        OtlpEncoding::Protobuf => S::response(partial).encode_to_vec(),
        // Protobuf's JSON form: a 64-bit number is text.
        OtlpEncoding::Json => match partial {
            None => b"{}".to_vec(),
            Some(partial) => json!({ "partialSuccess": {
                S::REJECTED: partial.rejected.to_string(),
                "errorMessage": partial.message,
            }})
            .to_string()
            .into_bytes(),
        },
    };
    answer(StatusCode::OK, encoding, body)
}

fn failure(encoding: OtlpEncoding, refused: &Refused) -> Response {
    error::log(&refused.error);
    let body = match encoding {
        OtlpEncoding::Protobuf => rpc_status::to_message(&refused.error).encode_to_vec(),
        OtlpEncoding::Json => rpc_status::to_json(&refused.error).to_string().into_bytes(),
    };
    let mut response = answer(refused.status, encoding, body);
    error::add_headers(&refused.error, response.headers_mut());
    response
}

fn answer(status: StatusCode, encoding: OtlpEncoding, body: Vec<u8>) -> Response {
    let content_type = match encoding {
        OtlpEncoding::Protobuf => PROTOBUF,
        OtlpEncoding::Json => JSON,
    };
    (status, [(CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::new(error::status(&error), error)
    }
}
