//! The logs that a flush appends to: made where they are missing, locked in one order, checked before anything is chained
//! to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use sea_orm::{DbBackend, QueryResult, Statement};
use uuid::Uuid;

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::error::unavailable;
use super::super::keytable::Keys;
use super::super::scoped::scoped_statement;
use super::super::transaction::Transaction;
use crate::clock::SharedClock;
use crate::domain::ids::{Digest, TenantId};
use crate::domain::ledger::LogName;
use crate::domain::vocabulary::Stream;
use crate::error::{Code, Error, Result};
use crate::ledger::tree::CompactRange;
use crate::store::LedgerConfig;

/// Somebody has deleted a row that nothing of ours deletes.
const GONE: &str = "a log that was there is gone; send it again";

/// How long a connection is looked for that shows what was committed, and the pause between two tries.
const PROOF_PATIENCE: Duration = Duration::from_secs(2);
const PROOF_PAUSE: Duration = Duration::from_millis(5);

/// Whose log, and which of the two.
pub(super) type LogKey = (TenantId, Stream);

/// A log, its size and its root.
pub(super) type LogSize = (LogName, i64, Digest);

/// A log as it stands under its lock.
#[derive(Clone)]
pub(super) struct OpenLog {
    pub log_id: Uuid,
    pub origin: String,
    /// How many records it has: the next one's place.
    pub size: i64,
    /// `None` where records are written without entries, which only benchmarks do.
    pub range: Option<CompactRange>,
}

/// What the writer knows of the logs.
pub(super) struct Logs {
    db: Database,
    clock: SharedClock,
    origin: String,
    is_chained: bool,
    /// Logs that exist.
    ids: HashMap<LogKey, Uuid>,
}

impl Logs {
    pub fn new(db: Database, clock: SharedClock, ledger: LedgerConfig) -> Self {
        Self { db, clock, origin: ledger.origin, is_chained: ledger.is_chained, ids: HashMap::new() }
    }

    /// Makes logs that may be missing, before the transaction: a row made inside it could be waited for by a process that
    /// holds another log.
    pub async fn ensure(&mut self, keys: &BTreeSet<LogKey>) -> Result<()> {
        for key in keys {
            if self.ids.contains_key(key) {
                continue;
            }
            let (tenant, stream) = (key.0.as_str(), key.1.as_str());
            let log_id = self.clock.new_id().0;
            let empty = CompactRange::empty();
            let sql = "INSERT INTO ledger_log (tenant_id, log_id, stream, origin, size, root, edge, updated_at) \
                       VALUES ($1, $2, $3, $4, 0, $5, $6, $7) ON CONFLICT (tenant_id, stream) DO NOTHING";
            let values = [
                tenant.into(),
                log_id.into(),
                stream.into(),
                format!("{}/{}", self.origin, log_id.simple()).into(),
                empty.root().0.to_vec().into(),
                empty.edge().into(),
                self.clock.now().as_micros().into(),
            ];
            self.db.change(self.db.statement(sql, values)).await?;
            let sql = "SELECT log_id FROM ledger_log WHERE tenant_id = $1 AND stream = $2";
            let statement = self.db.statement(sql, [tenant.into(), stream.into()]);
            let rows = self.db.written(statement).await?;
            let row = rows.first().ok_or_else(|| unavailable(GONE, GONE))?;
            self.ids.insert(key.clone(), Columns::of(row, "ledger_log")?.take()?);
        }
        Ok(())
    }

    /// The names of logs that were ensured, in the order of tenants.
    pub fn names_of(&self, keys: &BTreeSet<LogKey>) -> Vec<LogName> {
        let name = |key: &LogKey| Some(LogName { tenant: key.0.clone(), log_id: *self.ids.get(key)? });
        keys.iter().filter_map(name).collect()
    }

    /// The logs with their sizes and roots, as the transaction leaves them.
    pub async fn sizes(&self, txn: &mut Transaction, keys: &BTreeSet<LogKey>) -> Result<Vec<LogSize>> {
        let mut sizes = Vec::with_capacity(keys.len());
        for logs in of_one_tenant(&self.names_of(keys)) {
            let rows = txn.rows(self.sizes_of(logs)?).await?;
            sizes.extend(decode_sizes(&rows, logs)?);
        }
        Ok(sizes)
    }

