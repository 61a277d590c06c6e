//! Reads of evidence, in the access log before their answer leaves.

use runledger::domain::scope::Permission;
use runledger::facade::access::AccessAudit;
use runledger::http::auth::AuthSettings;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use serde_json::{Value, json};

use crate::support::app::{Answer, AppSettings, Encoding, TestApp};
use crate::support::db::TestDb;
use crate::support::ledger::audit_entries;
use crate::support::seed::tenant;

const RECORD: &str = "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { id runId } } }";
const RUN: &str = "query OneRun($runId: ID!) { llmRun(runId: $runId) { id runId provider } }";
const RUNS: &str = "{ llmRuns { nodes { id runId } } }";
const WITH_STEPS: &str =
    "{ llmRuns { nodes { id trace { traceId steps { nodes { id attributes } } trace { seals { rootHash } } } } } }";

async fn record(app: &TestApp, run_id: &str) -> String {
    let step = json!({ "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z",
        "durationMs": 1, "attributes": { "note": "private" } });
    let input = json!({ "input": { "runId": run_id, "trace": { "traceId": run_id }, "steps": [step] } });
    let data = app.query_with(RECORD, input).await;
    data["recordLlmRun"]["run"]["id"].as_str().expect("an id").to_owned()
}

/// The application with keys required, asked by one who may read.
async fn reader(db: &TestDb, access_audit: AccessAudit) -> (TestApp, TestApp) {
    let settings = AppSettings { auth: AuthSettings::Required(None), access_audit, ..AppSettings::default() };
    let app = TestApp::set_up(db, settings).await;
    let key = async |permissions: &[Permission]| {
        let permissions = permissions.iter().copied().collect();
        app.logs.create_api_key(tenant("ours"), None, permissions, None).await.expect("a key").1
    };
    let writer = app.with_key(&key(&[Permission::RunsWrite]).await);
    (app.with_key(&key(&[Permission::RunsRead, Permission::PayloadsRead]).await), writer)
}

async fn looks(db: &TestDb) -> Vec<Value> {
    audit_entries(db, "ACCESS").await
}

/// Keeps every insert into the audit ledger from succeeding, as a read-only database does.
pub async fn make_read_only(db: &TestDb) -> DatabaseConnection {
    let connection = db.raw().await;
    let statements: &[&str] = match db.backend {
        DbBackend::Sqlite => {
            &["CREATE TRIGGER read_only BEFORE UPDATE ON ledger_log BEGIN SELECT RAISE(ABORT, 'read-only'); END"]
        }
        _ => &[
            "CREATE FUNCTION read_only() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'read-only' USING ERRCODE = '25006'; END $$",
            "CREATE TRIGGER read_only BEFORE UPDATE ON ledger_log FOR EACH ROW EXECUTE FUNCTION read_only()",
        ],
    };
    for statement in statements {
        connection.execute_unprepared(statement).await.expect("made");
    }
    connection
}

pub async fn make_writable(db: &TestDb, connection: DatabaseConnection) {
    let on = if db.backend == DbBackend::Sqlite { "" } else { " ON ledger_log" };
    connection.execute_unprepared(&format!("DROP TRIGGER read_only{on}")).await.expect("dropped");
    connection.close().await.expect("closes");
}

fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text());
    let json = answer.json();
    assert_eq!(json["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{what}: {json}");
    assert!(json.get("data").is_none_or(Value::is_null), "{what}: {json}");
    assert!(json["errors"][0]["extensions"]["retryAfterMs"].is_u64(), "{what}: {json}");
}

