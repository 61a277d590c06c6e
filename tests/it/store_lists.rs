//! Lists against a model in memory: every order and filter, both ways, ties and nulls, revisions, moments of the log.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use runledger::domain::filter::{
    LlmRunFilter, LlmRunOrder, LlmRunSort, NumberRange, TimeRange, TraceFilter, TraceOrder, TraceSort,
};
use runledger::domain::page::{AsOf, Count, Direction, Page, PageRequest};
use runledger::domain::run::LlmRun;
use runledger::domain::trace::{Trace, TraceSeal};
use runledger::domain::vocabulary::{ExecutionStatus, RecordSource, TraceStatus};

use crate::support::opened::Opened;
use crate::support::seed::{self, Unit, all_new, at, run_id, scope, trace_id};

const NAMES: [&str; 3] = ["a", "B", "\u{e9}"];
/// What filters ask for: some of it is on no record, or cannot be.
const WANTED: [&str; 5] = ["a", "B", "\u{e9}", "A", "a\0"];
const SORTS: [LlmRunSort; 5] =
    [LlmRunSort::Seq, LlmRunSort::StartedAt, LlmRunSort::Duration, LlmRunSort::Cost, LlmRunSort::TotalTokens];

fn sample<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

fn name() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(str::to_owned)
}

fn some_name() -> impl Strategy<Value = Option<String>> {
    prop::option::of(name())
}

fn names() -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::weighted(0.12, prop::collection::vec(select(&WANTED[..]).prop_map(str::to_owned), 0..3))
}

fn numbers() -> impl Strategy<Value = Option<NumberRange>> {
    let range =
        (prop::option::of(0..4_i64), prop::option::of(0..4_i64)).prop_map(|(min, max)| NumberRange { min, max });
    prop::option::weighted(0.12, range)
}

fn times() -> impl Strategy<Value = Option<TimeRange>> {
    let end = || prop::option::of((0..4_i64).prop_map(at));
    prop::option::weighted(0.12, (end(), end()).prop_map(|(from, to)| TimeRange { from, to }))
}

fn words<T: Clone + Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = Option<Vec<T>>> {
    prop::option::weighted(0.12, subsequence(all, 0..=all.len()))
}

/// Few distinct values, so that ties and nulls are everywhere.
fn runs() -> impl Strategy<Value = LlmRun> {
    let texts = (some_name(), some_name(), some_name(), some_name(), some_name(), some_name(), name(), name());
    let numbers = (0..3_i64, 0..3_i64, prop::option::of(0..3_i64), 0..3_i64, prop::option::of(0..3_i64));
    let rest = (
        select(ExecutionStatus::ALL),
        select(RecordSource::ALL),
        any::<bool>(),
        subsequence(&NAMES[..], 0..=3),
        some_name(),
        prop::option::of(select(&["t1", "t2"][..])),
    );
    (texts, numbers, rest).prop_map(|(texts, (input, output, cost, start, took), rest)| LlmRun {
        name: texts.0,
        agent_id: texts.1,
        session_id: texts.2,
        end_user_id: texts.3,
        service_name: texts.4,
        environment: texts.5,
        provider: texts.6,
        model: texts.7,
        input_tokens: input,
        output_tokens: output,
        cost_micros: cost,
        started_at: at(start),
        completed_at: took.map(|micros| at(start).plus_micros(micros)),
        execution_status: rest.0,
        source: rest.1,
        is_synthetic: rest.2,
        tags: rest.3.into_iter().map(str::to_owned).collect(),
        correlation_id: rest.4,
        trace_id: rest.5.map(trace_id),
        ..seed::run("x")
    })
}

fn run_filters() -> impl Strategy<Value = LlmRunFilter> {
    let texts = (names(), names(), names(), names(), names(), names(), names(), names(), names(), names());
    let run_ids =
        prop::option::weighted(0.1, prop::collection::vec((0..80_u32).prop_map(|n| run_id(&n.to_string())), 0..40));
    let traces = prop::option::weighted(0.1, subsequence(&["t1", "t2", "t3"][..], 0..=3));
    let ranges = (times(), times(), numbers(), numbers(), numbers(), numbers(), numbers());
    let rest = (words(ExecutionStatus::ALL), words(RecordSource::ALL), prop::option::weighted(0.1, any::<bool>()));
    (texts, run_ids, traces, ranges, rest).prop_map(|(texts, run_ids, traces, ranges, rest)| LlmRunFilter {
        run_ids,
        trace_ids: traces.map(|names| names.into_iter().map(trace_id).collect()),
        names: texts.0,
        agent_ids: texts.1,
        session_ids: texts.2,
        end_user_ids: texts.3,
        tags: texts.4,
        service_names: texts.5,
        environments: texts.6,
        providers: texts.7,
        models: texts.8,
        correlation_ids: texts.9,
        execution_statuses: rest.0,
        sources: rest.1,
        is_synthetic: rest.2,
        started_at: ranges.0,
        completed_at: ranges.1,
        input_tokens: ranges.2,
        output_tokens: ranges.3,
        total_tokens: ranges.4,
        cost_micros: ranges.5,
        duration_us: ranges.6.map(|range| NumberRange { min: range.min, max: range.max }),
    })
}

