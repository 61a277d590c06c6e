//! What can be said of exports of a run: only what is true now.

use runledger::domain::audit::AuditEntry;
use runledger::domain::export::LogExport;
use runledger::domain::ids::IdKind;
use runledger::domain::record::NewRecord;
use runledger::domain::run::LlmRun;
use runledger::domain::vocabulary::{AuditAction, AuditCategory, AuditEntityType, ExportFormat, ExportStatus};
use serde_json::{Value, json};

use crate::support::app::{AppSettings, TestApp};
use crate::support::seed::{at, digest, run, tenant};
use crate::support::topics::{append, call, export, governance, incident, new};

async fn tags(app: &TestApp, name: &str) -> Vec<(String, String)> {
    let answer =
        app.query(&format!("{{ llmRun(runId: \"{name}\") {{ export {{ complianceTags {{ tag reason }} }} }} }}")).await;
    let tags = answer["llmRun"]["export"]["complianceTags"].as_array().expect("tags");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    tags.iter().map(|tag| (text(&tag["tag"]), text(&tag["reason"]))).collect()
}

fn names(tags: &[(String, String)]) -> Vec<&str> {
    tags.iter().map(|(tag, _)| tag.as_str()).collect()
}

async fn record(app: &TestApp, name: &str, input: Value) {
    let mut input = input;
    input["runId"] = json!(name);
    let payload = call(app, "recordLlmRun", input, "run { id }").await;
    assert!(payload.get("errors").is_none(), "{payload}");
}

fn step() -> Value {
    json!({ "spanId": "a", "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z",
        "input": { "text": "the question" } })
}

const EXPORT: &str = "{ llmRun(runId: \"r\") { export { runId availableFormats reason checksum
    exports { id format status checksum requestedBy deliveredAt metadata { exportId humanActorId } }
    metadata { occurredAt exportId sequence } } } }";

