//! What callers hand in wrongly: each fault is named with what was sent and what is allowed, and harms nothing beside it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::alone::{RUN_ALONE, TRACE_ALONE};
use crate::support::app::TestApp;
use crate::support::topics::{call, code};
use crate::support::walk::{Schema, named};

/// Mutations whose inputs are walked, with what must be just so.
const MUTATIONS: [(&str, &[(&str, &str)]); 9] = [
    ("recordLlmRun", RUN_ALONE),
    ("recordTrace", TRACE_ALONE),
    ("startTrace", &[]),
    ("recordSteps", &[("traceId", "\"begun\"")]),
    ("recordSystemRecords", &[("isPlatformWide", "false")]),
    ("appendAuditEntries", &[("eventType", "\"Happened\""), ("category", "\"GOVERNANCE\"")]),
    ("recordPolicyActivation", &[("approvalPath", "\"auto\"")]),
    ("recordIncidentEvidence", &[]),
    ("createApiKey", &[("scopes", "\"runs:read\""), ("expiresAt", "\"2099-01-01T00:00:00Z\"")]),
];

/// A value that a field of this type may refuse, and what the refusal says of what was sent.
fn wrong(of: &str) -> Vec<(Value, Vec<String>)> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match of {
        "String" | "ID" => vec![
            (json!(""), words(&["got 0", "is empty", "got \"\""])),
            (json!("x".repeat(5_000)), words(&["got 5000", "of 5000 bytes", "got \"xxx"])),
            (json!("a\0b"), words(&["U+0000", "a\\0b"])),
        ],
        "SafeInt" => [-1_i64, 9_007_199_254_740_991, -9_007_199_254_740_991]
            .into_iter()
            .map(|number| (json!(number), vec![format!("got {number}")]))
            .collect(),
        "Decimal" => ["-1", "0.0000001", "99999999999999999"]
            .into_iter()
            .map(|number| (json!(number), vec![format!("got {number}")]))
            .collect(),
        "Float" => {
            [-0.5, 1.5, 0.123_456_7].into_iter().map(|number| (json!(number), vec![format!("got {number}")])).collect()
        }
        "JSON" => {
            let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
            vec![
                (json!({ "a": 9_007_199_254_740_993_i64 }), words(&["9007199254740993"])),
                (json!({ "a": deep }), words(&["deeper than 32"])),
                (json!({ "a": "x y ".repeat(100_000) }), words(&["bytes, got 400008"])),
                (json!({ "a": "\0" }), words(&["U+0000"])),
            ]
        }
        _ => Vec::new(),
    }
}

/// An input in which all is well. Names are new each time.
fn example(
    schema: &Schema,
    field: &Value,
    fixed: &[(&str, &str)],
    count: &mut usize,
    places: &mut Vec<(String, String)>,
) -> Value {
    let mutation = field["name"].as_str().expect("a name");
    schema.example(mutation, &field["args"][0]["type"], &mut |place, of| {
        if let Some((_, value)) = fixed.iter().find(|(name, _)| place.ends_with(&format!(".{name}"))) {
            return serde_json::from_str(value).expect("JSON");
        }
        let name = place.rsplit('.').next().unwrap_or(place);
        *count += 1;
        let value = match (name, of) {
            ("supersedesRevision" | "source" | "duplicateOf" | "idempotencyKey", _) => return Value::Null,
            (_, "ContentInput") => return json!({ "text": "hello" }),
            (_, "JSON") => json!({}),
            (_, "String" | "ID") => json!(format!("n{count}")),
            (_, "Boolean") => return json!(true),
            (_, "SafeInt") => json!(1),
            (_, "Float") => json!(0.5),
            (_, "BigInt" | "Decimal") => json!("1"),
            (_, "DateTime") => return json!("2026-11-21T08:00:00Z"),
            _ => return schema.first_of(of),
        };
        places.push((place.to_owned(), of.to_owned()));
        value
    })
}

/// Puts a value to its place, in the only item of every list on the way.
fn put(input: &mut Value, place: &str, value: Value) {
    let mut at = input;
    for name in place.split('.').skip(1) {
        if at.is_array() {
            at = &mut at[0];
        }
        at = &mut at[name];
    }
    match at.is_array() {
        true => at[0] = value,
        false => *at = value,
    }
}