fn has<T: PartialEq>(wanted: Option<&Vec<T>>, value: Option<&T>) -> bool {
    wanted.is_none_or(|wanted| value.is_some_and(|value| wanted.contains(value)))
}

fn within(range: Option<NumberRange>, value: Option<i64>) -> bool {
    let NumberRange { min, max } = range.unwrap_or_default();
    (min.is_none() || value >= min) && (max.is_none() || value.is_some_and(|value| Some(value) <= max))
}

fn during(range: Option<TimeRange>, value: Option<runledger::domain::time::Timestamp>) -> bool {
    let TimeRange { from, to } = range.unwrap_or_default();
    (from.is_none() || value >= from) && (to.is_none() || value.is_some_and(|value| Some(value) < to))
}

fn run_fits(run: &LlmRun, filter: &LlmRunFilter) -> bool {
    has(filter.run_ids.as_ref(), Some(&run.run_id))
        && has(filter.trace_ids.as_ref(), run.trace_id.as_ref())
        && has(filter.names.as_ref(), run.name.as_ref())
        && has(filter.agent_ids.as_ref(), run.agent_id.as_ref())
        && has(filter.session_ids.as_ref(), run.session_id.as_ref())
        && has(filter.end_user_ids.as_ref(), run.end_user_id.as_ref())
        && filter.tags.as_ref().is_none_or(|tags| tags.iter().any(|tag| run.tags.contains(tag)))
        && has(filter.service_names.as_ref(), run.service_name.as_ref())
        && has(filter.environments.as_ref(), run.environment.as_ref())
        && has(filter.providers.as_ref(), Some(&run.provider))
        && has(filter.models.as_ref(), Some(&run.model))
        && has(filter.correlation_ids.as_ref(), run.correlation_id.as_ref())
        && has(filter.execution_statuses.as_ref(), Some(&run.execution_status))
        && has(filter.sources.as_ref(), Some(&run.source))
        && filter.is_synthetic.is_none_or(|wanted| wanted == run.is_synthetic)
        && during(filter.started_at, Some(run.started_at))
        && during(filter.completed_at, run.completed_at)
        && within(filter.input_tokens, Some(run.input_tokens))
        && within(filter.output_tokens, Some(run.output_tokens))
        && within(filter.total_tokens, Some(run.input_tokens + run.output_tokens))
        && within(filter.cost_micros, run.cost_micros)
        && within(filter.duration_us, run.duration_us())
}

/// Places of the runs that a list shows, in its order.
fn expected_runs(runs: &[LlmRun], filter: &LlmRunFilter, order: LlmRunOrder, as_of: Option<AsOf>) -> Vec<usize> {
    let seen = &runs[..as_of.map_or(runs.len(), |as_of| usize::try_from(as_of.size).expect("small"))];
    let is_newest =
        |run: &LlmRun| !seen.iter().any(|other| other.run_id == run.run_id && other.revision > run.revision);
    let mut places: Vec<usize> =
        (0..seen.len()).filter(|place| is_newest(&seen[*place]) && run_fits(&seen[*place], filter)).collect();
    places.sort_by_key(|place| {
        let run = &seen[*place];
        let place = i64::try_from(*place).expect("small");
        let key = match order.sort {
            LlmRunSort::Seq => Some(place),
            LlmRunSort::StartedAt => Some(run.started_at.as_micros()),
            LlmRunSort::Duration => run.duration_us(),
            LlmRunSort::Cost => run.cost_micros,
            LlmRunSort::TotalTokens => Some(run.input_tokens + run.output_tokens),
        };
        let sign = if order.direction == Direction::Asc { 1 } else { -1 };
        (key.is_none(), key.map(|key| key * sign), place * sign)
    });
    places
}