db_test! {
    async fn without_exports_nothing_is_available_and_the_answer_says_so(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, "ours", vec![NewRecord::Run(new(&app, run("r")))]).await;
        assert_eq!(app.query(EXPORT).await["llmRun"]["export"], json!({ "runId": "r", "availableFormats": [],
            "reason": "no export of this run has been made", "checksum": null, "exports": [],
            "metadata": { "occurredAt": null, "exportId": null, "sequence": null } }));
    }

    async fn past_exports_are_shown_and_only_finished_ones_are_available(db: TestDb) {
        let app = TestApp::on(&db).await;
        let failed = NewRecord::Export(new(&app, export("r", ExportFormat::Csv, ExportStatus::Failed)));
        append(&app, "ours", vec![NewRecord::Run(new(&app, run("r"))), failed]).await;
        let only_failed = app.query(EXPORT).await["llmRun"]["export"].clone();
        assert_eq!((&only_failed["availableFormats"], &only_failed["reason"]), (&json!([]), &json!("every export of this run failed")));
        let made = |format| NewRecord::Export(new(&app, export("r", format, ExportStatus::Completed)));
        let assigned = append(&app, "ours", vec![made(ExportFormat::Zip), made(ExportFormat::Json), made(ExportFormat::Zip)]).await;
        let newest = assigned[2].id.typed(IdKind::Export);
        let downloaded = |second| AuditEntry {
            category: AuditCategory::Export, event_type: "BundleDownloaded".to_owned(),
            entity_type: AuditEntityType::LogExport, entity_id: newest.clone(), ..governance(at(second), None, None)
        };
        let downloads = vec![NewRecord::Audit(new(&app, downloaded(50)), None), NewRecord::Audit(new(&app, downloaded(60)), None)];
        append(&app, "ours", downloads).await;
        append(&app, "other", vec![NewRecord::Export(new(&app, export("r", ExportFormat::Pdf, ExportStatus::Completed)))]).await;
        let found = app.query(EXPORT).await["llmRun"]["export"].clone();
        assert_eq!((&found["availableFormats"], &found["reason"]), (&json!(["JSON", "ZIP"]), &Value::Null));
        assert_eq!(found["checksum"], digest(ExportFormat::Zip as u8).to_hex());
        let exports = found["exports"].as_array().expect("exports");
        assert_eq!(exports.iter().map(|export| &export["format"]).collect::<Vec<_>>(), ["ZIP", "JSON", "ZIP", "CSV"], "newest first");
        assert_eq!(exports[0], json!({ "id": newest, "format": "ZIP", "status": "COMPLETED", "requestedBy": "jo",
            "checksum": digest(ExportFormat::Zip as u8).to_hex(), "deliveredAt": at(50).to_rfc3339(),
            "metadata": { "exportId": newest, "humanActorId": "jo" } }));
        assert_eq!((&exports[3]["status"], &exports[3]["checksum"], &exports[3]["deliveredAt"]), (&json!("FAILED"), &Value::Null, &Value::Null));
        assert_eq!(found["metadata"]["exportId"], json!(newest));
    }

    async fn an_export_row_was_immutable_and_had_to_move_from_pending_to_completed(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, "ours", vec![NewRecord::Export(new(&app, export("r", ExportFormat::Zip, ExportStatus::Failed)))]).await;
        let changed = db.execute("UPDATE log_export SET status = 'COMPLETED'").await.expect_err("refused").to_string();
        assert!(changed.contains("append-only"), "{changed}");
        let early = LogExport { status: ExportStatus::Pending, ..export("r", ExportFormat::Zip, ExportStatus::Failed) };
        let unit = runledger::domain::append::AppendUnit::evidence(tenant("ours"), vec![NewRecord::Export(new(&app, early))]);
        let written = app.store.append(unit).await;
        let is_refused = match &written {
            Ok(runledger::domain::append::AppendReceipt::Done(results)) => matches!(results[0], runledger::domain::append::AppendResult::Rejected(_)),
            Ok(_) => false,
            Err(_) => true,
        };
        assert!(is_refused, "a record of an export is written when it is done, never before: {written:?}");
        assert_eq!(db.number("SELECT COUNT(*) FROM log_export").await, 1);
    }

    async fn compliance_tags_follow_from_the_evidence_at_hand(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "plain", json!({})).await;
        let plain = tags(&app, "plain").await;
        assert_eq!(names(&plain), ["REDACTED_AT_INGEST", "TAMPER_EVIDENT", "CONTENT_NOT_STORED"]);
        assert_eq!(plain[1].1, "the run is entry 0 of the evidence log");
        record(&app, "r", json!({ "trace": { "traceId": "t" }, "steps": [step()], "isSynthetic": true, "syntheticScenarioId": "load" })).await;
        let entries = [Some(AuditAction::Allowed), Some(AuditAction::Blocked)].map(|action| NewRecord::Audit(new(&app, governance(at(0), Some("r"), action)), None));
        append(&app, "ours", entries.into_iter().chain([NewRecord::Audit(new(&app, governance(at(0), Some("t"), None)), None)]).collect()).await;
        append(&app, "ours", vec![NewRecord::Incident(new(&app, incident("INC", Some("r"))))]).await;
        let found = tags(&app, "r").await;
        assert_eq!(names(&found), ["REDACTED_AT_INGEST", "TAMPER_EVIDENT", "SEALED_TRACE", "POLICY_EVALUATED",
            "POLICY_ENFORCED", "INCIDENT_LINKED", "SYNTHETIC_DATA", "CONTENT_NOT_STORED"]);
        assert_eq!(found[3].1, "governance entries of the run: 3", "those of its trace are its own");
        assert_eq!(found[4].1, "governance entries that blocked or modified: 1");
        let late = json!({ "traceId": "t", "steps": [{ "spanId": "b", "kind": "TOOL", "skillName": "x", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:01Z" }] });
        call(&app, "recordSteps", late, "trace { id }").await;
        assert!(names(&tags(&app, "r").await).contains(&"LATE_STEPS"));
        // A record that no entry of the ledger stands for is not called tamper evident.
        append(&app, "ours", vec![NewRecord::Run(new(&app, LlmRun { revision: 2, ..run("plain") }))]).await;
        db.execute(match db.backend {
            sea_orm::DbBackend::Postgres => "ALTER TABLE ledger_entry DISABLE TRIGGER ALL; DELETE FROM ledger_entry WHERE kind = 'llm_run'",
            _ => "DROP TRIGGER ledger_entry_no_DELETE; DELETE FROM ledger_entry WHERE kind = 'llm_run'",
        }).await.expect("tampered");
        assert!(!names(&tags(&app, "plain").await).contains(&"TAMPER_EVIDENT"));
    }

    async fn content_tags_say_whether_content_is_kept(db: TestDb) {
        let content_capture = std::collections::HashSet::from([tenant("ours")]);
        let app = TestApp::set_up(&db, AppSettings { content_capture, ..AppSettings::default() }).await;
        record(&app, "r", json!({ "trace": {}, "steps": [step()] })).await;
        let kept = tags(&app, "r").await;
        assert!(kept.contains(&("CONTENT_STORED".to_owned(), "steps whose message content is kept: 1".to_owned())), "{kept:?}");
        db.execute(match db.backend {
            sea_orm::DbBackend::Postgres => "ALTER TABLE payload DISABLE TRIGGER ALL; DELETE FROM payload WHERE part = 'content'",
            _ => "DROP TRIGGER IF EXISTS payload_no_DELETE; DELETE FROM payload WHERE part = 'content'",
        }).await.expect("erased");
        let erased = tags(&app, "r").await;
        assert!(names(&erased).contains(&"CONTENT_ERASED") && !names(&erased).contains(&"CONTENT_STORED"), "{erased:?}");
    }
}
