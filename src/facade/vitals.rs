//! How the process and its logs stand, for those who watch it: numbers, and no evidence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Logs;
use crate::domain::time::Timestamp;
use crate::error::{Code, Error};
pub use crate::store::vitals::{LOGS_MAX, LedgerVitals, LogVitals, Pool};

/// How often the database is asked at most, however many ask for the numbers.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Time for the database to answer; after it the numbers are the last ones.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);

/// What is known of a process.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// Records that wait to be appended, and how many may.
    pub queue: (usize, usize),
    /// Looks that wait to be noted in the access log, and how many may.
    pub access_audit: (usize, usize),
    /// Whether nothing can be written: the database does not take it, or the writer has stopped.
    pub is_writing_stopped: bool,
    /// Whether this process signs nothing more.
    pub is_signing_stopped: bool,
    /// Logs that this process does not sign, because they contradict themselves or what was signed.
    pub refused_logs: usize,
    /// The pools of connections.
    pub pools: Vec<Pool>,
    /// The logs of all tenants, and when they were looked at; `None` while the database has not answered yet.
    pub ledger: Option<(Timestamp, Arc<LedgerVitals>)>,
    /// The time of these numbers.
    pub at: Timestamp,
}

/// The last answer of the database.
pub(super) struct Observed {
    last: Mutex<Option<(Timestamp, Arc<LedgerVitals>)>>,
    /// When the database was last asked, whether it answered or not.
    asked: Mutex<Option<Instant>>,
    /// One asks at a time; the others take the last answer.
    turn: Semaphore,
}

impl Default for Observed {
    fn default() -> Self {
        Self { last: Mutex::default(), asked: Mutex::default(), turn: Semaphore::new(1) }
    }
}

impl Logs {
    /// How this process and the logs stand. Never fails: what cannot be had is old, or absent.
    pub async fn vitals(&self) -> Vitals {
        self.observe().await;
        let (is_signing_stopped, refused_logs) = self.0.signing.refusals();
        let store = &self.0.store;
        // Also where nobody has written since the database went away: then only a question finds out.
        let is_writing_stopped = self.writable().await.is_err();
        Vitals {
            queue: self.queue_depth(),
            access_audit: self.access().backlog(),
            is_writing_stopped,
            is_signing_stopped,
            refused_logs,
            pools: store.pools().to_vec(),
            ledger: self.0.observed.last.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            at: self.0.clock.now(),
        }
    }

    /// Asks the database, unless somebody does or has just done so.
    async fn observe(&self) {
        let observed = &self.0.observed;
        let Ok(_turn) = observed.turn.try_acquire() else { return };
        let is_new =
            observed.asked.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < ASK_EVERY);
        if is_new {
            return;
        }
        let late = |_| Err(Error::new(Code::Timeout, "the logs could not be looked at in time"));
        let answer = tokio::time::timeout(ASK_TIMEOUT, self.0.store.ledger_vitals()).await.unwrap_or_else(late);
        *observed.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        match answer {
            Ok(vitals) => {
                let last = Some((self.0.clock.now(), Arc::new(vitals)));
                *observed.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
            }
            Err(error) => tracing::warn!(?error, "the metrics of the logs are old"),
        }
    }
}
