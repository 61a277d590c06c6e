//! Runs workers: the loop of each, its lease, the pause after a failure, and the stop of all of them in order.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::pending;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::retry::backoff::{Backoff, ExponentialBackoffMaker, MakeBackoff};
use tower::util::rng::HasherRng;

use super::pulse::{Pulse, Pulses};
use super::{Next, Stage, Worker};
use crate::error::{Error, Result};
use crate::store::lease::{Lease, Leases};

/// The pause after a failure: from this, twice as long after each further one, up to that, and by chance up to half as much
/// again, so that what failed together does not come again together.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(20);
const PAUSE_JITTER: f64 = 0.5;
/// The shortest lease: renewals of a shorter one would be late on a busy machine.
const LEASE_MIN: Duration = Duration::from_secs(10);
/// A lease is renewed this often while it lasts.
const RENEWALS: u32 = 3;

/// Workers that do not run yet.
pub struct Workers {
    loops: Vec<Loop>,
    pulses: Pulses,
}

impl Workers {
    /// Puts workers together; each begins to be counted.
    ///
    /// # Errors
    /// `INTERNAL` where the pauses between tries make no sense.
    pub fn new(workers: Vec<Box<dyn Worker>>, leases: Leases) -> Result<Self> {
        let pauses = ExponentialBackoffMaker::new(PAUSE_MIN, PAUSE_MAX, PAUSE_JITTER, HasherRng::default());
        let (pauses, leases) = (pauses.map_err(Error::internal)?, Arc::new(leases));
        let begin = |worker: Box<dyn Worker>| Loop {
            pulse: Pulse::begin(worker.name()),
            worker,
            leases: Arc::clone(&leases),
            pauses: pauses.clone(),
        };
        let loops: Vec<Loop> = workers.into_iter().map(begin).collect();
        let pulses = Pulses::of(loops.iter().map(|one| Arc::clone(&one.pulse)));
        Ok(Self { loops, pulses })
    }

    /// How they do, for those who watch.
    #[must_use]
    pub fn pulses(&self) -> Pulses {
        self.pulses.clone()
    }

    /// Starts all of them. Those of [`Stage::Reads`] stop when `shutdown` is cancelled; the others when they are told to.
    #[must_use]
    pub fn start(self, shutdown: &CancellationToken) -> Running {
        let mut stages: BTreeMap<Stage, Staged> = BTreeMap::new();
        for one in self.loops {
            let stage = one.worker.stage();
            let staged = stages.entry(stage).or_insert_with(|| Staged {
                stop: if stage == Stage::Reads { shutdown.child_token() } else { CancellationToken::new() },
                tasks: Vec::new(),
            });
            let (name, stop) = (one.worker.name(), staged.stop.clone());
            staged.tasks.push((name, AbortOnDropHandle::new(tokio::spawn(one.run(stop)))));
        }
        Running(stages)
    }
}

struct Staged {
    stop: CancellationToken,
    tasks: Vec<(&'static str, AbortOnDropHandle<Result<()>>)>,
}

/// Workers that run, until they are stopped. Dropped, they end wherever they are, as if the process had been killed.
pub struct Running(BTreeMap<Stage, Staged>);

impl Running {
    /// Stops all of them, one [`Stage`] after the other, and waits for what is left to do after their last rounds. What fails
    /// keeps nothing from being done that comes later.
    ///
    /// # Errors
    /// The first of those that were left to do.
    pub async fn stop(self) -> Result<()> {
        let mut outcome = Ok(());
        for Staged { stop, tasks } in self.0.into_values() {
            stop.cancel();
            for (worker, task) in tasks {
                match task.await {
                    Ok(finished) => outcome = outcome.and(finished),
                    Err(error) => tracing::error!(?error, worker, "a worker ended badly"),
                }
            }
        }
        outcome
    }
}

/// One worker and what its loop needs.
struct Loop {
    worker: Box<dyn Worker>,
    pulse: Arc<Pulse>,
    leases: Arc<Leases>,
    pauses: ExponentialBackoffMaker,
}

impl Loop {
    async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let name = self.worker.name();
        let mut pause = self.pauses.make_backoff();
        let is_broken_off = self.worker.stage() == Stage::Reads;
        while !stop.is_cancelled() {
            let turn = async { Some(self.turn().await) };
            let turn = if is_broken_off { stop.run_until_cancelled(turn).await.flatten() } else { turn.await };
            match turn {
                None => break,
                Some(Ok(next)) => {
                    pause = self.pauses.make_backoff();
                    stop.run_until_cancelled(wait(&*self.worker, next)).await;
                }
                Some(Err(error)) => {
                    tracing::error!(?error, worker = name, "work of the background failed; it comes again");
                    stop.run_until_cancelled(pause.next_backoff()).await;
                }
            }
        }
        if self.worker.lease().is_some()
            && let Err(error) = self.leases.give_back(name).await
        {
            tracing::warn!(?error, worker = name, "a lease was not given back; it ends by itself");
        }
        self.worker.finish().await
    }

    /// A round, where it is this process's to do.
    async fn turn(&mut self) -> Result<Next> {
        let began = Instant::now();
        let lease = self.worker.lease().map(|time| time.max(LEASE_MIN));
        let turn = match lease {
            None => Ok(Lease::Mine),
            Some(time) => self.leases.take(self.worker.name(), time).await,
        };
        let done = match turn {
            Ok(Lease::Elsewhere(left)) => {
                self.pulse.lives();
                return Ok(Next::after(left.min(self.worker.every())));
            }
            Ok(Lease::Mine) => self.round(lease).await,
            Err(error) => Err(error),
        };
        self.pulse.round(done.is_ok(), began.elapsed());
        done
    }

    /// A round, which breaks off where another process has taken the lease: this one was not heard of for too long.
    async fn round(&mut self, lease: Option<Duration>) -> Result<Next> {
        let name = self.worker.name();
        let round = AssertUnwindSafe(self.worker.round()).catch_unwind();
        tokio::select! {
            // A worker that panics must not be gone for good without a word: it has failed like any other.
            done = round => done.unwrap_or_else(|_| Err(Error::internal(format!("{name} panicked")))),
            () = lost(&self.leases, name, lease) => Err(Error::internal(format!("another process took the lease of {name}"))),
        }
    }
}

/// Waits for the next round.
async fn wait(worker: &dyn Worker, Next { least, most }: Next) {
    sleep(least).await;
    if let Some(rest) = most.checked_sub(least).filter(|rest| !rest.is_zero()) {
        // Whether it was woken or not: the round is due.
        let _ = timeout(rest, worker.woken()).await;
    }
}

/// Renews a lease, and is done where another process has it.
async fn lost(leases: &Leases, name: &str, lease: Option<Duration>) {
    let Some(time) = lease else { return pending().await };
    loop {
        sleep(time / RENEWALS).await;
        match leases.take(name, time).await {
            Ok(Lease::Mine) => {}
            Ok(Lease::Elsewhere(_)) => return,
            // The round finds out by itself what is wrong with the database.
            Err(error) => tracing::warn!(?error, worker = name, "a lease was not renewed"),
        }
    }
}
