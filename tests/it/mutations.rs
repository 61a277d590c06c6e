//! The six mutations, through the real router.

use serde_json::{Value, json};

use crate::support::app::TestApp;

/// Calls a mutation that takes `<Name>Input`; the whole answer.
async fn call(app: &TestApp, mutation: &str, input: Value, selection: &str) -> Value {
    let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!("mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ {selection} }} }}");
    let mut answer = app.raw_query(&query, json!({ "input": input })).await;
    match answer.get("errors") {
        None => answer["data"][mutation].take(),
        Some(errors) => json!({ "errors": errors }),
    }
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

fn step(span_id: &str, kind: &str, second: u32) -> Value {
    json!({ "spanId": span_id, "kind": kind, "skillName": "work", "status": "SUCCESS", "durationMs": 100,
        "startedAt": format!("2026-11-21T08:00:{second:02}Z") })
}

fn llm_step(span_id: &str, second: u32, tokens: u32) -> Value {
    let mut step = step(span_id, "LLM", second);
    step["provider"] = json!("openai");
    step["model"] = json!("gpt-4o");
    step["inputTokens"] = json!(tokens);
    step["outputTokens"] = json!(tokens / 2);
    step
}

db_test! {
    async fn a_run_is_recorded_once_under_its_idempotency_key(db: TestDb) {
        let app = TestApp::on(&db).await;
        let input = json!({ "runId": "r", "provider": "openai", "model": "gpt-4o", "inputTokens": 3, "idempotencyKey": "k" });
        let first = call(&app, "recordLlmRun", input.clone(), "isReplayed run { id revision inputTokens }").await;
        assert_eq!((&first["isReplayed"], &first["run"]["inputTokens"]), (&json!(false), &json!(3)));
        let again = call(&app, "recordLlmRun", input.clone(), "isReplayed run { id revision inputTokens }").await;
        assert_eq!((&again["isReplayed"], &again["run"]), (&json!(true), &first["run"]));
        let mut other = input;
        other["inputTokens"] = json!(4);
        assert_eq!(code(&call(&app, "recordLlmRun", other, "isReplayed").await), "CONFLICT");
        assert_eq!(app.query("{ llmRuns { totalCount { value } } }").await["llmRuns"]["totalCount"]["value"], 1);
    }

    async fn a_correction_is_a_further_revision_and_never_an_accident(db: TestDb) {
        let app = TestApp::on(&db).await;
        let run = |tokens: u32, supersedes: Value| json!({ "runId": "r", "inputTokens": tokens, "supersedesRevision": supersedes });
        call(&app, "recordLlmRun", run(1, Value::Null), "run { id }").await;
        let refused = call(&app, "recordLlmRun", run(2, Value::Null), "run { id }").await;
        assert_eq!(code(&refused), "CONFLICT");
        assert!(refused["errors"][0]["message"].as_str().expect("text").contains("supersedesRevision"), "{refused}");
        assert_eq!(code(&call(&app, "recordLlmRun", run(2, json!(7)), "run { id }").await), "CONFLICT");
        assert_eq!(call(&app, "recordLlmRun", run(2, json!(1)), "run { revision }").await["run"]["revision"], 2);
        let found = app.query("{ llmRun(runId: \"r\") { revision inputTokens revisions { revision inputTokens } }
            llmRuns { nodes { revision } totalCount { value } } }").await;
        assert_eq!(found["llmRun"], json!({ "revision": 2, "inputTokens": 2,
            "revisions": [{ "revision": 2, "inputTokens": 2 }, { "revision": 1, "inputTokens": 1 }] }));
        assert_eq!(found["llmRuns"], json!({ "nodes": [{ "revision": 2 }], "totalCount": { "value": 1 } }));
    }

    async fn a_correction_keeps_the_runs_trace(db: TestDb) {
        let app = TestApp::on(&db).await;
        let step = json!({ "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 });
        call(&app, "recordLlmRun", json!({ "runId": "r", "trace": { "traceId": "t" }, "steps": [step] }), "run { id }").await;
        let selection = "run { revision traceId stepCount traceRootHash trace { rootHash } }";
        let found = call(&app, "recordLlmRun", json!({ "runId": "r", "supersedesRevision": 1, "costUsd": "0.1" }), selection).await["run"].clone();
        assert_eq!((&found["revision"], &found["traceId"], &found["stepCount"]), (&json!(2), &json!("t"), &json!(1)));
        assert!(found["traceRootHash"].is_string() && found["traceRootHash"] == found["trace"]["rootHash"], "{found}");
        let back = app.query("{ trace(by: { runId: \"r\" }) { run { revision } } }").await;
        assert_eq!(back["trace"]["run"]["revision"], 2);
    }

    async fn a_trace_piece_by_piece(db: TestDb) {
        let app = TestApp::on(&db).await;
        let started = call(&app, "startTrace", json!({ "traceId": "t", "runId": "r", "planHash": "p" }), "trace { status totalSteps }").await;
        assert_eq!(started["trace"], json!({ "status": "RUNNING", "totalSteps": 0 }));
        let steps = json!({ "traceId": "t", "steps": [llm_step("a", 1, 100), step("b", "TOOL", 2), llm_step("a", 1, 999),
            { "kind": "TOOL", "skillName": "", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:03Z", "durationMs": 1 }] });
        let recorded = call(&app, "recordSteps", steps, "trace { totalSteps totals { calls inputTokens } }
            results { outcome differs step { spanId stepIndex } error { code field } }").await;
        let results = recorded["results"].as_array().expect("results");
        let outcomes: Vec<&str> = results.iter().map(|result| result["outcome"].as_str().expect("text")).collect();
        assert_eq!(outcomes, ["RECORDED", "RECORDED", "EXISTING", "REJECTED"], "{recorded}");
        assert_eq!(results[2]["differs"], true);
        assert_eq!(results[3]["error"]["code"], "BAD_USER_INPUT");
        assert_eq!(recorded["trace"], json!({ "totalSteps": 2, "totals": { "calls": 1, "inputTokens": 100 } }));
        let run = call(&app, "completeTrace", json!({ "traceId": "t" }), "trace { status } run { runId traceId inputTokens provider stepCount executionStatus }").await;
        assert_eq!(run["trace"]["status"], "COMPLETED");
        assert_eq!(run["run"], json!({ "runId": "r", "traceId": "t", "inputTokens": 100, "provider": "openai",
            "stepCount": 2, "executionStatus": "SUCCEEDED" }));
        assert_eq!(code(&call(&app, "completeTrace", json!({ "traceId": "t" }), "trace { id }").await), "CONFLICT");

        // LLM work after the seal is late, and a further completion gives further revisions.
        let late = json!({ "traceId": "t", "steps": [llm_step("c", 9, 10)] });
        let late = call(&app, "recordSteps", late, "results { step { stepIndex isLate } }").await;
        assert_eq!(late["results"][0]["step"], json!({ "stepIndex": 2, "isLate": true }));
        app.seal_all().await;
        let found = app.query("{ llmRun(runId: \"r\") { revision inputTokens } trace(by: { traceId: \"t\" }) { seals { revision stepCount } } }").await;
        assert_eq!(found["llmRun"], json!({ "revision": 2, "inputTokens": 110 }));
        assert_eq!(found["trace"]["seals"], json!([{ "revision": 2, "stepCount": 3 }, { "revision": 1, "stepCount": 2 }]));
    }

    async fn an_aborted_trace_says_so(db: TestDb) {
        let app = TestApp::on(&db).await;
        call(&app, "startTrace", json!({ "traceId": "t" }), "trace { id }").await;
        let aborted = call(&app, "abortTrace", json!({ "traceId": "t", "reason": "changed my mind" }), "trace { status seals { reason } } run { id }").await;
        assert_eq!(aborted, json!({ "trace": { "status": "ABORTED", "seals": [{ "reason": "changed my mind" }] }, "run": null }));
        for (mutation, input) in [("completeTrace", json!({ "traceId": "none" })), ("abortTrace", json!({ "traceId": "none" })),
            ("recordSteps", json!({ "traceId": "none", "steps": [step("a", "TOOL", 1)] }))] {
            assert_eq!(code(&call(&app, mutation, input, "trace { id }").await), "NOT_FOUND", "{mutation}");
        }
    }

    async fn a_whole_trace_is_all_or_nothing(db: TestDb) {
        let app = TestApp::on(&db).await;
        let mut bad = step("b", "TOOL", 2);
        bad["durationMs"] = json!(-1);
        let refused = call(&app, "recordTrace", json!({ "traceId": "t", "steps": [step("a", "TOOL", 1), bad] }), "trace { id }").await;
        assert_eq!(code(&refused), "BAD_USER_INPUT");
        assert_eq!(app.query("{ traces { nodes { traceId } } }").await["traces"]["nodes"], json!([]));
        let whole = json!({ "traceId": "t", "steps": [step("a", "TOOL", 1)], "seal": { "status": "SUCCEEDED" }, "idempotencyKey": "k" });
        let recorded = call(&app, "recordTrace", whole.clone(), "isReplayed run { id } trace { status totalSteps rootHash }").await;
        assert_eq!((&recorded["run"], &recorded["trace"]["status"]), (&Value::Null, &json!("COMPLETED")), "no LLM work, no run");
        assert_eq!(call(&app, "recordTrace", whole, "isReplayed").await["isReplayed"], true);
        let again = json!({ "traceId": "t", "steps": [step("z", "TOOL", 1)] });
        assert_eq!(code(&call(&app, "recordTrace", again, "trace { id }").await), "CONFLICT");
        let steps: Vec<Value> = (0..1_001).map(|place| json!({ "kind": "TOOL", "skillName": "s", "status": "SUCCESS",
            "spanId": format!("{place}"), "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 })).collect();
        let refused = call(&app, "recordTrace", json!({ "traceId": "many", "steps": steps }), "trace { id }").await;
        assert_eq!(code(&refused), "LIMIT_EXCEEDED");
    }

    async fn equal_behaviour_has_equal_roots_and_a_difference_is_named(db: TestDb) {
        let app = TestApp::on(&db).await;
        let mut failing = step("b", "TOOL", 2);
        failing["status"] = json!("FAILURE");
        for (trace, second) in [("one", step("b", "TOOL", 2)), ("two", step("y", "TOOL", 2)), ("three", failing)] {
            let input = json!({ "traceId": trace, "steps": [llm_step("a", 1, 5), second] });
            call(&app, "recordTrace", input, "trace { id }").await;
        }
        let compare = |right: &str| format!("{{ traceComparison(left: {{ traceId: \"one\" }}, right: {{ traceId: \"{right}\" }}) {{
            parity divergence {{ position reason left {{ spanId }} right {{ spanId }} }} leftRootHash rightRootHash }} }}");
        let same = app.query(&compare("two")).await["traceComparison"].clone();
        assert_eq!((&same["parity"], &same["divergence"]), (&json!(true), &Value::Null));
        assert_eq!(same["leftRootHash"], same["rightRootHash"]);
        let other = app.query(&compare("three")).await["traceComparison"].clone();
        assert_eq!(other["parity"], false);
        assert_eq!(other["divergence"], json!({ "position": 1, "reason": "OUTCOME", "left": { "spanId": "b" }, "right": { "spanId": "b" } }));
        let missing = app.raw_query(&compare("none"), json!({})).await;
        assert_eq!(missing["errors"][0]["extensions"]["field"], "right", "{missing}");
    }

    async fn content_is_digested_and_can_be_compared(db: TestDb) {
        let app = TestApp::on(&db).await;
        let text = "the prompt text that nobody keeps";
        let input = json!({ "runId": "r", "prompt": { "text": text }, "response": { "text": "an answer" } });
        let run = call(&app, "recordLlmRun", input, "run { promptHash responseHash }").await["run"].clone();
        let digest = app.query_with("query($text: String!) { contentDigest(text: $text) }", json!({ "text": text })).await;
        assert_eq!(run["promptHash"], digest["contentDigest"]);
        let other = app.other_tenant("other");
        let elsewhere = other.query_with("query($text: String!) { contentDigest(text: $text) }", json!({ "text": text })).await;
        assert_ne!(elsewhere["contentDigest"], digest["contentDigest"], "digests of two tenants cannot be linked");
    }

    async fn a_step_is_found_by_its_idempotency_key(db: TestDb) {
        let app = TestApp::on(&db).await;
        let mut keyed = step("a", "TOOL", 1);
        keyed["idempotencyKey"] = json!("payment-7");
        call(&app, "recordTrace", json!({ "traceId": "t", "steps": [keyed] }), "trace { id }").await;
        let found = app.query("{ hit: idempotencyCheck(key: \"payment-7\") { executed traceId stepIndex status outcome }
            miss: idempotencyCheck(key: \"payment-8\") { executed } }").await;
        assert_eq!(found, json!({ "hit": { "executed": true, "traceId": "t", "stepIndex": 0, "status": "SUCCESS", "outcome": "SUCCESS" }, "miss": null }));
    }
}

db_test! {
    async fn steps_without_span_ids_that_began_at_once_stay_in_their_order(db: TestDb) {
        let app = TestApp::on(&db).await;
        let mut steps = [step("", "LLM", 0), step("", "TOOL", 0), step("", "AGENT", 0)];
        steps.iter_mut().for_each(|step| drop(step.as_object_mut().expect("object").remove("spanId")));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..8 {
            let input = json!({ "steps": steps });
            let answer = call(&app, "recordTrace", input, "trace { startedAt endedAt rootHash steps { nodes { kind } } }").await;
            // The beginning of what is over is that of its first step.
            assert_eq!(answer["trace"]["startedAt"], "2026-11-21T08:00:00.000000Z", "{answer}");
            seen.insert(answer.to_string());
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }
}
