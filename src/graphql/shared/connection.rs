//! Relay connections, written once: arguments, limits, cursors, the edge loop, totals.

use std::borrow::Cow;
use std::future::Future;

use async_graphql::{Context, InputType, Name, Object, SimpleObject, TypeName, Value};

use crate::domain::page::{self, COUNT_CAP_MAX, ListKey, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, PageRequest};
use crate::domain::scope::Permission;
use crate::error::{Error, Result};
use crate::facade::LogsFacade;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::row::{Columns, Row, columns};
use crate::graphql::shared::scalars::{Json, SafeInt};

/// A list that can be paged through: what it selects, how to read a page of it, how to count it.
pub trait List: Send + Sync + Sized + 'static {
    /// What its rows are.
    type Item: Columns + Sync + 'static;
    /// The GraphQL name of its pages.
    const CONNECTION: &'static str;
    /// The GraphQL name of a row with its cursor.
    const EDGE: &'static str;
    /// What reading it needs.
    const NEEDS: Permission = Permission::RunsRead;

    /// Everything that selects and orders its rows, as text: a cursor is good for the same text only. It is canonical JSON of
    /// what was given, or made of names: what the code calls things is not in it, nor a filter that was not given.
    ///
    /// # Errors
    /// `INTERNAL` for what JSON cannot hold.
    fn selection(&self) -> Result<String> {
        canonical(&chosen([("filter", self.filter().clone())]))
    }
    /// The filter as it was given.
    fn filter(&self) -> &Value;
    /// Reads a page.
    fn page(
        &self,
        facade: &LogsFacade,
        request: &PageRequest,
    ) -> impl Future<Output = Result<page::Page<Self::Item>>> + Send;
    /// Counts its rows up to `cap`.
    fn count(&self, facade: &LogsFacade, cap: u32) -> impl Future<Output = Result<page::Count>> + Send;
}

/// The four paging arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageArgs {
    /// Rows from the start.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// Rows from the end.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl PageArgs {
    /// The rows that are asked for.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a negative number or `first` together with `last`; `LIMIT_EXCEEDED` for more than 200 rows;
    /// `BAD_CURSOR` for a cursor of another list.
    pub fn request(&self, key: ListKey) -> Result<PageRequest> {
        let (size, is_backward) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::input("last", "first and last exclude each other: page one way at a time"));
            }
            (None, Some(last)) => (page_size("last", last)?, true),
            (Some(first), None) => (page_size("first", first)?, false),
            (None, None) => (PAGE_SIZE_DEFAULT, false),
        };
        let position = |cursor: &Option<String>| cursor.as_deref().map(|cursor| key.parse_cursor(cursor)).transpose();
        Ok(PageRequest { size, is_backward, after: position(&self.after)?, before: position(&self.before)? })
    }
}

/// Checks a number of rows.
///
/// # Errors
/// `BAD_USER_INPUT` for a negative number; `LIMIT_EXCEEDED` for more than 200.
pub fn page_size(field: &str, size: i32) -> Result<u32> {
    let size = u32::try_from(size).map_err(|_| Error::input(field, format!("{field} is a number of rows, from 0")))?;
    if size > PAGE_SIZE_MAX {
        let message = format!("{field} is at most {PAGE_SIZE_MAX}: page through the list with cursors");
        return Err(Error::limit(message, PAGE_SIZE_MAX.into(), Some(size.into())));
    }
    Ok(size)
}

/// Reads a page of a list.
///
/// # Errors
/// As [`PageArgs::request`], `FORBIDDEN` without what the list needs, and what the list says.
pub async fn connect<L: List>(ctx: &Context<'_>, list: L, args: &PageArgs) -> ApiResult<Row<Connection<L>>> {
    ctx.facade()?.require(L::NEEDS)?;
    connect_open(ctx, list, args).await
}

/// The same for a list whose facade says who may read it.
///
/// # Errors
/// As [`PageArgs::request`], and what the list says.
pub async fn connect_open<L: List>(ctx: &Context<'_>, list: L, args: &PageArgs) -> ApiResult<Row<Connection<L>>> {
    let facade = ctx.facade()?;
    let key = ListKey::of(L::CONNECTION, &list.selection()?);
    let page = list.page(facade, &args.request(key)?).await?;
    let edges = page
        .rows
        .into_iter()
        .map(|row| Row(Edge { cursor: key.cursor(row.position), node: Row(row.item), list: std::marker::PhantomData }))
        .collect();
    Ok(Row(Connection { list, edges, has_next_page: page.has_next_page, has_previous_page: page.has_previous_page }))
}

