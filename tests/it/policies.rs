//! Policy activations: recording with their audit entry, history, the one in force.

use runledger::domain::payload::PayloadPart;
use runledger::ledger::commitment;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::topics::{call, code};

fn input(policy: &str, extra: Value) -> Value {
    let mut input = json!({ "policyId": policy, "sourcePatternId": "pattern", "confidence": 0.87,
        "confidenceVersion": "v1", "approvalPath": "auto", "activatedAt": "2026-11-21T08:00:00Z" });
    input.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    input
}

const SELECTION: &str = "isReplayed policyActivation { id policyId confidence approvalPath actorType actorId sequence
    metadata { humanActorId policyIds origin sourceDomain occurredAt } }";

async fn record(app: &TestApp, policy: &str, extra: Value) -> Value {
    let payload = call(app, "recordPolicyActivation", input(policy, extra), SELECTION).await;
    assert!(payload.get("errors").is_none(), "{payload}");
    payload
}

db_test! {
    async fn an_activation_and_its_audit_entry_are_written_together(db: TestDb) {
        let app = TestApp::on(&db).await;
        let payload = record(&app, "p", json!({ "approvalPath": "human:jane" })).await;
        let activation = &payload["policyActivation"];
        assert_eq!(activation["confidence"], "0.870000");
        assert_eq!((&activation["actorType"], &activation["actorId"]), (&json!("HUMAN"), &json!("jane")));
        assert_eq!(activation["metadata"], json!({ "humanActorId": "jane", "policyIds": ["p"], "origin": "HUMAN",
            "sourceDomain": "POLICY", "occurredAt": "2026-11-21T08:00:00.000000Z" }));
        let entry = "SELECT COUNT(*) FROM audit_entry WHERE event_type = 'PolicyActivated' AND category = 'GOVERNANCE'
            AND entity_type = 'POLICY_RULE' AND entity_id = 'p' AND policy_id = 'p' AND actor_type = 'HUMAN' AND actor_id = 'jane'
            AND run_id IS NULL AND occurred_at = 1795248000000000";
        assert_eq!(db.number(entry).await, 1);
        let sequences = "SELECT COUNT(*) FROM audit_entry a JOIN policy_activation p ON a.seq = p.seq + 1 AND a.created_at = p.created_at";
        assert_eq!(db.number(sequences).await, 1, "one unit: next to each other in the log");
        after_state_is_committed(&db).await;
        let refused = call(&app, "recordPolicyActivation", input("p", json!({ "approvalPath": "robot" })), "isReplayed").await;
        assert_eq!(code(&refused), "BAD_USER_INPUT");
        assert_eq!(db.number("SELECT COUNT(*) FROM audit_entry WHERE category = 'GOVERNANCE'").await, 1, "neither is written");
    }

    async fn wrong_activations_are_refused_by_name(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (field, value) in [("confidence", json!(1.000_001)), ("confidence", json!(-0.1)), ("confidence", json!(0.123_456_7)),
            ("approvalPath", json!("human:")), ("sourcePatternId", json!("")), ("confidenceVersion", json!("")), ("policyId", json!(""))] {
            let refused = call(&app, "recordPolicyActivation", input("p", json!({ field: value })), "isReplayed").await;
            assert_eq!(refused["errors"][0]["extensions"]["field"], field, "{value}: {refused}");
        }
        for (exact, stored) in [(json!(0), "0.000000"), (json!(1.0), "1.000000"), (json!(0.000_001), "0.000001"), (json!(0.3), "0.300000")] {
            let payload = record(&app, "p", json!({ "confidence": exact })).await;
            assert_eq!(payload["policyActivation"]["confidence"], stored);
        }
    }

    async fn the_history_is_paged_and_the_newest_is_in_force(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (policy, pattern) in [("p", "one"), ("q", "two"), ("p", "three"), ("p", "four")] {
            record(&app, policy, json!({ "sourcePatternId": pattern })).await;
        }
        let now = app.query("{ ledger { now } }").await["ledger"]["now"].clone();
        record(&app, "p", json!({ "sourcePatternId": "five" })).await;
        let patterns = |list: &Value| list["nodes"].as_array().expect("nodes").iter().map(|node| node["sourcePatternId"].as_str().expect("text").to_owned()).collect::<Vec<_>>();
        let found = app.query_with("query($now: String) {
            all: policyActivations(first: 3) { nodes { sourcePatternId } totalCount { value } pageInfo { hasNextPage endCursor } filtersApplied }
            then: policyActivations(policyId: \"p\", asOf: $now, last: 2) { nodes { sourcePatternId policy { currentActivation { sourcePatternId } } } totalCount { value } filtersApplied } }",
            json!({ "now": now })).await;
        assert_eq!((patterns(&found["all"]), &found["all"]["totalCount"]["value"]), (vec!["five".into(), "four".into(), "three".into()], &json!(5)));
        assert_eq!((patterns(&found["then"]), &found["then"]["totalCount"]["value"]), (vec!["three".into(), "one".into()], &json!(3)));
        assert_eq!(found["then"]["filtersApplied"], json!({ "policyId": "p" }));
        assert_eq!(found["then"]["nodes"][0]["policy"]["currentActivation"]["sourcePatternId"], "five");
        let walked = app.all_nodes("query($after: String) { policyActivations(policyId: \"p\", first: 1, after: $after) { nodes { sourcePatternId } pageInfo { hasNextPage endCursor } } }", "policyActivations").await;
        assert_eq!(walked.iter().map(|node| node["sourcePatternId"].as_str()).collect::<Vec<_>>(), [Some("five"), Some("four"), Some("three"), Some("one")]);
    }
}

/// The entry's after_state is what its commitment says, and holds the activation.
async fn after_state_is_committed(db: &TestDb) {
    let rows = db.query("SELECT a.after_state_commitment, p.salt, p.text, a.id FROM audit_entry a JOIN payload p ON p.record_id = a.id AND p.part = 'after_state'").await;
    let (salt, text): (Vec<u8>, String) =
        (rows[0].try_get_by_index(1).expect("bytes"), rows[0].try_get_by_index(2).expect("text"));
    let committed: Vec<u8> = rows[0].try_get_by_index(0).expect("bytes");
    let salt: [u8; 32] = salt.try_into().expect("32 bytes");
    assert_eq!(commitment::commit(PayloadPart::AfterState, &salt, &text).0.to_vec(), committed);
    assert!(text.contains("\"policy_id\":\"p\"") && text.contains("\"confidence_ppm\":870000"), "{text}");
}
