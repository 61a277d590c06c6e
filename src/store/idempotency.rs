//! What idempotency keys were first used for. They are written with the records of their request, in `append`.

use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait};

use super::Store;
use super::convert::Columns;
use super::scoped::scoped;
use crate::domain::ids::Digest;
use crate::domain::scope::Scope;
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
}
