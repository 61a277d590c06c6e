//! A server in this process, put together as `serve` does it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use runledger::domain::ids::TenantId;
use runledger::domain::scope::{Permission, Permissions};
use runledger::graphql::root::schema::{self, SchemaOptions};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::{GraphqlLimits, GraphqlState};
use runledger::http::{self, HttpSettings, HttpState};
use runledger::store::Store;
use tokio_util::sync::CancellationToken;

use super::open::logs;

/// A running server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// A key that reads and writes runs of the tenant `bench`, and reads its system records.
    pub token: String,
}

/// Serves a database, with routes of the benchmark's own beside the API; the server and its store.
pub async fn serve(url: &str, is_chained: bool, routes: Router) -> (Server, Store) {
    let (logs, store) = logs(url, is_chained).await;
    let permissions: Permissions =
        [Permission::RunsRead, Permission::RunsWrite, Permission::SystemRead].into_iter().collect();
    let tenant = TenantId::parse("bench").expect("a name");
    let (_, token) = logs.create_api_key(tenant, None, permissions, None).await.expect("a key");
    let limits = GraphqlLimits::default();
    let settings = HttpSettings {
        auth: AuthSettings::Required(None),
        rate_limit: 0,
        cors_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        has_tls: false,
        access_log: false,
        graphql_body_bytes: limits.body_bytes,
        graphql_answer_bytes: usize::try_from(limits.answer_bytes).expect("64 bits"),
    };
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let state = HttpState::new(Arc::new(logs.clone()), settings, metrics, CancellationToken::new()).expect("settings");
    let graphql = GraphqlState::new(schema::build(SchemaOptions::default()), limits, logs);
    let router = http::router(state, http::graphql::routes(graphql).merge(routes), http::assets::routes());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("serves");
    });
    (Server { address, token }, store)
}
