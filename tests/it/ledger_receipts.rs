//! Proofs through the API: whoever has the key can check one record, or that the log only grew, without this server.

use runledger::ledger::checkpoint::Checkpoint;
use runledger::ledger::note::NoteKey;
use runledger::ledger::proof;
use runledger::ledger::receipt::{Proven, Receipt};
use runledger::ledger::tree;
use serde_json::{Value, json};

use crate::ledger_feed::record;
use crate::support::app::TestApp;

/// The keys that the API names.
async fn keys(app: &TestApp) -> Vec<NoteKey> {
    let keys = app.query("{ ledger { keys { verifierKey } } }").await;
    let keys = keys["ledger"]["keys"].as_array().expect("keys").clone();
    keys.iter().map(|key| NoteKey::parse(key["verifierKey"].as_str().expect("text")).expect("a key")).collect()
}

fn verified(receipt: &Value, keys: &[NoteKey]) -> Proven {
    let text = receipt.as_str().unwrap_or_else(|| panic!("no receipt: {receipt}"));
    Receipt::parse(text).expect("a receipt").verify(keys, None).expect("verifies")
}

fn leaf(receipt: &Value, keys: &[NoteKey]) -> Value {
    serde_json::from_slice(&verified(receipt, keys).leaf).expect("JSON")
}

fn digest(value: &Value) -> runledger::domain::ids::Digest {
    runledger::domain::ids::Digest::parse(value.as_str().expect("text")).expect("a digest")
}

fn digests(values: &Value) -> Vec<runledger::domain::ids::Digest> {
    values.as_array().expect("hashes").iter().map(digest).collect()
}

fn number(value: &Value) -> u64 {
    value.as_str().expect("text").parse().expect("a number")
}

