//! What a server does of its own accord: who of several processes does it, what becomes of failures, how it stops.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use runledger::error::{Error, Result};
use runledger::store::Store;
use runledger::store::lease::Lease;
use runledger::work::{Next, Running, Stage, Worker, Workers};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::support::app::TestApp;
use crate::support::seed::{self, Unit};

const MINUTE: Duration = Duration::from_secs(60);
const MINUTE_US: i64 = 60_000_000;

/// Waits until something holds.
macro_rules! until {
    ($holds:expr, $what:expr) => {{
        let patience = Instant::now() + Duration::from_secs(30);
        while !$holds {
            assert!(Instant::now() < patience, "never: {}", $what);
            sleep(Duration::from_millis(10)).await;
        }
    }};
}

/// What a round of a [`Scripted`] worker does, by its number.
type Round = fn(usize, Arc<Mutex<Vec<String>>>) -> BoxFuture<'static, Result<Next>>;

/// A worker that does what a test says, and counts.
#[derive(Clone)]
struct Scripted {
    name: &'static str,
    lease: Option<Duration>,
    stage: Stage,
    round: Round,
    rounds: Arc<AtomicUsize>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(name: &'static str, stage: Stage, round: Round) -> Self {
        Self { name, lease: None, stage, round, rounds: Arc::default(), said: Arc::default() }
    }

    fn leased() -> Self {
        let round: Round = |_, _| Box::pin(async { Ok(Next::after(Duration::from_millis(5))) });
        Self { lease: Some(MINUTE), ..Self::new("leased", Stage::Writes, round) }
    }

    fn rounds(&self) -> usize {
        self.rounds.load(Ordering::Relaxed)
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().expect("not poisoned").clone()
    }

    async fn reaches(&self, rounds: usize) {
        until!(self.rounds() >= rounds, format!("{rounds} rounds"));
    }
}

impl Worker for Scripted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn every(&self) -> Duration {
        Duration::from_millis(10)
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }

    fn stage(&self) -> Stage {
        self.stage
    }

    fn round(&mut self) -> BoxFuture<'_, Result<Next>> {
        (self.round)(self.rounds.fetch_add(1, Ordering::Relaxed), Arc::clone(&self.said))
    }

    fn finish(&mut self) -> BoxFuture<'_, Result<()>> {
        say(&self.said, &format!("{} is finished", self.name));
        Box::pin(async { Ok(()) })
    }
}

fn say(said: &Mutex<Vec<String>>, words: &str) {
    said.lock().expect("not poisoned").push(words.to_owned());
}

/// Runs a worker as a process of this name.
fn run(store: &Store, process: &str, worker: &Scripted) -> Running {
    let workers: Vec<Box<dyn Worker>> = vec![Box::new(worker.clone())];
    Workers::new(workers, store.leases(process)).expect("put together").start(&CancellationToken::new())
}

db_test! {
    async fn a_lease_is_one_processs_until_it_is_over_or_given_back(db: TestDb) {
        let (store, other) = (db.store().await, db.store().await);
        let (one, two) = (store.leases("one"), other.leases("two"));
        assert_eq!(one.take("work", MINUTE).await.expect("asked"), Lease::Mine);
        assert_eq!(two.take("work", MINUTE).await.expect("asked"), Lease::Elsewhere(MINUTE));
        assert_eq!(two.take("other work", MINUTE).await.expect("asked"), Lease::Mine, "each has a lease of its own");
        db.clock.advance_us(MINUTE_US / 2);
        assert_eq!(two.take("work", MINUTE).await.expect("asked"), Lease::Elsewhere(MINUTE / 2));
        assert_eq!(one.take("work", MINUTE).await.expect("asked"), Lease::Mine, "renewed");
        db.clock.advance_us(MINUTE_US / 2);
        assert_eq!(two.take("work", MINUTE).await.expect("asked"), Lease::Elsewhere(MINUTE / 2));
        two.give_back("work").await.expect("nothing happens");
        assert_eq!(two.take("work", MINUTE).await.expect("asked"), Lease::Elsewhere(MINUTE / 2), "it was not its to give");
        db.clock.advance_us(MINUTE_US / 2);
        let (first, second) = tokio::join!(one.take("work", MINUTE), two.take("work", MINUTE));
        let taken = [first.expect("asked"), second.expect("asked")];
        assert_eq!(taken.iter().filter(|lease| **lease == Lease::Mine).count(), 1, "it is over, and one has it: {taken:?}");
        let (holder, waiting) = if taken[0] == Lease::Mine { (one, two) } else { (two, one) };
        holder.give_back("work").await.expect("given back");
        assert_eq!(waiting.take("work", MINUTE).await.expect("asked"), Lease::Mine);
        store.close().await;
        other.close().await;
    }
}

