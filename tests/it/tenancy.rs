//! Two tenants: nothing of the other is read, by any root field, nested field, `node` or `_entities`, and nothing of it
//! is changed by any mutation.

use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::walk::Schema;

/// Stands in every text of the other tenant's records, so that any leak shows.
const MARK: &str = "zebra";
/// Deep enough for runs, edges, node, trace, steps, nodes and their fields.
const DEPTH: usize = 5;

/// Without the limits that keep such documents out: this test is about what would be read.
async fn lenient(db: &TestDb) -> TestApp {
    let mut limits = GraphqlLimits::default();
    limits.document.complexity = u64::MAX;
    limits.document.rows = u64::MAX;
    limits.document.selections = u64::MAX;
    limits.document.tokens = u64::MAX;
    limits.document.aliases = u64::MAX;
    limits.body_bytes = 64 << 20;
    TestApp::with(db, AuthSettings::Off, limits).await
}

/// A tenant's run with a trace, two steps, and one trace that is still open.
async fn record(app: &TestApp, mark: &str) -> Value {
    let mut run = app
        .query_with(
            "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) {
               run { id runId traceId tenant { id } agent { id } traceRootHash trace { trace { id } steps { nodes { id } } } } } }",
            json!({ "input": {
                "runId": format!("{mark}-run"), "name": format!("{mark} name"), "agentId": format!("{mark}-agent"),
                "sessionId": format!("{mark}-session"), "tags": [mark], "provider": mark, "model": mark,
                "inputTokens": 1, "outputTokens": 2,
                "trace": { "traceId": format!("{mark}-trace"), "planHash": format!("{mark}-plan") },
                "steps": [
                    { "spanId": format!("{mark}-1"), "kind": "LLM", "skillName": mark, "status": "SUCCESS",
                      "startedAt": "2026-11-21T08:00:00Z", "durationMs": 5, "idempotencyKey": format!("{mark}-key"),
                      "attributes": { "note": mark } },
                    { "spanId": format!("{mark}-2"), "kind": "TOOL", "skillName": mark, "status": "FAILURE",
                      "startedAt": "2026-11-21T08:00:01Z", "durationMs": 5 }
                ]
            } }),
        )
        .await["recordLlmRun"]["run"]
        .clone();
    let open = format!("{mark}-open");
    run["audit"] = record_audit(app, mark).await;
    app.query_with(
        "mutation($input: StartTraceInput!) { startTrace(input: $input) { trace { id } } }",
        json!({ "input": { "traceId": open, "runId": format!("{mark}-open-run") } }),
    )
    .await;
    app.query_with(
        "mutation($incident: RecordIncidentEvidenceInput!, $policy: RecordPolicyActivationInput!) {
           recordIncidentEvidence(input: $incident) { isReplayed } recordPolicyActivation(input: $policy) { isReplayed } }",
        json!({
            "incident": { "incidentId": format!("{mark}-incident"), "severity": "HIGH", "status": mark, "title": mark,
                "sourceRunId": format!("{mark}-run"), "policyId": format!("{mark}-policy"),
                "openedAt": "2026-11-21T08:00:00Z" },
            "policy": { "policyId": format!("{mark}-policy"), "sourcePatternId": mark, "confidence": 0.5,
                "confidenceVersion": mark, "approvalPath": "auto", "activatedAt": "2026-11-21T08:00:00Z" }
        }),
    )
    .await;
    let system = app
        .query_with(
            "mutation($input: RecordSystemRecordsInput!) { recordSystemRecords(input: $input) { results { record { id } } } }",
            json!({ "input": { "records": [{ "component": "WORKER", "eventType": "DEPLOY", "summary": mark,
                "correlationId": format!("{mark}-run"), "actorId": mark, "serviceName": mark,
                "occurredAt": "2026-11-21T08:00:00Z", "details": { "note": mark } }] } }),
        )
        .await;
    run["systemId"] = system["recordSystemRecords"]["results"][0]["record"]["id"].clone();
    run
}

/// An entry of each category that a caller may write; the first one's id.
async fn record_audit(app: &TestApp, mark: &str) -> Value {
    let entry = |event_type: &str, category: &str| {
        json!({ "eventType": event_type, "category": category, "entityType": "PRINCIPAL", "entityId": mark, "actorType": "HUMAN",
            "actorId": mark, "policyId": mark, "ruleId": mark, "runId": format!("{mark}-run"), "correlationId": mark,
            "sourceComponent": mark, "reason": mark, "before": { "was": mark }, "after": { "is": mark } })
    };
    let entries = [
        entry("PolicyEvaluated", "GOVERNANCE"),
        entry("RoleGranted", "IDENTITY"),
        entry("RoleChecked", "AUTHORIZATION"),
        entry("FileOpened", "ACCESS"),
    ];
    app.query_with(
        "mutation($input: AppendAuditEntriesInput!) { appendAuditEntries(input: $input) { results { entry { id } } } }",
        json!({ "input": { "entries": entries } }),
    )
    .await["appendAuditEntries"]["results"][0]["entry"]["id"]
        .clone()
}

