//! The whole application in a test: the real router over a real database, asked in-process.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use runledger::capture::pricing::PriceTable;
use runledger::clock::Clock;
use runledger::domain::ids::TenantId;
use runledger::facade::access::{AccessAudit, AccessConfig};
use runledger::facade::{Logs, LogsConfig};
use runledger::graphql::root::schema::{self, SchemaOptions};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::{GraphqlLimits, GraphqlState};
use runledger::http::{self, HttpSettings, HttpState};
use runledger::ledger::note::NoteSigner;
use runledger::store::{Store, StoreConfig};
use runledger::work::{self, Running, Times, Worker, Workers};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::db::{TestClock, TestDb};

/// How an OTLP body is written.
#[derive(Clone, Copy)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// An answer, read whole.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: axum::http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }
}

/// How an application is set up.
pub struct AppSettings {
    pub auth: AuthSettings,
    pub limits: GraphqlLimits,
    /// Requests a second that one key may make; 0 is no limit.
    pub rate_limit: u32,
    /// Records that may wait to be written.
    pub queue_records: usize,
    /// Tenants whose message text is kept.
    pub content_capture: HashSet<TenantId>,
    /// When reads are recorded.
    pub access_audit: AccessAudit,
}

impl Default for AppSettings {
    /// Production limits, without authentication.
    fn default() -> Self {
        Self {
            auth: AuthSettings::Off,
            limits: GraphqlLimits::default(),
            rate_limit: 0,
            queue_records: 10_000,
            content_capture: HashSet::new(),
            access_audit: AccessAudit::Strict,
        }
    }
}

/// The key that signs the ledger of every test.
pub fn signer() -> NoteSigner {
    NoteSigner::new("ledger.test", &[7; 32]).expect("a key")
}

/// The application for one caller: the tenant is named by header, and by key where one is given.
#[derive(Clone)]
pub struct TestApp {
    pub store: Store,
    pub logs: Logs,
    pub clock: Arc<TestClock>,
    state: HttpState,
    router: Router,
    tenant: String,
    key: Option<String>,
}

impl TestApp {
    /// The application on a database, with production limits. Nothing is sealed unless a test asks for it.
    pub async fn on(db: &TestDb) -> Self {
        Self::with(db, AuthSettings::Off, GraphqlLimits::default()).await
    }

    /// The same with authentication and limits as given.
    pub async fn with(db: &TestDb, auth: AuthSettings, limits: GraphqlLimits) -> Self {
        Self::set_up(db, AppSettings { auth, limits, ..AppSettings::default() }).await
    }

    /// The application as its settings say.
    pub async fn set_up(db: &TestDb, settings: AppSettings) -> Self {
        let AppSettings { auth, limits, rate_limit, queue_records, content_capture, access_audit } = settings;
        let store = db.store_with(StoreConfig { queue_records, ..db.config() }).await;
        let prices = Arc::new(PriceTable::embedded().expect("the embedded prices parse"));
        let identifies_callers = !matches!(auth, AuthSettings::Off);
        let access = AccessConfig { audit: access_audit, identifies_callers };
        let idempotency_expiry_us = 86_400_000_000;
        let config = LogsConfig {
            prices,
            content_capture,
            settle_us: 15_000_000,
            access,
            idempotency_expiry_us,
            telemetry_retention_us: 7 * 86_400_000_000,
        };
        let logs = Logs::new(store.clone(), db.clock.clone(), config);
        logs.sign_with(signer()).await.expect("the key of every test");
        let settings = HttpSettings {
            auth,
            rate_limit,
            cors_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            has_tls: false,
            access_log: true,
            graphql_body_bytes: limits.body_bytes,
            graphql_answer_bytes: usize::try_from(limits.answer_bytes).unwrap_or(usize::MAX),
        };
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let state =
            HttpState::new(Arc::new(logs.clone()), settings, metrics, CancellationToken::new()).expect("settings");
        let graphql = GraphqlState::new(schema::build(SchemaOptions::default()), limits, logs.clone());
        let api = http::graphql::routes(graphql).merge(http::tiles::routes(logs.clone()));
        let router = http::router(state.clone(), api, http::assets::routes());
        Self { store, logs, clock: db.clock.clone(), state, router, tenant: "ours".to_owned(), key: None }
    }

