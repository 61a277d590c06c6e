//! Looking ahead on the hot list: a page of runs whose traces and steps are selected starts to read both, in one statement
//! each, before the fields below ask one by one. A guess that does not fit costs nothing but the guess: loaders do the rest.

use std::collections::HashSet;

use async_graphql::{Context, InputType, Lookahead, Name, SelectionField, Value};

use crate::domain::ids::TraceId;
use crate::domain::page::{ListKey, PageRequest};
use crate::domain::trace::StepFilter;
use crate::graphql::shared::connection::PageArgs;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::trace::steps::step_filter;

/// Starts to read the traces of a page of runs, where the query goes on to them, and their steps, where it asks for one
/// page of them only.
///
/// # Errors
/// As the facade says.
pub fn traces(ctx: &Context<'_>, trace_ids: HashSet<TraceId>) -> ApiResult<()> {
    let list = ctx.look_ahead();
    let below = [list.field("edges").field("node").field("trace"), list.field("nodes").field("trace")];
    if trace_ids.is_empty() || !below.iter().any(Lookahead::exists) {
        return Ok(());
    }
    let fields: Vec<_> = below.iter().flat_map(|trace| trace.field("steps").selection_fields()).collect();
    Ok(ctx.facade()?.prefetch_traces(trace_ids, one_page(&fields))?)
}

/// The page that all selections of `steps` ask for; `None` when there is none, or they differ.
fn one_page(fields: &[SelectionField<'_>]) -> Option<(StepFilter, PageRequest)> {
    let mut pages = fields.iter().map(|field| field.arguments().ok().and_then(|arguments| page(&arguments)));
    let first = pages.next()??;
    pages.all(|page| page.as_ref() == Some(&first)).then_some(first)
}

/// The page that arguments of `steps` ask for. A cursor belongs to one trace, so that there is nothing to read ahead;
/// what is wrong with arguments is for the field itself to say.
fn page(arguments: &[(Name, Value)]) -> Option<(StepFilter, PageRequest)> {
    let value = |name: &str| arguments.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let args = PageArgs {
        first: read(value("first"))?,
        after: read(value("after"))?,
        last: read(value("last"))?,
        before: read(value("before"))?,
    };
    if args.after.is_some() || args.before.is_some() {
        return None;
    }
    let kind: Option<Vec<_>> = read(value("kind"))?;
    let status: Option<Vec<_>> = read(value("status"))?;
    let filter = step_filter(kind.unwrap_or_default(), status.unwrap_or_default()).ok()?;
    Some((filter, args.request(ListKey::of("", "")).ok()?))
}

/// An optional argument; `None` when it does not parse.
fn read<T: InputType>(value: Option<Value>) -> Option<Option<T>> {
    <Option<T> as InputType>::parse(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::vocabulary::StepKind;
    use async_graphql::value;

    fn arguments(value: Value) -> Vec<(Name, Value)> {
        match value {
            Value::Object(fields) => fields.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn arguments_give_the_page_that_the_field_will_ask_for() {
        let (filter, request) = page(&arguments(value!({"first": 10, "kind": "LLM"}))).expect("a page");
        assert_eq!(filter.kinds, [StepKind::Llm]);
        assert_eq!(request, PageRequest::first(10));
        assert_eq!(page(&[]), Some((StepFilter::default(), PageRequest::first(50))));
    }

    #[test]
    fn cursors_and_mistakes_are_left_to_the_field() {
        for wrong in [value!({"first": 10, "after": "x"}), value!({"first": 201}), value!({"kind": "NONE"})] {
            assert_eq!(page(&arguments(wrong)), None);
        }
    }
}
