//! API keys through the real router: who gets in, and what they may do there.

use axum::body::Body;
use axum::http::Request;
use runledger::clock::Clock;
use runledger::domain::scope::Permission;
use runledger::domain::time::Timestamp;
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::GraphqlLimits;
use serde_json::{Value, json};

use crate::support::app::{Answer, Encoding, TestApp};
use crate::support::db::TestDb;
use crate::support::seed::tenant;

const RUNS: &str = "{ llmRuns { nodes { runId } } }";
const RECORD: &str = "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { runId } } }";

async fn closed(db: &TestDb) -> TestApp {
    TestApp::with(db, AuthSettings::Required(None), GraphqlLimits::default()).await
}

/// The application, asked with a new key of a tenant.
async fn keyed(app: &TestApp, name: &str, permissions: &[Permission]) -> TestApp {
    let permissions = permissions.iter().copied().collect();
    let (_, token) = app.logs.create_api_key(tenant(name), None, permissions, None).await.expect("a key");
    app.with_key(&token)
}

fn run(run_id: &str) -> Value {
    let step = json!({ "kind": "LLM", "skillName": "chat", "status": "SUCCESS", "startedAt": "2026-11-21T08:00:00Z",
        "durationMs": 1, "attributes": { "note": "private" } });
    json!({ "input": { "runId": run_id, "trace": { "traceId": run_id, "plan": { "goal": "private" } }, "steps": [step] } })
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

fn assert_unauthenticated(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}");
}

async fn assert_kept_out(app: &TestApp, what: &str) {
    let answer = app.ask(RUNS, json!({})).await;
    assert_unauthenticated(&answer, what);
    assert_eq!(code(&answer.json()), "UNAUTHENTICATED", "{what}");
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        assert_unauthenticated(&app.post_otlp(encoding, b"{}".to_vec()).await, what);
    }
}

