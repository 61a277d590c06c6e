//! Reads, on PostgreSQL: the GraphQL page beside a hand-written route, and lists by size.
//!
//!     benches/read.sh                              seeds databases of 10 k, 100 k and 1 M runs and runs this
//!
//! `BENCH_URLS` names seeded databases, the largest last; the page is read from the last. Both routes stand behind the
//! same authentication and middleware, and read with the same three statements. Rounds are interleaved; the ratio is the
//! median of the rounds' ratios.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark reports on stdout or fails")]

mod hand;
mod support;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use runledger::capture::pricing::PriceTable;
use runledger::clock::{SharedClock, SystemClock};
use runledger::domain::ids::TenantId;
use runledger::domain::scope::{Permission, Permissions};
use runledger::domain::settle::SettlePolicy;
use runledger::facade::{Logs, LogsConfig};
use runledger::graphql::schema::{self, SchemaOptions};
use runledger::http::auth::AuthSettings;
use runledger::http::graphql::{GraphqlLimits, GraphqlState};
use runledger::http::{self, HttpSettings, HttpState};
use runledger::store::{Store, StoreConfig};
use support::{median, post, round};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAGE: &str = "{ llmRuns(first: 50) { edges { cursor node { id runId provider model executionStatus inputTokens \
    outputTokens costUsd startedAt trace { traceId status steps(first: 10) { edges { cursor node { stepIndex spanId kind \
    skillName status startedAt } } } } } } pageInfo { hasNextPage endCursor } } }";
const NEWEST: &str = "{ llmRuns(first: 50) { nodes { runId provider model inputTokens costUsd startedAt } } }";
const COSTLIEST: &str = "{ llmRuns(first: 50, orderBy: { field: COST }) { nodes { runId provider model inputTokens \
    costUsd startedAt } } }";
const ROUNDS: usize = 5;

/// A server over one database, and a token for it.
async fn serve(url: &str) -> (SocketAddr, String) {
    let clock: SharedClock = Arc::new(SystemClock);
    let settle = SettlePolicy { settle_us: 15_000_000, settle_remote_us: 60_000_000, timeout_us: 3_600_000_000 };
    let config = StoreConfig {
        database_url: url.to_owned(),
        migrate: true,
        pool_size: 8,
        settle,
        queue_records: 10_000,
        ledger_origin: "bench".to_owned(),
    };
    let store = Store::connect(config, Arc::clone(&clock)).await.expect("a seeded database");
    let prices = Arc::new(PriceTable::embedded().expect("prices"));
    let logs = {
        let config = LogsConfig {
            prices,
            content_capture: HashSet::new(),
            settle_us: settle.settle_us,
            telemetry_retention_us: i64::MAX,
        };
        Logs::new(store, clock, config)
    };
    let reader: Permissions = [Permission::RunsRead].into_iter().collect();
    let tenant = TenantId::parse("bench").expect("a name");
    let (_, token) = logs.create_api_key(tenant, None, reader, None).await.expect("a key");
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
    let api = http::graphql::routes(graphql).merge(hand::routes(url).await);
    let router = http::router(state, api, http::assets::routes());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.expect("serves");
    });
    (address, token)
}

fn graphql(token: &str, query: &str) -> Vec<u8> {
    post("/graphql", token, &serde_json::json!({ "query": query }).to_string())
}

/// GraphQL beside the hand-written route, at 1 and at 16 connections.
async fn page(url: &str, seconds: u64) {
    let (address, token) = serve(url).await;
    let (ours, hand) = (graphql(&token, PAGE), post("/hand", &token, "{}"));
    for connections in [1, 16] {
        let time = Duration::from_secs(seconds);
        for request in [&ours, &hand] {
            round(address, request, connections, Duration::from_secs(1)).await;
        }
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let graphql = round(address, &ours, connections, time).await;
            let hand = round(address, &hand, connections, time).await;
            ratios.push(graphql.rate / hand.rate);
            println!(
                "{connections} connections: GraphQL {:.0}/s p50 {:.2} ms, hand-written {:.0}/s p50 {:.2} ms, ratio {:.3}",
                graphql.rate,
                graphql.percentile(0.5),
                hand.rate,
                hand.percentile(0.5),
                graphql.rate / hand.rate
            );
        }
        println!(
            "page of 50 runs with 10 steps, {connections} connections: {:.3} of the hand-written route",
            median(ratios)
        );
    }
}

/// Latency of lists by size, interleaved, the best p50 of the rounds.
async fn lists(urls: &[String], seconds: u64) {
    let mut servers = Vec::new();
    for url in urls {
        servers.push(serve(url).await);
    }
    for (name, query) in [("newest first", NEWEST), ("by cost", COSTLIEST)] {
        let mut best = vec![f64::INFINITY; servers.len()];
        for _ in 0..=ROUNDS {
            for (place, (address, token)) in servers.iter().enumerate() {
                let measured = round(*address, &graphql(token, query), 1, Duration::from_secs(seconds)).await;
                best[place] = best[place].min(measured.percentile(0.5));
            }
        }
        let figures: Vec<String> = best.iter().map(|p50| format!("{p50:.2} ms ({:.2})", p50 / best[0])).collect();
        println!("list {name}, p50 by size, and of the smallest: {}", figures.join(", "));
    }
}

fn main() {
    let Ok(urls) = std::env::var("BENCH_URLS") else {
        return println!("BENCH_URLS names no seeded databases: run benches/read.sh");
    };
    let urls: Vec<String> = urls.split_whitespace().map(str::to_owned).collect();
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        page(urls.last().expect("a database"), seconds).await;
        lists(&urls, 1).await;
    });
}