/// Reads a whole list page by page, both ways, and compares it with what it must show.
macro_rules! check_walk {
    ($expected:expr, $size:expr, $case:expr, |$page:ident| $read:expr) => {{
        for is_backward in [false, true] {
            let mut $page = PageRequest { is_backward, ..PageRequest::first($size) };
            let mut walked = Vec::new();
            loop {
                let got: Page<_> = $read;
                assert!(got.rows.len() <= usize::try_from($size).expect("small"));
                let seqs = got.rows.iter().map(|row| row.position.seq);
                let (more, edge) = if is_backward {
                    walked.splice(0..0, seqs);
                    (got.has_previous_page, got.rows.first())
                } else {
                    walked.extend(seqs);
                    (got.has_next_page, got.rows.last())
                };
                let edge = edge.map(|row| row.position);
                match is_backward {
                    true => $page.before = edge,
                    false => $page.after = edge,
                }
                if !more {
                    break;
                }
            }
            assert_eq!(walked, $expected, "backward: {is_backward}, {:?}", $case);
        }
    }};
}

db_test! {
    async fn runs_come_as_the_model_says(db: TestDb) {
        let store = db.store().await;
        let scope = scope("acme");
        let mut runner = TestRunner::deterministic();
        let mut model: Vec<LlmRun> = Vec::new();
        for place in 0..90 {
            let mut run = sample(&mut runner, &runs());
            // Every fourth is a further revision of an earlier one.
            let earlier = (place % 4 == 3).then(|| model[place / 2].run_id.clone());
            run.run_id = earlier.unwrap_or_else(|| run_id(&place.to_string()));
            run.revision = 1 + model.iter().filter(|other| other.run_id == run.run_id).map(|other| other.revision).max().unwrap_or(0);
            model.push(run);
        }
        // Another tenant has the same runs; nobody must see them.
        for tenant in ["acme", "zeta"] {
            let unit = model.iter().fold(Unit::of(tenant, &db.clock), |unit, run| unit.run(run.clone()));
            all_new(store.append(unit.unit).await.expect("written"));
        }
        for case in 0..160 {
            let filter = if case < 20 { LlmRunFilter::default() } else { sample(&mut runner, &run_filters()) };
            let direction = sample(&mut runner, &select(&[Direction::Asc, Direction::Desc][..]));
            let order = LlmRunOrder { sort: SORTS[case % SORTS.len()], direction };
            let as_of = sample(&mut runner, &prop::option::of((0..=90_i64).prop_map(|size| AsOf { size })));
            let expected = expected_runs(&model, &filter, order, as_of);
            let size = sample(&mut runner, &(1..40_u32));
            let count = store.count_runs(&scope, &filter, as_of, 20).await.expect("counted").opened();
            let seqs: Vec<i64> = expected.iter().map(|place| i64::try_from(*place).expect("small")).collect();
            assert_eq!(count, Count::capped(i64::try_from(seqs.len()).expect("small"), 20), "{filter:?}");
            check_walk!(seqs, size, (&filter, order, as_of), |page| {
                let got = store.list_runs(&scope, &filter, order, &page, as_of).await.expect("listed").opened();
                for row in &got.rows {
                    assert_eq!(row.item.record, model[usize::try_from(row.item.seq).expect("small")]);
                }
                got
            });
        }
        store.close().await;
    }
}

fn traces() -> impl Strategy<Value = (Trace, Vec<ExecutionStatus>)> {
    let trace = (some_name(), some_name(), some_name(), prop::option::of(0..3_i64), 0..3_i64);
    let seals = prop::collection::vec(select(ExecutionStatus::ALL), 0..3);
    (trace, seals).prop_map(|((agent_id, plan_hash, service_name, seed, start), seals)| {
        let started_at = at(start);
        (Trace { agent_id, plan_hash, service_name, seed, started_at, ..seed::trace("x") }, seals)
    })
}

fn trace_filters() -> impl Strategy<Value = TraceFilter> {
    let seeds = prop::option::weighted(0.12, prop::collection::vec(0..4_i64, 0..3));
    let ids =
        prop::option::weighted(0.1, prop::collection::vec((0..60_u32).prop_map(|n| trace_id(&n.to_string())), 0..30));
    let statuses = prop::option::weighted(0.5, subsequence(TraceStatus::ALL, 0..=2));
    (names(), names(), names(), seeds, ids, statuses, times()).prop_map(|parts| TraceFilter {
        trace_ids: parts.4,
        statuses: parts.5,
        agent_ids: parts.0,
        plan_hashes: parts.1,
        seeds: parts.3,
        started_at: parts.6,
        service_names: parts.2,
    })
}

