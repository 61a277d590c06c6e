//! How a gateway enters: entities of ours by their ids, things of others by the names that records give them.

use runledger::domain::ids::IdKind;
use runledger::domain::record::NewRecord;
use runledger::domain::vocabulary::{ExportFormat, ExportStatus};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::topics::{append, call, code, export, incident, new};

async fn activate(app: &TestApp, policy: &str) -> Value {
    let input = json!({ "policyId": policy, "sourcePatternId": format!("pattern of {policy}"), "confidence": 1,
        "confidenceVersion": "v1", "approvalPath": "threshold" });
    call(app, "recordPolicyActivation", input, "policyActivation { id }").await["policyActivation"]["id"].clone()
}

fn keys(kind: &str, ids: impl IntoIterator<Item = String>) -> Value {
    ids.into_iter().map(|id| json!({ "__typename": kind, "id": id })).collect()
}

db_test! {
    async fn many_policies_and_incidents_cost_one_statement_a_relation(db: TestDb) {
        let app = TestApp::on(&db).await;
        for number in 0..20 {
            activate(&app, &format!("p{number}")).await;
            append(&app, "ours", vec![NewRecord::Incident(new(&app, incident(&format!("i{number}"), Some("r"))))]).await;
        }
        let query = "query($keys: [_Any!]!) { _entities(representations: $keys) {
            ... on Policy { id activations(first: 5) { nodes { sourcePatternId } } currentActivation { sourcePatternId } } } }";
        let (answer, statements) = app.counted(query, json!({ "keys": keys("Policy", (0..25).map(|number| format!("p{number}"))) })).await;
        let found = answer["_entities"].as_array().expect("entities");
        assert_eq!((found[3]["id"].as_str(), &found[3]["currentActivation"]), (Some("p3"), &json!({ "sourcePatternId": "pattern of p3" })));
        assert_eq!(found[24], json!({ "id": "p24", "activations": { "nodes": [] }, "currentActivation": null }), "unknown here, not null");
        assert!(statements <= 2, "{statements}: a page of activations, and the newest");
        let query = "query($keys: [_Any!]!) { _entities(representations: $keys) { ... on Incident { id evidence { title revision } } } }";
        let (answer, statements) = app.counted(query, json!({ "keys": keys("Incident", (0..25).map(|number| format!("i{number}"))) })).await;
        assert_eq!(answer["_entities"][7], json!({ "id": "i7", "evidence": { "title": "an incident", "revision": 1 } }));
        assert_eq!(answer["_entities"][24], json!({ "id": "i24", "evidence": null }));
        assert_eq!(statements, 1);
    }

    async fn records_are_found_by_id_as_nodes_and_as_entities(db: TestDb) {
        let app = TestApp::on(&db).await;
        let assigned = append(&app, "ours", vec![NewRecord::Incident(new(&app, incident("i", None))),
            NewRecord::Export(new(&app, export("r", ExportFormat::Zip, ExportStatus::Completed)))]).await;
        let ids = [("IncidentEvidence", assigned[0].id.typed(IdKind::Incident)), ("LogExport", assigned[1].id.typed(IdKind::Export)),
            ("PolicyActivation", activate(&app, "p").await.as_str().expect("an id").to_owned())];
        for (kind, id) in &ids {
            let query = format!("query($id: ID!, $keys: [_Any!]!) {{ node(id: $id) {{ __typename id ... on Evidenced {{ metadata {{ tenantId immutable }} }} }}
                _entities(representations: $keys) {{ __typename ... on {kind} {{ id }} }} }}");
            let unknown = format!("{}00000000-0000-0000-0000-000000000000", &id[..4]);
            let variables = json!({ "id": id, "keys": keys(kind, [id.clone(), unknown, "x".to_owned()]) });
            let found = app.query_with(&query, variables.clone()).await;
            assert_eq!(found["node"], json!({ "__typename": kind, "id": id, "metadata": { "tenantId": "ours", "immutable": true } }));
            assert_eq!(found["_entities"], json!([{ "__typename": kind, "id": id }, null, null]));
            let theirs = app.other_tenant("other").query_with(&query, variables).await;
            assert_eq!((&theirs["node"], &theirs["_entities"]), (&Value::Null, &json!([null, null, null])));
        }
        // An id of one kind is no id of another.
        let crossed = "query($keys: [_Any!]!) { _entities(representations: $keys) { ... on LogExport { id } } }";
        assert_eq!(app.query_with(crossed, json!({ "keys": keys("LogExport", [ids[0].1.clone()]) })).await["_entities"], json!([null]));
    }

    async fn foreign_names_show_nothing_of_another_tenant(db: TestDb) {
        let app = TestApp::on(&db).await;
        let theirs = app.other_tenant("other");
        activate(&theirs, "zebra").await;
        append(&app, "other", vec![NewRecord::Incident(new(&app, incident("zebra", Some("r"))))]).await;
        let query = "query($keys: [_Any!]!) { _entities(representations: $keys) {
            ... on Policy { activations { nodes { id } totalCount { value } } currentActivation { id } } ... on Incident { evidence { id } } } }";
        let variables = json!({ "keys": [{ "__typename": "Policy", "id": "zebra" }, { "__typename": "Incident", "id": "zebra" }] });
        let ours = app.query_with(query, variables.clone()).await;
        assert_eq!(ours["_entities"], json!([{ "activations": { "nodes": [], "totalCount": { "value": 0 } }, "currentActivation": null }, { "evidence": null }]));
        let owner = theirs.query_with(query, variables).await;
        assert_eq!(owner["_entities"][0]["activations"]["totalCount"]["value"], 1);
        assert!(owner["_entities"][1]["evidence"]["id"].is_string());
        let correction = json!({ "incidentId": "zebra", "severity": "LOW", "status": "x", "title": "x", "openedAt": "2026-11-21T08:00:00Z", "supersedesRevision": 1 });
        assert_eq!(code(&call(&app, "recordIncidentEvidence", correction, "isReplayed").await), "NOT_FOUND");
    }

    async fn agents_and_tenants_give_their_runs_by_the_same_arguments_as_the_root(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (name, agent) in [("a", "one"), ("b", "two"), ("c", "one")] {
            call(&app, "recordLlmRun", json!({ "runId": name, "agentId": agent }), "run { id }").await;
        }
        let now = app.query("{ ledger { now } }").await["ledger"]["now"].clone();
        call(&app, "recordLlmRun", json!({ "runId": "d", "agentId": "one" }), "run { id }").await;
        let runs = "llmRuns(first: 10, asOf: $now, orderBy: { direction: ASC }) { nodes { runId } }";
        let query = format!("query($now: String, $keys: [_Any!]!) {{ {runs} _entities(representations: $keys) {{ ... on Agent {{ {runs} }} ... on Tenant {{ {runs} }} }} }}");
        let variables = json!({ "now": now, "keys": [{ "__typename": "Agent", "id": "one" }, { "__typename": "Tenant", "id": "ours" }, { "__typename": "Tenant", "id": "other" }] });
        let found = app.query_with(&query, variables).await;
        let named = |names: &[&str]| json!({ "nodes": names.iter().map(|name| json!({ "runId": name })).collect::<Vec<_>>() });
        assert_eq!(found["llmRuns"], named(&["a", "b", "c"]));
        assert_eq!(found["_entities"], json!([{ "llmRuns": named(&["a", "c"]) }, { "llmRuns": named(&["a", "b", "c"]) }, null]));
    }

    async fn one_malformed_representation_harms_none_of_its_neighbours(db: TestDb) {
        let app = TestApp::on(&db).await;
        activate(&app, "p").await;
        let query = "query($keys: [_Any!]!) { mine: _entities(representations: $keys) { __typename ... on Policy { id activations { nodes { policyId } } } } }";
        let good = json!({ "__typename": "Policy", "id": "p" });
        let keys = json!([good, { "id": "p" }, { "__typename": "Nobody", "id": "p" }, 7, { "__typename": "Policy" },
            { "__typename": "Policy", "id": { "a": 1 } }, { "id": "p" }, { "__typename": 3, "id": "p" }, good]);
        let found = json!({ "__typename": "Policy", "id": "p", "activations": { "nodes": [{ "policyId": "p" }] } });
        let answer = app.raw_query(query, json!({ "keys": keys })).await;
        assert_eq!(answer["data"]["mine"], json!([found, null, null, null, null, null, null, null, found]), "{answer}");
        let errors = answer["errors"].as_array().expect("errors");
        let paths: Vec<_> = errors.iter().map(|error| error["path"].clone()).collect();
        assert_eq!(json!(paths), json!([["mine", 1], ["mine", 2], ["mine", 3], ["mine", 4], ["mine", 5], ["mine", 6], ["mine", 7]]), "{answer}");
        assert!(errors.iter().all(|error| error["extensions"]["code"] == "BAD_USER_INPUT"), "{answer}");
        let many: Vec<_> = (0..1_000).map(|_| json!({ "__typename": "Nobody" })).collect();
        let query = "query($keys: [_Any!]!) { _entities(representations: $keys) { __typename } }";
        let flood = app.raw_query(query, json!({ "keys": many })).await;
        assert_eq!(flood["errors"].as_array().map(Vec::len), Some(20), "as many as one answer shows");

        // What fails below a representation says whose field it was.
        let agents: Vec<_> = ["a", "b", "a"].iter().map(|id| json!({ "__typename": "Agent", "id": id })).collect();
        let query = "query($keys: [_Any!]!) { mine: _entities(representations: $keys) { ... on Agent { llmRuns(after: \"none\") { nodes { runId } } } } }";
        let below = app.raw_query(query, json!({ "keys": agents })).await;
        let paths: Vec<_> = below["errors"].as_array().expect("errors").iter().map(|error| error["path"].clone()).collect();
        assert_eq!(json!(paths), json!([["mine", 0, "llmRuns"], ["mine", 1, "llmRuns"], ["mine", 2, "llmRuns"]]), "{below}");
    }
}
