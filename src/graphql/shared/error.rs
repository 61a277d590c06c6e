//! The one way from our [`Error`] to a GraphQL error, and the last look at an answer's errors before it leaves.

use async_graphql::{ContextSelectionSet, ErrorExtensionValues, OutputType, Positioned, Response, ServerError};
use async_graphql::{ServerResult, Value, parser::types::Field, registry::Registry};
use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Code, Detail, Error};

/// Errors of one answer; what goes beyond them is left out.
pub const ERRORS_MAX: usize = 20;
/// Bytes of one error's message; names out of the document may stand in it.
pub const MESSAGE_BYTES_MAX: usize = 1_000;

/// The id of a request, which ties an `INTERNAL` error to its cause in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The error type of resolvers. It is not `Display`, so that `?` cannot turn some library's error into an answer that
/// shows its text and lacks a code: only our [`Error`] gets in.
#[derive(Clone, Debug)]
pub struct ApiError(pub Error);

/// A result of a resolver.
pub type ApiResult<T> = Result<T, ApiError>;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(ApiError(error): ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        describe(&error, &mut extensions);
        Self { message: error.message().to_owned(), source: Some(Arc::new(error)), extensions: Some(extensions) }
    }
}

/// A nullable field whose resolver may fail: the error is reported and the field alone reads null, as the specification
/// wants it. (A resolver that returns `Result<Option<T>>` would take its whole parent along.)
pub struct Maybe<T>(ApiResult<Option<T>>);

impl<T> Maybe<T> {
    /// The field's value, or the error that stands for it.
    pub fn of<U: Into<T>>(result: ApiResult<Option<U>>) -> Self {
        Self(result.map(|value| value.map(Into::into)))
    }
}

impl<T: OutputType> OutputType for Maybe<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::type_name().into_owned()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry);
        T::type_name().into_owned()
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match &self.0 {
            Ok(value) => value.resolve(ctx, field).await,
            Err(error) => {
                let error = async_graphql::Error::from(error.clone()).into_server_error(field.pos);
                ctx.add_error(ctx.set_error_path(error));
                Ok(Value::Null)
            }
        }
    }
}

/// An error of the whole request, made before or instead of execution.
#[must_use]
pub fn request_error(error: &Error) -> ServerError {
    let error = async_graphql::Error::from(ApiError(error.clone()));
    let mut answer = ServerError::new(error.message, None);
    answer.source = error.source;
    answer.extensions = error.extensions;
    answer
}

/// The answer to a request that is refused as a whole.
#[must_use]
pub fn refusal(error: &Error) -> Response {
    Response::from_errors(vec![request_error(error)])
}

/// Whether the answer is that of a request that was not executed: it has errors, none of them at a field.
#[must_use]
pub fn is_refusal(response: &Response) -> bool {
    response.data == Value::Null && response.is_err() && response.errors.iter().all(|error| error.path.is_empty())
}

/// Makes an answer's errors ready to leave: at most [`ERRORS_MAX`], messages of bounded length, each with a code;
/// `INTERNAL` ones carry the request id, under which their cause is logged here.
pub fn finish(response: &mut Response, request_id: Option<&RequestId>) {
    let is_refused = is_refusal(response);
    response.errors.truncate(ERRORS_MAX);
    for error in &mut response.errors {
        shorten(&mut error.message);
        let cause = error.source::<Error>().filter(|error| error.code() == Code::Internal).cloned();
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            // Only the library makes errors without a code, and only of documents and arguments that do not fit.
            let code = if is_refused { Code::GraphqlValidationFailed } else { Code::BadUserInput };
            extensions.set("code", code.as_str());
            if let Some(classification) = code.classification() {
                extensions.set("classification", classification);
            }
        }
        if let Some(cause) = cause {
            let request_id = request_id.map_or("", |id| id.0.as_str());
            extensions.set("requestId", request_id);
            tracing::error!(request_id, path = ?error.path, error = ?cause, "a field failed");
        }
    }
}

/// Writes code and detail.
fn describe(error: &Error, extensions: &mut ErrorExtensionValues) {
    extensions.set("code", error.code().as_str());
    if let Some(classification) = error.code().classification() {
        extensions.set("classification", classification);
    }
    match error.detail() {
        Detail::None => {}
        Detail::Field(field) => extensions.set("field", field.as_str()),
        Detail::Limit { limit, value } => {
            extensions.set("limit", *limit);
            if let Some(value) = value {
                extensions.set("value", *value);
            }
        }
        Detail::RetryAfterMs(wait) => extensions.set("retryAfterMs", *wait),
    }
}

/// Cuts a message at a character boundary.
fn shorten(message: &mut String) {
    if message.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push_str(" ...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(response: &Response) -> serde_json::Value {
        serde_json::to_value(&response.errors).expect("serialises")
    }

    #[test]
    fn each_error_says_what_kind_it_is_and_what_to_do() {
        let limit = refusal(&Error::limit("first is at most 200", 200, Some(201)));
        assert_eq!(
            json(&limit),
            serde_json::json!([{
                "message": "first is at most 200",
                "extensions": {"classification": "BAD_REQUEST", "code": "LIMIT_EXCEEDED", "limit": 200, "value": 201}
            }])
        );
        let input = json(&refusal(&Error::input("last", "not both")));
        assert_eq!(
            input[0]["extensions"],
            serde_json::json!({"classification": "BAD_REQUEST", "code": "BAD_USER_INPUT", "field": "last"})
        );
        let busy = json(&refusal(&Error::unavailable("busy", 250)));
        assert_eq!(busy[0]["extensions"], serde_json::json!({"code": "UNAVAILABLE", "retryAfterMs": 250}));
    }

    #[test]
    fn internal_errors_show_the_request_id_and_never_their_cause() {
        let mut response = refusal(&Error::internal("no such table: secret"));
        finish(&mut response, Some(&RequestId("req-7".to_owned())));
        let text = json(&response).to_string();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(json(&response)[0]["extensions"], serde_json::json!({"code": "INTERNAL", "requestId": "req-7"}));
    }

    #[test]
    fn a_flood_of_errors_is_cut() {
        let flood = (0..5_000).map(|i| ServerError::new(format!("{i}{}", "é".repeat(5_000)), None)).collect();
        let mut response = Response::from_errors(flood);
        finish(&mut response, None);
        assert_eq!(response.errors.len(), ERRORS_MAX);
        assert!(response.errors.iter().all(|error| error.message.len() <= MESSAGE_BYTES_MAX + 4));
        assert_eq!(json(&response)[0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    }
}
