//! Views of the audit ledger: each its own category, with its own fields, true totals and metadata.

use runledger::domain::audit::AuditEntry;
use runledger::domain::export::LogExport;
use runledger::domain::ids::IdKind;
use runledger::domain::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExportFormat, ExportStatus, Verdict,
};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::audit::{entry, export, write, write_export};
use crate::support::db::TestDb;
use crate::support::seed::at;

/// One entry of each category, decisions of every kind, and a read.
async fn story(app: &TestApp, db: &TestDb, tenant: &str) {
    let decided =
        |verdict, action| AuditEntry { verdict, action, ..entry(AuditCategory::Authorization, "AccessDenied") };
    let person =
        |entry: AuditEntry| AuditEntry { actor_type: ActorType::Human, actor_id: Some("jo".to_owned()), ..entry };
    let entries = vec![
        person(AuditEntry { entity_type: AuditEntityType::ApiKey, ..entry(AuditCategory::Identity, "ApiKeyCreated") }),
        entry(AuditCategory::Identity, "PrincipalFirstSeen"),
        decided(Some(Verdict::Deny), Some(AuditAction::Blocked)),
        decided(Some(Verdict::Deny), Some(AuditAction::Overridden)),
        decided(Some(Verdict::Warn), None),
        decided(None, None),
        entry(AuditCategory::Integrity, "IntegrityVerified"),
        entry(AuditCategory::Governance, "LimitBreached"),
    ];
    write(&app.store, &db.clock, tenant, entries, None).await;
    let read = person(AuditEntry { occurred_at: at(7), ..entry(AuditCategory::Access, "LogViewed") });
    let detail = r#"{"count":3,"kinds":["llm_run"],"record_ids":["run_1","run_2"],"repeat_count":4}"#;
    write(&app.store, &db.clock, tenant, vec![read], Some(detail)).await;
}

