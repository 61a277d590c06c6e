//! How an answer of `/graphql` is written.

use std::convert::Infallible;

use async_graphql::{Response as GraphqlResponse, ServerError, Value};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;

use super::graphql::Refusal;
use super::graphql_media::Media;
use super::metrics;
use crate::error::{Code, Error};
use crate::graphql::error::{is_refusal, refusal};

/// Room for an answer to begin with; a page of runs with steps has some 100 kB.
const ANSWER_BYTES: usize = 32 << 10;
/// Bytes that are handed over, and compressed, at once.
const CHUNK_BYTES: usize = 256 << 10;

/// Marks an answer in which a field failed by our own fault.
#[derive(Clone, Copy, Debug)]
pub struct FailedField;

/// The JSON of an answer: no `data` where nothing was run.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// Whether an answer has an error of this kind.
pub(super) fn has_code(response: &GraphqlResponse, code: Code) -> bool {
    let code = Value::from(code.as_str());
    response.errors.iter().any(|error| code_of(error) == Some(&code))
}

fn code_of(error: &ServerError) -> Option<&Value> {
    error.extensions.as_ref().and_then(|all| all.get("code"))
}

/// Writes a refusal.
pub(super) fn refuse(media: Media, refused: &Refusal) -> Response {
    let mut response = write_as(media, refused.status, &refusal(&refused.error), u64::MAX);
    super::error::add_headers(&refused.error, response.headers_mut());
    if let Some((name, value)) = &refused.header {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Writes an answer.
pub(super) fn write(media: Media, response: &GraphqlResponse) -> Response {
    write_within(media, response, u64::MAX)
}

/// Writes an answer, if it has no more bytes than this.
pub(super) fn write_within(media: Media, response: &GraphqlResponse, bytes_max: u64) -> Response {
    let status = if is_refusal(response) { media.status_of_refusal() } else { StatusCode::OK };
    write_as(media, status, response, bytes_max)
}

fn write_as(media: Media, status: StatusCode, response: &GraphqlResponse, bytes_max: u64) -> Response {
    let data = (!is_refusal(response)).then_some(&response.data);
    let mut json = Vec::with_capacity(ANSWER_BYTES);
    let written = serde_json::to_writer(&mut json, &Answer { errors: &response.errors, data });
    let bytes = json.len() as u64;
    if bytes > bytes_max {
        // What was counted while it was made is an estimate.
        let message = format!("the answer has more than {bytes_max} bytes: ask for fewer rows or fields at once");
        return write(media, &refusal(&Error::limit(message, bytes_max, Some(bytes))));
    }
    for code in response.errors.iter().filter_map(code_of) {
        if let Value::String(code) = code {
            metrics::count_graphql_error(code);
        }
    }
    let status = written.map_or(StatusCode::INTERNAL_SERVER_ERROR, |()| status);
    let mut answer = Response::new(body(json));
    *answer.status_mut() = status;
    if has_code(response, Code::Internal) {
        answer.extensions_mut().insert(FailedField);
    }
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media.content_type());
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    // What one caller may see is not for another, nor for a cache on the way.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    answer
}

/// A long answer goes out in pieces, with turns of others between them: whoever compresses it takes a piece at a time.
fn body(json: Vec<u8>) -> Body {
    if json.len() <= CHUNK_BYTES {
        return Body::from(json);
    }
    Body::from_stream(stream::unfold(Bytes::from(json), |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::task::yield_now().await;
        let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
        Some((Ok::<_, Infallible>(chunk), rest))
    }))
}
