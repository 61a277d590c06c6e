use axum::body::Body;
use axum::http::{Request, Response};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use prost::Message as _;
use tonic::codec::CompressionEncoding;

use super::{READER, Rig, WRITER, bytes_of, gzip, json_of, rig};
use crate::error::Error;
use crate::facade::capture::SignalReport;
use crate::http::otlp::{LOGS_PATH, METRICS_PATH};

const PATHS: [&str; 2] = [METRICS_PATH, LOGS_PATH];

async fn post(rig: &Rig, path: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Response<Body> {
    let request = Request::post(path).header("authorization", WRITER);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    rig.send(request.body(body.into()).expect("request")).await
}

fn rejecting() -> SignalReport {
    SignalReport { rejected: 3, message: Some("no such kind".to_owned()), ..SignalReport::default() }
}

#[tokio::test]
async fn both_signals_have_the_status_rules_of_traces() {
    let rig = rig();
    for path in PATHS {
        let status = |headers: &'static [(&'static str, &'static str)], body: &'static [u8]| {
            let rig = &rig;
            async move { post(rig, path, body, headers).await.status().as_u16() }
        };
        assert_eq!(status(&[("content-type", "application/json")], b"{}").await, 200, "{path}");
        assert_eq!(status(&[("content-type", "application/x-protobuf")], b"").await, 200, "{path}");
        assert_eq!(status(&[("content-type", "application/x-protobuf")], b"\xff").await, 400, "{path}");
        assert_eq!(status(&[("content-type", "application/json")], b"[]").await, 400, "{path}");
        assert_eq!(status(&[("content-type", "text/plain")], b"{}").await, 415, "{path}");
        assert_eq!(status(&[("content-type", "application/json"), ("content-length", "67108864")], b"").await, 413);
        let bomb = gzip(&vec![0; 64 << 20]);
        let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
        assert_eq!(post(&rig, path, bomb, &headers).await.status(), 413, "{path}");
        let reader = Request::post(path).header("authorization", READER).header("content-type", "application/json");
        assert_eq!(rig.send(reader.body(Body::from("{}")).expect("request")).await.status(), 403, "{path}");
        *rig.fake.next_signal.lock().expect("lock") = Some(Err(Error::unavailable("later", 2_100)));
        let busy = post(&rig, path, "{}", &[("content-type", "application/json")]).await;
        assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (503, &"3".parse().expect("value")));
    }
}

#[tokio::test]
async fn what_is_rejected_is_told_under_its_own_name() {
    let rig = rig();
    for (path, name) in [(METRICS_PATH, "rejectedDataPoints"), (LOGS_PATH, "rejectedLogRecords")] {
        *rig.fake.next_signal.lock().expect("lock") = Some(Ok(rejecting()));
        let answer = json_of(post(&rig, path, "{}", &[("content-type", "application/json")]).await).await;
        assert_eq!(answer, serde_json::json!({ "partialSuccess": { name: "3", "errorMessage": "no such kind" } }));
        let answer = json_of(post(&rig, path, "{}", &[("content-type", "application/json")]).await).await;
        assert_eq!(answer, serde_json::json!({}));
    }
    let protobuf = [("content-type", "application/x-protobuf")];
    *rig.fake.next_signal.lock().expect("lock") = Some(Ok(rejecting()));
    let bytes = bytes_of(post(&rig, METRICS_PATH, "", &protobuf).await).await;
    let partial = ExportMetricsServiceResponse::decode(bytes.as_slice()).expect("protobuf").partial_success;
    assert_eq!(partial.map(|partial| partial.rejected_data_points), Some(3));
    *rig.fake.next_signal.lock().expect("lock") = Some(Ok(rejecting()));
    let bytes = bytes_of(post(&rig, LOGS_PATH, "", &protobuf).await).await;
    let partial = ExportLogsServiceResponse::decode(bytes.as_slice()).expect("protobuf").partial_success;
    assert_eq!(partial.map(|partial| partial.rejected_log_records), Some(3));
}

fn authorized<T>(message: T, credentials: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", credentials.parse().expect("ASCII"));
    request
}

#[tokio::test]
async fn grpc_serves_both() {
    let rig = rig();
    let origin: axum::http::Uri = "http://localhost".parse().expect("URI");
    let mut metrics =
        MetricsServiceClient::with_origin(rig.grpc.clone(), origin.clone()).send_compressed(CompressionEncoding::Gzip);
    *rig.fake.next_signal.lock().expect("lock") = Some(Ok(rejecting()));
    let answer = metrics.export(authorized(ExportMetricsServiceRequest::default(), WRITER)).await.expect("taken");
    assert_eq!(answer.into_inner().partial_success.map(|partial| partial.rejected_data_points), Some(3));
    let mut logs = LogsServiceClient::with_origin(rig.grpc.clone(), origin);
    let answer = logs.export(authorized(ExportLogsServiceRequest::default(), WRITER)).await.expect("taken");
    assert_eq!(answer.into_inner().partial_success, None);
    let refused = logs.export(authorized(ExportLogsServiceRequest::default(), READER)).await.expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    *rig.fake.next_signal.lock().expect("lock") = Some(Err(Error::unavailable("later", 100)));
    let busy = metrics.export(authorized(ExportMetricsServiceRequest::default(), WRITER)).await.expect_err("busy");
    assert_eq!(busy.code(), tonic::Code::Unavailable);
}
