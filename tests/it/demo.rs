//! The demo has something to show in every field of the schema that can be read.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::support::server::Server;
use crate::support::walk::{INTROSPECTION, Schema, named};

/// Findings of a verification: the demo's logs are whole.
const TAMPERING: &str = "has a value only where a log was tampered with";
/// Exports are shown but no use case makes one.
const EXPORT: &str = "has a value only where an export was made";
/// The demo's logs were just verified.
const UNKNOWN: &str = "has a value only where a verification did not end or is old";

/// Fields without a value in the demo, and why; `*` is every field of a type of which there is no object.
const NOTHING_TO_SHOW: &[(&str, &str)] = &[
    ("Anomaly.*", TAMPERING),
    ("AnomalyConnection.edges", TAMPERING),
    ("AnomalyConnection.nodes", TAMPERING),
    ("AnomalyEdge.*", TAMPERING),
    ("AuditExports.exports", EXPORT),
    ("EvidenceMetadata.exportId", EXPORT),
    ("IntegrityCheck.reason", UNKNOWN),
    ("Ledger.anomalies", TAMPERING),
    ("LlmRunExport.availableFormats", EXPORT),
    ("LlmRunExport.checksum", EXPORT),
    ("LlmRunExport.exports", EXPORT),
    ("LogExport.*", EXPORT),
    ("LogExportConnection.edges", EXPORT),
    ("LogExportConnection.nodes", EXPORT),
    ("LogExportEdge.*", EXPORT),
    ("Verification.anomalies", TAMPERING),
    ("Verification.reason", UNKNOWN),
    ("SystemEvents.events", "its way multiplies beyond what the server takes in one document"),
];

/// Rows of the first list on a way, of the second and of each further one.
const ROWS: [&str; 3] = ["100", "10", "3"];

/// Ways on from a type are taken by this many of the ways to it: the first may lead to objects of one kind only.
const OPENED_MOST: usize = 8;

/// The way from the root to an object: fields with their arguments, and fragments.
#[derive(Clone, Default)]
struct Way {
    steps: Vec<String>,
    lists: usize,
}

/// Names of records that the queries start from.
struct Names(BTreeMap<&'static str, String>);

impl Names {
    /// Asks for the ids that are given anew at each start; the story's own names are constants of it.
    fn of(server: &Server) -> Self {
        const IDS: &str = r#"{ auditEntries(first: 1) { nodes { id } } systemRecords(first: 1) { nodes { id } }
            incidentEvidence(incidentId: "INC-2041") { run { runId traceId } }
            ledger { checkpoint { size } entries(kinds: [ERASE]) { nodes { record { ... on LedgerEvent { id } } } } } }"#;
        let ids = server.query(IDS, &json!({}));
        let at = |pointer: &str| ids.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}: {ids}")).to_string();
        let by = |trace: &str| format!("{{ traceId: {trace} }}");
        Self(BTreeMap::from([
            ("auditEntry.id", at("/auditEntries/nodes/0/id")),
            ("node.id", at("/ledger/entries/nodes/0/record/id")),
            ("inclusionProof.recordId", at("/auditEntries/nodes/0/id")),
            ("systemRecord.id", at("/systemRecords/nodes/0/id")),
            ("llmRun.runId", at("/incidentEvidence/run/runId")),
            ("trace.by", by(&at("/incidentEvidence/run/traceId"))),
            ("traceComparison.left", by(&at("/incidentEvidence/run/traceId"))),
            ("traceComparison.right", by("\"rehearsal-7\"")),
            ("incidentEvidence.incidentId", "\"INC-2041\"".to_owned()),
            ("idempotencyCheck.key", "\"refund-4711\"".to_owned()),
            ("contentDigest.text", "\"a text\"".to_owned()),
            ("consistencyProof.from", "\"1\"".to_owned()),
            ("consistencyProof.to", at("/ledger/checkpoint/size")),
            ("entry.sequence", "\"0\"".to_owned()),
        ]))
    }

    /// The field with its arguments; the way counts its list.
    fn call(&self, field: &Value, way: &mut Way) -> String {
        let name = field["name"].as_str().expect("a name");
        let mut arguments = Vec::new();
        for argument in field["args"].as_array().expect("args") {
            let argument_name = argument["name"].as_str().expect("a name");
            if argument_name == "first" {
                arguments.push(format!("first: {}", ROWS[way.lists.min(ROWS.len() - 1)]));
                way.lists += 1;
            } else if let Some(value) = self.0.get(format!("{name}.{argument_name}").as_str()) {
                arguments.push(format!("{argument_name}: {value}"));
            } else {
                let optional = argument["type"]["kind"] != "NON_NULL" || !argument["defaultValue"].is_null();
                assert!(optional, "{name} has an argument that this test must learn: {argument_name}");
            }
        }
        if arguments.is_empty() { name.to_owned() } else { format!("{name}({})", arguments.join(", ")) }
    }
}

/// What is found on a walk through the schema.
struct Walk<'w> {
    server: &'w Server,
    schema: Schema,
    names: Names,
    /// Fields of the types that were reached, and whether one was seen with a value.
    fields: BTreeMap<String, bool>,
}

