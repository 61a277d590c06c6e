//! Each representation of `_entities` for itself: what is wrong with one harms none of its neighbours.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{Any, ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Pos};
use async_graphql::{Positioned, ServerError, ServerResult, Value};

use crate::error::Error;
use crate::graphql::shared::entities::Entities;
use crate::graphql::shared::error::ApiError;

/// How many representations of each `_entities` in a document were begun, and how many it has: the library says of none
/// which one it is, but begins them in order. Data of the request.
#[derive(Default)]
pub struct Places(Mutex<HashMap<Pos, (usize, usize)>>);

impl Places {
    /// The place of the representation that is begun now. A field that stands in two merged selections is resolved once for
    /// each, so the count runs on, and its remainder is the place.
    fn next(&self, ctx: &Context<'_>) -> usize {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (begun, count) = fields.entry(ctx.item.pos).or_insert_with(|| (0, sent(ctx)));
        let place = *begun % (*count).max(1);
        *begun += 1;
        place
    }
}

/// How many representations the field got.
fn sent(ctx: &Context<'_>) -> usize {
    ctx.param_value::<Vec<Any>>("representations", None).map_or(0, |(_, sent)| sent.len())
}

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
        let ctx = &ctx.with_index(ctx.data_opt::<Places>().map_or(0, |places| places.next(ctx)));
        match self.0.find_entity(ctx, representation).await {
            Ok(Some(entity)) => return Ok(Some(entity)),
            Ok(None) => report(ctx, unknown(ctx)),
            Err(error) => report(ctx, error),
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

/// Adds an error, at the representation's place if it says none below it.
fn report(ctx: &Context<'_>, error: ServerError) {
    ctx.add_error(if error.path.is_empty() { ctx.set_error_path(error) } else { error });
}
