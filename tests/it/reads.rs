//! What a caller may read, by permission, and that each read is noted: a walk over every way in with a key of each single
//! permission, and writers that may read nothing.

use std::collections::BTreeSet;

use runledger::domain::ids::RecordId;
use runledger::domain::record::NewRecord;
use runledger::domain::scope::Permission;
use runledger::facade::access::AuditedRequest;
use runledger::facade::authorize::{Access, TABLE};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::evidence::every_kind;
use crate::support::ledger::audit_entries;
use crate::support::seed::{at, tenant};
use crate::support::topics::{append, code, governance, new};
use crate::support::walk::Schema;

/// The application with keys required, without the limits that keep long documents out.
async fn closed(db: &TestDb) -> TestApp {
    let mut limits = GraphqlLimits::default();
    limits.document.complexity = u64::MAX;
    limits.document.rows = u64::MAX;
    limits.document.selections = u64::MAX;
    limits.document.tokens = u64::MAX;
    limits.document.aliases = u64::MAX;
    limits.body_bytes = 64 << 20;
    TestApp::with(db, AuthSettings::Required(None), limits).await
}

/// The application, asked with a new key of these permissions.
async fn with(app: &TestApp, permissions: &[Permission]) -> TestApp {
    let permissions = permissions.iter().copied().collect();
    app.with_key(&app.logs.create_api_key(tenant("ours"), None, permissions, None).await.expect("a key").1)
}

/// The ids that are noted of a caller's newest look, which must be the one with this document.
async fn noted(db: &TestDb, actor: &Value, document: &str) -> BTreeSet<RecordId> {
    let sql = format!(
        "SELECT p.text FROM audit_entry e JOIN payload p ON p.tenant_id = e.tenant_id AND p.record_id = e.id \
         WHERE e.event_type = 'LogViewed' AND e.actor_id = '{}' ORDER BY e.seq DESC LIMIT 1",
        actor.as_str().expect("an id")
    );
    let text: Option<String> = db.query(&sql).await.first().map(|row| row.try_get_by_index(0).expect("a text"));
    let look: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
    if look["query_hash"] != AuditedRequest::new(None, document, b"").query_hash.to_hex() {
        return BTreeSet::new();
    }
    let ids = look["record_ids"].as_array().into_iter().flatten();
    ids.filter_map(|id| RecordId::parse_typed(id.as_str()?)).map(|(_, id)| id).collect()
}

async fn denied(db: &TestDb) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = audit_entries(db, "AUTHORIZATION").await;
    let denied = entries.iter().filter(|entry| entry["event"] == "AccessDenied");
    denied.map(|entry| (text(&entry["actor"]), text(&entry["rule"]))).collect()
}

/// The types of records.
const RECORDS: [&str; 17] = [
    "LlmRun",
    "Trace",
    "TraceStep",
    "TraceSeal",
    "SystemRecord",
    "AuditEntry",
    "PolicyActivation",
    "IncidentEvidence",
    "LogExport",
    "LedgerEvent",
    "LedgerEntry",
    "GovernanceEvent",
    "IdentityEvent",
    "AuthorizationDecision",
    "AccessEvent",
    "Verification",
    "Anomaly",
];

/// Type and id of every record in an answer.
fn records(value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(fields) => {
            // Those below a union have aliases before their names.
            let id = fields.values().filter_map(Value::as_str).find(|text| RecordId::parse_typed(text).is_some());
            let name = fields.get("__typename").and_then(Value::as_str).filter(|name| RECORDS.contains(name));
            if let (Some(name), Some(id)) = (name, id) {
                found.insert((name.to_owned(), id.to_owned()));
            }
            fields.values().for_each(|value| records(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| records(value, found)),
        _ => {}
    }
}

/// The records that a key of one permission may see, by type.
fn readable(permission: Permission) -> &'static [&'static str] {
    match permission {
        Permission::RunsRead => &[
            "LlmRun",
            "Trace",
            "TraceStep",
            "TraceSeal",
            "IncidentEvidence",
            "PolicyActivation",
            "LogExport",
            "GovernanceEvent",
            "LedgerEntry",
            "LedgerEvent",
            "Verification",
            "Anomaly",
        ],
        Permission::SystemRead => &["SystemRecord", "LedgerEntry"],
        Permission::AuditRead => &[
            "AuditEntry",
            "IdentityEvent",
            "AuthorizationDecision",
            "AccessEvent",
            "GovernanceEvent",
            "LogExport",
            "LedgerEntry",
            "Verification",
            "Anomaly",
        ],
        Permission::LedgerVerify => &["Verification", "Anomaly"],
        _ => &[],
    }
}

