//! System records: written in batches, listed, attributed; the platform's are everybody's to read and the platform's to write.

use runledger::domain::ids::{RecordId, TenantId};
use runledger::domain::scope::Permission;
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::opened::Opened;

const RECORD: &str = "mutation($input: RecordSystemRecordsInput!) { recordSystemRecords(input: $input) {
    isReplayed results { outcome record { id sequence summary tenantId isPlatformWide details } error { code field message } } } }";

fn deploy(summary: &str) -> Value {
    json!({ "component": "WORKER", "eventType": "DEPLOY", "summary": summary, "occurredAt": "2026-11-21T08:00:00Z" })
}

/// Records some; the results.
async fn record(app: &TestApp, records: Value) -> Value {
    app.query_with(RECORD, json!({ "input": { "records": records } })).await["recordSystemRecords"]["results"].take()
}

async fn summaries(app: &TestApp, filter: &str) -> Vec<String> {
    let query = format!("{{ systemRecords(filter: {{ {filter} }}) {{ nodes {{ summary }} }} }}");
    let found = app.query(&query).await;
    let nodes = found["systemRecords"]["nodes"].as_array().expect("nodes").clone();
    nodes.iter().map(|node| node["summary"].as_str().expect("text").to_owned()).collect()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

/// The application with credentials, and a caller with these permissions.
async fn keyed(db: &crate::support::db::TestDb, tenant: &str, permissions: &[Permission]) -> TestApp {
    let app = TestApp::with(db, AuthSettings::Required(None), GraphqlLimits::default()).await;
    with_key(&app, tenant, permissions).await
}

async fn with_key(app: &TestApp, tenant: &str, permissions: &[Permission]) -> TestApp {
    let tenant_id = TenantId::parse(tenant).expect("a tenant");
    let permissions = permissions.iter().copied().collect();
    let (_, token) = app.logs.create_api_key(tenant_id, None, permissions, None).await.expect("a key");
    app.other_tenant(tenant).with_key(&token)
}

db_test! {
    async fn good_records_are_kept_and_bad_ones_named(db: TestDb) {
        let app = TestApp::on(&db).await;
        let results = record(&app, json!([
            { "component": "API", "eventType": "CONFIG_CHANGE", "severity": "WARN", "causedBy": "HUMAN", "actorType": "HUMAN",
              "actorId": "jane", "serviceName": "chat", "serviceInstanceId": "i1", "sourceComponent": "ops",
              "correlationId": "run-1", "summary": "token of jane.doe@example.test replaced",
              "details": { "password": "hunter2", "limit": 5 } },
            { "component": "API", "eventType": "ERROR", "summary": "s".repeat(513) },
            { "component": "API", "eventType": "ERROR", "summary": "x", "sourceComponent": "server" },
            deploy("second"),
        ])).await;
        let outcomes: Vec<_> = results.as_array().expect("results").iter().map(|result| result["outcome"].clone()).collect();
        assert_eq!(outcomes, ["RECORDED", "REJECTED", "REJECTED", "RECORDED"], "{results}");
        assert_eq!(results[0]["record"]["summary"], "token of [REDACTED] replaced");
        assert_eq!(results[0]["record"]["details"], json!({ "limit": 5, "password": "[REDACTED]" }));
        assert_eq!((&results[1]["error"]["code"], &results[2]["error"]["field"]), (&json!("LIMIT_EXCEEDED"), &json!("sourceComponent")));
        assert_eq!((&results[0]["record"]["tenantId"], &results[3]["record"]["sequence"]), (&json!("ours"), &json!("1")));

        let id = results[0]["record"]["id"].as_str().expect("an id");
        let found = app.query(&format!("{{ systemRecord(id: \"{id}\") {{ component severity causedBy actorId serviceName
            serviceInstanceId sourceComponent correlationId occurredAt metadata {{ tenantId humanActorId origin sourceDomain
            sourceComponent correlationId immutable sequence occurredAt recordedAt }} }} node(id: \"{id}\") {{ __typename id }} }}")).await;
        assert_eq!(found["node"], json!({ "__typename": "SystemRecord", "id": id }));
        let metadata = &found["systemRecord"]["metadata"];
        assert_eq!((&metadata["tenantId"], &metadata["humanActorId"], &metadata["origin"]), (&json!("ours"), &json!("jane"), &json!("HUMAN")));
        assert_eq!((&metadata["sourceDomain"], &metadata["sourceComponent"]), (&json!("SYSTEM"), &json!("ops")));
        assert_eq!((&metadata["immutable"], &metadata["occurredAt"]), (&json!(true), &found["systemRecord"]["occurredAt"]));
        assert!(app.query("{ systemRecord(id: \"sys_x\") { id } }").await["systemRecord"].is_null());
    }

    async fn a_batch_has_a_cap_and_is_recorded_once_under_its_key(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (count, expected) in [(0, "BAD_USER_INPUT"), (1_001, "LIMIT_EXCEEDED")] {
            let records: Vec<Value> = (0..count).map(|_| deploy("x")).collect();
            assert_eq!(code(&app.raw_query(RECORD, json!({ "input": { "records": records } })).await), expected, "{count}");
        }
        let whole: Vec<Value> = (0..1_000).map(|number| deploy(&number.to_string())).collect();
        let results = record(&app, json!(whole)).await;
        assert!(results.as_array().expect("results").iter().all(|result| result["outcome"] == "RECORDED"));

        let keyed = json!({ "input": { "idempotencyKey": "k", "records": [deploy("a"), { "component": "DB", "eventType": "OTHER", "summary": " " }] } });
        let first = app.query_with(RECORD, keyed.clone()).await["recordSystemRecords"].take();
        let again = app.query_with(RECORD, keyed).await["recordSystemRecords"].take();
        assert_eq!((&first["isReplayed"], &again["isReplayed"]), (&json!(false), &json!(true)));
        assert_eq!(first["results"], again["results"]);
        assert_eq!(db.number("SELECT COUNT(*) FROM system_record").await, 1_001);
        let other = json!({ "input": { "idempotencyKey": "k", "records": [deploy("b")] } });
        assert_eq!(code(&app.raw_query(RECORD, other).await), "CONFLICT");
    }

    async fn every_column_is_a_filter_and_both_orders_page(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, json!([
            { "component": "DB", "eventType": "MIGRATION", "severity": "INFO", "summary": "one", "occurredAt": "2026-11-21T08:00:03Z" },
            { "component": "AUTH", "eventType": "AUTH_CHANGE", "severity": "WARN", "summary": "two", "causedBy": "HUMAN", "actorType": "HUMAN",
              "actorId": "jane", "occurredAt": "2026-11-21T08:00:01Z" },
            { "component": "WORKER", "eventType": "ERROR", "severity": "CRITICAL", "summary": "three", "correlationId": "r",
              "serviceName": "chat", "serviceInstanceId": "i", "sourceComponent": "ops", "occurredAt": "2026-11-21T08:00:02Z" },
        ])).await;
        for (filter, expected) in [
            ("", vec!["three", "two", "one"]),
            ("component: [DB, AUTH]", vec!["two", "one"]),
            ("eventType: ERROR", vec!["three"]),
            ("severity: [WARN, CRITICAL]", vec!["three", "two"]),
            ("causedBy: HUMAN", vec!["two"]),
            ("actorType: HUMAN", vec!["two"]),
            ("actorId: \"jane\"", vec!["two"]),
            ("correlationId: \"r\"", vec!["three"]),
            ("serviceName: \"chat\"", vec!["three"]),
            ("serviceInstanceId: \"i\"", vec!["three"]),
            ("sourceComponent: \"graphql\"", vec!["two", "one"]),
            ("occurredAt: { from: \"2026-11-21T08:00:01Z\", to: \"2026-11-21T08:00:03Z\" }", vec!["three", "two"]),
            ("component: []", vec![]),
            ("isPlatformWide: true", vec![]),
        ] {
            assert_eq!(summaries(&app, filter).await, expected, "{filter}");
        }
        let by_time = "query($after: String) { systemRecords(first: 1, after: $after, orderBy: { field: OCCURRED_AT, direction: ASC }) {
            nodes { summary } pageInfo { hasNextPage endCursor } } }";
        let paged: Vec<_> = app.all_nodes(by_time, "systemRecords").await.iter().map(|node| node["summary"].clone()).collect();
        assert_eq!(paged, ["two", "three", "one"]);
        let found = app.query("{ systemRecords(filter: { severity: WARN }, first: 1) { totalCount { value isExact } filtersApplied } }").await;
        assert_eq!(found["systemRecords"], json!({ "totalCount": { "value": 1, "isExact": true },
            "filtersApplied": { "isPlatformWide": false, "severity": ["WARN"] } }));
        let now = app.query("{ ledger { now } }").await["ledger"]["now"].clone();
        record(&app, json!([deploy("later")])).await;
        let then = app.query(&format!("{{ systemRecords(asOf: {now}) {{ nodes {{ summary }} }} }}")).await;
        assert_eq!(then["systemRecords"]["nodes"].as_array().map(Vec::len), Some(3));
        let mixed = app.raw_query(&format!("{{ systemRecords(asOf: {now}, filter: {{ isPlatformWide: true }}) {{ nodes {{ id }} }} }}"), json!({})).await;
        assert_eq!((code(&mixed), &mixed["errors"][0]["extensions"]["field"]), ("BAD_USER_INPUT", &json!("asOf")));
    }

    async fn records_of_the_platform_are_read_by_all_and_written_by_its_scope_only(db: TestDb) {
        let all = keyed(&db, "acme", &[Permission::Admin]).await;
        let platform = with_key(&all, "ops", &[Permission::SystemWrite, Permission::PlatformWrite, Permission::SystemRead]).await;
        let wide = json!({ "input": { "isPlatformWide": true, "idempotencyKey": "k", "records": [deploy("for all")] } });
        assert_eq!(code(&all.raw_query(RECORD, wide.clone()).await), "FORBIDDEN", "admin is not platform:write");
        let only = "mutation($input: RecordSystemRecordsInput!) { recordSystemRecords(input: $input) { isReplayed results {
            record { id tenantId isPlatformWide metadata { tenantId sequence } } } } }";
        let written = platform.query_with(only, wide.clone()).await["recordSystemRecords"].take();
        let record = &written["results"][0]["record"];
        assert_eq!((&record["tenantId"], &record["isPlatformWide"]), (&Value::Null, &json!(true)));
        assert_eq!(record["metadata"], json!({ "tenantId": null, "sequence": "0" }));
        assert_eq!(platform.query_with(only, wide).await["recordSystemRecords"]["isReplayed"], true);

        let id = record["id"].as_str().expect("an id");
        for app in [&all, &platform, &with_key(&all, "globex", &[Permission::SystemRead]).await] {
            assert_eq!(summaries(app, "isPlatformWide: true").await, ["for all"]);
            assert!(!summaries(app, "").await.contains(&"for all".to_owned()), "it is no tenant's own");
            let found = app.query(&format!("{{ systemRecord(id: \"{id}\") {{ summary tenant {{ id }} }} node(id: \"{id}\") {{ id }} }}")).await;
            assert_eq!(found, json!({ "systemRecord": { "summary": "for all", "tenant": null }, "node": { "id": id } }));
        }
    }

    async fn a_tenants_records_are_nobody_elses(db: TestDb) {
        let ours = TestApp::on(&db).await;
        let results = record(&ours, json!([{ "component": "DB", "eventType": "OTHER", "summary": "ours", "details": { "a": 1 } }])).await;
        let id = results[0]["record"]["id"].as_str().expect("an id").to_owned();
        let other = ours.other_tenant("other");
        let found = other.query(&format!("{{ systemRecord(id: \"{id}\") {{ id }} node(id: \"{id}\") {{ id }} systemRecords {{ totalCount {{ value }} }}
            systemAudit {{ items {{ id }} totalCount {{ value }} }} }}")).await;
        assert_eq!(found, json!({ "systemRecord": null, "node": null, "systemRecords": { "totalCount": { "value": 0 } },
            "systemAudit": { "items": [], "totalCount": { "value": 0 } } }));
        let scope = crate::support::seed::scope("other");
        let id = RecordId::parse_typed(&id).expect("typed").1;
        assert!(other.store.system_details_by_id(&scope, &[id]).await.expect("read").opened().is_empty());
    }

    async fn each_field_needs_its_scope(db: TestDb) {
        let reader = keyed(&db, "acme", &[Permission::SystemRead]).await;
        assert_eq!(code(&reader.raw_query(RECORD, json!({ "input": { "records": [deploy("x")] } })).await), "FORBIDDEN");
        let runs = with_key(&reader, "acme", &[Permission::RunsRead]).await;
        for query in ["{ systemRecords { nodes { id } } }", "{ systemAudit { items { id } } }", "{ systemRecord(id: \"sys_x\") { id } }"] {
            assert_eq!(code(&runs.raw_query(query, json!({})).await), "FORBIDDEN", "{query}");
            assert!(reader.raw_query(query, json!({})).await.get("errors").is_none(), "{query}");
        }
        let writer = with_key(&reader, "acme", &[Permission::SystemWrite]).await;
        let only = "mutation($input: RecordSystemRecordsInput!) { recordSystemRecords(input: $input) { results { outcome } } }";
        let with_details = json!({ "input": { "records": [{ "component": "DB", "eventType": "OTHER", "summary": "x", "details": {} }] } });
        assert_eq!(writer.query_with(only, with_details).await["recordSystemRecords"]["results"][0]["outcome"], "RECORDED");
        let details = reader.raw_query("{ systemRecords(filter: { component: [DB] }) { nodes { summary details } } }", json!({})).await;
        assert_eq!((code(&details), &details["data"]["systemRecords"]["nodes"]), ("FORBIDDEN", &json!([{ "summary": "x", "details": null }])));
    }

    async fn the_audit_attributes_changes_and_counts_truly(db: TestDb) {
        let app = TestApp::on(&db).await;
        let change = |kind: &str, by: &str| json!({ "component": "API", "eventType": kind, "summary": kind, "causedBy": by,
            "actorType": if by == "HUMAN" { "HUMAN" } else { "SYSTEM" }, "actorId": "someone", "serviceName": "chat" });
        record(&app, json!([change("STARTUP", "SYSTEM"), change("ERROR", "SYSTEM"), change("DEPLOY", "AUTOMATION"), change("HEALTH_CHECK", "SYSTEM"),
            change("AUTH_CHANGE", "HUMAN"), change("SHUTDOWN", "SYSTEM"), change("OTHER", "SYSTEM"), change("MIGRATION", "SYSTEM"),
            change("RESTART", "SYSTEM"), change("CONFIG_CHANGE", "HUMAN")])).await;
        let found = app.query("{ systemAudit(first: 3) { items { eventType causedBy actorType actorId serviceName record { id } } totalCount { value isExact }
            pageInfo { hasNextPage endCursor } metadata { sourceDomain occurredAt immutable sequence } }
            humans: systemAudit(filter: { causedBy: HUMAN, eventType: [CONFIG_CHANGE, ERROR] }) { items { eventType } totalCount { value } } }").await;
        let audit = &found["systemAudit"];
        assert_eq!(audit["totalCount"], json!({ "value": 7, "isExact": true }));
        let kinds: Vec<_> = audit["items"].as_array().expect("items").iter().map(|item| item["eventType"].clone()).collect();
        assert_eq!(kinds, ["CONFIG_CHANGE", "RESTART", "MIGRATION"]);
        assert_eq!((&audit["items"][0]["causedBy"], &audit["items"][0]["actorId"]), (&json!("HUMAN"), &json!("someone")));
        assert_eq!((&audit["metadata"]["sourceDomain"], &audit["pageInfo"]["hasNextPage"]), (&json!("SYSTEM"), &json!(true)));
        let rest = app.query(&format!("{{ systemAudit(first: 10, after: {}) {{ items {{ eventType }} }} }}", audit["pageInfo"]["endCursor"])).await;
        assert_eq!(rest["systemAudit"]["items"].as_array().map(Vec::len), Some(4));
        assert_eq!(found["humans"], json!({ "items": [{ "eventType": "CONFIG_CHANGE" }], "totalCount": { "value": 1 } }));
    }
}
