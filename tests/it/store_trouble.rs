//! Databases in trouble: disks that are full, servers that end connections, locks that others hold. What was acknowledged is
//! there, what was not is refused in words, and it goes on by itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use runledger::domain::append::AppendResult;
use runledger::error::{Code, Error};
use runledger::store::{Store, StoreConfig, migrate};

use crate::support::db::{self, TestDb};
use crate::support::disk::SmallDisk;
use crate::support::opened::Opened;
use crate::support::seed::{self, Unit, all_new, done, run_id, scope, step, trace};
use crate::support::writer::{assert_gap_free, hold};

/// Waits for something that comes by itself.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} does not come");
}

/// Writes runs of these numbers, one a request; the names of those that were acknowledged, and the last refusal.
async fn write(db: &TestDb, store: &Store, numbers: std::ops::Range<u32>) -> (Vec<String>, Option<Error>) {
    let (mut acknowledged, mut refusal) = (Vec::new(), None);
    for number in numbers {
        let name = format!("r{number}-{}", "x".repeat(100));
        match store.append(Unit::of("acme", &db.clock).run(seed::run(&name)).unit).await {
            Ok(receipt) => {
                all_new(receipt);
                acknowledged.push(name);
            }
            Err(error) => refusal = Some(error),
        }
    }
    (acknowledged, refusal)
}

async fn assert_there(db: &TestDb, acknowledged: &[String]) {
    let store = db.store().await;
    let names: Vec<_> = acknowledged.iter().map(|name| run_id(name)).collect();
    let there = store.runs_by_run_id(&scope("acme"), &names).await.expect("read").opened();
    let lost: Vec<_> = names.iter().filter(|name| !there.contains_key(*name)).collect();
    assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    assert_gap_free(db).await;
    store.close().await;
}

#[test]
fn a_full_disk_refuses_and_recovers_and_loses_nothing() {
    db::on_sqlite(|db| async move {
        let folder = Path::new(db.url.trim_start_matches("sqlite://")).parent().expect("a folder").to_owned();
        let Some(disk) = SmallDisk::mount(&folder) else { return };
        let store = db.store().await;
        let mut acknowledged = Vec::new();
        for round in 0..3_u32 {
            let (written, refusal) = write(&db, &store, round * 1_000..round * 1_000 + 20).await;
            assert!(refusal.is_none(), "{refusal:?}");
            acknowledged.extend(written);
            disk.fill();
            let (written, refusal) = write(&db, &store, round * 1_000 + 20..round * 1_000 + 60).await;
            acknowledged.extend(written);
            let refusal = refusal.expect("no room");
            assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
            assert!(refusal.message().contains("room") || refusal.message().contains("I/O"), "{refusal:?}");
            let said = store.check_database().expect_err("in trouble");
            let what = refusal.message().split(';').next().expect("what is wrong");
            assert!(said.message().contains(what) && said.message().contains("test.db"), "{said:?}");
            assert!(!said.message().contains("send it again"), "those words are for callers: {said:?}");
            // Nobody writes: it finds out for itself.
            disk.empty();
            until("an end of the trouble", || store.check_database().is_ok()).await;
        }
        let (written, refusal) = write(&db, &store, 9_000..9_020).await;
        assert!(refusal.is_none(), "{refusal:?}");
        acknowledged.extend(written);
        store.close().await;
        assert_there(&db, &acknowledged).await;
    });
}

#[test]
fn connections_that_are_terminated_lose_nothing() {
    db::on_postgres(|db| async move {
        let store = db.store().await;
        let db = Arc::new(db);
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4_u32 {
            let (db, store) = (db.clone(), store.clone());
            writers.spawn(async move { write(&db, &store, writer * 10_000..writer * 10_000 + 150).await });
        }
        let mut ended = 0;
        while !writers.is_empty() && ended < 40 {
            db.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                      AND application_name = 'runledger' AND pid <> pg_backend_pid()",
            )
            .await;
            ended += 1;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        let mut acknowledged = Vec::new();
        while let Some(written) = writers.join_next().await {
            let (names, refusal) = written.expect("joined");
            acknowledged.extend(names);
            assert!(refusal.is_none_or(|error| error.code() == Code::Unavailable));
        }
        assert!(!acknowledged.is_empty());
        until("an end of the trouble", || store.check_database().is_ok()).await;
        store.close().await;
        assert_there(&db, &acknowledged).await;
    });
}

#[test]
fn a_server_that_takes_no_writes_says_so_and_recovers() {
    db::on_postgres(|db| async move {
        let store = db.store().await;
        let (written, _) = write(&db, &store, 0..1).await;
        let name = db.query("SELECT current_database()").await[0].try_get_by_index::<String>(0).expect("a name");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'runledger' AND pid <> pg_backend_pid()";
        db.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.expect("read-only");
        db.query(end).await;
        let (none, refusal) = write(&db, &store, 10..13).await;
        assert!(none.is_empty(), "{none:?}");
        let refusal = refusal.expect("read-only");
        assert!(refusal.message().contains("read-only"), "{refusal:?}");
        assert!(store.check_database().expect_err("in trouble").message().contains("read-only"));
        // A transaction of this session may write all the same, as an administrator's does.
        db.execute(&format!(
            "BEGIN; SET TRANSACTION READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"
        ))
        .await
        .expect("writable");
        // The connections that began as read-only are not kept.
        until("an end of the trouble", || store.check_database().is_ok()).await;
        let (more, refusal) = write(&db, &store, 20..25).await;
        assert!(refusal.is_none(), "{refusal:?}");
        store.close().await;
        assert_there(&db, &[written, more].concat()).await;
    });
}

