//! The API that is mounted: routes of GraphQL and GraphiQL, and the schema they serve.

use axum::Router;

use crate::config::Config;
use crate::facade::Logs;
use crate::http::HttpState;

/// The routes that lie beside OTLP and health.
pub(super) fn routes(_config: &Config, _logs: &Logs) -> Router<HttpState> {
    Router::new()
}

/// The schema as SDL.
#[must_use]
pub fn sdl() -> String {
    String::new()
}
