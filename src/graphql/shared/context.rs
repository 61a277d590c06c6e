//! How resolvers reach the use cases.

use async_graphql::{Context, QueryPathSegment};

use crate::error::Error;
use crate::facade::LogsFacade;
use crate::graphql::shared::error::ApiResult;

/// What every resolver needs of its context.
pub trait ContextExt<'a> {
    /// The use cases, for the caller of this request. At a root field (`_entities` too) it first asks
    /// [`TABLE`](crate::facade::authorize::TABLE) whether the caller may use that field.
    ///
    /// # Errors
    /// `FORBIDDEN` without the permission that the root field needs; `INTERNAL` when the request was not prepared.
    fn facade(&self) -> ApiResult<&'a LogsFacade>;
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn facade(&self) -> ApiResult<&'a LogsFacade> {
        let facade: &LogsFacade =
            self.data_opt().ok_or_else(|| Error::internal("the request's data holds no LogsFacade"))?;
        if is_root(self) {
            facade.enter(&self.item.node.name.node)?;
        }
        Ok(facade)
    }
}

/// Whether this is a root field, or a representation of `_entities`, which stands at a place of that field.
fn is_root(ctx: &Context<'_>) -> bool {
    let Some(node) = ctx.path_node else { return false };
    match node.segment {
        QueryPathSegment::Index(_) => node.parent.is_some_and(|field| field.parent.is_none()),
        QueryPathSegment::Name(_) => node.parent.is_none(),
    }
}