    /// Whether another connection sees logs at these sizes; beyond them where another process wrote since.
    pub async fn are_seen(&self, expected: &[LogSize]) -> Result<bool> {
        let names: Vec<LogName> = expected.iter().map(|(name, _, _)| name.clone()).collect();
        let mut seen = Vec::with_capacity(expected.len());
        for logs in of_one_tenant(&names) {
            seen.extend(decode_sizes(&self.rows_elsewhere(logs).await?, logs)?);
        }
        let has = |(name, size, root): &LogSize| {
            seen.iter()
                .any(|(other, seen, seen_root)| other == name && (seen > size || (seen == size && seen_root == root)))
        };
        Ok(expected.iter().all(has))
    }

    /// Reads over another connection than the writer's. What broke the writer's may have broken idle readers too: they are
    /// met one after the other until one is whole.
    async fn rows_elsewhere(&self, logs: &[LogName]) -> Result<Vec<QueryResult>> {
        let started = Instant::now();
        loop {
            match self.db.rows(self.sizes_of(logs)?).await {
                Err(error) if error.code() == Code::Unavailable && started.elapsed() < PROOF_PATIENCE => {
                    tokio::time::sleep(PROOF_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn sizes_of(&self, logs: &[LogName]) -> Result<Statement> {
        self.select("log_id, size, root", logs, "")
    }

    /// A statement that selects logs of one tenant.
    fn select(&self, columns: &str, logs: &[LogName], tail: &str) -> Result<Statement> {
        let tenant = &logs.first().ok_or_else(|| Error::internal("logs of no tenant"))?.tenant;
        let keys = Keys::Ids(logs.iter().map(|log| log.log_id).collect());
        let among = keys.among(self.db.backend, "$2");
        let sql = format!("SELECT {columns} FROM ledger_log WHERE tenant_id = $1 AND log_id {among}{tail}");
        Ok(scoped_statement(&self.db, tenant, sql, [keys.value(self.db.backend)?]))
    }

    /// Locks the logs, tenant by tenant in order of their ids. The inner error says why nothing may be appended to one of
    /// them.
    pub async fn lock(
        &mut self,
        txn: &mut Transaction,
        keys: &BTreeSet<LogKey>,
    ) -> Result<Result<BTreeMap<LogKey, OpenLog>, String>> {
        let lock = if self.db.backend == DbBackend::Postgres { " ORDER BY log_id FOR UPDATE" } else { "" };
        let mut rows = Vec::with_capacity(keys.len());
        for logs in of_one_tenant(&self.names_of(keys)) {
            let statement = self.select("tenant_id, log_id, stream, origin, size, root, edge", logs, lock)?;
            rows.extend(txn.rows(statement).await?);
        }
        let mut logs = BTreeMap::new();
        for row in &rows {
            let mut columns = Columns::of(row, "ledger_log")?;
            let (tenant, log_id) = (TenantId::trusted(columns.take::<&str>()?), columns.take()?);
            let key: LogKey = (tenant, columns.field()?);
            let (origin, size, root) = (columns.take()?, columns.take::<i64>()?, columns.field()?);
            let range = CompactRange::from_edge(size.cast_unsigned(), columns.take::<&[u8]>()?);
            match range.filter(|range| range.root() == root) {
                None if self.is_chained => {
                    return Ok(Err(format!("root and edge of the {} log of {} disagree", key.1.as_str(), key.0)));
                }
                range => {
                    drop(logs.insert(key, OpenLog { log_id, origin, size, range: range.filter(|_| self.is_chained) }))
                }
            }
        }
        if logs.len() != keys.len() {
            self.ids.clear();
            return Err(unavailable(GONE, GONE));
        }
        Ok(Ok(logs))
    }
}

/// Logs in the order of their tenants, each tenant's together.
fn of_one_tenant(logs: &[LogName]) -> impl Iterator<Item = &[LogName]> {
    logs.chunk_by(|left, right| left.tenant == right.tenant)
}

/// The sizes of logs of one tenant.
fn decode_sizes(rows: &[QueryResult], logs: &[LogName]) -> Result<Vec<LogSize>> {
    let Some(LogName { tenant, .. }) = logs.first() else { return Ok(Vec::new()) };
    let decode = |row| {
        let mut columns = Columns::of(row, "ledger_log")?;
        let name = LogName { tenant: tenant.clone(), log_id: columns.take()? };
        Ok((name, columns.take()?, columns.field()?))
    };
    rows.iter().map(decode).collect()
}
