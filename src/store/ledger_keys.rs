//! The keys that sign checkpoints: their public halves, and which of them signs now.

use std::collections::BTreeMap;

use sea_orm::DbBackend;
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, column_list, decode_all, digest_value};
use super::scoped::{EveryTenant, every_tenant};
use super::transaction::Transaction;
use crate::domain::checkpoint::{LedgerKey, LogSizes};
use crate::domain::ids::Digest;
use crate::entity::ledger_key;
use crate::error::{Code, Error, Result};

const TABLE: &str = "ledger_key";

fn decode_key(columns: &mut Columns<'_>) -> Result<LedgerKey> {
    Ok(LedgerKey {
        key_id: columns.take()?,
        name: columns.take()?,
        public_key: columns.field::<Digest>()?.0,
        created_at: columns.field()?,
        retired_at: columns.field()?,
        from_sizes: columns.parsed(parse_sizes)?,
        to_sizes: columns.optional_parsed(parse_sizes)?,
    })
}

fn parse_sizes(text: &str) -> Option<LogSizes> {
    let sizes: BTreeMap<String, i64> = serde_json::from_str(text).ok()?;
    sizes.into_iter().map(|(log_id, size)| Some((Uuid::parse_str(&log_id).ok()?, size))).collect()
}

fn write_sizes(sizes: &LogSizes) -> Result<String> {
    let sizes: BTreeMap<String, i64> =
        sizes.iter().map(|(log_id, size)| (log_id.simple().to_string(), *size)).collect();
    serde_json::to_string(&sizes).map_err(Error::internal)
}

impl Store {
    /// Every key, oldest first; the last one signs unless it is retired.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn list_ledger_keys(&self) -> Result<Vec<LedgerKey>> {
        let columns = column_list::<ledger_key::Entity>("k");
        let sql = format!("SELECT {columns} FROM ledger_key k ORDER BY k.created_at, k.retired_at IS NULL, k.key_id");
        decode_all(&self.db().rows(self.db().statement(sql, [])).await?, TABLE, decode_key)
    }

    /// The newest keys, `limit` at most, oldest first.
    ///
    /// # Errors
    /// As for [`Self::list_ledger_keys`].
    pub async fn newest_ledger_keys(&self, limit: u32) -> Result<Vec<LedgerKey>> {
        let columns = column_list::<ledger_key::Entity>("k");
        let sql = format!(
            "SELECT {columns} FROM ledger_key k ORDER BY k.created_at DESC, k.retired_at IS NULL DESC, k.key_id DESC LIMIT $1"
        );
        let rows = self.db().rows(self.db().statement(sql, [i64::from(limit).into()])).await?;
        let mut keys = decode_all(&rows, TABLE, decode_key)?;
        keys.reverse();
        Ok(keys)
    }

    /// Registers the first key, unless another process was faster: gives the key that signs now.
    ///
    /// # Errors
    /// As for [`Self::list_ledger_keys`].
    pub async fn register_ledger_key(&self, key_id: &str, name: &str, public_key: [u8; 32]) -> Result<LedgerKey> {
        let mut txn = Transaction::begin(self.db()).await?;
        let registered = async {
            let active = self.active_key(&mut txn).await?;
            if active.is_none() {
                let sizes = self.sizes(&mut txn).await?;
                self.insert_key(&mut txn, key_id, name, public_key, &sizes).await?;
            }
            self.active_key(&mut txn).await?.ok_or_else(|| Error::internal("a key that was registered is gone"))
        };
        let registered = registered.await;
        txn.finish(registered).await
    }

    /// Retires the key that signs and registers its successor, both at the sizes that the logs have now: what the old key
    /// signs is stored before that, or not at all.
    ///
    /// # Errors
    /// `CONFLICT` when another key signs by now; else as for [`Self::list_ledger_keys`].
    pub async fn replace_ledger_key(
        &self,
        old_key_id: &str,
        key_id: &str,
        name: &str,
        public_key: [u8; 32],
    ) -> Result<()> {
        let mut txn = Transaction::begin(self.db()).await?;
        let replaced = async {
            let now = self.clock().now().as_micros();
            // Waits for every checkpoint that is being stored: they hold the row.
            let sql = "UPDATE ledger_key SET retired_at = $1, to_sizes = '{}' \
                       WHERE key_id = $2 AND retired_at IS NULL";
            if txn.execute(self.db().statement(sql, [now.into(), old_key_id.into()])).await? == 0 {
                let message = format!("key {old_key_id} does not sign any more; see `runledger keys ledger show`");
                return Err(Error::new(Code::Conflict, message));
            }
            let sizes = self.sizes(&mut txn).await?;
            let sql = "UPDATE ledger_key SET to_sizes = $1 WHERE key_id = $2";
            let ended = self.db().statement(sql, [write_sizes(&sizes)?.into(), old_key_id.into()]);
            txn.execute(ended).await?;
            match self.insert_key(&mut txn, key_id, name, public_key, &sizes).await? {
                true => Ok(()),
                false => Err(Error::new(Code::Conflict, format!("there has been a key {key_id} before; rotate again"))),
            }
        };
        let replaced = replaced.await;
        txn.finish(replaced).await
    }

    /// Whether the key signs, locked until the transaction ends: it is not retired in between.
    pub(super) async fn lock_key(&self, txn: &mut Transaction, key_id: &str) -> Result<bool> {
        let lock = if self.db().backend == DbBackend::Postgres { "FOR SHARE" } else { "" };
        let sql = format!("SELECT 1 FROM ledger_key WHERE key_id = $1 AND retired_at IS NULL {lock}");
        Ok(!txn.rows(self.db().statement(sql, [key_id.into()])).await?.is_empty())
    }

    async fn active_key(&self, txn: &mut Transaction) -> Result<Option<LedgerKey>> {
        let columns = column_list::<ledger_key::Entity>("k");
        let sql = format!("SELECT {columns} FROM ledger_key k WHERE k.retired_at IS NULL");
        let rows = txn.rows(self.db().statement(sql, [])).await?;
        Ok(decode_all(&rows, TABLE, decode_key)?.pop())
    }

    async fn insert_key(
        &self,
        txn: &mut Transaction,
        key_id: &str,
        name: &str,
        public_key: [u8; 32],
        from_sizes: &LogSizes,
    ) -> Result<bool> {
        // Another process's insert may have come in between; the unique index on the one active key tells.
        let sql = "INSERT INTO ledger_key (key_id, name, public_key, created_at, retired_at, from_sizes, to_sizes) \
                   VALUES ($1, $2, $3, $4, NULL, $5, NULL) ON CONFLICT DO NOTHING";
        let values = [
            key_id.into(),
            name.into(),
            digest_value(Some(Digest(public_key))),
            self.clock().now().as_micros().into(),
            write_sizes(from_sizes)?.into(),
        ];
        Ok(txn.execute(self.db().statement(sql, values)).await? > 0)
    }

    /// The sizes of the logs that have entries.
    async fn sizes(&self, txn: &mut Transaction) -> Result<LogSizes> {
        let sql = "SELECT log_id, size FROM ledger_log WHERE size > 0";
        let statement = every_tenant(self.db(), EveryTenant::LogSizes, sql, []);
        let rows = txn.rows(statement).await?;
        let sizes = decode_all(&rows, "ledger_log", |columns| Ok((columns.take()?, columns.take()?)))?;
        Ok(sizes.into_iter().collect())
    }
}
