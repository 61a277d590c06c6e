//! Steps: pages of many traces at once, filters, counts, and a trace of 100,000 steps.

use runledger::domain::page::{PageRequest, Position};
use runledger::domain::trace::{StepFilter, StepGroup, TraceStep};
use runledger::domain::vocabulary::{StepKind, StepStatus};
use runledger::store::Store;
use sea_orm::DbBackend;

use crate::support::db::TestDb;
use crate::support::opened::Opened;
use crate::support::seed::{self, Unit, all_new, scope, seal, step, trace, trace_id};

/// Traces `a` with 9 steps, of which the last two are late, `b` with 2 and `c` without any; kinds and statuses alternate.
async fn seeded(db: &TestDb) -> Store {
    let store = db.store().await;
    let one = |trace: &str, index: usize| TraceStep {
        kind: [StepKind::Llm, StepKind::Tool, StepKind::Agent][index % 3],
        status: [StepStatus::Success, StepStatus::Failure][index % 2],
        ..step(trace, &format!("s{index}"))
    };
    let unit = Unit::of("acme", &db.clock).trace(trace("a")).trace(trace("b")).trace(trace("c"));
    // Interleaved, so that seq and step_index differ.
    let unit = (0..7).fold(unit, |unit, index| {
        let unit = unit.step(one("a", index));
        if index < 2 { unit.step(one("b", index)) } else { unit }
    });
    let unit = unit.seal(seal("a", 1)).step(one("a", 7)).step(one("a", 8));
    all_new(store.append(unit.unit).await.expect("written"));
    let other = Unit::of("zeta", &db.clock).trace(trace("a")).step(step("a", "other"));
    all_new(store.append(other.unit).await.expect("written"));
    store
}

async fn indexes(store: &Store, filter: &StepFilter, page: &PageRequest) -> String {
    let ids = ["a", "b", "c", "unknown", "a"].map(trace_id);
    let pages = store.steps_by_trace_id(&scope("acme"), &ids, filter, page).await.expect("pages").opened();
    let show = |name: &str| {
        let page = &pages[&trace_id(name)];
        let indexes: Vec<i64> = page.rows.iter().map(|row| row.item.step_index).collect();
        assert!(page.rows.iter().all(|row| row.position == Position { key: row.item.step_index, seq: row.item.seq }));
        let (previous, next) = (page.has_previous_page, page.has_next_page);
        format!("{name} {}{indexes:?}{}", if previous { "<" } else { "" }, if next { ">" } else { "" })
    };
    assert_eq!(pages.len(), 4);
    assert_eq!(show("unknown").replace("unknown", "c"), show("c"));
    format!("{} {} {}", show("a"), show("b"), show("c"))
}

db_test! {
    async fn a_page_of_each_trace(db: TestDb) {
        let store = seeded(&db).await;
        let (all, first) = (StepFilter::default(), PageRequest::first(3));
        let at = |key| Some(Position { key, seq: 0 });
        let last = PageRequest { is_backward: true, ..first.clone() };
        assert_eq!(indexes(&store, &all, &first).await, "a [0, 1, 2]> b [0, 1] c []");
        assert_eq!(indexes(&store, &all, &last).await, "a <[6, 7, 8] b [0, 1] c []");
        let after = PageRequest { after: at(5), ..first.clone() };
        assert_eq!(indexes(&store, &all, &after).await, "a <[6, 7, 8] b <[] c <[]");
        let before = PageRequest { before: at(4), ..last.clone() };
        assert_eq!(indexes(&store, &all, &before).await, "a <[1, 2, 3]> b [0, 1]> c []>");
        let between = PageRequest { after: at(0), before: at(3), ..first.clone() };
        assert_eq!(indexes(&store, &all, &between).await, "a <[1, 2]> b <[1]> c <[]>");
        let tools = StepFilter { kinds: vec![StepKind::Tool, StepKind::Agent], statuses: Vec::new() };
        assert_eq!(indexes(&store, &tools, &first).await, "a [1, 2, 4]> b [1] c []");
        assert_eq!(indexes(&store, &tools, &last).await, "a <[5, 7, 8] b [1] c []");
        let failed = StepFilter { kinds: vec![StepKind::Tool], statuses: vec![StepStatus::Failure] };
        assert_eq!(indexes(&store, &failed, &first).await, "a [1, 7] b [1] c []");
        assert_eq!(indexes(&store, &failed, &PageRequest::first(1)).await, "a [1]> b [1] c []");
        let statuses = StepFilter { kinds: Vec::new(), statuses: vec![StepStatus::Failure] };
        let before = PageRequest { before: at(6), ..last.clone() };
        assert_eq!(indexes(&store, &statuses, &before).await, "a [1, 3, 5]> b [1]> c []>");
        assert_eq!(indexes(&store, &all, &PageRequest::first(0)).await, "a []> b []> c []");
        store.close().await;
    }
}