/// Counts a list up to a cap.
///
/// # Errors
/// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` for a wrong cap, and what the list says.
pub async fn total<L: List>(ctx: &Context<'_>, list: &L, cap: i32) -> ApiResult<Count> {
    let cap = u32::try_from(cap).ok().filter(|cap| *cap > 0);
    let cap = cap.ok_or_else(|| Error::input("cap", "cap is a number of rows, from 1"))?;
    if cap > COUNT_CAP_MAX {
        let message = format!("cap is at most {COUNT_CAP_MAX}");
        return Err(Error::limit(message, COUNT_CAP_MAX.into(), Some(cap.into())).into());
    }
    let count = list.count(ctx.facade()?, cap).await?;
    Ok(Count { value: SafeInt(count.value), is_exact: count.is_exact })
}

/// The filter of a list as JSON, without what was left out.
#[must_use]
pub fn given<T: InputType>(filter: Option<&T>) -> Value {
    let mut value = filter.map_or_else(|| Value::Object(Default::default()), InputType::to_value);
    drop_nulls(&mut value);
    value
}

/// The order of a list as JSON; its defaults where none was given.
#[must_use]
pub fn ordered<T: InputType>(order: Option<&T>) -> Value {
    let default = || T::parse(Some(Value::Object(Default::default()))).map_or(Value::Null, |order| order.to_value());
    order.map_or_else(default, InputType::to_value)
}

/// Canonical JSON.
///
/// # Errors
/// `INTERNAL` for what JSON cannot hold.
pub fn canonical(value: &Value) -> Result<String> {
    serde_json_canonicalizer::to_string(value).map_err(Error::internal)
}

/// What selects and orders the rows of a list, by name.
#[must_use]
pub fn chosen<const N: usize>(parts: [(&'static str, Value); N]) -> Value {
    Value::Object(parts.into_iter().map(|(name, part)| (Name::new(name), part)).collect())
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| *value != Value::Null);
        fields.values_mut().for_each(drop_nulls);
    }
}

/// One page of a list.
pub struct Connection<L: List> {
    list: L,
    edges: Vec<Row<Edge<L>>>,
    has_next_page: bool,
    has_previous_page: bool,
}

impl<L: List> Connection<L> {
    /// The rows of the page.
    pub fn items(&self) -> impl Iterator<Item = &L::Item> {
        self.edges.iter().map(|edge| &edge.node.0)
    }

    /// How many rows the list has, counted to `cap`.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` for a wrong cap, and what the list says.
    pub async fn counted(&self, ctx: &Context<'_>, cap: i32) -> ApiResult<Count> {
        total(ctx, &self.list, cap).await
    }
}

impl<L: List> TypeName for Connection<L> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(L::CONNECTION)
    }
}

/// One page of a list, following the Relay specification for connections.
#[Object(name_type)]
impl<L: List> Connection<L> {
    /// The rows of this page, each with its cursor.
    fn edges(&self) -> &[Row<Edge<L>>] {
        &self.edges
    }

    /// The rows of this page without their cursors.
    fn nodes(&self) -> Vec<&Row<L::Item>> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where this page lies in its list.
    pub(in crate::graphql) fn page_info(&self) -> Row<PageInfo> {
        Row(PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.has_previous_page,
            start_cursor: self.edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: self.edges.last().map(|edge| edge.cursor.clone()),
        })
    }

    /// How many rows the filter selects on all pages together. Counted only when this field is selected.
    async fn total_count(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default = 10_000,
            desc = "Where counting stops, 1 to 1,000,000. A list with more rows than this has the cap as its value, and \
                    isExact is false."
        )]
        cap: i32,
    ) -> ApiResult<Count> {
        self.counted(ctx, cap).await
    }

    /// The filter that was given, as JSON. An empty object when there was none.
    pub(in crate::graphql) fn filters_applied(&self) -> Json {
        Json(self.list.filter().clone())
    }
}

