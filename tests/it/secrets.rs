//! No invented secret of the fixtures is found again: not in any byte of the database, not in any line of the log.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use regex::{Regex, bytes};
use sea_orm::DbBackend;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::support::app::{AppSettings, Encoding, TestApp};
use crate::support::db::TestDb;
use crate::support::fixtures::{Fixture, fixtures};
use crate::support::seed::tenant;

/// What the fixtures' authors invented to be redacted: mail addresses, API keys, a card number.
const INVENTED: &str = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bsk-[\w-]{3,}|\b\d{4} \d{4} \d{4} \d{4}\b";

/// Every string of the attributes of a request, nested ones included.
fn strings(request: &ExportTraceServiceRequest) -> Vec<&str> {
    fn of_value<'v>(value: &'v AnyValue, found: &mut Vec<&'v str>) {
        match &value.value {
            Some(Any::StringValue(text)) => found.push(text),
            Some(Any::ArrayValue(array)) => array.values.iter().for_each(|value| of_value(value, found)),
            Some(Any::KvlistValue(list)) => of_attributes(&list.values, found),
            _ => {}
        }
    }
    fn of_attributes<'v>(attributes: &'v [KeyValue], found: &mut Vec<&'v str>) {
        attributes.iter().filter_map(|attribute| attribute.value.as_ref()).for_each(|value| of_value(value, found));
    }
    let mut found = Vec::new();
    for resource in &request.resource_spans {
        let scopes = resource.scope_spans.iter();
        for span in scopes.flat_map(|scope| &scope.spans) {
            of_attributes(&span.attributes, &mut found);
            span.events.iter().for_each(|event| of_attributes(&event.attributes, &mut found));
            found.extend(span.status.as_ref().map(|status| status.message.as_str()));
        }
    }
    found
}

/// The secrets that stand in the fixtures.
fn secrets(fixtures: &[Fixture]) -> BTreeSet<String> {
    let invented = Regex::new(INVENTED).expect("a pattern");
    let messages: Vec<_> = fixtures.iter().map(Fixture::message).collect();
    let texts = messages.iter().flat_map(strings);
    texts.flat_map(|text| invented.find_iter(text).map(|found| found.as_str().to_owned())).collect()
}

/// The ways in which a secret may lie in bytes: as it is, without its spaces, in hex, percent-encoded, and in base64 from
/// each of the three places within a group that it can begin at.
pub fn disguises(secret: &str) -> Vec<String> {
    let mut found = vec![secret.to_owned(), secret.replace(' ', ""), hex::encode(secret), secret.replace('@', "%40")];
    for offset in 0..3 {
        let shifted = [vec![0; offset], secret.as_bytes().to_vec()].concat();
        let text = STANDARD.encode(&shifted);
        // The characters that depend on the secret's neighbours are left out.
        let whole_bits = shifted.len() * 8 / 6;
        found.push(text[(offset * 8).div_ceil(6)..whole_bits].to_owned());
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    any_of(&[text.to_owned()]).is_match(bytes)
}

/// Finds any of the texts in one pass.
pub fn any_of(texts: &[String]) -> bytes::Regex {
    let texts: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
    bytes::Regex::new(&format!("(?-u){}", texts.join("|"))).expect("a pattern")
}

/// The log of this process, once it is listened to.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Listens to everything that our code says, and the database layer with it.
fn log() -> &'static LogBuffer {
    static LOG: OnceLock<LogBuffer> = OnceLock::new();
    LOG.get_or_init(|| {
        let buffer = LogBuffer::default();
        let writer = buffer.clone();
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("warn,runledger=trace,sea_orm=trace"))
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        buffer
    })
}

/// Every byte that is stored.
pub async fn stored(db: &TestDb) -> Vec<(String, Vec<u8>)> {
    if db.backend == DbBackend::Sqlite {
        let path = db.url.trim_start_matches("sqlite://");
        let files = ["", "-wal", "-shm"].map(|suffix| format!("{path}{suffix}"));
        let there = files.into_iter().filter(|file| Path::new(file).exists());
        return there.map(|file| (file.clone(), std::fs::read(&file).expect("a file"))).collect();
    }
    let tables = db.query("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'").await;
    let mut found = Vec::new();
    for table in tables {
        let table: String = table.try_get_by_index(0).expect("a name");
        let mut rows = String::new();
        for row in db.query(&format!("SELECT t::text FROM {table} t")).await {
            rows.push_str(&row.try_get_by_index::<String>(0).expect("a row"));
            rows.push('\n');
        }
        found.push((table, rows.into_bytes()));
    }
    found
}

