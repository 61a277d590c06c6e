//! Reads, on PostgreSQL: the GraphQL page beside a hand-written route, with every topic of its runs beside without, and
//! lists by size.
//!
//!     benches/read.sh                              seeds databases of 10 k, 100 k and 1 M runs and runs this
//!
//! `BENCH_URLS` names seeded databases, the largest last; the page is read from the last. Both routes stand behind the
//! same authentication and middleware, and read with the same three statements. Rounds are interleaved; the ratio is the
//! median of the rounds' ratios.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark reports on stdout or fails")]

mod hand;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{median, post, round, server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAGE: &str = "{ llmRuns(first: 50) { edges { cursor node { id runId provider model executionStatus inputTokens \
    outputTokens costUsd startedAt trace { traceId status steps(first: 10) { edges { cursor node { stepIndex spanId kind \
    skillName status startedAt } } } } } } pageInfo { hasNextPage endCursor } } }";
const NEWEST: &str = "{ llmRuns(first: 50) { nodes { runId provider model inputTokens costUsd startedAt } } }";
const COSTLIEST: &str = "{ llmRuns(first: 50, orderBy: { field: COST }) { nodes { runId provider model inputTokens \
    costUsd startedAt } } }";
/// What a run has beside its record and its trace.
const TOPICS: &str = "governance { totalEvents blocked events(first: 10) { nodes { timestamp eventType policyId decision } } \
    metadata { policyIds } } incidentEvidence { incidentId severity title } replay { inflectionRule truncated \
    events { source timestamp action outcome } metadata { occurredAt } } export { availableFormats checksum \
    complianceTags { tag reason } exports { format checksum } } system { snapshot { component summary } \
    events { events { eventType summary } truncated } replay { events { eventType summary } } \
    telemetry { status series { name points(first: 10) { timestamp value } } } }";
const ROUNDS: usize = 5;

/// A server over one seeded database, and a token for it.
async fn serve(url: &str) -> (SocketAddr, String) {
    let (server, _) = server::serve(url, true, hand::routes(url).await).await;
    (server.address, server.token)
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

/// A page of runs with every topic beside the same page without them, one connection.
async fn topics(url: &str, seconds: u64) {
    let (address, token) = serve(url).await;
    let time = Duration::from_secs(seconds);
    for (name, page) in [("with traces and steps", PAGE), ("of runs alone", NEWEST)] {
        let wide = page.replacen("startedAt", &format!("startedAt {TOPICS}"), 1);
        let (wide, narrow) = (graphql(&token, &wide), graphql(&token, page));
        for request in [&wide, &narrow] {
            round(address, request, 1, Duration::from_secs(1)).await;
        }
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let wide = round(address, &wide, 1, time).await.percentile(0.5);
            let narrow = round(address, &narrow, 1, time).await.percentile(0.5);
            ratios.push(wide / narrow);
            println!(
                "page {name}: p50 {wide:.2} ms with every topic, {narrow:.2} ms without, ratio {:.2}",
                wide / narrow
            );
        }
        println!("page of 50 runs with every topic: p50 {:.2} times that of the page {name}", median(ratios));
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
        topics(urls.last().expect("a database"), seconds).await;
        lists(&urls, 1).await;
    });
}
