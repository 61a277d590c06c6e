//! The writer: one flush after the other, each in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::database::Database;
use super::super::error::unavailable;
use super::super::transaction::Transaction;
use super::changes::ChangedLogs;
use super::erase;
use super::insert::Inserter;
use super::known::Known;
use super::logs::{LogKey, Logs};
use super::plan::{Plan, Planner};
use super::prepare::Prepared;
use super::probe;
use super::queue::{CloseOnDrop, Job, Queue};
use super::records::Updates;
use crate::clock::SharedClock;
use crate::domain::append::AppendReceipt;
use crate::domain::settle::SettlePolicy;
use crate::error::{Code, Error, Result};
use crate::store::LedgerConfig;

/// What was committed is not there for others: it must not be acknowledged.
const UNSEEN: &str = "what was written is not seen by another connection to the database; send it again";
/// How often a database in trouble is tried while nobody writes.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// One result for each unit.
type Outcomes = Vec<Result<AppendReceipt>>;

/// Writes what the queue holds.
pub(in crate::store) struct Writer {
    db: Database,
    clock: SharedClock,
    settle: SettlePolicy,
    inserter: Inserter,
    logs: Logs,
    queue: Arc<Queue>,
    /// Erased bytes may still stand in the write-ahead log.
    owes_scrub: bool,
    /// The latest flush failed: the next is acknowledged when another connection sees it, and not before.
    owes_proof: bool,
    /// When the database last did not take something; `None` once it takes everything again.
    failed_at: Option<Instant>,
    changed: Arc<ChangedLogs>,
}

impl Writer {
    pub fn new(
        db: Database,
        clock: SharedClock,
        settle: SettlePolicy,
        ledger: LedgerConfig,
        queue: Arc<Queue>,
        changed: Arc<ChangedLogs>,
    ) -> Self {
        let logs = Logs::new(db.clone(), Arc::clone(&clock), ledger);
        let inserter = Inserter::default();
        Self {
            db,
            clock,
            settle,
            inserter,
            logs,
            queue,
            changed,
            owes_scrub: false,
            owes_proof: false,
            failed_at: None,
        }
    }

    /// Writes until the queue is closed and drained.
    pub async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _closing = CloseOnDrop(&queue);
        loop {
            let Ok(next) = tokio::time::timeout(self.patience(), queue.next_flush()).await else {
                self.probe().await;
                continue;
            };
            let Some(jobs) = next else { break };
            let started = Instant::now();
            self.flush(jobs).await;
            queue.flushed_in(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        self.db.close_appending().await;
    }

    /// How long to wait for units before the database is tried without any.
    const fn patience(&self) -> Duration {
        if self.failed_at.is_some() { PROBE_EVERY } else { Duration::MAX }
    }

    /// Tries whether a database in trouble takes anything again.
    async fn probe(&mut self) {
        match probe::write(&self.db).await {
            Ok(()) => self.note_success(),
            Err(error) => self.note(&error),
        }
    }

    /// Keeps in mind, for who asks, that the database does not take what it is given.
    fn note(&mut self, error: &Error) {
        if is_passing(error) {
            let told = self.db.for_operator(error);
            // Once, not for each of those who are told to come again.
            if self.failed_at.is_none() {
                tracing::error!(reason = told.message(), "the database does not take what is written");
            }
            self.failed_at = Some(Instant::now());
            self.queue.set_trouble(Some(told));
        }
    }

    /// The trouble is over when something is taken a while after the latest failure: a full disk still takes what is small.
    fn note_success(&mut self) {
        if self.failed_at.is_some_and(|failed| failed.elapsed() >= PROBE_EVERY) {
            self.failed_at = None;
            tracing::info!("the database takes what is written again");
            self.queue.set_trouble(None);
        }
    }

    /// Writes all units together. When the database refuses that, each is written alone, so that what it refuses hurts
    /// nobody else; when the database is in trouble, all are told to come again.
    async fn flush(&mut self, jobs: Vec<Job>) {
        let units: Vec<&Prepared> = jobs.iter().map(|job| &job.prepared).collect();
        match self.write(&units, false).await {
            Ok(outcomes) => jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.answer(outcome)),
            Err(error) if is_passing(&error) => jobs.into_iter().for_each(|job| job.answer(Err(error.clone()))),
            Err(error) => {
                tracing::warn!(?error, units = jobs.len(), "a flush was refused; its units are written one by one");
                for job in jobs {
                    let outcome = self.write_alone(&job.prepared).await;
                    job.answer(outcome);
                }
            }
        }
    }

    async fn write_alone(&mut self, unit: &Prepared) -> Result<AppendReceipt> {
        let mut outcome = self.write(&[unit], false).await;
        if let Err(error) = &outcome
            && !unit.unit.is_atomic
            && !is_passing(error)
        {
            outcome = self.write(&[unit], true).await;
        }
        outcome?.pop().unwrap_or_else(|| Err(Error::internal("a unit without an outcome")))
    }

