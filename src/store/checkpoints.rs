//! Signed checkpoints, and the logs that want one. Only committed states are read, and nothing is stored for a key that
//! does not sign any more.

use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, QueryTrait, Value};
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, column_list, decode_all, digest_value};
use super::error::database;
use super::scoped::{scoped, scoped_statement};
use super::transaction::Transaction;
use crate::domain::checkpoint::SignedCheckpoint;
use crate::domain::ids::{Digest, TenantId};
use crate::domain::ledger::LedgerLog;
use crate::domain::vocabulary::{LedgerEventKind, Stream};
use crate::entity::ledger_log;
use crate::error::{Error, Result};

const LOG: &str = "ledger_log";
const CHECKPOINT: &str = "ledger_checkpoint";

/// A log whose newest checkpoint is not of the state that it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedLog {
    /// The log.
    pub log: LedgerLog,
    /// Size and root of its newest checkpoint.
    pub newest: Option<(i64, Digest)>,
}

pub(super) fn decode_log(columns: &mut Columns<'_>) -> Result<LedgerLog> {
    let log = LedgerLog {
        log_id: columns.take()?,
        tenant_id: TenantId::trusted(columns.take::<&str>()?),
        stream: columns.field()?,
        origin: columns.take()?,
        size: columns.take()?,
        root: columns.field()?,
        edge: columns.take()?,
    };
    // updated_at
    columns.skip(1);
    Ok(log)
}

/// Size, root, note and instant, in this order.
fn decode_checkpoint(columns: &mut Columns<'_>, log_id: Uuid, origin: &str) -> Result<SignedCheckpoint> {
    Ok(SignedCheckpoint {
        log_id,
        origin: origin.to_owned(),
        size: columns.take()?,
        root: columns.field()?,
        note: columns.take()?,
        made_at: columns.field()?,
    })
}