db_test! {
    async fn counts_and_groups(db: TestDb) {
        let store = seeded(&db).await;
        let ids = ["a", "b", "unknown"].map(trace_id);
        let counts = store.count_steps_by_trace_id(&scope("acme"), &ids, &StepFilter::default()).await.expect("counts").opened();
        assert_eq!((counts.get(&ids[0]), counts.get(&ids[1]), counts.get(&ids[2])), (Some(&9), Some(&2), None));
        let failed = StepFilter { kinds: vec![StepKind::Tool, StepKind::Llm], statuses: vec![StepStatus::Failure] };
        let counts = store.count_steps_by_trace_id(&scope("acme"), &ids, &failed).await.expect("counts").opened();
        assert_eq!((counts.get(&ids[0]), counts.get(&ids[1])), (Some(&3), Some(&1)));
        let groups = store.step_groups_by_trace_id(&scope("acme"), &ids).await.expect("groups").opened();
        let group = |kind, status, count, late| StepGroup { kind, status, count, late };
        assert_eq!(
            groups[&ids[0]],
            [
                group(StepKind::Agent, StepStatus::Failure, 1, 0),
                group(StepKind::Agent, StepStatus::Success, 2, 1),
                group(StepKind::Llm, StepStatus::Failure, 1, 0),
                group(StepKind::Llm, StepStatus::Success, 2, 0),
                group(StepKind::Tool, StepStatus::Failure, 2, 1),
                group(StepKind::Tool, StepStatus::Success, 1, 0),
            ]
        );
        assert!(!groups.contains_key(&ids[2]));
        store.close().await;
    }
}

/// 100,000 steps of a trace, written past the store.
fn hundred_thousand_steps(backend: DbBackend) -> String {
    let (numbers, id, no) = match backend {
        DbBackend::Postgres => ("generate_series(0, 99999) AS n(n)", "gen_random_uuid()", "FALSE"),
        _ => {
            let numbers =
                "(WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 99999) SELECT n FROM n) n";
            (numbers, "randomblob(16)", "0")
        }
    };
    format!(
        "INSERT INTO trace_step (tenant_id, id, seq, created_at, trace_id, step_index, is_late, span_id, attempt, kind, \
         skill_name, status, outcome_category, started_at, duration_us) \
         SELECT 'acme', {id}, n, 0, 'long', n, {no}, 's' || n, 1, CASE WHEN n % 2 = 0 THEN 'LLM' ELSE 'TOOL' END, 'x', \
         'SUCCESS', 'SUCCESS', 0, 1 FROM {numbers}"
    )
}

async fn rows_read(db: &TestDb, table: &str) -> i64 {
    let counters = "SELECT (COALESCE(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname";
    db.number(&format!("{counters} = '{table}'")).await
}

db_test! {
    async fn a_trace_of_100_000_steps_pages_at_constant_cost(db: TestDb) {
        db.store().await.close().await;
        db.execute(&hundred_thousand_steps(db.backend)).await.expect("seeded");
        let is_postgres = db.backend == DbBackend::Postgres;
        if is_postgres {
            db.execute("ANALYZE").await.expect("analyzed");
        }
        let before = if is_postgres { rows_read(&db, "trace_step").await } else { 0 };
        let store = db.store().await;
        let at = |key| Some(Position { key, seq: key });
        let llm = StepFilter { kinds: vec![StepKind::Llm], statuses: Vec::new() };
        for (after, before, is_backward, expected, only_llm) in [
            (None, None, false, [0, 1], [0, 2]),
            (at(49_999), None, false, [50_000, 50_001], [50_000, 50_002]),
            (at(99_995), None, false, [99_996, 99_997], [99_996, 99_998]),
            (None, None, true, [99_998, 99_999], [99_996, 99_998]),
            (None, at(50_000), true, [49_998, 49_999], [49_996, 49_998]),
            (None, at(5), true, [3, 4], [2, 4]),
        ] {
            let page = PageRequest { size: 2, is_backward, after, before };
            for (filter, expected) in [(&StepFilter::default(), expected), (&llm, only_llm)] {
                let ids = [trace_id("long")];
                let pages = store.steps_by_trace_id(&scope("acme"), &ids, filter, &page).await.expect("pages").opened();
                let indexes: Vec<i64> = pages[&ids[0]].rows.iter().map(|row| row.item.step_index).collect();
                assert_eq!(indexes, expected, "{page:?}");
            }
        }
        store.close().await;
        if is_postgres {
            let read = rows_read(&db, "trace_step").await - before;
            assert!((24..200).contains(&read), "12 pages of 2 steps read {read} rows");
        }
    }
}

db_test! {
    async fn the_newest_step_with_an_idempotency_key(db: TestDb) {
        let store = db.store().await;
        let keyed = |span: &str, byte| TraceStep {
            idempotency_key: Some("k".to_owned()),
            output_hash: Some(seed::digest(byte)),
            ..step("t", span)
        };
        let unit = Unit::of("acme", &db.clock).trace(trace("t")).step(keyed("1", 1)).step(keyed("2", 2)).step(step("t", "3"));
        let written = all_new(store.append(unit.unit).await.expect("written"));
        let hit = store.idempotency_hit(&scope("acme"), "k").await.expect("read").opened().expect("there");
        assert_eq!((hit.id, hit.step_index, hit.output_hash), (written[2].id, 1, Some(seed::digest(2))));
        assert_eq!(store.idempotency_hit(&scope("acme"), "q").await.expect("read").opened(), None);
        assert_eq!(store.idempotency_hit(&scope("zeta"), "k").await.expect("read").opened(), None);
        store.close().await;
    }
}
