//! Incident evidence: recording, revisions, the incidents of a run, their replay.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::topics::{call, code};

fn input(name: &str, extra: Value) -> Value {
    let mut input = json!({ "incidentId": name, "severity": "HIGH", "status": "OPEN", "title": "too many refunds",
        "openedAt": "2026-11-21T08:01:00Z" });
    input.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    input
}

async fn record(app: &TestApp, name: &str, extra: Value) -> Value {
    let payload =
        call(app, "recordIncidentEvidence", input(name, extra), "isReplayed incidentEvidence { id revision }").await;
    assert!(payload.get("errors").is_none(), "{payload}");
    payload
}

async fn record_run(app: &TestApp, name: &str) {
    let step = json!({ "spanId": "a", "kind": "LLM", "skillName": "chat", "status": "SUCCESS",
        "startedAt": "2026-11-21T08:00:00Z", "durationMs": 2_000 });
    call(
        app,
        "recordLlmRun",
        json!({ "runId": name, "completedAt": "2026-11-21T08:00:30Z", "trace": {}, "steps": [step] }),
        "run { id }",
    )
    .await;
}

db_test! {
    async fn evidence_is_recorded_corrected_and_every_revision_stays(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "INC-1", json!({ "policyId": "p", "threshold": "0.50", "actual": "12", "violationType": "limit" })).await;
        let again = call(&app, "recordIncidentEvidence", input("INC-1", json!({})), "isReplayed").await;
        assert_eq!(code(&again), "CONFLICT");
        assert!(again["errors"][0]["message"].as_str().expect("text").contains("supersedesRevision to 1"), "{again}");
        let unknown = call(&app, "recordIncidentEvidence", input("INC-2", json!({ "supersedesRevision": 1 })), "isReplayed").await;
        assert_eq!(code(&unknown), "NOT_FOUND");
        let correction = json!({ "supersedesRevision": 1, "severity": "LOW", "status": "RESOLVED", "resolvedAt": "2026-11-21T09:00:00Z" });
        assert_eq!(record(&app, "INC-1", correction).await["incidentEvidence"]["revision"], 2);
        let found = app.query("{ incidentEvidence(incidentId: \"INC-1\") { revision severity status policy { id } threshold
            revisions { revision severity policy { id } threshold actual violationType resolvedAt } }
            none: incidentEvidence(incidentId: \"INC-9\") { id } wrong: incidentEvidence(incidentId: \"\") { id } }").await;
        assert_eq!(found["incidentEvidence"]["revisions"], json!([
            { "revision": 2, "severity": "LOW", "policy": null, "threshold": null, "actual": null, "violationType": null,
              "resolvedAt": "2026-11-21T09:00:00.000000Z" },
            { "revision": 1, "severity": "HIGH", "policy": { "id": "p" }, "threshold": "0.50", "actual": "12",
              "violationType": "limit", "resolvedAt": null }]));
        assert_eq!((&found["incidentEvidence"]["status"], &found["none"], &found["wrong"]), (&json!("RESOLVED"), &Value::Null, &Value::Null));
    }

    async fn evidence_is_recorded_once_under_its_idempotency_key(db: TestDb) {
        let app = TestApp::on(&db).await;
        let key = json!({ "idempotencyKey": "k" });
        let first = record(&app, "INC-1", key.clone()).await;
        let again = record(&app, "INC-1", key.clone()).await;
        assert_eq!((&first["isReplayed"], &again["isReplayed"]), (&json!(false), &json!(true)));
        assert_eq!(first["incidentEvidence"], again["incidentEvidence"]);
        let other = call(&app, "recordIncidentEvidence", input("INC-1", json!({ "idempotencyKey": "k", "severity": "LOW" })), "isReplayed").await;
        assert_eq!(code(&other), "CONFLICT");
    }

    async fn titles_are_redacted_and_bounded(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "INC-1", json!({ "title": "refund to jane.doe@example.test", "status": "told jane.doe@example.test" })).await;
        let found = app.query("{ incidentEvidence(incidentId: \"INC-1\") { title status } }").await;
        assert_eq!(found["incidentEvidence"], json!({ "title": "refund to [REDACTED]", "status": "told [REDACTED]" }));
        let long = call(&app, "recordIncidentEvidence", input("INC-2", json!({ "title": "x".repeat(513) })), "isReplayed").await;
        assert_eq!(code(&long), "LIMIT_EXCEEDED");
        for (field, value) in [("violationStepIndex", json!(-1)), ("violationStepIndex", json!(0)), ("title", json!(" "))] {
            let refused = call(&app, "recordIncidentEvidence", input("INC-3", json!({ field: value })), "isReplayed").await;
            assert_eq!(refused["errors"][0]["extensions"]["field"], field, "{refused}");
        }
    }

    async fn a_run_shows_the_incidents_that_it_caused(db: TestDb) {
        let app = TestApp::on(&db).await;
        record_run(&app, "r").await;
        record(&app, "INC-1", json!({ "sourceRunId": "r" })).await;
        record(&app, "INC-2", json!({ "sourceRunId": "r" })).await;
        record(&app, "INC-3", json!({ "sourceRunId": "r" })).await;
        record(&app, "INC-3", json!({ "sourceRunId": "another", "supersedesRevision": 1 })).await;
        record(&app, "INC-1", json!({ "sourceRunId": "r", "supersedesRevision": 1, "severity": "CRITICAL" })).await;
        let found = app.query("{ llmRun(runId: \"r\") { incidentEvidence { incidentId revision severity run { runId } incident { evidence { revision } } } } }").await;
        assert_eq!(found["llmRun"]["incidentEvidence"], json!([
            { "incidentId": "INC-1", "revision": 2, "severity": "CRITICAL", "run": { "runId": "r" }, "incident": { "evidence": { "revision": 2 } } },
            { "incidentId": "INC-2", "revision": 1, "severity": "HIGH", "run": { "runId": "r" }, "incident": { "evidence": { "revision": 1 } } }]),
            "newest revisions, newest first; INC-3 turned out to be another run's");
    }

    async fn an_incident_has_its_runs_replay_around_its_own_inflection(db: TestDb) {
        let app = TestApp::on(&db).await;
        record_run(&app, "r").await;
        record(&app, "at", json!({ "sourceRunId": "r", "violationAt": "2026-11-21T08:00:01Z" })).await;
        record(&app, "step", json!({ "sourceRunId": "r", "inflectionStepIndex": 0 })).await;
        record(&app, "silent", json!({ "sourceRunId": "r" })).await;
        record(&app, "nowhere", json!({ "sourceRunId": "not on record" })).await;
        record(&app, "alone", json!({})).await;
        let of = |name: &str| format!("{name}: incidentEvidence(incidentId: \"{name}\") {{ replay(windowSeconds: 2) {{
            inflectionRule inflectionTimestamp events {{ stepIndex record {{ ... on TraceStep {{ spanId }} }} }} metadata {{ incidentIds }} }} }}");
        let found = app.query(&format!("{{ {} {} {} {} {} }}", of("at"), of("step"), of("silent"), of("nowhere"), of("alone"))).await;
        let events = json!([{ "stepIndex": 0, "record": { "spanId": "a" } }]);
        let replay = |rule: &str, at: &str, events: &Value, name: &str| json!({ "inflectionRule": rule,
            "inflectionTimestamp": format!("2026-11-21T08:00:{at}.000000Z"), "events": events, "metadata": { "incidentIds": [name] } });
        assert_eq!(found["at"]["replay"], replay("VIOLATION", "01", &events, "at"));
        assert_eq!(found["step"]["replay"], replay("INCIDENT", "02", &events, "step"));
        assert_eq!(found["silent"]["replay"], replay("COMPLETION", "30", &json!([]), "silent"), "the run's own, not the other incidents'");
        assert_eq!((&found["nowhere"]["replay"], &found["alone"]["replay"]), (&Value::Null, &Value::Null));
    }
}
