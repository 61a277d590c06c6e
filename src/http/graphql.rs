//! `/graphql`: GraphQL over HTTP, POST and GET.
//!
//! The request extraction of the library's axum integration is not used: it takes bodies of any length, any content type
//! and batches, and answers parameters that do not fit in plain text.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use tower_http::request_id::RequestId as RequestIdHeader;

use super::apart::Apart;
use super::body::{BodyLimit, Budget, Share};
use super::fair::FairPermit;
pub use super::graphql_answer::FailedField;
use super::graphql_answer::{has_code, refuse, untold, write, write_within};
use super::graphql_lanes::{Lane, Lanes};
use super::graphql_media::Media;
use super::graphql_request::Parameters;
use super::held::ANSWER_BYTES;
use crate::domain::scope::Scope;
use crate::error::{Code, Error};
use crate::facade::access::{AuditedRequest, RequestAudit};
use crate::facade::loaders::LoadQueue;
use crate::facade::{Logs, reading_for};
use crate::graphql::root::guard;
use crate::graphql::root::schema::{self, Schema};
use crate::graphql::shared::error::{RequestId, refusal};

/// Headers that a page of another site cannot send to us without asking us first.
const NO_SIMPLE_HEADERS: [&str; 3] = ["authorization", "apollo-require-preflight", "x-apollo-operation-name"];

/// What one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphqlLimits {
    /// What its document may hold.
    pub document: guard::Limits,
    /// Bytes of its body after decompression.
    pub body_bytes: usize,
    /// How long it may take, reading its body included; then it is given up.
    pub time: Duration,
    /// Bytes of its answer, before compression.
    pub answer_bytes: u64,
}

