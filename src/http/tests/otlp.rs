use axum::body::Body;
use axum::http::{Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::{OTHER, READER, Rig, WRITER, bytes_of, gzip, json_of, protobuf_of, rig};
use crate::error::Error;
use crate::facade::capture::IngestReport;
use crate::http::otlp::BODY_BYTES_MAX;
use crate::http::otlp::rpc_status::Status;
use crate::http::state::PLACES_OF_A_TENANT;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const JSON_SPAN: &[u8] = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",
    "spanId":"b7ad6b7169203331","name":"chat","startTimeUnixNano":"1","endTimeUnixNano":2}]}]}]}"#;

fn post(body: impl Into<Body>, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::post("/v1/traces").header("authorization", WRITER);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).expect("request")
}

async fn export(rig: &Rig, body: impl Into<Body>, headers: &[(&str, &str)]) -> Response<Body> {
    rig.send(post(body, headers)).await
}

fn spans(rig: &Rig) -> usize {
    rig.fake.spans.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn answers_in_the_encoding_of_the_request() {
    let rig = rig();
    let response = export(&rig, protobuf_of(2), &[("content-type", PROTOBUF)]).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &PROTOBUF.parse().expect("value"))
    );
    let answer = ExportTraceServiceResponse::decode(bytes_of(response).await.as_slice()).expect("protobuf");
    assert_eq!(answer.partial_success, None);
    let response = export(&rig, JSON_SPAN, &[("content-type", "application/json; charset=utf-8")]).await;
    assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &JSON.parse().expect("value")));
    assert_eq!(json_of(response).await, serde_json::json!({}));
    assert_eq!(spans(&rig), 3);
    assert_eq!(*rig.fake.tenants.lock().expect("lock"), ["acme", "acme"]);
}

#[tokio::test]
async fn an_empty_request_is_taken() {
    let rig = rig();
    assert_eq!(export(&rig, "", &[("content-type", PROTOBUF)]).await.status(), 200);
    assert_eq!(export(&rig, "{}", &[("content-type", JSON)]).await.status(), 200);
}

#[tokio::test]
async fn gzip_is_read_in_one_or_more_members() {
    let rig = rig();
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(export(&rig, gzip(&protobuf_of(5)), &headers).await.status(), 200);
    let bytes = protobuf_of(2);
    let members = [gzip(&bytes[..10]), gzip(&bytes[10..])].concat();
    assert_eq!(export(&rig, members, &headers).await.status(), 200);
    assert_eq!(spans(&rig), 7);
}

#[tokio::test]
async fn what_cannot_be_read_is_400() {
    let rig = rig();
    assert_eq!(export(&rig, &b"\xff\xfe\x00garbage"[..], &[("content-type", PROTOBUF)]).await.status(), 400);
    assert_eq!(export(&rig, "{\"resourceSpans\": [", &[("content-type", JSON)]).await.status(), 400);
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let cut = gzip(&protobuf_of(5))[..30].to_vec();
    assert_eq!(export(&rig, cut, &headers).await.status(), 400);
    assert_eq!(export(&rig, "not gzip", &headers).await.status(), 400);
    assert_eq!(export(&rig, "", &headers).await.status(), 400);
    assert_eq!(spans(&rig), 0);
}

#[tokio::test]
async fn errors_are_rpc_statuses_in_the_encoding_of_the_request() {
    let rig = rig();
    let response = export(&rig, "nonsense", &[("content-type", JSON)]).await;
    let status = json_of(response).await;
    assert_eq!(status["code"], 3);
    assert!(!status["message"].as_str().expect("text").is_empty());
    let response = export(&rig, &b"\xff"[..], &[("content-type", PROTOBUF)]).await;
    assert_eq!(Status::decode(bytes_of(response).await.as_slice()).expect("protobuf").code, 3);
}