/// A record of the model's log.
enum Entry {
    Trace(Box<Trace>),
    Seal(TraceSeal),
}

fn expected_traces(
    log: &[Entry],
    filter: &TraceFilter,
    order: TraceOrder,
    as_of: Option<AsOf>,
) -> Vec<(i64, TraceStatus)> {
    let seen = &log[..as_of.map_or(log.len(), |as_of| usize::try_from(as_of.size).expect("small"))];
    let status = |trace: &Trace| {
        let seals = seen.iter().filter_map(|entry| match entry {
            Entry::Seal(seal) if seal.trace_id == trace.trace_id => Some(seal),
            _ => None,
        });
        seals.max_by_key(|seal| seal.revision).map_or(TraceStatus::Running, |seal| seal.status.into())
    };
    let fits = |trace: &Trace| {
        has(filter.trace_ids.as_ref(), Some(&trace.trace_id))
            && has(filter.statuses.as_ref(), Some(&status(trace)))
            && has(filter.agent_ids.as_ref(), trace.agent_id.as_ref())
            && has(filter.plan_hashes.as_ref(), trace.plan_hash.as_ref())
            && has(filter.seeds.as_ref(), trace.seed.as_ref())
            && has(filter.service_names.as_ref(), trace.service_name.as_ref())
            && during(filter.started_at, Some(trace.started_at))
    };
    let mut rows = Vec::new();
    for (seq, entry) in (0_i64..).zip(seen) {
        if let Entry::Trace(trace) = entry
            && fits(trace)
        {
            let key = if order.sort == TraceSort::Seq { seq } else { trace.started_at.as_micros() };
            rows.push((key, seq, status(trace)));
        }
    }
    rows.sort_by_key(|(key, seq, _)| (*key, *seq));
    if order.direction == Direction::Desc {
        rows.reverse();
    }
    rows.into_iter().map(|(_, seq, status)| (seq, status)).collect()
}

db_test! {
    async fn traces_come_as_the_model_says(db: TestDb) {
        let store = db.store().await;
        let scope = scope("acme");
        let mut runner = TestRunner::deterministic();
        let mut log = Vec::new();
        for place in 0..60 {
            let (mut trace, seals) = sample(&mut runner, &traces());
            let name = place.to_string();
            trace.trace_id = trace_id(&name);
            log.push(Entry::Trace(Box::new(trace)));
            for (revision, status) in (1..).zip(seals) {
                log.push(Entry::Seal(TraceSeal { status, ..seed::seal(&name, revision) }));
            }
        }
        let unit = log.iter().fold(Unit::of("acme", &db.clock), |unit, entry| match entry {
            Entry::Trace(trace) => unit.trace(Trace::clone(trace)),
            Entry::Seal(seal) => unit.seal(seal.clone()),
        });
        all_new(store.append(unit.unit).await.expect("written"));
        let total = i64::try_from(log.len()).expect("small");
        for case in 0..120 {
            let filter = if case < 10 { TraceFilter::default() } else { sample(&mut runner, &trace_filters()) };
            let sort = [TraceSort::Seq, TraceSort::StartedAt][case % 2];
            let direction = sample(&mut runner, &select(&[Direction::Asc, Direction::Desc][..]));
            let order = TraceOrder { sort, direction };
            let as_of = sample(&mut runner, &prop::option::of((0..=total).prop_map(|size| AsOf { size })));
            let expected = expected_traces(&log, &filter, order, as_of);
            let size = sample(&mut runner, &(1..40_u32));
            let count = store.count_traces(&scope, &filter, as_of, 1_000).await.expect("counted").opened();
            assert_eq!(count, Count::capped(i64::try_from(expected.len()).expect("small"), 1_000));
            let seqs: Vec<i64> = expected.iter().map(|(seq, _)| *seq).collect();
            check_walk!(seqs, size, (&filter, order, as_of), |page| {
                let got = store.list_traces(&scope, &filter, order, &page, as_of).await.expect("listed").opened();
                for row in &got.rows {
                    let (_, status) = expected.iter().find(|(seq, _)| *seq == row.position.seq).expect("known");
                    assert_eq!(row.item.status(), *status, "as of {as_of:?}");
                }
                got
            });
        }
        store.close().await;
    }
}
