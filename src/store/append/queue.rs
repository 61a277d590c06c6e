//! The bounded queue in front of the writer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::lanes::{Lanes, Load};
use super::prepare::Prepared;
use crate::domain::append::{AppendReceipt, AppendUnit};
use crate::domain::record::NewRecord;
use crate::error::{Error, Result};

/// Most of one flush, unless one unit has more.
const FLUSH_MAX: Load = Load { records: 512, bytes: 4 << 20 };
/// Most bytes that may wait.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// Columns of a record, roughly; its payloads come on top.
const RECORD_BYTES: usize = 512;
const RETRY_AFTER_MS_MIN: u64 = 100;
const RETRY_AFTER_MS_MAX: u64 = 10_000;
/// A flush that takes longer waits for something: the server is not ready, and says so.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// A unit that waits for its commit.
pub(in crate::store) struct Job {
    pub prepared: Prepared,
    answer: oneshot::Sender<Result<AppendReceipt>>,
    pub(super) load: Load,
    queued_at: Instant,
}

impl Job {
    /// A unit, and who waits for its answer.
    pub(super) fn new(prepared: Prepared, load: Load) -> (Self, oneshot::Receiver<Result<AppendReceipt>>) {
        let (answer, receiver) = oneshot::channel();
        (Self { prepared, answer, load, queued_at: Instant::now() }, receiver)
    }

    /// Answers the caller; one that has gone away does not care.
    pub fn answer(self, answer: Result<AppendReceipt>) {
        drop(self.answer.send(answer));
    }
}

/// What will be answered to a unit that is queued.
pub struct Appending(oneshot::Receiver<Result<AppendReceipt>>);

impl Appending {
    /// Waits until the unit is committed, or will not be.
    ///
    /// # Errors
    /// As for [`Store::append`](super::super::Store::append).
    pub async fn receipt(self) -> Result<AppendReceipt> {
        self.0.await.unwrap_or_else(|_| {
            Err(Error::unavailable("the writer stopped before it answered; send it again", RETRY_AFTER_MS_MIN))
        })
    }
}

/// Why no more is written, where it is not because the server shuts down.
enum Stop {
    /// A log contradicts itself, so nothing may be chained to it.
    Untrusted(String),
    /// The writer panicked.
    Died,
}

#[derive(Default)]
struct Waiting {
    lanes: Lanes,
    is_closed: bool,
    stopped: Option<Stop>,
    /// What keeps the database from taking the latest flush; `None` once it took one again.
    trouble: Option<Error>,
    /// Since when a flush is under way.
    flushing_since: Option<Instant>,
    /// How long the latest flush took.
    flush_ms: u64,
}

impl Waiting {
    fn check_open(&self) -> Result<()> {
        match &self.stopped {
            Some(Stop::Untrusted(reason)) => {
                let message = format!("the writer has stopped: {reason}; run `runledger verify database`");
                Err(Error::unavailable(message, RETRY_AFTER_MS_MAX))
            }
            Some(Stop::Died) => {
                let message = "the writer has died of a fault of its own, so nothing is written; restart the server: what \
                               it said last tells of the fault";
                Err(Error::unavailable(message, RETRY_AFTER_MS_MAX))
            }
            None if self.is_closed => {
                Err(Error::unavailable("the server is shutting down; send it again", RETRY_AFTER_MS_MIN))
            }
            None => Ok(()),
        }
    }

    /// The queue is full, or its tenant's share of it.
    fn full(&self) -> Error {
        let flushes = self.lanes.load().records.div_ceil(FLUSH_MAX.records).max(1) as u64;
        let wait = (flushes * self.flush_ms).clamp(RETRY_AFTER_MS_MIN, RETRY_AFTER_MS_MAX);
        Error::unavailable("the write queue is full; send it again later", wait)
    }
}

/// Units on their way to the writer.
pub(in crate::store) struct Queue {
    waiting: Mutex<Waiting>,
    records_max: usize,
    is_chained: bool,
    has_news: Notify,
}

