//! The writer: one flush after the other, each in one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::super::database::Database;
use super::super::error::{database, unavailable};
use super::changes::ChangedLogs;
use super::erase;
use super::insert::Inserter;
use super::known::Known;
use super::logs::{LogKey, Logs};
use super::plan::{Plan, Planner};
use super::prepare::Prepared;
use super::queue::{CloseOnDrop, Job, Queue};
use super::records::Updates;
use super::txn::Txn;
use crate::clock::SharedClock;
use crate::domain::append::AppendReceipt;
use crate::domain::settle::SettlePolicy;
use crate::error::{Code, Error, Result};
use crate::store::LedgerConfig;

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
        Self { db, clock, settle, inserter: Inserter::default(), logs, queue, changed, owes_scrub: false }
    }

    /// Writes until the queue is closed and drained.
    pub async fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _closing = CloseOnDrop(&queue);
        while let Some(jobs) = queue.next_flush().await {
            let started = Instant::now();
            self.flush(jobs).await;
            queue.flushed_in(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        self.db.close_appending().await;
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
        self.logs.ensure(&keys).await?;
        let mut txn = Txn::begin(&self.db).await?;
        match self.write_in_txn(&mut txn, units, &keys, is_trial).await {
            // Whether a commit that failed took place is unknown: sent again, its records are found on record.
            Ok((outcomes, true)) => {
                let committed = txn.commit().await;
                self.changed.add(self.logs.ids_of(&keys));
                committed.map_err(|cause| unavailable(&cause))?;
                if self.owes_scrub || erase::erases(units) {
                    self.owes_scrub = !erase::scrub(&self.db).await;
                }
                Ok(outcomes)
            }
            Ok((outcomes, false)) => txn.rollback().await.map(|()| outcomes).map_err(database),
            Err(error) => {
                if let Err(cause) = txn.rollback().await {
                    tracing::warn!(%cause, "rolling back a flush");
                }
                Err(error)
            }
        }
    }

    /// The outcomes, and whether there is anything to commit.
    async fn write_in_txn(
        &mut self,
        txn: &mut Txn,
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
        let Plan { batch, updates, outcomes, has_changes } = planned;
        self.inserter.write(txn, batch, updates).await?;
        erase::payloads(txn, &self.db, units, &outcomes).await?;
        Ok((outcomes, has_changes))
    }

    /// Which records of the only unit the database refuses.
    async fn try_each(&mut self, txn: &mut Txn, plan: &Plan, units: &[&Prepared]) -> Result<HashMap<usize, Error>> {
        let mut refused = HashMap::new();
        for place in 0..units.iter().map(|prepared| prepared.unit.records.len()).sum() {
            txn.command("SAVEPOINT trial").await?;
            let tried = self.inserter.write(txn, plan.batch.of(place), Updates::default()).await;
            txn.command("ROLLBACK TO SAVEPOINT trial").await?;
            txn.command("RELEASE SAVEPOINT trial").await?;
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
