//! What idempotency keys were first used for. They are written with the records of their request, in `append`.

use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect, QueryTrait};

use super::Store;
use super::convert::Columns;
use super::error::database;
use super::scoped::scoped;
use crate::domain::ids::Digest;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::entity::idempotency;
use crate::error::Result;

impl Store {
    /// What a key was first used for: the hash of the request and the stored answer.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn first_answer(&self, scope: &Scope, operation: &str, key: &str) -> Result<Option<(Digest, String)>> {
        use idempotency::Column as C;
        let select = scoped::<idempotency::Entity>(&scope.tenant)
            .filter(C::Operation.eq(operation))
            .filter(C::IdempotencyKey.eq(key))
            .select_only()
            .columns([C::RequestHash, C::Answer]);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut columns = Columns::of(row, "idempotency")?;
        Ok(Some((columns.digest()?, columns.take()?)))
    }

    /// Forgets up to `limit` keys that were used before an instant, whatever their tenant; gives how many.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let sql = "DELETE FROM idempotency WHERE (tenant_id, operation, idempotency_key) IN \
                   (SELECT tenant_id, operation, idempotency_key FROM idempotency WHERE created_at < $1 \
                   ORDER BY created_at LIMIT $2)";
        let values = [before.as_micros().into(), i64::from(limit).into()];
        let deleted = self.db().write.execute_raw(self.db().statement(sql, values)).await.map_err(database)?;
        Ok(deleted.rows_affected())
    }
}