/// Arguments that point at the given run.
fn pointing_at(run: &Value, mark: &str) -> impl Fn(&str, &str) -> Option<String> {
    let quoted = |value: &Value| value.to_string();
    let (id, run_id, trace_id) = (quoted(&run["id"]), quoted(&run["runId"]), quoted(&run["traceId"]));
    let system_id = quoted(&run["systemId"]);
    let key = json!(format!("{mark}-key")).to_string();
    let audit = quoted(&run["audit"]);
    let incident = json!(format!("{mark}-incident")).to_string();
    move |field: &str, argument: &str| match (field, argument) {
        ("node", "id") => Some(id.clone()),
        ("auditEntry", "id") => Some(audit.clone()),
        ("systemRecord", "id") => Some(system_id.clone()),
        (_, "runId") => Some(run_id.clone()),
        (_, "by" | "left" | "right") => Some(format!("{{ traceId: {trace_id} }}")),
        (_, "key") => Some(key.clone()),
        (_, "incidentId") => Some(incident.clone()),
        (_, "text") => Some("\"a text\"".to_owned()),
        (_, "first") => Some("1".to_owned()),
        _ => None,
    }
}

db_test! {
    async fn every_query_field_stays_in_its_tenant(db: TestDb) {
        let ours = lenient(&db).await;
        let theirs = ours.other_tenant("other");
        record(&ours, "okapi").await;
        let run = record(&theirs, MARK).await;
        let schema = Schema::of(&ours).await;
        let argument = pointing_at(&run, MARK);
        let (mut walked, mut seen_by_owner) = (0, 0);
        for field in schema.fields("Query") {
            let name = field["name"].as_str().expect("a name");
            if name.starts_with('_') {
                continue;
            }
            let selected = schema.select(field, DEPTH, &argument).unwrap_or_else(|| panic!("{name} has an argument that this test must learn"));
            let query = format!("{{ {selected} }}");
            let answer = ours.raw_query(&query, json!({})).await;
            assert!(answer.get("data").is_some(), "{name} was not run: {answer}");
            let answer = answer.to_string();
            assert!(!answer.contains(MARK), "{name} shows another tenant's record: {answer}");
            seen_by_owner += usize::from(theirs.raw_query(&query, json!({})).await.to_string().contains(MARK));
            walked += 1;
        }
        assert!(walked >= 8, "only {walked} root fields were walked");
        assert!(seen_by_owner >= 5, "the walk finds the mark for its owner, else it proves nothing ({seen_by_owner})");
    }

    async fn every_entity_and_every_id_stays_in_its_tenant(db: TestDb) {
        let ours = lenient(&db).await;
        let theirs = ours.other_tenant("other");
        record(&ours, "okapi").await;
        let run = record(&theirs, MARK).await;
        let schema = Schema::of(&ours).await;
        let argument = pointing_at(&run, MARK);
        let keys = [
            ("LlmRun", json!({ "id": run["id"] })),
            ("LlmRun", json!({ "runId": run["runId"] })),
            ("Trace", json!({ "id": run["trace"]["trace"]["id"] })),
            ("Trace", json!({ "traceId": run["traceId"] })),
            ("AuditEntry", json!({ "id": run["audit"] })),
            ("Tenant", json!({ "id": run["tenant"]["id"] })),
        ];
        for (type_name, mut key) in keys {
            key["__typename"] = json!(type_name);
            let selection = schema.everything(type_name, 4, &argument);
            let query = format!("query($key: _Any!) {{ _entities(representations: [$key]) {{ ... on {type_name} {{ {selection} }} }} }}");
            let answer = ours.raw_query(&query, json!({ "key": key })).await;
            assert_eq!(answer["data"]["_entities"], json!([null]), "{type_name} {key}: {answer}");
            let owner = theirs.raw_query(&query, json!({ "key": key })).await.to_string();
            assert!(owner.contains(MARK), "{type_name} {key} is not found by its owner: {owner}");
        }
        let step = &run["trace"]["steps"]["nodes"][0]["id"];
        for id in [&run["id"], &run["trace"]["trace"]["id"], step, &run["audit"], &run["systemId"]] {
            assert!(id.is_string(), "{run}");
            let query = "query($id: ID!) { node(id: $id) { id } }";
            assert_eq!(ours.raw_query(query, json!({ "id": id })).await["data"]["node"], Value::Null, "{id}");
            assert_eq!(&theirs.raw_query(query, json!({ "id": id })).await["data"]["node"]["id"], id);
        }
    }

    async fn mutations_do_not_reach_another_tenants_trace(db: TestDb) {
        let ours = lenient(&db).await;
        let theirs = ours.other_tenant("other");
        record(&theirs, MARK).await;
        let before = theirs.query("{ traces { nodes { traceId status totalSteps } } llmRuns { nodes { runId revision } } }").await;
        let open = format!("{MARK}-open");
        let step = json!({ "kind": "TOOL", "skillName": "x", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 });
        for (mutation, input, input_type) in [
            ("recordSteps", json!({ "traceId": open, "steps": [step] }), "RecordStepsInput"),
            ("completeTrace", json!({ "traceId": open }), "CompleteTraceInput"),
            ("abortTrace", json!({ "traceId": open }), "AbortTraceInput"),
        ] {
            let query = format!("mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ trace {{ id }} }} }}");
            let answer = ours.raw_query(&query, json!({ "input": input })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{mutation}: {answer}");
        }
        // The same names are free in each tenant.
        record(&ours, MARK).await;
        let after = theirs.query("{ traces { nodes { traceId status totalSteps } } llmRuns { nodes { runId revision } } }").await;
        assert_eq!(before, after);
    }
}
