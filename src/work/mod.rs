//! What a server does of its own accord, beside its requests: a list of workers, which it starts together and stops in order.
//!
//! A [`Worker`] says what a round is, how often one comes, and whether one process does it for all that share the database.
//! What they have in common is written once, in the runner: the loop, the lease, the pause after a failure, the stop, the
//! numbers. What a round does is the facade's: requests and tests ask for it too.

mod audit;
mod cleaner;
mod idempotency;
mod noter;
pub mod pulse;
mod runner;
mod sealer;
mod signer;
mod statistics;
mod upkeep;
mod verifier;

use std::time::Duration;

use futures_util::future::{BoxFuture, pending, ready};

pub use self::runner::{Running, Workers};
use crate::error::Result;
use crate::facade::Logs;
pub use upkeep::Upkeep;

/// Longer than rounds are late by on a busy machine: a lease that lasts from one round to the next lasts this much more.
const GRACE: Duration = Duration::from_secs(30);
/// How often is looked for what a process that died has left.
const SWEEP: Duration = Duration::from_secs(60);

/// When a worker's next round comes, counted from the end of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    least: Duration,
    most: Duration,
}

impl Next {
    /// There is more to do.
    pub const AT_ONCE: Self = Self::after(Duration::ZERO);

    /// After this time, whatever happens meanwhile.
    #[must_use]
    pub const fn after(time: Duration) -> Self {
        Self { least: time, most: time }
    }

    /// When the worker is woken, but no earlier and no later than this.
    #[must_use]
    pub const fn when_woken(least: Duration, most: Duration) -> Self {
        Self { least, most }
    }
}

/// When a worker stops: those of one stage together, once those of the stages before it have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// At the first sign, while requests are still being answered. It only reads, but for what it found: where it is does not
    /// matter, so its round is broken off. Every other stage finishes its round, and stops when there are no more requests.
    Reads,
    /// It writes of its own accord.
    Writes,
    /// It writes down what requests and workers did.
    Audits,
    /// It signs what all the others wrote.
    Signs,
}

/// Work that a server does of its own accord.
pub trait Worker: Send + Sync {
    /// Its name: in the log, in the numbers, and of its lease.
    fn name(&self) -> &'static str;

    /// The most time between two rounds that go well.
    fn every(&self) -> Duration;

    /// Where one process does it at a time: for how long it is this process's from the beginning of a round on. It is renewed
    /// while the round lasts; afterwards another process may begin a round when that time is over.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// When it stops.
    fn stage(&self) -> Stage;

    /// Does what there is to do. What fails comes again, after a pause that is the runner's.
    fn round(&mut self) -> BoxFuture<'_, Result<Next>>;

    /// Is done when there is something to do before the next round is due.
    fn woken(&self) -> BoxFuture<'_, ()> {
        Box::pin(pending())
    }

    /// What is left to do after its last round.
    fn finish(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }
}

/// How often is done what the settings decide on.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How often a log that changes is signed.
    pub sign: Duration,
    /// How often new checkpoints are noted.
    pub note: Duration,
    /// How often logs are verified; zero is never.
    pub verify: Duration,
}

/// All that a server does with its logs, in the order of starting. `instance` is the server's id, under which it records
/// that it stopped.
#[must_use]
pub fn of_logs(logs: &Logs, times: Times, instance: &str) -> Vec<Box<dyn Worker>> {
    let mut workers: Vec<Box<dyn Worker>> = vec![
        Box::new(sealer::Sealer { logs: logs.clone() }),
        Box::new(signer::Signer::new(logs.clone(), times.sign)),
        Box::new(noter::Noter { logs: logs.clone(), interval: times.note }),
        Box::new(audit::Audit { logs: logs.clone(), instance: instance.to_owned() }),
        Box::new(cleaner::Cleaner { logs: logs.clone() }),
        Box::new(idempotency::Idempotency { logs: logs.clone() }),
    ];
    if logs.has_statistics() {
        workers.push(Box::new(statistics::Statistics { logs: logs.clone() }));
    }
    if times.verify > Duration::ZERO {
        workers.push(Box::new(verifier::Verifier { logs: logs.clone(), interval: times.verify }));
    }
    workers
}
