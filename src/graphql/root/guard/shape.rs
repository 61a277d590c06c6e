//! What the guard knows of the schema: which type each field gives, and how many rows its lists may have.

use std::collections::HashMap;
use std::sync::LazyLock;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use async_graphql::{Name, Positioned};

use crate::domain::diff::CHANGES_MAX;
use crate::domain::export::EXPORTS_OF_RUN_MAX;
use crate::domain::incident::INCIDENTS_OF_RUN_MAX;
use crate::domain::page::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use crate::domain::replay::EVENTS_MAX;
use crate::domain::system::RUN_EVENTS_MAX;
use crate::domain::telemetry_series::{POINTS_DEFAULT, POINTS_MAX, RUN_SERIES_MAX};
use crate::domain::trace::SEALS_OF_TRACE_MAX;
use crate::error::{Error, Result};
use crate::facade::ledger_keys::LEDGER_KEYS_MAX;
use crate::graphql::root::schema::sdl;

/// How many rows a field may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One, or none.
    One,
    /// As many as `first` or `last` says, `usual` without them, and never more than `most`.
    Asked { usual: u64, most: u64 },
    /// As many as the page has that it is a part of: the page counts them.
    OfPage,
    /// What cannot be asked for by number: `usual` is reckoned with for the cost, `most` is what there can be.
    UpTo { usual: u64, most: u64 },
    /// At most so many values without fields: they cost what one costs, and their bytes are counted as they are given.
    Values(u64),
    /// One for each representation that is given.
    Entities,
}

const PAGE: Rows = Rows::Asked { usual: PAGE_SIZE_DEFAULT as u64, most: PAGE_SIZE_MAX as u64 };

const fn up_to(usual: u64, most: u64) -> Rows {
    Rows::UpTo { usual, most }
}

/// Every list that is no page of a connection, by type and field. A list that is missing here fails a test.
pub(super) const LISTS: &[(&str, &str, Rows)] = &[
    ("AccessEvent", "recordIds", Rows::Values(100)),
    ("ApiKey", "scopes", Rows::Values(20)),
    ("AppendAuditEntriesPayload", "results", up_to(50, 1_000)),
    ("AuditChanges", "items", up_to(50, CHANGES_MAX as u64)),
    ("ConsistencyProof", "hashes", Rows::Values(64)),
    ("EvidenceMetadata", "incidentIds", Rows::Values(100)),
    ("EvidenceMetadata", "policyIds", Rows::Values(100)),
    ("IncidentEvidence", "revisions", up_to(200, 200)),
    ("InclusionProof", "hashes", Rows::Values(64)),
    ("Ledger", "anomalies", PAGE),
    ("Ledger", "keys", up_to(10, LEDGER_KEYS_MAX as u64)),
    ("LedgerKey", "fromSizes", up_to(2, 2)),
    ("LedgerKey", "toSizes", up_to(2, 2)),
    ("LlmRun", "incidentEvidence", up_to(5, INCIDENTS_OF_RUN_MAX as u64)),
    ("LlmRun", "revisions", up_to(200, 200)),
    ("LlmRun", "tags", Rows::Values(64)),
    ("LlmRunExport", "availableFormats", Rows::Values(10)),
    ("LlmRunExport", "complianceTags", up_to(12, 12)),
    ("LlmRunExport", "exports", up_to(5, EXPORTS_OF_RUN_MAX as u64)),
    ("LlmRunReplay", "events", up_to(50, EVENTS_MAX as u64)),
    ("MetricHistogram", "bounds", Rows::Values(256)),
    ("MetricHistogram", "bucketCounts", Rows::Values(257)),
    ("MetricSeries", "points", Rows::Asked { usual: POINTS_DEFAULT as u64, most: POINTS_MAX as u64 }),
    ("Query", "systemAudit", PAGE),
    ("RecordStepsPayload", "results", up_to(50, 1_000)),
    ("RecordSystemRecordsPayload", "results", up_to(50, 1_000)),
    ("RunSystem", "snapshots", up_to(7, 7)),
    ("SystemAudit", "items", Rows::OfPage),
    ("SystemEvents", "events", up_to(20, RUN_EVENTS_MAX as u64)),
    ("SystemReplay", "events", up_to(50, EVENTS_MAX as u64)),
    ("SystemTelemetry", "availableData", Rows::Values(10)),
    ("SystemTelemetry", "series", up_to(5, RUN_SERIES_MAX as u64)),
    ("Trace", "seals", up_to(5, SEALS_OF_TRACE_MAX as u64)),
    ("TraceSummary", "groups", up_to(10, 40)),
    ("VerifyLedgerPayload", "verifications", up_to(2, 2)),
    ("Viewer", "scopes", Rows::Values(20)),
];
/// What a field costs beyond a column: what it reads does not show in what is selected of it.
const WEIGHTS: &[(&str, &str, u64)] = &[
    // Reads up to 100,000 steps of each of two traces.
    ("Query", "traceComparison", 10_000),
    ("Mutation", "verifyLedger", 10_000),
    ("Mutation", "erasePayload", 100),
    ("Ledger", "inclusionProof", 100),
    ("Ledger", "consistencyProof", 100),
    ("LedgerEntry", "inclusionProof", 100),
    ("Trace", "summary", 20),
    // Steps, system records and governance entries of a window, whatever is selected.
    ("LlmRun", "replay", 50),
    ("RunSystem", "replay", 50),
];