impl Queue {
    /// An empty queue for so many records, whose leaves are hashed where they are chained.
    pub fn new(records_max: usize, is_chained: bool) -> Self {
        Self { waiting: Mutex::default(), records_max, is_chained, has_news: Notify::new() }
    }

    /// What a unit takes of the queue.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` when it would not fit into an empty one.
    pub(super) fn load_of(&self, unit: &AppendUnit) -> Result<Load> {
        let load = Load { records: unit.records.len(), bytes: unit_bytes(unit) };
        let room = self.room();
        if load.fits(room) {
            return Ok(load);
        }
        let (what, limit, value) = match load.records > room.records {
            true => ("records", room.records, load.records),
            false => ("bytes", room.bytes, load.bytes),
        };
        let message = format!("one request may hold {limit} {what}; split it");
        Err(Error::limit(message, limit as u64, Some(value as u64)))
    }

    /// Whether the leaves of what is queued are hashed.
    pub const fn is_chained(&self) -> bool {
        self.is_chained
    }

    /// Queues a unit at once or not at all. Refused ones cost a hash in vain: the queue is seldom full.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait.
    pub(super) fn push(&self, prepared: Prepared, load: Load) -> Result<Appending> {
        let room = self.room();
        let tenant = prepared.unit.tenant.clone();
        let (job, receiver) = Job::new(prepared, load);
        let mut evicted = Vec::new();
        let full = {
            let mut waiting = self.lock();
            waiting.check_open()?;
            let pushed = waiting.lanes.push(&tenant, job, room, &mut evicted);
            if pushed.is_ok() && evicted.is_empty() {
                drop(waiting);
                self.has_news.notify_one();
                return Ok(Appending(receiver));
            }
            let full = waiting.full();
            pushed.map(|()| full.clone()).map_err(|_| full)?
        };
        for job in evicted {
            job.answer(Err(full.clone()));
        }
        self.has_news.notify_one();
        Ok(Appending(receiver))
    }

    const fn room(&self) -> Load {
        Load { records: self.records_max, bytes: QUEUE_BYTES_MAX }
    }

    /// What waits, up to the size of a flush; waits while nothing does. `None` once closed and drained.
    pub async fn next_flush(&self) -> Option<Vec<Job>> {
        loop {
            // Registered before the look, so that news in between is not missed.
            let news = self.has_news.notified();
            let (jobs, is_closed) = self.take();
            if !jobs.is_empty() {
                return Some(jobs);
            }
            if is_closed {
                return None;
            }
            news.await;
        }
    }

    fn take(&self) -> (Vec<Job>, bool) {
        let mut waiting = self.lock();
        let jobs = waiting.lanes.take(FLUSH_MAX);
        waiting.flushing_since = (!jobs.is_empty()).then(Instant::now);
        let is_closed = waiting.is_closed;
        drop(waiting);
        for job in &jobs {
            metrics::histogram!("runledger_append_queue_wait_seconds").record(job.queued_at.elapsed());
        }
        (jobs, is_closed)
    }

    /// How long a flush took; the hint for callers who find the queue full.
    pub fn flushed_in(&self, flush_ms: u64) {
        let mut waiting = self.lock();
        (waiting.flush_ms, waiting.flushing_since) = (flush_ms, None);
    }

    /// What the database says to who writes: trouble, or `None` once it took something again.
    pub fn set_trouble(&self, trouble: Option<Error>) {
        self.lock().trouble = trouble;
    }

    /// What keeps records from being written.
    ///
    /// # Errors
    /// `UNAVAILABLE` in the words of the database's trouble, or that it does not answer.
    pub fn check_database(&self) -> Result<()> {
        let waiting = self.lock();
        if let Some(trouble) = &waiting.trouble {
            return Err(trouble.clone());
        }
        match waiting.flushing_since.map(|since| since.elapsed()) {
            Some(time) if time > FLUSH_PATIENCE => {
                let seconds = time.as_secs();
                let message = format!(
                    "a write has waited for the database for {seconds} s: another process or a long transaction may hold a lock"
                );
                Err(Error::unavailable(message, RETRY_AFTER_MS_MAX))
            }
            _ => Ok(()),
        }
    }

