//! How an answer of `/graphql` is written.

use async_graphql::{Response as GraphqlResponse, ServerError, Value};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::body::Share;
use super::graphql::Refusal;
use super::graphql_media::Media;
use super::held::{self, ANSWER_BYTES};
use super::metrics;
use crate::error::{Code, Error};
use crate::graphql::shared::error::{is_refusal, refusal};

const RETRY_AFTER_MS: u64 = 1_000;

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
    let response = refusal(&refused.error);
    let mut response = finish(media, refused.status, &response, to_json(&response), Share::default());
    super::error::add_headers(&refused.error, response.headers_mut());
    if let Some((name, value)) = &refused.header {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Writes the answer to what was not run.
pub(super) fn write(media: Media, response: &GraphqlResponse) -> Response {
    finish(media, status(media, response), response, to_json(response), Share::default())
}

/// Writes an answer, if it has no more bytes than this. `share` has taken [`ANSWER_BYTES`] of the caller's budget; it takes
/// what the answer has beyond, and holds all of it until the last byte has left: who asks and does not read takes from what
/// is theirs.
///
/// # Errors
/// `UNAVAILABLE` with a time to wait when the caller has too much to read already.
pub(super) fn write_within(
    media: Media,
    response: &GraphqlResponse,
    bytes_max: u64,
    mut share: Share,
) -> Result<Response, Error> {
    let json = to_json(response);
    let bytes = json.as_ref().map_or(0, Vec::len);
    if bytes as u64 > bytes_max {
        // What was counted while it was made is an estimate.
        let message = format!("the answer has more than {bytes_max} bytes: ask for fewer rows or fields at once");
        return Ok(write(media, &refusal(&Error::limit(message, bytes_max, Some(bytes as u64)))));
    }
    held::grow(&mut share, bytes).map_err(|full| untold(&full))?;
    Ok(finish(media, status(media, response), response, json, share))
}

/// There is no room for an answer that was made: whatever was asked for is done.
pub(super) fn untold(full: &Error) -> Error {
    let again = "when earlier answers have been read, and a mutation with the same idempotencyKey";
    Error::unavailable(format!("{}, {again}", full.message()), RETRY_AFTER_MS)
}

fn status(media: Media, response: &GraphqlResponse) -> StatusCode {
    if is_refusal(response) { media.status_of_refusal() } else { StatusCode::OK }
}

fn to_json(response: &GraphqlResponse) -> serde_json::Result<Vec<u8>> {
    let data = (!is_refusal(response)).then_some(&response.data);
    let mut json = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut json, &Answer { errors: &response.errors, data })?;
    Ok(json)
}

fn finish(
    media: Media,
    status: StatusCode,
    response: &GraphqlResponse,
    json: serde_json::Result<Vec<u8>>,
    share: Share,
) -> Response {
    for code in response.errors.iter().filter_map(code_of) {
        if let Value::String(code) = code {
            metrics::count_graphql_error(code);
        }
    }
    let (status, json) = json.map_or((StatusCode::INTERNAL_SERVER_ERROR, Vec::new()), |json| (status, json));
    let bytes = json.len();
    let mut answer = Response::new(held::body(json, share));
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

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::domain::ids::TenantId;
    use crate::error::Detail;
    use crate::http::body::Budget;
    use crate::http::fair::FairPool;
    use crate::http::held::CHUNK_BYTES;

    fn share(pool: &FairPool) -> Share {
        let mut share = Share::of(Some(Budget { pool: pool.clone(), tenant: TenantId::trusted("t") }));
        share.grow(ANSWER_BYTES).expect("room");
        share
    }

    fn answer(bytes: usize) -> GraphqlResponse {
        GraphqlResponse::new(Value::from("x".repeat(bytes)))
    }

    #[tokio::test]
    async fn an_answer_counts_until_its_last_byte_has_left() {
        let pool = FairPool::new(4 << 20, 4 << 20, 0);
        let small = write_within(Media::Json, &answer(10), u64::MAX, share(&pool)).expect("room");
        assert_eq!(pool.held(), ANSWER_BYTES);
        drop(small);
        assert_eq!(pool.held(), 0, "who hangs up holds nothing");
        let large = write_within(Media::Json, &answer(3 * CHUNK_BYTES), u64::MAX, share(&pool)).expect("room");
        let bytes: usize = large.headers()[header::CONTENT_LENGTH].to_str().expect("text").parse().expect("a number");
        assert_eq!(pool.held(), bytes);
        let mut body = large.into_body();
        let mut last = None;
        while let Some(frame) = body.frame().await {
            assert_eq!(pool.held(), bytes);
            last = Some(frame.expect("a piece"));
        }
        drop(body);
        assert_eq!(pool.held(), bytes, "its last piece is not sent yet");
        drop(last);
        assert_eq!(pool.held(), 0);
    }

    #[test]
    fn an_answer_for_which_there_is_no_room_is_not_held() {
        let pool = FairPool::new(1 << 20, 1 << 20, 0);
        let first = write_within(Media::Json, &answer(900_000), u64::MAX, share(&pool)).expect("room");
        let error = write_within(Media::Json, &answer(900_000), u64::MAX, share(&pool)).expect_err("no room");
        assert_eq!((error.code(), error.detail()), (Code::Unavailable, &Detail::RetryAfterMs(RETRY_AFTER_MS)));
        assert!(error.message().contains("idempotencyKey"), "{error:?}");
        drop(first);
        assert_eq!(pool.held(), 0);
        assert!(write_within(Media::Json, &answer(900_000), u64::MAX, share(&pool)).is_ok());
    }
}
