//! Mistakes that a log of runs makes unseen, because its answers still look right: a verification that did not look, an
//! unknown cost that became nothing, an error that was swallowed. Each test bears the name of one. Those that belong to a
//! family of tests stand there.

use std::collections::BTreeSet;

use runledger::domain::ids::TenantId;
use sea_orm::DbBackend;
use serde_json::{Value, json};

use crate::access::{make_read_only, make_writable};
use crate::secrets::{any_of, disguises, stored};
use crate::support::app::{AppSettings, TestApp};
use crate::support::evidence::{drop_guards, every_kind, tamper};
use crate::support::seed::at;
use crate::support::topics::call;

const RUN: &str = "query($run: ID!) { llmRun(runId: $run) { costUsd costCents executionStatus revision } }";

fn step(span_id: &str, attempt: i64, status: &str) -> Value {
    json!({ "spanId": span_id, "attempt": attempt, "kind": "LLM", "skillName": "chat", "status": status,
        "startedAt": at(attempt).to_rfc3339(), "durationMs": 10, "inputTokens": 5, "outputTokens": 1 })
}

/// Calls a mutation that must succeed.
async fn done(app: &TestApp, mutation: &str, input: Value, selection: &str) -> Value {
    let payload = call(app, mutation, input, selection).await;
    assert!(payload.get("errors").is_none(), "{mutation}: {payload}");
    payload
}

