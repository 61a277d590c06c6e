//! One connection's worth of requests.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use serde_json::Value;

use super::source::{Body, Source};
use super::summary::{Outcome, Taken, Tally};
use super::{Bounds, LoadArgs, Protocol};
use crate::app::AppError;
use crate::config::Secret;
use crate::http::otlp;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest that `Retry-After` is obeyed.
const WAIT_MAX: Duration = Duration::from_secs(30);
const REASON_CHARS_MAX: usize = 200;
const PROTOBUF: &str = "application/x-protobuf";

/// Where requests go.
pub(super) struct Target {
    url: Url,
    headers: HeaderMap,
    is_gzip: bool,
    retries_max: u32,
    /// Time between two requests; `None` is as fast as they are taken.
    interval: Option<Duration>,
}

impl Target {
    pub(super) fn new(args: &LoadArgs) -> Result<Self, AppError> {
        let mut url: Url =
            args.url.parse().map_err(|error| AppError::setting(format!("--url {}: {error}", args.url)))?;
        if url.path() == "/" {
            url.set_path(otlp::PATH);
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = args.key.as_ref().map(Secret::expose) {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| AppError::setting("--key: it holds characters that no key has"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if args.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let interval = (args.rate > 0).then(|| Duration::from_secs(1) / args.rate);
        Ok(Self { url, headers, is_gzip: args.gzip, retries_max: args.retries, interval })
    }
}

/// Takes the next request until the load ends.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) target: Arc<Target>,
    pub(super) source: Arc<Source>,
    pub(super) tally: Arc<Tally>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) began: Instant,
    pub(super) bounds: Bounds,
}

impl Sender {
    /// A client of its own, so that it has a connection of its own.
    pub(super) fn run(self) -> Result<impl Future<Output = ()> + Send, AppError> {
        let client = Client::builder().timeout(REQUEST_TIMEOUT).default_headers(self.target.headers.clone()).build();
        let client = client.map_err(|error| AppError::new(format!("the HTTP client does not start: {error}")))?;
        Ok(async move {
            while let Some((number, due)) = self.next() {
                tokio::time::sleep_until(due.into()).await;
                let outcome = self.send(&client, number, due).await;
                self.tally.add(outcome);
            }
        })
    }

    /// The next request's number and when it is due; `None` at the end of the load.
    fn next(&self) -> Option<(u64, Instant)> {
        let number = self.source.next_number();
        let offset = self.target.interval.map(|interval| interval.mul_f64(to_f64(number)));
        // Without a rate a request is due when a connection is free.
        let due = offset.map_or_else(Instant::now, |offset| self.began + offset);
        let is_over = self.stop.load(Ordering::Relaxed)
            || self.bounds.requests.is_some_and(|requests| number >= requests)
            || self.bounds.duration.is_some_and(|duration| due.duration_since(self.began) >= duration);
        (!is_over).then_some((number, due))
    }

    async fn send(&self, client: &Client, number: u64, due: Instant) -> Outcome {
        let body = self.source.body(number);
        let bytes = if self.target.is_gzip { gzip(&body.bytes) } else { body.bytes.clone() };
        let size = bytes.len() as u64;
        let bytes = bytes::Bytes::from(bytes);
        let mut retries = 0;
        let (result, status) = loop {
            let request = client.post(self.target.url.clone()).header(CONTENT_TYPE, content_type(body.protocol));
            let (result, status, wait) = match request.body(bytes.clone()).send().await {
                Ok(response) => read(response, body.protocol).await,
                Err(error) => (Err(describe(&error)), None, Some(Duration::from_secs(1))),
            };
            let wait = wait.filter(|_| retries < self.target.retries_max && !self.stop.load(Ordering::Relaxed));
            let Some(wait) = wait else { break (result, status) };
            retries += 1;
            tokio::time::sleep(wait.min(WAIT_MAX)).await;
        };
        Outcome { result, status, retries: retries.into(), latency: due.elapsed(), spans: body.span_count, bytes: size }
    }
}

fn to_f64(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

type Answer = (Result<Taken, String>, Option<u16>, Option<Duration>);

/// The answer, and how long to wait where the request may be sent again.
async fn read(response: Response, protocol: Protocol) -> Answer {
    let status = response.status();
    let wait = matches!(status.as_u16(), 429 | 502 | 503 | 504).then(|| {
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Duration::from_secs(seconds.unwrap_or(1))
    });
    let is_protobuf = response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes() == PROTOBUF.as_bytes());
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(error) => return (Err(describe(&error)), None, Some(Duration::from_secs(1))),
    };
    let result = if status.is_success() {
        taken(&body, protocol)
    } else {
        Err(format!("HTTP {}: {}", status.as_u16(), reason(&body, is_protobuf)))
    };
    (result, Some(status.as_u16()), wait)
}

/// `google.rpc.Status`, the body of OTLP errors, as far as a person reads it.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// Why a request was refused: the message of the answer where it has one, else its text.
fn reason(body: &[u8], is_protobuf: bool) -> String {
    let message = if is_protobuf {
        Status::decode(body).ok().map(|status| status.message)
    } else {
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let message = json.as_ref().and_then(|json| json.get("message").or_else(|| json.pointer("/errors/0/message")));
        message.and_then(Value::as_str).map(str::to_owned)
    };
    let text =
        message.filter(|message| !message.is_empty()).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect()
}

fn taken(body: &[u8], protocol: Protocol) -> Result<Taken, String> {
    match protocol {
        Protocol::Protobuf => {
            let response =
                ExportTraceServiceResponse::decode(body).map_err(|error| format!("no OTLP answer: {error}"))?;
            let partial = response.partial_success.unwrap_or_default();
            Ok(Taken {
                rejected_spans: u64::try_from(partial.rejected_spans).unwrap_or(0),
                message: partial.error_message,
            })
        }
        Protocol::Json => {
            let response: Value = serde_json::from_slice(body).map_err(|error| format!("no OTLP answer: {error}"))?;
            let partial = &response["partialSuccess"];
            let rejected = &partial["rejectedSpans"];
            let rejected_spans = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
            Ok(Taken { rejected_spans, message: partial["errorMessage"].as_str().unwrap_or_default().to_owned() })
        }
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Protobuf => PROTOBUF,
        Protocol::Json => "application/json",
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

/// The cause of a failed request; the outermost error only repeats the URL.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("no answer: {cause}")
}

/// What a request holds.
impl Body {
    pub(super) fn new(bytes: Vec<u8>, protocol: Protocol, span_count: u64) -> Self {
        Self { bytes, protocol, span_count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_its_words() {
        let status = Status { message: "send an API key".to_owned() };
        // The code stands before it.
        let body = [&[8, 16], status.encode_to_vec().as_slice()].concat();
        assert_eq!(reason(&body, true), "send an API key");
        assert_eq!(reason(br#"{"code":16,"message":"send an API key"}"#, false), "send an API key");
        assert_eq!(reason(br#"{"errors":[{"message":"no"}]}"#, false), "no");
        assert_eq!(reason(b"<html>bad\x1b[2J gateway", false), "<html>bad[2J gateway");
        assert_eq!(reason(b"proxy", true), "proxy");
    }
}
