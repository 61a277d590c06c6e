//! Measures a parsed document: what is written, and what it grows to when fragments are put in their place.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Value, Variables};

use super::{Limits, within};
use crate::domain::page::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use crate::domain::telemetry_series::POINTS_DEFAULT;
use crate::error::{Code, Error, Result};

/// The fields that give a page: they multiply what is selected below them.
pub const CONNECTIONS: &[&str] = &[
    "activations",
    "anomalies",
    "auditEntries",
    "entries",
    "events",
    "exports",
    "governanceEvents",
    "llmRuns",
    "policyActivations",
    "steps",
    "systemRecords",
    "traces",
    "verifications",
];
/// The fields that give a list without pages, with the number of rows that is reckoned with.
const LISTS: &[(&str, u64)] = &[
    ("anomalies", PAGE_SIZE_DEFAULT as u64),
    ("revisions", 10),
    ("results", 10),
    ("seals", 5),
    ("groups", 10),
    ("events", 20),
    ("incidentEvidence", 5),
    ("exports", 5),
    ("complianceTags", 10),
    ("items", 50),
    ("series", 5),
    ("snapshots", 7),
];
/// The same for lists that say how many rows are wanted with `first`, with the number of rows without it.
const COUNTED_LISTS: &[(&str, u64)] = &[("points", POINTS_DEFAULT as u64)];
/// Fields of introspection that lead from types to types.
const CIRCLES: &[&str] = &["types", "fields", "interfaces", "possibleTypes", "inputFields"];

/// What a selection set comes to. Numbers saturate: a bomb is beyond any limit, not beyond arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    /// Fields at this level itself.
    fields: u64,
    /// Selections of all levels.
    selections: u64,
    /// Fields below fields.
    depth: u64,
    /// Selections below selections.
    levels: u64,
    /// Fields, each list counted with its rows.
    complexity: u64,
    /// Of the fields on one path, those that lead from types to types; counts below introspection only.
    circles: u64,
    /// The same of what stands below `__schema` and `__type`.
    introspection: Introspection,
}

/// What introspection comes to; bounded apart, for its standard query is deeper than any other query needs to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Introspection {
    selections: u64,
    depth: u64,
    circles: u64,
}

impl Size {
    /// Both side by side.
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
            complexity: self.complexity.saturating_add(other.complexity),
            circles: self.circles.max(other.circles),
            introspection: Introspection {
                selections: self.introspection.selections.saturating_add(other.introspection.selections),
                depth: self.introspection.depth.max(other.introspection.depth),
                circles: self.introspection.circles.max(other.introspection.circles),
            },
        }
    }

    /// A fragment that holds this.
    fn in_fragment(self) -> Self {
        Self { selections: self.selections.saturating_add(1), levels: self.levels.saturating_add(1), ..self }
    }

    /// A field that holds this.
    fn in_field(self, name: &str, rows: u64) -> Self {
        if matches!(name, "__schema" | "__type") {
            let introspection = Introspection { selections: self.selections, depth: self.depth, circles: self.circles };
            return Self {
                fields: 1,
                selections: 1,
                depth: 1,
                levels: self.levels.saturating_add(1),
                complexity: 1,
                circles: 0,
                introspection,
            };
        }
        Self {
            fields: 1,
            selections: self.selections.saturating_add(1),
            depth: self.depth.saturating_add(1),
            levels: self.levels.saturating_add(1),
            complexity: self.complexity.saturating_mul(rows).saturating_add(1),
            circles: self.circles.saturating_add(CIRCLES.contains(&name).into()),
            introspection: self.introspection,
        }
    }
}