impl Store {
    /// A log of a tenant; `None` while nothing was ever appended to it.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn ledger_log(&self, tenant: &TenantId, stream: Stream) -> Result<Option<LedgerLog>> {
        let wanted = ledger_log::Column::Stream.eq(stream.as_str());
        let select = scoped::<ledger_log::Entity>(tenant).filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        Ok(decode_all(&rows, LOG, decode_log)?.pop())
    }

    /// Every log of a tenant.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn ledger_logs(&self, tenant: &TenantId) -> Result<Vec<LedgerLog>> {
        let rows = self.db().rows(scoped::<ledger_log::Entity>(tenant).build(self.db().backend)).await?;
        decode_all(&rows, LOG, decode_log)
    }

    /// The checkpoint of exactly this size; the newest one for `None`.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn get_checkpoint(&self, log: &LedgerLog, size: Option<i64>) -> Result<Option<SignedCheckpoint>> {
        let size = size.map_or(i64::MAX, |size| size);
        let which = if size == i64::MAX { "<=" } else { "=" };
        let sql = format!(
            "SELECT size, root, note, made_at FROM ledger_checkpoint WHERE log_id = $1 AND size {which} $2 \
             ORDER BY size DESC LIMIT 1"
        );
        let rows = self.db().rows(self.db().statement(sql, [log.log_id.into(), size.into()])).await?;
        let decode = |columns: &mut Columns<'_>| decode_checkpoint(columns, log.log_id, &log.origin);
        Ok(decode_all(&rows, CHECKPOINT, decode)?.pop())
    }

    /// The first checkpoint that covers each of these places, with the place; one that none covers is absent. The first
    /// one is always the same, so a receipt that is asked for again is the same too.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn checkpoints_covering(&self, log: &LedgerLog, seqs: &[i64]) -> Result<Vec<(i64, SignedCheckpoint)>> {
        let (table, seqs) = match self.db().backend {
            DbBackend::Postgres => {
                let seqs = seqs.iter().map(|seq| (*seq).into()).collect();
                ("unnest($2::bigint[]) AS s(value)", Value::Array(ArrayType::BigInt, Some(Box::new(seqs))))
            }
            _ => ("json_each($2) s", serde_json::to_string(seqs).map_err(Error::internal)?.into()),
        };
        let sql = format!(
            "SELECT s.value, c.size, c.root, c.note, c.made_at FROM {table} JOIN ledger_checkpoint c ON c.log_id = $1 \
             AND c.size = (SELECT MIN(m.size) FROM ledger_checkpoint m WHERE m.log_id = $1 AND m.size > s.value)"
        );
        let rows = self.db().rows(self.db().statement(sql, [log.log_id.into(), seqs])).await?;
        decode_all(&rows, CHECKPOINT, |columns| {
            Ok((columns.take()?, decode_checkpoint(columns, log.log_id, &log.origin)?))
        })
    }

    /// Logs of every tenant whose present state has no checkpoint; of all logs, or of these.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn unsigned_logs(&self, among: Option<&[Uuid]>) -> Result<Vec<UnsignedLog>> {
        let (condition, values) = match (among, self.db().backend) {
            (None, _) => ("", Vec::new()),
            (Some(among), DbBackend::Postgres) => {
                let ids = among.iter().map(|id| (*id).into()).collect();
                ("AND l.log_id = ANY($1::uuid[])", vec![Value::Array(ArrayType::Uuid, Some(Box::new(ids)))])
            }
            (Some(among), _) => {
                let ids: Vec<String> = among.iter().map(|id| id.simple().to_string()).collect();
                let ids = serde_json::to_string(&ids).map_err(Error::internal)?;
                ("AND l.log_id IN (SELECT unhex(value) FROM json_each($1))", vec![ids.into()])
            }
        };
        let columns = column_list::<ledger_log::Entity>("l");
        let sql = format!(
            "SELECT {columns}, c.size, c.root FROM ledger_log l LEFT JOIN ledger_checkpoint c ON c.log_id = l.log_id \
             AND c.size = (SELECT MAX(m.size) FROM ledger_checkpoint m WHERE m.log_id = l.log_id) \
             WHERE l.size > 0 AND (c.size IS NULL OR c.size <> l.size OR c.root <> l.root) {condition} ORDER BY l.log_id"
        );
        let rows = self.db().rows(self.db().statement(sql, values)).await?;
        decode_all(&rows, LOG, |columns| {
            let log = decode_log(columns)?;
            Ok(UnsignedLog { log, newest: columns.take::<Option<i64>>()?.zip(columns.field()?) })
        })
    }

    /// Stores checkpoints, unless they are there or their key does not sign any more; whether it does.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not take them.
    pub async fn insert_checkpoints(&self, key_id: &str, checkpoints: &[SignedCheckpoint]) -> Result<bool> {
        let mut txn = Transaction::begin(self.db()).await?;
        let inserted = self.insert_checkpoints_in_txn(&mut txn, key_id, checkpoints).await;
        txn.finish(inserted).await
    }

    async fn insert_checkpoints_in_txn(
        &self,
        txn: &mut Transaction,
        key_id: &str,
        checkpoints: &[SignedCheckpoint],
    ) -> Result<bool> {
        if !self.lock_key(txn, key_id).await? {
            return Ok(false);
        }
        for checkpoint in checkpoints {
            let sql = "INSERT INTO ledger_checkpoint (log_id, size, root, note, made_at) VALUES ($1, $2, $3, $4, $5) \
                       ON CONFLICT (log_id, size) DO NOTHING";
            let values = [
                checkpoint.log_id.into(),
                checkpoint.size.into(),
                digest_value(Some(checkpoint.root)),
                checkpoint.note.as_str().into(),
                checkpoint.made_at.as_micros().into(),
            ];
            txn.execute(self.db().statement(sql, values)).await?;
        }
        Ok(true)
    }

    /// The newest checkpoints that the log of logs does not know: of every log but that one. At most `limit`.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn unnoted_checkpoints(&self, limit: u32) -> Result<Vec<SignedCheckpoint>> {
        let (subject, size) = match self.db().backend {
            DbBackend::Postgres => ("replace(l.log_id::text, '-', '')", "(e.detail::json ->> 'size')::bigint"),
            _ => ("lower(hex(l.log_id))", "CAST(json_extract(e.detail, '$.size') AS INTEGER)"),
        };
        let sql = format!(
            "SELECT l.log_id, l.origin, c.size, c.root, c.note, c.made_at FROM ledger_log l JOIN ledger_checkpoint c \
             ON c.log_id = l.log_id \
             AND c.size = (SELECT MAX(m.size) FROM ledger_checkpoint m WHERE m.log_id = l.log_id) \
             WHERE NOT (l.tenant_id = $1 AND l.stream = $3) AND c.size > COALESCE((SELECT {size} FROM ledger_event e \
             WHERE e.tenant_id = $1 AND e.kind = $2 AND e.subject = {subject} ORDER BY e.seq DESC LIMIT 1), 0) \
             ORDER BY l.log_id LIMIT $4"
        );
        let values: [Value; 3] =
            [LedgerEventKind::Checkpoint.as_str().into(), Stream::Evidence.as_str().into(), i64::from(limit).into()];
        let statement = scoped_statement(self.db(), &TenantId::platform(), sql, values);
        decode_all(&self.db().rows(statement).await?, CHECKPOINT, |columns| {
            let (log_id, origin) = (columns.take()?, columns.take::<&str>()?);
            decode_checkpoint(columns, log_id, origin)
        })
    }

    /// Whether this process does some work now that one process does at a time: it is due, and is due again `after_us`
    /// later.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn claim_duty(&self, name: &str, after_us: i64) -> Result<bool> {
        let now = self.clock().now();
        let sql = "INSERT INTO ledger_duty (name, due_at) VALUES ($1, $2) \
                   ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at WHERE ledger_duty.due_at <= $3";
        let values = [name.into(), now.plus_micros(after_us).as_micros().into(), now.as_micros().into()];
        let claimed = self.db().write.execute_raw(self.db().statement(sql, values)).await.map_err(database)?;
        Ok(claimed.rows_affected() > 0)
    }
}
