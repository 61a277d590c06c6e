//! Our error as an HTTP answer.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::error::{Code, Detail, Error};

/// The status that fits an error best where the protocol has no rule of its own.
#[must_use]
pub fn status(error: &Error) -> StatusCode {
    match (error.code(), error.detail()) {
        (Code::Unauthenticated, _) => StatusCode::UNAUTHORIZED,
        (Code::Forbidden, _) => StatusCode::FORBIDDEN,
        (Code::NotFound, _) => StatusCode::NOT_FOUND,
        (Code::BadUserInput | Code::BadCursor | Code::GraphqlParseFailed | Code::GraphqlValidationFailed, _) => {
            StatusCode::BAD_REQUEST
        }
        (Code::Conflict, _) => StatusCode::CONFLICT,
        (Code::LimitExceeded, Detail::RetryAfterMs(_)) => StatusCode::TOO_MANY_REQUESTS,
        (Code::LimitExceeded, _) => StatusCode::PAYLOAD_TOO_LARGE,
        (Code::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Code::Timeout, _) => StatusCode::GATEWAY_TIMEOUT,
        (Code::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Headers that go with an error: `WWW-Authenticate` for missing credentials, `Retry-After` in whole seconds, rounded up.
pub fn add_headers(error: &Error, headers: &mut HeaderMap) {
    if error.code() == Code::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"runledger\""));
    }
    if let Detail::RetryAfterMs(wait_ms) = error.detail() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1_000).max(1)));
    }
}

/// The error as it is shown in JSON, in GraphQL's shape: `message` and `extensions`.
#[must_use]
pub fn to_json(error: &Error) -> Value {
    let mut extensions = Map::new();
    extensions.insert("code".to_owned(), error.code().as_str().into());
    if let Some(classification) = error.code().classification() {
        extensions.insert("classification".to_owned(), classification.into());
    }
    match error.detail() {
        // The way to the cause, which only the log has.
        Detail::None if error.code() == Code::Internal => {
            if let Some(id) = super::request_id() {
                extensions.insert("requestId".to_owned(), id.into());
            }
        }
        Detail::None => {}
        Detail::Field(field) => drop(extensions.insert("field".to_owned(), field.as_str().into())),
        Detail::Limit { limit, value } => {
            extensions.insert("limit".to_owned(), (*limit).into());
            if let Some(value) = value {
                extensions.insert("value".to_owned(), (*value).into());
            }
        }
        Detail::RetryAfterMs(wait_ms) => drop(extensions.insert("retryAfterMs".to_owned(), (*wait_ms).into())),
    }
    json!({ "message": error.message(), "extensions": extensions })
}

/// An answer in GraphQL's shape, with the headers that go with the error. Its cause is logged, never sent.
#[must_use]
pub fn response(status: StatusCode, error: &Error) -> Response {
    log(error);
    let mut response = (status, Json(json!({ "errors": [to_json(error)] }))).into_response();
    add_headers(error, response.headers_mut());
    response
}

/// Logs what the caller is not shown.
pub fn log(error: &Error) {
    match error.code() {
        Code::Internal => tracing::error!(?error, "internal error"),
        Code::Unavailable => tracing::warn!(?error, "unavailable"),
        // Its message may quote what was sent, and that may be a secret.
        code => tracing::debug!(code = code.as_str(), "refused"),
    }
}
