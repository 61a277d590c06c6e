//! What it costs to seal a trace again follows what came since, and what is sealed does not depend on it.

use std::ops::Range;

use serde_json::{Value, json};

use crate::support::app::TestApp;

const BEGAN_NS: i64 = 1_764_500_000_000_000_000;
/// What was made of a trace, whatever it is called.
const SEALED: &str = "query Q($id: String!) {
    trace(by: { traceId: $id }) { status rootHash totalSteps totals { calls inputTokens outputTokens costUsd } }
    llmRun(runId: $id) {
      name provider model promptHash inputTokens outputTokens costUsd executionStatus startedAt completedAt stepCount
      traceRootHash
    }
  }";

/// Sends spans of a trace by their numbers: model calls below the first, of which later ones began at any time.
async fn export(app: &TestApp, trace: &str, numbers: Range<i64>) {
    let span = |number: i64| {
        let start = BEGAN_NS + (number * 7_919 % 10_007) * 1_000_000;
        let count = |count: i64| json!({ "intValue": count.to_string() });
        json!({
            "traceId": trace,
            "spanId": format!("{:016x}", number + 1),
            "parentSpanId": if number == 0 { String::new() } else { format!("{:016x}", 1) },
            "name": format!("chat {}", number % 13),
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + 5_000_000).to_string(),
            "attributes": [
                { "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
                { "key": "gen_ai.provider.name", "value": { "stringValue": "openai" } },
                { "key": "gen_ai.request.model", "value": { "stringValue": "gpt-4o" } },
                { "key": "gen_ai.usage.input_tokens", "value": count(number) },
                { "key": "gen_ai.usage.output_tokens", "value": count(number % 10) },
            ],
        })
    };
    let spans: Vec<Value> = numbers.map(span).collect();
    let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "scope": { "name": "t" }, "spans": spans }] }] });
    assert_eq!(app.post_signal("/v1/traces", &body).await, Value::Null);
}

/// Lets the settle times pass; how many traces were sealed, and how many steps and rows were read for it.
async fn seal(app: &TestApp) -> (usize, usize, u64) {
    app.clock.advance_us(120_000_000);
    let before = app.store.rows_read();
    let round = app.logs.seal_due().await.expect("seals");
    (round.sealed, round.steps_read, app.store.rows_read() - before)
}

db_test! {
    async fn late_steps_of_a_large_trace_are_all_that_is_read_again(db: TestDb) {
        let app = TestApp::on(&db).await;
        let (twice, once) = ("a".repeat(32), "b".repeat(32));
        export(&app, &twice, 0..1_100).await;
        let (sealed, steps, rows) = seal(&app).await;
        assert!((sealed, steps) == (1, 1_100) && rows > 1_100, "{sealed} {steps} {rows}");
        export(&app, &twice, 1_100..1_110).await;
        let (sealed, steps, rows) = seal(&app).await;
        assert!((sealed, steps) == (1, 10) && rows < 50, "{sealed} {steps} {rows}");

        // A trace that is the same and came at once is sealed alike.
        export(&app, &once, 0..1_110).await;
        assert_eq!(seal(&app).await.1, 1_110);
        let alike = async || {
            let [left, right] = [&twice, &once].map(|id| app.query_with(SEALED, json!({ "id": id })));
            let (left, right) = (left.await, right.await);
            assert_eq!(left, right);
            left["trace"]["totalSteps"].to_string().trim_matches('"').to_owned()
        };
        assert_eq!(alike().await, "1110");

        // Another process knows nothing of it, and reads everything once.
        let other = TestApp::on(&db).await;
        export(&other, &twice, 1_110..1_111).await;
        assert_eq!(seal(&other).await.1, 1_111);
        export(&app, &once, 1_110..1_111).await;
        assert_eq!(seal(&app).await.1, 1);
        assert_eq!(alike().await, "1111");
        // What this one knows of it is behind by a step, which it reads.
        export(&app, &twice, 1_111..1_112).await;
        assert_eq!(seal(&app).await.1, 2);
        other.store.close().await;
        app.store.close().await;
    }
}

db_test! {
    async fn a_seal_that_would_say_nothing_new_is_refused_before_anything_is_read(db: TestDb) {
        let app = TestApp::on(&db).await;
        let trace = "c".repeat(32);
        export(&app, &trace, 0..300).await;
        seal(&app).await;
        let before = app.store.rows_read();
        let again = "mutation M($input: CompleteTraceInput!) { completeTrace(input: $input) { trace { id } } }";
        let refused = app.raw_query(again, json!({ "input": { "traceId": trace } })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "CONFLICT", "{refused}");
        let rows = app.store.rows_read() - before;
        assert!(rows < 50, "{rows}");
        app.store.close().await;
    }
}

db_test! {
    async fn a_run_says_in_which_region_of_the_cloud_it_ran(db: TestDb) {
        let app = TestApp::on(&db).await;
        let resource = json!({ "attributes": [{ "key": "cloud.region", "value": { "stringValue": "eu-central-1" } }] });
        let span = json!({ "traceId": "d".repeat(32), "spanId": "1".repeat(16), "name": "chat",
            "startTimeUnixNano": BEGAN_NS.to_string(), "endTimeUnixNano": (BEGAN_NS + 1).to_string(),
            "attributes": [{ "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } }] });
        let body = json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "scope": { "name": "t" }, "spans": [span] }] }] });
        assert_eq!(app.post_signal("/v1/traces", &body).await, Value::Null);
        seal(&app).await;
        let region = "query Q($id: ID!) { llmRun(runId: $id) { region serviceName } }";
        let run = app.query_with(region, json!({ "id": "d".repeat(32) })).await;
        assert_eq!(run["llmRun"], json!({ "region": "eu-central-1", "serviceName": null }));
        // What a caller says of it is redacted like every other text.
        let record = "mutation M($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { region } } }";
        let said = app.query_with(record, json!({ "input": { "region": "of jane@example.test" } })).await;
        assert_eq!(said["recordLlmRun"]["run"], json!({ "region": "of [REDACTED]" }));
        app.store.close().await;
    }
}
