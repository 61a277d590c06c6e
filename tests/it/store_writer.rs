//! The writer under load and in trouble: several processes, a full queue, callers that go away, a process that dies.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runledger::domain::append::AppendResult;
use runledger::error::{Code, Detail};
use runledger::store::{Store, StoreConfig};

use crate::support::opened::Opened;
use crate::support::seed::{self, ROOT, Unit, all_new, done, scope, step, trace, trace_id};
use crate::support::writer::{assert_gap_free, hold};

db_test! {
    async fn two_processes_make_one_gap_free_sequence(db: TestDb) {
        let stores = [db.store().await, db.store().await];
        let db = std::sync::Arc::new(db);
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..8_usize {
            let (store, db) = (stores[writer % 2].clone(), db.clone());
            tasks.spawn(async move {
                let mut written = 0;
                for round in 0..25_usize {
                    // Both processes carry the same spans of the same traces, of two tenants at once, in other orders.
                    let name = format!("t{}", (round + writer) % 5);
                    let span = format!("s{}", round % 10);
                    for tenant in [["acme", "zeta"][writer % 2], ["acme", "zeta"][(writer + 1) % 2]] {
                        let unit = Unit::of(tenant, &db.clock).trace(trace(&name)).step(step(&name, &span)).touch(&name, ROOT);
                        let results = done(store.append(unit.unit).await.expect("written"));
                        written += results.iter().filter(|one| matches!(one, AppendResult::New(_))).count();
                    }
                }
                written
            });
        }
        let written: usize = tasks.join_all().await.into_iter().sum();
        let logged = db.number("SELECT CAST(SUM(size) AS BIGINT) FROM ledger_log").await;
        assert_eq!(usize::try_from(logged).expect("small"), written, "each record was new for one writer");
        // Five traces and ten spans meet in 5 x 2 of their pairs a tenant.
        assert_eq!(db.number("SELECT COUNT(*) FROM trace").await, 10);
        assert_gap_free(&db).await;
        for store in stores {
            store.close().await;
        }
    }
}

db_test! {
    async fn a_full_queue_answers_at_once(db: TestDb) {
        let store = db.store_with(StoreConfig { queue_records: 3, ..db.config() }).await;
        let held = hold(&db).await;
        let unit = |names: &[&str]| names.iter().fold(Unit::of("acme", &db.clock), |unit, name| unit.run(seed::run(name))).unit;
        let first = tokio::spawn({ let (store, unit) = (store.clone(), unit(&["a"])); async move { store.append(unit).await } });
        // The writer has taken the first and waits for the database.
        while store.queue_depth().0 > 0 || !first_is_taken(&store).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let waiting = tokio::spawn({ let (store, unit) = (store.clone(), unit(&["b", "c"])); async move { store.append(unit).await } });
        while store.queue_depth().0 < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let error = store.append(unit(&["d", "e"])).await.expect_err("no room");
        assert_eq!(error.code(), Code::Unavailable);
        assert!(matches!(error.detail(), Detail::RetryAfterMs(wait) if *wait >= 100), "{error:?}");
        let error = store.append(unit(&["d", "e", "f", "g"])).await.expect_err("never room");
        assert_eq!(error.detail(), &Detail::Limit { limit: 3, value: Some(4) });
        assert_eq!(store.queue_depth(), (2, 3));
        held.rollback().await.expect("released");
        all_new(first.await.expect("joined").expect("written"));
        all_new(waiting.await.expect("joined").expect("written"));
        assert_eq!(store.log_size(&scope("acme")).await.expect("size"), 3);
        store.close().await;
    }
}

/// Gives the writer time to take what was queued first.
async fn first_is_taken(store: &Store) -> bool {
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.queue_depth().0 == 0
}

db_test! {
    async fn a_caller_that_goes_away_breaks_nothing(db: TestDb) {
        let store = db.store().await;
        let held = hold(&db).await;
        let mut unit = Unit::of("acme", &db.clock).trace(trace("t"));
        for span in 0..3 {
            unit = unit.step(step("t", &span.to_string()));
        }
        let abandoned = tokio::time::timeout(Duration::from_millis(50), store.append(unit.unit)).await;
        assert!(abandoned.is_err(), "the database is held");
        held.rollback().await.expect("released");
        // What comes behind it is written behind it.
        let next = all_new(store.append(Unit::of("acme", &db.clock).step(step("t", "next")).unit).await.expect("written"));
        assert_eq!((next[0].seq, next[0].step_index), (4, Some(3)));
        assert_gap_free(&db).await;
        store.close().await;
    }
}

