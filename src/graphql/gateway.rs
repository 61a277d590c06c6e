//! Each representation of `_entities` for itself: what is wrong with one harms none of its neighbours.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{Any, ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, PathSegment};
use async_graphql::{Positioned, ServerError, ServerResult, Value};

use super::entities::Entities;
use super::error::{ApiError, ERRORS_MAX};
use crate::error::Error;

/// [`Entities`], with null and an error at its place for a representation that fails. The library would answer none of them.
#[derive(Default)]
pub struct Gateway(Entities);

impl OutputType for Gateway {
    fn type_name() -> Cow<'static, str> {
        Entities::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Entities::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        self.0.resolve(ctx, field).await
    }
}

impl ContainerType for Gateway {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.resolve_field(ctx).await
    }

    async fn find_entity(&self, ctx: &Context<'_>, representation: &Value) -> ServerResult<Option<Value>> {
        match self.0.find_entity(ctx, representation).await {
            Ok(Some(entity)) => return Ok(Some(entity)),
            Ok(None) => report(ctx, representation, unknown(ctx)),
            Err(error) => report(ctx, representation, error),
        }
        Ok(Some(Value::Null))
    }
}

impl ObjectType for Gateway {}

/// The error for what names no entity.
fn unknown(ctx: &Context<'_>) -> ServerError {
    let message = "a representation is an object with the __typename of an entity of this subgraph and all fields of one of its \
                   keys; see @key in _service.sdl";
    async_graphql::Error::from(ApiError(Error::input("representations", message))).into_server_error(ctx.item.pos)
}

/// Adds an error at the representation's place. An answer shows [`ERRORS_MAX`] of them: to look for further places is in vain.
fn report(ctx: &Context<'_>, representation: &Value, error: ServerError) {
    let mut taken = Vec::new();
    {
        let errors = ctx.query_env.errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if errors.len() >= ERRORS_MAX {
            return;
        }
        taken.extend(errors.iter().map(|error| error.path.clone()));
    }
    let here = ctx.set_error_path(ServerError::new("", None)).path;
    let at = |place: usize| here.iter().cloned().chain([PathSegment::Index(place)]).collect::<Vec<_>>();
    let sent = ctx.param_value::<Vec<Any>>("representations", None).map(|(_, sent)| sent).unwrap_or_default();
    let equal = sent.iter().enumerate().filter(|(_, sent)| sent.0 == *representation).map(|(place, _)| place);
    let below = error.path.strip_prefix(here.as_slice()).unwrap_or_default().to_vec();
    // Equal ones fail alike, each at a place of its own.
    let place = equal.map(at).find(|place| !taken.iter().any(|taken| taken.starts_with(place))).unwrap_or(here);
    ctx.add_error(ServerError { path: place.into_iter().chain(below).collect(), ..error });
}
