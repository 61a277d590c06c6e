use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};

use super::{ADMIN, Rig, WRITER, bytes_of, json_of, rig, rig_with, settings};
use crate::error::Error;
use crate::http::auth::AuthSettings;
use crate::http::{HttpSettings, REQUEST_ID_HEADER};

fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).expect("request")
}

fn empty_export(headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::post("/v1/traces").header("content-type", "application/x-protobuf");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).expect("request")
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

fn open() -> HttpSettings {
    HttpSettings { auth: AuthSettings::Off, ..settings() }
}

async fn status(rig: &Rig, request: Request<Body>) -> u16 {
    rig.send(request).await.status().as_u16()
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_security_headers() {
    let rig = rig();
    let ours = rig.send(get("/livez", &[])).await;
    assert!(!header(&ours, REQUEST_ID_HEADER).is_empty());
    let theirs = rig.send(get("/nowhere", &[(REQUEST_ID_HEADER, "abc-1")])).await;
    assert_eq!((theirs.status().as_u16(), header(&theirs, REQUEST_ID_HEADER)), (404, "abc-1"));
    for insane in ["a b", "<script>", &"x".repeat(65)] {
        let response = rig.send(get("/livez", &[(REQUEST_ID_HEADER, insane)])).await;
        assert_ne!(header(&response, REQUEST_ID_HEADER), insane);
    }
    assert_eq!(header(&theirs, "x-content-type-options"), "nosniff");
    assert_eq!(header(&theirs, "x-frame-options"), "DENY");
    assert!(header(&theirs, "content-security-policy").contains("default-src 'none'"));
    assert!(header(&theirs, "cache-control").contains("private"));
    assert_eq!(header(&theirs, "strict-transport-security"), "");
    let tls = rig_with(HttpSettings { has_tls: true, ..settings() }).send(get("/livez", &[])).await;
    assert!(header(&tls, "strict-transport-security").starts_with("max-age"));
}

#[tokio::test]
async fn a_panic_is_one_requests_500_and_shows_no_cause() {
    let response = rig().send(get("/panic", &[(REQUEST_ID_HEADER, "find-me")])).await;
    assert_eq!((response.status().as_u16(), header(&response, REQUEST_ID_HEADER)), (500, "find-me"));
    let body = json_of(response).await;
    assert_eq!(body["errors"][0]["extensions"], serde_json::json!({ "code": "INTERNAL", "requestId": "find-me" }));
    assert!(!body.to_string().contains("secret cause"));
}

#[tokio::test]
async fn readiness_names_what_is_wrong() {
    let rig = rig();
    assert_eq!(status(&rig, get("/livez", &[])).await, 200);
    assert_eq!(status(&rig, get("/readyz", &[])).await, 200);
    *rig.fake.not_ready.lock().expect("lock") = Some(Error::unavailable("the database is away", 1));
    rig.shutdown.cancel();
    let response = rig.send(get("/readyz", &[])).await;
    assert_eq!(response.status(), 503);
    let reasons = json_of(response).await["reasons"].to_string();
    assert!(reasons.contains("the database is away") && reasons.contains("stopping"), "{reasons}");
    assert_eq!(status(&rig, get("/livez", &[])).await, 200);
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_admins() {
    let rig = rig();
    let from = |peer: &str, headers: &[(&str, &str)]| {
        let mut request = get("/metrics", headers);
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("address")));
        request
    };
    assert_eq!(status(&rig, from("127.0.0.1:9", &[])).await, 200);
    assert_eq!(status(&rig, from("[::1]:9", &[])).await, 200);
    assert_eq!(status(&rig, from("192.0.2.1:9", &[])).await, 401);
    assert_eq!(status(&rig, from("127.0.0.1:9", &[("x-forwarded-for", "192.0.2.1")])).await, 401);
    assert_eq!(status(&rig, from("192.0.2.1:9", &[("authorization", WRITER)])).await, 403);
    assert_eq!(status(&rig, from("192.0.2.1:9", &[("authorization", ADMIN)])).await, 200);
    assert_eq!(status(&rig, get("/metrics", &[])).await, 401);
}

#[tokio::test]
async fn an_open_server_answers_only_to_its_own_names() {
    let rig = rig_with(HttpSettings { allowed_hosts: vec!["ledger.test".to_owned()], ..open() });
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "ledger.test:1"] {
        assert_eq!(status(&rig, empty_export(&[("host", host)])).await, 200, "{host}");
    }
    for host in ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "192.0.2.1", ""] {
        assert_eq!(status(&rig, empty_export(&[("host", host)])).await, 421, "{host}");
    }
    assert_eq!(status(&rig, empty_export(&[])).await, 421);
    assert_eq!(status(&rig, empty_export(&[("host", "localhost"), ("host", "evil.test")])).await, 421);
    let request = Request::post("http://evil.test/v1/traces").header("host", "localhost").body(Body::empty());
    assert_eq!(status(&rig, request.expect("request")).await, 421);
    for host in ["evil@127.0.0.1", "evil.test@localhost:8080", "user:password@localhost", "@localhost"] {
        assert_eq!(status(&rig, empty_export(&[("host", host)])).await, 421, "{host}");
    }
    let request = Request::post("http://evil@localhost/v1/traces").header("host", "localhost").body(Body::empty());
    assert_eq!(status(&rig, request.expect("request")).await, 421);
    let guarded = rig_with(settings());
    assert_eq!(status(&guarded, empty_export(&[("host", "any.test"), ("authorization", WRITER)])).await, 200);
}

