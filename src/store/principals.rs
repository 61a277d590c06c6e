//! Actors that are on record as seen: operational, so that each is recorded once.

use sea_orm::{ColumnTrait, QueryFilter, QueryTrait};

use super::Store;
use super::scoped::scoped;
use crate::domain::ids::TenantId;
use crate::domain::scope::Actor;
use crate::entity::principal;
use crate::error::Result;

impl Store {
    /// Whether an actor of a tenant was seen before.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn has_principal(&self, tenant: &TenantId, actor: &Actor) -> Result<bool> {
        use principal::Column as C;
        let select = scoped::<principal::Entity>(tenant)
            .filter(C::ActorType.eq(actor.actor_type.as_str()))
            .filter(C::ActorId.eq(&actor.id));
        Ok(!self.db().rows(select.build(self.db().backend)).await?.is_empty())
    }

    /// Remembers an actor of a tenant.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not take it.
    pub async fn add_principal(&self, tenant: &TenantId, actor: &Actor) -> Result<()> {
        let sql = "INSERT INTO principal (tenant_id, actor_type, actor_id, first_seen_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT DO NOTHING";
        let (tenant, actor_type) = (tenant.as_str().into(), actor.actor_type.as_str().into());
        let values = [tenant, actor_type, actor.id.as_str().into(), self.clock().now().as_micros().into()];
        self.db().change(self.db().statement(sql, values)).await.map(drop)
    }
}
