//! Erasure: the payload is gone, from the files too; the record, its leaf and its place are not, and the ledger says who
//! did it and why.

use sea_orm::DbBackend;
use serde_json::{Value, json};

use crate::ledger_feed::record;
use crate::support::app::TestApp;
use crate::support::db::TestDb;

const ERASE: &str = "mutation($input: ErasePayloadInput!) { erasePayload(input: $input) {
    event { id kind subject reason detail actorType actorId sequence ledgerEntry { kind leafHash } } } }";

/// Stands in payloads only.
const MARK: &str = "quokka-7391-marker";

async fn erase(app: &TestApp, record: &Value, part: &str, reason: &str) -> Value {
    app.raw_query(ERASE, json!({ "input": { "recordId": record, "part": part, "reason": reason } })).await
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

/// A trace with a step whose attributes hold the mark, in `bytes` bytes; the step's id.
async fn marked(app: &TestApp, name: &str, bytes: usize) -> Value {
    // Shorter texts than the cap of one, so that nothing is cut.
    let texts: Vec<String> = (0..bytes.div_ceil(4_096)).map(|n| format!("{MARK} {n} {}", "x".repeat(4_000))).collect();
    let step = json!({ "spanId": "a", "kind": "TOOL", "skillName": "s", "status": "SUCCESS", "durationMs": 1,
        "startedAt": "2026-11-21T08:00:00Z", "attributes": { "texts": texts } });
    let input = json!({ "traceId": name, "steps": [step] });
    let recorded = app
        .query_with(
            "mutation($input: RecordTraceInput!) { recordTrace(input: $input) { trace { steps { nodes { id attributes } } } } }",
            json!({ "input": input }),
        )
        .await;
    let step = &recorded["recordTrace"]["trace"]["steps"]["nodes"][0];
    assert!(step["attributes"].to_string().contains(MARK), "{step}");
    step["id"].clone()
}

/// How often the mark stands in the files of the database.
fn marks_in_files(db: &TestDb) -> usize {
    let path = db.url.strip_prefix("sqlite://").expect("a file");
    let count = |bytes: Vec<u8>| bytes.windows(MARK.len()).filter(|window| *window == MARK.as_bytes()).count();
    ["", "-wal", "-shm"].iter().filter_map(|end| std::fs::read(format!("{path}{end}")).ok()).map(count).sum()
}

/// Payloads but those of the audit of reads.
const OF_RUNS: &str = "SELECT COUNT(*) FROM payload WHERE part IN ('attributes', 'content', 'plan', 'metadata')";

db_test! {
    async fn an_erased_payload_is_gone_and_the_record_is_not(db: TestDb) {
        let app = TestApp::on(&db).await;
        let recorded = record(&app, "one").await;
        let trace = &recorded["recordLlmRun"]["trace"];
        let step = &trace["steps"]["nodes"][0]["id"];
        let state = "query($id: ID!) { node(id: $id) { ... on TraceStep { attributes ledgerEntry { leaf leafHash } } } }";
        let before = app.query_with(state, json!({ "id": step })).await;
        assert_eq!(before["node"]["attributes"]["n"], 1.5);
        let erased = erase(&app, step, "ATTRIBUTES", "asked by jane.doe@example.test").await;
        let event = &erased["data"]["erasePayload"]["event"];
        let (uuid, leaf) = (&step.as_str().expect("an id")[4..], before["node"]["ledgerEntry"]["leaf"].as_str().expect("a leaf"));
        let leaf: Value = serde_json::from_str(leaf).expect("JSON");
        assert_eq!(event["subject"], format!("{uuid}/attributes"), "{erased}");
        assert_eq!(event["reason"], "asked by [REDACTED]");
        assert_eq!(event["detail"], json!({ "record_kind": "trace_step", "record_id": uuid, "part": "attributes", "commitment": leaf["attributes_commitment"] }));
        assert_eq!((&event["kind"], &event["ledgerEntry"]["kind"], &event["sequence"]), (&json!("ERASE"), &json!("ERASE"), &json!("6")));
        assert_eq!(event["actorType"], "SYSTEM");
        let after = app.query_with(state, json!({ "id": step })).await;
        assert_eq!((&after["node"]["attributes"], &after["node"]["ledgerEntry"]), (&Value::Null, &before["node"]["ledgerEntry"]));
        // The trace's plan and the seal's metadata likewise; totals go on without the latter.
        assert!(erase(&app, &trace["id"], "PLAN", "r").await.get("errors").is_none());
        assert!(erase(&app, &trace["seals"][0]["id"], "METADATA", "r").await.get("errors").is_none());
        let trace = app.query("{ trace(by: { traceId: \"one-trace\" }) { plan seals { metadata } totals { calls } } }").await;
        assert_eq!(trace["trace"], json!({ "plan": null, "seals": [{ "metadata": null }], "totals": { "calls": 1 } }));
        let feed = app.query("{ ledger { entries(kinds: [ERASE]) { nodes { record { ... on LedgerEvent { subject } } } } } }").await;
        assert_eq!(feed["ledger"]["entries"]["nodes"].as_array().map(Vec::len), Some(3));
        assert_eq!(db.number(OF_RUNS).await, 0);
    }

    async fn what_cannot_be_erased_is_refused_and_nothing_is_recorded(db: TestDb) {
        let app = TestApp::on(&db).await;
        let recorded = record(&app, "one").await;
        let steps = &recorded["recordLlmRun"]["trace"]["steps"]["nodes"];
        let (step, bare) = (&steps[0]["id"], &steps[1]["id"]);
        let uuid = &step.as_str().expect("an id")[4..];
        for (record, part, reason, expected) in [
            (bare, "ATTRIBUTES", "r", "CONFLICT"),
            (step, "PLAN", "r", "CONFLICT"),
            (&recorded["recordLlmRun"]["run"]["id"], "ATTRIBUTES", "r", "CONFLICT"),
            (&json!("stp_01970000-0000-7000-8000-000000000001"), "ATTRIBUTES", "r", "NOT_FOUND"),
            (&json!(format!("run_{uuid}")), "ATTRIBUTES", "r", "NOT_FOUND"),
            (&json!("nothing"), "ATTRIBUTES", "r", "NOT_FOUND"),
            (step, "ATTRIBUTES", " ", "BAD_USER_INPUT"),
            (step, "ATTRIBUTES", "a\0b", "BAD_USER_INPUT"),
            (step, "ATTRIBUTES", &"x".repeat(513), "LIMIT_EXCEEDED"),
        ] {
            assert_eq!(code(&erase(&app, record, part, reason).await), expected, "{record} {part} {reason}");
        }
        assert_eq!(code(&erase(&app.other_tenant("other"), step, "ATTRIBUTES", "r").await), "NOT_FOUND");
        assert_eq!(app.query("{ ledger { size } }").await["ledger"]["size"], "6");
        // Of two at once one erases; a later one finds nothing.
        let (one, two) = tokio::join!(erase(&app, step, "ATTRIBUTES", "one"), erase(&app, step, "ATTRIBUTES", "two"));
        let refused: Vec<_> = [&one, &two].into_iter().filter(|answer| answer.get("errors").is_some()).collect();
        assert_eq!(refused.len(), 1, "{one} {two}");
        assert_eq!(code(refused[0]), "CONFLICT");
        assert_eq!(code(&erase(&app, step, "ATTRIBUTES", "three").await), "CONFLICT");
        assert_eq!(app.query("{ ledger { size } }").await["ledger"]["size"], "7");
    }

    async fn only_an_event_that_names_it_lets_a_payload_be_deleted(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        let recorded = record(&app, "two").await;
        let count = db.number(OF_RUNS).await;
        for statement in ["DELETE FROM payload", "UPDATE payload SET text = '{}'", "DELETE FROM payload WHERE part = 'plan'"] {
            let error = db.execute(statement).await.expect_err(statement).to_string();
            assert!(error.contains("payload is append-only"), "{error}");
        }
        let step = &recorded["recordLlmRun"]["trace"]["steps"]["nodes"][0]["id"];
        assert!(erase(&app, step, "ATTRIBUTES", "r").await.get("errors").is_none());
        assert_eq!(db.number(OF_RUNS).await, count - 1);
        assert!(db.execute("DELETE FROM payload").await.is_err(), "the others still cannot be deleted");
        assert_eq!(db.number(OF_RUNS).await, count - 1);
    }

    async fn erased_bytes_are_in_no_file_of_sqlite(db: TestDb) {
        if db.backend != DbBackend::Sqlite {
            return;
        }
        let app = TestApp::on(&db).await;
        // One within a page, one over many pages, and one that stays.
        let (small, large) = (marked(&app, "small", 1).await, marked(&app, "large", 60_000).await);
        assert!(marks_in_files(&db) >= 16, "{}", marks_in_files(&db));
        for step in [small, large] {
            let erased = erase(&app, &step, "ATTRIBUTES", "by law").await;
            assert!(erased.get("errors").is_none(), "{erased}");
        }
        assert_eq!(marks_in_files(&db), 0);
        marked(&app, "kept", 1).await;
        assert!(marks_in_files(&db) >= 1, "the search finds what is there");
    }
}
