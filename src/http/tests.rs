//! The transports, through the real routers, over a backend that only pretends.

mod door;
mod grpc;
mod otlp;
mod signals;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::auth::AuthSettings;
use super::backend::Backend;
use super::{HttpSettings, HttpState, grpc_router, router};
use crate::domain::ids::TenantId;
use crate::domain::scope::{Actor, Permission, Scope};
use crate::domain::source::Source;
use crate::domain::vocabulary::ActorType;
use crate::error::Result;
use crate::facade::capture::{IngestReport, SignalReport};
use crate::facade::vitals::Vitals;

const WRITER: &str = "Bearer rl_1_writer";
/// Of another tenant.
const OTHER: &str = "Bearer rl_2_writer";
const READER: &str = "Bearer rl_1_reader";
const ADMIN: &str = "Bearer rl_1_admin";

/// Counts spans; answers as it is told to.
#[derive(Default)]
pub(crate) struct Fake {
    spans: AtomicUsize,
    tenants: Mutex<Vec<String>>,
    /// The threads that ingested.
    threads: Mutex<Vec<std::thread::ThreadId>>,
    next: Mutex<Option<Result<IngestReport>>>,
    next_signal: Mutex<Option<Result<SignalReport>>>,
    not_ready: Mutex<Option<crate::error::Error>>,
    turned_away: Mutex<Vec<String>>,
    sources: Mutex<Vec<Option<Source>>>,
    failures: AtomicUsize,
}

impl Backend for Fake {
    fn authenticate_key<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Scope>>> {
        let permission = match token {
            "rl_1_writer" => Permission::RunsWrite,
            "rl_1_reader" => Permission::RunsRead,
            "rl_1_admin" => Permission::Admin,
            "rl_2_writer" => Permission::RunsWrite,
            _ => return async { Ok(None) }.boxed(),
        };
        let actor = Actor { actor_type: ActorType::System, id: token.to_owned() };
        let permissions = [permission].into_iter().collect();
        let tenant = TenantId::trusted(if token.starts_with("rl_2") { "other" } else { "acme" });
        async move { Ok(Some(Scope { tenant, actor, permissions })) }.boxed()
    }

    fn authorize<'a>(
        &'a self,
        scope: &'a Scope,
        _operation: &'a str,
        permission: Permission,
    ) -> BoxFuture<'a, Result<()>> {
        async move { scope.require(permission) }.boxed()
    }

    fn turned_away<'a>(
        &'a self,
        _token: Option<&'a str>,
        source: Option<Source>,
        operation: &'a str,
        _reason: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        self.turned_away.lock().expect("lock").push(operation.to_owned());
        self.sources.lock().expect("lock").push(source);
        async { Ok(()) }.boxed()
    }

    fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn ingest_otlp(&self, scope: Scope, request: ExportTraceServiceRequest) -> BoxFuture<'_, Result<IngestReport>> {
        let count: usize =
            request.resource_spans.iter().flat_map(|spans| &spans.scope_spans).map(|scope| scope.spans.len()).sum();
        self.spans.fetch_add(count, Ordering::Relaxed);
        self.tenants.lock().expect("lock").push(scope.tenant.as_str().to_owned());
        self.threads.lock().expect("lock").push(std::thread::current().id());
        let next = self.next.lock().expect("lock").take();
        async move {
            let accepted = i64::try_from(count).expect("few");
            next.unwrap_or(Ok(IngestReport { accepted, ..IngestReport::default() }))
        }
        .boxed()
    }

    fn ingest_metrics(&self, _: Scope, _: ExportMetricsServiceRequest) -> BoxFuture<'_, Result<SignalReport>> {
        let next = self.next_signal.lock().expect("lock").take();
        async move { next.unwrap_or_else(|| Ok(SignalReport::default())) }.boxed()
    }

    fn ingest_logs(&self, _: Scope, _: ExportLogsServiceRequest) -> BoxFuture<'_, Result<SignalReport>> {
        let next = self.next_signal.lock().expect("lock").take();
        async move { next.unwrap_or_else(|| Ok(SignalReport::default())) }.boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<()>> {
        let state = self.not_ready.lock().expect("lock").clone().map_or(Ok(()), Err);
        async { state }.boxed()
    }

    fn vitals(&self) -> BoxFuture<'_, Vitals> {
        async { Vitals { queue: (3, 100), ..Vitals::default() } }.boxed()
    }
}

/// Routers over one backend.
struct Rig {
    fake: Arc<Fake>,
    http: Router,
    grpc: Router,
    shutdown: CancellationToken,
}

pub(super) fn settings() -> HttpSettings {
    HttpSettings {
        auth: AuthSettings::Required(None),
        rate_limit: 0,
        cors_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        has_tls: false,
        access_log: true,
        graphql_body_bytes: 2 << 20,
        graphql_answer_bytes: 32 << 20,
    }
}

fn rig() -> Rig {
    rig_with(settings())
}

fn rig_with(settings: HttpSettings) -> Rig {
    let fake = Arc::new(Fake::default());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let shutdown = CancellationToken::new();
    let backend: Arc<dyn Backend> = fake.clone();
    let state = HttpState::new(backend, settings, metrics, shutdown.clone()).expect("state");
    let api = Router::new().route("/whoami", axum::routing::get(whoami));
    let pages = Router::new().route("/panic", axum::routing::get(panics));
    Rig { fake, http: router(state.clone(), api, pages), grpc: grpc_router(state), shutdown }
}

async fn whoami(axum::Extension(scope): axum::Extension<Scope>) -> String {
    scope.actor.id
}

async fn panics() {
    panic!("secret cause");
}

impl Rig {
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.http.clone().oneshot(request).await.expect("infallible")
    }
}

fn export_of(span_count: usize) -> ExportTraceServiceRequest {
    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "chat".to_owned(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span; span_count], ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

fn protobuf_of(span_count: usize) -> Vec<u8> {
    export_of(span_count).encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

async fn bytes_of(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.expect("a body").to_bytes().to_vec()
}

async fn json_of(response: Response<Body>) -> serde_json::Value {
    serde_json::from_slice(&bytes_of(response).await).expect("JSON")
}
