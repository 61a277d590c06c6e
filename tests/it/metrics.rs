//! `/metrics`: every number says what it is, what must alarm is there, and `docs/operate.md` says the same.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use regex::Regex;
use runledger::domain::ids::TenantId;
use runledger::domain::verification::VerificationMode;
use runledger::facade::keys::operator;
use runledger::http::metrics::catalog::{Kind, METRICS};
use serde_json::json;
use yaml_rust2::{Yaml, YamlLoader};

use crate::support::app::TestApp;
use crate::support::evidence::{drop_guards, every_kind, tamper};
use crate::support::server::{PATIENCE, Server};

async fn scrape(app: &TestApp) -> String {
    let mut request = Request::get("/metrics").body(Body::empty()).expect("a request");
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:9".parse().expect("an address")));
    let answer = app.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The names of a scrape by their `# TYPE` lines; each must have one `# HELP` line, and one only.
fn explained(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().expect("a name").to_owned();
        let help = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.strip_prefix(&name)?.strip_prefix(' '));
        assert_eq!(help.filter(|help| !help.trim().is_empty()).count(), 1, "HELP of {name}");
        assert!(names.insert(name.clone()), "{name} twice");
    }
    names
}

fn known() -> BTreeSet<String> {
    METRICS.iter().map(|metric| metric.name.to_owned()).collect()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().expect("a number")
}

db_test! {
    async fn what_must_alarm_is_told_by_log_and_in_all(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        app.logs.sign_all().await.expect("signed");
        app.logs.verify_changed().await.expect("verified");
        db.clock.advance_us(90_000_000);
        let text = scrape(&app).await;
        assert!(explained(&text).is_subset(&known()), "{text}");
        let logs = db.number("SELECT COUNT(*) FROM ledger_log WHERE size > 0").await;
        let of_log = text.lines().filter(|line| line.starts_with("runledger_log_verification{")).count();
        assert_eq!(i64::try_from(of_log).expect("few"), logs);
        assert!(value(&text, "runledger_verified_logs{status=\"VALID\"}") >= 1.0);
        assert!(value(&text, "runledger_verified_logs{status=\"INVALID\"}") == 0.0);
        assert!(value(&text, "runledger_verification_age_seconds") >= 90.0, "{text}");
        assert!(value(&text, "runledger_checkpoint_age_seconds") >= 90.0, "{text}");
        assert!(value(&text, "runledger_database_connections_max{pool=\"read\"}") >= 4.0, "{text}");
        assert!(!text.contains("ours"), "numbers name no tenant");
        app.store.close().await;

        // Another process, so that it asks the database anew.
        let app = TestApp::on(&db).await;
        drop_guards(&db).await;
        tamper(&db, "UPDATE audit_entry SET event_type = 'forged' WHERE tenant_id = 'ours'").await;
        let (ours, full) = (TenantId::trusted("ours"), VerificationMode::Full);
        app.logs.verify_tenant(&ours, full, &operator()).await.expect("verified");
        let text = scrape(&app).await;
        assert!(value(&text, "runledger_verified_logs{status=\"INVALID\"}") >= 1.0, "{text}");
        assert!(value(&text, "runledger_verification_anomalies") >= 1.0, "{text}");
        let is_invalid = |line: &str| line.starts_with("runledger_log_verification{") && line.contains("status=\"INVALID\"");
        assert!(text.lines().any(is_invalid), "{text}");
        // What was appended since the checkpoints is unsigned.
        assert!(value(&text, "runledger_unsigned_logs") >= 1.0, "{text}");
        app.store.close().await;
    }
}

