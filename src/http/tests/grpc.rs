use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Status};

use super::{OTHER, READER, Rig, WRITER, export_of, rig};
use crate::error::Error;
use crate::facade::capture::IngestReport;
use crate::http::otlp::BODY_BYTES_MAX;
use crate::http::otlp::rpc_status::{self, RetryInfo};
use crate::http::state::PLACES_OF_A_TENANT;

type Answer = Result<opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse, Status>;

async fn export(rig: &Rig, credentials: Option<&str>, span_count: usize, is_gzip: bool) -> Answer {
    let client = TraceServiceClient::with_origin(rig.grpc.clone(), "http://localhost".parse().expect("URI"));
    let mut client = if is_gzip { client.send_compressed(CompressionEncoding::Gzip) } else { client };
    let mut request = Request::new(export_of(span_count));
    if let Some(credentials) = credentials {
        request.metadata_mut().insert("authorization", credentials.parse().expect("ASCII"));
    }
    client.export(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn spans_are_taken_plain_and_in_gzip() {
    let rig = rig();
    assert_eq!(export(&rig, Some(WRITER), 2, false).await.expect("taken").partial_success, None);
    assert_eq!(export(&rig, Some(WRITER), 3, true).await.expect("taken").partial_success, None);
    assert_eq!(rig.fake.spans.load(std::sync::atomic::Ordering::Relaxed), 5);
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let rig = rig();
    for (credentials, code) in [
        (None, Code::Unauthenticated),
        (Some("Bearer rl_1_wrong"), Code::Unauthenticated),
        (Some(READER), Code::PermissionDenied),
    ] {
        let status = export(&rig, credentials, 1, false).await.expect_err("refused");
        assert_eq!(status.code(), code, "{credentials:?}");
        assert!(!status.message().is_empty());
    }
    assert_eq!(rig.fake.spans.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_again() {
    let rig = rig();
    *rig.fake.next.lock().expect("lock") = Some(Err(Error::unavailable("the queue is full", 1_500)));
    let status = export(&rig, Some(WRITER), 1, false).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unavailable);
    let details = rpc_status::Status::decode(status.details()).expect("google.rpc.Status");
    let info = RetryInfo::decode(details.details[0].value.as_slice()).expect("RetryInfo");
    assert_eq!(info.retry_delay.map(|delay| (delay.seconds, delay.nanos)), Some((1, 500_000_000)));
}

#[tokio::test]
async fn a_large_message_is_refused_even_when_it_comes_small() {
    let rig = rig();
    // 700,000 spans of some 30 bytes: 20 MB, a few kB in gzip.
    let status = export(&rig, Some(WRITER), 700_000, true).await.expect_err("refused");
    // RESOURCE_EXHAUSTED without RetryInfo: exporters do not try again.
    assert_eq!((status.code(), status.details()), (Code::ResourceExhausted, &b""[..]));
    assert_eq!(rig.fake.spans.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn rejected_spans_are_told() {
    let rig = rig();
    let report = IngestReport { rejected: 1, message: Some("bad ids".to_owned()), ..IngestReport::default() };
    *rig.fake.next.lock().expect("lock") = Some(Ok(report));
    let partial = export(&rig, Some(WRITER), 1, false).await.expect("taken").partial_success.expect("partial");
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (1, "bad ids"));
}

#[tokio::test]
async fn a_broken_message_is_the_callers_fault() {
    let message: &[u8] = b"\0\0\0\0\x02\xff\xff";
    let request =
        axum::http::Request::post("http://localhost/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            .header("content-type", "application/grpc")
            .header("authorization", WRITER)
            .body(axum::body::Body::from(message))
            .expect("request");
    let response = tower::ServiceExt::oneshot(rig().grpc, request).await.expect("infallible");
    assert_eq!(response.headers()["grpc-status"], "3");
}

const EXPORT: &str = "http://localhost/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A call with a body as it is; the gRPC status of its answer, and what it says.
async fn call(rig: &Rig, key: &str, headers: &[(&str, &str)], body: axum::body::Body) -> (Code, String) {
    let request =
        axum::http::Request::post(EXPORT).header("content-type", "application/grpc").header("authorization", key);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response =
        tower::ServiceExt::oneshot(rig.grpc.clone(), request.body(body).expect("request")).await.expect("infallible");
    let status = Status::from_header_map(response.headers());
    status.map_or((Code::Ok, String::new()), |status| (status.code(), status.message().to_owned()))
}

fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[flag][..], &length, message].concat()
}

#[tokio::test]
async fn a_call_has_one_whole_message() {
    let rig = rig();
    let message = super::protobuf_of(1);
    for body in [
        Vec::new(),
        frame(0, &message)[..4].to_vec(),
        frame(0, &message)[..9].to_vec(),
        [frame(0, &message), frame(0, &message)].concat(),
        frame(2, &message),
        frame(1, &message),
    ] {
        let (code, told) = call(&rig, WRITER, &[("grpc-encoding", "gzip")], body.clone().into()).await;
        assert_eq!(code, Code::InvalidArgument, "{body:?}: {told}");
    }
    let zstd = call(&rig, WRITER, &[("grpc-encoding", "zstd")], frame(1, &message).into()).await;
    assert_eq!(zstd.0, Code::Unimplemented, "{zstd:?}");
    let taken = call(&rig, WRITER, &[("grpc-encoding", "gzip")], frame(1, &super::gzip(&message)).into()).await;
    assert_eq!(taken.0, Code::Ok, "{taken:?}");
    assert_eq!(rig.fake.spans.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_becomes_gigabytes_is_refused_before_it_does() {
    // 4 million resources of two bytes.
    let bomb = super::gzip(&b"\x0a\x00".repeat(4_000_000));
    assert!(bomb.len() < 16 << 10, "{}", bomb.len());
    let rig = rig();
    let (code, told) = call(&rig, WRITER, &[("grpc-encoding", "gzip")], frame(1, &bomb).into()).await;
    assert_eq!(code, Code::ResourceExhausted, "{told}");
    assert!(told.contains("resources and scopes") && told.contains("4000000"), "{told}");
    let members = super::gzip(b"").repeat(100_000);
    let (code, told) = call(&rig, WRITER, &[("grpc-encoding", "gzip")], frame(1, &members).into()).await;
    assert_eq!(code, Code::ResourceExhausted, "{told}");
}

#[tokio::test]
async fn the_limit_is_that_of_the_message_alone() {
    let rig = rig();
    // As large as may be, so it is looked at: zeros are no message.
    let whole = frame(0, &vec![0; BODY_BYTES_MAX]);
    let (code, told) = call(&rig, WRITER, &[], whole.into()).await;
    assert_eq!(code, Code::InvalidArgument, "{told}");
    let larger = frame(0, &vec![0; BODY_BYTES_MAX + 1]);
    let (code, told) = call(&rig, WRITER, &[], larger.into()).await;
    assert_eq!(code, Code::ResourceExhausted, "{told}");
    assert!(told.contains("16777216"), "{told}");
}

#[tokio::test]
async fn calls_that_do_not_end_hold_nothing_of_another_tenants() {
    let rig = rig();
    let mut open = tokio::task::JoinSet::new();
    for _ in 0..PLACES_OF_A_TENANT + 8 {
        let sent = futures_util::stream::iter([Ok::<_, std::io::Error>(frame(0, &super::protobuf_of(1)))]);
        let endless = futures_util::StreamExt::chain(sent, futures_util::stream::pending());
        let request = axum::http::Request::post(EXPORT).header("content-type", "application/grpc");
        let body = axum::body::Body::from_stream(endless);
        let request = request.header("authorization", WRITER).body(body).expect("request");
        open.spawn(tower::ServiceExt::oneshot(rig.grpc.clone(), request));
    }
    // None of them ends, but those that are refused at once: what the tenant has open beyond its share.
    let refused = open.join_next().await.expect("one").expect("no panic").expect("infallible");
    assert_eq!(refused.headers()["grpc-status"], "14");
    let (code, told) = call(&rig, WRITER, &[], frame(0, &super::protobuf_of(1)).into()).await;
    assert_eq!(code, Code::Unavailable, "{told}");
    let (code, told) = call(&rig, OTHER, &[], frame(0, &super::protobuf_of(1)).into()).await;
    assert_eq!(code, Code::Ok, "{told}");
    open.shutdown().await;
}

#[tokio::test]
async fn other_methods_are_unimplemented_and_other_types_are_415() {
    let rig = rig();
    let ask = |path: &str, content_type: &str| {
        let request = axum::http::Request::post(path).header("content-type", content_type);
        tower::ServiceExt::oneshot(rig.grpc.clone(), request.body(axum::body::Body::empty()).expect("request"))
    };
    let unknown = ask("http://localhost/grpc.health.v1.Health/Check", "application/grpc").await.expect("infallible");
    assert_eq!((unknown.status().as_u16(), unknown.headers()["grpc-status"].as_bytes()), (200, &b"12"[..]));
    let http = ask(EXPORT, "application/json").await.expect("infallible");
    assert_eq!(http.status(), 415);
}

#[tokio::test]
async fn a_call_that_is_given_up_is_counted_as_cancelled() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let numbers = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let rig = rig();
    let endless = axum::body::Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let mut waiting = Box::pin(call(&rig, WRITER, &[], endless));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    drop(waiting);
    let text = numbers.render();
    let mut lines = text.lines().filter(|line| line.starts_with("runledger_grpc_requests_total"));
    assert!(lines.any(|line| line.contains("\"CANCELLED\"") && line.ends_with(" 1")), "{text}");
}

#[tokio::test]
async fn calls_are_counted_by_method_and_grpc_status() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let numbers = recorder.handle();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let rig = rig();
    export(&rig, Some(WRITER), 1, false).await.expect("taken");
    export(&rig, Some(READER), 1, false).await.expect_err("refused");
    call(&rig, WRITER, &[], frame(0, b"\xff").into()).await;
    let text = numbers.render();
    let method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    for status in ["OK", "PERMISSION_DENIED", "INVALID_ARGUMENT"] {
        let is_counted =
            |line: &&str| line.contains(method) && line.contains(&format!("\"{status}\"")) && line.ends_with(" 1");
        let mut lines = text.lines().filter(|line| line.starts_with("runledger_grpc_requests_total"));
        assert!(lines.any(|line| is_counted(&line)), "{status}: {text}");
    }
    assert!(
        text.lines().any(|line| line.starts_with("runledger_http_requests_total") && line.contains(method)),
        "{text}"
    );
}
