//! What is sent: files, or runs made up so that they look like an instrumented agent's.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use super::{LoadArgs, Protocol};
use crate::app::AppError;
use crate::clock::{Clock, SystemClock};
use crate::facade::capture::{OtlpEncoding, decode_otlp};

const FILES_MAX: usize = 100_000;
const FILES_BYTES_MAX: usize = 1 << 30;
/// Size of a made-up message, so that a span has about 2 kB, as real ones with content do.
const MESSAGE_BYTES: usize = 700;
const SPAN_NANOS: u64 = 250_000_000;

/// One request.
#[derive(Clone)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) protocol: Protocol,
    pub(super) span_count: u64,
}

enum Kind {
    Files(Vec<Body>),
    MadeUp(MadeUp),
}

/// Gives out requests by number, from 0.
pub(super) struct Source {
    next: AtomicU64,
    kind: Kind,
}

impl Source {
    pub(super) fn new(args: &LoadArgs) -> Result<Self, AppError> {
        let kind = if args.files.is_empty() {
            let seed = args.seed.map_or_else(random_seed, Ok)?;
            let now = u64::try_from(SystemClock.now().as_micros()).unwrap_or(0) * 1_000;
            Kind::MadeUp(MadeUp {
                seed,
                began_nanos: now,
                spans_per_run: args.spans_per_run,
                spans_per_request: args.spans_per_request,
                protocol: args.protocol.unwrap_or(Protocol::Protobuf),
            })
        } else {
            Kind::Files(read_files(&args.files, args.protocol)?)
        };
        Ok(Self { next: AtomicU64::new(0), kind })
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn file_count(&self) -> Option<u64> {
        match &self.kind {
            Kind::Files(files) => Some(files.len() as u64),
            Kind::MadeUp(_) => None,
        }
    }

    pub(super) fn body(&self, number: u64) -> Body {
        match &self.kind {
            Kind::Files(files) => {
                let position = usize::try_from(number % files.len() as u64).unwrap_or(0);
                files[position].clone()
            }
            Kind::MadeUp(made_up) => made_up.body(number),
        }
    }
}

fn random_seed() -> Result<u64, AppError> {
    getrandom::u64().map_err(|error| AppError::new(format!("no random seed: {error}; give one with --seed")))
}

fn read_files(paths: &[PathBuf], protocol: Option<Protocol>) -> Result<Vec<Body>, AppError> {
    let mut found = Vec::new();
    for path in paths {
        collect(path, &mut found, true)?;
    }
    if found.is_empty() {
        return Err(AppError::setting("there is no *.pb and no *.json file there"));
    }
    let mut total = 0;
    let mut bodies = Vec::with_capacity(found.len());
    for path in found {
        let body =
            read_file(&path, protocol).map_err(|reason| AppError::new(format!("{}: {reason}", path.display())))?;
        total += body.bytes.len();
        if total > FILES_BYTES_MAX {
            return Err(AppError::new(format!(
                "the files have more than {FILES_BYTES_MAX} bytes; send fewer at a time"
            )));
        }
        bodies.push(body);
    }
    Ok(bodies)
}

/// Files in order of their names. Beside a `1.pb`, a `1.meta.json` and a `1.as.json` describe it and are not sent.
fn collect(path: &Path, found: &mut Vec<PathBuf>, is_named: bool) -> Result<(), AppError> {
    let refuse = |error: std::io::Error| AppError::new(format!("{}: {error}", path.display()));
    if path.is_dir() {
        let entries: Result<Vec<_>, _> =
            std::fs::read_dir(path).map_err(refuse)?.map(|entry| entry.map(|e| e.path())).collect();
        let mut entries = entries.map_err(refuse)?;
        entries.sort();
        return entries.iter().try_for_each(|entry| collect(entry, found, false));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_otlp = name.ends_with(".pb") || name.ends_with(".json");
    let is_plain = name.matches('.').count() == 1 && name.starts_with(|c: char| c.is_ascii_digit());
    if is_named || (is_otlp && is_plain) {
        found.push(path.to_owned());
    }
    if found.len() > FILES_MAX {
        return Err(AppError::new(format!("there are more than {FILES_MAX} files")));
    }
    Ok(())
}

fn read_file(path: &Path, protocol: Option<Protocol>) -> Result<Body, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let own =
        if path.extension().is_some_and(|extension| extension == "json") { Protocol::Json } else { Protocol::Protobuf };
    let encoding = match own {
        Protocol::Protobuf => OtlpEncoding::Protobuf,
        Protocol::Json => OtlpEncoding::Json,
    };
    let request = decode_otlp(encoding, &bytes).map_err(|error| error.message().to_owned())?;
    let span_count = count(&request);
    match protocol.filter(|wanted| *wanted != own) {
        None => Ok(Body::new(bytes, own, span_count)),
        Some(wanted) => Ok(Body::new(encode(&request, wanted)?, wanted, span_count)),
    }
}

fn count(request: &ExportTraceServiceRequest) -> u64 {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.map(|scope| scope.spans.len() as u64).sum()
}

fn encode(request: &ExportTraceServiceRequest, protocol: Protocol) -> Result<Vec<u8>, String> {
    match protocol {
        Protocol::Protobuf => Ok(request.encode_to_vec()),
        Protocol::Json => serde_json::to_vec(request).map_err(|error| error.to_string()),
    }
}

/// Spans by number: span n belongs to run n / spans_per_run, so any request can be made without the others.
struct MadeUp {
    seed: u64,
    began_nanos: u64,
    spans_per_run: u64,
    spans_per_request: u64,
    protocol: Protocol,
}

impl MadeUp {
    fn body(&self, number: u64) -> Body {
        let first = number * self.spans_per_request;
        let spans = (first..first + self.spans_per_request).map(|number| self.span(number)).collect();
        let scope = InstrumentationScope { name: "runledger.load".to_owned(), ..InstrumentationScope::default() };
        let resource = Resource { attributes: vec![text("service.name", "runledger-load")], ..Resource::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans };
        let bytes = encode(&request, self.protocol).unwrap_or_default();
        Body::new(bytes, self.protocol, self.spans_per_request)
    }