/// One field of a type.
#[derive(Clone, Debug)]
pub struct FieldShape {
    /// The name of the type that it gives, without list and non-null.
    pub gives: Name,
    /// How many of them.
    pub rows: Rows,
    /// The number of the list that it is, the same wherever the same list stands; `None` where it is none.
    pub list: Option<u32>,
    /// Whether the rows stand in parts of it ([`Rows::OfPage`]), beside what belongs to the page.
    pub is_page: bool,
    /// What it costs by itself.
    pub weight: u64,
}

/// The fields of every type.
#[derive(Debug, Default)]
pub struct Shape(HashMap<Name, HashMap<Name, FieldShape>>);

impl Shape {
    /// The shape of the schema.
    ///
    /// # Errors
    /// `INTERNAL` when its own text does not parse.
    pub fn get() -> Result<&'static Self> {
        static SHAPE: LazyLock<Option<Shape>> = LazyLock::new(|| Shape::of(&sdl()));
        SHAPE.as_ref().ok_or_else(|| Error::internal("the schema's own text does not parse"))
    }

    /// A field; `None` for what the schema does not know: the validation refuses it.
    pub fn field(&self, of: &str, name: &str) -> Option<&FieldShape> {
        self.0.get(of)?.get(name)
    }

    fn of(sdl: &str) -> Option<Self> {
        let document = parse_schema(sdl).ok()?;
        let mut shape = Self::default();
        let mut lists: HashMap<(Name, Name), u32> = HashMap::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node;
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let of_type = shape.0.entry(name.clone()).or_default();
            for Positioned { node: field, .. } in fields {
                let rows = rows(&name, &field)?;
                let gives = named(&field.ty.node).clone();
                let key = (gives.clone(), field.name.node.clone());
                let next = u32::try_from(lists.len()).ok()?;
                let is_counted = matches!(rows, Rows::Asked { .. } | Rows::UpTo { .. });
                let list = is_counted.then(|| *lists.entry(key).or_insert(next));
                let weight = WEIGHTS.iter().find(|(of, it, _)| name == *of && field.name.node == *it);
                let weight = weight.map_or(1, |(_, _, weight)| *weight);
                let is_page = rows == PAGE && !is_list(&field.ty.node);
                of_type.insert(field.name.node, FieldShape { gives, rows, list, is_page, weight });
            }
        }
        let gives = Name::new("_Entity");
        let entity = FieldShape { gives, rows: Rows::Entities, list: None, is_page: false, weight: 1 };
        shape.0.entry(Name::new("Query")).or_default().insert(Name::new("_entities"), entity);
        // The bits of a set of lists.
        (lists.len() <= u128::BITS as usize).then_some(shape)
    }
}

/// How many rows a field may give; `None` for a list that nobody has said it of.
fn rows(of: &Name, field: &FieldDefinition) -> Option<Rows> {
    let name = &field.name.node;
    if let Some((_, _, rows)) = LISTS.iter().find(|(list_of, list, _)| of == *list_of && name == *list) {
        return Some(*rows);
    }
    if of.ends_with("Connection") && matches!(name.as_str(), "edges" | "nodes") {
        return Some(Rows::OfPage);
    }
    if named(&field.ty.node).ends_with("Connection") {
        return Some(PAGE);
    }
    (!is_list(&field.ty.node)).then_some(Rows::One)
}

fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}

fn named(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Vec<(Name, FieldDefinition)> {
        let document = parse_schema(sdl()).expect("our own text");
        let types = document.definitions.into_iter().filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        });
        let fields = types.flat_map(|definition| {
            let name = definition.name.node;
            let fields = match definition.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => Vec::new(),
            };
            fields.into_iter().map(move |field| (name.clone(), field.node))
        });
        fields.collect()
    }

    #[test]
    fn every_list_has_a_bound_and_every_bound_a_list() {
        let fields = definitions();
        for (of, field) in &fields {
            assert!(rows(of, field).is_some(), "say in LISTS how long {of}.{} may be", field.name.node);
        }
        for (of, name, rows) in LISTS {
            let found = fields.iter().find(|(it, field)| it == *of && field.name.node == *name);
            let (_, field) = found.unwrap_or_else(|| panic!("{of}.{name} is gone"));
            assert!(is_list(&field.ty.node) || *rows == PAGE, "{of}.{name} is no list");
        }
        for (of, name, _) in WEIGHTS {
            assert!(fields.iter().any(|(it, field)| it == *of && field.name.node == *name), "{of}.{name} is gone");
        }
        Shape::get().expect("a shape");
    }

    #[test]
    fn what_takes_first_is_reckoned_by_it() {
        for (of, field) in definitions() {
            let takes_first = field.arguments.iter().any(|argument| argument.node.name.node == "first");
            let is_asked = matches!(rows(&of, &field), Some(Rows::Asked { .. }));
            assert_eq!(takes_first, is_asked, "{of}.{}", field.name.node);
        }
    }
}
