//! Real telemetry of ten instrumentations: however it is sent, the same runs and steps come out.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::{Value, json};

use crate::support::app::{Encoding, TestApp};
use crate::support::fixtures::{Fixture, fixtures};

/// Every column of every run and step that does not depend on when it arrived.
const EVERYTHING: &str = "
  query Everything($after: String) {
    llmRuns(first: 50, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        runId traceId name agent { id } sessionId endUserId tags provider model operation serviceName
        promptHash responseHash inputTokens outputTokens totalTokens cachedInputTokens reasoningTokens
        timeToFirstTokenMs finishReason costUsd priceVersion executionStatus errorType startedAt completedAt durationMs
        source isSynthetic syntheticScenarioId correlationId actorType actorId stepCount traceRootHash
      }
    }
  }";
const STEPS: &str = "
  query Steps($after: String) {
    traces(first: 5, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        traceId status rootHash totals { calls inputTokens outputTokens costUsd }
        steps(first: 200) {
          pageInfo { hasNextPage }
          nodes {
            spanId parentSpanId attempt kind skillName status level outcomeCategory outcomeCode provider model
            inputTokens outputTokens costUsd startedAt durationMs inputHash outputHash isLate duplicateOf attributes
          }
        }
      }
    }
  }";

/// All runs by run id, and all steps by trace and span.
async fn everything(app: &TestApp) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for run in app.all_nodes(EVERYTHING, "llmRuns").await {
        found.insert(format!("run {}", run["runId"]), run);
    }
    for mut trace in app.all_nodes(STEPS, "traces").await {
        let steps = trace["steps"].take();
        assert_eq!(steps["pageInfo"]["hasNextPage"], false, "a fixture trace has at most 200 steps");
        for step in steps["nodes"].as_array().expect("nodes") {
            found.insert(format!("step {} {}", trace["traceId"], step["spanId"]), step.clone());
        }
        found.insert(format!("trace {}", trace["traceId"]), trace);
    }
    found
}

fn assert_same(expected: &BTreeMap<String, Value>, got: &BTreeMap<String, Value>, how: &str) {
    for (name, value) in expected {
        assert_eq!(Some(value), got.get(name), "{how}: {name}");
    }
    assert_eq!(expected.len(), got.len(), "{how}: more came out than went in");
}

/// A fixed shuffle: the same order in every run of the test.
fn shuffled<T>(mut items: Vec<T>) -> Vec<T> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for i in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let j = usize::try_from(state >> 33).expect("31 bits") % (i + 1);
        items.swap(i, j);
    }
    items
}

/// One request a span.
fn split(request: &ExportTraceServiceRequest) -> Vec<ExportTraceServiceRequest> {
    let mut requests = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let scope_spans = vec![ScopeSpans { spans: vec![span.clone()], ..scope.clone() }];
                let resource_spans = vec![ResourceSpans { scope_spans, ..resource.clone() }];
                requests.push(ExportTraceServiceRequest { resource_spans });
            }
        }
    }
    requests
}

async fn send_all(app: &TestApp, fixtures: &[Fixture], encoding: Encoding) {
    for fixture in fixtures {
        let body = match encoding {
            Encoding::Protobuf => fixture.protobuf.clone(),
            Encoding::Json => fixture.json.clone(),
        };
        let answer = app.post_otlp(encoding, body).await;
        assert_eq!(answer.status, 200, "{}: {:?}", fixture.name, answer.text());
    }
}

db_test! {
    async fn the_same_runs_however_they_are_sent(db: TestDb) {
        let fixtures = fixtures();
        let app = TestApp::on(&db).await;
        send_all(&app, &fixtures, Encoding::Protobuf).await;
        app.seal_all().await;
        let expected = everything(&app).await;
        assert!(expected.keys().any(|name| name.starts_with("run ")), "no run came out");
        // Twice: nothing changes, nothing is added.
        send_all(&app, &fixtures, Encoding::Protobuf).await;
        app.seal_all().await;
        assert_same(&expected, &everything(&app).await, "sent twice");

        let app = app.other_tenant("json");
        send_all(&app, &fixtures, Encoding::Json).await;
        app.seal_all().await;
        let content = |all: &BTreeMap<String, Value>| without_digests(all);
        assert_same(&content(&expected), &content(&everything(&app).await), "as JSON");

        let app = app.other_tenant("shuffled");
        let spans: Vec<_> = fixtures.iter().flat_map(|fixture| split(&fixture.message())).collect();
        for request in shuffled(spans) {
            let answer = app.post_otlp(Encoding::Protobuf, request.encode_to_vec()).await;
            assert_eq!(answer.status, 200, "{:?}", answer.text());
        }
        app.seal_all().await;
        assert_same(&content(&expected), &content(&everything(&app).await), "split and shuffled");

        let app = app.other_tenant("grpc");
        for fixture in shuffled(fixtures) {
            app.export_grpc(fixture.message()).await.expect("accepted");
        }
        app.seal_all().await;
        assert_same(&content(&expected), &content(&everything(&app).await), "over gRPC");
    }
}

