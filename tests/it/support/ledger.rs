//! What stands in the audit ledger, read past the API.

use serde_json::{Value, json};

use super::db::TestDb;

/// The entries of a category in the order of writing, with their states; over all tenants.
pub async fn audit_entries(db: &TestDb, category: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT e.tenant_id, e.event_type, e.entity_type, e.entity_id, e.actor_type, e.actor_id, e.verdict, e.action, \
         e.rule_id, e.run_id, (SELECT p.text FROM payload p WHERE p.tenant_id = e.tenant_id AND p.record_id = e.id \
         AND p.part = 'after_state'), (SELECT p.text FROM payload p WHERE p.tenant_id = e.tenant_id \
         AND p.record_id = e.id AND p.part = 'before_state') FROM audit_entry e WHERE e.category = '{category}' \
         ORDER BY e.tenant_id, e.seq"
    );
    let names = [
        "tenant",
        "event",
        "entity",
        "entityId",
        "actorType",
        "actor",
        "verdict",
        "action",
        "rule",
        "run",
        "after",
        "before",
    ];
    let rows = db.query(&sql).await;
    let entry = |row: &sea_orm::QueryResult| {
        let mut entry = json!({});
        for (place, name) in names.iter().enumerate() {
            let text: Option<String> = row.try_get_by_index(place).expect("a text");
            let is_state = matches!(*name, "after" | "before");
            entry[name] = match text {
                Some(text) if is_state => serde_json::from_str(&text).expect("JSON"),
                text => json!(text),
            };
        }
        entry
    };
    rows.iter().map(entry).collect()
}

/// The system records of a tenant in the order of writing, with their details.
pub async fn system_records(db: &TestDb, tenant: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT s.component, s.event_type, s.severity, s.summary, s.caused_by, s.actor_id, s.service_instance_id, \
         (SELECT p.text FROM payload p WHERE p.tenant_id = s.tenant_id AND p.record_id = s.id) \
         FROM system_record s WHERE s.tenant_id = '{tenant}' ORDER BY s.seq"
    );
    let names = ["component", "event", "severity", "summary", "causedBy", "actor", "instance", "details"];
    let rows = db.query(&sql).await;
    let record = |row: &sea_orm::QueryResult| {
        let mut record = json!({});
        for (place, name) in names.iter().enumerate() {
            let text: Option<String> = row.try_get_by_index(place).expect("a text");
            record[name] = match text {
                Some(text) if *name == "details" => serde_json::from_str(&text).expect("JSON"),
                text => json!(text),
            };
        }
        record
    };
    rows.iter().map(record).collect()
}
