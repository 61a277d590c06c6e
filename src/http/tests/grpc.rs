use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Status};

use super::{READER, Rig, WRITER, export_of, rig};
use crate::error::Error;
use crate::facade::capture::IngestReport;
use crate::http::otlp::rpc_status::{self, RetryInfo};

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