#[tokio::test]
async fn on_an_open_server_a_header_names_the_tenant() {
    let rig = rig_with(open());
    let send = |tenant: &'static str| empty_export(&[("host", "localhost"), ("x-runledger-tenant", tenant)]);
    assert_eq!(status(&rig, send("mine")).await, 200);
    assert_eq!(status(&rig, empty_export(&[("host", "localhost")])).await, 200);
    assert_eq!(status(&rig, send("")).await, 400);
    assert_eq!(*rig.fake.tenants.lock().expect("lock"), ["mine", "demo"]);
    // A second one is not passed over.
    for other in ["mine", "yours"] {
        let twice = [("host", "localhost"), ("x-runledger-tenant", "mine"), ("x-runledger-tenant", other)];
        let response = rig.send(empty_export(&twice)).await;
        assert_eq!(response.status(), 400);
        assert!(String::from_utf8_lossy(&bytes_of(response).await).contains("x-runledger-tenant once"));
    }
    assert_eq!(rig.fake.tenants.lock().expect("lock").len(), 2);
    // With authentication the header names nothing.
    let guarded = rig_with(settings());
    let request = empty_export(&[("authorization", WRITER), ("x-runledger-tenant", "other")]);
    assert_eq!(status(&guarded, request).await, 200);
    assert_eq!(*guarded.fake.tenants.lock().expect("lock"), ["acme"]);
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_to_wait() {
    let rig = rig_with(HttpSettings { rate_limit: 2, ..settings() });
    let send = || empty_export(&[("authorization", WRITER)]);
    assert_eq!(status(&rig, send()).await, 200);
    assert_eq!(status(&rig, send()).await, 200);
    let response = rig.send(send()).await;
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (429, "1"));
    assert_eq!(status(&rig, empty_export(&[("authorization", ADMIN)])).await, 200);
}

#[tokio::test]
async fn only_listed_origins_may_call() {
    let preflight = |origin: &str| {
        let request = Request::options("/v1/traces").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.body(Body::empty()).expect("request")
    };
    let allowed = rig_with(HttpSettings { cors_origins: vec!["https://app.test".to_owned()], ..settings() });
    let response = allowed.send(preflight("https://app.test")).await;
    assert_eq!(header(&response, "access-control-allow-origin"), "https://app.test");
    assert_eq!(header(&response, "access-control-allow-credentials"), "");
    for rig in [&allowed, &rig()] {
        let response = rig.send(preflight("https://evil.test")).await;
        assert_eq!(header(&response, "access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn one_authorization_header_and_no_more() {
    let rig = rig();
    let twice = empty_export(&[("authorization", WRITER), ("authorization", ADMIN)]);
    assert_eq!(status(&rig, twice).await, 401);
    let long = format!("Bearer rl_{}", "x".repeat(20_000));
    assert_eq!(status(&rig, empty_export(&[("authorization", &long)])).await, 401);
    let lower = empty_export(&[("authorization", "bearer  rl_1_writer")]);
    let response = rig.send(lower).await;
    assert_eq!(response.status(), 200, "{:?}", bytes_of(response).await);
}

#[tokio::test]
async fn the_api_is_for_admitted_callers() {
    let rig = rig();
    let response = rig.send(get("/whoami", &[])).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "www-authenticate")),
        (401, "Bearer realm=\"runledger\"")
    );
    assert_eq!(json_of(response).await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let response = rig.send(get("/whoami", &[("authorization", WRITER)])).await;
    assert_eq!((response.status().as_u16(), bytes_of(response).await.as_slice()), (200, &b"rl_1_writer"[..]));
}

#[tokio::test]
async fn who_is_turned_away_and_what_fails_is_handed_on() {
    let rig = rig();
    assert_eq!(status(&rig, get("/whoami", &[])).await, 401);
    assert_eq!(status(&rig, get("/whoami", &[("authorization", "Bearer rl_1_nobody")])).await, 401);
    assert_eq!(status(&rig, empty_export(&[])).await, 401);
    assert_eq!(status(&rig, empty_export(&[("authorization", WRITER)])).await, 200);
    assert_eq!(*rig.fake.turned_away.lock().expect("lock"), ["/whoami", "/whoami", "otlp"]);
    // With whence they came: each source has a budget of its own.
    let mut request = get("/whoami", &[]);
    let peer: SocketAddr = "192.0.2.7:9".parse().expect("an address");
    request.extensions_mut().insert(ConnectInfo(peer));
    assert_eq!(status(&rig, request).await, 401);
    assert_eq!(*rig.fake.sources.lock().expect("lock"), [None, None, None, Some(peer.ip().into())]);
    let failures = || rig.fake.failures.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(failures(), 0);
    assert_eq!(status(&rig, get("/panic", &[])).await, 500);
    assert_eq!(failures(), 1);
}

/// What is logged.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_is_a_line_in_the_log_and_shows_no_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let silent = rig_with(HttpSettings { access_log: false, ..settings() });
    bytes_of(silent.send(get("/whoami", &[("authorization", WRITER)])).await).await;
    assert!(lines.0.lock().expect("lock").is_empty());
    let rig = rig();
    let asked = get("/whoami?query=hunter2", &[("authorization", WRITER), (REQUEST_ID_HEADER, "find-me")]);
    let bytes = bytes_of(rig.send(asked).await).await.len();
    bytes_of(rig.send(get("/whoami?query=hunter2", &[])).await).await;
    let logged = String::from_utf8(lines.0.lock().expect("lock").clone()).expect("text");
    let logged: Vec<&str> = logged.lines().filter(|line| line.contains("runledger::access")).collect();
    assert_eq!(logged.len(), 2, "{logged:#?}");
    let said =
        ["INFO", "method=\"GET\"", "route=\"/whoami\"", "status=200", "tenant=\"acme\"", "id=\"find-me\"", " ms="];
    assert!(said.iter().all(|part| logged[0].contains(part)), "{}", logged[0]);
    assert!(logged[0].contains(&format!("bytes={bytes}")), "{}", logged[0]);
    assert!(logged[1].contains("status=401") && logged[1].contains("tenant=\"\""), "{}", logged[1]);
    assert!(!logged.concat().contains("hunter2") && !logged.concat().contains("rl_1"), "{logged:#?}");
}

