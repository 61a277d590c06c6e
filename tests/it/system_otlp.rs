//! OTLP metrics and logs: telemetry of runs, system records, and digests of content that came as log events.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use runledger::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::app::{Encoding, TestApp};
use crate::support::seed::at;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn nanos(instant: Timestamp) -> String {
    format!("{}000", instant.as_micros())
}

fn resource(service: &str, instance: &str) -> Value {
    json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } },
        { "key": "service.instance.id", "value": { "stringValue": instance } }] })
}

/// Points of one gauge, by second.
fn metrics(service: &str, instance: &str, name: &str, points: &[(i64, i64)]) -> Value {
    let points: Vec<_> = points
        .iter()
        .map(|(second, value)| json!({ "timeUnixNano": nanos(at(*second)), "asInt": value.to_string() }))
        .collect();
    json!({ "resourceMetrics": [{ "resource": resource(service, instance), "scopeMetrics": [{ "scope": { "name": "meter" },
        "metrics": [{ "name": name, "unit": "1", "gauge": { "dataPoints": points } }] }] }] })
}

fn logs(records: &[Value]) -> Value {
    json!({ "resourceLogs": [{ "resource": resource("chat", "i1"), "scopeLogs": [{ "logRecords": records }] }] })
}

/// A model call without content, from second 10 to second 20.
fn span() -> Value {
    json!({ "resourceSpans": [{ "resource": resource("chat", "i1"), "scopeSpans": [{ "scope": { "name": "test" }, "spans": [{
        "traceId": TRACE, "spanId": SPAN, "name": "chat gpt-4o", "startTimeUnixNano": nanos(at(10)), "endTimeUnixNano": nanos(at(20)),
        "attributes": [{ "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
            { "key": "gen_ai.request.model", "value": { "stringValue": "gpt-4o" } },
            { "key": "gen_ai.usage.input_tokens", "value": { "intValue": "3" } }] }] }] }] })
}

fn message(name: &str, second: i64, text: &str) -> Value {
    json!({ "timeUnixNano": nanos(at(second)), "severityNumber": 9, "eventName": name, "traceId": TRACE, "spanId": SPAN,
        "body": { "kvlistValue": { "values": [{ "key": "content", "value": { "stringValue": text } }] } } })
}

async fn send_span(app: &TestApp) {
    let answer = app.post_otlp(Encoding::Json, span().to_string().into_bytes()).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
}

async fn hashes(app: &TestApp) -> (Value, Value) {
    let found = app.query("{ llmRuns { nodes { promptHash responseHash traceRootHash } } traces { nodes { rootHash steps { nodes { inputHash outputHash } } } } }").await;
    (found["llmRuns"]["nodes"][0].clone(), found["traces"]["nodes"][0]["steps"]["nodes"][0].clone())
}

async fn digest(app: &TestApp, text: &str) -> Value {
    app.query_with("query($text: String!) { contentDigest(text: $text) }", json!({ "text": text })).await["contentDigest"].take()
}

const TELEMETRY: &str = "{ llmRuns(first: 10) { nodes { system { telemetry { status reason availableData truncated metadata { sourceDomain occurredAt }
    series { name unit kind temporality isMonotonic scope attributes totalPoints points { timestamp value } two: points(first: 2) { value } } } } } } }";

async fn telemetry(app: &TestApp) -> Value {
    app.query(TELEMETRY).await["llmRuns"]["nodes"][0]["system"]["telemetry"].take()
}

