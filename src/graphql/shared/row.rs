//! Objects whose fields are mostly plain columns, resolved in one synchronous pass.
//!
//! async-graphql makes a boxed future of every selected field: 150 to 200 ns each, which is most of the time of a long
//! page. A [`Row`] asks its object for the fields that need no waiting first ([`Columns::column`]) and makes futures of
//! the others only. Schema and meaning stay those of the `#[Object]` it wraps; the tests below hold it to that. (Engine
//! extensions that watch each field would not see columns; the schema registers none.)

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{ContainerType, Fields};
use async_graphql::{
    Context, ContextSelectionSet, ID, Name, ObjectType, OutputType, Positioned, ScalarType, ServerError, ServerResult,
    Value,
};

use crate::facade::allowance::{breathe, charge, forget_since, used};

/// Bytes of the punctuation around a field of the answer.
const FIELD_BYTES: usize = 4;
/// Bytes of a value that is no text.
const VALUE_BYTES: usize = 8;

/// Counts a value of the answer; objects and lists count by what is in them.
pub(in crate::graphql) fn charge_value(value: &Value) -> bool {
    match value {
        Value::String(text) => charge(text.len() + 2),
        Value::Object(_) | Value::List(_) => charge(0),
        _ => charge(VALUE_BYTES),
    }
}

/// What a resolver says that stops because its answer is too large. Whoever runs the request gives it up, and says more.
fn too_large<T>(at: &Positioned<T>) -> ServerError {
    ServerError::new("the answer is too large", Some(at.pos))
}

/// A value that needs no waiting: a scalar, an enum, an object of columns, a list or option of such.
pub trait Column {
    /// The value, as far as it can be had at once; `None` when something below it must be waited for.
    fn now(&self, ctx: &Context<'_>) -> Option<Value>;
}

/// An object that knows which of its fields are columns.
pub trait Columns: ObjectType {
    /// The value of the field that `ctx` stands at; `None` when it must be resolved the usual way.
    fn column(&self, ctx: &Context<'_>, field: &str) -> Option<Value>;
}

/// Names the fields of an `#[Object]` that are columns, with the methods behind them, and the methods that flatten other
/// objects of columns into it. Leaving one out costs time only.
macro_rules! columns {
    ($object:ty $(where $bound:ident: $trait:path)? { $($field:literal => $method:ident),+ $(, ..$flat:ident)* $(,)? }) => {
        impl $(<$bound: $trait>)? $crate::graphql::shared::row::Columns for $object {
            fn column(&self, ctx: &async_graphql::Context<'_>, field: &str) -> Option<async_graphql::Value> {
                match field {
                    $($field => $crate::graphql::shared::row::Column::now(&self.$method(ctx), ctx),)+
                    _ => None$(.or_else(|| $crate::graphql::shared::row::Columns::column(&self.$flat(ctx), ctx, field)))*,
                }
            }
        }
    };
}
pub(crate) use columns;

/// An object of columns; see the module.
#[derive(Clone, Debug)]
pub struct Row<T>(pub T);

impl<T> Deref for Row<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A field that must be waited for.
struct Later<'a> {
    /// Its place in the answer.
    place: usize,
    /// Whether its key stood nowhere before it; else it is merged with what stands there.
    is_first: bool,
    value: Pin<Box<dyn Future<Output = ServerResult<Value>> + Send + 'a>>,
}

/// The object of the answer, with null where a future fills in.
struct Pass<'a> {
    object: IndexMap<Name, Value>,
    later: Vec<Later<'a>>,
}

impl Pass<'_> {
    /// Room for what a selection names; fragments may add to it.
    fn of(set: &Positioned<SelectionSet>) -> Self {
        Self { object: IndexMap::with_capacity(set.node.items.len()), later: Vec::new() }
    }

    /// A value at hand. Behind one that is waited for under the same key it waits too, so that they are merged in order.
    fn put(&mut self, key: Name, value: Value) {
        match self.object.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(value)),
            Entry::Occupied(entry) if self.later.iter().any(|later| later.place == entry.index()) => {
                let value = Box::pin(std::future::ready(Ok(value)));
                self.later.push(Later { place: entry.index(), is_first: false, value });
            }
            Entry::Occupied(mut entry) => merge(entry.get_mut(), value),
        }
    }
}

impl<T: Columns> Row<T> {
    /// Walks a selection. With `may_wait` false it stops with `Ok(false)` at the first field that is no column.
    fn walk<'a>(
        &'a self,
        ctx: &ContextSelectionSet<'a>,
        set: &'a Positioned<SelectionSet>,
        may_wait: bool,
        pass: &mut Pass<'a>,
    ) -> ServerResult<bool> {
        for selection in &set.node.items {
            let below = match &selection.node {
                Selection::Field(field) => {
                    if !charge(field.node.response_key().node.len() + FIELD_BYTES) {
                        return Err(too_large(field));
                    }
                    if !self.field(ctx, field, may_wait, pass) {
                        return Ok(false);
                    }
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    condition.is_none_or(|name| applies::<T>(ctx, name)).then_some(&fragment.node.selection_set)
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let fragment =
                        ctx.query_env.fragments.get(name).ok_or_else(|| {
                            ServerError::new(format!("Unknown fragment \"{name}\"."), Some(spread.pos))
                        })?;
                    applies::<T>(ctx, &fragment.node.type_condition.node.on.node)
                        .then_some(&fragment.node.selection_set)
                }
            };
            if let Some(below) = below
                && !self.walk(ctx, below, may_wait, pass)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes one field; false when it is no column and waiting is not wanted.
    fn field<'a>(
        &'a self,
        ctx: &ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
        may_wait: bool,
        pass: &mut Pass<'a>,
    ) -> bool {
        let key = field.node.response_key().node.clone();
        let name = field.node.name.node.as_str();
        let value = if name == "__typename" {
            let name = Value::String(T::type_name().into_owned());
            charge_value(&name);
            Some(name)
        } else {
            self.0.column(&ctx.with_field(field), name)
        };
        if let Some(value) = value {
            pass.put(key, value);
            return true;
        }
        if may_wait {
            let ctx = ctx.clone();
            let resolve = async move {
                let ctx_field = ctx.with_field(field);
                Ok(self.0.resolve_field(&ctx_field).await?.unwrap_or_default())
            };
            let entry = pass.object.entry(key);
            let (place, is_first) = (entry.index(), matches!(entry, Entry::Vacant(_)));
            entry.or_default();
            pass.later.push(Later { place, is_first, value: Box::pin(resolve) });
        }
        may_wait
    }
}

