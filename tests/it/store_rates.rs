//! Rates of the store alone, for the record: `TEST_POSTGRES_FSYNC=1 cargo test --profile dist --test it
//! store_rates -- --ignored --nocapture --test-threads 1`. Nothing is asserted but that everything was written.

use std::sync::Arc;
use std::time::Instant;

use runledger::domain::append::StepFacts;
use runledger::domain::filter::{LlmRunFilter, LlmRunOrder};
use runledger::domain::page::PageRequest;
use runledger::domain::run::LlmRun;
use runledger::domain::trace::StepFilter;
use runledger::store::Store;

use crate::support::db::TestDb;
use crate::support::opened::Opened;
use crate::support::seed::{self, ROOT, Unit, all_new, digest, scope, trace, trace_id};

/// A step as instrumentations send it: about 1.5 kB of attributes.
fn unit<'c>(db: &'c TestDb, name: &str, steps: usize) -> Unit<'c> {
    let attributes = format!("{{\"gen_ai.input.messages\":\"{}\"}}", "lorem ipsum ".repeat(125));
    let mut unit = Unit::of("acme", &db.clock).trace(trace(name)).touch(name, ROOT);
    for span in 0..steps {
        let facts = StepFacts { digest: digest(1), text: "{\"in\":120,\"out\":48,\"scope\":\"openai\"}".to_owned() };
        let step = runledger::domain::trace::TraceStep {
            model: Some("gpt-4o-2024-08-06".to_owned()),
            provider: Some("openai".to_owned()),
            parent_span_id: Some("00f067aa0ba902b7".to_owned()),
            input_tokens: Some(120),
            output_tokens: Some(48),
            input_hash: Some(digest(2)),
            output_hash: Some(digest(3)),
            ..seed::step(name, &format!("{span:016x}"))
        };
        unit = unit.step_with(step, facts, Some(&attributes));
    }
    unit
}

/// CPU seconds of this process so far, from Linux's accounting; PostgreSQL's own are not in it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Appends traces from several callers, each waiting for its answers; the seconds it took.
async fn write(db: &Arc<TestDb>, store: &Store, prefix: &str, traces: usize, steps: usize, callers: usize) -> f64 {
    let mut ready = vec![Vec::new(); callers];
    for number in 0..traces {
        ready[number % callers].push(unit(db, &format!("{prefix}-{number:032x}"), steps).unit);
    }
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for units in ready {
        let store = store.clone();
        tasks.spawn(async move {
            for unit in units {
                all_new(store.append(unit).await.expect("written"));
            }
        });
    }
    tasks.join_all().await;
    started.elapsed().as_secs_f64()
}

db_test! {
    #[ignore = "a measurement: takes a minute in a release build"]
    async fn append_and_hot_path(db: TestDb) {
        let db = Arc::new(db);
        let store = db.store().await;
        write(&db, &store, "warm", 100, 10, 8).await;
        for (traces, steps, callers) in [(6_000, 10, 8), (6_000, 10, 64), (600, 100, 8), (4_000, 1, 64)] {
            let cpu = cpu_seconds();
            let seconds = write(&db, &store, &format!("{steps}x{callers}"), traces, steps, callers).await;
            let count = f64::from(u32::try_from(traces * steps).expect("small"));
            let (rate, cpu) = (count / seconds, (cpu_seconds() - cpu) / count * 1e6);
            println!("{:?}: {callers} callers, {steps} steps a unit: {rate:.0} steps/s, {cpu:.0} us CPU a step", db.backend);
        }
        let runs = (0..2_000).fold(Unit::of("acme", &db.clock), |unit, number| {
            let name = format!("10x64-{number:032x}");
            unit.run(LlmRun { trace_id: Some(trace_id(&name)), ..seed::run(&name) })
        });
        all_new(store.append(runs.unit).await.expect("written"));
        let rounds = 60_u32;
        for callers in [1, 16_u32] {
            let mut tasks = tokio::task::JoinSet::new();
            let (started, cpu) = (Instant::now(), cpu_seconds());
            for _ in 0..callers {
                let store = store.clone();
                tasks.spawn(async move {
                    for _ in 0..rounds {
                        read(&store).await;
                    }
                });
            }
            tasks.join_all().await;
            let pages = f64::from(callers * rounds);
            let (rate, cpu) = (pages / started.elapsed().as_secs_f64(), (cpu_seconds() - cpu) / pages * 1e6);
            println!("{:?}: {callers} readers: {rate:.0} pages of 50 runs x 10 steps a second, {cpu:.0} us CPU each", db.backend);
        }
        store.close().await;
    }
}

/// The hot path: runs, their traces, ten steps of each.
async fn read(store: &Store) {
    let (scope, page) = (scope("acme"), PageRequest::first(50));
    let runs = store
        .list_runs(&scope, &LlmRunFilter::default(), LlmRunOrder::default(), &page, None)
        .await
        .expect("runs")
        .opened();
    let ids: Vec<_> = runs.rows.iter().filter_map(|row| row.item.trace_id.clone()).collect();
    let traces = store.traces_by_trace_id(&scope, &ids).await.expect("traces").opened();
    let steps = store
        .steps_by_trace_id(&scope, &ids, &StepFilter::default(), &PageRequest::first(10))
        .await
        .expect("steps")
        .opened();
    assert_eq!((traces.len(), steps.values().map(|page| page.rows.len()).sum::<usize>()), (50, 500));
}
