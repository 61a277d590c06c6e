//! Where most of what a document asks for stands, for whoever must make it smaller.

use async_graphql::parser::types::{Field, Selection, SelectionSet};

use super::{Measure, Reckoned, Size};
use crate::error::Result;

impl<'a> Measure<'a> {
    /// What to make smaller: the fields on the dearest way down, with the rows of those that are lists. The number of
    /// selections was bounded before.
    pub(super) fn dearest(&mut self, set: &'a SelectionSet, root: &str, by: fn(&Size) -> u64) -> Result<String> {
        let (mut way, mut at, mut of) = (Vec::new(), set, Some(root.to_owned()));
        loop {
            let mut fields = Vec::new();
            self.fields_of(at, of.as_deref(), &mut fields);
            let mut best: Option<(u64, &'a Field, Option<String>)> = None;
            for (field, of) in fields {
                let cost = by(&self.field(field, of.as_deref(), 0)?);
                if best.as_ref().is_none_or(|(most, ..)| cost > *most) {
                    best = Some((cost, field, of));
                }
            }
            let Some((_, field, parent)) = best else { break };
            let shape = parent.as_deref().and_then(|of| self.shape.field(of, &field.name.node));
            let rows = match shape.map(|shape| self.reckoned(field, shape)).transpose()? {
                Some(Reckoned::Page(rows) | Reckoned::List { most: rows, .. }) => format!(" ({rows} rows)"),
                _ => String::new(),
            };
            way.push(format!("{}{rows}", field.name.node));
            (at, of) = (&field.selection_set.node, shape.map(|shape| shape.gives.to_string()));
        }
        // What lies below the last list is one field among its many rows.
        let last = way.iter().rposition(|name| name.ends_with(')')).unwrap_or(way.len().saturating_sub(1));
        way.truncate(last + 1);
        let way = way.join(" > ");
        Ok(format!(
            "most of them are asked for by {way}: take fewer rows there with first or last, or select less below"
        ))
    }

    /// The fields of a selection set, fragments put in their place, each with the type that it is of.
    fn fields_of(&self, set: &'a SelectionSet, of: Option<&str>, fields: &mut Vec<(&'a Field, Option<String>)>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => fields.push((&field.node, of.map(str::to_owned))),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let condition = condition.map(|condition| condition.node.on.node.as_str());
                    self.fields_of(&fragment.node.selection_set.node, condition.or(of), fields);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        let of = fragment.node.type_condition.node.on.node.as_str();
                        self.fields_of(&fragment.node.selection_set.node, Some(of), fields);
                    }
                }
            }
        }
    }
}
