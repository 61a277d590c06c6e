//! `serve --demo`: real requests of real instrumentations, their times moved to the last hours, and a story around them.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::said::say;
use super::{demo_rehearsal, demo_story};
use crate::app::{AppError, open_logs, rotate_ledger_key, start_signing};
use crate::clock::SharedClock;
use crate::config::{AuthMode, Config, Settings};
use crate::domain::time::Timestamp;
use crate::domain::verification::VerificationMode;
use crate::facade::Logs;
use crate::facade::capture::{OtlpEncoding, decode_otlp};
use crate::http::auth::DEMO_TENANT;
use crate::store::Store;

const FILE_NAME: &str = "demo.db";
/// Its own key: that of real logs signs nothing made up, and is not replaced by [`before`].
const KEY_FILE_NAME: &str = "demo.key";
/// The runs end within this time before now.
const SPREAD_NANOS: u64 = 6 * 3_600 * 1_000_000_000;
/// The newest run ended this long ago.
const NEWEST_NANOS: u64 = 60 * 1_000_000_000;

macro_rules! fixtures {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../tests/fixtures/otlp/", $name)))),+]
    };
}

/// Requests that exporters sent, oldest run first.
const FIXTURES: &[(&str, &[u8])] = fixtures![
    "openai-openinference/0001.pb",
    "openai-v2/0001.pb",
    "anthropic-openinference/0001.pb",
    "langchain-openinference/0001.pb",
    "openai-openllmetry/0001.pb",
    "vercel-ai-sdk-proto/0001.pb",
    "anthropic-openinference/0007.pb",
    "openai-v2latest/0001.pb",
    "langchain-openinference/0019.pb",
    "anthropic-openinference/0012.pb",
    "openai-agents/0004.pb",
    "langchain-openllmetry/0007.pb",
    "anthropic-openinference/0011.pb",
    "openai-agents/0007.pb",
    "langchain-openinference/0021.pb",
    "openai-agents/0006.pb",
    "langchain-openllmetry/0012.pb",
    "anthropic-openinference/0009.pb",
    "vercel-ai-sdk-proto/0010.pb",
    "langchain-openinference/0010.pb",
];

/// Settings that are the demo's own, and what it has instead.
const OWN: [(&str, &str); 5] = [
    ("auth", "asks nobody for a key"),
    ("database_url", "has a database of its own, DATA_DIR/demo.db"),
    ("ledger_key", "signs with a key of its own, DATA_DIR/demo.key"),
    ("trace_settle", "seals traces at once"),
    ("trace_settle_remote", "seals traces at once"),
];

/// Refuses settings that the demo would not heed.
pub(super) fn refuse_others(given: &BTreeSet<String>, settings: &Settings) -> Result<(), AppError> {
    let is_open = settings.auth == AuthMode::Off;
    let ignored = OWN.iter().find(|(name, _)| given.contains(*name) && !(*name == "auth" && is_open));
    let Some((name, instead)) = ignored else { return Ok(()) };
    let (flag, variable) = (name.replace('_', "-"), name.to_uppercase());
    Err(AppError::setting(format!(
        "--demo {instead}, so it goes without --{flag}: leave that out (the flag, RUNLEDGER_{variable}, and {flag} in the \
         settings file), or leave --demo out to serve with it"
    )))
}

/// What is wrong where another process has the demo's database.
pub(super) fn beside(error: &AppError) -> AppError {
    AppError::new(format!("{error}. A second demo needs a folder of its own: --data-dir DIR"))
}

/// A database and a signing key of its own, no API keys, and runs that show at once.
pub(super) fn adjust(settings: &mut Settings) {
    settings.auth = AuthMode::Off;
    settings.trace_settle = std::time::Duration::ZERO;
    settings.trace_settle_remote = std::time::Duration::ZERO;
    settings.base.ledger_key = Some(settings.base.data_dir.join(KEY_FILE_NAME));
    settings.base.database_url = format!("sqlite://{}", settings.base.data_dir.join(FILE_NAME).display()).into();
}