db_test! {
    async fn views_are_not_one_unfiltered_list_and_decisions_are_no_constants(db: TestDb) {
        let app = TestApp::on(&db).await;
        story(&app, &db, "ours").await;
        let answer = app.query("{
            identity: auditIdentity { totalCount { value isExact } events { nodes { eventType entityType actorType actorId } } }
            authorization: auditAuthorization { totalCount { value isExact } events { nodes { verdict action decision } } }
            access: auditAccess { totalCount { value isExact } events { nodes { eventType actorId recordIds repeatCount } } }
            exports: auditExports { totalCount { value isExact } exports { nodes { id } } } }").await;
        assert_eq!(answer["identity"], json!({ "totalCount": { "value": 2, "isExact": true }, "events": { "nodes": [
            { "eventType": "PrincipalFirstSeen", "entityType": "PRINCIPAL", "actorType": "SYSTEM", "actorId": null },
            { "eventType": "ApiKeyCreated", "entityType": "API_KEY", "actorType": "HUMAN", "actorId": "jo" },
        ] } }));
        assert_eq!(answer["authorization"]["events"]["nodes"], json!([
            { "verdict": null, "action": null, "decision": null },
            { "verdict": "WARN", "action": null, "decision": "WARN" },
            { "verdict": "DENY", "action": "OVERRIDDEN", "decision": "OVERRIDE" },
            { "verdict": "DENY", "action": "BLOCKED", "decision": "DENY" },
        ]));
        assert_eq!(answer["authorization"]["totalCount"]["value"], 4);
        assert_eq!(answer["access"], json!({ "totalCount": { "value": 1, "isExact": true }, "events": { "nodes": [
            { "eventType": "LogViewed", "actorId": "jo", "recordIds": ["run_1", "run_2"], "repeatCount": 4 } ] } }));
        assert_eq!(answer["exports"], json!({ "totalCount": { "value": 0, "isExact": true }, "exports": { "nodes": [] } }));
    }

    async fn totals_and_has_next_page_respect_the_filter(db: TestDb) {
        let app = TestApp::on(&db).await;
        story(&app, &db, "ours").await;
        let answer = app.query("{
            a: auditAuthorization(filter: { action: [BLOCKED, OVERRIDDEN] }) { totalCount { value }
                events(first: 2) { nodes { decision } pageInfo { hasNextPage } totalCount { value } filtersApplied } }
            b: auditAuthorization(filter: { verdict: DENY }) { totalCount(cap: 1) { value isExact } events(first: 1) { pageInfo { hasNextPage } } }
            c: auditEntries(filter: { category: [AUTHORIZATION], verdict: WARN }, first: 1) { totalCount { value } pageInfo { hasNextPage } } }").await;
        assert_eq!((&answer["a"]["totalCount"]["value"], &answer["a"]["events"]["totalCount"]["value"]), (&json!(2), &json!(2)));
        assert_eq!(answer["a"]["events"]["pageInfo"]["hasNextPage"], false);
        assert_eq!(answer["a"]["events"]["filtersApplied"], json!({ "action": ["BLOCKED", "OVERRIDDEN"] }));
        assert_eq!(answer["b"]["totalCount"], json!({ "value": 1, "isExact": false }));
        assert_eq!(answer["b"]["events"]["pageInfo"]["hasNextPage"], true);
        assert_eq!(answer["c"], json!({ "totalCount": { "value": 1 }, "pageInfo": { "hasNextPage": false } }));
    }

    async fn evidence_metadata_is_filled_from_the_record_or_null(db: TestDb) {
        let app = TestApp::on(&db).await;
        const METADATA: &str = "metadata { tenantId humanActorId systemId origin sourceDomain sourceComponent occurredAt sequence immutable }";
        let views = format!("{{ auditIdentity {{ {METADATA} }} auditAccess {{ {METADATA} }} auditExports {{ {METADATA} }} }}");
        let empty = app.query(&views).await;
        for view in ["auditIdentity", "auditAccess", "auditExports"] {
            let metadata = &empty[view]["metadata"];
            assert_eq!((&metadata["tenantId"], &metadata["occurredAt"], &metadata["sequence"]), (&json!("ours"), &Value::Null, &Value::Null));
        }
        story(&app, &db, "ours").await;
        let full = app.query(&views).await;
        assert_eq!(full["auditAccess"]["metadata"]["occurredAt"], at(7).to_rfc3339());
        assert_eq!(full["auditIdentity"]["metadata"]["sequence"], "1");
        let entry = app.query(&format!("{{ auditEntries(filter: {{ eventType: \"ApiKeyCreated\" }}) {{ nodes {{ {METADATA} }} }} }}")).await;
        assert_eq!(entry["auditEntries"]["nodes"][0]["metadata"], json!({
            "tenantId": "ours", "humanActorId": "jo", "systemId": null, "origin": "HUMAN", "sourceDomain": "LOGS",
            "sourceComponent": "server", "occurredAt": at(0).to_rfc3339(), "sequence": "0", "immutable": true }));
    }

    async fn an_export_is_delivered_when_it_is_first_downloaded(db: TestDb) {
        let app = TestApp::on(&db).await;
        let failed = LogExport { status: ExportStatus::Failed, checksum: None, format: ExportFormat::Pdf, ..export("kim") };
        let waiting = write_export(&app.store, &db.clock, "ours", failed).await;
        let fetched = write_export(&app.store, &db.clock, "ours", export("jo")).await;
        let download = |seconds| AuditEntry {
            entity_type: AuditEntityType::LogExport,
            entity_id: fetched.typed(IdKind::Export),
            occurred_at: at(seconds),
            ..entry(AuditCategory::Export, "BundleDownloaded")
        };
        write(&app.store, &db.clock, "ours", vec![download(9), download(5)], None).await;
        write(&app.store, &db.clock, "theirs", vec![download(1)], None).await;
        let query = "{ auditExports { exports { nodes { id scope format requestedBy status checksum deliveredAt recordCount filter } } } }";
        let (answer, statements) = app.counted(query, json!({})).await;
        assert_eq!(statements, 2);
        assert_eq!(answer["auditExports"]["exports"]["nodes"], json!([
            { "id": fetched.typed(IdKind::Export), "scope": "AUDIT", "format": "NDJSON", "requestedBy": "jo", "status": "COMPLETED",
              "checksum": "09".repeat(32), "deliveredAt": at(5).to_rfc3339(), "recordCount": 3, "filter": {} },
            { "id": waiting.typed(IdKind::Export), "scope": "AUDIT", "format": "PDF", "requestedBy": "kim", "status": "FAILED",
              "checksum": null, "deliveredAt": null, "recordCount": 3, "filter": {} },
        ]));
        let only = app.query("{ auditExports(filter: { requestedBy: \"kim\", status: FAILED }) { totalCount { value } exports { nodes { format } } } }").await;
        assert_eq!(only["auditExports"], json!({ "totalCount": { "value": 1 }, "exports": { "nodes": [{ "format": "PDF" }] } }));
        let node = app.query_with("query($id: ID!) { node(id: $id) { ... on LogExport { requestedBy } } }", json!({ "id": fetched.typed(IdKind::Export) })).await;
        assert_eq!(node["node"]["requestedBy"], "jo");
    }

    async fn a_tenants_views_show_its_own_entries_only(db: TestDb) {
        let app = TestApp::on(&db).await;
        story(&app, &db, "theirs").await;
        let id = write(&app.store, &db.clock, "theirs", vec![entry(AuditCategory::Identity, "ApiKeyRevoked")], None).await[0];
        let id = json!({ "id": id.typed(IdKind::Audit) });
        let lists = "{ auditEntries { totalCount { value } } access: auditEntries(filter: { category: ACCESS }) { totalCount { value } }
            auditIdentity { totalCount { value } } auditAuthorization { totalCount { value } } auditAccess { totalCount { value } } }";
        let ours = app.query(lists).await;
        assert!(ours.as_object().expect("fields").values().all(|list| list["totalCount"]["value"] == 0), "{ours}");
        let theirs = app.other_tenant("theirs").query(lists).await;
        assert!(theirs.as_object().expect("fields").values().all(|list| list["totalCount"]["value"] != 0), "{theirs}");
        let one = "query($id: ID!) { auditEntry(id: $id) { id } node(id: $id) { id } }";
        assert_eq!(app.query_with(one, id.clone()).await, json!({ "auditEntry": null, "node": null }));
        assert_eq!(app.other_tenant("theirs").query_with(one, id.clone()).await["node"], id);
    }
}
