//! The logs that a flush appends to: made where they are missing, locked in one order, checked before anything is chained
//! to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use sea_orm::sea_query::ArrayType;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::error::{database, unavailable};
use super::super::transaction::Transaction;
use crate::clock::SharedClock;
use crate::domain::ids::{Digest, TenantId};
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

/// A log's id, size and root.
pub(super) type LogSize = (Uuid, i64, Digest);

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
            let sql = "INSERT INTO ledger_log (log_id, tenant_id, stream, origin, size, root, edge, updated_at) \
                       VALUES ($1, $2, $3, $4, 0, $5, $6, $7) ON CONFLICT (tenant_id, stream) DO NOTHING";
            let values = [
                log_id.into(),
                tenant.into(),
                stream.into(),
                format!("{}/{}", self.origin, log_id.simple()).into(),
                empty.root().0.to_vec().into(),
                empty.edge().into(),
                self.clock.now().as_micros().into(),
            ];
            self.db.write.execute_raw(self.db.statement(sql, values)).await.map_err(database)?;
            let sql = "SELECT log_id FROM ledger_log WHERE tenant_id = $1 AND stream = $2";
            let statement = self.db.statement(sql, [tenant.into(), stream.into()]);
            let row = self.db.write.query_one_raw(statement).await.map_err(database)?;
            let row = row.ok_or_else(|| unavailable(GONE, GONE))?;
            self.ids.insert(key.clone(), Columns::of(&row, "ledger_log")?.take()?);
        }
        Ok(())
    }

    /// The ids of logs that were ensured.
    pub fn ids_of(&self, keys: &BTreeSet<LogKey>) -> Vec<Uuid> {
        keys.iter().filter_map(|key| self.ids.get(key).copied()).collect()
    }

    /// The logs with their sizes and roots, as the transaction leaves them.
    pub async fn sizes(&self, txn: &mut Transaction, keys: &BTreeSet<LogKey>) -> Result<Vec<LogSize>> {
        let ids = self.ids_of(keys);
        let rows = txn.rows(self.sizes_of(&ids)?).await?;
        rows.iter().map(decode_size).collect()
    }

    /// Whether another connection sees logs at these sizes; beyond them where another process wrote since.
    pub async fn are_seen(&self, expected: &[LogSize]) -> Result<bool> {
        let ids: Vec<Uuid> = expected.iter().map(|(log_id, _, _)| *log_id).collect();
        let rows = self.rows_elsewhere(&ids).await?;
        let seen = rows.iter().map(decode_size).collect::<Result<Vec<_>>>()?;
        let has = |(log_id, size, root): &LogSize| {
            seen.iter()
                .any(|(id, seen, seen_root)| id == log_id && (seen > size || (seen == size && seen_root == root)))
        };
        Ok(expected.iter().all(has))
    }

    /// Reads over another connection than the writer's. What broke the writer's may have broken idle readers too: they are
    /// met one after the other until one is whole.
    async fn rows_elsewhere(&self, ids: &[Uuid]) -> Result<Vec<QueryResult>> {
        let started = Instant::now();
        loop {
            match self.db.rows(self.sizes_of(ids)?).await {
                Err(error) if error.code() == Code::Unavailable && started.elapsed() < PROOF_PATIENCE => {
                    tokio::time::sleep(PROOF_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn sizes_of(&self, ids: &[Uuid]) -> Result<Statement> {
        let (among, ids) = self.among(ids)?;
        let sql = format!("SELECT log_id, size, root FROM ledger_log WHERE log_id {among}");
        Ok(self.db.statement(sql, [ids]))
    }

    /// A condition for ids, and its parameter.
    fn among(&self, ids: &[Uuid]) -> Result<(&'static str, Value)> {
        if self.db.backend == DbBackend::Postgres {
            let ids = ids.iter().copied().map(Value::from).collect();
            return Ok(("= ANY($1::uuid[])", Value::Array(ArrayType::Uuid, Some(Box::new(ids)))));
        }
        let ids: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
        let json = serde_json::to_string(&ids).map_err(Error::internal)?;
        Ok(("IN (SELECT unhex(value) FROM json_each($1))", json.into()))
    }

    /// Locks the logs in order of their ids. The inner error says why nothing may be appended to one of them.
    pub async fn lock(
        &mut self,
        txn: &mut Transaction,
        keys: &BTreeSet<LogKey>,
    ) -> Result<Result<BTreeMap<LogKey, OpenLog>, String>> {
        let (among, ids) = self.among(&self.ids_of(keys))?;
        let lock = if self.db.backend == DbBackend::Postgres { "FOR UPDATE" } else { "" };
        let sql = format!(
            "SELECT log_id, tenant_id, stream, origin, size, root, edge FROM ledger_log WHERE log_id {among} \
             ORDER BY log_id {lock}"
        );
        let rows = txn.rows(self.db.statement(sql, [ids])).await?;
        let mut logs = BTreeMap::new();
        for row in &rows {
            let mut columns = Columns::of(row, "ledger_log")?;
            let log_id = columns.take()?;
            let key: LogKey = (columns.take::<&str>().map(TenantId::trusted)?, columns.field()?);
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

fn decode_size(row: &QueryResult) -> Result<LogSize> {
    let mut columns = Columns::of(row, "ledger_log")?;
    Ok((columns.take()?, columns.take()?, columns.field()?))
}
