//! When traces are due, who may seal them, and what a seal changes.

use runledger::domain::settle::TraceSignals;
use runledger::store::Store;

use crate::support::db::TestDb;
use crate::support::opened::Opened;
use crate::support::seed::{self, ROOT, Unit, all_new, seal, step, tenant, trace, trace_id};

const NONE: TraceSignals =
    TraceSignals { has_root: false, has_remote_parent: false, has_llm_work: false, is_open: false };
const SECOND: i64 = 1_000_000;

/// Begins a trace with a step and says what the step tells of it.
async fn begin(db: &TestDb, store: &Store, name: &str, signals: TraceSignals) {
    let unit = Unit::of("acme", &db.clock).trace(trace(name)).step(step(name, "1")).touch(name, signals);
    all_new(store.append(unit.unit).await.expect("begun"));
}

async fn add(db: &TestDb, store: &Store, name: &str, span: &str, signals: TraceSignals) {
    let unit = Unit::of("acme", &db.clock).step(step(name, span)).touch(name, signals);
    all_new(store.append(unit.unit).await.expect("added"));
}

/// Seals a trace as the sealer does.
async fn seal_now(db: &TestDb, store: &Store, name: &str) {
    let source = store.seal_sources(&tenant("acme"), &[trace_id(name)]).await.expect("read").opened().remove(0);
    let unit =
        Unit::of("acme", &db.clock).atomic().seal(seal(name, source.seal_revision + 1)).guard(name, source.version);
    all_new(store.append(unit.unit).await.expect("sealed"));
}

/// Seconds from the clock's start until the next trace is due.
async fn next_due(store: &Store) -> Option<i64> {
    store.next_due_at().await.expect("read").map(|due| due.since(seed::at(0)) / SECOND)
}

/// What is claimed: names, those of silent traces marked.
async fn claim(store: &Store) -> Vec<String> {
    let due = store.claim_due_traces(10, 30 * SECOND).await.expect("claimed");
    due.iter().map(|one| format!("{}{}", one.trace_id, if one.is_silent { " silent" } else { "" })).collect()
}

db_test! {
    async fn traces_are_due_by_what_is_known_of_them(db: TestDb) {
        let store = db.store().await;
        assert_eq!(next_due(&store).await, None);
        begin(&db, &store, "silent", NONE).await;
        assert_eq!(next_due(&store).await, Some(3_600));
        begin(&db, &store, "open", TraceSignals { is_open: true, ..ROOT }).await;
        begin(&db, &store, "remote", TraceSignals { has_remote_parent: true, ..NONE }).await;
        assert_eq!(next_due(&store).await, Some(60));
        begin(&db, &store, "rooted", ROOT).await;
        assert_eq!(next_due(&store).await, Some(15));
        db.clock.advance_us(10 * SECOND);
        // More steps begin the quiet time anew.
        add(&db, &store, "rooted", "2", NONE).await;
        assert_eq!(next_due(&store).await, Some(25));
        db.clock.advance_us(14 * SECOND);
        assert!(claim(&store).await.is_empty());
        db.clock.advance_us(SECOND);
        assert_eq!(claim(&store).await, ["rooted"]);
        db.clock.advance_us(3_600 * SECOND);
        assert_eq!(claim(&store).await, ["open silent", "remote", "rooted", "silent silent"]);
        store.close().await;
    }
}

db_test! {
    async fn late_steps_of_a_large_trace_seal_it_again_once(db: TestDb) {
        let store = db.store().await;
        begin(&db, &store, "large", ROOT).await;
        for chunk in 0..5 {
            let mut unit = Unit::of("acme", &db.clock);
            for number in 0..999 {
                unit = unit.step(step("large", &format!("{chunk}-{number}")));
            }
            all_new(store.append(unit.touch("large", NONE).unit).await.expect("added"));
        }
        seal_now(&db, &store, "large").await;
        assert_eq!(next_due(&store).await, None);
        // Ten late steps, each after the quiet that would seal a small trace again.
        let work = TraceSignals { has_llm_work: true, ..NONE };
        let mut sealed = 0;
        for late in 0..10 {
            add(&db, &store, "large", &format!("late-{late}"), work).await;
            db.clock.advance_us(16 * SECOND);
            for _ in claim(&store).await {
                sealed += 1;
                seal_now(&db, &store, "large").await;
            }
        }
        db.clock.advance_us(100 * SECOND);
        for _ in claim(&store).await {
            sealed += 1;
            seal_now(&db, &store, "large").await;
        }
        assert_eq!(sealed, 3, "5,000 steps: each time four settle times after the first that came late");
        assert_eq!(next_due(&store).await, None);
        store.close().await;
    }
}

