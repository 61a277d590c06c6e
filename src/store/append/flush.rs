//! The writer: one flush after the other, each in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, TransactionTrait};

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::error::{database, unavailable};
use super::super::scoped::text_keys;
use super::insert::Inserter;
use super::known::Known;
use super::plan::{Plan, Planner};
use super::queue::{CloseOnDrop, Job, Queue};
use super::{STREAM, log_id};
use crate::clock::SharedClock;
use crate::domain::append::{AppendReceipt, AppendUnit};
use crate::domain::ids::TenantId;
use crate::domain::settle::SettlePolicy;
use crate::error::{Code, Error, Result};

/// One result for each unit.
type Outcomes = Vec<Result<AppendReceipt>>;

/// Writes what the queue holds.
pub(in crate::store) struct Writer {
    db: Database,
    clock: SharedClock,
    settle: SettlePolicy,
    inserter: Inserter,
    /// Tenants whose log exists.
    logs: HashSet<TenantId>,
}

impl Writer {
    pub fn new(db: Database, clock: SharedClock, settle: SettlePolicy) -> Self {
        let inserter = Inserter::new(db.backend);
        Self { db, clock, settle, inserter, logs: HashSet::new() }
    }

    /// Writes until the queue is closed and drained.
    pub async fn run(mut self, queue: Arc<Queue>) {
        let _closing = CloseOnDrop(&queue);
        while let Some(jobs) = queue.next_flush().await {
            let (started, units) = (Instant::now(), jobs.len());
            self.flush(jobs).await;
            queue.flushed(units, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Writes all units together. When the database refuses that, each is written alone, so that what it refuses hurts
    /// nobody else; when the database is in trouble, all are told to come again.
    async fn flush(&mut self, jobs: Vec<Job>) {
        let units: Vec<&AppendUnit> = jobs.iter().map(|job| &job.unit).collect();
        match self.write(&units, false).await {
            Ok(outcomes) => jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.answer(outcome)),
            Err(error) if is_passing(&error) => jobs.into_iter().for_each(|job| job.answer(Err(error.clone()))),
            Err(error) => {
                tracing::warn!(?error, units = jobs.len(), "a flush was refused; its units are written one by one");
                for job in jobs {
                    let outcome = self.write_alone(&job.unit).await;
                    job.answer(outcome);
                }
            }
        }
    }

    async fn write_alone(&mut self, unit: &AppendUnit) -> Result<AppendReceipt> {
        let mut outcome = self.write(&[unit], false).await;
        if let Err(error) = &outcome
            && !unit.is_atomic
            && !is_passing(error)
        {
            outcome = self.write(&[unit], true).await;
        }
        outcome?.pop().unwrap_or_else(|| Err(Error::internal("a unit without an outcome")))
    }

    /// One transaction. With `is_trial`, each record is tried alone first and left out when the database refuses it.
    async fn write(&mut self, units: &[&AppendUnit], is_trial: bool) -> Result<Outcomes> {
        let tenants: BTreeSet<&TenantId> = units.iter().map(|unit| &unit.tenant).collect();
        self.ensure_logs(&tenants).await?;
        let txn = self.db.begin().await?;
        match self.write_in_txn(&txn, units, &tenants, is_trial).await {
            // Whether a commit that failed took place is unknown: sent again, its records are found on record.
            Ok((outcomes, true)) => txn.commit().await.map(|()| outcomes).map_err(|cause| unavailable(&cause)),
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
        txn: &DatabaseTransaction,
        units: &[&AppendUnit],
        tenants: &BTreeSet<&TenantId>,
        is_trial: bool,
    ) -> Result<(Outcomes, bool)> {
        let sizes = self.lock_logs(txn, tenants).await?;
        // Under the locks, so that created_at and seq grow together on one clock.
        let now = self.clock.now();
        let settle = self.settle;
        let plan = |known, refused: &HashMap<usize, Error>| {
            Planner::new(known, sizes.clone(), now, settle, refused).plan(units)
        };
        let none = HashMap::new();
        let mut planned = plan(Known::load(txn, units).await?, &none);
        if is_trial {
            let refused = self.try_each(txn, &planned, units).await?;
            planned = plan(Known::load(txn, units).await?, &refused);
        }
        let Plan { batch, updates, outcomes, has_changes } = planned;
        self.inserter.batch(txn, batch).await?;
        self.inserter.updates(txn, updates).await?;
        Ok((outcomes, has_changes))
    }

    /// Which records of the only unit the database refuses.
    async fn try_each(
        &mut self,
        txn: &DatabaseTransaction,
        plan: &Plan,
        units: &[&AppendUnit],
    ) -> Result<HashMap<usize, Error>> {
        let mut refused = HashMap::new();
        for place in 0..units.iter().map(|unit| unit.records.len()).sum() {
            let savepoint = txn.begin().await.map_err(database)?;
            let tried = self.inserter.batch(&savepoint, plan.batch.of(place)).await;
            savepoint.rollback().await.map_err(database)?;
            match tried {
                Err(error) if is_passing(&error) => return Err(error),
                Err(error) => drop(refused.insert(place, error)),
                Ok(()) => {}
            }
        }
        Ok(refused)
    }

    /// Makes logs that may be missing, before the transaction: a row made inside it could be waited for by a process that
    /// holds another log.
    async fn ensure_logs(&mut self, tenants: &BTreeSet<&TenantId>) -> Result<()> {
        for tenant in tenants {
            if self.logs.contains(*tenant) {
                continue;
            }
            let log_id = log_id(tenant);
            let sql = "INSERT INTO ledger_log (log_id, tenant_id, stream, origin, size, updated_at) \
                       VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (log_id) DO NOTHING";
            let origin = format!("runledger/{log_id}");
            let now = self.clock.now().as_micros();
            let values = [log_id.into(), tenant.as_str().into(), STREAM.into(), origin.into(), now.into()];
            self.db.write.execute_raw(self.db.statement(sql, values)).await.map_err(database)?;
            self.logs.insert((*tenant).clone());
        }
        Ok(())
    }

    /// Locks the logs in order of their ids; their sizes.
    async fn lock_logs(
        &mut self,
        txn: &DatabaseTransaction,
        tenants: &BTreeSet<&TenantId>,
    ) -> Result<BTreeMap<TenantId, i64>> {
        let ids: Vec<String> = tenants.iter().map(|tenant| log_id(tenant)).collect();
        let (among, lock) = match self.db.backend {
            DbBackend::Postgres => ("= ANY($1::text[])", "FOR UPDATE"),
            _ => ("IN (SELECT value FROM json_each($1))", ""),
        };
        let sql = format!("SELECT tenant_id, size FROM ledger_log WHERE log_id {among} ORDER BY log_id {lock}");
        let keys = text_keys(self.db.backend, ids.iter().map(String::as_str))?;
        let rows = txn.query_all_raw(self.db.statement(sql, [keys])).await.map_err(database)?;
        let mut sizes = BTreeMap::new();
        for row in &rows {
            let mut columns = Columns::of(row, "ledger_log")?;
            sizes.insert(TenantId::trusted(columns.take::<&str>()?), columns.take()?);
        }
        if sizes.len() != tenants.len() {
            self.logs.clear();
            return Err(unavailable(&"a log that was there is gone"));
        }
        Ok(sizes)
    }
}

/// Whether the same unit may succeed later: it is the database's trouble, not the unit's.
fn is_passing(error: &Error) -> bool {
    matches!(error.code(), Code::Unavailable | Code::Timeout)
}