db_test! {
    async fn one_of_two_processes_works_and_the_other_takes_over(db: TestDb) {
        let (store, other) = (db.store().await, db.store().await);
        let (one, two) = (Scripted::leased(), Scripted::leased());
        let first = run(&store, "one", &one);
        one.reaches(3).await;
        let second = run(&other, "two", &two);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(two.rounds(), 0, "the other process has it");
        // Killed: nobody gives anything back.
        drop(first);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(two.rounds(), 0, "until the lease is over");
        db.clock.advance_us(MINUTE_US);
        two.reaches(1).await;
        // Killed and started again: it is still its own.
        drop(second);
        let before = two.rounds();
        let second = run(&other, "two", &two);
        two.reaches(before + 2).await;
        // Stopped in order: whoever comes next need not wait.
        second.stop().await.expect("stopped");
        let before = one.rounds();
        let third = run(&store, "one", &one);
        one.reaches(before + 1).await;
        third.stop().await.expect("stopped");
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_duty").await, 0);
        store.close().await;
        other.close().await;
    }
}

db_test! {
    async fn a_long_round_renews_its_lease_and_breaks_off_where_it_is_lost(db: TestDb) {
        let (store, other) = (db.store().await, db.store().await);
        let endless: Round = |_, _| Box::pin(std::future::pending());
        let one = Scripted { lease: Some(Duration::from_secs(1)), ..Scripted::new("work", Stage::Writes, endless) };
        let running = run(&store, "one", &one);
        one.reaches(1).await;
        let until = "SELECT held_until FROM ledger_duty WHERE name = 'work'";
        let begun = db.number(until).await;
        db.clock.advance_us(1_000_000);
        until!(db.number(until).await > begun, "renewed");
        assert_eq!(one.rounds(), 1);
        // As if it had not been heard of for long.
        let leases = other.leases("two");
        while leases.take("work", MINUTE).await.expect("asked") != Lease::Mine {
            db.clock.advance_us(MINUTE_US);
        }
        sleep(Duration::from_secs(5)).await;
        assert_eq!(one.rounds(), 1, "another process has it");
        leases.give_back("work").await.expect("given back");
        one.reaches(2).await;
        drop(running);
        store.close().await;
        other.close().await;
    }
}

#[tokio::test]
async fn what_fails_or_panics_comes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = crate::support::db::TestDb::in_folder(folder.path());
    let store = db.store().await;
    let round: Round = |number, _| {
        Box::pin(async move {
            assert!(number != 1, "the second round panics");
            if number == 0 { Err(Error::internal("the first round fails")) } else { Ok(Next::AT_ONCE) }
        })
    };
    let worker = Scripted::new("failing", Stage::Writes, round);
    let began = Instant::now();
    let running = run(&store, "one", &worker);
    worker.reaches(2).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "a failure is followed by a pause");
    worker.reaches(3).await;
    assert!(began.elapsed() >= Duration::from_millis(1_500), "the second by a longer one");
    worker.reaches(10).await;
    running.stop().await.expect("stopped");
    store.close().await;
}

