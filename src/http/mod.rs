//! HTTP.

pub mod graphql;
mod graphql_media;
mod graphql_request;