/// The demo begins anew each time, so that its runs are always of the last hours.
pub(super) fn remove_database(config: &Config) -> Result<(), AppError> {
    for suffix in ["", "-wal", "-shm"] {
        let path: PathBuf = config.base.data_dir.join(format!("{FILE_NAME}{suffix}"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(AppError::new(format!("{}: {error}", path.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a process with other settings leaves before this one starts: a rehearsal with its message content, signed by a key
/// that is then replaced.
pub(super) async fn before(config: &Config, store: &Store, clock: &SharedClock) -> Result<(), AppError> {
    let mut settings = Settings::clone(config);
    settings.content_capture = vec![DEMO_TENANT.to_owned()];
    let config = Config::new(settings)?;
    let logs = open_logs(&config, store.clone(), Arc::clone(clock))?;
    start_signing(&config.base, &logs, clock).await?;
    demo_rehearsal::record(&demo_story::PROGRAM.facade(&logs)?, clock.now()).await?;
    logs.sign_changed().await?;
    rotate_ledger_key(&config.base, &logs, clock).await?;
    Ok(())
}

/// Records the fixtures, seals their traces and tells a story around them; then everything is signed and verified.
pub(super) async fn fill(logs: &Logs, now: Timestamp) -> Result<(), AppError> {
    let demo = demo_story::PROGRAM.facade(logs)?;
    for request in requests(now)? {
        let report = demo.ingest_otlp(request).await?;
        if report.rejected > 0 {
            return Err(AppError::new(format!("a demo run was refused: {}", report.message.unwrap_or_default())));
        }
    }
    while logs.seal_due().await?.due > 0 {}
    Box::pin(demo_story::tell(logs, now)).await?;
    logs.sign_changed().await?;
    demo_story::PROGRAM.facade(logs)?.verify_ledger(VerificationMode::Full).await?;
    // The entry of the verification is signed too.
    logs.sign_changed().await?;
    Ok(())
}

/// The fixtures with each trace moved as a whole: the first ends six hours ago, the last a minute ago.
fn requests(now: Timestamp) -> Result<Vec<ExportTraceServiceRequest>, AppError> {
    let now_nanos = u64::try_from(now.as_micros()).unwrap_or(0) * 1_000;
    let mut requests = Vec::with_capacity(FIXTURES.len());
    let steps = (FIXTURES.len() as u64).saturating_sub(1).max(1);
    for (position, (name, body)) in (0..).zip(FIXTURES) {
        let encoding = if name.ends_with(".json") { OtlpEncoding::Json } else { OtlpEncoding::Protobuf };
        let mut request = decode_otlp(encoding, body)?;
        let ago = NEWEST_NANOS + SPREAD_NANOS / steps * (steps - position);
        move_to(&mut request, now_nanos.saturating_sub(ago));
        requests.push(request);
    }
    Ok(requests)
}

/// Moves every trace so that it ends at `end_nanos`.
fn move_to(request: &mut ExportTraceServiceRequest, end_nanos: u64) {
    let mut ends: HashMap<Vec<u8>, u64> = HashMap::new();
    for span in spans(request) {
        let end = ends.entry(span.trace_id.clone()).or_default();
        *end = (*end).max(span.end_time_unix_nano);
    }
    for span in spans(request) {
        let old_end = ends.get(&span.trace_id).copied().unwrap_or(end_nanos);
        let moved = |nanos: u64| end_nanos.saturating_sub(old_end.saturating_sub(nanos));
        span.start_time_unix_nano = moved(span.start_time_unix_nano);
        span.end_time_unix_nano = moved(span.end_time_unix_nano);
        for event in &mut span.events {
            event.time_unix_nano = moved(event.time_unix_nano);
        }
    }
}

fn spans(request: &mut ExportTraceServiceRequest) -> impl Iterator<Item = &mut Span> {
    request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans).flat_map(|scope| &mut scope.spans)
}

/// Where everything is, and how to send a first span.
pub(super) fn greet(http: SocketAddr, grpc: Option<SocketAddr>, has_tls: bool) {
    let base = format!("{}://{http}", if has_tls { "https" } else { "http" });
    let count = FIXTURES.len();
    let grpc = grpc.map_or_else(String::new, |grpc| format!("  OTLP/gRPC   {grpc}\n"));
    let first_span = first_span(&base);
    let greeting = format!(
        "Runledger demo: {count} real requests, and a made-up story around them, are on record for tenant {DEMO_TENANT}, no \
         key needed.\n\n  \
         GraphiQL    {base}/graphiql\n  \
         GraphQL     {base}/graphql\n  \
         OTLP/HTTP   {base}/v1/traces\n\
         {grpc}\n\
         Send your first span (it shows as a run in GraphiQL):\n\n\
         {first_span}\n\n\
         Or point an instrumented application here:\n\n  \
         export OTEL_EXPORTER_OTLP_ENDPOINT={base}\n  \
         export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n\n\
         Ctrl-C stops it; the next start begins anew."
    );
    if let Err(error) = say(greeting) {
        tracing::warn!(%error, "the greeting is not shown");
    }
}

/// A command for any POSIX shell with curl: ids and times are made when it runs, so that it works again and again.
fn first_span(base: &str) -> String {
    let now = r#"'"$now"'"#;
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{value}}}"#);
    let text = |value: &str| format!(r#"{{"stringValue":"{value}"}}"#);
    let attributes = [
        attribute("gen_ai.operation.name", &text("chat")),
        attribute("gen_ai.provider.name", &text("openai")),
        attribute("gen_ai.request.model", &text("gpt-4o-mini")),
        attribute("gen_ai.usage.input_tokens", r#"{"intValue":"12"}"#),
        attribute("gen_ai.usage.output_tokens", r#"{"intValue":"34"}"#),
    ]
    .join(",\n    ");
    format!(
        r#"now=$(date +%s); id=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
curl -sS {base}/v1/traces -H 'content-type: application/json' -d '{{"resourceSpans":[{{
  "resource":{{"attributes":[{service}]}},
  "scopeSpans":[{{"spans":[{{"traceId":"'"$id"'","spanId":"'"${{id%????????????????}}"'","name":"chat gpt-4o-mini","kind":3,
    "startTimeUnixNano":"{now}000000000","endTimeUnixNano":"{now}750000000","attributes":[
    {attributes}]}}]}}]}}]}}'"#,
        service = attribute("service.name", &text("my-first-app")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixture_moves_to_the_last_hours_as_a_whole() {
        let now = Timestamp::from_micros_clamped(1_795_000_000_000_000);
        let now_nanos = 1_795_000_000_000_000_000_u64;
        let durations = |request: &mut ExportTraceServiceRequest| -> Vec<u64> {
            spans(request).map(|span| span.end_time_unix_nano - span.start_time_unix_nano).collect()
        };
        let mut span_count = 0;
        for (mut moved, (name, body)) in requests(now).expect("the fixtures are OTLP").into_iter().zip(FIXTURES) {
            let mut original = decode_otlp(OtlpEncoding::Protobuf, body).expect(name);
            assert_eq!(durations(&mut moved), durations(&mut original), "{name}");
            for span in spans(&mut moved) {
                span_count += 1;
                assert!(span.end_time_unix_nano <= now_nanos - NEWEST_NANOS, "{name}");
                assert!(span.start_time_unix_nano >= now_nanos - 2 * SPREAD_NANOS, "{name}");
            }
        }
        assert!(span_count > 100, "{span_count}");
    }

    #[test]
    fn the_first_span_works_when_pasted_into_a_shell() {
        // A shell runs it, with a curl that only prints what it would send.
        let script =
            format!("curl() {{ for last; do :; done; printf %s \"$last\"; }}\n{}", first_span("http://localhost:1"));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell");
        let mut request = decode_otlp(OtlpEncoding::Json, &output.stdout).expect("OTLP/JSON");
        let span = spans(&mut request).next().expect("a span");
        assert_eq!((span.trace_id.len(), span.span_id.len(), span.attributes.len()), (16, 8, 5));
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 750_000_000);
    }
}
