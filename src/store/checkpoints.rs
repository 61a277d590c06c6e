//! Signed checkpoints, and the logs that want one. Only committed states are read, and nothing is stored for a key that
//! does not sign any more.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, DbBackend, QueryFilter, QueryTrait, Statement};
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, column_list, decode_all, digest_value};
use super::keytable::{KeyTable, Keys};
use super::scoped::{EveryTenant, every_tenant, scoped, scoped_statement};
use super::transaction::Transaction;
use crate::domain::checkpoint::SignedCheckpoint;
use crate::domain::ids::{Digest, PLATFORM_TENANT, TenantId};
use crate::domain::ledger::{LedgerLog, LogName};
use crate::domain::vocabulary::{LedgerEventKind, Stream};
use crate::entity::ledger_log;
use crate::error::{Error, Result};

const LOG: &str = "ledger_log";
const CHECKPOINT: &str = "ledger_checkpoint";
/// Logs whose newest checkpoints are read together.
const NEWEST_TOGETHER: i64 = 1_000;

/// A log whose newest checkpoint is not of the state that it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedLog {
    /// The log.
    pub log: LedgerLog,
    /// Size and root of its newest checkpoint.
    pub newest: Option<(i64, Digest)>,
}

pub(super) fn decode_log(columns: &mut Columns<'_>) -> Result<LedgerLog> {
    let tenant_id = TenantId::trusted(columns.take::<&str>()?);
    let log = LedgerLog {
        log_id: columns.take()?,
        tenant_id,
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
fn decode_checkpoint(
    columns: &mut Columns<'_>,
    tenant: &TenantId,
    log_id: Uuid,
    origin: &str,
) -> Result<SignedCheckpoint> {
    Ok(SignedCheckpoint {
        tenant_id: tenant.clone(),
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
            "SELECT size, root, note, made_at FROM ledger_checkpoint WHERE tenant_id = $1 AND log_id = $2 \
             AND size {which} $3 ORDER BY size DESC LIMIT 1"
        );
        let values = [log.log_id.into(), size.into()];
        let rows = self.db().rows(scoped_statement(self.db(), &log.tenant_id, sql, values)).await?;
        let decode = |columns: &mut Columns<'_>| decode_checkpoint(columns, &log.tenant_id, log.log_id, &log.origin);
        Ok(decode_all(&rows, CHECKPOINT, decode)?.pop())
    }

    /// The first checkpoint that covers each of these places, with the place; one that none covers is absent. The first
    /// one is always the same, so a receipt that is asked for again is the same too.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn checkpoints_covering(&self, log: &LedgerLog, seqs: &[i64]) -> Result<Vec<(i64, SignedCheckpoint)>> {
        let backend = self.db().backend;
        let keys = KeyTable::new().numbers("seq", seqs.iter().copied());
        let sql = format!(
            "SELECT k.seq, c.size, c.root, c.note, c.made_at FROM {} JOIN ledger_checkpoint c ON c.tenant_id = $1 \
             AND c.log_id = $2 AND c.size = (SELECT MIN(m.size) FROM ledger_checkpoint m WHERE m.tenant_id = $1 \
             AND m.log_id = $2 AND m.size > k.seq)",
            keys.table(backend, "k", 3)
        );
        let values = std::iter::once(log.log_id.into()).chain(keys.values(backend)?);
        let rows = self.db().rows(scoped_statement(self.db(), &log.tenant_id, sql, values)).await?;
        decode_all(&rows, CHECKPOINT, |columns| {
            Ok((columns.take()?, decode_checkpoint(columns, &log.tenant_id, log.log_id, &log.origin)?))
        })
    }

    /// Logs of every tenant whose present state has no checkpoint.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn unsigned_logs(&self) -> Result<Vec<UnsignedLog>> {
        let sql = unsigned("l.tenant_id", "");
        self.unsigned(every_tenant(self.db(), EveryTenant::UnsignedLogs, &sql, [])).await
    }

    /// Those among some logs, which come in the order of their tenants.
    ///
    /// # Errors
    /// As for [`Self::ledger_log`].
    pub async fn unsigned_among(&self, logs: &[LogName]) -> Result<Vec<UnsignedLog>> {
        let backend = self.db().backend;
        let mut found = Vec::new();
        for logs in logs.chunk_by(|left, right| left.tenant == right.tenant) {
            let Some(LogName { tenant, .. }) = logs.first() else { continue };
            let keys = Keys::Ids(logs.iter().map(|log| log.log_id).collect());
            let among = format!("l.tenant_id = $1 AND l.log_id {} AND ", keys.among(backend, "$2"));
            let sql = unsigned("$1", &among);
            found.extend(self.unsigned(scoped_statement(self.db(), tenant, sql, [keys.value(backend)?])).await?);
        }
        Ok(found)
    }

    async fn unsigned(&self, statement: Statement) -> Result<Vec<UnsignedLog>> {
        decode_all(&self.db().rows(statement).await?, LOG, |columns| {
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
            let sql = "INSERT INTO ledger_checkpoint (tenant_id, log_id, size, root, note, made_at) \
                       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, log_id, size) DO NOTHING";
            let values = [
                checkpoint.tenant_id.as_str().into(),
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
        let limit = usize::try_from(limit).map_err(Error::internal)?;
        let mut unnoted = Vec::new();
        let mut after = None;
        loop {
            let newest = self.newest_checkpoints(after.as_ref()).await?;
            let Some(last) = newest.last() else { return Ok(unnoted) };
            after = Some(LogName { tenant: last.tenant_id.clone(), log_id: last.log_id });
            // What the log of logs knows is the platform's: it is read for itself, wherever the checkpoints are.
            let noted = self.noted_sizes(&newest).await?;
            let is_news = |one: &SignedCheckpoint| one.size > noted.get(&one.log_id).copied().unwrap_or(0);
            unnoted.extend(newest.into_iter().filter(is_news).take(limit - unnoted.len()));
            if unnoted.len() >= limit {
                return Ok(unnoted);
            }
        }
    }

    /// The newest checkpoint of each log behind another, in the order of tenants and ids; of every log but that of logs.
    async fn newest_checkpoints(&self, after: Option<&LogName>) -> Result<Vec<SignedCheckpoint>> {
        let (tenant, log_id) = after.map_or(("", Uuid::nil()), |log| (log.tenant.as_str(), log.log_id));
        let sql = format!(
            "SELECT l.tenant_id, l.log_id, l.origin, c.size, c.root, c.note, c.made_at FROM ledger_log l \
             JOIN ledger_checkpoint c ON c.tenant_id = l.tenant_id AND c.log_id = l.log_id \
             AND c.size = (SELECT MAX(m.size) FROM ledger_checkpoint m WHERE m.tenant_id = l.tenant_id \
             AND m.log_id = l.log_id) WHERE (l.tenant_id, l.log_id) > ($1, $2) \
             AND NOT (l.tenant_id = '{PLATFORM_TENANT}' AND l.stream = $3) ORDER BY l.tenant_id, l.log_id LIMIT $4"
        );
        let values = [tenant.into(), log_id.into(), Stream::Evidence.as_str().into(), NEWEST_TOGETHER.into()];
        let rows = self.db().rows(every_tenant(self.db(), EveryTenant::NewestCheckpoints, &sql, values)).await?;
        decode_all(&rows, CHECKPOINT, |columns| {
            let tenant = TenantId::trusted(columns.take::<&str>()?);
            let (log_id, origin) = (columns.take()?, columns.take::<&str>()?);
            decode_checkpoint(columns, &tenant, log_id, origin)
        })
    }

    /// The sizes that the log of logs has last noted of these checkpoints' logs.
    async fn noted_sizes(&self, checkpoints: &[SignedCheckpoint]) -> Result<HashMap<Uuid, i64>> {
        let backend = self.db().backend;
        let size = match backend {
            DbBackend::Postgres => "(e.detail::json ->> 'size')::bigint",
            _ => "CAST(json_extract(e.detail, '$.size') AS INTEGER)",
        };
        let subjects: Vec<String> = checkpoints.iter().map(|one| one.log_id.simple().to_string()).collect();
        let keys = KeyTable::placed(subjects.len()).texts("subject", subjects.iter().map(String::as_str));
        let sql = format!(
            "SELECT k.place, (SELECT {size} FROM ledger_event e WHERE e.tenant_id = $1 AND e.kind = $2 \
             AND e.subject = k.subject ORDER BY e.seq DESC LIMIT 1) FROM {}",
            keys.table(backend, "k", 3)
        );
        let values = std::iter::once(LedgerEventKind::Checkpoint.as_str().into()).chain(keys.values(backend)?);
        let rows = self.db().rows(scoped_statement(self.db(), &TenantId::platform(), sql, values)).await?;
        let noted = decode_all(&rows, "ledger_event", |columns| {
            let place = usize::try_from(columns.take::<i64>()?).map_err(Error::internal)?;
            Ok((checkpoints.get(place).map(|one| one.log_id), columns.take::<Option<i64>>()?))
        })?;
        Ok(noted.into_iter().filter_map(|(log_id, size)| log_id.zip(size)).collect())
    }
}

/// Logs whose newest checkpoint is not of their state, with that checkpoint; `tenant` is the same in every table.
fn unsigned(tenant: &str, condition: &str) -> String {
    let columns = column_list::<ledger_log::Entity>("l");
    format!(
        "SELECT {columns}, c.size, c.root FROM ledger_log l LEFT JOIN ledger_checkpoint c ON c.tenant_id = {tenant} \
         AND c.log_id = l.log_id AND c.size = (SELECT MAX(m.size) FROM ledger_checkpoint m \
         WHERE m.tenant_id = {tenant} AND m.log_id = l.log_id) \
         WHERE {condition}l.size > 0 AND (c.size IS NULL OR c.size <> l.size OR c.root <> l.root) \
         ORDER BY l.tenant_id, l.log_id"
    )
}
