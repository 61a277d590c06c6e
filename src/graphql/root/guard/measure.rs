//! Measures a parsed document: what is written, and what it grows to when fragments are put in their place.

mod dearest;

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Value, Variables};

use super::shape::{FieldShape, Rows, Shape};
use super::{Limits, Measured, within, within_or};
use crate::domain::page::COUNT_CAP_DEFAULT;
use crate::error::{Code, Error, Result};

/// Rows that are counted for what one field costs.
const COUNTED_A_FIELD: u64 = 1_000;
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
    /// Fields, each list counted with the rows that are asked for, or usual.
    complexity: u64,
    /// Rows that all lists together may give at the most.
    rows: u64,
    /// The same two of what stands in each row of the page that is being measured.
    paged: Paged,
    /// The lists that stand in it, by the bits of their numbers.
    lists: u128,
    /// Of the fields on one path, those that lead from types to types; counts below introspection only.
    circles: u64,
    /// The same of what stands below `__schema` and `__type`.
    introspection: Introspection,
}

/// What a row of a page comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Paged {
    complexity: u64,
    rows: u64,
}

/// What introspection comes to; bounded apart, for its standard query is deeper than any other query needs to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Introspection {
    selections: u64,
    depth: u64,
    circles: u64,
}

impl Size {
    /// The complexity, that of a page's rows with it.
    fn complexity_in_all(&self) -> u64 {
        self.complexity.saturating_add(self.paged.complexity)
    }

    /// The rows, those of a page's rows with them.
    fn rows_in_all(&self) -> u64 {
        self.rows.saturating_add(self.paged.rows)
    }

    /// Both side by side.
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            selections: self.selections.saturating_add(other.selections),
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
            complexity: self.complexity.saturating_add(other.complexity),
            rows: self.rows.saturating_add(other.rows),
            paged: Paged {
                complexity: self.paged.complexity.saturating_add(other.paged.complexity),
                rows: self.paged.rows.saturating_add(other.paged.rows),
            },
            lists: self.lists | other.lists,
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

    /// `__schema` or `__type` that holds this.
    fn in_introspection(self) -> Self {
        let introspection = Introspection { selections: self.selections, depth: self.depth, circles: self.circles };
        let levels = self.levels.saturating_add(1);
        Self { fields: 1, selections: 1, depth: 1, levels, complexity: 1, introspection, ..Self::default() }
    }

    /// A field that holds this.
    fn in_field(self, name: &str, cost: Cost) -> Self {
        let (complexity, rows, paged) = match cost.rows {
            Reckoned::One => (self.complexity.saturating_add(cost.weight), self.rows, Paged::default()),
            Reckoned::OfPage => {
                (0, 0, Paged { complexity: self.complexity.saturating_add(cost.weight), rows: self.rows })
            }
            // Its rows are read whether they are selected or not.
            Reckoned::Page(count) => (
                self.paged
                    .complexity
                    .max(1)
                    .saturating_mul(count)
                    .saturating_add(self.complexity)
                    .saturating_add(cost.weight),
                self.paged.rows.saturating_add(1).saturating_mul(count).saturating_add(self.rows),
                Paged::default(),
            ),
            Reckoned::List { usual, most } => (
                self.complexity.saturating_mul(usual).saturating_add(cost.weight),
                self.rows.saturating_add(1).saturating_mul(most),
                Paged::default(),
            ),
        };
        Self {
            fields: 1,
            selections: self.selections.saturating_add(1),
            depth: self.depth.saturating_add(1),
            levels: self.levels.saturating_add(1),
            complexity,
            rows,
            paged,
            lists: self.lists | cost.list.map_or(0, |list| 1 << list),
            circles: self.circles.saturating_add(CIRCLES.contains(&name).into()),
            introspection: self.introspection,
        }
    }
}

/// The rows of a field in a document.
#[derive(Clone, Copy, Debug)]
enum Reckoned {
    /// No list.
    One,
    /// The rows of the page around it.
    OfPage,
    /// A page of so many.
    Page(u64),
    /// A list that is reckoned to have so many, and may have so many.
    List { usual: u64, most: u64 },
}

