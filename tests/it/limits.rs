//! Every limit trips through the real router, with its error code, the limit, and the value where counting goes on.

use std::io::Write;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use flate2::Compression;
use flate2::write::GzEncoder;
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use serde_json::{Value, json};

use crate::support::app::{Answer, AppSettings, Encoding, TestApp};

const RECORD: &str = "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { runId } } }";

fn extensions(answer: &Answer) -> Value {
    answer.json()["errors"][0]["extensions"].clone()
}

/// `field` so many times, each under an alias.
fn aliased(count: usize, field: &str) -> String {
    (0..count).map(|number| format!("a{number}: {field} ")).collect()
}

/// A chain of fields, `depth` of them below each other.
fn nested(depth: usize) -> String {
    let mut document = "__typename".to_owned();
    let names: Vec<&str> = ["run", "trace", "trace"].into_iter().cycle().take(depth - 2).collect();
    for name in names.iter().rev() {
        document = format!("{name} {{ {document} }}");
    }
    format!("{{ trace(by: {{ traceId: \"none\" }}) {{ {document} }} }}")
}

/// Fragments that double so many times.
fn bomb(doublings: usize) -> String {
    let fragments: String = (0..doublings)
        .map(|number| format!("fragment F{number} on Query {{ ...F{next} ...F{next} }} ", next = number + 1))
        .collect();
    format!("{{ ...F0 }} {fragments} fragment F{doublings} on Query {{ __typename }}")
}

/// What the error names, the document, and the error's limit and value; `None` where the value saturates or counting stops.
fn documents() -> Vec<(&'static str, String, u64, Option<u64>)> {
    let circle = "fields { type { ".repeat(3);
    vec![
        ("introspection selections", format!("{{ __schema {{ {} }} }}", "description ".repeat(501)), 500, Some(501)),
        (
            "levels of introspection",
            format!("{{ __type(name: \"X\") {{ {} name {} }} }}", "ofType { ".repeat(20), "}".repeat(20)),
            20,
            None,
        ),
        (
            "representations",
            format!("{{ _entities(representations: [{}]) {{ __typename }} }}", "1 ".repeat(1_001)),
            1_000,
            Some(1_001),
        ),
        (
            "circles of introspection",
            format!("{{ __schema {{ types {{ {circle} name {} }} }} }}", "} }".repeat(3)),
            2,
            Some(4),
        ),
        ("tokens", format!("{{ {} }}", "__typename ".repeat(10_000)), 10_000, Some(10_001)),
        ("nested brackets", format!("{}{}", "{a".repeat(65), "}".repeat(65)), 64, Some(65)),
        ("levels of fields", nested(16), 15, None),
        (
            "fields to resolve",
            "{ llmRuns(first: 200) { nodes { trace { steps(first: 200) { nodes { id } } } } } }".into(),
            50_000,
            None,
        ),
        (
            "rows that its lists may give",
            "{ llmRuns(first: 200) { nodes { incidentEvidence { id } export { exports { id } } replay { events { action } } } } }"
                .into(),
            250_000,
            None,
        ),
        ("below itself", "{ llmRun(runId: \"r\") { revisions { revisions { id } } } }".into(), 1, Some(2)),
        ("selections", bomb(28), 10_000, None),
        ("aliases", format!("{{ viewer {{ {} }} }}", aliased(101, "actorId")), 100, Some(101)),
        ("directives", format!("{{ viewer {{ actorId {} }} }}", "@include(if: true) ".repeat(21)), 20, Some(21)),
        ("root fields", format!("{{ {} }}", aliased(21, "viewer { actorId }")), 20, Some(21)),
        ("first", "{ llmRuns(first: 201) { nodes { id } } }".into(), 200, Some(201)),
        ("last", "{ traces(last: 201) { nodes { id } } }".into(), 200, Some(201)),
        (
            "model holds",
            format!("{{ llmRuns(filter: {{ model: [{}] }}) {{ nodes {{ id }} }} }}", "\"m\" ".repeat(201)),
            200,
            Some(201),
        ),
        (
            "a text of filter.model",
            format!("{{ llmRuns(filter: {{ model: \"{}\" }}) {{ nodes {{ id }} }} }}", "m".repeat(513)),
            512,
            Some(513),
        ),
    ]
}

fn gzip_of_zeros(bytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; bytes]).expect("compresses");
    encoder.finish().expect("compresses")
}

async fn post_gzip(app: &TestApp, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(path).header("content-type", content_type).header("content-encoding", "gzip");
    app.send(request.body(Body::from(body)).expect("a request")).await
}

fn steps(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| {
            json!({ "kind": "TOOL", "skillName": "x", "status": "SUCCESS", "spanId": format!("{number:016x}"),
                "startedAt": "2026-11-21T08:00:00Z", "durationMs": 1 })
        })
        .collect()
}

