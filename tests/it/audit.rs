//! The audit ledger through the real router: what is appended, what is refused, what is read of it.

use runledger::domain::scope::Permission;
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::seed::tenant;

const APPEND: &str = "mutation($input: AppendAuditEntriesInput!) { appendAuditEntries(input: $input) { isReplayed results {
    outcome error { code field message } entry { id category eventType entityType entityId actorType actorId verdict action
    decision policyId ruleId runId correlationId sourceComponent occurredAt sequence reason before after } } } }";

fn entry(event_type: &str, more: Value) -> Value {
    let mut entry = json!({ "eventType": event_type, "entityType": "LIMIT", "entityId": "limit-1" });
    entry.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    entry
}

async fn append(app: &TestApp, entries: &[Value]) -> Vec<Value> {
    let answer = app.query_with(APPEND, json!({ "input": { "entries": entries } })).await;
    answer["appendAuditEntries"]["results"].as_array().expect("results").clone()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

db_test! {
    async fn good_entries_are_kept_and_bad_ones_named(db: TestDb) {
        let app = TestApp::on(&db).await;
        let results = append(&app, &[
            entry("LimitBreached", json!({ "verdict": "DENY", "action": "BLOCKED", "policyId": "p", "ruleId": "r",
                "occurredAt": "2026-11-21T08:00:00Z", "correlationId": "c", "sourceComponent": "limits" })),
            entry("limit_breached", json!({})),
            entry("LimitBreached", json!({ "category": "EXPORT" })),
            entry("RoleGranted", json!({})),
            entry("RoleGranted", json!({ "category": "IDENTITY", "actorType": "HUMAN", "actorId": "jo" })),
            entry("LimitBreached", json!({ "entityId": "" })),
            entry("LimitBreached", json!({ "after": 9_007_199_254_740_993_i64 })),
        ]).await;
        let outcomes: Vec<_> = results.iter().map(|result| (result["outcome"].as_str(), result["error"]["field"].as_str())).collect();
        assert_eq!(outcomes, [
            (Some("RECORDED"), None),
            (Some("REJECTED"), Some("entries[1].eventType")),
            (Some("REJECTED"), Some("entries[2].category")),
            (Some("REJECTED"), Some("entries[3].category")),
            (Some("RECORDED"), None),
            (Some("REJECTED"), Some("entries[5].entityId")),
            (Some("REJECTED"), Some("entries[6].after")),
        ], "{results:?}");
        let first = &results[0]["entry"];
        assert_eq!(first["category"], "GOVERNANCE");
        assert_eq!((&first["decision"], &first["actorType"], &first["actorId"]), (&json!("DENY"), &json!("SYSTEM"), &json!("anonymous")));
        assert_eq!(first["occurredAt"], "2026-11-21T08:00:00.000000Z");
        let listed = app.query("{ auditEntries(orderBy: { direction: ASC }) { nodes { id } totalCount { value isExact } } }").await;
        assert_eq!(listed["auditEntries"]["nodes"], json!([{ "id": first["id"] }, { "id": results[4]["entry"]["id"] }]));
        assert_eq!(listed["auditEntries"]["totalCount"], json!({ "value": 2, "isExact": true }));
    }

    async fn what_the_server_says_of_itself_cannot_be_forged(db: TestDb) {
        let app = TestApp::on(&db).await;
        let names = ["LogViewed", "AccessDenied", "AccessAllowed", "IntegrityVerified", "AnomalyDetected", "SigningKeyAdded",
            "ApiKeyCreated", "ApiKeyForgotten", "PrincipalFirstSeen", "LogExported", "BundleDownloaded"];
        let forged: Vec<_> = names.iter().map(|name| entry(name, json!({}))).collect();
        for result in append(&app, &forged).await {
            assert_eq!((&result["outcome"], &result["error"]["code"]), (&json!("REJECTED"), &json!("BAD_USER_INPUT")), "{result}");
        }
        let posing = append(&app, &[entry("LimitBreached", json!({ "sourceComponent": "server" }))]).await;
        assert_eq!(posing[0]["error"]["field"], "entries[0].sourceComponent");
    }

    async fn a_call_brings_1_to_1000_entries(db: TestDb) {
        let app = TestApp::on(&db).await;
        let many = |count: usize| json!({ "input": { "entries": vec![entry("LimitBreached", json!({})); count] } });
        let counted = "mutation($input: AppendAuditEntriesInput!) { appendAuditEntries(input: $input) { results { outcome } } }";
        assert_eq!(code(&app.raw_query(counted, many(0)).await), "BAD_USER_INPUT");
        let answer = app.raw_query(counted, many(1_001)).await;
        assert_eq!(code(&answer), "LIMIT_EXCEEDED");
        assert_eq!((&answer["errors"][0]["extensions"]["limit"], &answer["errors"][0]["extensions"]["value"]), (&json!(1_000), &json!(1_001)));
        let answer = app.query_with(counted, many(1_000)).await;
        let results = answer["appendAuditEntries"]["results"].as_array().expect("results");
        assert!(results.len() == 1_000 && results.iter().all(|result| result["outcome"] == "RECORDED"));
    }

    async fn the_same_key_writes_each_log_once_and_answers_alike(db: TestDb) {
        let app = TestApp::on(&db).await;
        let entries = json!([
            entry("LimitBreached", json!({})),
            entry("Bad Name", json!({})),
            entry("FileOpened", json!({ "category": "ACCESS" })),
            entry("LimitUpdated", json!({})),
        ]);
        let input = json!({ "input": { "entries": entries, "idempotencyKey": "k" } });
        let first = app.query_with(APPEND, input.clone()).await["appendAuditEntries"].take();
        let again = app.query_with(APPEND, input).await["appendAuditEntries"].take();
        assert_eq!((&first["isReplayed"], &again["isReplayed"]), (&json!(false), &json!(true)));
        assert_eq!(first["results"], again["results"]);
        assert_eq!(first["results"][1]["outcome"], "REJECTED");
        let other = json!({ "input": { "entries": [entry("LimitCreated", json!({}))], "idempotencyKey": "k" } });
        assert_eq!(code(&app.raw_query(APPEND, other).await), "CONFLICT");
        let listed = app.query("{ a: auditEntries { totalCount { value } }
            b: auditEntries(filter: { category: ACCESS }) { nodes { eventType sequence } } }").await;
        assert_eq!(listed["a"]["totalCount"]["value"], 2);
        assert_eq!(listed["b"]["nodes"], json!([{ "eventType": "FileOpened", "sequence": "0" }]));
    }

    async fn the_run_is_lifted_from_the_states(db: TestDb) {
        let app = TestApp::on(&db).await;
        let results = append(&app, &[
            entry("LimitBreached", json!({ "before": { "run_id": "old" }, "after": { "source_run_id": "new" } })),
            entry("LimitBreached", json!({ "after": { "sourceRunId": "camel" } })),
            entry("LimitBreached", json!({ "runId": "sent", "after": { "run_id": "state" } })),
            entry("LimitBreached", json!({ "after": { "deep": { "run_id": "x" } } })),
        ]).await;
        let runs: Vec<_> = results.iter().map(|result| result["entry"]["runId"].as_str()).collect();
        assert_eq!(runs, [Some("new"), Some("camel"), Some("sent"), None]);
        let found = app.query("{ auditEntries(filter: { runId: [\"new\"] }) { totalCount { value } } }").await;
        assert_eq!(found["auditEntries"]["totalCount"]["value"], 1);
    }

    async fn redaction_covers_reason_and_states(db: TestDb) {
        let app = TestApp::on(&db).await;
        let secret = "jane.doe@example.test";
        let results = append(&app, &[entry("LimitBreached", json!({
            "reason": format!("asked by {secret}"),
            "before": { "api_key": "abc", "note": "{\"password\": \"hunter2\"}" },
            "after": [{ "mail": secret }],
        }))]).await;
        let stored = &results[0]["entry"];
        assert_eq!(stored["reason"], "asked by [REDACTED]");
        assert_eq!(stored["before"]["api_key"], "[REDACTED]");
        assert_eq!(stored["after"], json!([{ "mail": "[REDACTED]" }]));
        assert!(!stored.to_string().contains("hunter2"), "{stored}");
    }

    async fn an_entry_shows_where_its_states_differ(db: TestDb) {
        let app = TestApp::on(&db).await;
        let results = append(&app, &[
            entry("LimitUpdated", json!({
                "before": { "max": 5, "tags": ["a", "b"], "owner/team": null }, "after": { "max": 7, "tags": ["a"], "on": true } })),
            entry("LimitCreated", json!({ "after": { "max": 1 } })),
            entry("LimitBreached", json!({})),
            entry("LimitUpdated", json!({ "before": vec![0; 600], "after": vec![1; 600] })),
            entry("LimitUpdated", json!({ "before": { "$serde_json::private::RawValue": "[1]" }, "after": { "n": 1 } })),
        ]).await;
        let changes = |at: usize| {
            let (app, id) = (app.clone(), results[at]["entry"]["id"].clone());
            async move {
                let query = "query($id: ID!) { auditEntry(id: $id) { changes { truncated items { path kind before after } } } }";
                app.query_with(query, json!({ "id": id })).await["auditEntry"]["changes"].clone()
            }
        };
        assert_eq!(changes(0).await, json!({ "truncated": false, "items": [
            { "path": "/max", "kind": "CHANGED", "before": 5, "after": 7 },
            { "path": "/on", "kind": "ADDED", "before": null, "after": true },
            { "path": "/owner~1team", "kind": "REMOVED", "before": null, "after": null },
            { "path": "/tags/1", "kind": "REMOVED", "before": "b", "after": null },
        ] }));
        assert_eq!(changes(1).await["items"], json!([{ "path": "", "kind": "ADDED", "before": null, "after": { "max": 1 } }]));
        assert_eq!(changes(2).await, Value::Null);
        let many = changes(3).await;
        assert_eq!((&many["truncated"], many["items"].as_array().map(Vec::len)), (&json!(true), Some(500)));
        assert_eq!(changes(4).await["items"], json!([
            { "path": "/$serde_json::private::RawValue", "kind": "REMOVED", "before": "[1]", "after": null },
            { "path": "/n", "kind": "ADDED", "before": null, "after": 1 },
        ]), "a name that a library reads as something else is a name here");
    }

    async fn payloads_are_read_only_when_selected_one_statement_a_part(db: TestDb) {
        let app = TestApp::on(&db).await;
        let entries: Vec<_> = (0..30).map(|n| entry("LimitUpdated", json!({ "reason": "r", "before": { "n": n }, "after": { "n": -n - 1 } }))).collect();
        append(&app, &entries).await;
        let (_, without) = app.counted("{ auditEntries(first: 30) { nodes { id eventType runId metadata { policyIds } } } }", json!({})).await;
        assert_eq!(without, 1);
        let (answer, with) = app.counted("{ auditEntries(first: 30) { nodes { reason before after changes { items { path } } } } }", json!({})).await;
        assert!(with <= 4, "{with} statements");
        assert_eq!(answer["auditEntries"]["nodes"][0]["changes"]["items"], json!([{ "path": "/n" }]));
    }

    async fn what_a_key_may_do_is_what_it_says(db: TestDb) {
        let app = TestApp::with(&db, AuthSettings::Required(None), GraphqlLimits::default()).await;
        let keyed = async |permissions: &[Permission]| {
            let permissions = permissions.iter().copied().collect();
            let (_, token) = app.logs.create_api_key(tenant("ours"), None, permissions, None).await.expect("a key");
            app.with_key(&token)
        };
        let writer = keyed(&[Permission::AuditWrite, Permission::PayloadsRead]).await;
        let results = append(&writer, &[entry("LimitBreached", json!({ "runId": "r", "after": { "a": 1 } }))]).await;
        let id = results[0]["entry"]["id"].clone();
        assert!(results[0]["entry"]["actorId"].as_str().is_some_and(|id| id.starts_with("key:")), "{results:?}");
        assert_eq!(code(&writer.raw_query("{ auditEntries { nodes { id } } }", json!({})).await), "FORBIDDEN");
        let reader = keyed(&[Permission::AuditRead]).await;
        let query = "query($id: ID!) { auditEntry(id: $id) { id eventType after } }";
        let answer = reader.raw_query(query, json!({ "id": id })).await;
        assert_eq!((code(&answer), &answer["data"]["auditEntry"]["eventType"]), ("FORBIDDEN", &json!("LimitBreached")));
        assert_eq!(answer["data"]["auditEntry"]["after"], Value::Null);
        assert_eq!(code(&reader.raw_query(APPEND, json!({ "input": { "entries": [] } })).await), "FORBIDDEN");
        let runs = keyed(&[Permission::RunsRead]).await;
        for query in ["{ auditEntries { nodes { id } } }", "{ auditIdentity { totalCount { value } } }", "{ auditExports { totalCount { value } } }"] {
            assert_eq!(code(&runs.raw_query(query, json!({})).await), "FORBIDDEN", "{query}");
        }
        let node = runs.raw_query("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!((code(&node), &node["data"]["node"]), ("FORBIDDEN", &Value::Null));
    }

    async fn a_list_is_of_one_log_and_says_so(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, &[entry("LimitBreached", json!({}))]).await;
        let both = app.raw_query("{ auditEntries(filter: { category: [ACCESS, IDENTITY] }) { nodes { id } } }", json!({})).await;
        assert_eq!((code(&both), &both["errors"][0]["extensions"]["field"]), ("BAD_USER_INPUT", &json!("filter.category")));
        let now = app.query("{ ledger { now } }").await["ledger"]["now"].clone();
        append(&app, &[entry("LimitUpdated", json!({}))]).await;
        let query = "query($now: String, $filter: AuditFilter) { auditEntries(asOf: $now, filter: $filter) { nodes { eventType } } }";
        let then = app.query_with(query, json!({ "now": now })).await;
        assert_eq!(then["auditEntries"]["nodes"], json!([{ "eventType": "LimitBreached" }]));
        let access = app.raw_query(query, json!({ "now": now, "filter": { "category": "ACCESS" } })).await;
        assert_eq!((code(&access), &access["errors"][0]["extensions"]["field"]), ("BAD_USER_INPUT", &json!("asOf")));
    }
}
