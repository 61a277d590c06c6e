//! How the logs of all tenants stand and how busy the connections are: for those who watch the server, who see numbers and
//! no evidence.

use std::collections::BTreeMap;

use sea_orm::{DatabaseConnection, DbBackend};
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, decode_all};
use super::scoped::{EveryTenant, every_tenant};
use crate::domain::ids::RecordId;
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::domain::verification::VerificationStatus;
use crate::domain::vocabulary::Stream;
use crate::error::Result;

/// Logs that are told apart: the worst ones. Of the others only sums are known, so that the number of numbers does not grow
/// with the tenants.
pub const LOGS_MAX: i64 = 100;

/// Every log that has entries, with its newest telling verification and its newest checkpoint.
const LOGS: &str = "FROM ledger_log l \
    LEFT JOIN ledger_watch w ON w.tenant_id = l.tenant_id AND w.log_id = l.log_id \
    LEFT JOIN ledger_verification v ON v.tenant_id = l.tenant_id AND v.id = w.verification_id \
    LEFT JOIN ledger_checkpoint c ON c.tenant_id = l.tenant_id AND c.log_id = l.log_id \
        AND c.size = (SELECT MAX(m.size) FROM ledger_checkpoint m \
            WHERE m.tenant_id = l.tenant_id AND m.log_id = l.log_id) \
    WHERE l.size > 0";

/// The first record of each log that its newest checkpoint does not cover, or of those the oldest: ids begin with the time at
/// which they were given. CROSS JOIN keeps SQLite from reading all entries of all logs first.
const OLDEST_UNSIGNED: &str = "SELECT e.record_id FROM ledger_log l \
    LEFT JOIN ledger_checkpoint c ON c.tenant_id = l.tenant_id AND c.log_id = l.log_id \
        AND c.size = (SELECT MAX(m.size) FROM ledger_checkpoint m \
            WHERE m.tenant_id = l.tenant_id AND m.log_id = l.log_id) \
    CROSS JOIN ledger_entry e \
    WHERE l.size > COALESCE(c.size, 0) AND e.tenant_id = l.tenant_id AND e.log_id = l.log_id AND e.seq = COALESCE(c.size, 0) \
    ORDER BY e.record_id LIMIT 1";

/// A pool of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// `read` or `write`.
    pub name: &'static str,
    /// Connections that are open.
    pub open: u32,
    /// Open ones that nobody uses.
    pub idle: u32,
    /// The most that may be open.
    pub max: u32,
    /// Reads that wait for a connection; of `write`, whose one user waits for itself, always 0.
    pub waiting: u32,
}

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVitals {
    /// The log.
    pub log_id: Uuid,
    /// What is in it.
    pub stream: Stream,
    /// What its newest telling verification found; `None` where nobody has looked.
    pub status: Option<VerificationStatus>,
    /// Anomalies that it found.
    pub anomalies: i64,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// Entries that its newest checkpoint does not cover.
    pub unsigned_entries: i64,
    /// When its newest checkpoint was made; `None` where there is none.
    pub signed_at: Option<Timestamp>,
}

/// All logs that have entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerVitals {
    /// How many logs have each status; those that nobody has looked at are under `None`.
    pub logs: BTreeMap<Option<VerificationStatus>, i64>,
    /// Anomalies of all of them.
    pub anomalies: i64,
    /// When the log was looked at that nobody has looked at for longest; `None` where none was.
    pub oldest_check: Option<Timestamp>,
    /// Logs whose newest checkpoint is not of the state that they have.
    pub unsigned_logs: i64,
    /// When the newest checkpoint of all was made; `None` where there is none.
    pub newest_checkpoint: Option<Timestamp>,
    /// When the oldest record was made that no checkpoint covers; `None` where each is covered.
    pub oldest_unsigned: Option<Timestamp>,
    /// The worst logs, at most [`LOGS_MAX`]: INVALID ones first, then UNKNOWN, then never looked at, then by the time since
    /// they were.
    pub worst: Vec<LogVitals>,
}

