//! Lists of audit entries against a model in memory: every filter and order, both logs, both ways, ties and nulls.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use runledger::domain::audit::AuditEntry;
use runledger::domain::filter::{AuditFilter, AuditOrder, AuditSort, TimeRange};
use runledger::domain::page::{AsOf, Count, Direction, PageRequest};
use runledger::domain::vocabulary::{ActorType, AuditAction, AuditCategory, AuditEntityType, Stream, Verdict};

use crate::support::audit::{entry, write};
use crate::support::opened::Opened;
use crate::support::seed::{at, run_id, scope};

const NAMES: [&str; 3] = ["a", "B", "\u{e9}"];
/// What filters ask for: some of it is on no record, or cannot be.
const WANTED: [&str; 5] = ["a", "B", "\u{e9}", "A", "a\0"];
const EVIDENCE: [AuditCategory; 5] = [
    AuditCategory::Governance,
    AuditCategory::Identity,
    AuditCategory::Authorization,
    AuditCategory::Integrity,
    AuditCategory::Export,
];

fn sample<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).expect("a value").current()
}

fn name() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(str::to_owned)
}

fn some_name() -> impl Strategy<Value = Option<String>> {
    prop::option::of(name())
}

/// Few distinct values, so that ties and nulls are everywhere.
fn entries() -> impl Strategy<Value = AuditEntry> {
    let words = (
        select(AuditCategory::ALL),
        select(AuditEntityType::ALL),
        select(ActorType::ALL),
        prop::option::of(select(Verdict::ALL)),
        prop::option::of(select(AuditAction::ALL)),
    );
    let texts = (name(), name(), some_name(), some_name(), some_name(), some_name(), some_name(), name());
    (words, texts, 0..4_i64).prop_map(|(words, texts, second)| AuditEntry {
        entity_type: words.1,
        actor_type: words.2,
        verdict: words.3,
        action: words.4,
        entity_id: texts.1,
        actor_id: texts.2,
        policy_id: texts.3,
        rule_id: texts.4,
        run_id: texts.5.map(|name| run_id(&name)),
        correlation_id: texts.6,
        source_component: texts.7,
        occurred_at: at(second),
        ..entry(words.0, &texts.0)
    })
}

fn names() -> impl Strategy<Value = Option<Vec<String>>> {
    prop::option::weighted(0.15, prop::collection::vec(select(&WANTED[..]).prop_map(str::to_owned), 0..3))
}

fn words<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = Option<Vec<T>>> {
    prop::option::weighted(0.15, subsequence(all, 0..=all.len()))
}

fn times() -> impl Strategy<Value = Option<TimeRange>> {
    let end = || prop::option::of((0..5_i64).prop_map(at));
    prop::option::weighted(0.2, (end(), end()).prop_map(|(from, to)| TimeRange { from, to }))
}

fn filters() -> impl Strategy<Value = AuditFilter> {
    let categories = prop_oneof![
        Just(None),
        subsequence(&EVIDENCE[..], 0..=5).prop_map(Some),
        Just(Some(vec![AuditCategory::Access])),
    ];
    let texts = (names(), names(), names(), names(), names(), names(), names());
    let runs = prop::option::weighted(0.15, subsequence(&NAMES[..], 0..=3));
    let vocabularies =
        (words(AuditEntityType::ALL), words(ActorType::ALL), words(Verdict::ALL), words(AuditAction::ALL));
    (categories, texts, runs, vocabularies, times()).prop_map(|(categories, texts, runs, words, occurred_at)| {
        AuditFilter {
            categories,
            event_types: texts.0,
            entity_types: words.0,
            entity_ids: texts.1,
            actor_types: words.1,
            actor_ids: texts.2,
            verdicts: words.2,
            actions: words.3,
            policy_ids: texts.3,
            rule_ids: texts.4,
            run_ids: runs.map(|names| names.into_iter().map(run_id).collect()),
            correlation_ids: texts.5,
            source_components: texts.6,
            occurred_at,
            created_at: None,
        }
    })
}

fn has<T: PartialEq>(wanted: Option<&Vec<T>>, value: Option<&T>) -> bool {
    wanted.is_none_or(|wanted| value.is_some_and(|value| wanted.contains(value)))
}