columns!(Connection<L> where L: List {
    "edges" => edges,
    "nodes" => nodes,
    "pageInfo" => page_info,
    "filtersApplied" => filters_applied,
});

/// A row with its cursor.
pub struct Edge<L: List> {
    cursor: String,
    node: Row<L::Item>,
    list: std::marker::PhantomData<L>,
}

impl<L: List> TypeName for Edge<L> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(L::EDGE)
    }
}

/// A row of a list with its place in that list.
#[Object(name_type)]
impl<L: List> Edge<L> {
    /// The place of the row in this list, with this filter and this order. Opaque; give it to after or before.
    fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The row.
    fn node(&self) -> &Row<L::Item> {
        &self.node
    }
}

columns!(Edge<L> where L: List { "cursor" => cursor, "node" => node });

/// Where a page lies in its list.
pub struct PageInfo {
    pub(in crate::graphql) has_next_page: bool,
    pub(in crate::graphql) has_previous_page: bool,
    pub(in crate::graphql) start_cursor: Option<String>,
    pub(in crate::graphql) end_cursor: Option<String>,
}

/// Where a page lies in its list.
#[Object(shareable)]
impl PageInfo {
    /// Whether rows follow this page.
    fn has_next_page(&self) -> bool {
        self.has_next_page
    }

    /// Whether rows come before this page.
    fn has_previous_page(&self) -> bool {
        self.has_previous_page
    }

    /// The cursor of the first row of this page. Null when the page is empty.
    fn start_cursor(&self) -> Option<&str> {
        self.start_cursor.as_deref()
    }

    /// The cursor of the last row of this page. Null when the page is empty.
    fn end_cursor(&self) -> Option<&str> {
        self.end_cursor.as_deref()
    }
}

columns!(PageInfo {
    "hasNextPage" => has_next_page,
    "hasPreviousPage" => has_previous_page,
    "startCursor" => start_cursor,
    "endCursor" => end_cursor,
});

/// A number of rows that is counted only up to a cap.
#[derive(SimpleObject)]
pub struct Count {
    /// How many rows there are, or the cap where there are more.
    value: SafeInt,
    /// Whether the value is the true number. False when counting stopped at the cap.
    is_exact: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::page::Position;
    use crate::error::{Code, Detail};

    fn key() -> ListKey {
        ListKey::of("LlmRunConnection", "{}")
    }

    #[test]
    fn without_arguments_a_page_has_fifty_rows() {
        assert_eq!(PageArgs::default().request(key()).expect("plain"), PageRequest::first(50));
    }

    #[test]
    fn more_than_two_hundred_rows_are_refused_with_limit_and_value() {
        let args = PageArgs { first: Some(201), ..Default::default() };
        let error = args.request(key()).expect_err("too many");
        assert_eq!(error.code(), Code::LimitExceeded);
        assert_eq!(error.detail(), &Detail::Limit { limit: 200, value: Some(201) });
        assert_eq!(PageArgs { last: Some(200), ..Default::default() }.request(key()).expect("just").size, 200);
    }

    #[test]
    fn a_wrong_number_is_refused_by_name() {
        let field = |args: PageArgs| args.request(key()).expect_err("wrong").detail().clone();
        assert_eq!(field(PageArgs { first: Some(-1), ..Default::default() }), Detail::Field("first".to_owned()));
        assert_eq!(field(PageArgs { last: Some(-1), ..Default::default() }), Detail::Field("last".to_owned()));
        let both = PageArgs { first: Some(1), last: Some(1), ..Default::default() };
        assert_eq!(field(both), Detail::Field("last".to_owned()));
    }

    #[test]
    fn cursors_go_both_ways_and_belong_to_their_list() {
        let position = Position { key: 1, seq: 2 };
        let args = PageArgs { last: Some(3), before: Some(key().cursor(position)), ..Default::default() };
        let request = args.request(key()).expect("own cursor");
        assert!(request.is_backward && request.before == Some(position) && request.after.is_none());
        let error = args.request(ListKey::of("LlmRunConnection", "{\"x\":1}")).expect_err("other filter");
        assert_eq!(error.code(), Code::BadCursor);
    }
}