    /// One transaction. With `is_trial`, each record is tried alone first and left out when the database refuses it.
    async fn write(&mut self, units: &[&Prepared], is_trial: bool) -> Result<Outcomes> {
        let keys: BTreeSet<LogKey> =
            units.iter().map(|prepared| (prepared.unit.tenant.clone(), prepared.unit.stream)).collect();
        let written = self.write_logs(units, &keys, is_trial).await;
        match &written {
            Ok((_, true)) => {
                self.owes_proof = false;
                self.note_success();
                let records = units.iter().map(|prepared| prepared.unit.records.len()).sum::<usize>();
                // A flush has thousands of records at most, unless one unit has more.
                metrics::histogram!("runledger_append_flush_records")
                    .record(u32::try_from(records).unwrap_or(u32::MAX));
                if self.owes_scrub || erase::erases(units) {
                    self.owes_scrub = !erase::scrub(&self.db).await;
                }
            }
            // Nothing was to be written, which proves nothing.
            Ok((_, false)) => {}
            Err(error) => {
                self.owes_proof = true;
                self.note(error);
            }
        }
        written.map(|(outcomes, _)| outcomes)
    }

    /// The outcomes, and whether anything was committed.
    async fn write_logs(
        &mut self,
        units: &[&Prepared],
        keys: &BTreeSet<LogKey>,
        is_trial: bool,
    ) -> Result<(Outcomes, bool)> {
        self.db.check_file()?;
        self.logs.ensure(keys).await?;
        let mut txn = Transaction::begin(&self.db).await?;
        match self.write_in_txn(&mut txn, units, keys, is_trial).await {
            Ok((outcomes, true)) => {
                let expected = if self.owes_proof { self.logs.sizes(&mut txn, keys).await? } else { Vec::new() };
                if let Err(error) = self.db.check_ahead() {
                    txn.rollback().await;
                    return Err(error);
                }
                // Whether a commit that failed took place is unknown: sent again, its records are found on record.
                let started = Instant::now();
                let committed = txn.commit().await;
                metrics::histogram!("runledger_append_commit_seconds").record(started.elapsed());
                self.changed.add(self.logs.names_of(keys));
                committed?;
                if !expected.is_empty() && !self.logs.are_seen(&expected).await? {
                    self.db.renew_writer().await;
                    return Err(unavailable(UNSEEN, UNSEEN));
                }
                Ok((outcomes, true))
            }
            Ok((outcomes, false)) => {
                txn.rollback().await;
                Ok((outcomes, false))
            }
            Err(error) => {
                txn.rollback().await;
                Err(error)
            }
        }
    }

    /// The outcomes, and whether there is anything to commit.
    async fn write_in_txn(
        &mut self,
        txn: &mut Transaction,
        units: &[&Prepared],
        keys: &BTreeSet<LogKey>,
        is_trial: bool,
    ) -> Result<(Outcomes, bool)> {
        let logs = match self.logs.lock(txn, keys).await? {
            Ok(logs) => logs,
            Err(reason) => {
                tracing::error!(reason, "the writer stops: nothing may be chained to a log that contradicts itself");
                self.queue.stop(reason);
                self.queue.check_open()?;
                return Err(Error::internal("a stopped queue that is open"));
            }
        };
        let now = self.clock.now();
        let settle = self.settle;
        let plan = |known, refused: &HashMap<usize, Error>| {
            Planner::new(known, logs.clone(), now, settle, refused).plan(units)
        };
        let none = HashMap::new();
        let mut planned = plan(Known::load(txn, units).await?, &none);
        if is_trial {
            let refused = self.try_each(txn, &planned, units).await?;
            planned = plan(Known::load(txn, units).await?, &refused);
        }
        let Plan { writes, outcomes, has_changes } = planned;
        for (batch, updates) in writes.into_values() {
            self.inserter.write(txn, batch, updates).await?;
        }
        erase::payloads(txn, &self.db, units, &outcomes).await?;
        Ok((outcomes, has_changes))
    }

    /// Which records of the only unit the database refuses.
    async fn try_each(
        &mut self,
        txn: &mut Transaction,
        plan: &Plan,
        units: &[&Prepared],
    ) -> Result<HashMap<usize, Error>> {
        let mut refused = HashMap::new();
        for place in 0..units.iter().map(|prepared| prepared.unit.records.len()).sum() {
            txn.mark().await?;
            let tried = match plan.writes.values().next() {
                Some((batch, _)) => self.inserter.write(txn, batch.of(place), Updates::default()).await,
                None => Ok(()),
            };
            txn.undo().await?;
            match tried {
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => drop(refused.insert(place, error)),
                Ok(()) => {}
            }
        }
        Ok(refused)
    }
}

/// Whether the same unit may succeed later: it is the database's trouble, not the unit's.
fn is_passing(error: &Error) -> bool {
    matches!(error.code(), Code::Unavailable | Code::Timeout)
}