    /// The first span of a run is its agent; model calls and tool calls take turns below it.
    fn span(&self, number: u64) -> Span {
        let (run, index) = (number / self.spans_per_run, number % self.spans_per_run);
        let chance = mix(self.seed ^ mix(number));
        let trace_id = [mix(self.seed ^ mix(!run)), mix(self.seed.wrapping_add(run))].map(u64::to_be_bytes).concat();
        let span_id = |index: u64| (mix(self.seed ^ run.rotate_left(32) ^ (index << 8)) | 1).to_be_bytes().to_vec();
        let run_began = self.began_nanos + run * 1_000;
        let (name, attributes) = match index {
            0 => ("invoke_agent planner".to_owned(), agent(run)),
            odd if odd % 2 == 1 => ("chat gpt-4o-mini".to_owned(), chat(chance)),
            _ => ("execute_tool search".to_owned(), tool(chance)),
        };
        let start = run_began + index * SPAN_NANOS;
        let end = if index == 0 { start + self.spans_per_run * SPAN_NANOS } else { start + chance % SPAN_NANOS };
        Span {
            trace_id,
            span_id: span_id(index),
            parent_span_id: if index == 0 { Vec::new() } else { span_id(0) },
            name,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            ..Span::default()
        }
    }
}

fn agent(run: u64) -> Vec<KeyValue> {
    vec![
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.agent.name", "planner"),
        text("session.id", &format!("session-{}", run / 10)),
    ]
}

fn chat(chance: u64) -> Vec<KeyValue> {
    let message = |role: &str, chance: u64| {
        format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"{}"}}]}}]"#, words(chance))
    };
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o-mini"),
        text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        text("gen_ai.response.id", &format!("chatcmpl-{chance:016x}")),
        number("gen_ai.usage.input_tokens", 100 + i64::from(chance.to_be_bytes()[0]) * 8),
        number("gen_ai.usage.output_tokens", 20 + i64::from(chance.to_be_bytes()[1])),
        text("gen_ai.input.messages", &message("user", chance)),
        text("gen_ai.output.messages", &message("assistant", mix(chance))),
    ]
}

fn tool(chance: u64) -> Vec<KeyValue> {
    vec![
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", "search"),
        text("gen_ai.tool.call.id", &format!("call_{chance:016x}")),
        text("gen_ai.tool.call.arguments", &format!(r#"{{"query":"{}"}}"#, words(chance))),
        text("gen_ai.tool.call.result", &format!(r#"{{"text":"{}"}}"#, words(mix(chance)))),
    ]
}

fn words(mut chance: u64) -> String {
    const WORDS: [&str; 16] = [
        "ledger", "order", "ship", "invoice", "customer", "refund", "find", "the", "of", "and", "report", "table",
        "answer", "question", "due", "city",
    ];
    let mut text = String::with_capacity(MESSAGE_BYTES + 16);
    while text.len() < MESSAGE_BYTES {
        chance = mix(chance);
        for byte in chance.to_be_bytes() {
            text.push_str(WORDS[usize::from(byte % 16)]);
            text.push(' ');
        }
    }
    text
}

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn made_up(seed: u64) -> MadeUp {
        MadeUp { seed, began_nanos: 1, spans_per_run: 10, spans_per_request: 4, protocol: Protocol::Protobuf }
    }

    #[test]
    fn runs_have_their_own_ids_and_spans_too() {
        let spans: Vec<Span> = (0..1_000).map(|number| made_up(7).span(number)).collect();
        assert_eq!(spans.iter().map(|span| &span.trace_id).collect::<HashSet<_>>().len(), 100);
        assert_eq!(spans.iter().map(|span| &span.span_id).collect::<HashSet<_>>().len(), 1_000);
        assert!(spans.iter().all(|span| span.trace_id.len() == 16 && span.span_id.len() == 8));
        let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
        assert_eq!(roots.len(), 100);
        assert!(spans.iter().all(|span| {
            roots
                .iter()
                .any(|root| root.trace_id == span.trace_id && root.end_time_unix_nano >= span.end_time_unix_nano)
        }));
        assert_ne!(made_up(7).span(0).trace_id, made_up(8).span(0).trace_id);
    }

    #[test]
    fn requests_split_runs_without_a_gap() {
        let mut seen = HashSet::new();
        for request in 0..5 {
            let body = made_up(7).body(request);
            let request = ExportTraceServiceRequest::decode(body.bytes.as_slice()).expect("own message");
            assert_eq!(count(&request), 4);
            seen.extend(request.resource_spans[0].scope_spans[0].spans.iter().map(|span| span.span_id.clone()));
        }
        let expected: HashSet<_> = (0..20).map(|number| made_up(7).span(number).span_id).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_chat_span_is_as_large_as_real_ones() {
        let size = made_up(7).span(1).encoded_len();
        assert!((1_500..2_500).contains(&size), "{size}");
    }
}