#[tokio::test]
async fn other_types_and_encodings_are_415() {
    let rig = rig();
    assert_eq!(export(&rig, protobuf_of(1), &[("content-type", "text/plain")]).await.status(), 415);
    assert_eq!(export(&rig, protobuf_of(1), &[]).await.status(), 415);
    let brotli = [("content-type", PROTOBUF), ("content-encoding", "br")];
    assert_eq!(export(&rig, protobuf_of(1), &brotli).await.status(), 415);
    let twice = [("content-type", PROTOBUF), ("content-encoding", "gzip"), ("content-encoding", "gzip")];
    assert_eq!(export(&rig, gzip(&protobuf_of(1)), &twice).await.status(), 415);
    let identity = [("content-type", PROTOBUF), ("content-encoding", "identity")];
    assert_eq!(export(&rig, protobuf_of(1), &identity).await.status(), 200);
}

#[tokio::test]
async fn the_limit_counts_after_decompression() {
    let rig = rig();
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < BODY_BYTES_MAX / 100);
    assert_eq!(export(&rig, bomb, &headers).await.status(), 413);
    let announced = [("content-type", PROTOBUF), ("content-length", "67108864")];
    assert_eq!(export(&rig, "", &announced).await.status(), 413);
    let chunks = futures_util::stream::iter((0..17).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1 << 20])));
    assert_eq!(export(&rig, Body::from_stream(chunks), &[("content-type", PROTOBUF)]).await.status(), 413);
    assert_eq!(export(&rig, protobuf_of(1), &[("content-type", PROTOBUF)]).await.status(), 200);
}

#[tokio::test]
async fn bodies_together_have_a_budget() {
    let rig = rig();
    // Four bodies that have sent 16 MiB each and never end take it all.
    let mut open = Vec::new();
    for _ in 0..4 {
        let sent = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![0_u8; BODY_BYTES_MAX])]);
        let endless = futures_util::StreamExt::chain(sent, futures_util::stream::pending());
        let request = post(Body::from_stream(endless), &[("content-type", PROTOBUF)]);
        let http = rig.http.clone();
        open.push(tokio::spawn(tower::ServiceExt::oneshot(http, request)));
    }
    tokio::task::yield_now().await;
    let response = export(&rig, protobuf_of(1), &[("content-type", PROTOBUF)]).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().expect("value")));
    for request in open {
        request.abort();
        let _ = request.await;
    }
    assert_eq!(export(&rig, protobuf_of(1), &[("content-type", PROTOBUF)]).await.status(), 200);
}

#[tokio::test]
async fn other_methods_are_405() {
    let request = Request::get("/v1/traces").body(Body::empty()).expect("request");
    let response = rig().send(request).await;
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().expect("value")));
}

#[tokio::test]
async fn who_may_not_write_learns_nothing_else() {
    let rig = rig();
    let nobody = Request::post("/v1/traces").header("content-type", "text/plain").body(Body::empty()).expect("request");
    let response = rig.send(nobody).await;
    assert_eq!(response.status(), 401);
    assert!(response.headers()["www-authenticate"].to_str().expect("text").starts_with("Bearer"));
    for (credentials, expected) in
        [("Bearer rl_1_wrong", 401), ("Bearer wrong", 401), ("Basic eDp5", 401), (READER, 403)]
    {
        let request = Request::post("/v1/traces").header("authorization", credentials).header("content-type", PROTOBUF);
        // The body is broken: it must not be looked at first.
        let response = rig.send(request.body(Body::from("\u{ff}")).expect("request")).await;
        assert_eq!(response.status(), expected, "{credentials}");
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    let rig = rig();
    *rig.fake.next.lock().expect("lock") = Some(Err(Error::unavailable("the queue is full", 2_100)));
    let response = export(&rig, JSON_SPAN, &[("content-type", JSON)]).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"3".parse().expect("value")));
    let status = json_of(response).await;
    assert_eq!((&status["code"], &status["details"][0]["retryDelay"]), (&14.into(), &"2.100s".into()));
}