    /// The same application for another tenant.
    pub fn other_tenant(&self, tenant: &str) -> Self {
        Self { tenant: tenant.to_owned(), ..self.clone() }
    }

    /// The same application, asked with an API key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// All workers of a server that works often.
    pub fn all_workers(&self) -> Vec<Box<dyn Worker>> {
        let often = Duration::from_millis(50);
        work::of_logs(&self.logs, Times { sign: often, note: often, verify: often }, "test")
    }

    /// Some of them at work, by name.
    pub fn workers(&self, names: &[&str]) -> Running {
        let workers = self.all_workers().into_iter().filter(|worker| names.contains(&worker.name())).collect();
        Workers::new(workers, self.store.leases(&self.clock.new_id().0.to_string()))
            .expect("put together")
            .start(&CancellationToken::new())
    }

    /// Sends a request through the router.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
        headers.entry("x-runledger-tenant").or_insert(HeaderValue::from_str(&self.tenant).expect("a header"));
        if let Some(key) = &self.key {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}")).expect("a header"));
        }
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// A GET whose answer is not read.
    pub async fn unread(&self, path: &str) -> Response<Body> {
        let request = Request::get(path).header(header::HOST, "localhost").header("x-runledger-tenant", &self.tenant);
        self.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
    }

    /// A GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// A POST.
    pub async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(Body::from(body)).expect("a request")).await
    }

    /// An OTLP request.
    pub async fn post_otlp(&self, encoding: Encoding, body: Vec<u8>) -> Answer {
        let content_type = match encoding {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        self.post("/v1/traces", content_type, body).await
    }

    /// An OTLP/JSON request to a path that takes it; the partial success, where there is one.
    pub async fn post_signal(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, "application/json", body.to_string().into_bytes()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["partialSuccess"].take()
    }

    /// An OTLP request over gRPC, in-process.
    pub async fn export_grpc(&self, request: ExportTraceServiceRequest) -> Result<(), tonic::Status> {
        let mut client = TraceServiceClient::with_origin(
            http::grpc_router(self.state.clone()),
            Uri::from_static("http://localhost"),
        );
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert("x-runledger-tenant", self.tenant.parse().expect("a header"));
        client.export(request).await.map(drop)
    }

    /// A GraphQL request; the HTTP answer.
    pub async fn ask(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables }).to_string();
        self.post("/graphql", "application/json", body.into_bytes()).await
    }

    /// A GraphQL request; the whole answer.
    pub async fn raw_query(&self, query: &str, variables: Value) -> Value {
        self.ask(query, variables).await.json()
    }

    /// A GraphQL request that must succeed; its data.
    pub async fn query_with(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.raw_query(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].take()
    }

    /// The same without variables.
    pub async fn query(&self, query: &str) -> Value {
        self.query_with(query, json!({})).await
    }

    /// A GraphQL request, and how many statements it read with.
    pub async fn counted(&self, query: &str, variables: Value) -> (Value, u64) {
        let before = self.store.statements();
        let answer = self.query_with(query, variables).await;
        (answer, self.store.statements() - before)
    }

    /// Every node of a list, page by page. The query takes `$after`.
    pub async fn all_nodes(&self, query: &str, list: &str) -> Vec<Value> {
        let (mut nodes, mut after) = (Vec::new(), Value::Null);
        loop {
            let mut page = self.query_with(query, json!({ "after": after })).await[list].take();
            nodes.append(page["nodes"].as_array_mut().expect("nodes"));
            if page["pageInfo"]["hasNextPage"] != true {
                return nodes;
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }

    /// Lets the settle times pass and seals everything that is due then.
    pub async fn seal_all(&self) {
        self.clock.advance_us(120_000_000);
        while self.logs.seal_due().await.expect("seals").due > 0 {}
    }
}