db_test! {
    async fn integrity_answered_verified_without_looking(db: TestDb) {
        let app = TestApp::on(&db).await;
        let ask = async || app.query("{ auditIntegrity { integrity { status reason lastVerified anomaliesDetected hashChainValid trustLevel } } }")
            .await["auditIntegrity"]["integrity"].take();
        let verify = async || drop(done(&app, "verifyLedger", json!({ "mode": "FULL" }), "verifications { status }").await);
        every_kind(&app, "ours").await;
        let unseen = ask().await;
        assert_eq!((&unseen["status"], &unseen["lastVerified"], &unseen["hashChainValid"], &unseen["trustLevel"]),
            (&json!("UNKNOWN"), &Value::Null, &Value::Null, &Value::Null), "{unseen}");
        assert!(unseen["reason"].is_string(), "{unseen}");
        verify().await;
        let seen = ask().await;
        assert_eq!((&seen["status"], &seen["hashChainValid"], &seen["anomaliesDetected"]), (&json!("VALID"), &json!(true), &json!(0)));
        app.clock.advance_us(301_000_000);
        assert_eq!(ask().await["status"], "UNKNOWN", "a look of more than five minutes ago says nothing of now");
        drop_guards(&db).await;
        tamper(&db, "UPDATE llm_run SET input_tokens = 99 WHERE tenant_id = 'ours' AND run_id = 'run'").await;
        verify().await;
        let altered = ask().await;
        assert_eq!((&altered["status"], &altered["hashChainValid"]), (&json!("INVALID"), &json!(false)), "{altered}");
        assert_eq!(altered["anomaliesDetected"], 1);
    }

    async fn telemetry_was_a_stub(db: TestDb) {
        let app = TestApp::on(&db).await;
        let run = |name: &str, service: Option<&str>| json!({ "runId": name, "serviceName": service,
            "startedAt": at(10).to_rfc3339(), "completedAt": at(20).to_rfc3339() });
        done(&app, "recordLlmRun", run("r", Some("chat")), "run { id }").await;
        done(&app, "recordLlmRun", run("nobody's", None), "run { id }").await;
        let ask = async |name: &str| app.query_with(
            "query($run: ID!) { llmRun(runId: $run) { system { telemetry { status reason availableData series { name points { timestamp value } } } } } }",
            json!({ "run": name })).await["llmRun"]["system"]["telemetry"].take();
        for name in ["r", "nobody's"] {
            let none = ask(name).await;
            assert_eq!((&none["status"], &none["series"]), (&json!("NOT_COLLECTED"), &json!([])), "{none}");
            assert!(none["reason"].is_string(), "{none}");
        }
        let point = json!({ "timeUnixNano": format!("{}000", at(15).as_micros()), "asDouble": 0.25 });
        let service = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "chat" } }] });
        let metrics = json!({ "resourceMetrics": [{ "resource": service, "scopeMetrics": [{ "metrics": [
            { "name": "load", "gauge": { "dataPoints": [point] } }] }] }] });
        assert!(app.post_signal("/v1/metrics", &metrics).await.is_null());
        assert_eq!(ask("r").await, json!({ "status": "COLLECTED", "reason": null, "availableData": ["load"],
            "series": [{ "name": "load", "points": [{ "timestamp": at(15).to_rfc3339(), "value": 0.25 }] }] }));
        assert_eq!(ask("nobody's").await["status"], "NOT_COLLECTED", "not of a run that names no service");
    }

    async fn cost_was_stored_times_100_and_unknown_cost_as_0(db: TestDb) {
        let app = TestApp::on(&db).await;
        let costs = [("tiny", Some("0.000003"), Some("0.000003"), Some("0.0003")), ("some", Some("12.345678"), Some("12.345678"), Some("1234.5678")),
            ("free", Some("0"), Some("0.000000"), Some("0.0000")), ("unknown", None, None, None)];
        for (name, given, usd, cents) in costs {
            let input = json!({ "runId": name, "provider": "nobody", "model": "none", "inputTokens": 7, "costUsd": given });
            done(&app, "recordLlmRun", input, "run { id }").await;
            let run = app.query_with(RUN, json!({ "run": name })).await["llmRun"].take();
            assert_eq!((&run["costUsd"], &run["costCents"]), (&json!(usd), &json!(cents)), "{name}");
        }
        assert_eq!(db.number("SELECT cost_micros FROM llm_run WHERE run_id = 'tiny'").await, 3);
        assert_eq!(db.number("SELECT cost_micros FROM llm_run WHERE run_id = 'some'").await, 12_345_678);
        assert_eq!(db.number("SELECT COUNT(*) FROM llm_run WHERE cost_micros IS NULL").await, 1);
        let cheap = app.query("{ llmRuns(filter: { costUsd: { max: \"1\" } }) { nodes { runId } totalCount { value } } }").await;
        assert_eq!(cheap["llmRuns"], json!({ "nodes": [{ "runId": "free" }, { "runId": "tiny" }], "totalCount": { "value": 2 } }));
    }

    async fn retries_overwrote_or_lost_steps(db: TestDb) {
        let app = TestApp::on(&db).await;
        done(&app, "startTrace", json!({ "traceId": "t", "runId": "r" }), "trace { id }").await;
        let tries = [step("a", 1, "RETRY"), step("b", 2, "RETRY"), step("c", 3, "SUCCESS")];
        done(&app, "recordSteps", json!({ "traceId": "t", "steps": [tries[0], tries[1]] }), "trace { id }").await;
        // Sent again with the third try, and the first one told otherwise.
        let again = json!({ "traceId": "t", "steps": [step("a", 1, "SUCCESS"), tries[1], tries[2]] });
        let again = done(&app, "recordSteps", again, "results { outcome differs }").await;
        assert_eq!(again["results"], json!([{ "outcome": "EXISTING", "differs": true }, { "outcome": "EXISTING", "differs": false },
            { "outcome": "RECORDED", "differs": false }]));
        done(&app, "completeTrace", json!({ "traceId": "t" }), "trace { id }").await;
        let answer = app.query("{ llmRun(runId: \"r\") { inputTokens stepCount trace { totalSteps steps { nodes { spanId attempt status } } } } }").await;
        assert_eq!(answer["llmRun"], json!({ "inputTokens": 15, "stepCount": 3, "trace": { "totalSteps": 3, "steps": { "nodes": [
            { "spanId": "a", "attempt": 1, "status": "RETRY" }, { "spanId": "b", "attempt": 2, "status": "RETRY" },
            { "spanId": "c", "attempt": 3, "status": "SUCCESS" }] } } }));
    }

    async fn halted_runs_stayed_running_for_ever(db: TestDb) {
        let app = TestApp::on(&db).await;
        done(&app, "startTrace", json!({ "traceId": "t", "runId": "r" }), "trace { id }").await;
        done(&app, "recordSteps", json!({ "traceId": "t", "steps": [step("a", 1, "SUCCESS")] }), "trace { id }").await;
        let ask = async || app.query("{ llmRun(runId: \"r\") { executionStatus } trace(by: { traceId: \"t\" }) { status seals { reason } } }").await;
        app.clock.advance_us(3_599_000_000);
        app.logs.seal_due().await.expect("seals");
        let waiting = ask().await;
        assert_eq!((&waiting["llmRun"], &waiting["trace"]["status"]), (&Value::Null, &json!("RUNNING")));
        app.clock.advance_us(2_000_000);
        app.logs.seal_due().await.expect("seals");
        let ended = ask().await;
        assert_eq!((&ended["llmRun"]["executionStatus"], &ended["trace"]["status"]), (&json!("TIMEOUT"), &json!("TIMEOUT")), "{ended}");
        assert!(ended["trace"]["seals"][0]["reason"].is_string(), "{ended}");
    }

    async fn writing_evidence_swallowed_its_errors(db: TestDb) {
        let app = TestApp::on(&db).await;
        done(&app, "recordLlmRun", json!({ "runId": "first" }), "run { id }").await;
        let writes = writes("plain");
        let records = "SELECT (SELECT COUNT(*) FROM llm_run) + (SELECT COUNT(*) FROM trace) + (SELECT COUNT(*) FROM trace_step)
            + (SELECT COUNT(*) FROM trace_seal) + (SELECT COUNT(*) FROM system_record) + (SELECT COUNT(*) FROM audit_entry)
            + (SELECT COUNT(*) FROM incident_evidence) + (SELECT COUNT(*) FROM policy_activation)";
        let before = db.number(records).await;
        let read_only = make_read_only(&db).await;
        for (mutation, input) in &writes {
            if ["completeTrace", "abortTrace", "recordSteps"].contains(mutation) {
                continue;
            }
            let refused = call(&app, mutation, input.clone(), "__typename").await;
            // What SQLite says of the trigger that stands for a read-only database is no trouble that passes.
            let code = if db.backend == DbBackend::Sqlite { "INTERNAL" } else { "UNAVAILABLE" };
            assert_eq!(refused["errors"][0]["extensions"]["code"], code, "{mutation}: {refused}");
        }
        for path in ["/v1/traces", "/v1/logs"] {
            let answer = app.post(path, "application/json", otlp(path, "plain").to_string().into_bytes()).await;
            let status = if db.backend == DbBackend::Sqlite { 500 } else { 503 };
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
        assert_eq!(db.number(records).await, before, "nothing is half written");
        make_writable(&db, read_only).await;
        for (mutation, input) in writes {
            done(&app, mutation, input, "__typename").await;
        }
        // Another connection finds every record that was acknowledged, and each of them in the chain.
        assert!(db.number(records).await > before + 8);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_entry").await, db.number(records).await);
        let looks = done(&app, "verifyLedger", json!({ "mode": "FULL" }), "verifications { status }").await;
        assert_eq!(looks["verifications"][0]["status"], "VALID");
    }

    async fn redaction_covered_one_of_several_write_paths(db: TestDb) {
        const SECRET: &str = "jane.doe@example.test";
        let content_capture = [TenantId::trusted("ours")].into();
        let app = TestApp::set_up(&db, AppSettings { content_capture, ..AppSettings::default() }).await;
        let writes = writes(SECRET);
        let fields = app.query("{ __schema { mutationType { fields { name } } } }").await;
        let fields = fields["__schema"]["mutationType"]["fields"].as_array().expect("fields").clone();
        // These take no text but names, which are the caller's own, and the reason of an erasure, which says so.
        let nameless = ["createApiKey", "revokeApiKey", "erasePayload", "verifyLedger"];
        let covered: BTreeSet<&str> = writes.iter().map(|(name, _)| *name).chain(nameless).collect();
        assert_eq!(covered, fields.iter().map(|field| field["name"].as_str().expect("a name")).collect(), "every write path");
        for (mutation, input) in writes {
            assert!(input.to_string().contains(SECRET) || mutation == "recordPolicyActivation", "{mutation} is not tried");
            done(&app, mutation, input, "__typename").await;
        }
        for path in ["/v1/traces", "/v1/logs"] {
            app.post_signal(path, &otlp(path, SECRET)).await;
        }
        app.seal_all().await;
        app.store.close().await;
        let search = any_of(&disguises(SECRET));
        let mut redacted = 0;
        for (place, bytes) in stored(&db).await {
            let around = |at: usize| String::from_utf8_lossy(&bytes[at.saturating_sub(100)..(at + 60).min(bytes.len())]).into_owned();
            let found: Vec<_> = search.find_iter(&bytes).map(|found| around(found.start())).take(5).collect();
            assert!(found.is_empty(), "the secret is in {place}: {found:#?}");
            redacted += any_of(&["[REDACTED]".to_owned()]).find_iter(&bytes).count();
        }
        assert!(redacted >= 20, "{redacted} places prove little");
    }
}

