//! `/graphql` as clients see it, up to the resolvers: those need a database, and are tested with one.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::http::Request;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use super::*;
use crate::domain::ids::TenantId;
use crate::domain::scope::{Actor, Permissions};
use crate::domain::vocabulary::ActorType;
use crate::graphql::root::schema::{SchemaOptions, build};
use crate::http::fair::FairPool;

fn scope() -> Scope {
    Scope {
        tenant: TenantId::trusted("t"),
        actor: Actor { actor_type: ActorType::System, id: "key".to_owned() },
        permissions: Permissions::all_of_tenant(),
    }
}

fn app(limits: GraphqlLimits) -> Router {
    routes(GraphqlState {
        schema: build(SchemaOptions::default()),
        limits,
        lanes: Lanes::new(2),
        apart: Apart::default(),
        attach: Arc::new(|request, _| Attached { request, loads: LoadQueue::default(), audit: None }),
    })
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    json: Json,
}

async fn send_to(app: Router, request: Request<Body>) -> Answered {
    let response = app.oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    Answered {
        status: parts.status.as_u16(),
        headers: parts.headers,
        json: serde_json::from_slice(&bytes).expect("JSON"),
    }
}

async fn send(mut request: Request<Body>) -> Answered {
    request.extensions_mut().insert(scope());
    send_to(app(GraphqlLimits::default()), request).await
}

const RESPONSE: &str = "application/graphql-response+json";

fn post(accept: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/graphql").header("content-type", "application/json").header("accept", accept);
    request.body(body.into()).expect("a request")
}

fn get(more: &str, query: &str) -> Request<Body> {
    let query = percent_encoding::utf8_percent_encode(query, percent_encoding::NON_ALPHANUMERIC).to_string();
    let request = Request::get(format!("/graphql?{more}query={query}")).header("apollo-require-preflight", "1");
    request.body(Body::empty()).expect("a request")
}

fn query(text: &str) -> Bytes {
    json!({ "query": text }).to_string().into()
}