#[tokio::test]
async fn rejected_and_differing_spans_are_told() {
    let rig = rig();
    let report =
        IngestReport { accepted: 3, existing: 2, differing: 1, rejected: 2, message: Some("bad ids".to_owned()) };
    *rig.fake.next.lock().expect("lock") = Some(Ok(report.clone()));
    let answer = json_of(export(&rig, JSON_SPAN, &[("content-type", JSON)]).await).await;
    let partial = &answer["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2");
    let message = partial["errorMessage"].as_str().expect("text");
    assert!(message.contains("bad ids") && message.contains("1 spans were on record"), "{message}");
    *rig.fake.next.lock().expect("lock") =
        Some(Ok(IngestReport { rejected: 0, message: None, differing: 0, ..report }));
    assert_eq!(json_of(export(&rig, JSON_SPAN, &[("content-type", JSON)]).await).await, serde_json::json!({}));
}

#[tokio::test]
async fn what_becomes_gigabytes_is_refused_before_it_does() {
    let rig = rig();
    // 8 million empty spans of two bytes, and as many in JSON: 16 kB that would be 3 GB.
    let mut spans = b"\x12\x00".repeat(8_000_000);
    for number in [2_u8, 1] {
        let mut around = vec![number << 3 | 2];
        prost::encode_length_delimiter(spans.len(), &mut around).expect("memory");
        around.append(&mut spans);
        spans = around;
    }
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#, "{},".repeat(5_000_000));
    for (body, content_type) in [(spans, PROTOBUF), (json.into_bytes(), JSON)] {
        let packed = gzip(&body);
        assert!(packed.len() < 32 << 10, "{}", packed.len());
        let headers = [("content-type", content_type), ("content-encoding", "gzip")];
        let response = export(&rig, packed, &headers).await;
        assert_eq!(response.status(), 413, "{content_type}");
        let told = String::from_utf8_lossy(&bytes_of(response).await).into_owned();
        assert!(told.contains("100000 spans"), "{told}");
    }
    assert_eq!(spans_of_large(&rig).await, 60_000, "what is large but sane is taken");
}

/// Sends many spans, in gzip; how many were taken.
async fn spans_of_large(rig: &Rig) -> usize {
    let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(export(rig, gzip(&protobuf_of(60_000)), &headers).await.status(), 200);
    spans(rig)
}

#[tokio::test]
async fn large_requests_are_read_apart_and_ingested_where_they_are_served() {
    let rig = rig();
    assert_eq!(spans_of_large(&rig).await, 60_000);
    assert_eq!(export(&rig, protobuf_of(1), &[("content-type", PROTOBUF)]).await.status(), 200);
    // A connection to the database that another runtime opened would make this one wait for that.
    assert_eq!(*rig.fake.threads.lock().expect("lock"), [std::thread::current().id(); 2]);
}

#[tokio::test]
async fn bodies_that_do_not_end_hold_nothing_of_another_tenants() {
    let rig = rig();
    let mut open = tokio::task::JoinSet::new();
    // More than one tenant may have open, each with a piece of its body there already.
    for _ in 0..PLACES_OF_A_TENANT + 8 {
        let sent = futures_util::stream::iter([Ok::<_, std::io::Error>(vec![0_u8; 64 << 10])]);
        let endless = futures_util::StreamExt::chain(sent, futures_util::stream::pending());
        let request = post(Body::from_stream(endless), &[("content-type", PROTOBUF)]);
        open.spawn(tower::ServiceExt::oneshot(rig.http.clone(), request));
    }
    // None of them ends, but those that are refused at once: what the tenant has open beyond its share.
    let refused = open.join_next().await.expect("one").expect("no panic").expect("infallible");
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().expect("value")));
    assert_eq!(export(&rig, protobuf_of(1), &[("content-type", PROTOBUF)]).await.status(), 503);
    let other = Request::post("/v1/traces").header("authorization", OTHER).header("content-type", PROTOBUF);
    assert_eq!(rig.send(other.body(Body::from(protobuf_of(1))).expect("request")).await.status(), 200);
    open.shutdown().await;
    assert_eq!(export(&rig, protobuf_of(1), &[("content-type", PROTOBUF)]).await.status(), 200);
}