#[test]
fn a_lock_that_another_holds_is_named() {
    db::on_sqlite(|db| async move {
        let store = db.store().await;
        let held = hold(&db).await;
        let (_, refusal) = write(&db, &store, 0..1).await;
        let refusal = refusal.expect("locked");
        assert!(refusal.message().contains("holds a lock"), "{refusal:?}");
        assert!(store.check_database().expect_err("in trouble").message().contains("holds a lock"));
        held.rollback().await.expect("released");
        until("an end of the trouble", || store.check_database().is_ok()).await;
        store.close().await;
    });
}

/// Why a store of this URL does not open, as the person reads it who starts the server.
async fn refusal(db: &TestDb, url: String) -> String {
    let config = StoreConfig { database_url: url.clone(), ..db.config() };
    let opened = Store::connect(config, db.clock.clone()).await;
    let error = opened.err().expect("nothing to open");
    let migrated = migrate::up(&url).await.expect_err("nothing to migrate");
    assert_eq!(error.message(), migrated.message(), "every command says the same");
    error.message().to_owned()
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    db::on_sqlite(|db| async move {
        let path = db.url.trim_start_matches("sqlite://").to_owned();
        std::fs::write(&path, "no database, but long enough for the header of one: ".repeat(100)).expect("a file");
        let said = refusal(&db, db.url.clone()).await;
        assert!(said.contains(&path) && said.contains("not a SQLite database"), "{said}");
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("a folder in its place");
        let said = refusal(&db, db.url.clone()).await;
        assert!(said.contains(&path) && said.contains("cannot be opened"), "{said}");
    });
}

#[test]
fn a_removed_file_of_what_is_written_ahead_takes_no_more_writes() {
    db::on_sqlite(|db| async move {
        let store = db.store().await;
        let (written, _) = write(&db, &store, 0..3).await;
        std::fs::remove_file(format!("{}-wal", db.url.trim_start_matches("sqlite://"))).expect("removed");
        let (none, refusal) = write(&db, &store, 10..12).await;
        assert!(none.is_empty(), "{none:?}");
        let refusal = refusal.expect("removed");
        assert!(refusal.message().contains("-wal was removed"), "{refusal:?}");
        assert!(store.check_database().expect_err("in trouble").message().contains("-wal was removed"));
        // A stop in order puts what it held into the database.
        store.close().await;
        assert_there(&db, &written).await;
    });
}

#[test]
fn a_server_that_cannot_be_used_is_named() {
    db::on_postgres(|db| async move {
        let (rest, name) = db.url.split_once("/runledger_test").expect("a test's name");
        let query = name.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let said = refusal(&db, format!("{rest}/nosuch{query}")).await;
        assert!(said.contains("database nosuch") && said.contains("no database of this name"), "{said}");
        let user = db.url.split_once("//").and_then(|(_, rest)| rest.split_once('@')).expect("a user").0.to_owned();
        let said = refusal(&db, db.url.replace(&format!("//{user}@"), "//nobody:hunter2@")).await;
        assert!(said.contains("user nobody") && said.contains("does not let this user in"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let said = refusal(&db, format!("postgres://app:hunter2@127.0.0.1:{port}/logs")).await;
        assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("refuses connections"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    });
}

db_test! {
    async fn one_tenant_at_full_abuse_does_not_keep_another_out(db: TestDb) {
        let store = db.store_with(StoreConfig { queue_records: 20, ..db.config() }).await;
        // The logs exist: making one would wait for the lock too.
        for tenant in ["acme", "zeta"] {
            all_new(store.append(Unit::of(tenant, &db.clock).trace(trace("t")).unit).await.expect("written"));
        }
        let held = hold(&db).await;
        let mut loud = tokio::task::JoinSet::new();
        let mut send = |number: usize| {
            let unit = Unit::of("acme", &db.clock).step(step("t", &format!("{number:03}"))).unit;
            let store = store.clone();
            let mut sent = Box::pin(async move { (number, store.append(unit).await) });
            assert!((&mut sent).now_or_never().is_none(), "it is queued");
            loud.spawn(sent);
        };
        // The writer has taken the first and waits for the database; the rest fills the queue.
        send(0);
        until("the first flush", || store.queue_depth().0 == 0).await;
        for number in 1..=20 {
            send(number);
        }
        let one_more = store.append(Unit::of("acme", &db.clock).step(step("t", "more")).unit).await;
        assert_eq!(one_more.expect_err("full").code(), Code::Unavailable);
        let mut calm = tokio::task::JoinSet::new();
        for number in 0..10 {
            let unit = Unit::of("zeta", &db.clock).step(step("t", &format!("{number:03}"))).unit;
            let store = store.clone();
            calm.spawn(async move { store.append(unit).await });
        }
        // Ten of the other's newest are told to come again.
        let mut refused = Vec::new();
        while refused.len() < 10 {
            let (number, answer) = loud.join_next().await.expect("one is answered").expect("joined");
            assert_eq!(answer.expect_err("its place is taken").code(), Code::Unavailable);
            refused.push(number);
        }
        refused.sort_unstable();
        assert_eq!(refused, (11..=20).collect::<Vec<_>>());
        assert_eq!(store.queue_depth(), (20, 20));
        held.rollback().await.expect("released");
        for answer in calm.join_all().await {
            all_new(answer.expect("within its share"));
        }
        let mut places: Vec<(usize, i64)> = Vec::new();
        for (number, answer) in loud.join_all().await {
            let results = done(answer.expect("waited"));
            let AppendResult::New(appended) = &results[0] else { panic!("{results:?}") };
            places.push((number, appended.seq));
        }
        places.sort_unstable();
        assert!(places.is_sorted_by_key(|(_, seq)| *seq), "a tenant's order is kept: {places:?}");
        assert_gap_free(&db).await;
        store.close().await;
    }
}