/// Whether a fragment on `condition` applies to the object.
fn applies<T: OutputType>(ctx: &ContextSelectionSet<'_>, condition: &Name) -> bool {
    let name = T::type_name();
    name == condition.as_str()
        || ctx
            .schema_env
            .registry
            .implements
            .get(&*name)
            .is_some_and(|interfaces| interfaces.contains(condition.as_str()))
}

/// A key that was selected twice stands at its first place; objects and lists are merged.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.entry(name) {
                    Entry::Vacant(entry) => drop(entry.insert(value)),
                    Entry::Occupied(mut entry) => merge(entry.get_mut(), value),
                }
            }
        }
        (Value::List(into), Value::List(from)) => into.iter_mut().zip(from).for_each(|(into, from)| merge(into, from)),
        _ => {}
    }
}

impl<T: Columns> Column for Row<T> {
    fn now(&self, ctx: &Context<'_>) -> Option<Value> {
        let below = ctx.with_selection_set(&ctx.item.node.selection_set);
        let mut pass = Pass::of(below.item);
        let before = used();
        let is_whole = self.walk(&below, below.item, false, &mut pass).unwrap_or(false);
        if !is_whole {
            forget_since(before);
        }
        is_whole.then_some(Value::Object(pass.object))
    }
}

impl<T: Columns> OutputType for Row<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        breathe().await;
        let mut pass = Pass::of(ctx.item);
        self.walk(ctx, ctx.item, true, &mut pass)?;
        let Pass { mut object, later } = pass;
        let (places, futures): (Vec<_>, Vec<_>) =
            later.into_iter().map(|later| ((later.place, later.is_first), later.value)).unzip();
        let values = futures_util::future::try_join_all(futures).await?;
        for ((place, is_first), value) in places.into_iter().zip(values) {
            if !charge_value(&value) {
                return Err(too_large(ctx.item));
            }
            let field = &mut object[place];
            if is_first { *field = value } else { merge(field, value) }
        }
        Ok(Value::Object(object))
    }
}

impl<T: Columns> ContainerType for Row<T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.resolve_field(ctx).await
    }

    fn collect_all_fields<'a>(&'a self, ctx: &ContextSelectionSet<'a>, fields: &mut Fields<'a>) -> ServerResult<()> {
        self.0.collect_all_fields(ctx, fields)
    }

    async fn find_entity(&self, ctx: &Context<'_>, params: &Value) -> ServerResult<Option<Value>> {
        self.0.find_entity(ctx, params).await
    }
}

impl<T: Columns> ObjectType for Row<T> {}

/// A leaf of the answer.
pub(in crate::graphql) fn leaf(value: Value) -> Option<Value> {
    charge_value(&value);
    Some(value)
}

impl Column for String {
    fn now(&self, _: &Context<'_>) -> Option<Value> {
        leaf(Value::String(self.clone()))
    }
}

impl Column for &str {
    fn now(&self, _: &Context<'_>) -> Option<Value> {
        leaf(Value::String((*self).to_owned()))
    }
}

impl Column for bool {
    fn now(&self, _: &Context<'_>) -> Option<Value> {
        leaf(Value::Boolean(*self))
    }
}

impl Column for ID {
    fn now(&self, _: &Context<'_>) -> Option<Value> {
        leaf(ScalarType::to_value(self))
    }
}

impl<T: Column> Column for Option<T> {
    fn now(&self, ctx: &Context<'_>) -> Option<Value> {
        self.as_ref().map_or_else(|| leaf(Value::Null), |value| value.now(ctx))
    }
}

impl<T: Column> Column for Vec<T> {
    fn now(&self, ctx: &Context<'_>) -> Option<Value> {
        self.as_slice().now(ctx)
    }
}

impl<T: Column> Column for &[T] {
    fn now(&self, ctx: &Context<'_>) -> Option<Value> {
        // Collecting options would not make room ahead.
        let mut values = Vec::with_capacity(self.len());
        let before = used();
        for value in *self {
            match value.now(ctx).filter(|_| charge(1)) {
                Some(value) => values.push(value),
                None => {
                    forget_since(before);
                    return None;
                }
            }
        }
        Some(Value::List(values))
    }
}

impl<T: Column> Column for &T {
    fn now(&self, ctx: &Context<'_>) -> Option<Value> {
        (*self).now(ctx)
    }
}

/// Scalars of ours as columns.
macro_rules! leaves {
    ($($scalar:ident),+) => {
        $(impl Column for crate::graphql::shared::scalars::$scalar {
            fn now(&self, _: &Context<'_>) -> Option<Value> {
                leaf(ScalarType::to_value(self))
            }
        })+
    };
}
leaves!(SafeInt, BigInt, Decimal, DateTime, Sha256, Json);

#[cfg(test)]
mod tests;
