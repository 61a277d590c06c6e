//! What idempotency keys were first used for. They are written with the records of their request, in `append`.

use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait};

use super::Store;
use super::convert::{Columns, decode_all};
use super::keytable::KeyTable;
use super::scoped::{EveryTenant, every_tenant, scoped, scoped_statement};
use crate::domain::append::{Claimed, ExistingRecord, FirstAnswer};
use crate::domain::ids::TenantId;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::entity::idempotency;
use crate::error::{Error, Result};

impl Store {
    /// What a key was first used for.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn claimed(&self, scope: &Scope, space: &str, key: &str) -> Result<Option<Claimed>> {
        use idempotency::Column as C;
        let select = scoped::<idempotency::Entity>(&scope.tenant)
            .filter(C::Space.eq(space))
            .filter(C::IdempotencyKey.eq(key))
            .select_only()
            .columns([C::Operation, C::RequestHash, C::Answer, C::Existing]);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        rows.first().map(|row| decode_claimed(&mut Columns::of(row, "idempotency")?)).transpose()
    }

    /// Forgets up to `limit` keys that were used before an instant, whatever their tenant; gives how many.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let sql = "SELECT tenant_id, space, idempotency_key FROM idempotency WHERE created_at < $1 \
                   ORDER BY created_at LIMIT $2";
        let values = [before.as_micros().into(), i64::from(limit).into()];
        let rows = self.db().rows(every_tenant(self.db(), EveryTenant::OldIdempotencyKeys, sql, values)).await?;
        let mut old: Vec<(String, String, String)> =
            decode_all(&rows, "idempotency", |columns| Ok((columns.take()?, columns.take()?, columns.take()?)))?;
        old.sort_unstable();
        let mut forgotten = 0;
        for old in old.chunk_by(|left, right| left.0 == right.0) {
            forgotten += self.forget(old, before).await?;
        }
        Ok(forgotten)
    }

    /// Forgets keys of one tenant, but for one that was used again since.
    async fn forget(&self, old: &[(String, String, String)], before: Timestamp) -> Result<u64> {
        let Some((tenant, ..)) = old.first() else { return Ok(0) };
        let backend = self.db().backend;
        let keys = KeyTable::new()
            .texts("space", old.iter().map(|(_, space, _)| space.as_str()))
            .texts("name", old.iter().map(|(.., key)| key.as_str()));
        let sql = format!(
            "DELETE FROM idempotency WHERE tenant_id = $1 AND created_at < $2 \
             AND (space, idempotency_key) IN (SELECT k.space, k.name FROM {})",
            keys.table(backend, "k", 3)
        );
        let values = std::iter::once(before.as_micros().into()).chain(keys.values(backend)?);
        self.db().change(scoped_statement(self.db(), &TenantId::trusted(tenant.as_str()), sql, values)).await
    }
}

/// Reads operation, request_hash, answer and existing.
pub(super) fn decode_claimed(columns: &mut Columns<'_>) -> Result<Claimed> {
    let (operation, request_hash) = (columns.take()?, columns.field()?);
    let (text, existing) = (columns.take()?, columns.take::<Option<&str>>()?);
    let existing = existing.map(serde_json::from_str).transpose().map_err(Error::internal)?;
    let answer = FirstAnswer { text, existing: existing.unwrap_or_default() };
    Ok(Claimed { operation, request_hash, answer })
}

/// What `existing` holds; `None` where every record was new.
pub(super) fn encode_existing(existing: &[ExistingRecord]) -> Result<Option<String>> {
    match existing {
        [] => Ok(None),
        _ => serde_json::to_string(existing).map(Some).map_err(Error::internal),
    }
}