    /// Takes no more units; what waits is still written.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.has_news.notify_one();
    }

    /// Takes no more units because the log cannot be trusted; what waits is given up.
    pub fn stop(&self, reason: String) {
        let mut waiting = self.lock();
        (waiting.is_closed, waiting.stopped) = (true, Some(Stop::Untrusted(reason)));
        waiting.lanes = Lanes::default();
    }

    /// Whether units are taken.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says why not.
    pub fn check_open(&self) -> Result<()> {
        self.lock().check_open()
    }

    /// Records that wait, and the most that may.
    pub fn depth(&self) -> (usize, usize) {
        (self.lock().lanes.load().records, self.records_max)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing under this lock can panic half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue and gives up what waits when the writer ends, however it ends: callers are answered, not left.
pub(super) struct CloseOnDrop<'q>(pub &'q Queue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        let has_died = std::thread::panicking();
        if has_died {
            tracing::error!("the writer has died; nothing is written until the server is restarted");
        }
        let mut waiting = self.0.lock();
        let stopped = waiting.stopped.take().or(has_died.then_some(Stop::Died));
        *waiting = Waiting { is_closed: true, stopped, ..Waiting::default() };
    }
}

fn unit_bytes(unit: &AppendUnit) -> usize {
    let record = |record: &NewRecord| {
        let facts = if let NewRecord::Step(_, facts) = record { facts.text.len() } else { 0 };
        RECORD_BYTES + facts + record.payloads().iter().map(|payload| payload.text.len()).sum::<usize>()
    };
    unit.records.iter().map(record).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TenantId;
    use crate::domain::time::Timestamp;
    use crate::error::Code;

    /// Queues a unit.
    fn push(queue: &Queue) -> Result<Appending> {
        let unit = AppendUnit::evidence(TenantId::trusted("t"), Vec::new());
        let load = queue.load_of(&unit)?;
        queue.push(Prepared::new(unit, Timestamp::default(), true)?, load)
    }

    #[test]
    fn takes_everything_that_waits_and_ends_when_closed() {
        let queue = Queue::new(10, true);
        let _first = push(&queue).expect("room");
        let _second = push(&queue).expect("room");
        assert_eq!(queue.take().0.len(), 2);
        queue.close();
        assert_eq!(push(&queue).err().map(|error| error.code()), Some(Code::Unavailable));
        assert!(queue.take().1);
    }

    #[test]
    fn a_writer_that_has_died_is_not_said_to_shut_down() {
        let told = |panics: bool| {
            let queue = Queue::new(10, true);
            let mut waits = push(&queue).expect("room");
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _closing = CloseOnDrop(&queue);
                assert!(!panics, "a fault");
            }));
            assert_eq!(ended.is_err(), panics);
            assert!(matches!(waits.0.try_recv(), Err(oneshot::error::TryRecvError::Closed)), "who waits is not left");
            let Err(refused) = push(&queue) else { panic!("a queue that is open") };
            assert_eq!(refused.code(), Code::Unavailable);
            queue.check_open().expect_err("closed").message().to_owned()
        };
        let died = told(true);
        assert!(died.contains("died") && died.contains("restart") && !died.contains("shutting down"), "{died}");
        assert!(told(false).contains("shutting down"));
    }

    #[test]
    fn a_log_that_is_not_trusted_stays_the_reason() {
        let queue = Queue::new(10, true);
        queue.stop("its root is another".to_owned());
        drop(CloseOnDrop(&queue));
        assert!(queue.check_open().expect_err("stopped").message().contains("its root is another"));
    }
}