#[test]
fn whatever_one_request_may_need_is_a_tenants_share() {
    const MIB: usize = 1 << 20;
    for (body, answer, least) in [(2, 32, 64), (64, 32, 128), (2, 1_024, 1_026), (33, 40, 73)] {
        let settings =
            HttpSettings { graphql_body_bytes: body * MIB, graphql_answer_bytes: answer * MIB, ..settings() };
        let share = settings.bytes_of_a_tenant();
        assert!((least * MIB..=(least + 1) * MIB).contains(&share), "{body} {answer}: {share}");
    }
}

#[tokio::test]
async fn the_time_of_a_request_is_a_number_for_machines() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    bytes_of(rig().send(get("/livez", &[])).await).await;
    let logged = String::from_utf8(lines.0.lock().expect("lock").clone()).expect("text");
    let line = logged.lines().find(|line| line.contains("runledger::access")).expect("a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let ms = line["ms"].as_f64().unwrap_or_else(|| panic!("{line}"));
    assert!((ms * 10.0 - (ms * 10.0).round()).abs() < 1e-6, "one digit behind the point: {line}");
}

#[tokio::test]
async fn who_asks_for_what_is_not_there_is_told_what_is() {
    let message = json_of(rig().send(get("/nowhere", &[])).await).await["errors"][0]["message"].to_string();
    for path in
        ["/graphql", "/graphiql", "/v1/traces", "/v1/metrics", "/v1/logs", "/ledger/", "/livez", "/readyz", "/metrics"]
    {
        assert!(message.contains(path), "{path} is not in {message}");
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_is_counted_and_has_its_line() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _recording = ::metrics::set_default_local_recorder(&recorder);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let rig = rig();
    let endless = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let headers = [("authorization", WRITER), (REQUEST_ID_HEADER, "gave-up")];
    let request = empty_export(&headers).map(|_| endless);
    let mut waiting = Box::pin(rig.send(request));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    let text = counted.render();
    let is_it = |line: &&str| line.starts_with("runledger_http_requests_total") && line.contains("status=\"499\"");
    let count = text.lines().find(is_it).unwrap_or_else(|| panic!("{text}"));
    assert!(count.contains("route=\"/v1/traces\"") && count.ends_with(" 1"), "{count}");
    let logged = String::from_utf8(lines.0.lock().expect("lock").clone()).expect("text");
    let logged: Vec<&str> = logged.lines().filter(|line| line.contains("runledger::access")).collect();
    assert_eq!(logged.len(), 1, "{logged:#?}");
    let said = ["route=\"/v1/traces\"", "status=499", "tenant=\"acme\"", "id=\"gave-up\"", "bytes=0"];
    assert!(said.iter().all(|part| logged[0].contains(part)), "{}", logged[0]);
    // An answer that is given up half-way has the status that was sent.
    drop(rig.send(get("/livez", &[])).await);
    assert!(!counted.render().contains("status=\"499\"} 2"));
}