/// The permissions any of which opens a root field.
fn opened_by(field: &str, document: &str) -> Vec<Permission> {
    match TABLE.iter().find(|(listed, _)| *listed == field).expect("in the table").1 {
        Access::Needs(permission) => vec![permission],
        Access::AnyCaller if field == "ledger" && document.contains("ACCESS") => vec![Permission::AuditRead],
        Access::AnyCaller if field == "ledger" => vec![Permission::RunsRead],
        Access::AnyCaller
            if field == "_entities" && ["\"LlmRun\"", "\"Trace\""].iter().any(|of| document.contains(of)) =>
        {
            vec![Permission::RunsRead]
        }
        Access::AnyCaller => Permission::ALL.to_vec(),
    }
}

/// Every root field of the queries, both logs of the ledger, `node` of every record, and what `_entities` takes.
fn documents(schema: &Schema, ids: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
    let first = |name: &str| ids.iter().find(|(of, _)| of == name).map_or("x", |(_, id)| id).to_owned();
    let (audit, system) = (first("AuditEntry"), first("SystemRecord"));
    let argument = |stream: &'static str| {
        let (audit, system) = (audit.clone(), system.clone());
        move |field: &str, argument: &str| match (field, argument) {
            ("ledger", "stream") => Some(stream.to_owned()),
            ("auditEntry", "id") => Some(format!("{audit:?}")),
            ("systemRecord", "id") => Some(format!("{system:?}")),
            ("consistencyProof", "from" | "to") | ("entry", "sequence") => Some("\"1\"".to_owned()),
            (_, "runId") => Some("\"run\"".to_owned()),
            (_, "by" | "left" | "right") => Some("{ traceId: \"one\" }".to_owned()),
            (_, "incidentId" | "policyId" | "key" | "text" | "recordId") => Some("\"x\"".to_owned()),
            (_, "first") => Some("3".to_owned()),
            _ => None,
        }
    };
    let mut documents = Vec::new();
    for field in schema
        .fields("Query")
        .iter()
        .filter(|field| !["_service", "_entities"].contains(&field["name"].as_str().expect("a name")))
    {
        let name = field["name"].as_str().expect("a name").to_owned();
        if name == "node" {
            for (of, id) in ids {
                let selection = schema.everything(of, 3, &argument("EVIDENCE"));
                documents.push((
                    name.clone(),
                    format!("{{ node(id: {id:?}) {{ __typename ... on {of} {{ {selection} }} }} }}"),
                ));
            }
            continue;
        }
        // Deep, and so shallow that no field below it is refused and takes what is above along.
        for (stream, depth) in [("EVIDENCE", 4), ("EVIDENCE", 2), ("ACCESS", 4), ("ACCESS", 3)] {
            if stream == "EVIDENCE" || name == "ledger" {
                let selected = schema.select(field, depth, &argument(stream));
                let selected = selected.unwrap_or_else(|| panic!("{name} has an argument that this test must learn"));
                documents.push((name.clone(), format!("{{ {selected} }}")));
            }
        }
    }
    for (of, key) in [
        ("LlmRun", "runId: \"run\""),
        ("Trace", "traceId: \"one\""),
        ("Policy", "id: \"pol\""),
        ("Tenant", "id: \"ours\""),
    ] {
        let selection = schema.everything(of, 4, &argument("EVIDENCE"));
        documents.push(("_entities".to_owned(), format!("{{ _entities(representations: [{{ __typename: {of:?}, {key} }}]) {{ ... on {of} {{ {selection} }} }} }}")));
    }
    documents
}

/// Every record of the tenant by type and id, as one who may read everything finds them.
async fn all_records(app: &TestApp) -> BTreeSet<(String, String)> {
    let query = "{ llmRuns { nodes { __typename id ledgerEntry { __typename id } } }
        traces { nodes { __typename id seals { __typename id } steps { nodes { __typename id } } } }
        systemRecords { nodes { __typename id } } policyActivations { nodes { __typename id } }
        auditEntries { nodes { __typename id } } auditExports { exports { nodes { __typename id } } }
        auditAccess { events(first: 2) { nodes { __typename id } } }
        llmRun(runId: \"run\") { incidentEvidence { incidentId } governance { events { nodes { __typename id } } } }
        ledger(stream: EVIDENCE) { entries { nodes { __typename id record { __typename ... on LedgerEvent { id } ... on IncidentEvidence { id } } } } } }";
    let mut found = BTreeSet::new();
    records(&app.query(query).await, &mut found);
    found
}