db_test! {
    async fn every_mutation_gives_a_receipt_that_verifies(db: TestDb) {
        let app = TestApp::on(&db).await;
        let step = |span: &str| json!({ "spanId": span, "kind": "TOOL", "skillName": "s", "status": "SUCCESS", "durationMs": 1, "startedAt": "2026-11-21T08:00:00Z" });
        let call = async |name: &str, input: Value, selection: &str| {
            let input_type = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
            let query = format!("mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selection} }} }}");
            app.query_with(&query, json!({ "input": input })).await[name].clone()
        };
        let run = call("recordLlmRun", json!({ "runId": "r" }), "receipt run { id }").await;
        let whole = call("recordTrace", json!({ "traceId": "whole", "steps": [step("a")] }), "receipt trace { seals { id } }").await;
        let started = call("startTrace", json!({ "traceId": "t" }), "receipt trace { id }").await;
        let mut bad = step("c");
        bad["skillName"] = json!("");
        let steps = call("recordSteps", json!({ "traceId": "t", "steps": [step("a"), bad, step("a")] }), "results { receipt step { id } }").await;
        let completed = call("completeTrace", json!({ "traceId": "t" }), "receipt trace { seals { id } }").await;
        call("startTrace", json!({ "traceId": "u" }), "receipt").await;
        let aborted = call("abortTrace", json!({ "traceId": "u" }), "receipt trace { seals { id } }").await;
        let keys = keys(&app).await;
        for (receipt, kind, id) in [
            (&run["receipt"], "llm_run", &run["run"]["id"]),
            (&whole["receipt"], "trace_seal", &whole["trace"]["seals"][0]["id"]),
            (&started["receipt"], "trace", &started["trace"]["id"]),
            (&steps["results"][0]["receipt"], "trace_step", &steps["results"][0]["step"]["id"]),
            (&steps["results"][2]["receipt"], "trace_step", &steps["results"][0]["step"]["id"]),
            (&completed["receipt"], "trace_seal", &completed["trace"]["seals"][0]["id"]),
            (&aborted["receipt"], "trace_seal", &aborted["trace"]["seals"][0]["id"]),
        ] {
            let leaf = leaf(receipt, &keys);
            assert_eq!((&leaf["kind"], &leaf["id"]), (&json!(kind), &json!(id.as_str().expect("an id")[4..])));
        }
        assert_eq!(steps["results"][1]["receipt"], Value::Null, "what was rejected has none");
    }

    async fn an_erasure_has_a_receipt_and_spoils_none(db: TestDb) {
        let app = TestApp::on(&db).await;
        let recorded = record(&app, "one").await;
        let step = &recorded["recordLlmRun"]["trace"]["steps"]["nodes"][0]["id"];
        let of_step = "query($id: ID!) { node(id: $id) { ... on TraceStep { ledgerEntry { receipt } } } }";
        let before = app.query_with(of_step, json!({ "id": step })).await["node"]["ledgerEntry"]["receipt"].clone();
        let erase = "mutation($input: ErasePayloadInput!) { erasePayload(input: $input) { receipt event { detail } } }";
        let erased = app.query_with(erase, json!({ "input": { "recordId": step, "part": "ATTRIBUTES", "reason": "by law" } })).await;
        let keys = keys(&app).await;
        let event = leaf(&erased["erasePayload"]["receipt"], &keys);
        assert_eq!((&event["kind"], &event["reason"]), (&json!("erase"), &json!("by law")));
        let after = app.query_with(of_step, json!({ "id": step })).await["node"]["ledgerEntry"]["receipt"].clone();
        assert_eq!(verified(&before, &keys).leaf, verified(&after, &keys).leaf);
    }

    async fn proofs_lead_from_entries_to_signed_checkpoints(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        let small = app.query("{ ledger { checkpoint { origin size root note madeAt } } }").await["ledger"]["checkpoint"].clone();
        record(&app, "two").await;
        app.logs.sign_all().await.expect("signed");
        let large = app.query("{ ledger { origin size root checkpoint { origin size root note } } }").await["ledger"].clone();
        let keys = keys(&app).await;
        for checkpoint in [&small, &large["checkpoint"]] {
            let (signed, _) = Checkpoint::open(checkpoint["note"].as_str().expect("text"), &keys).expect("signed");
            assert_eq!((signed.origin.as_str(), signed.size, signed.root), (large["origin"].as_str().expect("text"), number(&checkpoint["size"]), digest(&checkpoint["root"])));
        }
        assert_eq!((&small["size"], &large["size"], &large["root"]), (&json!("6"), &json!("12"), &large["checkpoint"]["root"]));
        let asked = app.query_with(
            "query($from: BigInt!, $to: BigInt!) { ledger {
               old: checkpoint(size: $from) { note } none: checkpoint(size: \"7\") { note }
               consistencyProof(from: $from, to: $to) { fromSize fromRoot toSize toRoot hashes }
               entries { nodes { recordId sequence leafHash leaf inclusionProof(size: $to) { size root hashes } receipt } } } }",
            json!({ "from": small["size"], "to": large["size"] }),
        ).await["ledger"].clone();
        assert_eq!((&asked["old"]["note"], &asked["none"]), (&small["note"], &Value::Null));
        let grown = &asked["consistencyProof"];
        assert_eq!((&grown["fromRoot"], &grown["toRoot"]), (&small["root"], &large["root"]));
        assert!(proof::is_consistent(6, digest(&small["root"]), 12, digest(&large["root"]), &digests(&grown["hashes"])));
        let nodes = asked["entries"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 12);
        for node in nodes {
            let leaf = node["leaf"].as_str().expect("a leaf").as_bytes();
            assert_eq!(digest(&node["leafHash"]), tree::leaf_hash(leaf));
            let proof = &node["inclusionProof"];
            assert!(proof::is_included(digest(&node["leafHash"]), number(&node["sequence"]), 12, digest(&large["root"]), &digests(&proof["hashes"])));
            let proven = verified(&node["receipt"], &keys);
            assert_eq!((proven.leaf.as_slice(), proven.leaf_hash), (leaf, digest(&node["leafHash"])));
            let again = app.query_with("query($id: ID!) { ledger { inclusionProof(recordId: $id, size: \"12\") { size root hashes } } }", json!({ "id": node["recordId"] })).await;
            assert_eq!(&again["ledger"]["inclusionProof"], proof);
        }
        for (query, field) in [
            ("{ ledger { consistencyProof(from: \"0\", to: \"13\") { toSize } } }", "to"),
            ("{ ledger { consistencyProof(from: \"7\", to: \"6\") { toSize } } }", "from"),
            ("{ ledger { entry(sequence: \"6\") { inclusionProof(size: \"6\") { size } } } }", "size"),
        ] {
            let refused = app.raw_query(query, json!({})).await;
            assert_eq!(refused["errors"][0]["extensions"]["field"], field, "{refused}");
        }
    }

    async fn proofs_stay_in_their_tenant(db: TestDb) {
        let app = TestApp::on(&db).await;
        let theirs = app.other_tenant("other");
        record(&app, "one").await;
        let id = record(&theirs, "two").await["recordLlmRun"]["run"]["id"].clone();
        let proof = "query($id: ID!) { ledger { inclusionProof(recordId: $id) { sequence } } }";
        assert_eq!(app.query_with(proof, json!({ "id": id })).await["ledger"]["inclusionProof"], Value::Null);
        assert_eq!(theirs.query_with(proof, json!({ "id": id })).await["ledger"]["inclusionProof"]["sequence"], "4");
        let empty = app.other_tenant("empty").query("{ ledger { checkpoint { note } consistencyProof(from: \"0\", to: \"0\") { toSize } } }").await;
        assert_eq!(empty["ledger"], json!({ "checkpoint": null, "consistencyProof": null }));
    }

    async fn receipts_of_a_page_are_made_together(db: TestDb) {
        let app = TestApp::on(&db).await;
        for name in 0..10 {
            record(&app, &format!("run-{name}")).await;
        }
        app.logs.sign_all().await.expect("signed");
        let page = |first: u32| format!("{{ llmRuns(first: {first}) {{ nodes {{ ledgerEntry {{ receipt }} }} }} }}");
        let (_, one) = app.counted(&page(1), json!({})).await;
        let (answer, ten) = app.counted(&page(10), json!({})).await;
        assert_eq!(answer["llmRuns"]["nodes"].as_array().map(Vec::len), Some(10));
        assert!(ten <= one + 1, "{one} statements for one receipt, {ten} for ten");
        let (_, without) = app.counted("{ llmRuns(first: 10) { nodes { ledgerEntry { leafHash } } } }", json!({})).await;
        assert_eq!(without, 2, "a receipt that is not asked for is not made");
    }
}