fn code(answered: &Answered) -> &str {
    answered.json["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn queries_are_answered_by_post_and_get() {
    let by_post = send(post(RESPONSE, query("{ __typename }"))).await;
    assert_eq!((by_post.status, by_post.json), (200, json!({"data": {"__typename": "Query"}})));
    assert!(by_post.headers["content-type"].to_str().expect("text").starts_with(RESPONSE));
    assert_eq!(by_post.headers["cache-control"], "private, no-store");
    let by_get = send(get("", "{ __typename }")).await;
    assert_eq!((by_get.status, &by_get.json["data"]["__typename"]), (200, &json!("Query")));
    let typed = "query($n: String!) { __type(name: $n) { name } }";
    let with_variables = send(get("variables=%7B%22n%22%3A%22LlmRun%22%7D&", typed)).await;
    assert_eq!(with_variables.json, json!({"data": {"__type": {"name": "LlmRun"}}}));
    assert_eq!(send(get("variables=%7B&", typed)).await.status, 400);
}

#[tokio::test]
async fn without_credentials_the_answer_is_401() {
    let answered = send_to(app(GraphqlLimits::default()), post(RESPONSE, query("{ __typename }"))).await;
    assert_eq!((answered.status, code(&answered)), (401, "UNAUTHENTICATED"));
    assert_eq!(answered.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_refused_document_has_no_data_and_the_status_of_its_media_type() {
    for (text, wanted) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($id: ID!) { node(id: $id) { id } }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "{ a: __typename b: __typename c: __typename d: __typename e: __typename f: __typename g: __typename h: __typename \
          i: __typename j: __typename k: __typename l: __typename m: __typename n: __typename o: __typename p: __typename \
          q: __typename r: __typename s: __typename t: __typename u: __typename }",
            "LIMIT_EXCEEDED",
        ),
    ] {
        let strict = send(post(RESPONSE, query(text))).await;
        assert_eq!((strict.status, code(&strict), strict.json.get("data")), (400, wanted, None), "{text}");
        let legacy = send(post("application/json", query(text))).await;
        assert_eq!((legacy.status, code(&legacy), legacy.json.get("data")), (200, wanted, None), "{text}");
    }
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_400_whatever_the_media_type() {
    for body in [
        "{ \"not a JSON",
        "{}",
        "",
        "{\"query\": 0}",
        "{\"query\": \"{ __typename }\", \"operationName\": [1]}",
        "{\"query\": \"{ __typename }\", \"variables\": [1]}",
        "{\"query\": \"{ __typename }\", \"extensions\": 0}",
        "{\"query\": \"\\ud800\"}",
        " [{\"query\": \"{ __typename }\"}]",
    ] {
        let answered = send(post("application/json", body)).await;
        assert_eq!((answered.status, code(&answered)), (400, "BAD_USER_INPUT"), "{body}");
    }
    let deep = format!(
        "{{\"query\":\"{{ __typename }}\",\"variables\":{{\"v\":{}{}}}}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    assert_eq!(send(post("application/json", deep)).await.status, 400);
}

#[tokio::test]
async fn nulls_a_byte_order_mark_and_gzip_are_taken() {
    let nulls =
        "\u{feff}{\"query\": \"{ __typename }\", \"variables\": null, \"operationName\": null, \"extensions\": null}";
    assert_eq!(send(post(RESPONSE, nulls)).await.status, 200);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&query("{ __typename }")).expect("memory");
    let mut request = post(RESPONSE, gzip.finish().expect("memory"));
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn a_body_is_bounded_after_decompression() {
    let long = format!("{{\"query\": \"{{ __typename }}\", \"x\": \"{}\"}}", "x".repeat(2 << 20));
    let plain = send(post(RESPONSE, long.clone())).await;
    assert_eq!((plain.status, code(&plain)), (413, "LIMIT_EXCEEDED"));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(long.as_bytes()).expect("memory");
    let mut request = post(RESPONSE, gzip.finish().expect("memory"));
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_eq!(send(request).await.status, 413);
    let mut request = post(RESPONSE, "x");
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("br"));
    assert_eq!(send(request).await.status, 415);
}

#[tokio::test]
async fn what_a_browser_sends_unasked_is_refused() {
    let mutation = "mutation { startTrace(input: {}) { isReplayed } }";
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let mut request = post(RESPONSE, query(mutation));
        request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
        assert_eq!(send(request).await.status, 415, "{content_type}");
    }
    let mut request = post(RESPONSE, query(mutation));
    request.headers_mut().remove("content-type");
    assert_eq!(send(request).await.status, 415);
    let by_get = send(get("", mutation)).await;
    assert_eq!((by_get.status, by_get.headers["allow"].to_str().expect("text")), (405, "POST"));
    let hidden = "query Z { __typename } mutation M { startTrace(input: {}) { isReplayed } }";
    assert_eq!(send(get("operationName=M&", hidden)).await.status, 405);
    assert_eq!(send(get("operationName=Z&", hidden)).await.status, 200);
}

#[tokio::test]
async fn other_methods_and_media_types_are_refused() {
    let mut request = post(RESPONSE, query("{ __typename }"));
    *request.method_mut() = Method::PUT;
    let put = send(request).await;
    assert_eq!((put.status, put.headers["allow"].to_str().expect("text")), (405, "GET, POST"));
    assert_eq!(send(post("text/html", query("{ __typename }"))).await.status, 406);
}

#[tokio::test]
async fn a_slow_request_is_given_up() {
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let mut request = post(RESPONSE, endless);
    request.extensions_mut().insert(scope());
    let limits = GraphqlLimits { time: Duration::from_millis(20), ..GraphqlLimits::default() };
    let answered = send_to(app(limits), request).await;
    assert_eq!((answered.status, code(&answered)), (504, "TIMEOUT"));
}

#[tokio::test]
async fn a_flood_of_unknown_fields_gives_a_small_answer() {
    let fields: String = (0..5_000).map(|i| format!("f{i} ")).collect();
    let answered = send(post(RESPONSE, query(&format!("{{ viewer {{ {fields} }} }}")))).await;
    assert_eq!(answered.json["errors"].as_array().expect("errors").len(), crate::graphql::shared::error::ERRORS_MAX);
}

#[tokio::test]
async fn a_failing_resolver_shows_the_request_id_only() {
    let mut request = post(RESPONSE, query("{ viewer { actorId } }"));
    request.extensions_mut().insert(RequestIdHeader::new(HeaderValue::from_static("req-1")));
    let answered = send(request).await;
    assert_eq!(answered.status, 200);
    assert_eq!(answered.json["data"], Json::Null);
    assert_eq!(answered.json["errors"][0]["extensions"], json!({"code": "INTERNAL", "requestId": "req-1"}));
}

#[tokio::test]
async fn a_get_that_any_page_could_send_is_refused() {
    let blind = |name: Option<&'static str>| {
        let mut request = get("", "{ __typename }");
        request.headers_mut().remove("apollo-require-preflight");
        if let Some(name) = name {
            request.headers_mut().insert(name, HeaderValue::from_static("x"));
        }
        request
    };
    for name in [None, Some("origin"), Some("content-language")] {
        let answered = send(blind(name)).await;
        assert_eq!((answered.status, code(&answered)), (403, "FORBIDDEN"), "{name:?}");
        let message = answered.json["errors"][0]["message"].as_str().expect("text");
        assert!(message.contains("Apollo-Require-Preflight"), "{message}");
    }
    for name in NO_SIMPLE_HEADERS {
        assert_eq!(send(blind(Some(name))).await.status, 200, "{name}");
    }
}