impl Default for GraphqlLimits {
    fn default() -> Self {
        Self {
            document: guard::Limits::default(),
            body_bytes: 2 << 20,
            time: Duration::from_secs(10),
            answer_bytes: 32 << 20,
        }
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
    lanes: Lanes,
    /// Where large bodies, documents and answers are worked on.
    apart: Apart,
    attach: Attach,
}

impl GraphqlState {
    /// A handler over the use cases.
    #[must_use]
    pub fn new(schema: Schema, limits: GraphqlLimits, logs: Logs) -> Self {
        if let Err(error) = guard::learn() {
            tracing::error!(?error, "no query can be measured, so that all will be refused");
        }
        let attach = move |request: async_graphql::Request, scope| {
            let facade = logs.facade(scope);
            let (loads, audit) = (facade.loads(), Some(facade.audit()));
            Attached { request: request.data(facade), loads, audit }
        };
        Self { schema, limits, lanes: Lanes::of_machine(), apart: Apart::default(), attach: Arc::new(attach) }
    }
}

/// The route `/graphql`. Authentication stands before it and puts a [`Scope`] into the request's extensions; without one
/// the answer is 401.
pub fn routes(state: GraphqlState) -> Router {
    Router::new().route("/graphql", any(serve)).with_state(state)
}

/// A request that is not run at all, with the status that says so whatever the media type.
pub struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: Error,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
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

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(super::error::status(&error), error)
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
    let outcome = tokio::time::timeout(state.limits.time, answer(&state, media, request)).await;
    match outcome {
        Ok(Ok(response)) => response,
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

/// Checks a request, runs it, and writes its answer.
async fn answer(state: &GraphqlState, media: Media, request: Request) -> Result<Response, Refusal> {
    let is_get = request.method() == Method::GET;
    if !is_get && request.method() != Method::POST {
        return Err(Refusal::method("GET, POST", "send GraphQL requests by POST, or queries by GET"));
    }
    let (parts, body) = request.into_parts();
    let scope = parts.extensions.get::<Scope>().cloned().ok_or_else(Refusal::unauthenticated)?;
    let budget = parts.extensions.get::<Budget>().cloned();
    let parameters = match is_get {
        true => {
            check_is_asked_for(&parts.headers)?;
            Parameters::from_uri(&parts.uri, budget)?
        }
        false => {
            let limit = BodyLimit { bytes_max: state.limits.body_bytes, budget };
            Parameters::from_body(&state.apart, &scope.tenant, &parts.headers, body, &limit).await?
        }
    };
    let id = parts.extensions.get::<RequestIdHeader>().and_then(|id| id.header_value().to_str().ok());
    let id = id.map(|id| RequestId(id.to_owned()));
    // The body is here: whoever sends it slowly holds no place of others.
    let place = state.lanes.enter(Lane::Light, &scope.tenant).await?;
    let limits = state.limits.document;
    let measuring = state.apart.run(&scope.tenant, parameters.bytes, move || prepare(&limits, parameters, is_get));
    match measuring.await? {
        Ok(prepared) => {
            let place = state.lanes.turn_into(prepared.lane, &scope.tenant, place).await?;
            run(state, media, prepared, scope, id.as_ref(), place).await
        }
        Err(Refused::Document(error)) => Ok(write(media, &refusal(&error))),
        Err(Refused::Request(refused)) => Err(refused),
    }
}

/// Runs a request in the place that it was given, and writes its answer.
async fn run(
    state: &GraphqlState,
    media: Media,
    prepared: Prepared,
    scope: Scope,
    id: Option<&RequestId>,
    place: FairPermit,
) -> Result<Response, Refusal> {
    let tenant = scope.tenant.clone();
    let Prepared { request, asked, share, .. } = prepared;
    // Who has not read earlier answers is told so before anything is done.
    let mut answer_share = share.another();
    answer_share.grow(ANSWER_BYTES)?;
    let Attached { request, loads, audit } = (state.attach)(request, scope);
    let bytes_max = state.limits.answer_bytes;
    let driving = Box::pin(loads.drive_within(bytes_max, schema::execute(&state.schema, request, id)));
    let driven = reading_for(tenant.clone(), driving).await;
    let (response, bytes) = match driven {
        Ok(driven) => (driven.output, driven.bytes),
        Err(error) => (refusal(&error), 0),
    };
    let is_forbidden = has_code(&response, Code::Forbidden);
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let writing = state.apart.run(&tenant, bytes, move || write_within(media, &response, bytes_max, answer_share));
    let written = writing.await.map_err(|full| untold(&full))?;
    // What follows waits for the writer.
    drop(place);
    if let Some(audit) = audit {
        if is_forbidden {
            audit.refused();
        }
        // What was read does not leave before it is on record who read it.
        audit.close(&asked).await.map_err(|error| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error))?;
    }
    Ok(written?)
}

/// Refuses a GET that a page of another site may have made a browser send: it could not read the answer, but it would be
/// run, in the name of whoever sits at the browser where no credentials are asked for.
fn check_is_asked_for(headers: &HeaderMap) -> Result<(), Refusal> {
    if NO_SIMPLE_HEADERS.iter().any(|name| headers.contains_key(*name)) {
        return Ok(());
    }
    let message = "a GET without credentials must show that no page of another site sends it: add the header \
                   Apollo-Require-Preflight with any value, or send the query by POST; the page for people is /graphiql";
    Err(Refusal::new(StatusCode::FORBIDDEN, Error::new(Code::Forbidden, message)))
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

/// A request that the guard let pass.
struct Prepared {
    request: async_graphql::Request,
    asked: AuditedRequest,
    lane: Lane,
    /// What it holds of the budget of bytes.
    share: Share,
}

/// Puts the document before the guard.
fn prepare(limits: &guard::Limits, parameters: Parameters, is_get: bool) -> Result<Prepared, Refused> {
    let Parameters { query, operation_name, variables, share, .. } = parameters;
    let document = guard::parse(&query, limits).map_err(Refused::Document)?;
    let operation = guard::operation(&document, operation_name.as_deref()).map_err(Refused::Document)?;
    let is_query = guard::is_query(operation);
    if is_get && !is_query {
        return Err(Refused::Request(Refusal::method("POST", "GET runs queries only: send mutations by POST")));
    }
    let measured = guard::check(&document, &variables, limits).map_err(Refused::Document)?;
    guard::check_variables(operation, &variables).map_err(Refused::Document)?;
    guard::check_values(&document, operation, &variables).map_err(Refused::Document)?;
    let mut request = async_graphql::Request::new(query).variables(variables);
    request.operation_name = operation_name.or_else(|| guard::only_name(&document));
    request.set_parsed_query(document);
    let asked = audited(&request);
    Ok(Prepared { request, asked, lane: Lane::of(&measured, is_query), share })
}

#[cfg(test)]
#[path = "graphql_tests.rs"]
mod tests;