db_test! {
    async fn a_log_that_is_not_signed_is_told_beside_one_that_is(db: TestDb) {
        let age = "runledger_unsigned_records_age_seconds";
        let app = TestApp::on(&db).await;
        every_kind(&app, "calm").await;
        while app.logs.sign_all().await.expect("signed") > 0 {}
        db.clock.advance_us(600_000_000);
        let text = scrape(&app).await;
        assert!(value(&text, "runledger_unsigned_logs") == 0.0 && value(&text, age) == 0.0, "{text}");
        app.store.close().await;

        drop_guards(&db).await;
        let log = "(SELECT log_id FROM ledger_log WHERE tenant_id = 'calm' AND stream = 'evidence')";
        let newest = format!("size = (SELECT MAX(m.size) FROM ledger_checkpoint m WHERE m.log_id = {log})");
        for (busy, unsign) in [
            // The last record is not covered; then none is.
            ("one", format!("UPDATE ledger_checkpoint SET size = size - 1 WHERE log_id = {log} AND {newest}")),
            ("two", format!("DELETE FROM ledger_checkpoint WHERE log_id = {log}")),
        ] {
            tamper(&db, &unsign).await;
            // Another process, so that it asks the database anew.
            let app = TestApp::on(&db).await;
            every_kind(&app, busy).await;
            assert!(app.logs.sign_changed().await.expect("signed") > 0);
            let text = scrape(&app).await;
            assert!(value(&text, "runledger_checkpoint_age_seconds") < 300.0, "{busy}: {text}");
            assert!(value(&text, "runledger_unsigned_logs") >= 1.0, "{busy}: {text}");
            assert!(value(&text, age) >= 600.0, "{busy}: {text}");
            app.store.close().await;
        }
    }
}

db_test! {
    async fn a_server_that_cannot_write_says_so(db: TestDb) {
        let app = TestApp::on(&db).await;
        assert!(value(&scrape(&app).await, "runledger_writing_stopped") == 0.0);
        app.store.drain().await;
        assert!(value(&scrape(&app).await, "runledger_writing_stopped") == 1.0);
        app.store.close().await;
    }
}

/// A GET over a connection of its own.
pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

#[test]
fn every_number_of_a_server_has_its_help() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--auth", "off"], "http=");
    let record = "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { runId } } }";
    let run = json!({ "input": { "run": { "runId": "r", "startedAt": "2026-11-21T08:00:00Z", "completedAt": "2026-11-21T08:00:01Z" } } });
    drop(crate::support::server::post(
        &server.address,
        "/graphql",
        &json!({ "query": record, "variables": run }).to_string(),
    ));
    drop(crate::support::server::post(&server.address, "/graphql", &json!({ "query": "{ nope }" }).to_string()));
    let text = get(&server.address, "/metrics");
    let names = explained(&text);
    let unknown: Vec<&String> = names.iter().filter(|name| !known().contains(*name)).collect();
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:?}");
    for gauge in METRICS.iter().filter(|metric| metric.kind == Kind::Gauge) {
        // Logs are looked at by the background, in its own time.
        let is_later = gauge.name.contains("_age_seconds") || gauge.name.starts_with("runledger_log_");
        assert!(is_later || names.contains(gauge.name), "{} is not there", gauge.name);
    }
    if cfg!(target_os = "linux") {
        assert!(value(&text, "process_resident_memory_bytes") > 1_000_000.0);
        assert!(value(&text, "process_open_fds") > 3.0 && value(&text, "process_max_fds") > 3.0);
        assert!(value(&text, "process_start_time_seconds") > 1_700_000_000.0);
    }
    assert!(server.stop().success());
}

#[test]
fn every_counter_is_there_before_its_first_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--auth", "off"], "http=");
    let text = get(&server.address, "/metrics");
    for counter in METRICS.iter().filter(|metric| metric.kind == Kind::Counter) {
        assert!(text.lines().any(|line| line.starts_with(counter.name)), "{} is not there", counter.name);
    }
    for worker in ["sealer", "signer", "noter", "verifier", "cleaner", "idempotency", "audit", "upkeep"] {
        assert!(
            value(&text, &format!("runledger_worker_success_age_seconds{{worker=\"{worker}\"}}")) < 60.0,
            "{worker}"
        );
        assert!(value(&text, &format!("runledger_worker_rounds_total{{worker=\"{worker}\"}}")) >= 0.0, "{worker}");
    }
    for series in [
        "runledger_otlp_spans_total{outcome=\"rejected\"} 0",
        "runledger_otlp_points_total{outcome=\"dropped\"} 0",
        "runledger_graphql_errors_total{code=\"INTERNAL\"} 0",
        "runledger_http_requests_total{route=\"/v1/traces\",method=\"POST\",status=\"500\"} 0",
        "runledger_grpc_requests_total{route=\"/opentelemetry.proto.collector.trace.v1.TraceService/Export\",status=\"UNAVAILABLE\"} 0",
        "runledger_traces_sealed_total 0",
        "runledger_worker_failures_total{worker=\"verifier\"} 0",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} is not in {text}");
    }
    assert!(server.stop().success());
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn what_the_code_counts_is_in_the_catalogue() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let counts = Regex::new(r#"(?:counter|gauge|histogram)!\(\s*"([a-z0-9_]+)""#).expect("a pattern");
    let known = known();
    let mut counted = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for captures in counts.captures_iter(&text) {
            assert!(known.contains(&captures[1]), "{}: {} is not in the catalogue", file.display(), &captures[1]);
            counted.insert(captures[1].to_owned());
        }
    }
    assert!(counted.len() > 10, "only {counted:?} were found");
    for metric in METRICS {
        let units = ["_seconds", "_bytes", "_records", "_logs", "_total", "_anomalies", "_fds", "_connections"];
        let has_unit = units.iter().any(|unit| metric.name.ends_with(unit));
        let is_plain =
            ["_info", "_max", "_stopped", "_verification", "_statements"].iter().any(|end| metric.name.ends_with(end));
        assert!(has_unit || is_plain, "{} names no unit", metric.name);
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
    }
}