db_test! {
    async fn telemetry_is_that_of_the_runs_own_service_and_time(db: TestDb) {
        let app = TestApp::on(&db).await;
        send_span(&app).await;
        app.seal_all().await;
        let none = telemetry(&app).await;
        assert_eq!((&none["status"], &none["series"], &none["availableData"]), (&json!("NOT_COLLECTED"), &json!([]), &json!([])));
        assert!(none["reason"].as_str().expect("a reason").contains("no OTLP metrics of the service chat"), "{none}");

        // From 30 s before the start at 10 to 30 s after the end at 20, both included.
        let points = [(-21, 1), (-20, 2), (15, 3), (50, 4), (51, 5)];
        for (service, instance, name) in [("chat", "i1", "queue"), ("chat", "i2", "other instance"), ("search", "i1", "other service")] {
            assert!(app.post_signal("/v1/metrics", &metrics(service, instance, name, &points)).await.is_null());
        }
        // Sent again: nothing is there twice.
        app.post_signal("/v1/metrics", &metrics("chat", "i1", "queue", &points)).await;
        let found = telemetry(&app).await;
        assert_eq!((&found["status"], &found["reason"], &found["availableData"]), (&json!("COLLECTED"), &Value::Null, &json!(["queue"])));
        let series = &found["series"][0];
        assert_eq!((&series["kind"], &series["totalPoints"], &series["scope"]), (&json!("GAUGE"), &json!(3), &json!("meter")));
        assert_eq!(series["points"], json!([{ "timestamp": at(-20).to_rfc3339(), "value": 2.0 }, { "timestamp": at(15).to_rfc3339(), "value": 3.0 },
            { "timestamp": at(50).to_rfc3339(), "value": 4.0 }]));
        assert_eq!(series["two"], json!([{ "value": 2.0 }, { "value": 3.0 }]));
        assert_eq!(found["metadata"], json!({ "sourceDomain": "SYSTEM", "occurredAt": null }), "samples are no evidence");
        assert_eq!(db.number("SELECT COUNT(*) FROM system_record").await, 0);

        let other = app.other_tenant("other");
        send_span(&other).await;
        other.seal_all().await;
        assert_eq!(telemetry(&other).await["status"], "NOT_COLLECTED", "nothing of another tenant");
        let (_, statements) = app.counted(TELEMETRY, json!({})).await;
        assert!(statements <= 5, "{statements}: runs, series, counts, points of two sizes");
    }

    async fn a_run_without_a_service_says_why_it_has_no_telemetry(db: TestDb) {
        let app = TestApp::on(&db).await;
        app.query("mutation { recordLlmRun(input: { runId: \"r\" }) { run { id } } }").await;
        let found = telemetry(&app).await;
        assert_eq!(found["status"], "NOT_COLLECTED");
        assert!(found["reason"].as_str().expect("a reason").contains("names no service"), "{found}");
    }

    async fn histograms_and_sums_are_kept_and_the_rest_is_rejected_and_counted(db: TestDb) {
        let app = TestApp::on(&db).await;
        send_span(&app).await;
        app.seal_all().await;
        let at_15 = nanos(at(15));
        let body = json!({ "resourceMetrics": [{ "resource": resource("chat", "i1"), "scopeMetrics": [{ "metrics": [
            { "name": "a.latency", "unit": "s", "histogram": { "aggregationTemporality": 2, "dataPoints": [{ "timeUnixNano": at_15,
                "count": "3", "sum": 0.3, "bucketCounts": ["2", "1"], "explicitBounds": [0.5], "min": 0.05, "max": 0.9 }] } },
            { "name": "b.tokens", "sum": { "aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [{ "timeUnixNano": at_15,
                "startTimeUnixNano": nanos(at(14)), "asDouble": 0.1 }] } },
            { "name": "c.summary", "summary": { "dataPoints": [{}, {}] } },
        ] }] }] });
        let partial = app.post_signal("/v1/metrics", &body).await;
        assert_eq!(partial["rejectedDataPoints"], "2");
        assert!(partial["errorMessage"].as_str().expect("text").contains("gauges, sums and histograms"), "{partial}");
        let found = app.query("{ llmRuns(first: 5) { nodes { system { telemetry { series { name temporality isMonotonic points { startedAt value
            histogram { count sum min max bounds bucketCounts } } } } } } } }").await;
        assert_eq!(found["llmRuns"]["nodes"][0]["system"]["telemetry"]["series"], json!([
            { "name": "a.latency", "temporality": "CUMULATIVE", "isMonotonic": false, "points": [{ "startedAt": null, "value": null,
                "histogram": { "count": 3, "sum": 0.3, "min": 0.05, "max": 0.9, "bounds": [0.5], "bucketCounts": [2, 1] } }] },
            { "name": "b.tokens", "temporality": "DELTA", "isMonotonic": true, "points": [{ "startedAt": at(14).to_rfc3339(), "value": 0.1,
                "histogram": null }] },
        ]));
        let wrong = "{ llmRuns(first: 1) { nodes { system { telemetry { series { points(first: 501) { value } } } } } } }";
        assert_eq!(app.raw_query(wrong, json!({})).await["errors"][0]["extensions"]["limit"], 500);
    }

    async fn old_samples_are_dropped_and_older_ones_are_not_taken(db: TestDb) {
        let app = TestApp::on(&db).await;
        app.post_signal("/v1/metrics", &metrics("chat", "i1", "queue", &[(0, 1), (3_000, 2)])).await;
        app.post_signal("/v1/logs", &logs(&[message("gen_ai.user.message", 11, "hi")])).await;
        assert_eq!(app.logs.clean_telemetry().await.expect("cleaned"), 0);
        app.clock.advance_us(7 * 86_400_000_000 + 1_000_000);
        assert_eq!(app.logs.clean_telemetry().await.expect("cleaned"), 2, "a sample and a digest");
        assert_eq!((db.number("SELECT COUNT(*) FROM metric_point").await, db.number("SELECT COUNT(*) FROM metric_series").await), (1, 1));
        let partial = app.post_signal("/v1/metrics", &metrics("chat", "i1", "queue", &[(0, 1)])).await;
        assert_eq!(partial["rejectedDataPoints"], "1");
        app.clock.advance_us(3_601_000_000);
        assert_eq!(app.logs.clean_telemetry().await.expect("cleaned"), 2, "the other sample and its series");
    }

    async fn too_many_requests_of_metrics_at_once_are_told_to_come_again(db: TestDb) {
        let app = TestApp::on(&db).await;
        let body = metrics("chat", "i1", "queue", &[(0, 1)]).to_string().into_bytes();
        let requests = (0..20).map(|_| app.post("/v1/metrics", "application/json", body.clone()));
        let answers = futures_util::future::join_all(requests).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert!(!refused.is_empty() && refused.len() <= 12, "{} of 20 refused: eight are written at a time", refused.len());
        for answer in refused {
            assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
        }
        assert_eq!(db.number("SELECT COUNT(*) FROM metric_point").await, 1);
    }

    async fn warnings_and_events_become_system_records_once(db: TestDb) {
        let app = TestApp::on(&db).await;
        let body = logs(&[
            json!({ "timeUnixNano": nanos(at(12)), "severityNumber": 17, "severityText": "ERROR", "traceId": TRACE, "spanId": SPAN,
                "body": { "stringValue": "no answer for jane.doe@example.test" }, "attributes": [{ "key": "password", "value": { "stringValue": "hunter2" } }] }),
            json!({ "timeUnixNano": nanos(at(13)), "severityNumber": 9, "body": { "stringValue": "all is well" } }),
            json!({ "timeUnixNano": nanos(at(14)), "severityNumber": 9, "eventName": "app.deploy", "body": { "stringValue": "version 8" } }),
        ]);
        assert!(app.post_signal("/v1/logs", &body).await.is_null(), "dropped by design is not rejected");
        assert!(app.post_signal("/v1/logs", &body).await.is_null());
        let found = app.query("{ systemRecords(orderBy: { field: OCCURRED_AT, direction: ASC }) { nodes { summary severity component eventType
            correlationId serviceName serviceInstanceId sourceComponent occurredAt details } } }").await;
        let nodes = found["systemRecords"]["nodes"].as_array().expect("nodes").clone();
        assert_eq!(nodes.len(), 2, "sent twice, recorded once: {nodes:?}");
        assert_eq!((&nodes[0]["summary"], &nodes[0]["severity"]), (&json!("no answer for [REDACTED]"), &json!("CRITICAL")));
        assert_eq!((&nodes[0]["correlationId"], &nodes[0]["occurredAt"]), (&json!(TRACE), &json!(at(12).to_rfc3339())));
        assert_eq!((&nodes[0]["details"]["body"], &nodes[0]["details"]["attributes"]["password"]), (&json!("no answer for [REDACTED]"), &json!("[REDACTED]")));
        assert_eq!((&nodes[1]["severity"], &nodes[1]["eventType"], &nodes[1]["component"]), (&json!("INFO"), &json!("DEPLOY"), &json!("OTHER")));
        assert_eq!((&nodes[1]["serviceName"], &nodes[1]["sourceComponent"]), (&json!("chat"), &json!("otlp")));
        // The run that bears the trace's name shows what was logged in it.
        send_span(&app).await;
        app.seal_all().await;
        let events = app.query("{ llmRuns { nodes { system { events { events { summary } } } } } }").await;
        assert_eq!(events["llmRuns"]["nodes"][0]["system"]["events"]["events"], json!([{ "summary": "no answer for [REDACTED]" }]));
    }

    async fn a_step_gets_content_that_came_as_log_events_before_it(db: TestDb) {
        let app = TestApp::on(&db).await;
        let (asked, said) = ("what is retention?", "keeping things");
        app.post_signal("/v1/logs", &logs(&[message("gen_ai.user.message", 11, asked), message("gen_ai.choice", 19, said)])).await;
        send_span(&app).await;
        app.seal_all().await;
        let (run, step) = hashes(&app).await;
        assert_eq!((&step["inputHash"], &step["outputHash"]), (&digest(&app, asked).await, &digest(&app, said).await));
        assert_eq!((&run["promptHash"], &run["responseHash"]), (&step["inputHash"], &step["outputHash"]));
        // A re-export of the span does not differ for it.
        send_span(&app).await;
        assert_eq!(db.number("SELECT COUNT(*) FROM system_record").await, 0);
        db_holds_no(&db, &[asked, said]).await;
    }

    async fn content_that_comes_after_its_step_goes_to_the_run(db: TestDb) {
        let app = TestApp::on(&db).await;
        let asked = "what is retention?";
        send_span(&app).await;
        app.post_signal("/v1/logs", &logs(&[message("gen_ai.user.message", 11, asked)])).await;
        app.seal_all().await;
        let (run, step) = hashes(&app).await;
        assert_eq!((&step["inputHash"], &run["promptHash"]), (&Value::Null, &digest(&app, asked).await), "a step is written once");
        let trace = app.query("{ traces { nodes { rootHash } } }").await["traces"]["nodes"][0]["rootHash"].clone();
        assert_eq!(run["traceRootHash"], trace, "the root is over the steps as they stand");
        // After the seal it is too late: no record changes.
        app.post_signal("/v1/logs", &logs(&[message("gen_ai.choice", 19, "late")])).await;
        app.seal_all().await;
        assert_eq!(hashes(&app).await.0, run);
    }

    async fn several_messages_become_one_digest_whatever_their_order(db: TestDb) {
        let app = TestApp::on(&db).await;
        let messages = [message("gen_ai.system.message", 11, "be kind"), message("gen_ai.user.message", 12, "hello")];
        app.post_signal("/v1/logs", &logs(&messages)).await;
        send_span(&app).await;
        let other = app.other_tenant("ours");
        let first = {
            app.seal_all().await;
            hashes(&other).await.0["promptHash"].clone()
        };
        assert!(first.is_string());
        let hex = [digest(&app, "be kind").await, digest(&app, "hello").await];
        let both = format!("{},{}", hex[0].as_str().expect("hex"), hex[1].as_str().expect("hex"));
        assert_eq!(first, digest(&app, &both).await);
    }
}

/// No column of any table holds one of these texts.
async fn db_holds_no(db: &crate::support::db::TestDb, texts: &[&str]) {
    for (table, column) in
        [("payload", "text"), ("step_fact", "facts"), ("trace_step", "skill_name"), ("system_record", "summary")]
    {
        for text in texts {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{text}%'");
            assert_eq!(db.number(&sql).await, 0, "{table}.{column}");
        }
    }
}

#[test]
fn the_span_of_these_tests_is_otlp() {
    let request: ExportTraceServiceRequest =
        runledger::capture::otlp::decode_json(span().to_string().as_bytes()).expect("OTLP/JSON");
    assert_eq!(request.resource_spans.len(), 1);
}
