//! `/graphql`: GraphQL over HTTP, POST and GET.
//!
//! The request extraction of the library's axum integration is not used: it takes bodies of any length, any content type
//! and batches, and answers parameters that do not fit in plain text.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Response as GraphqlResponse, ServerError, Value};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use serde::Serialize;
use tower_http::request_id::RequestId as RequestIdHeader;

use super::graphql_media::Media;
use super::graphql_request::Parameters;
use crate::domain::scope::Scope;
use crate::error::{Code, Error};
use crate::facade::Logs;
use crate::facade::access::{AuditedRequest, RequestAudit};
use crate::facade::loaders::LoadQueue;
use crate::graphql::error::{RequestId, is_refusal, refusal};
use crate::graphql::guard;
use crate::graphql::schema::{self, Schema};

/// Room for an answer to begin with; a page of runs with steps has some 100 kB.
const ANSWER_BYTES: usize = 32 << 10;

/// What one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphqlLimits {
    /// What its document may hold.
    pub document: guard::Limits,
    /// Bytes of its body after decompression.
    pub body_bytes: usize,
    /// How long it may take, reading its body included; then it is given up.
    pub time: Duration,
}

impl Default for GraphqlLimits {
    fn default() -> Self {
        Self { document: guard::Limits::default(), body_bytes: 2 << 20, time: Duration::from_secs(10) }
    }
}

/// A request with the use cases for its caller, what their loaders start, and what they read.
struct Attached {
    request: async_graphql::Request,
    loads: LoadQueue,
    audit: Option<RequestAudit>,
}

/// Puts what resolvers need into a request.
type Attach = Arc<dyn Fn(async_graphql::Request, Scope) -> Attached + Send + Sync>;

/// What the handler needs. Cheap to clone.
#[derive(Clone)]
pub struct GraphqlState {
    schema: Schema,
    limits: GraphqlLimits,
    attach: Attach,
}

impl GraphqlState {
    /// A handler over the use cases.
    #[must_use]
    pub fn new(schema: Schema, limits: GraphqlLimits, logs: Logs) -> Self {
        let attach = move |request: async_graphql::Request, scope| {
            let facade = logs.facade(scope);
            let (loads, audit) = (facade.loads(), Some(facade.audit()));
            Attached { request: request.data(facade), loads, audit }
        };
        Self { schema, limits, attach: Arc::new(attach) }
    }
}

/// The route `/graphql`. Authentication stands before it and puts a [`Scope`] into the request's extensions; without one
/// the answer is 401.
pub fn routes(state: GraphqlState) -> Router {
    Router::new().route("/graphql", any(serve)).with_state(state)
}

/// A request that is not run at all, with the status that says so whatever the media type.
pub struct Refusal {
    status: StatusCode,
    error: Error,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error, header: None }
    }

    /// A refusal of a method, with the methods that are allowed.
    fn method(allowed: &'static str, message: &str) -> Self {
        let header = Some((header::ALLOW, HeaderValue::from_static(allowed)));
        Self { status: StatusCode::METHOD_NOT_ALLOWED, error: Error::input("method", message), header }
    }

    /// A refusal of a caller without credentials.
    fn unauthenticated() -> Self {
        let error = Error::new(Code::Unauthenticated, "send an API key or a token as Authorization: Bearer");
        let header = Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        Self { status: StatusCode::UNAUTHORIZED, error, header }
    }
}

impl From<super::body::Refused> for Refusal {
    fn from(refused: super::body::Refused) -> Self {
        Self::new(refused.status, refused.error)
    }
}

/// Answers one request.
async fn serve(State(state): State<GraphqlState>, request: Request) -> Response {
    let media = match Media::negotiate(request.headers()) {
        Ok(media) => media,
        Err(refused) => return refuse(Media::Json, &refused),
    };
    let outcome = tokio::time::timeout(state.limits.time, answer(&state, request)).await;
    match outcome {
        Ok(Ok(response)) => {
            let status = if is_refusal(&response) { media.status_of_refusal() } else { StatusCode::OK };
            write(media, status, &response)
        }
        Ok(Err(refused)) => refuse(media, &refused),
        Err(_) => {
            let message = format!(
                "the request took longer than {:?}; ask for less, and send a mutation again with the same \
                 idempotencyKey",
                state.limits.time
            );
            refuse(media, &Refusal::new(StatusCode::GATEWAY_TIMEOUT, Error::new(Code::Timeout, message)))
        }
    }
}

