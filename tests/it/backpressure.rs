//! A full write queue: what does not fit is told to come again, what was acknowledged is on record, nothing is half there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, TransactionTrait};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::app::{Answer, AppSettings, Encoding, TestApp};
use crate::support::db::TestDb;

const QUEUE_RECORDS: usize = 64;
const REQUESTS: u64 = 200;
const SPANS_A_REQUEST: u64 = 4;
const TRACES: u64 = 10;

const RECORD: &str = "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { runId } } }";

/// The spans of a request, as (trace, span) in hex.
fn spans_of(number: u64) -> BTreeSet<(String, String)> {
    let trace = hex::encode(u128::from(number % TRACES + 1).to_be_bytes());
    (1..=SPANS_A_REQUEST)
        .map(|span| (trace.clone(), hex::encode((number * SPANS_A_REQUEST + span).to_be_bytes())))
        .collect()
}

fn body_of(number: u64) -> Vec<u8> {
    let span = |(trace, span): (String, String)| Span {
        trace_id: hex::decode(trace).expect("hex"),
        span_id: hex::decode(span).expect("hex"),
        name: "work".to_owned(),
        start_time_unix_nano: 1_795_248_000_000_000_000,
        end_time_unix_nano: 1_795_248_000_001_000_000,
        ..Span::default()
    };
    let spans = spans_of(number).into_iter().map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

async fn small_queue(db: &TestDb) -> TestApp {
    let app = TestApp::set_up(db, AppSettings { queue_records: QUEUE_RECORDS, ..AppSettings::default() }).await;
    // The tenant's secret is made by the first request: it would wait for the lock that the test takes.
    assert_eq!(app.post_otlp(Encoding::Protobuf, body_of(0)).await.status, 200);
    app
}

/// Keeps the writer from committing until the transaction ends.
async fn hold_writer(db: &TestDb) -> DatabaseTransaction {
    let transaction = db.raw().await.begin().await.expect("begins");
    let lock = match db.backend {
        DbBackend::Sqlite => "UPDATE ledger_log SET size = size WHERE 1 = 0",
        _ => "LOCK TABLE ledger_log IN EXCLUSIVE MODE",
    };
    transaction.execute_unprepared(lock).await.expect("locks");
    transaction
}

/// Waits until not even one more request fits.
async fn until_full(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while app.logs.queue_depth().0 + 5 <= QUEUE_RECORDS {
        assert!(Instant::now() < deadline, "the queue does not fill: {:?}", app.logs.queue_depth());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn send_all(app: &TestApp) -> JoinSet<(u64, Answer)> {
    let mut sent = JoinSet::new();
    for number in 1..=REQUESTS {
        let app = app.clone();
        sent.spawn(async move { (number, app.post_otlp(Encoding::Protobuf, body_of(number)).await) });
    }
    sent
}

async fn stored(db: &TestDb) -> BTreeSet<(String, String)> {
    let rows = db.query("SELECT trace_id, span_id FROM trace_step").await;
    rows.iter()
        .map(|row| (row.try_get_by_index(0).expect("a trace id"), row.try_get_by_index(1).expect("a span id")))
        .collect()
}

fn assert_says_when_to_retry(answer: &Answer) {
    assert!(matches!(answer.status, 429 | 503), "{}: {}", answer.status, answer.text());
    let seconds: u64 = answer.header("retry-after").parse().expect("whole seconds in Retry-After");
    assert!(seconds >= 1);
}

/// The step_index of every trace counts from 0 without a gap, and nothing is there twice.
async fn assert_no_gaps(db: &TestDb) {
    let bad = "SELECT COUNT(*) FROM (SELECT trace_id FROM trace_step GROUP BY tenant_id, trace_id
        HAVING MIN(step_index) <> 0 OR MAX(step_index) <> COUNT(*) - 1 OR COUNT(DISTINCT span_id) <> COUNT(*)) bad";
    assert_eq!(db.number(bad).await, 0, "traces with gaps or repeats");
}

db_test! {
    async fn what_does_not_fit_comes_again_and_nothing_is_lost(db: TestDb) {
        let app = small_queue(&db).await;
        let lock = hold_writer(&db).await;
        let mut sent = send_all(&app);
        until_full(&app).await;
        lock.rollback().await.expect("ends");
        let (mut expected, mut refused) = (spans_of(0), Vec::new());
        while let Some(answered) = sent.join_next().await {
            let (number, answer) = answered.expect("an answer");
            if answer.status == 200 {
                expected.extend(spans_of(number));
            } else {
                assert_says_when_to_retry(&answer);
                refused.push(number);
            }
        }
        assert!(!refused.is_empty(), "a queue of {QUEUE_RECORDS} records took {REQUESTS} requests at once");
        let there = stored(&db).await;
        assert!(expected.is_subset(&there), "acknowledged, but not on record");
        for number in refused {
            assert_eq!(app.post_otlp(Encoding::Protobuf, body_of(number)).await.status, 200);
        }
        assert_eq!(stored(&db).await, (0..=REQUESTS).flat_map(spans_of).collect());
        assert_no_gaps(&db).await;
        let by_count = db.number("SELECT COUNT(*) FROM trace_step").await;
        assert_eq!(u64::try_from(by_count), Ok((REQUESTS + 1) * SPANS_A_REQUEST));
    }

    async fn a_mutation_is_told_when_to_come_again(db: TestDb) {
        let app = small_queue(&db).await;
        let lock = hold_writer(&db).await;
        let mut sent = send_all(&app);
        until_full(&app).await;
        let step = |number: usize| json!({ "kind": "TOOL", "skillName": "x", "status": "SUCCESS", "durationMs": 1,
            "spanId": format!("{number:016x}"), "startedAt": "2026-11-21T08:00:00Z" });
        let run = json!({ "input": { "runId": "late", "steps": (0..10).map(step).collect::<Vec<Value>>() } });
        let refused = app.ask(RECORD, run.clone()).await.json();
        lock.rollback().await.expect("ends");
        let extensions = &refused["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "UNAVAILABLE", "{refused}");
        assert!(extensions["retryAfterMs"].as_u64().is_some_and(|wait| wait >= 1), "{refused}");
        while sent.join_next().await.is_some() {}
        assert_eq!(app.query_with(RECORD, run).await["recordLlmRun"]["run"]["runId"], "late");
    }
}