/// Bounds aliases and directives as they are written, fragments once each.
pub fn check_written(document: &ExecutableDocument, limits: &Limits) -> Result<()> {
    let (mut aliases, mut directives) = (0_u64, 0_u64);
    let operations = document.operations.iter().map(|(_, operation)| &operation.node);
    let mut sets: Vec<&SelectionSet> = Vec::new();
    for operation in operations {
        directives += operation.directives.len() as u64;
        directives += operation.variable_definitions.iter().map(|it| it.node.directives.len() as u64).sum::<u64>();
        sets.push(&operation.selection_set.node);
    }
    for fragment in document.fragments.values() {
        directives += fragment.node.directives.len() as u64;
        sets.push(&fragment.node.selection_set.node);
    }
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            directives += selection.node.directives().len() as u64;
            match &selection.node {
                Selection::Field(field) => {
                    aliases += u64::from(field.node.alias.is_some());
                    sets.push(&field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    within("aliases", aliases, limits.aliases)?;
    within("directives", directives, limits.directives)
}

/// Bounds an operation with its fragments put in their place.
pub fn check_expanded(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
    limits: &Limits,
) -> Result<()> {
    let mut measure = Measure { document, operation, variables, limits, fragments: HashMap::new() };
    let size = measure.set(&operation.selection_set.node, 0)?;
    within("selections", size.selections, limits.selections)?;
    within("root fields", size.fields, limits.root_fields)?;
    within("levels of fields", size.depth, limits.depth)?;
    within("levels of selections", size.levels, limits.levels)?;
    within("fields to resolve", size.complexity, limits.complexity)?;
    let introspection = size.introspection;
    if introspection != Introspection::default() && !limits.introspection {
        return Err(Error::new(Code::GraphqlValidationFailed, "introspection is turned off; use the published schema"));
    }
    within("introspection selections", introspection.selections, limits.introspection_selections)?;
    within("levels of introspection", introspection.depth, limits.introspection_depth)?;
    within("circles of introspection", introspection.circles, limits.introspection_circles)
}

/// The fields that are selected below a field; `None` where fragments may hide some.
fn plain_fields(field: &Field) -> Option<Vec<&str>> {
    let selections = field.selection_set.node.items.iter();
    let names = selections.map(|selection| match &selection.node {
        Selection::Field(field) => Some(field.node.name.node.as_str()),
        Selection::InlineFragment(_) | Selection::FragmentSpread(_) => None,
    });
    names.collect()
}

/// Measures one operation.
struct Measure<'a> {
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    limits: &'a Limits,
    /// The fragments that were measured; `None` while one is being measured.
    fragments: HashMap<&'a Name, Option<Size>>,
}

impl<'a> Measure<'a> {
    /// Measures a selection set that stands `level` selections deep. The level bounds the recursion; levels that add up
    /// through fragments measured before are bounded by [`Size::levels`].
    fn set(&mut self, set: &'a SelectionSet, level: u64) -> Result<Size> {
        within("levels of selections", level, self.limits.levels)?;
        let mut size = Size::default();
        for selection in &set.items {
            size = size.and(match &selection.node {
                Selection::Field(field) => {
                    let below = self.set(&field.node.selection_set.node, level + 1)?;
                    let rows = self.rows(&field.node)?;
                    below.in_field(field.node.name.node.as_str(), rows)
                }
                Selection::InlineFragment(fragment) => {
                    self.set(&fragment.node.selection_set.node, level + 1)?.in_fragment()
                }
                Selection::FragmentSpread(spread) => {
                    match self.document.fragments.get_key_value(&spread.node.fragment_name.node) {
                        Some((name, fragment)) => self.fragment(name, &fragment.node, level + 1)?.in_fragment(),
                        // The validation says it better.
                        None => Size { selections: 1, ..Size::default() },
                    }
                }
            });
        }
        Ok(size)
    }

    /// Measures a fragment once.
    fn fragment(&mut self, name: &'a Name, fragment: &'a FragmentDefinition, level: u64) -> Result<Size> {
        match self.fragments.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("the fragment {name} spreads itself");
                return Err(Error::new(Code::GraphqlValidationFailed, message));
            }
            None => {}
        }
        self.fragments.insert(name, None);
        let size = self.set(&fragment.selection_set.node, level)?;
        self.fragments.insert(name, Some(size));
        Ok(size)
    }

    /// The rows that a field may give.
    fn rows(&self, field: &Field) -> Result<u64> {
        let name = field.name.node.as_str();
        let below = plain_fields(field);
        let holds = |name: &str| below.as_ref().map(|fields| fields.contains(&name));
        let asked = ["first", "last"].into_iter().find_map(|name| self.argument(field, name));
        // Some lists and objects have the name of a page: nobody asks them for a number of rows, and they have no nodes.
        let is_page = asked.is_some() || holds("nodes") != Some(false) || holds("edges") != Some(false);
        if CONNECTIONS.contains(&name) && is_page {
            let asked = asked.and_then(|value| match value {
                Value::Number(number) => number.as_u64(),
                _ => None,
            });
            // More than a page is refused by the field itself, with its own error.
            return Ok(asked.unwrap_or(PAGE_SIZE_DEFAULT.into()).min(PAGE_SIZE_MAX.into()));
        }
        if let Some((_, rows)) = COUNTED_LISTS.iter().find(|(list, _)| *list == name) {
            let asked = match self.argument(field, "first") {
                Some(Value::Number(number)) => number.as_u64(),
                _ => None,
            };
            return Ok(asked.unwrap_or(*rows));
        }
        if name == "_entities" {
            let representations = match self.argument(field, "representations") {
                Some(Value::List(representations)) => representations.len() as u64,
                _ => 1,
            };
            within("representations", representations, self.limits.representations)?;
            return Ok(representations);
        }
        // What holds a list of its own name is no list: LlmRun.system.events.events.
        if holds(name) == Some(true) {
            return Ok(1);
        }
        Ok(LISTS.iter().find(|(list, _)| *list == name).map_or(1, |(_, rows)| *rows))
    }

    /// The value of an argument, variables and their defaults put in; `None` where it is absent or null.
    fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let value = field.get_argument(name)?.node.clone().into_const_with(|variable| {
            let default = || {
                let definitions = self.operation.variable_definitions.iter();
                let definition = definitions.map(|it| &it.node).find(|it| it.name.node == variable)?;
                Some(definition.default_value.as_ref()?.node.clone())
            };
            self.variables.get(&variable).cloned().or_else(default).ok_or(())
        });
        value.ok().filter(|value| *value != Value::Null)
    }
}
