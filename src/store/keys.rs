//! API keys and tenants' content keys: operational, never evidence.

use super::Store;
use crate::domain::ids::{Digest, TenantId};
use crate::domain::scope::Permissions;
use crate::domain::time::Timestamp;
use crate::error::Result;

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

impl Store {
    /// Stores a new key.
    pub async fn create_api_key(&self, _key: &ApiKey) -> Result<()> {
        unimplemented!()
    }

    /// A key by its public half, whatever its tenant: this is how a tenant is found.
    pub async fn get_api_key(&self, _key_id: &str) -> Result<Option<ApiKey>> {
        unimplemented!()
    }

    /// The keys of a tenant, oldest first.
    pub async fn list_api_keys(&self, _tenant: &TenantId) -> Result<Vec<ApiKey>> {
        unimplemented!()
    }

    /// Revokes a key of a tenant; false when there is none with this id. Revoking twice keeps the first instant.
    pub async fn revoke_api_key(&self, _tenant: &TenantId, _key_id: &str) -> Result<bool> {
        unimplemented!()
    }

    /// The tenant's content key, made on first use; the same for every process.
    pub async fn content_key(&self, _tenant: &TenantId) -> Result<[u8; 32]> {
        unimplemented!()
    }
}