db_test! {
    async fn documents_that_ask_too_much_are_refused(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (what, document, limit, value) in documents() {
            let answer = app.ask(&document, json!({})).await;
            let extensions = extensions(&answer);
            assert_eq!(extensions["code"], "LIMIT_EXCEEDED", "{what}: {}", answer.text());
            assert_eq!(extensions["limit"], limit, "{what}");
            assert!(answer.text().contains(what), "{what}: {}", answer.text());
            match value {
                Some(value) => assert_eq!(extensions["value"], value, "{what}"),
                None => assert!(extensions["value"].as_u64().is_none_or(|value| value > limit), "{what}"),
            }
        }
        let dear = app.ask("{ llmRuns(first: 200) { nodes { id trace { steps(first: 200) { nodes { id } } } } } }", json!({})).await.text();
        assert!(dear.contains("llmRuns (200 rows) > nodes > trace > steps (200 rows)") && dear.contains("--graphql-complexity"), "{dear}");
        let subscribed = app.ask("subscription { llmRunRecorded { id } }", json!({})).await;
        assert_eq!(subscribed.json()["errors"].as_array().map(Vec::len), Some(1), "{}", subscribed.text());
        // One less of each is taken.
        for document in [
            nested(15), bomb(4), format!("{{ viewer {{ {} }} }}", aliased(100, "actorId")),
            format!("{{ {} }}", aliased(20, "viewer { actorId }")), "{ llmRuns(first: 200) { nodes { id } } }".into(),
        ] {
            app.query(&document).await;
        }
    }

    async fn an_answer_that_grows_too_large_is_given_up_while_it_is_made(db: TestDb) {
        let limit = 1_u64 << 20;
        let limits = GraphqlLimits { answer_bytes: limit, ..GraphqlLimits::default() };
        let app = TestApp::with(&db, AuthSettings::Off, limits).await;
        // Without any data: the filter is echoed under each alias.
        let models: Vec<String> = (0..200).map(|number| format!("{number:0500}")).collect();
        let echoed = |count| format!("query($m: [String!]) {{ llmRuns(filter: {{ model: $m }}) {{ {} }} }}", aliased(count, "filtersApplied"));
        let answer = app.ask(&echoed(5), json!({ "m": models })).await;
        assert!(answer.json().get("errors").is_none() && answer.body.len() > 500_000, "{}", answer.body.len());
        let answer = app.ask(&echoed(100), json!({ "m": models })).await;
        let refused = extensions(&answer);
        assert_eq!((refused["code"].as_str(), refused["limit"].as_u64()), (Some("LIMIT_EXCEEDED"), Some(limit)));
        let value = refused["value"].as_u64().expect("a value");
        assert!((limit..limit * 5 / 4).contains(&value), "{value}: the rest was not made");
        assert!(answer.json().get("data").is_none() && answer.body.len() < 1_000, "{}", answer.text());
        // With data: attributes of steps.
        let attributes = json!({ "text": "x".repeat(8_000), "more": "y".repeat(8_000) });
        let steps: Vec<Value> = steps(100).into_iter().map(|mut step| { step["attributes"] = attributes.clone(); step }).collect();
        app.query_with(RECORD, json!({ "input": { "runId": "r", "steps": steps } })).await;
        let page = |count: u32| format!("{{ llmRun(runId: \"r\") {{ trace {{ steps(first: {count}) {{ nodes {{ attributes }} }} }} }} }}");
        assert!(app.ask(&page(40), json!({})).await.json().get("errors").is_none());
        let answer = app.ask(&page(100), json!({})).await;
        assert_eq!(extensions(&answer)["code"], "LIMIT_EXCEEDED", "{}", answer.text());
        assert!(extensions(&answer)["value"].as_u64().is_some_and(|value| value < limit * 5 / 4));
    }

    async fn a_query_that_takes_too_long_is_given_up(db: TestDb) {
        let time = Duration::from_millis(200);
        let hurried = TestApp::with(&db, AuthSettings::Off, GraphqlLimits { time, ..GraphqlLimits::default() }).await;
        let patient = TestApp::on(&db).await;
        // Somebody holds the access log, where the read must be noted before its answer leaves.
        let connection = db.raw().await;
        let held = connection.begin().await.expect("begins");
        let hold = match db.backend {
            DbBackend::Sqlite => "UPDATE ledger_log SET size = size",
            _ => "LOCK TABLE ledger_log IN ACCESS EXCLUSIVE MODE",
        };
        held.execute_unprepared(hold).await.expect("held");
        let query = "{ llmRuns { nodes { id } } }";
        let answer = hurried.ask(query, json!({})).await;
        assert_eq!((answer.status, extensions(&answer)["code"].as_str()), (504, Some("TIMEOUT")), "{}", answer.text());
        assert!(answer.text().contains("longer than 200ms"), "{}", answer.text());
        assert!(answer.json().get("data").is_none(), "{}", answer.text());
        held.rollback().await.expect("let go");
        patient.query(query).await;
    }

    async fn bodies_that_are_too_long_are_refused(db: TestDb) {
        let app = TestApp::on(&db).await;
        let graphql = json!({ "query": format!("{{ __typename }}{}", " ".repeat(2 << 20)) }).to_string().into_bytes();
        let answers = [
            (2_u64 << 20, app.post("/graphql", "application/json", graphql).await),
            (2 << 20, post_gzip(&app, "/graphql", "application/json", gzip_of_zeros(64 << 20)).await),
        ];
        for (limit, answer) in answers {
            assert_eq!(answer.status, 413, "{}", answer.text());
            assert_eq!(extensions(&answer)["code"], "LIMIT_EXCEEDED");
            assert_eq!(extensions(&answer)["limit"], limit);
        }
        for answer in [
            app.post_otlp(Encoding::Json, vec![b' '; (16 << 20) + 1]).await,
            post_gzip(&app, "/v1/traces", "application/json", gzip_of_zeros(64 << 20)).await,
            post_gzip(&app, "/v1/traces", "application/x-protobuf", gzip_of_zeros((16 << 20) + 1)).await,
        ] {
            assert_eq!(answer.status, 413, "{}", answer.text());
            assert!(answer.text().contains("16777216"), "{}", answer.text());
        }
    }

    async fn batches_are_not_taken(db: TestDb) {
        let app = TestApp::on(&db).await;
        let answer = app.post("/graphql", "application/json", b"[{\"query\":\"{ __typename }\"}]".to_vec()).await;
        assert_eq!((answer.status, extensions(&answer)["code"].as_str()), (400, Some("BAD_USER_INPUT")));
        assert!(answer.text().contains("batches"), "{}", answer.text());
    }

    async fn a_call_brings_at_most_a_thousand_steps(db: TestDb) {
        let app = TestApp::on(&db).await;
        let answer = app.ask(RECORD, json!({ "input": { "steps": steps(1_001) } })).await;
        let refused = extensions(&answer);
        assert_eq!((refused["code"].as_str(), refused["limit"].as_u64()), (Some("LIMIT_EXCEEDED"), Some(1_000)));
        assert_eq!(refused["value"], 1_001);
        app.query_with(RECORD, json!({ "input": { "steps": steps(1_000) } })).await;
        assert_eq!(db.number("SELECT COUNT(*) FROM trace_step").await, 1_000);
    }

    async fn names_have_at_most_128_bytes(db: TestDb) {
        let app = TestApp::on(&db).await;
        for field in ["runId", "agentId", "sessionId", "model", "provider", "name", "idempotencyKey", "correlationId"] {
            let with = |length: usize| json!({ "input": { "steps": [], field: "n".repeat(length) } });
            let answer = app.ask(RECORD, with(129)).await;
            let refused = extensions(&answer);
            assert!(["BAD_USER_INPUT", "LIMIT_EXCEEDED"].contains(&refused["code"].as_str().unwrap_or("")), "{field}: {}", answer.text());
            assert!(answer.text().contains(field) && answer.text().contains("128"), "{field}: {}", answer.text());
            app.query_with(RECORD, with(128)).await;
        }
        let tags: Vec<String> = (0..65).map(|number| format!("t{number}")).collect();
        let answer = app.ask(RECORD, json!({ "input": { "tags": tags } })).await;
        assert_eq!((extensions(&answer)["limit"].as_u64(), extensions(&answer)["value"].as_u64()), (Some(64), Some(65)));
    }

    async fn a_key_that_asks_too_often_is_told_when_to_come_again(db: TestDb) {
        let app = TestApp::set_up(&db, AppSettings { rate_limit: 3, ..AppSettings::default() }).await;
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(app.ask("{ __typename }", json!({})).await);
        }
        assert_eq!(answers[0].status, 200);
        let refused = answers.iter().find(|answer| answer.status != 200).expect("20 requests at once are more than 3 a second");
        assert_eq!(refused.status, 429);
        assert_eq!(extensions(refused)["code"], "LIMIT_EXCEEDED");
        assert!(extensions(refused)["retryAfterMs"].as_u64().is_some_and(|wait| wait >= 1));
        assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
        assert_eq!(app.post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 429, "the limit is the key's, not the route's");
        assert_eq!(app.other_tenant("other").ask("{ __typename }", json!({})).await.status, 200);
    }
}