impl Walk<'_> {
    /// Every type by the shortest ways to it, and on from it by the first of them.
    fn run(&mut self) {
        let mut ways = VecDeque::from([("Query".to_owned(), Way::default())]);
        let mut opened: BTreeMap<String, usize> = BTreeMap::new();
        while let Some((type_name, way)) = ways.pop_front() {
            let times = opened.entry(type_name.clone()).or_default();
            if *times < OPENED_MOST {
                *times += 1;
                self.open(&type_name, &way, &mut ways);
            }
            self.ask(&type_name, &way);
        }
    }

    /// Whether a field is a list that is on the way already: no document may select one below itself.
    fn is_around(&self, field: &Value, way: &Way) -> bool {
        let name = field["name"].as_str().expect("a name");
        let is_it =
            |step: &String| step.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('('));
        self.schema.is_list(field) && way.steps.iter().any(is_it)
    }

    /// Notes the fields of a type, and the ways on from it.
    fn open(&mut self, type_name: &str, way: &Way, ways: &mut VecDeque<(String, Way)>) {
        for field in self.schema.fields(type_name).iter().filter(|field| is_ours(field)) {
            self.fields.entry(place(type_name, field)).or_insert(false);
            let below = named(&field["type"]);
            let objects = self.schema.objects(below);
            for object in &objects {
                let mut on = way.clone();
                let call = self.names.call(field, &mut on);
                if self.is_around(field, way) {
                    continue;
                }
                on.steps.push(call);
                if objects.len() > 1 {
                    on.steps.push(format!("... on {object}"));
                }
                ways.push_back(((*object).to_owned(), on));
            }
        }
    }

    /// Asks for all fields of the objects at the end of a way, unless each was seen with a value.
    fn ask(&mut self, type_name: &str, way: &Way) {
        let fields: Vec<Value> = self.schema.fields(type_name).iter().filter(|field| is_ours(field)).cloned().collect();
        if fields.iter().all(|field| self.fields[&place(type_name, field)]) {
            return;
        }
        let selected: Vec<String> = fields
            .iter()
            .filter(|field| !self.is_around(field, way))
            .map(|field| {
                let call = self.names.call(field, &mut way.clone());
                let below = named(&field["type"]);
                match self.schema.objects(below).is_empty() {
                    true => call,
                    false if self.schema.fields(below).iter().any(|each| each["name"] == "nodes") => {
                        format!("{call} {{ nodes {{ __typename }} }}")
                    }
                    false => format!("{call} {{ __typename }}"),
                }
            })
            .collect();
        let mut query = format!("__typename {}", selected.join(" "));
        for step in way.steps.iter().rev() {
            query = format!("{step} {{ {query} }}");
        }
        // A way that multiplies beyond what the server takes is left: what it leads to is reached by shorter ones.
        if let Some(answer) = self.server.query_within_limits(&format!("{{ {query} }}"), &json!({})) {
            self.note(type_name, &answer);
        }
    }

    /// Notes the fields with a value of all objects of the type in an answer.
    fn note(&mut self, type_name: &str, answer: &Value) {
        match answer {
            Value::Array(values) => values.iter().for_each(|value| self.note(type_name, value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if fields.get("__typename").is_some_and(|name| name == type_name)
                        && has_something(value)
                        && let Some(seen) = self.fields.get_mut(&format!("{type_name}.{name}"))
                    {
                        *seen = true;
                    }
                    self.note(type_name, value);
                }
            }
            _ => {}
        }
    }
}

/// Whether a field is the schema's own, not federation's.
fn is_ours(field: &Value) -> bool {
    !field["name"].as_str().expect("a name").starts_with('_')
}

fn place(type_name: &str, field: &Value) -> String {
    format!("{type_name}.{}", field["name"].as_str().expect("a name"))
}

/// Not null, no empty list, no connection without rows.
fn has_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => fields.get("nodes").is_none_or(has_something),
        _ => true,
    }
}

#[test]
fn every_field_that_is_read_has_something_to_show() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let server = Server::start(
        folder.path(),
        &["--demo", "--data-dir", "data", "--graphql-complexity", "10000000", "--graphql-root-fields", "100"],
        "GraphQL     http://",
    );
    let schema = Schema::read(&server.query(INTROSPECTION, &json!({})));
    let names = Names::of(&server);
    let mut walk = Walk { server: &server, schema, names, fields: BTreeMap::new() };
    walk.run();
    assert!(walk.fields.len() > 400, "only {} fields were walked", walk.fields.len());
    let mut excused: BTreeMap<&str, &str> = BTreeMap::new();
    for (exception, reason) in NOTHING_TO_SHOW {
        let of_type = exception.strip_suffix('*');
        let meant = walk.fields.keys().filter(|field| of_type.map_or(field == exception, |of| field.starts_with(of)));
        let before = excused.len();
        excused.extend(meant.map(|field| (field.as_str(), *reason)));
        assert!(excused.len() > before, "{exception} is no field that was walked");
    }
    let wrong: Vec<String> = walk
        .fields
        .iter()
        .filter_map(|(field, has_value)| match (has_value, excused.get(field.as_str())) {
            (false, None) => Some(format!("{field} has nothing to show")),
            (true, Some(reason)) => Some(format!("{field} has a value, yet its exception says: {reason}")),
            _ => None,
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(server.stop().code(), Some(0));
}