db_test! {
    async fn close_writes_what_waits_and_then_takes_no_more(db: TestDb) {
        let store = db.store().await;
        let mut waiting = tokio::task::JoinSet::new();
        for name in 0..20 {
            let (store, unit) = (store.clone(), Unit::of("acme", &db.clock).run(seed::run(&name.to_string())).unit);
            waiting.spawn(async move { store.append(unit).await });
        }
        while store.queue_depth().0 == 0 && store.log_size(&scope("acme")).await.expect("size") == 0 {
            tokio::task::yield_now().await;
        }
        store.close().await;
        assert!(store.check_writable().is_err());
        let answers = waiting.join_all().await;
        let written = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|error| error.code() == Code::Unavailable));
        assert_eq!(store.ping().await.expect_err("closed").code(), Code::Unavailable);
        assert_eq!(db.number("SELECT COUNT(*) FROM llm_run").await, i64::try_from(written).expect("small"));
        assert!(written > 0);
        assert_gap_free(&db).await;
    }
}

db_test! {
    async fn what_was_acknowledged_survives_a_process_that_dies(db: TestDb) {
        let db = std::sync::Arc::new(db);
        let mut acknowledged = BTreeSet::new();
        for life in 0..3 {
            let (sender, receiver) = std::sync::mpsc::channel();
            let (task_db, heard) = (db.clone(), std::sync::Arc::new(AtomicUsize::new(0)));
            // A runtime of its own is the process; dropping it amid writing is its death.
            let process = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
                runtime.block_on(async move {
                    let store = task_db.store().await;
                    for writer in 0..6 {
                        let (store, db, sender, heard) = (store.clone(), task_db.clone(), sender.clone(), heard.clone());
                        tokio::spawn(async move {
                            let name = format!("{life}-{writer}");
                            all_new(store.append(Unit::of("acme", &db.clock).trace(trace(&name)).unit).await.expect("begun"));
                            for span in 0.. {
                                let unit = Unit::of("acme", &db.clock).step(step(&name, &format!("{span}"))).unit;
                                let written = all_new(store.append(unit).await.expect("written"));
                                sender.send((name.clone(), written[0])).expect("heard");
                                heard.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                    }
                    while heard.load(Ordering::Relaxed) < 40 {
                        tokio::time::sleep(Duration::from_millis(3)).await;
                    }
                });
                runtime.shutdown_background();
            });
            process.join().expect("died on time");
            acknowledged.extend(receiver.iter().map(|(name, one)| (name, one.step_index, one.seq)));
        }
        assert!(acknowledged.len() >= 120, "{} were acknowledged", acknowledged.len());
        let store = db.store().await;
        let rows = db.query("SELECT trace_id, step_index, seq FROM trace_step").await;
        let stored: BTreeSet<(String, Option<i64>, i64)> = rows
            .iter()
            .map(|row| {
                let (name, step_index, seq) = row.try_get_many_by_index().expect("three columns");
                (name, Some(step_index), seq)
            })
            .collect();
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert_gap_free(&db).await;
        // The next process goes on where the log ends.
        let next = all_new(store.append(Unit::of("acme", &db.clock).trace(trace("next")).unit).await.expect("written"));
        assert_eq!(next[0].seq + 1, store.log_size(&scope("acme")).await.expect("size"));
        assert!(store.traces_by_trace_id(&scope("acme"), &[trace_id("next")]).await.expect("read").opened().len() == 1);
        store.close().await;
    }
}

db_test! {
    async fn a_database_in_trouble_is_unavailable_and_leaves_nothing_half_written(db: TestDb) {
        let store = db.store().await;
        all_new(store.append(Unit::of("acme", &db.clock).run(seed::run("before")).unit).await.expect("written"));
        db.execute("ALTER TABLE trace_state RENAME TO trace_state_gone").await.expect("broken");
        // The steps go in before the states fail: both must be gone. It is no trouble that passes: the cause is ours.
        let unit = Unit::of("acme", &db.clock).run(seed::run("amid")).trace(trace("t")).unit;
        assert_eq!(store.append(unit.clone()).await.expect_err("broken").code(), Code::Internal);
        db.execute("ALTER TABLE trace_state_gone RENAME TO trace_state").await.expect("mended");
        assert_eq!(db.number("SELECT COUNT(*) FROM llm_run").await, 1);
        assert_eq!(all_new(store.append(unit).await.expect("written"))[0].seq, 1);
        assert_gap_free(&db).await;
        store.close().await;
    }
}