/// Checks a request, then runs it.
async fn answer(state: &GraphqlState, request: Request) -> Result<GraphqlResponse, Refusal> {
    let is_get = request.method() == Method::GET;
    if !is_get && request.method() != Method::POST {
        return Err(Refusal::method("GET, POST", "send GraphQL requests by POST, or queries by GET"));
    }
    let (parts, body) = request.into_parts();
    let scope = parts.extensions.get::<Scope>().cloned().ok_or_else(Refusal::unauthenticated)?;
    let parameters = match is_get {
        true => Parameters::from_uri(&parts.uri)?,
        false => Parameters::from_body(&parts.headers, body, state.limits.body_bytes).await?,
    };
    let id = parts.extensions.get::<RequestIdHeader>().and_then(|id| id.header_value().to_str().ok());
    let id = id.map(|id| RequestId(id.to_owned()));
    match prepare(&state.limits.document, parameters, is_get) {
        Ok(request) => {
            let asked = audited(&request);
            let Attached { request, loads, audit } = (state.attach)(request, scope);
            let response = loads.drive(schema::execute(&state.schema, request, id.as_ref())).await;
            if let Some(audit) = audit {
                if has_code(&response, Code::Forbidden) {
                    audit.refused();
                }
                // What was read does not leave before it is on record who read it.
                audit.close(&asked).await.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error))?;
            }
            Ok(response)
        }
        Err(Refused::Document(error)) => Ok(refusal(&error)),
        Err(Refused::Request(refused)) => Err(refused),
    }
}

/// Whether an answer has an error of this kind.
fn has_code(response: &GraphqlResponse, code: Code) -> bool {
    let code = Value::from(code.as_str());
    response.errors.iter().any(|error| error.extensions.as_ref().and_then(|all| all.get("code")) == Some(&code))
}

/// What was asked, for the audit.
fn audited(request: &async_graphql::Request) -> AuditedRequest {
    let variables = serde_json::to_vec(&request.variables).unwrap_or_default();
    AuditedRequest::new(request.operation_name.clone(), &request.query, &variables)
}

/// Why a request is not run.
enum Refused {
    /// Its document is refused.
    Document(Error),
    /// It is refused whatever its document.
    Request(Refusal),
}

/// Puts the document before the guard.
fn prepare(limits: &guard::Limits, parameters: Parameters, is_get: bool) -> Result<async_graphql::Request, Refused> {
    let Parameters { query, operation_name, variables, .. } = parameters;
    let document = guard::parse(&query, limits).map_err(Refused::Document)?;
    let operation = guard::operation(&document, operation_name.as_deref()).map_err(Refused::Document)?;
    if is_get && !guard::is_query(operation) {
        return Err(Refused::Request(Refusal::method("POST", "GET runs queries only: send mutations by POST")));
    }
    guard::check(&document, &variables, limits).map_err(Refused::Document)?;
    guard::check_variables(operation, &variables).map_err(Refused::Document)?;
    let mut request = async_graphql::Request::new(query).variables(variables);
    request.operation_name = operation_name.or_else(|| guard::only_name(&document));
    request.set_parsed_query(document);
    Ok(request)
}

/// Writes a refusal.
fn refuse(media: Media, refused: &Refusal) -> Response {
    let mut response = write(media, refused.status, &refusal(&refused.error));
    super::error::add_headers(&refused.error, response.headers_mut());
    if let Some((name, value)) = &refused.header {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// The JSON of an answer: no `data` where nothing was run.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// Marks an answer in which a field failed by our own fault.
#[derive(Clone, Copy, Debug)]
pub struct FailedField;

/// Writes an answer.
fn write(media: Media, status: StatusCode, response: &GraphqlResponse) -> Response {
    let data = (!is_refusal(response)).then_some(&response.data);
    let mut json = Vec::with_capacity(ANSWER_BYTES);
    let written = serde_json::to_writer(&mut json, &Answer { errors: &response.errors, data });
    let status = written.map_or(StatusCode::INTERNAL_SERVER_ERROR, |()| status);
    let mut answer = Response::new(Body::from(json));
    *answer.status_mut() = status;
    if has_code(response, Code::Internal) {
        answer.extensions_mut().insert(FailedField);
    }
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, media.content_type());
    // What one caller may see is not for another, nor for a cache on the way.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    answer
}

#[cfg(test)]
#[path = "graphql_tests.rs"]
mod tests;
