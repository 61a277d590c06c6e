//! Every row of a list is a node: its id leads back to it, as the type that the list showed, and for its own tenant only.

use runledger::domain::vocabulary::AuditCategory;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::audit::{entry, write};
use crate::support::evidence::{drop_guards, every_kind, tamper};

const ROWS: &str = "{
    llmRuns { nodes { __typename id } } traces { nodes { __typename id steps { nodes { __typename id } } } }
    systemRecords { nodes { __typename id } } policyActivations { nodes { __typename id policy { governanceEvents { nodes { __typename id } } } } }
    auditEntries { nodes { __typename id } } auditExports { exports { nodes { __typename id } } }
    auditIdentity { events { nodes { __typename id } } } auditAuthorization { events { nodes { __typename id } } }
    auditAccess { events { nodes { __typename id } } }
    ledger { entries { nodes { __typename id } }
        verifications { nodes { __typename id anomalies { nodes { __typename id } } } } } }";

/// Type and id of every object below, in the order of the answer.
fn rows(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            if let (Some(name), Some(id)) = (fields.get("__typename"), fields.get("id")) {
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                found.push((text(name), text(id)));
            }
            fields.values().for_each(|value| rows(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| rows(value, found)),
        _ => {}
    }
}

db_test! {
    async fn ids_of_rows_lead_back_to_them(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        let categories = [AuditCategory::Identity, AuditCategory::Authorization, AuditCategory::Access];
        for category in categories {
            write(&app.store, &db.clock, "ours", vec![entry(category, "Happened")], None).await;
        }
        let ruled = runledger::domain::audit::AuditEntry {
            policy_id: Some("pol".to_owned()),
            ..entry(AuditCategory::Governance, "LimitBreached")
        };
        write(&app.store, &db.clock, "ours", vec![ruled], None).await;
        drop_guards(&db).await;
        tamper(&db, "UPDATE llm_run SET input_tokens = 99 WHERE tenant_id = 'ours'").await;
        app.query("mutation { verifyLedger(input: { mode: FULL }) { verifications { id } } }").await;
        let mut found = Vec::new();
        rows(&app.query(ROWS).await, &mut found);
        for wanted in ["LlmRun", "Trace", "TraceStep", "SystemRecord", "PolicyActivation", "AuditEntry", "LogExport", "IdentityEvent",
            "AuthorizationDecision", "AccessEvent", "GovernanceEvent", "LedgerEntry", "Verification", "Anomaly"] {
            assert!(found.iter().any(|(name, _)| name == wanted), "no {wanted} in {found:?}");
        }
        let ids: std::collections::HashSet<_> = found.iter().map(|(_, id)| id).collect();
        let objects: std::collections::HashSet<_> = found.iter().collect();
        assert_eq!(ids.len(), objects.len(), "no id is that of two types");
        let theirs = app.other_tenant("theirs");
        for (name, id) in &found {
            let query = "query($id: ID!) { node(id: $id) { __typename id } }";
            let node = app.query_with(query, json!({ "id": id })).await;
            assert_eq!(node["node"], json!({ "__typename": name, "id": id }));
            assert_eq!(theirs.query_with(query, json!({ "id": id })).await["node"], Value::Null, "{name} is another tenant's");
        }
    }
}