/// Every mutation that takes text, with the text wherever it is free, in an order in which all succeed.
fn writes(text: &str) -> Vec<(&'static str, Value)> {
    let content = json!({ "text": format!("dear {text}") });
    let note = json!({ "note": [text, { "deep": format!("to {text}") }] });
    let mut told = step("s", 1, "FAILURE");
    for (name, value) in [("attributes", &note), ("input", &content), ("output", &content)] {
        told[name] = value.clone();
    }
    let run = json!({ "runId": "run", "name": format!("for {text}"), "prompt": content, "response": content,
        "trace": { "plan": note }, "steps": [told] });
    let seal = json!({ "reason": text, "metadata": note });
    let entry = json!({ "eventType": "LimitBreached", "entityType": "LIMIT", "entityId": "limit", "reason": text, "before": note, "after": note });
    let system = json!({ "component": "API", "eventType": "DEPLOY", "summary": format!("by {text}"), "details": note });
    vec![
        ("recordLlmRun", run),
        ("recordTrace", json!({ "traceId": "whole", "plan": note, "steps": [told], "seal": seal })),
        ("startTrace", json!({ "traceId": "t", "plan": note })),
        ("recordSteps", json!({ "traceId": "t", "steps": [told] })),
        ("completeTrace", json!({ "traceId": "t", "reason": text, "metadata": note })),
        ("startTrace", json!({ "traceId": "aborted", "plan": note })),
        ("abortTrace", json!({ "traceId": "aborted", "reason": text })),
        ("appendAuditEntries", json!({ "entries": [entry] })),
        ("recordSystemRecords", json!({ "records": [system] })),
        (
            "recordIncidentEvidence",
            json!({ "incidentId": "i", "severity": "HIGH", "status": "open", "title": format!("of {text}"),
            "openedAt": at(0).to_rfc3339() }),
        ),
        (
            "recordPolicyActivation",
            json!({ "policyId": "p", "sourcePatternId": "s", "confidence": 0.5, "confidenceVersion": "1",
            "approvalPath": "auto" }),
        ),
    ]
}

/// A request to one of the paths of OTLP, with the text wherever it is free.
fn otlp(path: &str, text: &str) -> Value {
    let at_nanos = |seconds| format!("{}000", at(seconds).as_micros());
    let value = json!({ "stringValue": format!("dear {text}") });
    let note = json!({ "key": "note", "value": value });
    let model = json!([{ "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
        { "key": "gen_ai.request.model", "value": { "stringValue": "gpt-4o" } },
        { "key": "gen_ai.input.messages", "value": value }, note]);
    if path == "/v1/logs" {
        let record = json!({ "timeUnixNano": at_nanos(3), "severityNumber": 17, "body": value, "attributes": [note] });
        return json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] });
    }
    let span = json!({ "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "chat gpt-4o",
        "startTimeUnixNano": at_nanos(1), "endTimeUnixNano": at_nanos(2), "attributes": model,
        "status": { "code": 2, "message": format!("no {text}") },
        "events": [{ "name": "exception", "timeUnixNano": at_nanos(2), "attributes": [note] }] });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] })
}