/// Content digests are keyed by tenant, so they differ between tenants; whether there is one does not.
fn without_digests(all: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    fn hide(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(hide),
            Value::Object(fields) => {
                for (name, value) in fields {
                    if (name.ends_with("Hash") || name == "digest") && value.is_string() {
                        *value = json!("a digest");
                    }
                    hide(value);
                }
            }
            _ => {}
        }
    }
    let mut all = all.clone();
    all.values_mut().for_each(hide);
    all
}

/// Usage attributes in order of precedence, as the instrumentations' own documentation names them.
const INPUT_TOKENS: [&str; 5] = [
    "gen_ai.usage.input_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "gen_ai.usage.prompt_tokens",
    "ai.usage.tokens",
];

fn input_tokens(span: &Span) -> Option<i64> {
    INPUT_TOKENS.iter().find_map(|name| {
        let found = span.attributes.iter().find(|attribute| attribute.key == *name)?;
        match found.value.as_ref().and_then(|value: &AnyValue| value.value.as_ref()) {
            Some(Any::IntValue(tokens)) => Some(*tokens),
            _ => None,
        }
    })
}

/// Input tokens of each trace, counted independently: the usage of every span that has no span with usage below it, and
/// of two spans that report one call only one.
fn expected_input_tokens(fixtures: &[Fixture]) -> BTreeMap<String, i64> {
    let mut traces: BTreeMap<String, BTreeMap<Vec<u8>, Span>> = BTreeMap::new();
    let mut scopes: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for request in fixtures.iter().flat_map(|fixture| split(&fixture.message())) {
        let scope_spans = &request.resource_spans[0].scope_spans[0];
        let span = scope_spans.spans[0].clone();
        let scope = scope_spans.scope.clone().map(|scope| scope.name).unwrap_or_default();
        scopes.insert(span.span_id.clone(), scope);
        traces.entry(hex::encode(&span.trace_id)).or_default().entry(span.span_id.clone()).or_insert(span);
    }
    traces
        .into_iter()
        .map(|(trace, spans)| {
            let mut wrappers = std::collections::BTreeSet::new();
            for span in spans.values().filter(|span| input_tokens(span).is_some()) {
                let mut parent = &span.parent_span_id;
                while let Some(above) = spans.get(parent) {
                    wrappers.insert(above.span_id.clone());
                    parent = &above.parent_span_id;
                }
            }
            // Two instrumentations of one client report one call twice: same parent, same tokens, at the same time.
            let mut calls: Vec<&Span> = Vec::new();
            for span in spans.values().filter(|span| !wrappers.contains(&span.span_id)) {
                let is_same = |call: &&Span| {
                    call.parent_span_id == span.parent_span_id
                        && scopes[&call.span_id] != scopes[&span.span_id]
                        && input_tokens(call) == input_tokens(span)
                        && call.start_time_unix_nano <= span.end_time_unix_nano
                        && span.start_time_unix_nano <= call.end_time_unix_nano
                };
                if input_tokens(span).is_some() && !calls.iter().any(is_same) {
                    calls.push(span);
                }
            }
            (trace, calls.into_iter().filter_map(input_tokens).sum())
        })
        .collect()
}

db_test! {
    async fn token_sums_agree_with_an_independent_count(db: TestDb) {
        let fixtures = fixtures();
        let app = TestApp::on(&db).await;
        send_all(&app, &fixtures, Encoding::Protobuf).await;
        app.seal_all().await;
        let expected = expected_input_tokens(&fixtures);
        let runs = app.all_nodes(EVERYTHING, "llmRuns").await;
        assert!(!runs.is_empty());
        for run in runs {
            let trace = run["traceId"].as_str().expect("a trace id");
            assert_eq!(run["inputTokens"].as_i64(), expected.get(trace).copied(), "{trace}");
        }
    }
}
