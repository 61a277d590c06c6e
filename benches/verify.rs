//! Full verification, entries a second: traces of ten steps with their seals and runs, without payloads.
//!
//!     benches/verify.sh                            makes fresh databases on both kinds and runs this
//!
//! `BENCH_DATABASES` names databases, `name=url`, separated by spaces; an empty one is filled with `BENCH_ENTRIES` entries
//! first (200,000). Leaves are rebuilt from the columns, as `runledger verify database --full` does.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark reports on stdout or fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use runledger::clock::{SharedClock, SystemClock};
use runledger::domain::append::{AppendUnit, New, StepFacts};
use runledger::domain::ids::{Digest, RunId, TenantId, TraceId};
use runledger::domain::record::NewRecord;
use runledger::domain::settle::SettlePolicy;
use runledger::domain::trace::{Trace, TraceSeal, TraceStep};
use runledger::domain::verification::{VerificationMode, VerificationStatus};
use runledger::domain::vocabulary::{ExecutionStatus, OutcomeCategory, StepKind, StepStatus};
use runledger::facade::verify::look::{Looker, unwatched};
use runledger::store::{LedgerConfig, Store, StoreConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
/// Traces of one unit, 12 records each.
const TRACES: usize = 40;
const STEPS: usize = 10;

fn trace(clock: &SharedClock, trace_id: &TraceId) -> NewRecord {
    let record = Trace {
        trace_id: trace_id.clone(),
        run_id: RunId::trusted(trace_id.as_str()),
        agent_id: Some("planner".to_owned()),
        parent_run_id: None,
        correlation_id: None,
        plan_hash: None,
        seed: None,
        frozen_at: None,
        schema_version: "1".to_owned(),
        replay_mode: None,
        is_synthetic: false,
        synthetic_scenario_id: None,
        service_name: Some("checkout".to_owned()),
        service_instance_id: Some("checkout-7f9c".to_owned()),
        service_version: Some("1.4.2".to_owned()),
        environment: Some("production".to_owned()),
        started_at: clock.now(),
        plan_commitment: None,
    };
    NewRecord::Trace(Box::new(New { id: clock.new_id(), record, payloads: Vec::new() }))
}

fn step(clock: &SharedClock, trace_id: &TraceId, at: usize) -> NewRecord {
    let record = TraceStep {
        trace_id: trace_id.clone(),
        caller_index: None,
        span_id: format!("{at:016x}"),
        parent_span_id: (at > 0).then(|| format!("{:016x}", at - 1)),
        attempt: 1,
        kind: StepKind::Llm,
        skill_name: "chat gpt-4o".to_owned(),
        status: StepStatus::Success,
        outcome_category: OutcomeCategory::Success,
        outcome_code: None,
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        response_id: Some(format!("chatcmpl-{at:024}")),
        input_tokens: Some(1_234),
        output_tokens: Some(321),
        cost_micros: Some(6_295),
        started_at: clock.now(),
        duration_us: 1_234_567,
        input_hash: Some(Digest([1; 32])),
        output_hash: Some(Digest([2; 32])),
        idempotency_key: None,
        duplicate_of: None,
        attributes_commitment: None,
        content_commitment: None,
    };
    let facts = StepFacts { digest: Digest([3; 32]), text: "{}".to_owned() };
    NewRecord::Step(Box::new(New { id: clock.new_id(), record, payloads: Vec::new() }), facts)
}

fn seal(clock: &SharedClock, trace_id: &TraceId) -> NewRecord {
    let record = TraceSeal {
        trace_id: trace_id.clone(),
        revision: 1,
        status: ExecutionStatus::Succeeded,
        reason: None,
        step_count: 10,
        root_hash: Digest([4; 32]),
        ended_at: clock.now(),
        metadata_commitment: None,
    };
    NewRecord::Seal(Box::new(New { id: clock.new_id(), record, payloads: Vec::new() }))
}

async fn fill(store: &Store, clock: &SharedClock, tenant: &TenantId, entries: i64) {
    let units = usize::try_from(entries).expect("a number").div_ceil(TRACES * (STEPS + 2));
    for unit in 0..units {
        let mut records = Vec::new();
        for at in 0..TRACES {
            let trace_id = TraceId::trusted(format!("{:032x}", unit * TRACES + at));
            records.push(trace(clock, &trace_id));
            records.extend((0..STEPS).map(|at| step(clock, &trace_id, at)));
            records.push(seal(clock, &trace_id));
        }
        store.append(AppendUnit::evidence(tenant.clone(), records)).await.expect("acknowledged");
    }
}

async fn verify(name: &str, url: &str, entries: i64) {
    let clock: SharedClock = Arc::new(SystemClock);
    let config = StoreConfig {
        database_url: url.to_owned(),
        migrate: true,
        pool_size: 8,
        settle: SettlePolicy { settle_us: i64::MAX, settle_remote_us: i64::MAX, timeout_us: i64::MAX },
        queue_records: 10_000,
        ledger: LedgerConfig::of("bench"),
    };
    let store = Store::connect(config, Arc::clone(&clock)).await.expect("a database");
    let tenant = TenantId::trusted("bench");
    if store.log_heads(Some(&tenant)).await.expect("a database").is_empty() {
        fill(&store, &clock, &tenant, entries).await;
    }
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let looker = Looker {
            store: store.clone(),
            clock: clock.clone(),
            trusted: BTreeMap::new(),
            mode: VerificationMode::Full,
            originals: Vec::new(),
            progress: unwatched(),
        };
        let begun = Instant::now();
        let looks = looker.tenant(&tenant).await.expect("a look");
        let elapsed = begun.elapsed().as_secs_f64();
        assert!(looks.iter().all(|look| look.verification.status == VerificationStatus::Valid), "{looks:?}");
        let covered: i64 = looks.iter().map(|look| look.verification.entry_count).sum();
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        rates.push(covered as f64 / elapsed);
    }
    rates.sort_by(f64::total_cmp);
    println!("{name}: full verification, {:.0} entries/s", rates[ROUNDS / 2]);
    store.close().await;
}

fn main() {
    let Ok(databases) = std::env::var("BENCH_DATABASES") else {
        return println!("BENCH_DATABASES names no databases: run benches/verify.sh");
    };
    let entries = std::env::var("BENCH_ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for database in databases.split_whitespace() {
        let (name, url) = database.split_once('=').expect("name=url");
        runtime.block_on(verify(name, url, entries));
    }
}