#[tokio::test]
async fn workers_stop_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = crate::support::db::TestDb::in_folder(folder.path());
    let store = db.store().await;
    let slow: Round = |_, said| {
        Box::pin(async move {
            sleep(Duration::from_millis(300)).await;
            say(&said, "a record is written");
            Ok(Next::after(MINUTE))
        })
    };
    let endless: Round = |_, _| Box::pin(std::future::pending());
    let idle: Round = |_, _| Box::pin(async { Ok(Next::after(MINUTE)) });
    let writer = Scripted::new("writer", Stage::Writes, slow);
    let of = |name, stage, round| Scripted { said: Arc::clone(&writer.said), ..Scripted::new(name, stage, round) };
    let (signer, auditor) = (of("signer", Stage::Signs, idle), of("auditor", Stage::Audits, idle));
    let reader = of("reader", Stage::Reads, endless);
    let all: Vec<Box<dyn Worker>> = [&signer, &auditor, &writer, &reader].map(|one| Box::new(one.clone()) as _).into();
    let shutdown = CancellationToken::new();
    let running = Workers::new(all, store.leases("one")).expect("put together").start(&shutdown);
    for worker in [&signer, &auditor, &writer, &reader] {
        worker.reaches(1).await;
    }
    shutdown.cancel();
    until!(!writer.said().is_empty(), "the reader ends");
    running.stop().await.expect("stopped");
    let expected = [
        "reader is finished",
        "a record is written",
        "writer is finished",
        "auditor is finished",
        "signer is finished",
    ];
    assert_eq!(writer.said(), expected);
    store.close().await;
}

db_test! {
    async fn what_must_run_once_has_a_lease(db: TestDb) {
        let app = TestApp::on(&db).await;
        let (leased, free): (Vec<_>, Vec<_>) = app.all_workers().into_iter().partition(|one| one.lease().is_some());
        let names = |all: &[Box<dyn Worker>]| all.iter().map(|one| one.name()).collect::<BTreeSet<_>>();
        let mut once = BTreeSet::from(["noter", "verifier", "cleaner", "idempotency"]);
        if db.backend == sea_orm::DbBackend::Postgres {
            once.insert("statistics");
        }
        assert_eq!(names(&leased), once);
        assert_eq!(names(&free), BTreeSet::from(["sealer", "signer", "audit"]));
        assert_eq!(leased.len() + free.len(), once.len() + 3, "a name is a worker's own");
        app.store.close().await;
    }
}

db_test! {
    async fn the_background_signs_notes_and_finishes(db: TestDb) {
        let app = TestApp::on(&db).await;
        let append = async |number: usize| {
            let unit = Unit::of("ours", &app.clock).run(seed::run(&number.to_string()));
            seed::all_new(app.store.append(unit.unit).await.expect("appended"));
        };
        let running = app.workers(&["signer", "noter"]);
        append(0).await;
        until!(db.number("SELECT COUNT(*) FROM ledger_event WHERE kind = 'checkpoint'").await > 0, "noted");
        // What comes last is signed at the end, that of the log of logs as well.
        append(1).await;
        running.stop().await.expect("stopped");
        let unsigned = "SELECT COUNT(*) FROM ledger_log l WHERE NOT EXISTS \
                        (SELECT 1 FROM ledger_checkpoint c WHERE c.log_id = l.log_id AND c.size = l.size)";
        assert_eq!(db.number(unsigned).await, 0);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_log").await, 2);
        app.store.close().await;
    }
}

db_test! {
    async fn one_process_verifies_for_all(db: TestDb) {
        let (one, two) = (TestApp::on(&db).await, TestApp::on(&db).await);
        let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        one.logs.trust_in(folders[0].path());
        two.logs.trust_in(folders[1].path());
        let unit = Unit::of("ours", &one.clock).run(seed::run("one"));
        seed::all_new(one.store.append(unit.unit).await.expect("appended"));
        let has_looked = |at: usize| folders[at].path().join("trusted.json").exists();
        let first = one.workers(&["verifier"]);
        until!(has_looked(0), "verified");
        let second = two.workers(&["verifier"]);
        sleep(Duration::from_millis(300)).await;
        assert!(!has_looked(1), "the other process does it");
        first.stop().await.expect("stopped");
        until!(has_looked(1), "taken over");
        second.stop().await.expect("stopped");
        one.store.close().await;
        two.store.close().await;
    }
}