db_test! {
    async fn a_claim_lasts_until_its_lease_ends(db: TestDb) {
        let (one, two) = (db.store().await, db.store().await);
        begin(&db, &one, "t", ROOT).await;
        db.clock.advance_us(20 * SECOND);
        assert_eq!(claim(&one).await, ["t"]);
        assert!(claim(&two).await.is_empty());
        assert_eq!(next_due(&two).await, Some(50));
        db.clock.advance_us(30 * SECOND);
        assert_eq!(claim(&two).await, ["t"]);
        // Steps that come while it is claimed settle it anew, whoever holds the claim.
        add(&db, &one, "t", "2", NONE).await;
        assert_eq!(next_due(&one).await, Some(65));
        seal_now(&db, &two, "t").await;
        assert_eq!(next_due(&one).await, None);
        one.close().await;
        two.close().await;
    }
}

db_test! {
    async fn concurrent_claims_never_overlap(db: TestDb) {
        let (one, two) = (db.store().await, db.store().await);
        for name in 0..40 {
            begin(&db, &one, &name.to_string(), ROOT).await;
        }
        db.clock.advance_us(20 * SECOND);
        let mut claimed = Vec::new();
        for _ in 0..2 {
            let (left, right) = tokio::join!(one.claim_due_traces(10, SECOND), two.claim_due_traces(10, SECOND));
            claimed.extend(left.expect("claimed").into_iter().chain(right.expect("claimed")).map(|due| due.trace_id));
        }
        // A claim may find less than it could, when another holds the rows; never the same.
        while claimed.len() < 40 {
            claimed.extend(one.claim_due_traces(10, SECOND).await.expect("claimed").into_iter().map(|due| due.trace_id));
        }
        claimed.sort();
        claimed.dedup();
        assert_eq!(claimed.len(), 40);
        one.close().await;
        two.close().await;
    }
}

db_test! {
    async fn only_work_or_a_root_makes_a_sealed_trace_due_again(db: TestDb) {
        let store = db.store().await;
        begin(&db, &store, "t", TraceSignals { has_remote_parent: true, is_open: true, ..NONE }).await;
        seal_now(&db, &store, "t").await;
        assert_eq!(next_due(&store).await, None);
        add(&db, &store, "t", "2", NONE).await;
        assert_eq!(next_due(&store).await, None);
        let source = store.seal_sources(&tenant("acme"), &[trace_id("t")]).await.expect("read").opened().remove(0);
        assert!(!source.signals.is_open, "the seal closed it");
        assert_eq!((source.seal_revision, source.steps.len()), (1, 2));
        add(&db, &store, "t", "3", TraceSignals { has_llm_work: true, ..NONE }).await;
        assert_eq!(next_due(&store).await, Some(60));
        // Until it is sealed again, anything that comes begins the quiet time anew.
        db.clock.advance_us(SECOND);
        add(&db, &store, "t", "4", NONE).await;
        assert_eq!(next_due(&store).await, Some(61));
        seal_now(&db, &store, "t").await;
        add(&db, &store, "t", "5", TraceSignals { has_root: true, ..NONE }).await;
        assert_eq!(next_due(&store).await, Some(16));
        seal_now(&db, &store, "t").await;
        add(&db, &store, "t", "6", TraceSignals { has_root: true, ..NONE }).await;
        assert_eq!(next_due(&store).await, None, "the root was there already");
        let seals = store.seals_by_trace_id(&seed::scope("acme"), &[trace_id("t")]).await.expect("read").opened();
        assert_eq!(seals[&trace_id("t")].len(), 3);
        store.close().await;
    }
}

db_test! {
    async fn a_re_export_changes_nothing(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock).trace(trace("t")).step(step("t", "1")).touch("t", ROOT);
        all_new(store.append(unit.unit.clone()).await.expect("new"));
        let source = store.seal_sources(&tenant("acme"), &[trace_id("t")]).await.expect("read").opened();
        db.clock.advance_us(5 * SECOND);
        seed::done(store.append(unit.unit).await.expect("again"));
        assert_eq!(store.seal_sources(&tenant("acme"), &[trace_id("t")]).await.expect("read").opened(), source);
        assert_eq!(next_due(&store).await, Some(15));
        store.close().await;
    }
}

db_test! {
    async fn a_trace_stored_whole_is_never_due(db: TestDb) {
        let store = db.store().await;
        let unit = Unit::of("acme", &db.clock)
            .atomic().trace(trace("t")).step(step("t", "1")).seal(seal("t", 1)).run(seed::run("r")).touch("t", ROOT);
        all_new(store.append(unit.unit).await.expect("stored"));
        assert_eq!(next_due(&store).await, None);
        store.close().await;
    }
}
