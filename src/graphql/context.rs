//! How resolvers reach the use cases.

use async_graphql::Context;

use super::error::ApiResult;
use crate::error::Error;
use crate::facade::LogsFacade;

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
        if self.path_node.is_some_and(|node| node.parent.is_none()) {
            facade.enter(&self.item.node.name.node)?;
        }
        Ok(facade)
    }
}
