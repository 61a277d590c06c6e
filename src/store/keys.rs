//! API keys and tenants' content keys: operational, never evidence.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QueryTrait, Set};

use super::Store;
use super::convert::{Columns, decode_all};
use super::scoped::{any_text, scoped};
use crate::domain::ids::{Digest, TenantId};
use crate::domain::scope::{Permission, Permissions};
use crate::domain::time::Timestamp;
use crate::entity::{api_key, tenant_secret};
use crate::error::{Error, Result};

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The public half: the `<id>` of `rl_<id>_<secret>`.
    pub key_id: String,
    /// The tenant it opens.
    pub tenant: TenantId,
    /// What it is for, in its maker's words.
    pub name: Option<String>,
    /// What it allows.
    pub permissions: Permissions,
    /// SHA-256 of the secret.
    pub secret_hash: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

const SEPARATOR: &str = " ";

fn parse_permissions(text: &str) -> Option<Permissions> {
    text.split_terminator(SEPARATOR).map(Permission::parse).collect()
}

fn decode_key(columns: &mut Columns<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        key_id: columns.take()?,
        tenant: TenantId::trusted(columns.take::<&str>()?),
        name: columns.field()?,
        permissions: columns.parsed(parse_permissions)?,
        secret_hash: columns.field()?,
        created_at: columns.field()?,
        expires_at: columns.field()?,
        revoked_at: columns.field()?,
    })
}

impl Store {
    /// Stores a new key.
    ///
    /// # Errors
    /// `CONFLICT` when there is one with this id, `UNAVAILABLE` when the database does not answer.
    pub async fn create_api_key(&self, key: &ApiKey) -> Result<()> {
        let permissions: Vec<_> = key.permissions.iter().map(Permission::as_str).collect();
        let model = api_key::Model {
            key_id: key.key_id.clone(),
            tenant_id: key.tenant.as_str().to_owned(),
            name: key.name.clone(),
            permissions: permissions.join(SEPARATOR),
            secret_hash: key.secret_hash.0.to_vec(),
            created_at: key.created_at.as_micros(),
            expires_at: key.expires_at.map(Timestamp::as_micros),
            revoked_at: key.revoked_at.map(Timestamp::as_micros),
        };
        let insert = api_key::Entity::insert(model.into_active_model());
        self.db().change(insert.build(self.db().backend)).await.map(drop)
    }

    /// A key by its public half, whatever its tenant: this is how a tenant is found.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn get_api_key(&self, key_id: &str) -> Result<Option<ApiKey>> {
        let wanted = any_text(self.db().backend, api_key::Column::KeyId.into_expr(), [key_id])?;
        let select = api_key::Entity::find().filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        Ok(decode_all(&rows, "api_key", decode_key)?.pop())
    }

    /// The keys of a tenant, oldest first.
    ///
    /// # Errors
    /// As for [`Self::get_api_key`].
    pub async fn list_api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>> {
        let select = scoped::<api_key::Entity>(tenant)
            .order_by_asc(api_key::Column::CreatedAt)
            .order_by_asc(api_key::Column::KeyId);
        decode_all(&self.db().rows(select.build(self.db().backend)).await?, "api_key", decode_key)
    }

    /// Revokes a key of a tenant; false when there is none with this id. Revoking twice keeps the first instant.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn revoke_api_key(&self, tenant: &TenantId, key_id: &str) -> Result<bool> {
        let sql = "UPDATE api_key SET revoked_at = COALESCE(revoked_at, $1) WHERE tenant_id = $2 AND key_id = $3";
        let values = [self.clock().now().as_micros().into(), tenant.as_str().into(), key_id.into()];
        Ok(self.db().change(self.db().statement(sql, values)).await? > 0)
    }

    /// Takes a key back that nobody has the token of.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn delete_api_key(&self, tenant: &TenantId, key_id: &str) -> Result<()> {
        let sql = "DELETE FROM api_key WHERE tenant_id = $1 AND key_id = $2";
        let values = [tenant.as_str().into(), key_id.into()];
        self.db().change(self.db().statement(sql, values)).await.map(drop)
    }

    /// The tenant's content key, made on first use; the same for every process.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer, `INTERNAL` without entropy or for a corrupt row.
    pub async fn content_key(&self, tenant: &TenantId) -> Result<[u8; 32]> {
        if let Some(key) = self.stored_content_key(tenant).await? {
            return Ok(key);
        }
        let fresh = tenant_secret::ActiveModel {
            tenant_id: Set(tenant.as_str().to_owned()),
            content_key: Set(self.clock().entropy()?.to_vec()),
            created_at: Set(self.clock().now().as_micros()),
        };
        let first_wins = OnConflict::column(tenant_secret::Column::TenantId).do_nothing().to_owned();
        let insert = tenant_secret::Entity::insert(fresh).on_conflict(first_wins);
        self.db().change(insert.build(self.db().backend)).await?;
        let stored = self.stored_content_key(tenant).await?;
        stored.ok_or_else(|| Error::internal("a content key that was stored is gone"))
    }

    async fn stored_content_key(&self, tenant: &TenantId) -> Result<Option<[u8; 32]>> {
        let select = scoped::<tenant_secret::Entity>(tenant);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let keys = decode_all(&rows, "tenant_secret", |columns| {
            columns.skip(1);
            columns.field()
        })?;
        Ok(keys.first().map(|key: &Digest| key.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_back_and_unknown_ones_do_not() {
        let none: Permissions = [].into_iter().collect();
        assert_eq!(parse_permissions(""), Some(none));
        assert_eq!(
            parse_permissions("runs:read admin"),
            Some([Permission::RunsRead, Permission::Admin].into_iter().collect())
        );
        assert_eq!(parse_permissions("runs:read,admin"), None);
    }
}