db_test! {
    async fn every_refusal_names_the_field_what_was_sent_and_what_is_allowed(db: TestDb) {
        let app = TestApp::on(&db).await;
        let schema = Schema::of(&app).await;
        call(&app, "startTrace", json!({ "traceId": "begun" }), "isReplayed").await;
        let (mut count, mut refused) = (0, BTreeSet::new());
        for (mutation, fixed) in MUTATIONS {
            let field = schema.fields("Mutation").iter().find(|field| field["name"] == mutation).expect("a mutation");
            let is_batch = schema.fields(named(&field["type"])).iter().any(|field| field["name"] == "results");
            let selection = if is_batch { "results { outcome error { message } }" } else { "__typename" };
            let mut places = Vec::new();
            let good = example(&schema, field, fixed, &mut count, &mut places);
            let well = call(&app, mutation, good, selection).await;
            assert!(well.get("errors").is_none() && !well.to_string().contains("REJECTED"), "{mutation}: {well}");
            for (place, of) in places {
                for (value, said) in wrong(&of) {
                    let mut input = example(&schema, field, fixed, &mut count, &mut Vec::new());
                    put(&mut input, &place, value.clone());
                    let answer = call(&app, mutation, input, selection).await;
                    let message = answer["errors"][0]["message"].as_str().or(answer["results"][0]["error"]["message"].as_str());
                    let Some(message) = message else { continue };
                    if is_batch && !place.ends_with("Input.traceId") && place.matches('.').count() > 1 {
                        assert!(answer.get("errors").is_none(), "{place}: the record alone is refused: {answer}");
                    }
                    let name = place.rsplit('.').next().expect("a name");
                    assert!(message.contains(name), "{place} = {value:.60}: {message}");
                    assert!(said.iter().any(|said| message.contains(said.as_str())), "{place}: {message}");
                    refused.insert(place.clone());
                }
            }
        }
        assert!(refused.len() > 90, "{}: {refused:?}", refused.len());
    }

    async fn a_bad_record_is_named_and_the_others_are_kept(db: TestDb) {
        let app = TestApp::on(&db).await;
        call(&app, "startTrace", json!({ "traceId": "t" }), "isReplayed").await;
        let step = |extra: Value| {
            let mut step = json!({ "kind": "TOOL", "skillName": "s", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z" });
            step.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            step
        };
        let input = json!({ "traceId": "t", "steps": [step(json!({})), step(json!({ "attempt": -1 })), step(json!({ "inputTokens": -5 })),
            step(json!({ "durationMs": 9_007_199_254_740_991_i64 })), step(json!({ "costUsd": "-0.5" })), step(json!({ "skillName": "x".repeat(600) })),
            step(json!({ "attributes": [1] })), step(json!({ "spanId": "a", "parentSpanId": "a" })), step(json!({}))] });
        let answer = call(&app, "recordSteps", input, "results { outcome error { field message } }").await;
        let results = answer["results"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let fields: Vec<_> = results.iter().map(|result| result["error"]["field"].as_str()).collect();
        assert_eq!(fields, [None, Some("attempt"), Some("inputTokens"), Some("durationMs"), Some("costUsd"),
            Some("skillName"), Some("attributes"), Some("parentSpanId"), None], "{answer}");
        let message = |at: usize| results[at]["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(message(1), "attempt lies between 1 and 2147483647, got -1");
        assert_eq!(message(3), "durationMs lies between 0 and 9007199254740, got 9007199254740991");
        assert!(message(4).starts_with("costUsd lies between 0 and 9007199254.740991 US dollars"), "{}", message(4));
        assert_eq!(message(5), "skillName has 1 to 128 bytes, got 600");
        let records = json!({ "records": [{ "component": "API", "eventType": "DEPLOY", "summary": "one" },
            { "component": "API", "eventType": "DEPLOY", "summary": "two", "serviceName": "x".repeat(600) }] });
        let answer = call(&app, "recordSystemRecords", records, "results { outcome error { field } }").await;
        assert_eq!(answer["results"], json!([{ "outcome": "RECORDED", "error": null }, { "outcome": "REJECTED", "error": { "field": "serviceName" } }]));
    }

    async fn contradictions_are_refused_with_both_sides(db: TestDb) {
        let app = TestApp::on(&db).await;
        let step = |span_id: &str| json!({ "spanId": span_id, "kind": "LLM", "skillName": "s", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z" });
        call(&app, "startTrace", json!({ "traceId": "t", "runId": "r" }), "isReplayed").await;
        call(&app, "startTrace", json!({ "traceId": "u" }), "isReplayed").await;
        for (mutation, input, field, said) in [
            ("recordLlmRun", json!({ "runId": "one", "trace": { "runId": "two" } }), "trace.runId", ["\"one\"", "\"two\""]),
            ("recordTrace", json!({ "runId": "one", "steps": [], "run": { "runId": "two" } }), "run.runId", ["\"one\"", "\"two\""]),
            ("completeTrace", json!({ "traceId": "t", "run": { "runId": "two" } }), "run.runId", ["\"r\"", "\"two\""]),
            ("completeTrace", json!({ "traceId": "t", "run": { "supersedesRevision": 3 } }), "run.supersedesRevision", ["3", "recordLlmRun"]),
            ("recordTrace", json!({ "steps": [], "run": { "supersedesRevision": 3 } }), "run.supersedesRevision", ["3", "recordLlmRun"]),
            ("recordTrace", json!({ "steps": [step("a"), step("b"), step("a")] }), "steps[2].spanId", ["steps[0]", "steps[2]"]),
            ("recordLlmRun", json!({ "steps": [step("a"), step("a")] }), "steps[1].spanId", ["steps[0]", "\"a\""]),
            ("recordTrace", json!({ "steps": [], "startedAt": "2026-11-21T08:00:00Z", "seal": { "endedAt": "2026-11-21T07:00:00Z" } }),
                "seal.endedAt", ["endedAt", "startedAt"]),
            ("startTrace", json!({ "syntheticScenarioId": "s" }), "syntheticScenarioId", ["isSynthetic", "false"]),
            ("recordLlmRun", json!({ "syntheticScenarioId": "s" }), "syntheticScenarioId", ["isSynthetic", "false"]),
            ("recordLlmRun", json!({ "startedAt": "2026-11-21T08:00:00Z", "completedAt": "2026-11-21T07:00:00Z" }), "completedAt", ["completedAt", "startedAt"]),
        ] {
            let refused = call(&app, mutation, input.clone(), "__typename").await;
            let message = refused["errors"][0]["message"].as_str().unwrap_or_default();
            assert_eq!((code(&refused), &refused["errors"][0]["extensions"]["field"]), ("BAD_USER_INPUT", &json!(field)), "{input}: {refused}");
            assert!(said.iter().all(|said| message.contains(said)), "{input}: {message}");
        }
        // A trace that was begun without a run is given one when it is completed.
        let named = call(&app, "completeTrace", json!({ "traceId": "u", "run": { "runId": "late" } }), "run { runId traceId }").await;
        assert_eq!(named["run"], json!({ "runId": "late", "traceId": "u" }));
    }

    async fn what_trace_run_seal_and_steps_say_of_one_execution_agrees(db: TestDb) {
        let app = TestApp::on(&db).await;
        let step = |start: &str, ms: i64| json!({ "kind": "LLM", "skillName": "s", "status": "SUCCESS", "startedAt": format!("2026-11-21T{start}Z"), "durationMs": ms });
        let at = |time: &str| format!("2026-11-21T{time}Z");
        let steps = json!([step("08:00:01", 1_000)]);
        let mut refusals = Vec::new();
        for (field, one, other) in [("agentId", "a", "b"), ("correlationId", "a", "b"), ("environment", "a", "b"), ("serviceInstanceId", "a", "b"),
            ("serviceName", "a", "b"), ("serviceVersion", "a", "b")] {
            let (mut run, mut trace) = (json!({ "steps": steps, "trace": { field: one } }), json!({ "steps": steps, "run": { field: other } }));
            (run[field], trace[field]) = (json!(other), json!(one));
            refusals.push(("recordLlmRun", run, field.to_owned(), ["\"a\"", "\"b\""]));
            refusals.push(("recordTrace", trace, format!("run.{field}"), ["\"a\"", "\"b\""]));
        }
        let scenario = |name: &str| json!({ "isSynthetic": true, "syntheticScenarioId": name });
        let mut synthetic = scenario("a");
        (synthetic["steps"], synthetic["run"]) = (steps.clone(), scenario("b"));
        refusals.push(("recordTrace", synthetic, "run.syntheticScenarioId".to_owned(), ["\"a\"", "\"b\""]));
        let with = |extra: Value| {
            let mut input = json!({ "steps": steps });
            input.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            input
        };
        let status = with(json!({ "seal": { "status": "FAILED" }, "run": { "executionStatus": "SUCCEEDED" } }));
        refusals.push(("recordTrace", status, "run.executionStatus".to_owned(), ["FAILED", "SUCCEEDED"]));
        let turned = with(json!({ "startedAt": at("08:00:03"), "seal": { "endedAt": at("08:00:02") } }));
        refusals.push(("recordTrace", turned, "seal.endedAt".to_owned(), ["08:00:02", "08:00:03"]));
        for (mutation, input, field, said) in refusals {
            let refused = call(&app, mutation, input.clone(), "__typename").await;
            let message = refused["errors"][0]["message"].as_str().unwrap_or_default();
            assert_eq!((code(&refused), &refused["errors"][0]["extensions"]["field"]), ("BAD_USER_INPUT", &json!(field)), "{mutation} {input}: {refused}");
            assert!(said.iter().all(|said| message.contains(said)), "{mutation} {input}: {message}");
        }
        // What is said once is said of both; a run without steps is held against itself.
        let given = call(&app, "recordTrace", with(json!({ "run": { "executionStatus": "ABORTED", "completedAt": at("08:00:05"), "isSynthetic": true,
            "syntheticScenarioId": "s", "startedAt": at("08:00:00") } })), "trace { status startedAt endedAt isSynthetic syntheticScenarioId } run { executionStatus }").await;
        assert_eq!(given["trace"], json!({ "status": "ABORTED", "startedAt": "2026-11-21T08:00:00.000000Z", "endedAt": "2026-11-21T08:00:05.000000Z",
            "isSynthetic": true, "syntheticScenarioId": "s" }), "{given}");
    }

    async fn the_end_of_a_trace_is_held_against_its_record(db: TestDb) {
        let app = TestApp::on(&db).await;
        let begun = json!({ "traceId": "t", "agentId": "a", "serviceName": "jane@example.test", "startedAt": "2026-11-21T08:00:00Z" });
        call(&app, "startTrace", begun, "isReplayed").await;
        let step = json!({ "kind": "LLM", "skillName": "s", "spanId": "x", "status": "SUCCESS", "inputTokens": 3, "startedAt": "2026-11-21T08:00:01Z", "durationMs": 1_000 });
        call(&app, "recordSteps", json!({ "traceId": "t", "steps": [step] }), "isReplayed").await;
        for (extra, field, said) in [
            (json!({ "run": { "agentId": "b" } }), "run.agentId", ["the trace's agentId is \"a\"", "\"b\""]),
            (json!({ "run": { "isSynthetic": true, "syntheticScenarioId": "s" } }), "run.isSynthetic", ["true", "false"]),
            (json!({ "status": "FAILED", "run": { "executionStatus": "TIMEOUT" } }), "run.executionStatus", ["FAILED", "TIMEOUT"]),
            (json!({ "endedAt": "2026-11-21T07:00:00Z" }), "endedAt", ["07:00:00", "08:00:00"]),
        ] {
            let mut input = json!({ "traceId": "t" });
            input.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
            let refused = call(&app, "completeTrace", input, "__typename").await;
            let message = refused["errors"][0]["message"].as_str().unwrap_or_default();
            assert_eq!((code(&refused), &refused["errors"][0]["extensions"]["field"]), ("BAD_USER_INPUT", &json!(field)), "{extra}: {refused}");
            assert!(said.iter().all(|said| message.contains(said)), "{extra}: {message}");
        }
        // The same said again agrees, also where the record holds it redacted.
        let input = json!({ "traceId": "t", "run": { "agentId": "a", "serviceName": "jane@example.test", "cachedInputTokens": 3, "executionStatus": "FAILED" } });
        let ended = call(&app, "completeTrace", input, "trace { status endedAt } run { executionStatus completedAt }").await;
        assert_eq!(ended["trace"], json!({ "status": "FAILED", "endedAt": "2026-11-21T08:00:02.000000Z" }), "{ended}");
        assert_eq!(ended["run"], json!({ "executionStatus": "FAILED", "completedAt": "2026-11-21T08:00:02.000000Z" }));
    }

    async fn no_step_makes_a_trace_that_cannot_end(db: TestDb) {
        let app = TestApp::on(&db).await;
        call(&app, "startTrace", json!({ "traceId": "t" }), "isReplayed").await;
        let step = |tokens: i64| json!({ "kind": "LLM", "skillName": "s", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:01Z",
            "inputTokens": tokens, "outputTokens": tokens, "costUsd": "9007199254.740991", "durationMs": 9_007_199_254_740_i64 });
        let steps = [step(9_007_199_254_740_991), step(1_000_000_000_000), step(1_000_000_000_000)];
        let answer = call(&app, "recordSteps", json!({ "traceId": "t", "steps": steps }), "results { error { field message } }").await;
        assert_eq!(answer["results"][0]["error"]["field"], "inputTokens", "{answer}");
        assert!(answer["results"][0]["error"]["message"].as_str().expect("a message").contains("0 and 1000000000000"), "{answer}");
        let run = call(&app, "completeTrace", json!({ "traceId": "t" }), "run { totalTokens costUsd } trace { totals { inputTokens costUsd } }").await;
        assert_eq!(run["run"], json!({ "totalTokens": 4_000_000_000_000_i64, "costUsd": null }), "a cost beyond what is kept is not known: {run}");
        assert_eq!(run["trace"]["totals"], json!({ "inputTokens": 2_000_000_000_000_i64, "costUsd": null }));
        let refused = call(&app, "recordLlmRun", json!({ "inputTokens": 9_007_199_254_740_991_i64 }), "__typename").await;
        assert!(refused["errors"][0]["message"].as_str().expect("a message").contains("0 and 4503599627370495"), "{refused}");
        let most = call(&app, "recordLlmRun", json!({ "inputTokens": 4_503_599_627_370_495_i64, "outputTokens": 4_503_599_627_370_495_i64 }), "run { totalTokens }").await;
        assert_eq!(most["run"]["totalTokens"], 9_007_199_254_740_990_i64);
    }

    async fn a_failed_step_at_the_top_fails_the_run(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (round, (statuses, expected)) in [
            (&["SUCCESS", "FAILURE", "SUCCESS"][..], "FAILED"),
            (&["FAILURE", "SUCCESS"][..], "FAILED"),
            (&["RETRY", "SUCCESS"][..], "SUCCEEDED"),
            (&["SUCCESS", "RETRY"][..], "FAILED"),
            (&["SUCCESS", "SKIPPED"][..], "SUCCEEDED"),
        ].into_iter().enumerate() {
            let steps: Vec<_> = statuses.iter().enumerate().map(|(at, status)| json!({ "kind": "LLM", "skillName": "s", "status": status,
                "startedAt": format!("2026-11-21T08:00:0{at}Z") })).collect();
            let given = call(&app, "recordLlmRun", json!({ "runId": format!("r{round}"), "steps": steps }), "run { executionStatus } trace { status }").await;
            assert_eq!(given["run"]["executionStatus"], expected, "{statuses:?}: {given}");
        }
        let below = json!([{ "kind": "AGENT", "spanId": "top", "skillName": "s", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z" },
            { "kind": "LLM", "parentSpanId": "top", "skillName": "s", "status": "FAILURE", "startedAt": "2026-11-21T08:00:00Z" }]);
        let given = call(&app, "recordLlmRun", json!({ "steps": below }), "run { executionStatus }").await;
        assert_eq!(given["run"]["executionStatus"], "SUCCEEDED", "what stands above it has dealt with it: {given}");
    }

    async fn nobody_writes_in_the_servers_name(db: TestDb) {
        let app = TestApp::on(&db).await;
        for source in ["OTLP", "SYSTEM"] {
            for (mutation, input) in [("recordLlmRun", json!({ "source": source })), ("recordTrace", json!({ "steps": [], "run": { "source": source } }))] {
                let refused = call(&app, mutation, input, "__typename").await;
                let message = refused["errors"][0]["message"].as_str().unwrap_or_default();
                assert!(code(&refused) == "BAD_USER_INPUT" && message.contains(source) && message.contains("WORKER"), "{refused}");
            }
        }
        for source in ["API", "SDK", "SYNTHETIC", "WORKER"] {
            let run = call(&app, "recordLlmRun", json!({ "source": source }), "run { source }").await;
            assert_eq!(run["run"]["source"], source);
        }
        let records: Vec<_> = ["otlp", "GraphQL", " server", "Export.", "veri-fier", "my-exporter"].into_iter()
            .map(|name| json!({ "component": "API", "eventType": "DEPLOY", "summary": "s", "sourceComponent": name })).collect();
        let answer = call(&app, "recordSystemRecords", json!({ "records": records }), "results { outcome error { field message } }").await;
        let outcomes: Vec<_> = answer["results"].as_array().expect("results").iter().map(|result| result["outcome"].as_str().unwrap_or_default()).collect();
        assert_eq!(outcomes, ["REJECTED", "REJECTED", "REJECTED", "REJECTED", "REJECTED", "RECORDED"], "{answer}");
    }
}
