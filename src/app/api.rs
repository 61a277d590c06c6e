//! The API that is mounted: routes of GraphQL and GraphiQL, and the schema they serve.

use axum::Router;

use crate::config::{Config, GraphqlSettings};
use crate::facade::Logs;
use crate::graphql::root::guard::Limits;
use crate::graphql::root::schema::{self, SchemaOptions};
use crate::http;
use crate::http::graphql::{GraphqlLimits, GraphqlState};

/// Routes for admitted callers.
pub(super) fn routes(config: &Config, logs: &Logs) -> Router {
    let settings = &config.graphql;
    let options = SchemaOptions { introspection: settings.introspection, suggestions: settings.suggestions };
    let graphql = GraphqlState::new(schema::build(options), limits(settings), logs.clone());
    http::graphql::routes(graphql).merge(http::tiles::routes(logs.clone()))
}

fn limits(settings: &GraphqlSettings) -> GraphqlLimits {
    let document = Limits {
        tokens: settings.graphql_tokens.into(),
        depth: settings.graphql_depth.into(),
        complexity: settings.graphql_complexity.into(),
        selections: settings.graphql_selections.into(),
        aliases: settings.graphql_aliases.into(),
        directives: settings.graphql_directives.into(),
        root_fields: settings.graphql_root_fields.into(),
        introspection: settings.introspection,
        ..Limits::default()
    };
    let body_bytes = usize::try_from(settings.graphql_body_bytes).unwrap_or(usize::MAX);
    GraphqlLimits { document, body_bytes, time: settings.graphql_timeout, answer_bytes: settings.graphql_answer_bytes }
}

/// Routes for everyone: GraphiQL, which asks for a key itself.
pub(super) fn pages() -> Router {
    http::assets::routes()
}

/// The schema as SDL.
#[must_use]
pub fn sdl() -> String {
    schema::sdl()
}
