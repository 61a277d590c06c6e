//! The server's face: routes, and what every request passes on its way in and out.

mod access_log;
mod apart;
pub mod assets;
pub mod auth;
pub mod backend;
pub mod body;
mod current;
pub mod error;
pub mod graphql;
mod graphql_answer;
mod graphql_lanes;
mod graphql_media;
mod graphql_request;
mod graphql_variables;
pub mod health;
mod held;
mod layers;
pub mod metrics;
pub mod observed;
pub mod otlp;
mod rate;
pub mod state;
pub mod tiles;

use axum::extract::Request;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};

use crate::error::{Code, Error};
use crate::facade::bulk;
pub use crate::facade::fair;
pub use current::request_id;
pub use layers::REQUEST_ID_HEADER;
pub use state::{HttpSettings, HttpState};

/// Answers below this size are not worth compressing.
const COMPRESS_ABOVE_BYTES: u64 = 4096;

/// What is served, for those who ask for something else.
const PATHS: [&str; 9] = [
    "/graphql",
    "/graphiql",
    otlp::PATH,
    otlp::METRICS_PATH,
    otlp::LOGS_PATH,
    "/ledger/{log}/...",
    "/livez",
    "/readyz",
    "/metrics",
];

/// The router of the main listener; every layer here lies around all routes. Those of `api` are for admitted callers and
/// find their [`Scope`](crate::domain::scope::Scope) in the request's extensions; those of `pages` are for everyone.
pub fn router(state: HttpState, api: Router, pages: Router) -> Router {
    let is_worth_it = DefaultPredicate::new().and(SizeAbove::new(COMPRESS_ABOVE_BYTES));
    let served = Router::new()
        .route(otlp::PATH, post(otlp::export::<otlp::ExportTraceServiceRequest>))
        .route(otlp::METRICS_PATH, post(otlp::export::<otlp::ExportMetricsServiceRequest>))
        .route(otlp::LOGS_PATH, post(otlp::export::<otlp::ExportLogsServiceRequest>))
        .merge(api.layer(middleware::from_fn_with_state(state.clone(), layers::admit)).with_state(()))
        .merge(pages.with_state(()));
    let router = served
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::scrape))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(CompressionLayer::new().gzip(true).compress_when(is_worth_it))
        .layer(layers::cors(&state));
    wrap(router, &state).with_state(state)
}

/// The router of the OTLP/gRPC listener.
pub fn grpc_router(state: HttpState) -> Router {
    wrap(otlp::grpc::routes(), &state).with_state(state)
}

/// What both listeners have in common, from the inside out.
fn wrap<S: Clone + Send + Sync + 'static>(router: Router<S>, state: &HttpState) -> Router<S> {
    router
        .layer(middleware::from_fn_with_state(state.clone(), layers::check_host))
        .layer(CatchPanicLayer::custom(layers::on_panic))
        .layer(middleware::from_fn_with_state(state.clone(), layers::count_failures))
        .layer(middleware::from_fn_with_state(state.clone(), layers::security_headers))
        .layer(middleware::from_fn_with_state(state.clone(), layers::observe))
}

async fn no_such_path(request: Request) -> Response {
    let message = format!("nothing is served at {}; there is {}", request.uri().path(), PATHS.join(", "));
    error::response(axum::http::StatusCode::NOT_FOUND, &Error::new(Code::NotFound, message))
}

async fn no_such_method(request: Request) -> Response {
    let message = format!("{} is not served at {}", request.method(), request.uri().path());
    error::response(axum::http::StatusCode::METHOD_NOT_ALLOWED, &Error::new(Code::BadUserInput, message))
}

#[cfg(test)]
mod tests;
