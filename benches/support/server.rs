//! A server in this process, put together as `serve` does it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::PrometheusBuilder;
use runledger::capture::pricing::PriceTable;
use runledger::clock::{SharedClock, SystemClock};
use runledger::domain::ids::TenantId;
use runledger::domain::scope::{Permission, Permissions};
use runledger::domain::settle::SettlePolicy;
use runledger::facade::access::{AccessAudit, AccessConfig};
use runledger::facade::{Logs, LogsConfig};
use runledger::graphql::schema::{self, SchemaOptions};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::{GraphqlLimits, GraphqlState};
use runledger::http::{self, HttpSettings, HttpState};
use runledger::store::{LedgerConfig, Store, StoreConfig};
use tokio_util::sync::CancellationToken;

/// A running server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// A key that reads and writes runs of the tenant `bench`, and reads its system records.
    pub token: String,
}

/// A store over one database.
pub async fn store(url: &str, is_chained: bool) -> (Store, SharedClock) {
    let clock: SharedClock = Arc::new(SystemClock);
    let settle = SettlePolicy { settle_us: 15_000_000, settle_remote_us: 60_000_000, timeout_us: 3_600_000_000 };
    let config = StoreConfig {
        database_url: url.to_owned(),
        migrate: true,
        pool_size: 8,
        settle,
        queue_records: 10_000,
        ledger: LedgerConfig { is_chained, ..LedgerConfig::of("bench") },
    };
    (Store::connect(config, Arc::clone(&clock)).await.expect("a database"), clock)
}

/// Serves a database, with routes of the benchmark's own beside the API; the server and its store.
pub async fn serve(url: &str, is_chained: bool, routes: Router) -> (Server, Store) {
    let (store, clock) = store(url, is_chained).await;
    let prices = Arc::new(PriceTable::embedded().expect("prices"));
    let config = LogsConfig {
        prices,
        content_capture: HashSet::new(),
        settle_us: 15_000_000,
        // What a read costs by itself.
        access: AccessConfig { audit: AccessAudit::Off, identifies_callers: true },
        idempotency_expiry_us: i64::MAX,
        telemetry_retention_us: i64::MAX,
    };
    let logs = Logs::new(store.clone(), clock, config);
    let permissions: Permissions =
        [Permission::RunsRead, Permission::RunsWrite, Permission::SystemRead].into_iter().collect();
    let tenant = TenantId::parse("bench").expect("a name");
    let (_, token) = logs.create_api_key(tenant, None, permissions, None).await.expect("a key");
    let settings = HttpSettings {
        auth: AuthSettings::Required(None),
        rate_limit: 0,
        cors_origins: Vec::new(),
        allowed_hosts: Vec::new(),
        has_tls: false,
    };
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let state = HttpState::new(Arc::new(logs.clone()), settings, metrics, CancellationToken::new()).expect("settings");
    let graphql = GraphqlState::new(schema::build(SchemaOptions::default()), GraphqlLimits::default(), logs);
    let router = http::router(state, http::graphql::routes(graphql).merge(routes), http::assets::routes());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("serves");
    });
    (Server { address, token }, store)
}