/// Requests that are refused: their errors may quote what was sent.
async fn send_what_is_refused(app: &TestApp, secret: &str) {
    let spans = |name: &str| {
        json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{ name: secret }] }] }] }).to_string().into_bytes()
    };
    for field in ["traceId", "startTimeUnixNano", "kind", "attributes"] {
        app.post_otlp(Encoding::Json, spans(field)).await;
    }
    let run = json!({ "input": { "runId": secret.repeat(10), "startedAt": secret, "costUsd": secret } });
    app.ask("mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { id } } }", run).await;
    app.post("/graphql", "application/json", json!({ "query": 1, "variables": secret }).to_string().into_bytes()).await;
}

/// A run with a secret wherever text is free; identifiers are the caller's own and are kept as they are.
async fn record_by_mutation(app: &TestApp, run_id: &str, secret: &str) {
    let step = json!({ "kind": "LLM", "skillName": "chat", "status": "FAILURE", "startedAt": "2026-11-21T08:00:00Z",
        "durationMs": 1, "attributes": { "note": [secret, { "deep": json!({ "text": secret }).to_string() }] },
        "input": { "text": secret }, "output": { "text": secret } });
    let input = json!({ "runId": run_id, "name": format!("run for {secret}"), "prompt": { "text": secret },
        "response": { "text": secret }, "trace": { "plan": { "goal": secret } }, "steps": [step] });
    app.query_with(
        "mutation($input: RecordLlmRunInput!) { recordLlmRun(input: $input) { run { id } } }",
        json!({ "input": input }),
    )
    .await;
}

db_test! {
    async fn no_secret_of_the_fixtures_is_stored_or_logged(db: TestDb) {
        let log = log();
        let fixtures = fixtures();
        let secrets = secrets(&fixtures);
        assert!(secrets.len() >= 4, "the fixtures hold mail addresses, keys and a card number: {secrets:?}");
        // One tenant keeps message text, redacted; the other keeps digests only.
        let content_capture = [tenant("ours")].into();
        let app = TestApp::set_up(&db, AppSettings { content_capture, ..AppSettings::default() }).await;
        let digests_only = app.other_tenant("digests");
        for (app, encoding) in [(&app, Encoding::Protobuf), (&digests_only, Encoding::Json)] {
            for fixture in &fixtures {
                let body = match encoding {
                    Encoding::Protobuf => fixture.protobuf.clone(),
                    Encoding::Json => fixture.json.clone(),
                };
                let answer = app.post_otlp(encoding, body).await;
                assert_eq!(answer.status, 200, "{}: {}", fixture.name, answer.text());
            }
            for (number, secret) in secrets.iter().enumerate() {
                send_what_is_refused(app, secret).await;
                if matches!(encoding, Encoding::Protobuf) {
                    record_by_mutation(app, &format!("run-{number}"), secret).await;
                }
            }
        }
        app.seal_all().await;
        let mut places = stored(&db).await;
        app.store.close().await;
        places.extend(stored(&db).await);
        let has = |text: &str| places.iter().any(|(_, bytes)| holds(bytes, text));
        assert!(has("[REDACTED]") && has("gpt-4o"), "the search does not see what is stored");
        places.push(("the log".to_owned(), log.0.lock().expect("a log").clone()));
        assert!(holds(&places[places.len() - 1].1, "runledger::access"), "the log is not listened to");
        let search = any_of(&secrets.iter().flat_map(|secret| disguises(secret)).collect::<Vec<_>>());
        for (place, bytes) in &places {
            let around = |at: usize| String::from_utf8_lossy(&bytes[at.saturating_sub(100)..(at + 60).min(bytes.len())]);
            let found: Vec<_> = search.find_iter(bytes).map(|found| around(found.start())).take(5).collect();
            assert!(found.is_empty(), "secrets are in {place}: {found:#?}");
        }
    }
}

#[test]
fn the_search_sees_through_every_disguise() {
    let secret = "jane.doe@example.test";
    for before in ["", "x", "xy", "xyz"] {
        let text = STANDARD.encode(format!("{before}{secret} and more"));
        assert!(disguises(secret).iter().any(|disguise| text.contains(disguise)), "behind {before:?}");
    }
}
