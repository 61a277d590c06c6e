//! Idempotency keys: one request is recorded once, however often and from wherever it is sent at the same time.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::topics::{call, code};
use crate::support::walk::{INTROSPECTION, named};

const TIMES: usize = 12;

fn step(span_id: &str) -> Value {
    json!({ "spanId": span_id, "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "provider": "openai", "model": "gpt-4o",
        "inputTokens": 3, "startedAt": "2026-11-21T08:00:01Z", "durationMs": 1 })
}

/// Every mutation that takes a key, with an input of its own for each round, in an order in which each finds what it needs.
fn requests(round: usize) -> Vec<(&'static str, Value)> {
    let (run, trace, begun) = (format!("run {round}"), format!("trace {round}"), format!("begun {round}"));
    let incident = format!("incident {round}");
    let evidence = |extra: Value| {
        let mut input = json!({ "incidentId": incident, "severity": "LOW", "status": "OPEN", "title": "a title",
            "openedAt": "2026-11-21T08:00:00Z" });
        input.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        input
    };
    let entry = |event: &str, category: &str| json!({ "eventType": event, "category": category, "entityType": "LLM_RUN", "entityId": run });
    vec![
        ("recordLlmRun", json!({ "runId": run, "inputTokens": 3, "prompt": { "text": "a prompt" } })),
        ("recordLlmRun", json!({ "runId": run, "inputTokens": 4, "supersedesRevision": 1 })),
        ("recordLlmRun", json!({ "inputTokens": 5, "tags": [format!("nameless {round}")] })),
        ("recordLlmRun", json!({ "runId": format!("whole {round}"), "steps": [step("a"), step("b")] })),
        ("recordTrace", json!({ "traceId": trace, "steps": [step("a")] })),
        ("startTrace", json!({ "traceId": begun })),
        (
            "recordSteps",
            json!({ "traceId": begun, "steps": [step("a"), step("a"), step("b"), { "kind": "TOOL", "skillName": "",
            "status": "SUCCESS", "startedAt": "2026-11-21T08:00:01Z" }] }),
        ),
        ("completeTrace", json!({ "traceId": begun, "metadata": { "a": null } })),
        ("startTrace", json!({ "traceId": format!("given up {round}") })),
        ("abortTrace", json!({ "traceId": format!("given up {round}"), "reason": "enough" })),
        ("recordIncidentEvidence", evidence(json!({}))),
        ("recordIncidentEvidence", evidence(json!({ "supersedesRevision": 1, "status": "CLOSED" }))),
        (
            "recordPolicyActivation",
            json!({ "policyId": "p", "sourcePatternId": format!("pattern {round}"), "confidence": 0.5,
            "confidenceVersion": "v1", "approvalPath": "auto" }),
        ),
        (
            "recordSystemRecords",
            json!({ "records": [{ "component": "API", "eventType": "DEPLOY", "summary": format!("deploy {round}") },
            { "component": "API", "eventType": "DEPLOY", "summary": "" }] }),
        ),
        (
            "appendAuditEntries",
            json!({ "entries": [entry("Happened", "GOVERNANCE"), entry("no name", "GOVERNANCE"), entry("Seen", "ACCESS")] }),
        ),
        ("appendAuditEntries", json!({ "entries": [entry("SeenAgain", "ACCESS")] })),
    ]
}

fn selection(mutation: &str) -> &'static str {
    match mutation {
        "recordLlmRun" => "isReplayed run { id revision }",
        "recordTrace" | "completeTrace" | "abortTrace" => "isReplayed trace { id status seals { id } } run { id }",
        "startTrace" => "isReplayed trace { id }",
        "recordSteps" => "isReplayed results { outcome differs step { id } error { code field message } }",
        "recordIncidentEvidence" => "isReplayed incidentEvidence { id revision }",
        "recordPolicyActivation" => "isReplayed policyActivation { id }",
        "recordSystemRecords" => "isReplayed results { outcome record { id } error { code field message } }",
        _ => "isReplayed results { outcome entry { id } error { code field message } }",
    }
}

/// Sends one request many times at once, each time to the next of the applications; all must give one answer.
async fn at_once(apps: &[TestApp], key: &str, mutation: &'static str, mut input: Value) {
    input["idempotencyKey"] = json!(key);
    let sent = (0..TIMES).map(|place| {
        let (app, input) = (apps[place % apps.len()].clone(), input.clone());
        tokio::spawn(async move {
            // Some come when others are on their way already, and some when these are done.
            for _ in 0..place * place * 4 {
                tokio::task::yield_now().await;
            }
            call(&app, mutation, input, selection(mutation)).await
        })
    });
    let mut answers = Vec::new();
    for answer in futures_util::future::join_all(sent).await {
        let mut answer = answer.expect("an answer");
        assert!(answer.get("errors").is_none(), "{mutation}: {answer}");
        answers.push((answer["isReplayed"].take(), answer));
    }
    let first = answers.iter().filter(|(is_replayed, _)| *is_replayed == json!(false)).count();
    assert_eq!(first, 1, "{mutation}: one records, the others replay: {answers:?}");
    assert!(answers.iter().all(|(_, answer)| *answer == answers[0].1), "{mutation}: {answers:#?}");
}