db_test! {
    async fn without_a_valid_key_nobody_gets_in(db: TestDb) {
        let app = closed(&db).await;
        assert_kept_out(&app, "no key").await;
        let (_, token) = app.logs.create_api_key(tenant("ours"), None, [Permission::RunsRead].into_iter().collect(), None)
            .await.expect("a key");
        assert_eq!(app.with_key(&token).ask(RUNS, json!({})).await.status, 200);
        let last = if token.ends_with('0') { "1" } else { "0" };
        assert_kept_out(&app.with_key(&format!("{}{last}", &token[..token.len() - 1])), "a wrong secret").await;
        for nonsense in ["rl_", "rl_0011_22", "eyJhbGciOiJub25lIn0.e30.", "x"] {
            assert_kept_out(&app.with_key(nonsense), nonsense).await;
        }
    }

    async fn revoked_and_expired_keys_are_worth_nothing(db: TestDb) {
        let app = closed(&db).await;
        let reads = [Permission::RunsRead].into_iter().collect();
        let (key, token) = app.logs.create_api_key(tenant("ours"), None, reads, None).await.expect("a key");
        assert_eq!(app.with_key(&token).ask(RUNS, json!({})).await.status, 200);
        assert!(!app.logs.revoke_api_key(&tenant("other"), &key.key_id).await.expect("asks"), "another tenant's key");
        assert_eq!(app.with_key(&token).ask(RUNS, json!({})).await.status, 200);
        assert!(app.logs.revoke_api_key(&tenant("ours"), &key.key_id).await.expect("revokes"));
        assert_kept_out(&app.with_key(&token), "revoked").await;

        let end = Timestamp::from_micros_clamped(app.clock.now().as_micros() + 1_000_000);
        let (_, token) = app.logs.create_api_key(tenant("ours"), None, reads, Some(end)).await.expect("a key");
        assert_eq!(app.with_key(&token).ask(RUNS, json!({})).await.status, 200);
        app.clock.advance_us(1_000_000);
        assert_kept_out(&app.with_key(&token), "expired").await;
    }

    async fn a_reader_cannot_write(db: TestDb) {
        let app = closed(&db).await;
        let reader = keyed(&app, "ours", &[Permission::RunsRead, Permission::PayloadsRead]).await;
        assert_eq!(code(&reader.raw_query(RECORD, run("r")).await), "FORBIDDEN");
        assert_eq!(reader.post_otlp(Encoding::Json, b"{}".to_vec()).await.status, 403);
        assert_eq!(db.number("SELECT COUNT(*) FROM llm_run").await, 0);
    }

    async fn a_writer_reads_nothing_through_what_mutations_give(db: TestDb) {
        let app = closed(&db).await;
        let writer = keyed(&app, "ours", &[Permission::RunsWrite]).await;
        assert_eq!(code(&writer.raw_query(RUNS, json!({})).await), "FORBIDDEN");
        let recorded = writer.query_with(RECORD, run("own")).await;
        assert_eq!(recorded["recordLlmRun"]["run"]["runId"], "own");
        for (number, selection) in [
            "run { revisions { runId } }", "run { trace { summary { groups { count } } } }",
            "trace { totals { calls } }", "trace { steps { nodes { spanId } } }", "trace { steps { totalCount { value } } }",
            "run { trace { steps { nodes { spanId } } } }", "run { agent { llmRuns { nodes { runId } } } }",
            "run { tenant { llmRuns { nodes { runId } } } }", "trace { seals { rootHash } }",
        ].into_iter().enumerate() {
            let query = format!("mutation($input: RecordLlmRunInput!) {{ recordLlmRun(input: $input) {{ {selection} }} }}");
            let mut input = run(&format!("payload-{number}"));
            input["input"]["agentId"] = json!("agent");
            let answer = writer.raw_query(&query, input).await;
            assert_eq!(code(&answer), "FORBIDDEN", "{selection}: {answer}");
        }
    }

    async fn payloads_need_their_own_scope(db: TestDb) {
        let app = closed(&db).await;
        keyed(&app, "ours", &[Permission::RunsWrite]).await.raw_query(RECORD, run("r")).await;
        let reader = keyed(&app, "ours", &[Permission::RunsRead]).await;
        let with_payloads = keyed(&app, "ours", &[Permission::RunsRead, Permission::PayloadsRead]).await;
        for query in [
            "{ trace(by: { traceId: \"r\" }) { steps { nodes { attributes } } } }",
            "{ trace(by: { traceId: \"r\" }) { plan } }",
            "{ contentDigest(text: \"guess\") }",
        ] {
            let refused = reader.raw_query(query, json!({})).await;
            assert_eq!(code(&refused), "FORBIDDEN", "{query}: {refused}");
            assert!(!refused.to_string().contains("private"), "{refused}");
            let given = with_payloads.query(query).await.to_string();
            assert!(given.contains("private") || query.contains("contentDigest"), "{query}: {given}");
        }
    }

    async fn a_key_is_bound_to_its_tenant_whatever_the_header_says(db: TestDb) {
        let app = closed(&db).await;
        let all = [Permission::RunsRead, Permission::RunsWrite];
        let (ours, theirs) = (keyed(&app, "ours", &all).await, keyed(&app, "theirs", &all).await);
        theirs.query_with(RECORD, run("secret")).await;
        for asked_as in ["ours", "theirs"] {
            let app = ours.other_tenant(asked_as);
            let seen = app.query("{ llmRuns { nodes { runId } } llmRun(runId: \"secret\") { id } viewer { tenant { id } } }").await;
            assert_eq!(seen["llmRuns"]["nodes"], json!([]), "{asked_as}");
            assert_eq!((&seen["llmRun"], &seen["viewer"]["tenant"]["id"]), (&Value::Null, &json!("ours")), "{asked_as}");
        }
        let seen = theirs.query("{ llmRun(runId: \"secret\") { runId } }").await;
        assert_eq!(seen["llmRun"]["runId"], "secret");
    }

    async fn an_open_server_answers_only_to_its_own_names(db: TestDb) {
        let app = TestApp::on(&db).await;
        for (host, status) in [("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("evil.example", 421),
            ("localhost.evil.example", 421), ("10.0.0.1", 421)] {
            let request = Request::post("/graphql").header("content-type", "application/json").header("host", host);
            let answer = app.send(request.body(Body::from("{\"query\":\"{ __typename }\"}")).expect("a request")).await;
            assert_eq!(answer.status, status, "{host}");
        }
    }
}
