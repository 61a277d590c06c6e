//! What idempotency keys were first used for. They are written with the records of their request, in `append`.

use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect, QueryTrait};

use super::Store;
use super::convert::Columns;
use super::error::database;
use super::scoped::scoped;
use crate::domain::append::{Claimed, ExistingRecord, FirstAnswer};
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
        let sql = "DELETE FROM idempotency WHERE (tenant_id, space, idempotency_key) IN \
                   (SELECT tenant_id, space, idempotency_key FROM idempotency WHERE created_at < $1 \
                   ORDER BY created_at LIMIT $2)";
        let values = [before.as_micros().into(), i64::from(limit).into()];
        let deleted = self.db().write.execute_raw(self.db().statement(sql, values)).await.map_err(database)?;
        Ok(deleted.rows_affected())
    }
}

/// Reads operation, request_hash, answer and existing.
pub(super) fn decode_claimed(columns: &mut Columns<'_>) -> Result<Claimed> {
    let (operation, request_hash) = (columns.take()?, columns.field()?);
    let (text, existing) = (columns.take()?, columns.take::<Option<&str>>()?);
    let existing = existing.map(|json| serde_json::from_str(json)).transpose().map_err(Error::internal)?;
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