impl Store {
    /// How the logs of all tenants stand: three statements, which read a few rows of each log.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn ledger_vitals(&self) -> Result<LedgerVitals> {
        let sql = format!(
            "SELECT v.status, COUNT(*), CAST(COALESCE(SUM(v.anomaly_count), 0) AS BIGINT), MIN(w.checked_at), \
             CAST(SUM(CASE WHEN c.size = l.size THEN 0 ELSE 1 END) AS BIGINT), MAX(c.made_at) {LOGS} GROUP BY v.status"
        );
        let rows = self.db().rows(every_tenant(self.db(), EveryTenant::Vitals, &sql, [])).await?;
        let mut vitals = LedgerVitals::default();
        let groups = decode_all(&rows, "ledger_log", |columns| {
            let status = columns.field()?;
            let (logs, anomalies): (i64, i64) = (columns.take()?, columns.take()?);
            let oldest_check: Option<Timestamp> = columns.field()?;
            Ok((status, logs, anomalies, oldest_check, columns.take::<i64>()?, columns.field()?))
        })?;
        for (status, logs, anomalies, oldest_check, unsigned, newest_checkpoint) in groups {
            vitals.logs.insert(status, logs);
            vitals.anomalies += anomalies;
            vitals.oldest_check = vitals.oldest_check.into_iter().chain(oldest_check).min();
            vitals.unsigned_logs += unsigned;
            vitals.newest_checkpoint = vitals.newest_checkpoint.max(newest_checkpoint);
        }
        vitals.oldest_unsigned = self.oldest_unsigned().await?;
        vitals.worst = self.worst_logs().await?;
        Ok(vitals)
    }

    async fn oldest_unsigned(&self) -> Result<Option<Timestamp>> {
        let rows = self.db().rows(every_tenant(self.db(), EveryTenant::Vitals, OLDEST_UNSIGNED, [])).await?;
        let ids = decode_all(&rows, "ledger_entry", |columns| columns.id())?;
        Ok(ids.first().map(|id| given_at(*id)))
    }

    async fn worst_logs(&self) -> Result<Vec<LogVitals>> {
        let sql = format!(
            "SELECT l.log_id, l.stream, v.status, COALESCE(v.anomaly_count, 0), w.checked_at, l.size - COALESCE(c.size, 0), \
             c.made_at {LOGS} ORDER BY CASE v.status WHEN 'INVALID' THEN 0 WHEN 'UNKNOWN' THEN 1 WHEN 'VALID' THEN 3 \
             ELSE 2 END, w.checked_at, l.log_id LIMIT $1"
        );
        let rows = self.db().rows(every_tenant(self.db(), EveryTenant::Vitals, &sql, [LOGS_MAX.into()])).await?;
        decode_all(&rows, "ledger_log", |columns: &mut Columns<'_>| {
            Ok(LogVitals {
                log_id: columns.take()?,
                stream: columns.field()?,
                status: columns.field()?,
                anomalies: columns.take()?,
                checked_at: columns.field()?,
                unsigned_entries: columns.take()?,
                signed_at: columns.field()?,
            })
        })
    }

    /// The pools that serve requests. The connection of the one task that appends on PostgreSQL is not among them.
    #[must_use]
    pub fn pools(&self) -> [Pool; 2] {
        let [mut read, write] = [pool("read", &self.db().read), pool("write", &self.db().write)];
        read.waiting = self.db().reads_under_way().saturating_sub(read.open - read.idle);
        [read, write]
    }
}

/// When an id was given, to the millisecond. One that does not say is none of ours: as old as can be, so that it is seen.
fn given_at(id: RecordId) -> Timestamp {
    let Some((seconds, nanos)) = id.0.get_timestamp().map(|at| at.to_unix()) else { return Timestamp::default() };
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(MICROS_PER_SECOND);
    Timestamp::from_micros_clamped(seconds.saturating_add(i64::from(nanos / 1_000)))
}

fn pool(name: &'static str, connection: &DatabaseConnection) -> Pool {
    let (open, idle, max) = if connection.get_database_backend() == DbBackend::Postgres {
        let pool = connection.get_postgres_connection_pool();
        (pool.size(), pool.num_idle(), pool.options().get_max_connections())
    } else {
        let pool = connection.get_sqlite_connection_pool();
        (pool.size(), pool.num_idle(), pool.options().get_max_connections())
    };
    Pool { name, open, idle: u32::try_from(idle).unwrap_or(u32::MAX).min(open), max, waiting: 0 }
}