/// A query that passes the guard and is dear.
const DEAR: &str = "{ llmRuns(first: 200) { nodes { trace { steps(first: 20) { nodes { kind } } } } } }";

#[tokio::test]
async fn dear_queries_wait_in_a_lane_of_their_own_and_take_turns() {
    let lanes = Lanes::new(1);
    let app = routes(GraphqlState {
        schema: build(SchemaOptions::default()),
        limits: GraphqlLimits::default(),
        lanes: lanes.clone(),
        apart: Apart::default(),
        attach: Arc::new(|request, _| Attached { request, loads: LoadQueue::default(), audit: None }),
    });
    let ask = |tenant: &'static str, text: &str| {
        let mut request = post(RESPONSE, query(text));
        request.extensions_mut().insert(Scope { tenant: TenantId::trusted(tenant), ..scope() });
        send_to(app.clone(), request)
    };
    let (loud, dear) = (TenantId::trusted("loud"), lanes.pool(Lane::Dear).clone());
    let held = dear.try_acquire(&loud).expect("the only place");
    let mut waiting: Vec<_> = (0..40).map(|_| Box::pin(ask("loud", DEAR))).collect();
    for answer in &mut waiting {
        assert!(futures_util::poll!(answer).is_pending());
    }
    assert_eq!(
        (dear.held(), dear.waiting(), lanes.pool(Lane::Light).held()),
        (1, 40, 0),
        "who waits holds no other place"
    );
    assert_eq!(ask("quiet", "{ __typename }").await.status, 200, "cheap queries are not behind dear ones");
    assert_eq!(ask("loud", "{ __typename }").await.status, 200);
    let mut quiet = Box::pin(ask("quiet", DEAR));
    assert!(futures_util::poll!(&mut quiet).is_pending());
    drop(held);
    assert_eq!(quiet.await.status, 200, "the next turn is the other's");
    for answer in waiting {
        assert_eq!(answer.await.status, 200);
    }
    assert_eq!((dear.held(), dear.waiting()), (0, 0));
}

#[tokio::test]
async fn answers_that_are_not_read_take_from_their_tenants_budget() {
    let pool = FairPool::new(3 * ANSWER_BYTES, 2 * ANSWER_BYTES, 0);
    let app = app(GraphqlLimits::default());
    let ask = |mut request: Request<Body>, tenant: &str| {
        let tenant = TenantId::trusted(tenant);
        request.extensions_mut().insert(Budget { pool: pool.clone(), tenant: tenant.clone() });
        request.extensions_mut().insert(Scope { tenant, ..scope() });
        app.clone().oneshot(request)
    };
    let unread = [
        ask(post(RESPONSE, query("{ __typename }")), "loud").await.expect("infallible"),
        ask(get("", "{ __typename }"), "loud").await.expect("infallible"),
    ];
    assert_eq!((unread.each_ref().map(Response::status), pool.held()), ([StatusCode::OK; 2], 2 * ANSWER_BYTES));
    let refused = ask(get("", "{ __typename }"), "loud").await.expect("infallible");
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
    assert_eq!(ask(get("", "{ __typename }"), "calm").await.expect("infallible").status(), 200);
    for answer in unread {
        answer.into_body().collect().await.expect("a body");
    }
    assert_eq!(pool.held(), 0, "what was read is given back");
    assert_eq!(ask(get("", "{ __typename }"), "loud").await.expect("infallible").status(), 200);
}

#[tokio::test]
async fn errors_are_counted_by_their_code() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    send(post(RESPONSE, query("{ viewer { actorId } }"))).await;
    send(post("application/json", query(&bomb_of_aliases()))).await;
    send(post("application/json", query("{ nothing }"))).await;
    send(post("text/html", query("{ __typename }"))).await;
    let text = counted.render();
    for code in ["INTERNAL", "LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "BAD_USER_INPUT"] {
        assert!(text.contains(&format!("runledger_graphql_errors_total{{code=\"{code}\"}} 1")), "{code}: {text}");
    }
}

fn bomb_of_aliases() -> String {
    let fields: String = (0..101).map(|at| format!("a{at}: __typename ")).collect();
    format!("{{ {fields} }}")
}