fn operate() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operate.md");
    fs::read_to_string(path).expect("docs/operate.md is there")
}

#[test]
fn the_page_for_operators_tells_of_every_number() {
    let page = operate();
    for metric in METRICS {
        assert!(page.contains(&format!("`{}`", metric.name)), "docs/operate.md does not tell of {}", metric.name);
    }
    let named = Regex::new("`((?:runledger|process)_[a-z0-9_]+)`").expect("a pattern");
    for captures in named.captures_iter(&page) {
        assert!(known().contains(&captures[1]), "docs/operate.md tells of {}, which is not exported", &captures[1]);
    }
}

#[test]
fn the_alerts_are_rules_that_prometheus_reads_over_numbers_that_there_are() {
    let page = operate();
    let (_, rest) = page.split_once("```yaml\n").expect("a block of rules");
    let (block, _) = rest.split_once("\n```").expect("the end of the block");
    let rules = YamlLoader::load_from_str(block).expect("YAML");
    let groups = rules[0]["groups"].as_vec().expect("groups");
    let names = Regex::new("(?:runledger|process)_[a-z0-9_]+").expect("a pattern");
    let (mut alerts, mut pages) = (BTreeSet::new(), BTreeSet::new());
    for rule in groups.iter().flat_map(|group| group["rules"].as_vec().expect("rules")) {
        let text = |value: &Yaml| value.as_str().map(str::to_owned).unwrap_or_default();
        let (alert, expression) = (text(&rule["alert"]), text(&rule["expr"]));
        assert!(alerts.insert(alert.clone()) && !alert.is_empty(), "{alert} twice, or without a name");
        let keys: Vec<String> = rule.as_hash().expect("a rule").keys().map(text).collect();
        assert!(
            keys.iter().all(|key| ["alert", "expr", "for", "labels", "annotations"].contains(&key.as_str())),
            "{keys:?}"
        );
        assert!(["page", "ticket"].contains(&text(&rule["labels"]["severity"]).as_str()), "{alert}");
        assert!(!text(&rule["annotations"]["summary"]).is_empty(), "{alert}");
        if text(&rule["labels"]["severity"]) == "page" {
            // One sender that takes more than its share is told so with a 503: nobody is to get up for that.
            let counts_refusals = expression.contains("5..") && !expression.contains("status!=\"503\"");
            assert!(!counts_refusals, "{alert} counts refusals: {expression}");
            // The newest of all logs hides the one that is not signed.
            assert!(!expression.contains("runledger_checkpoint_age_seconds"), "{alert}: {expression}");
            pages.extend(names.find_iter(&expression).map(|found| found.as_str().to_owned()));
        }
        let used: Vec<&str> = names.find_iter(&expression).map(|found| found.as_str()).collect();
        assert!(!used.is_empty() || expression.starts_with("up{"), "{alert} looks at nothing of ours: {expression}");
        for name in used {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(
                known().contains(family) || known().contains(name),
                "{alert} looks at {name}, which is not exported"
            );
        }
    }
    assert!(alerts.len() >= 12, "{alerts:?}");
    for outage in ["writing_stopped", "logs_observed_age_seconds", "unsigned_records_age_seconds"] {
        assert!(pages.contains(&format!("runledger_{outage}")), "nobody is told of {outage}");
    }
}
