//! API keys: made, listed, revoked, and checked. A key is `rl_<id>_<secret>`; only the secret's SHA-256 is kept.

use std::sync::Arc;

use sha2::Digest as _;
use subtle::ConstantTimeEq;

use super::Logs;
use crate::domain::ids::{Digest, TenantId};
use crate::domain::scope::{Actor, Permissions, Scope};
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::ActorType;
use crate::error::Result;
pub use crate::store::keys::ApiKey;

const PREFIX: &str = "rl_";
/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 256;

impl Logs {
    /// Makes a key and gives it with its token. The token is shown this once: it cannot be had again.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it cannot be stored.
    pub async fn create_api_key(
        &self,
        tenant: TenantId,
        name: Option<String>,
        permissions: Permissions,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, String)> {
        let entropy = self.0.clock.entropy()?;
        let secret = hex::encode(self.0.clock.entropy()?);
        let key = ApiKey {
            key_id: hex::encode(&entropy[24..]),
            tenant,
            name,
            permissions,
            secret_hash: hash(&secret),
            created_at: self.0.clock.now(),
            expires_at,
            revoked_at: None,
        };
        self.0.store.create_api_key(&key).await?;
        let token = format!("{PREFIX}{}_{secret}", key.key_id);
        Ok((key, token))
    }

    /// The keys of a tenant, oldest first.
    ///
    /// # Errors
    /// `UNAVAILABLE` when they cannot be read.
    pub async fn list_api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKey>> {
        self.0.store.list_api_keys(tenant).await
    }

    /// Revokes a key of a tenant; false when there is none with this id. Other processes notice within 5 s.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it cannot be stored.
    pub async fn revoke_api_key(&self, tenant: &TenantId, key_id: &str) -> Result<bool> {
        let revoked = self.0.store.revoke_api_key(tenant, key_id).await?;
        self.0.api_keys.invalidate(key_id);
        Ok(revoked)
    }

    /// The scope of a bearer API key `rl_<id>_<secret>`; `None` when it is unknown, wrong, expired or revoked. Cached for
    /// 5 s.
    ///
    /// # Errors
    /// `UNAVAILABLE` when keys cannot be read.
    pub async fn authenticate_key(&self, token: &str) -> Result<Option<Scope>> {
        let Some((key_id, secret)) = split(token) else { return Ok(None) };
        let key = match self.0.api_keys.get(key_id) {
            Some(cached) => cached,
            None => {
                let key = self.0.store.get_api_key(key_id).await?.map(Arc::new);
                self.0.api_keys.insert(key_id.to_owned(), key.clone());
                key
            }
        };
        let now = self.0.clock.now();
        Ok(key.filter(|key| is_valid(key, secret, now)).map(|key| Scope {
            tenant: key.tenant.clone(),
            actor: Actor { actor_type: ActorType::System, id: format!("key:{}", key.key_id) },
            permissions: key.permissions,
        }))
    }
}

fn split(token: &str) -> Option<(&str, &str)> {
    token.strip_prefix(PREFIX).filter(|_| token.len() <= TOKEN_BYTES_MAX)?.split_once('_')
}

fn hash(secret: &str) -> Digest {
    Digest(sha2::Sha256::digest(secret).into())
}

fn is_valid(key: &ApiKey, secret: &str, now: Timestamp) -> bool {
    let is_right: bool = hash(secret).0.ct_eq(&key.secret_hash.0).into();
    is_right && key.revoked_at.is_none() && key.expires_at.is_none_or(|end| now < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey {
            key_id: "0011".to_owned(),
            tenant: TenantId::trusted("t"),
            name: None,
            permissions: Permissions::default(),
            secret_hash: hash("s"),
            created_at: Timestamp::default(),
            expires_at: Timestamp::from_micros(10),
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_good_until_it_expires_or_is_revoked() {
        let at = Timestamp::from_micros_clamped;
        assert!(is_valid(&key(), "s", at(9)));
        assert!(!is_valid(&key(), "s", at(10)));
        assert!(!is_valid(&key(), "t", at(9)));
        assert!(!is_valid(&ApiKey { revoked_at: Some(at(1)), ..key() }, "s", at(9)));
    }

    #[test]
    fn tokens_that_are_not_ours_are_not_looked_up() {
        assert_eq!(split("rl_0011_s"), Some(("0011", "s")));
        for other in ["", "rl_", "rl_0011", "eyJhbGciOiJIUzI1NiJ9.e30.x", &format!("rl_1_{}", "x".repeat(300))] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