fn fits(entry: &AuditEntry, filter: &AuditFilter) -> bool {
    let TimeRange { from, to } = filter.occurred_at.unwrap_or_default();
    has(filter.categories.as_ref(), Some(&entry.category))
        && has(filter.event_types.as_ref(), Some(&entry.event_type))
        && has(filter.entity_types.as_ref(), Some(&entry.entity_type))
        && has(filter.entity_ids.as_ref(), Some(&entry.entity_id))
        && has(filter.actor_types.as_ref(), Some(&entry.actor_type))
        && has(filter.actor_ids.as_ref(), entry.actor_id.as_ref())
        && has(filter.verdicts.as_ref(), entry.verdict.as_ref())
        && has(filter.actions.as_ref(), entry.action.as_ref())
        && has(filter.policy_ids.as_ref(), entry.policy_id.as_ref())
        && has(filter.rule_ids.as_ref(), entry.rule_id.as_ref())
        && has(filter.run_ids.as_ref(), entry.run_id.as_ref())
        && has(filter.correlation_ids.as_ref(), entry.correlation_id.as_ref())
        && has(filter.source_components.as_ref(), Some(&entry.source_component))
        && from.is_none_or(|from| entry.occurred_at >= from)
        && to.is_none_or(|to| entry.occurred_at < to)
}

/// Places in the log of the entries that a list shows, in its order.
fn expected(log: &[AuditEntry], filter: &AuditFilter, order: AuditOrder, as_of: Option<AsOf>) -> Vec<i64> {
    let seen = as_of.map_or(i64::MAX, |as_of| as_of.size);
    let mut places: Vec<(i64, i64)> = (0..)
        .zip(log)
        .filter(|(seq, entry)| *seq < seen && fits(entry, filter))
        .map(|(seq, entry)| (if order.sort == AuditSort::Seq { seq } else { entry.occurred_at.as_micros() }, seq))
        .collect();
    places.sort_unstable();
    if order.direction == Direction::Desc {
        places.reverse();
    }
    places.into_iter().map(|(_, seq)| seq).collect()
}

db_test! {
    async fn entries_come_as_the_model_says_from_either_log(db: TestDb) {
        let store = db.store().await;
        let scope = scope("acme");
        let mut runner = TestRunner::deterministic();
        let all: Vec<AuditEntry> = (0..110).map(|_| sample(&mut runner, &entries())).collect();
        // Another tenant has the same entries; nobody must see them.
        for tenant in ["acme", "zeta"] {
            write(&store, &db.clock, tenant, all.clone(), None).await;
        }
        let (evidence, access): (Vec<_>, Vec<_>) = all.into_iter().partition(|entry| AuditEntry::stream(entry.category) == Stream::Evidence);
        for case in 0..150 {
            let filter = if case < 6 { AuditFilter::default() } else { sample(&mut runner, &filters()) };
            let order = AuditOrder {
                sort: [AuditSort::Seq, AuditSort::OccurredAt][case % 2],
                direction: sample(&mut runner, &select(&[Direction::Asc, Direction::Desc][..])),
            };
            let stream = filter.stream().expect("of one log");
            let as_of = sample(&mut runner, &prop::option::of((0..=110_i64).prop_map(|size| AsOf { size })));
            let log = if stream == Stream::Access { &access } else { &evidence };
            let expected = expected(log, &filter, order, as_of);
            let count = store.count_audit_entries(&scope, &filter, as_of, 15).await.expect("counted").opened();
            assert_eq!(count, Count::capped(i64::try_from(expected.len()).expect("small"), 15), "{filter:?}");
            for is_backward in [false, true] {
                let mut page = PageRequest { is_backward, ..PageRequest::first(sample(&mut runner, &(1..30_u32))) };
                let mut walked: Vec<i64> = Vec::new();
                loop {
                    let got = store.list_audit_entries(&scope, &filter, order, &page, as_of).await.expect("listed").opened();
                    for row in &got.rows {
                        assert_eq!(row.item.record, log[usize::try_from(row.item.seq).expect("small")]);
                    }
                    let seqs = got.rows.iter().map(|row| row.position.seq);
                    let (more, edge) = match is_backward {
                        true => { walked.splice(0..0, seqs); (got.has_previous_page, got.rows.first()) }
                        false => { walked.extend(seqs); (got.has_next_page, got.rows.last()) }
                    };
                    let edge = edge.map(|row| row.position);
                    if is_backward { page.before = edge } else { page.after = edge }
                    if !more {
                        break;
                    }
                }
                assert_eq!(walked, expected, "backward: {is_backward}, {filter:?} {order:?} {as_of:?}");
            }
        }
        store.close().await;
    }
}