/// Several rounds of every request, on one application or several on one database.
async fn rounds(apps: &[TestApp]) {
    for round in 0..3 {
        for (place, (mutation, input)) in requests(round).into_iter().enumerate() {
            at_once(apps, &format!("key {round} {place}"), mutation, input).await;
        }
    }
    let found = apps[0].query("{ llmRuns { totalCount { value } } traces { totalCount { value } } systemRecords { totalCount { value } }
        policyActivations { totalCount { value } } auditEntries(filter: { category: [GOVERNANCE] }) { totalCount { value } } }").await;
    let count = |list: &str| found[list]["totalCount"]["value"].as_u64().expect("a number");
    // The run of the completed trace is one as well.
    assert_eq!((count("llmRuns"), count("traces"), count("policyActivations")), (15, 12, 3), "{found}");
    assert_eq!((count("systemRecords"), count("auditEntries")), (3, 6), "nothing is there twice: {found}");
}

db_test! {
    async fn every_mutation_with_a_key_is_tried_here(db: TestDb) {
        let app = TestApp::on(&db).await;
        let schema = app.query(INTROSPECTION).await;
        let types = schema["__schema"]["types"].as_array().expect("types");
        let of = |name: &str| types.iter().find(|each| each["name"] == name).expect("a type");
        let takes_key = |field: &&Value| {
            let input = of(named(&field["args"][0]["type"]));
            input["inputFields"].as_array().expect("fields").iter().any(|field| field["name"] == "idempotencyKey")
        };
        let keyed: std::collections::BTreeSet<_> =
            of("Mutation")["fields"].as_array().expect("fields").iter().filter(takes_key).map(|field| field["name"].as_str()).collect();
        let tried = requests(0).into_iter().map(|(mutation, _)| Some(mutation)).collect();
        assert_eq!(keyed, tried);
        // Whose null and false are the caller's own, and part of what was sent.
        let mut json_fields = std::collections::BTreeSet::new();
        for input in types.iter().filter(|each| each["kind"] == "INPUT_OBJECT") {
            for field in input["inputFields"].as_array().expect("fields") {
                let is_listed = runledger::graphql::root::inputs::JSON_FIELDS.contains(&field["name"].as_str().expect("a name"));
                assert_eq!(named(&field["type"]) == "JSON", is_listed, "{}.{}", input["name"], field["name"]);
                json_fields.extend(is_listed.then(|| field["name"].as_str()));
            }
        }
        assert_eq!(json_fields.len(), runledger::graphql::root::inputs::JSON_FIELDS.len());
    }

    async fn equal_requests_at_once_are_recorded_once(db: TestDb) {
        rounds(&[TestApp::on(&db).await]).await;
    }

    async fn equal_requests_at_once_to_two_processes_are_recorded_once(db: TestDb) {
        rounds(&[TestApp::on(&db).await, TestApp::on(&db).await]).await;
    }

    async fn a_batch_gives_its_first_answer_again(db: TestDb) {
        let app = TestApp::on(&db).await;
        call(&app, "startTrace", json!({ "traceId": "t" }), "trace { id }").await;
        call(&app, "recordSteps", json!({ "traceId": "t", "steps": [step("old")] }), "trace { id }").await;
        let mut other = step("old");
        other["inputTokens"] = json!(4);
        let bad = json!({ "kind": "TOOL", "skillName": "", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:01Z" });
        let input = json!({ "traceId": "t", "idempotencyKey": "k", "steps": [bad, step("old"), step("new"), other] });
        let first = call(&app, "recordSteps", input.clone(), selection("recordSteps")).await;
        let outcomes: Vec<_> = first["results"].as_array().expect("results").iter().map(|result| (&result["outcome"], &result["differs"])).collect();
        assert_eq!(json!(outcomes), json!([["REJECTED", false], ["EXISTING", false], ["RECORDED", false], ["EXISTING", true]]), "{first}");
        let again = call(&app, "recordSteps", input, selection("recordSteps")).await;
        assert_eq!((&again["results"], &again["isReplayed"]), (&first["results"], &json!(true)));
    }

    async fn answers_of_earlier_versions_are_given_again(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (mutation, input) in [
            ("startTrace", json!({ "traceId": "begun", "idempotencyKey": "k1" })),
            ("recordTrace", json!({ "traceId": "whole", "steps": [step("a")], "idempotencyKey": "k2" })),
            ("recordLlmRun", json!({ "runId": "run", "steps": [step("a")], "idempotencyKey": "k3" })),
            ("completeTrace", json!({ "traceId": "begun", "idempotencyKey": "k4" })),
        ] {
            let key = input["idempotencyKey"].as_str().expect("a key").to_owned();
            let selection = "isReplayed trace { id traceId }";
            let first = call(&app, mutation, input.clone(), selection).await;
            // They named neither who asked nor the record of the trace's beginning.
            let kept = db.query(&format!("SELECT answer FROM idempotency WHERE idempotency_key = '{key}'")).await;
            let mut answer: Value = serde_json::from_str(&kept[0].try_get_by_index::<String>(0).expect("a text")).expect("JSON");
            for name in ["by", "trace"] {
                answer.as_object_mut().expect("an object").remove(name);
            }
            db.execute(&format!("UPDATE idempotency SET answer = '{answer}', request_hash = NULL WHERE idempotency_key = '{key}'")).await.expect("changed");
            let again = call(&app, mutation, input, selection).await;
            assert_eq!((&again["isReplayed"], &again["trace"]), (&json!(true), &first["trace"]), "{mutation}: {again}");
            assert!(first["trace"]["id"].is_string(), "{mutation}: {first}");
        }
    }

    async fn one_key_is_one_request_of_one_mutation(db: TestDb) {
        let app = TestApp::on(&db).await;
        let start = |extra: Value| {
            let mut input = json!({ "traceId": "t", "idempotencyKey": "k" });
            input.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            input
        };
        call(&app, "startTrace", start(json!({ "plan": { "a": null } })), "isReplayed").await;
        // What says nothing is as good as not sent, except in the caller's own JSON.
        let same = call(&app, "startTrace", start(json!({ "plan": { "a": null }, "isSynthetic": false, "agentId": null })), "isReplayed").await;
        assert_eq!(same["isReplayed"], true, "{same}");
        for (mutation, input, said) in [
            ("startTrace", start(json!({ "plan": {} })), "another input of startTrace"),
            ("startTrace", start(json!({})), "another input of startTrace"),
            ("abortTrace", start(json!({})), "was used with startTrace"),
            ("recordSteps", json!({ "traceId": "nowhere", "idempotencyKey": "k", "steps": [] }), "was used with startTrace"),
            ("recordTrace", start(json!({ "steps": [] })), "was used with startTrace"),
            ("appendAuditEntries", json!({ "idempotencyKey": "k", "entries": [{ "eventType": "Seen", "category": "ACCESS",
                "entityType": "LLM_RUN", "entityId": "r" }] }), "was used with startTrace"),
        ] {
            let refused = call(&app, mutation, input, "isReplayed").await;
            let message = refused["errors"][0]["message"].as_str().unwrap_or_default();
            assert!(code(&refused) == "CONFLICT" && message.contains(said), "{mutation}: {refused}");
        }
        let theirs = call(&app.other_tenant("other"), "startTrace", start(json!({ "seed": "7" })), "isReplayed").await;
        assert_eq!(theirs["isReplayed"], false, "keys are each tenant's own");
        // A key of the server's own is none of a caller's.
        let taken = call(&app, "startTrace", json!({ "traceId": "u", "idempotencyKey": "SYSTEM anonymous" }), "isReplayed").await;
        assert_eq!(taken["isReplayed"], false, "{taken}");
    }

    async fn a_request_that_was_refused_leaves_its_key_free(db: TestDb) {
        let app = TestApp::on(&db).await;
        let early = json!({ "traceId": "t", "idempotencyKey": "k" });
        assert_eq!(code(&call(&app, "completeTrace", early.clone(), "isReplayed").await), "NOT_FOUND");
        call(&app, "recordLlmRun", json!({ "runId": "r" }), "isReplayed").await;
        let twice = json!({ "runId": "r", "idempotencyKey": "again" });
        assert_eq!(code(&call(&app, "recordLlmRun", twice, "isReplayed").await), "CONFLICT");
        let corrected = json!({ "runId": "r", "supersedesRevision": 1, "idempotencyKey": "again" });
        assert_eq!(call(&app, "recordLlmRun", corrected, "isReplayed run { revision }").await["run"]["revision"], 2);
        call(&app, "startTrace", json!({ "traceId": "t" }), "isReplayed").await;
        assert_eq!(call(&app, "completeTrace", early, "isReplayed").await["isReplayed"], false);
    }

    async fn a_key_whose_hash_was_not_keyed_answers_its_mutation(db: TestDb) {
        let app = TestApp::on(&db).await;
        let input = |trace: &str| json!({ "traceId": trace, "idempotencyKey": "k" });
        call(&app, "startTrace", input("t"), "isReplayed").await;
        db.execute("UPDATE idempotency SET request_hash = NULL").await.expect("as the migration leaves it");
        let again = call(&app, "startTrace", input("t"), "isReplayed trace { traceId }").await;
        assert_eq!(again, json!({ "isReplayed": true, "trace": { "traceId": "t" } }));
        assert_eq!(code(&call(&app, "abortTrace", input("t"), "isReplayed").await), "CONFLICT");
    }
}