db_test! {
    async fn reading_logs_left_no_trace(db: TestDb) {
        let (app, writer) = reader(&db, AccessAudit::Strict).await;
        let id = record(&writer, "looked-at").await;
        assert!(looks(&db).await.is_empty(), "to be told what was written is no read");
        app.query_with(RUN, json!({ "runId": "looked-at" })).await;
        // Another connection finds it at once: it was committed before the answer left.
        let looks = looks(&db).await;
        assert_eq!(looks.len(), 1, "{looks:#?}");
        let look = &looks[0];
        assert_eq!((&look["event"], &look["tenant"]), (&json!("LogViewed"), &json!("ours")));
        assert_eq!((&look["entity"], &look["entityId"], &look["run"]), (&json!("LLM_RUN"), &json!("looked-at"), &json!("looked-at")));
        assert!(look["actor"].as_str().is_some_and(|actor| actor.starts_with("key:")), "{look}");
        assert_eq!(look["after"]["record_ids"], json!([id]));
        assert_eq!(look["after"]["kinds"], json!(["llm_run"]));
        assert_eq!((&look["after"]["record_count"], &look["after"]["repeat_count"]), (&json!(1), &json!(0)));
        assert_eq!(look["after"]["operation"], "OneRun");
        assert_eq!(look["after"]["query_hash"].as_str().map(str::len), Some(64));
    }

    async fn every_way_of_reading_is_seen_and_nothing_else_is(db: TestDb) {
        let app = TestApp::on(&db).await;
        let id = record(&app, "one").await;
        record(&app, "two").await;
        app.query("{ __typename viewer { actorId } __schema { queryType { name } } }").await;
        app.query("{ _service { sdl } }").await;
        assert!(looks(&db).await.is_empty());

        app.query_with("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        let entity = json!({ "__typename": "LlmRun", "runId": "two" });
        app.query_with("query($e: _Any!) { _entities(representations: [$e]) { ... on LlmRun { runId } } }", json!({ "e": entity })).await;
        app.query(WITH_STEPS).await;
        app.query("{ llmRuns { totalCount { value } } }").await;
        app.query("{ llmRun(runId: \"none\") { id } }").await;
        let looks = looks(&db).await;
        let all: Vec<(&Value, &Value)> = looks.iter().map(|look| (&look["run"], &look["after"]["record_count"])).collect();
        assert_eq!(all.len(), 5, "{looks:#?}");
        assert_eq!(all[0], (&json!("one"), &json!(1)));
        assert_eq!(all[1], (&json!("two"), &json!(1)));
        // Two runs with a trace, a step and a seal each.
        assert_eq!(all[2], (&Value::Null, &json!(8)), "{}", looks[2]);
        assert_eq!(looks[2]["after"]["kinds"], json!(["llm_run", "trace", "trace_step", "trace_seal"]));
        assert_eq!((&looks[2]["entity"], &looks[2]["entityId"]), (&json!("TENANT"), &json!("ours")));
        // A count, and a look that found nothing, name no record.
        assert_eq!(all[4], (&Value::Null, &json!(0)));
        assert_eq!(looks[4]["after"]["kinds"], json!(["llm_run"]));
    }

    async fn lists_and_counts_of_system_records_are_seen(db: TestDb) {
        let app = TestApp::on(&db).await;
        let input = json!({ "input": { "records": [{ "component": "API", "eventType": "DEPLOY", "summary": "version 7" }] } });
        app.query_with("mutation($input: RecordSystemRecordsInput!) { recordSystemRecords(input: $input) { isReplayed } }", input).await;
        app.query("{ systemRecords { nodes { id } } }").await;
        app.query("{ systemRecords { totalCount { value } } }").await;
        app.query("{ systemAudit { items { id } } }").await;
        let looks = looks(&db).await;
        let seen: Vec<_> = looks.iter().map(|look| (&look["after"]["kinds"], &look["after"]["record_count"])).collect();
        let kinds = json!(["system_record"]);
        assert_eq!(seen, [(&kinds, &json!(1)); 3], "{looks:#?}");
    }

    async fn at_most_a_hundred_ids_are_kept_and_all_are_counted(db: TestDb) {
        let app = TestApp::on(&db).await;
        for number in 0..120 {
            let input = json!({ "input": { "runId": format!("r{number}"), "provider": "p", "model": "m",
                "executionStatus": "SUCCEEDED", "startedAt": "2026-11-21T08:00:00Z", "completedAt": "2026-11-21T08:00:01Z" } });
            app.query_with(RECORD, input).await;
        }
        app.query("{ llmRuns(first: 150) { nodes { runId } } }").await;
        let look = looks(&db).await.remove(0);
        assert_eq!(look["after"]["record_ids"].as_array().map(Vec::len), Some(100));
        assert_eq!(look["after"]["record_count"], 120);
    }

    async fn writing_evidence_swallowed_its_errors(db: TestDb) {
        let (app, writer) = reader(&db, AccessAudit::Strict).await;
        record(&writer, "secret").await;
        app.query(RUNS).await;
        let before = looks(&db).await.len();
        let trigger = make_read_only(&db).await;
        let refused = app.ask(RUN, json!({ "runId": "secret" })).await;
        assert_unavailable(&refused, "a read that cannot be recorded");
        assert!(!refused.text().contains("secret"), "{}", refused.text());
        // A repeat of what is on record is not counted either: nothing shows that the count could be written.
        assert_unavailable(&app.ask(RUNS, json!({})).await, "a repeat while nothing can be recorded");
        let denied = writer.ask(RUNS, json!({})).await;
        assert_unavailable(&denied, "a denial that cannot be recorded");
        let step = b"{\"resourceSpans\":[]}".to_vec();
        assert_eq!(app.post_otlp(Encoding::Json, step).await.status, 503, "a denial over OTLP");
        make_writable(&db, trigger).await;
        assert_eq!(looks(&db).await.len(), before);
        app.query_with(RUN, json!({ "runId": "secret" })).await;
        assert_eq!(looks(&db).await.len(), before + 1);
    }

    async fn a_stopped_writer_closes_reads_too(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "r").await;
        app.query(RUNS).await;
        db.execute(match db.backend {
            DbBackend::Sqlite => "UPDATE ledger_log SET root = zeroblob(32) WHERE stream = 'access'",
            _ => "UPDATE ledger_log SET root = decode(repeat('00', 32), 'hex') WHERE stream = 'access'",
        }).await.expect("tampered");
        assert_unavailable(&app.ask(RUN, json!({ "runId": "r" })).await, "the log contradicts itself");
        assert_unavailable(&app.ask(RUNS, json!({})).await, "a repeat, with the writer stopped");
    }

    async fn repeats_within_a_minute_are_counted_and_the_count_is_appended(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        for _ in 0..4 {
            app.query(RUNS).await;
        }
        assert_eq!(looks(&db).await.len(), 1, "three are repeats");
        app.query("{ llmRuns { nodes { id  runId } } }").await;
        app.query_with(RUN, json!({ "runId": "one" })).await;
        app.query_with(RUN, json!({ "runId": "two" })).await;
        assert_eq!(looks(&db).await.len(), 4, "another text, another query, other variables");
        record(&app, "three").await;
        app.query(RUNS).await;
        assert_eq!(looks(&db).await.len(), 5, "other records");

        app.logs.flush_own_audit(false).await.expect("flushes");
        assert_eq!(looks(&db).await.len(), 5, "the minute is not over");
        app.clock.advance_us(60_000_000);
        app.logs.flush_own_audit(false).await.expect("flushes");
        let after = looks(&db).await;
        assert_eq!(after.len(), 6, "{after:#?}");
        let (first, count) = (&after[0]["after"], &after[5]["after"]);
        assert_eq!((&first["repeat_count"], &count["repeat_count"]), (&json!(0), &json!(3)));
        assert_eq!((&first["query_hash"], &first["record_ids"]), (&count["query_hash"], &count["record_ids"]));
        app.logs.flush_own_audit(true).await.expect("flushes");
        assert_eq!(looks(&db).await.len(), 6, "nothing is counted twice");
    }

    async fn counts_are_appended_with_the_next_look_and_when_the_server_stops(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        app.query(RUNS).await;
        app.query(RUNS).await;
        app.clock.advance_us(60_000_000);
        app.query(RUNS).await;
        let counts = async || {
            let looks = looks(&db).await;
            looks.iter().map(|look| look["after"]["repeat_count"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(counts().await, [json!(0), json!(1), json!(0)]);
        app.query(RUNS).await;
        app.logs.flush_own_audit(true).await.expect("flushes");
        assert_eq!(counts().await, [json!(0), json!(1), json!(0), json!(1)]);
    }

    async fn a_count_that_cannot_be_appended_is_kept(db: TestDb) {
        let app = TestApp::on(&db).await;
        record(&app, "one").await;
        app.query(RUNS).await;
        app.query(RUNS).await;
        let trigger = make_read_only(&db).await;
        assert!(app.logs.flush_own_audit(true).await.is_err());
        assert!(app.logs.flush_own_audit(true).await.is_err());
        make_writable(&db, trigger).await;
        app.logs.flush_own_audit(true).await.expect("flushes");
        let looks = looks(&db).await;
        assert_eq!(looks.last().map(|look| look["after"]["repeat_count"].clone()), Some(json!(1)), "{looks:#?}");
    }

    async fn async_mode_waits_in_a_bounded_queue_and_then_is_strict(db: TestDb) {
        let settings = AppSettings { access_audit: AccessAudit::Async, ..AppSettings::default() };
        let app = TestApp::set_up(&db, settings).await;
        record(&app, "one").await;
        let trigger = make_read_only(&db).await;
        let look = |number: u64| app.ask(RUN, json!({ "runId": format!("missing-{number}") }));
        let mut waiting = 0;
        let refused = loop {
            let answer = look(waiting).await;
            if answer.status != 200 {
                break answer;
            }
            waiting += 1;
            assert!(waiting <= 1_024, "the queue is bounded");
        };
        assert_unavailable(&refused, "a full queue");
        assert_eq!(waiting, 1_024);
        assert!(app.logs.flush_own_audit(false).await.is_err());
        make_writable(&db, trigger).await;
        let background = app.workers(&["audit"]);
        let patience = std::time::Instant::now();
        while db.number("SELECT COUNT(*) FROM audit_entry").await < 1_024 {
            assert!(patience.elapsed().as_secs() < 60, "the background writes what waits");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        background.stop().await.expect("stopped");
        assert_eq!(looks(&db).await.len(), 1_024, "none is lost, none is there twice");
    }

    async fn off_records_no_reads(db: TestDb) {
        let settings = AppSettings { access_audit: AccessAudit::Off, ..AppSettings::default() };
        let app = TestApp::set_up(&db, settings).await;
        record(&app, "one").await;
        app.query(RUNS).await;
        assert!(looks(&db).await.is_empty());
    }
}
