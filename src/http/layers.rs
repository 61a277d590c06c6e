//! What every request passes.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::RequestId;
use tracing::Instrument as _;

use super::access_log::{AccessLine, Served, gone, is_grpc};
use super::auth::TENANT_HEADER;
use super::current::Current;
use super::error;
use super::state::HttpState;
use crate::error::{Code, Error};
use crate::facade::reading_for;

/// The header that names a request, in and out.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Names the request, logs under that name, measures.
pub(super) async fn observe(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request.headers().get(REQUEST_ID_HEADER).and_then(sane_request_id).unwrap_or_else(new_request_id);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let current = Current::new(id, peer);
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    // The query is left out: a GET carries its GraphQL document and variables there.
    let span = tracing::info_span!("request", id = current.id(), method, path = request.uri().path());
    let mut request = request;
    if let Ok(id) = HeaderValue::from_str(current.id()) {
        request.extensions_mut().insert(RequestId::new(id));
    }
    let grpc_status = is_grpc(request.headers()).then_some(tonic::Code::Cancelled);
    let line = AccessLine { current: Arc::clone(&current), method, route, status: gone(), grpc_status, began };
    // Made before: whoever hangs up ends this function here.
    let served = Served::begin(line, state.settings().access_log);
    let mut response = Arc::clone(&current).serve(next.run(request)).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(current.id()) {
        response.headers_mut().insert(HeaderName::from_static(REQUEST_ID_HEADER), id);
    }
    served.answered(response)
}

/// The caller's id, when it can stand in a log line as it is.
fn sane_request_id(value: &HeaderValue) -> Option<String> {
    let id = value.to_str().ok()?;
    let is_sane = (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    is_sane.then(|| id.to_owned())
}

/// Unique over processes by its random half, within one by its count.
fn new_request_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| getrandom::u64().unwrap_or_default());
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("{:016x}-{:x}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Methods are the caller's choice, labels are not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

/// A bug in one request is that request's alone.
pub(super) fn on_panic(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let error = Error::internal(format!("panic: {}", message.unwrap_or("no message")));
    error::response(StatusCode::INTERNAL_SERVER_ERROR, &error)
}

/// The door of routes that find their caller's scope in the request's extensions.
pub(super) async fn admit(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    // The route, not the path: there are few of them.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let headers = request.headers();
    let admitted = async {
        let scope = state.admit(headers, route).await?;
        let place = state.place(&scope.tenant)?;
        Ok((scope, place))
    };
    match admitted.await {
        Ok((scope, _place)) => {
            request.extensions_mut().insert(state.budget(&scope.tenant));
            let tenant = scope.tenant.clone();
            request.extensions_mut().insert(scope);
            // Whatever it reads, it takes turns with other tenants at the connections.
            reading_for(tenant, next.run(request)).await
        }
        Err(refusal) => error::response(error::status(&refusal), &refusal),
    }
}

/// A page of another site can make its name point at this machine, and then its script is "same origin" (DNS rebinding):
/// so an open server answers only to names that are its own.
pub(super) async fn check_host(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let allowed = &state.settings().allowed_hosts;
    if !state.is_open() && allowed.is_empty() {
        return next.run(request).await;
    }
    let host = host_of(&request);
    if host.as_deref().is_some_and(|host| is_loopback(host) || allowed.iter().any(|name| names(name, host))) {
        return next.run(request).await;
    }
    let message =
        "this server is not known under that host name; ask for localhost, or name the host in --allowed-hosts";
    error::response(StatusCode::MISDIRECTED_REQUEST, &Error::new(Code::Forbidden, message))
}

fn names(allowed: &str, host: &str) -> bool {
    let (allowed, host) = (allowed.trim_end_matches('.'), host.trim_end_matches('.'));
    allowed.eq_ignore_ascii_case(host)
}

/// The host without its port; `None` where it is absent, repeated or contradictory, or comes with a user's name.
fn host_of(request: &Request) -> Option<String> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next().map(|value| host(&value.to_str().ok()?.parse::<Uri>().ok()?));
    if headers.next().is_some() {
        return None;
    }
    let target = match request.uri().authority() {
        Some(_) => Some(host(request.uri())?),
        None => None,
    };
    match (header, target) {
        (Some(header), None) => header,
        (None, target) => target,
        (Some(header), Some(target)) => header.filter(|header| names(header, &target)),
    }
}

fn host(uri: &Uri) -> Option<String> {
    let has_user = uri.authority().is_none_or(|authority| authority.as_str().contains('@'));
    uri.host().filter(|_| !has_user).map(str::to_owned)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    names("localhost", host) || address.is_ok_and(|address| address.is_loopback())
}

/// Headers that no answer lacks; a page with a policy of its own keeps it.
pub(super) async fn security_headers(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(X_FRAME_OPTIONS, "DENY");
    add(REFERRER_POLICY, "no-referrer");
    add(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    add(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    add(CACHE_CONTROL, "private, no-store");
    if state.settings().has_tls {
        add(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// Counts answers that failed by our own fault, whichever way they say it.
pub(super) async fn count_failures(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let is_grpc_failure = response.headers().get(tonic::Status::GRPC_STATUS).is_some_and(|status| status == "13");
    let has_failed_field = response.extensions().get::<super::graphql::FailedField>().is_some();
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR || is_grpc_failure || has_failed_field {
        state.backend().failed();
    }
    response
}

/// Lets the pages of listed origins call the API. Never with cookies: credentials are a header that a page sets itself.
pub(super) fn cors(state: &HttpState) -> CorsLayer {
    let origins = &state.settings().cors_origins;
    if origins.is_empty() {
        return CorsLayer::new();
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let request_id = HeaderName::from_static(REQUEST_ID_HEADER);
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            CONTENT_ENCODING,
            request_id.clone(),
            HeaderName::from_static(TENANT_HEADER),
            HeaderName::from_static("apollo-require-preflight"),
            HeaderName::from_static("x-apollo-operation-name"),
        ])
        .expose_headers([request_id, RETRY_AFTER])
        .max_age(Duration::from_secs(600))
}
