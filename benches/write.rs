//! Writes, until acknowledged: what chaining costs, over OTLP and in the store alone.
//!
//!     benches/write.sh                             makes fresh databases on both kinds and runs this
//!
//! `BENCH_PAIRS` names pairs of empty databases, `name=chained-url,unchained-url`, separated by spaces. Rounds with and
//! without the ledger are interleaved; a ratio is the median of the rounds' ratios. Without the ledger no leaf is written or
//! hashed and no entry, node or root is made; payloads are committed to, logs locked and places counted all the same. OTLP
//! is sent by `runledger load` as a process of its own, which shares the machine.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark reports on stdout or fails")]

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runledger::clock::SharedClock;
use runledger::domain::append::{AppendUnit, New};
use runledger::domain::ids::TenantId;
use runledger::domain::record::NewRecord;
use runledger::domain::system::SystemRecord;
use runledger::domain::vocabulary::{SystemComponent, SystemEventType, SystemSeverity};
use runledger::store::Store;
use support::open::store;
use support::server::{Server, serve};
use support::{median, post, round};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
const CALLERS: usize = 8;
/// Records of one unit: a request of ten spans.
const UNIT: usize = 10;

/// One run of `runledger load`: spans a second, and the p99 in milliseconds.
fn load(server: &Server, spans: usize, seconds: u64, rate: u64) -> (f64, f64) {
    let output = Command::new(env!("CARGO_BIN_EXE_runledger"))
        .args(["load", "--connections", "8", "--protocol", "protobuf", "--url", &format!("http://{}", server.address)])
        .args(["--key", &server.token, "--duration", &format!("{seconds}s"), "--rate", &rate.to_string()])
        .args(["--spans-per-request", &spans.to_string()])
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let before = |mark: &str| {
        let head = text.split(mark).next().expect("a head");
        head.rsplit([' ', '\n']).next().and_then(|number| number.parse().ok()).expect("a figure")
    };
    let p99 = text.split("p99 ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|text| text.parse().ok());
    (before(" spans/s"), p99.expect("a latency"))
}

/// OTLP with and without the ledger.
async fn otlp(name: &str, chained: &Server, unchained: &Server, spans: usize, seconds: u64) {
    let (mut on, mut off, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let with = tokio::task::block_in_place(|| load(chained, spans, seconds, 0)).0;
        let without = tokio::task::block_in_place(|| load(unchained, spans, seconds, 0)).0;
        on.push(with);
        off.push(without);
        ratios.push(with / without);
    }
    let (on, off) = (median(on), median(off));
    println!(
        "{name}: OTLP, {spans} spans a request: {on:.0} spans/s, without the ledger {off:.0}, {:.2}",
        median(ratios)
    );
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rate")]
    let half = (on / 2.0 / spans as f64) as u64;
    let p99s = (0..ROUNDS).map(|_| tokio::task::block_in_place(|| load(chained, spans, seconds, half.max(1))).1);
    println!("{name}: p99 at half that rate {:.1} ms", median(p99s.collect()));
}

fn unit(clock: &SharedClock, tenant: &TenantId) -> AppendUnit {
    let record = || SystemRecord {
        component: SystemComponent::Api,
        event_type: SystemEventType::HealthCheck,
        severity: SystemSeverity::Info,
        summary: "a record of the size of a step without its payload".repeat(4),
        caused_by: None,
        actor_type: None,
        actor_id: None,
        correlation_id: None,
        service_name: Some("bench".to_owned()),
        service_instance_id: Some("bench-1".to_owned()),
        source_component: "bench".to_owned(),
        occurred_at: clock.now(),
        details_commitment: None,
    };
    let new = || NewRecord::System(Box::new(New { id: clock.new_id(), record: record(), payloads: Vec::new() }));
    AppendUnit::evidence(tenant.clone(), std::iter::repeat_with(new).take(UNIT).collect())
}

/// Entries a second of callers that each wait for their answers, spread over stores (processes) and logs (tenants).
async fn append(stores: &[Store], clock: &SharedClock, logs: usize, seconds: u64) -> f64 {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS * 8 {
        let (store, clock) = (stores[caller % stores.len()].clone(), Arc::clone(clock));
        let tenant = TenantId::trusted(format!("log-{}", caller % logs));
        callers.spawn(async move {
            let mut written = 0_u32;
            while Instant::now() < end {
                store.append(unit(&clock, &tenant)).await.expect("acknowledged");
                written += 1;
            }
            written
        });
    }
    let units: u32 = callers.join_all().await.into_iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = f64::from(units) * UNIT as f64 / seconds as f64;
    rate
}

/// The store alone: one log and sixteen, one process and, on PostgreSQL, two.
async fn appends(name: &str, chained: &str, unchained: &str, seconds: u64) {
    let (on, clock) = store(chained, true).await;
    let (off, _) = store(unchained, false).await;
    for logs in [1, 16] {
        let (mut rates, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let with = append(std::slice::from_ref(&on), &clock, logs, seconds).await;
            ratios.push(with / append(std::slice::from_ref(&off), &clock, logs, seconds).await);
            rates.push(with);
        }
        println!(
            "{name}: append, {logs} log(s): {:.0} entries/s, {:.2} of the rate without the ledger",
            median(rates),
            median(ratios)
        );
    }
    if chained.starts_with("postgres") {
        let (second, _) = store(chained, true).await;
        let both = [on, second];
        for logs in [1, 16] {
            let mut ratios = Vec::new();
            for _ in 0..ROUNDS {
                let two = append(&both, &clock, logs, seconds).await;
                ratios.push(two / append(&both[..1], &clock, logs, seconds).await);
            }
            println!("{name}: append, {logs} log(s), two processes: {:.2} of the rate of one", median(ratios));
        }
    }
}

/// Latency of one mutation after the other.
async fn mutation(name: &str, server: &Server, seconds: u64) {
    let query = r#"mutation { recordLlmRun(input: { provider: "openai", model: "gpt-4o", executionStatus: SUCCEEDED,
        startedAt: "2026-11-21T00:00:00Z", inputTokens: 1, outputTokens: 1 }) { run { id } } }"#;
    let request = post("/graphql", &server.token, &serde_json::json!({ "query": query }).to_string());
    let (mut p50s, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let measured = round(server.address, &request, 1, Duration::from_secs(seconds)).await;
        p50s.push(measured.percentile(0.5));
        rates.push(measured.rate);
    }
    let (p50, rate) = (median(p50s), median(rates));
    println!("{name}: one recordLlmRun after the other: p50 {p50:.2} ms, {rate:.0}/s");
}

fn main() {
    let Ok(pairs) = std::env::var("BENCH_PAIRS") else {
        return println!("BENCH_PAIRS names no empty databases: run benches/write.sh");
    };
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for pair in pairs.split_whitespace() {
        let (name, urls) = pair.split_once('=').expect("name=chained,unchained");
        let (chained, unchained) = urls.split_once(',').expect("name=chained,unchained");
        runtime.block_on(async {
            let (on, on_store) = serve(chained, true, axum::Router::new()).await;
            let (off, off_store) = serve(unchained, false, axum::Router::new()).await;
            for spans in [10, 100] {
                otlp(name, &on, &off, spans, seconds).await;
            }
            mutation(name, &on, seconds).await;
            on_store.close().await;
            off_store.close().await;
            appends(name, chained, unchained, seconds.min(3)).await;
        });
    }
}