db_test! {
    async fn a_key_of_one_permission_reads_what_that_says_and_each_read_is_noted(db: TestDb) {
        let app = closed(&db).await;
        every_kind(&app, "ours").await;
        append(&app, "ours", vec![NewRecord::Audit(new(&app, governance(at(5), Some("run"), None)), None)]).await;
        let everything = with(&app, &[Permission::Admin]).await;
        let ids = all_records(&everything).await;
        for kind in ["LlmRun", "Trace", "TraceStep", "TraceSeal", "SystemRecord", "AuditEntry", "LogExport", "PolicyActivation", "IncidentEvidence", "LedgerEvent", "LedgerEntry"] {
            assert!(ids.iter().any(|(of, _)| of == kind), "no {kind} in {ids:?}");
        }
        let documents = documents(&Schema::of(&everything).await, &ids);
        let mut seen_in_all = BTreeSet::new();
        // An administrator may do what each of the others may.
        for permission in Permission::ALL.iter().filter(|permission| **permission != Permission::Admin) {
            let caller = with(&app, &[*permission]).await;
            let actor = caller.query("{ viewer { actorId } }").await["viewer"]["actorId"].take();
            for (field, document) in &documents {
                let answer = caller.raw_query(document, json!({})).await;
                let what = format!("{} at {field}: {}", permission.as_str(), &document[..document.len().min(90)]);
                let is_open = opened_by(field, document).contains(permission);
                let refused = answer["errors"].as_array().into_iter().flatten().any(|error| {
                    error["extensions"]["code"] == "FORBIDDEN" && error["path"].as_array().is_some_and(|path| path.len() == 1 || (path.len() == 2 && path[0] == "_entities" && path[1].is_u64()))
                });
                assert!(is_open != refused || field == "node", "{what}: {answer}");
                let mut found = BTreeSet::new();
                records(&answer, &mut found);
                let allowed = readable(*permission);
                let strange: Vec<_> = found.iter().filter(|(of, _)| !allowed.contains(&of.as_str())).collect();
                assert!(strange.is_empty(), "{what} shows {strange:?}");
                found.retain(|(of, _)| !["Verification", "Anomaly"].contains(&of.as_str()));
                let noted = if found.is_empty() { BTreeSet::new() } else { noted(&db, &actor, document).await };
                for (of, id) in &found {
                    let (_, record) = RecordId::parse_typed(id).expect("an id");
                    assert!(noted.contains(&record), "{what} does not note {of} {id}: {noted:?}");
                }
                seen_in_all.extend(found.into_iter().map(|(of, _)| (*permission, of)));
            }
        }
        // The walk finds what each permission is for, else it proves nothing.
        for (permission, of) in [(Permission::RunsRead, "TraceStep"), (Permission::RunsRead, "LedgerEvent"),
            (Permission::RunsRead, "IncidentEvidence"), (Permission::SystemRead, "SystemRecord"), (Permission::AuditRead, "AuditEntry"),
            (Permission::AuditRead, "LedgerEntry"), (Permission::AuditRead, "LogExport")] {
            assert!(seen_in_all.contains(&(permission, of.to_owned())), "{permission:?} never saw a {of}: {seen_in_all:?}");
        }
    }

    async fn the_access_log_is_opened_by_audit_read_alone(db: TestDb) {
        let app = closed(&db).await;
        every_kind(&app, "ours").await;
        let (auditor, reader) = (with(&app, &[Permission::AuditRead]).await, with(&app, &[Permission::RunsRead]).await);
        let whole = |stream: &str| format!(
            "{{ ledger(stream: {stream}) {{ logId size checkpoint {{ size }} consistencyProof(from: \"1\", to: \"2\") {{ toSize }}
                keys {{ keyId }} verifications {{ nodes {{ id }} }}
                entries(first: 1) {{ nodes {{ sequence leaf receipt inclusionProof {{ size }} record {{ __typename }} }} }} }} }}");
        let log = auditor.query(&whole("ACCESS")).await["ledger"].take();
        let entry = &log["entries"]["nodes"][0];
        assert_eq!(entry["record"]["__typename"], "AuditEntry", "{log}");
        assert!(entry["leaf"].is_string() && entry["receipt"].is_string() && entry["inclusionProof"]["size"].is_string(), "{log}");
        let path = format!("/ledger/{}/tile/entries/000.p/1", log["logId"].as_str().expect("an id"));
        assert_eq!(auditor.get(&path).await.status, 200);
        assert_eq!(reader.get(&path).await.status, 403);
        for (who, stream, needs) in [(&auditor, "EVIDENCE", "runs:read"), (&reader, "ACCESS", "audit:read")] {
            let answer = who.raw_query(&whole(stream), json!({})).await;
            assert_eq!(code(&answer), "FORBIDDEN", "{stream}: {answer}");
            assert!(answer["errors"][0]["message"].to_string().contains(needs), "{answer}");
        }
        let rules: BTreeSet<String> = denied(&db).await.into_iter().map(|(_, rule)| rule).collect();
        assert_eq!(rules, BTreeSet::from(["audit:read".to_owned(), "runs:read".to_owned()]));
        assert_eq!(reader.query(&whole("EVIDENCE")).await["ledger"]["entries"]["nodes"][0]["sequence"], "0");
    }
}
