//! How each worker does, in numbers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When a worker last did what it is for.
pub struct Pulse {
    name: &'static str,
    last: Mutex<Instant>,
}

impl Pulse {
    /// Begins to count, at 0: what appears with its first event has no rate before the second.
    pub(super) fn begin(name: &'static str) -> Arc<Self> {
        metrics::counter!("runledger_worker_rounds_total", "worker" => name).increment(0);
        metrics::counter!("runledger_worker_failures_total", "worker" => name).increment(0);
        Arc::new(Self { name, last: Mutex::new(Instant::now()) })
    }

    /// A round has ended.
    pub(super) fn round(&self, is_done: bool, time: Duration) {
        metrics::counter!("runledger_worker_rounds_total", "worker" => self.name).increment(1);
        metrics::histogram!("runledger_worker_round_seconds", "worker" => self.name).record(time.as_secs_f64());
        if is_done {
            self.lives();
        } else {
            metrics::counter!("runledger_worker_failures_total", "worker" => self.name).increment(1);
        }
    }

    /// What the worker is for is done, by this process or, as its lease tells, by another one.
    pub(super) fn lives(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Those of all workers of a process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Pulses(Arc<[Arc<Pulse>]>);

impl Pulses {
    pub(super) fn of(all: impl Iterator<Item = Arc<Pulse>>) -> Self {
        Self(all.collect())
    }

    /// The workers' names, and how long ago each did what it is for; before its first round, how long ago it was made.
    pub fn ages(&self) -> impl Iterator<Item = (&'static str, Duration)> + '_ {
        self.0.iter().map(|one| (one.name, one.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()))
    }
}
