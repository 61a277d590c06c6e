//! The API that is mounted: routes of GraphQL and GraphiQL, and the schema they serve.

use axum::Router;

use crate::config::Config;
use crate::facade::Logs;
use crate::{graphql, http};

/// Routes for admitted callers.
pub(super) fn routes(_config: &Config, _logs: &Logs) -> Router {
    Router::new()
}

/// Routes for everyone: GraphiQL, which asks for a key itself.
pub(super) fn pages() -> Router {
    http::assets::routes()
}

/// The schema as SDL.
#[must_use]
pub fn sdl() -> String {
    graphql::schema::sdl()
}