/// What a field adds to what it holds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// The rows that it gives.
    rows: Reckoned,
    /// What it costs by itself.
    weight: u64,
    /// Which list it is.
    list: Option<u32>,
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
) -> Result<Measured> {
    let shape = Shape::get()?;
    let mut measure = Measure { shape, document, operation, variables, limits, fragments: HashMap::new() };
    let root = match operation.ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    };
    let size = measure.set(&operation.selection_set.node, Some(root), 0)?;
    within("selections", size.selections, limits.selections)?;
    within("root fields", size.fields, limits.root_fields)?;
    within("levels of fields", size.depth, limits.depth)?;
    within("levels of selections", size.levels, limits.levels)?;
    let (set, most) = (&operation.selection_set.node, size);
    let mut dearest = |by| measure.dearest(set, root, by);
    within_or("fields to resolve", most.complexity, limits.complexity, || dearest(Size::complexity_in_all))?;
    within_or("rows that its lists may give", most.rows, limits.rows, || dearest(Size::rows_in_all))?;
    let introspection = size.introspection;
    if introspection != Introspection::default() && !limits.introspection {
        return Err(Error::new(Code::GraphqlValidationFailed, "introspection is turned off; use the published schema"));
    }
    within("introspection selections", introspection.selections, limits.introspection_selections)?;
    within("levels of introspection", introspection.depth, limits.introspection_depth)?;
    within("circles of introspection", introspection.circles, limits.introspection_circles)?;
    Ok(Measured { complexity: size.complexity, rows: size.rows, introspection: introspection.selections })
}

/// Measures one operation.
struct Measure<'a> {
    shape: &'static Shape,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    limits: &'a Limits,
    /// The fragments that were measured; `None` while one is being measured.
    fragments: HashMap<&'a Name, Option<Size>>,
}

impl<'a> Measure<'a> {
    /// Measures a selection set on a type that stands `level` selections deep; the type is `None` where the schema does not
    /// know it. The level bounds the recursion; levels that add up through fragments measured before are bounded by
    /// [`Size::levels`].
    fn set(&mut self, set: &'a SelectionSet, of: Option<&str>, level: u64) -> Result<Size> {
        within("levels of selections", level, self.limits.levels)?;
        let mut size = Size::default();
        for selection in &set.items {
            size = size.and(match &selection.node {
                Selection::Field(field) => self.field(&field.node, of, level)?,
                Selection::InlineFragment(fragment) => {
                    let condition =
                        fragment.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.set(&fragment.node.selection_set.node, condition.or(of), level + 1)?.in_fragment()
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

    /// Measures a field with what it holds.
    fn field(&mut self, field: &'a Field, of: Option<&str>, level: u64) -> Result<Size> {
        let name = field.name.node.as_str();
        let shape = of.and_then(|of| self.shape.field(of, name));
        let below = self.set(&field.selection_set.node, shape.map(|shape| shape.gives.as_str()), level + 1)?;
        if matches!(name, "__schema" | "__type") {
            return Ok(below.in_introspection());
        }
        let Some(shape) = shape else {
            return Ok(below.in_field(name, Cost { rows: Reckoned::One, weight: 1, list: None }));
        };
        if let Some(list) = shape.list
            && below.lists & (1 << list) != 0
        {
            let message = format!(
                "the document selects the list {name} below itself, so that it multiplies: ask for the inner one in a \
                 request of its own"
            );
            return Err(Error::limit(message, 1, Some(2)));
        }
        let rows = self.reckoned(field, shape)?;
        let counted = match name {
            "totalCount" => self.number(field, "cap").unwrap_or(COUNT_CAP_DEFAULT.into()) / COUNTED_A_FIELD,
            _ => 0,
        };
        Ok(below.in_field(name, Cost { rows, weight: shape.weight + counted, list: shape.list }))
    }

    /// The rows of a field.
    fn reckoned(&self, field: &Field, shape: &FieldShape) -> Result<Reckoned> {
        Ok(match shape.rows {
            Rows::One | Rows::Values(_) => Reckoned::One,
            Rows::OfPage => Reckoned::OfPage,
            Rows::UpTo { usual, most } => Reckoned::List { usual, most },
            Rows::Asked { usual, most } => {
                // More than a page is refused by the field itself, with its own error.
                let asked =
                    self.number(field, "first").or_else(|| self.number(field, "last")).unwrap_or(usual).min(most);
                if shape.is_page { Reckoned::Page(asked) } else { Reckoned::List { usual: asked, most: asked } }
            }
            Rows::Entities => {
                let count = match self.argument(field, "representations") {
                    Some(Value::List(representations)) => representations.len() as u64,
                    _ => 1,
                };
                within("representations", count, self.limits.representations)?;
                Reckoned::List { usual: count, most: count }
            }
        })
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
        let size = self.set(&fragment.selection_set.node, Some(&fragment.type_condition.node.on.node), level)?;
        self.fragments.insert(name, Some(size));
        Ok(size)
    }

    /// The value of an argument that is a number.
    fn number(&self, field: &Field, name: &str) -> Option<u64> {
        match self.argument(field, name)? {
            Value::Number(number) => number.as_u64(),
            _ => None,
        }
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
