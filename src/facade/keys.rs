//! API keys: made, listed, revoked, and checked. A key is `rl_<id>_<secret>`; only the secret's SHA-256 is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use serde_json::{Value, json};
use sha2::Digest as _;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::access::Denial;
use super::own_audit::{OwnEntry, chosen};
use super::own_records::OwnRecord;
use super::{Logs, LogsFacade};
use crate::domain::append::{AppendUnit, IdempotencyClaim};
use crate::domain::ids::{Digest, TenantId, check_name};
use crate::domain::scope::{Actor, KEY_ACTOR_PREFIX, OPERATOR, Permission, Permissions, Scope};
use crate::domain::source::Source;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{
    ActorType, AuditCategory, AuditEntityType, SystemComponent, SystemEventType, SystemSeverity,
};
use crate::error::{Code, Error, Result};
pub use crate::store::keys::ApiKey;

const PREFIX: &str = "rl_";
/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 256;

/// A key that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// The tenant it is to open.
    pub tenant: TenantId,
    /// What it is for, in its maker's words; at most 128 bytes; redacted when it is stored.
    pub name: Option<String>,
    /// What it is to allow.
    pub permissions: Permissions,
    /// When it is to end; `None` is never.
    pub expires_at: Option<Timestamp>,
}

/// Whoever runs a command on the server's machine.
#[must_use]
pub fn operator() -> Actor {
    // The command line does not know persons.
    Actor { actor_type: ActorType::Human, id: OPERATOR.to_owned() }
}

impl LogsFacade {
    /// Makes a key of the caller's tenant and gives it with its token, which is shown this once.
    ///
    /// # Errors
    /// `FORBIDDEN` without `admin`, or for a permission that the caller lacks; `BAD_USER_INPUT` for a name that is too
    /// long, no permission at all, or an end that has passed.
    pub async fn create_api_key(
        &self,
        name: Option<String>,
        permissions: Permissions,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, String)> {
        self.require(Permission::Admin)?;
        for permission in permissions.iter() {
            // A key that could give more than it has would be every key.
            self.require(permission)?;
        }
        let key = NewApiKey { tenant: self.scope.tenant.clone(), name, permissions, expires_at };
        self.logs.make_api_key(key, self.scope.actor.clone()).await
    }

    /// Revokes a key of the caller's tenant, and gives it as it is now.
    ///
    /// # Errors
    /// `FORBIDDEN` without `admin`; `NOT_FOUND` when the tenant has no such key.
    pub async fn revoke_api_key(&self, key_id: &str) -> Result<ApiKey> {
        self.require(Permission::Admin)?;
        let missing = || Error::new(Code::NotFound, format!("there is no key {}", chosen(key_id)));
        if !self.logs.unmake_api_key(&self.scope.tenant, key_id, self.scope.actor.clone()).await? {
            return Err(missing());
        }
        self.store().get_api_key(key_id).await?.ok_or_else(missing)
    }
}

impl Logs {
    /// Makes a key for whoever runs the command, and gives it with its token. The token is shown this once: it cannot be
    /// had again.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for the platform's tenant or a name that is too long; `UNAVAILABLE` when it cannot be stored.
    pub async fn create_api_key(
        &self,
        tenant: TenantId,
        name: Option<String>,
        permissions: Permissions,
        expires_at: Option<Timestamp>,
    ) -> Result<(ApiKey, String)> {
        self.make_api_key(NewApiKey { tenant, name, permissions, expires_at }, operator()).await
    }

    async fn make_api_key(&self, new: NewApiKey, maker: Actor) -> Result<(ApiKey, String)> {
        let NewApiKey { tenant, name, permissions, expires_at } = new;
        let tenant = TenantId::parse_callers(tenant.as_str())?;
        let name = name.map(|name| check_name("name", &name).map(|()| chosen(&name))).transpose()?;
        if permissions.iter().next().is_none() {
            return Err(Error::input("scopes", "a key without scopes opens nothing; name at least one"));
        }
        let now = self.0.clock.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Error::input("expiresAt", "a key cannot end before it begins; name an instant to come"));
        }
        let entropy = self.0.clock.entropy()?;
        let secret = hex::encode(self.0.clock.entropy()?);
        let key = ApiKey {
            key_id: hex::encode(&entropy[24..]),
            tenant,
            name,
            permissions,
            secret_hash: hash(&secret),
            created_at: now,
            expires_at,
            revoked_at: None,
        };
        self.0.store.create_api_key(&key).await?;
        // Nobody has the token yet: a key that cannot be audited never was one.
        if let Err(error) = self.record_key("ApiKeyCreated", &key, None, maker).await {
            self.0.store.delete_api_key(&key.tenant, &key.key_id).await?;
            return Err(error);
        }
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

    /// Revokes a key for whoever runs the command; false when the tenant has none with this id. Other processes notice
    /// within 5 s.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it cannot be stored.
    pub async fn revoke_api_key(&self, tenant: &TenantId, key_id: &str) -> Result<bool> {
        self.unmake_api_key(tenant, key_id, operator()).await
    }

    async fn unmake_api_key(&self, tenant: &TenantId, key_id: &str, by: Actor) -> Result<bool> {
        let Some(before) = self.0.store.get_api_key(key_id).await?.filter(|key| key.tenant == *tenant) else {
            return Ok(false);
        };
        // Closed first: a revocation that cannot be audited is an error to its caller, and still one.
        let revoked = self.0.store.revoke_api_key(tenant, key_id).await?;
        self.0.api_keys.invalidate(key_id);
        let after = ApiKey { revoked_at: before.revoked_at.or_else(|| Some(self.0.clock.now())), ..before.clone() };
        self.record_key("ApiKeyRevoked", &after, Some(before), by).await?;
        Ok(revoked)
    }

    /// The entry of a key that was made or revoked, once, and the change of who may come in as a record of the system.
    async fn record_key(&self, event: &'static str, key: &ApiKey, before: Option<ApiKey>, by: Actor) -> Result<()> {
        let entry = self.own_entry(OwnEntry {
            actor: Some(by.clone()),
            before_state: before.as_ref().map(state),
            after_state: Some(state(key)),
            ..OwnEntry::new(AuditCategory::Identity, event, AuditEntityType::ApiKey, &key.key_id)
        })?;
        let what = if before.is_some() { "revoked" } else { "created" };
        // In the tenant's own log: the platform's is read by all tenants, and who has keys is nobody else's business.
        let change = self.own_record(OwnRecord {
            severity: SystemSeverity::Info,
            actor: Some(by),
            details: Some(json!({ "key_id": key.key_id, "change": what })),
            ..OwnRecord::new(SystemComponent::Auth, SystemEventType::AuthChange, format!("API key {what}"))
        })?;
        let claim = IdempotencyClaim {
            space: event,
            operation: event,
            key: key.key_id.clone(),
            request_hash: hash(&key.key_id),
            answer: "{}".to_owned(),
        };
        let unit = AppendUnit::evidence(key.tenant.clone(), vec![entry, change]);
        self.append_own_unit(AppendUnit { idempotency: Some(claim), is_atomic: true, ..unit }).await
    }

    /// Records that a caller without valid credentials was turned away: in the log of the key's tenant where the key is
    /// known, else in the platform's. What was sent is not kept: somebody may have mistaken a secret for a key's id.
    ///
    /// # Errors
    /// `UNAVAILABLE` when that could not be written.
    pub async fn turned_away(
        &self,
        token: Option<&str>,
        source: Option<Source>,
        operation: &str,
        reason: &str,
    ) -> Result<()> {
        let known = match token.and_then(split) {
            Some((key_id, _)) => self.find_key(key_id).await?,
            None => None,
        };
        let actor = known.as_ref().map(|key| actor_of(&key.key_id));
        let (tenant, entity) = match &known {
            Some(key) => (key.tenant.clone(), (AuditEntityType::ApiKey, key.key_id.clone())),
            None => (TenantId::platform(), (AuditEntityType::Principal, "unknown".to_owned())),
        };
        let denial = Denial {
            tenant,
            actor,
            is_authenticated: false,
            entity,
            rule_id: None,
            operation: operation.to_owned(),
            reason: reason.to_owned(),
        };
        self.record_denial(denial, source).await
    }

    /// The scope of a bearer API key `rl_<id>_<secret>`; `None` when it is unknown, wrong, expired or revoked. What was
    /// read of a key is good for 5 s.
    ///
    /// # Errors
    /// `UNAVAILABLE` when keys cannot be read.
    pub async fn authenticate_key(&self, token: &str) -> Result<Option<Scope>> {
        let Some((key_id, secret)) = split(token) else { return Ok(None) };
        let key = self.find_key(key_id).await?;
        let now = self.0.clock.now();
        Ok(key.filter(|key| is_valid(key, secret, now)).map(|key| Scope {
            tenant: key.tenant.clone(),
            actor: actor_of(&key.key_id),
            permissions: key.permissions,
        }))
    }

    /// A key by its id, whatever its state.
    async fn find_key(&self, key_id: &str) -> Result<Option<Arc<ApiKey>>> {
        if let Some(known) = self.0.api_keys.get(key_id).filter(|known| known.read_at.elapsed() < KNOWN_FOR) {
            if known.wants_look() {
                let (logs, key_id) = (self.clone(), key_id.to_owned());
                tokio::spawn(async move {
                    if let Err(error) = logs.look_up_key(&key_id).await {
                        tracing::debug!(?error, "a key is not looked up ahead; its next caller waits for it");
                    }
                });
            }
            return Ok(known.key.clone());
        }
        self.look_up_key(key_id).await
    }

    /// Reads a key, and keeps it.
    async fn look_up_key(&self, key_id: &str) -> Result<Option<Arc<ApiKey>>> {
        let read_at = Instant::now();
        let key = self.0.store.get_api_key(key_id).await?.map(Arc::new);
        let known = KnownKey { key: key.clone(), read_at, is_looked_for: AtomicBool::new(false) };
        self.0.api_keys.insert(key_id.to_owned(), Arc::new(known));
        Ok(key)
    }
}

/// How long a key that was read is good: a revoked one stops working within this time, in every process.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// From when on whoever uses a key has it read again, without waiting for it: a key in use is never waited for.
const LOOK_AFTER: Duration = Duration::from_millis(2_500);

/// What was read of a key.
pub(in crate::facade) struct KnownKey {
    /// `None` where there is none.
    key: Option<Arc<ApiKey>>,
    /// When it was asked for.
    read_at: Instant,
    is_looked_for: AtomicBool,
}

impl KnownKey {
    /// Whether it is time to read it again; true once.
    fn wants_look(&self) -> bool {
        self.key.is_some() && self.read_at.elapsed() > LOOK_AFTER && !self.is_looked_for.swap(true, Ordering::Relaxed)
    }
}

/// Keys by their ids.
pub(in crate::facade) type KnownKeys = Cache<String, Arc<KnownKey>>;

/// Room for keys.
pub(in crate::facade) fn known_keys() -> KnownKeys {
    Cache::builder().max_capacity(10_000).time_to_live(KNOWN_FOR).build()
}

/// The actor that a key stands for.
fn actor_of(key_id: &str) -> Actor {
    Actor { actor_type: ActorType::System, id: format!("{KEY_ACTOR_PREFIX}{key_id}") }
}

/// What an audit entry says of a key: neither its secret nor the secret's hash.
fn state(key: &ApiKey) -> Value {
    let scopes: Vec<&str> = key.permissions.iter().map(Permission::as_str).collect();
    json!({
        "key_id": key.key_id,
        "name": key.name.as_deref().map(chosen),
        "scopes": scopes,
        "created_at": key.created_at.to_rfc3339(),
        "expires_at": key.expires_at.map(Timestamp::to_rfc3339),
        "revoked_at": key.revoked_at.map(Timestamp::to_rfc3339),
    })
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
    use crate::domain::scope::is_own_actor;

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
    fn nobody_else_is_taken_for_an_actor_of_the_server() {
        let own = [operator().id, actor_of("0011").id, super::super::own_audit::SERVER.to_owned()];
        let own =
            own.iter().map(String::as_str).chain([crate::store::verify::VERIFIER, "sealer", "KEY:0011", "Operator"]);
        assert!(own.into_iter().all(is_own_actor));
        assert!(["ada", "keys", "operator@acme.test", "key", ""].into_iter().all(|id| !is_own_actor(id)));
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
    fn a_key_in_use_is_read_again_by_one_caller_before_its_time_is_over() {
        let known = |key, since: Duration| {
            let read_at = Instant::now().checked_sub(since).expect("the clock is that old");
            KnownKey { key, read_at, is_looked_for: AtomicBool::new(false) }
        };
        let (some, late) = (|| Some(Arc::new(key())), LOOK_AFTER + Duration::from_millis(1));
        assert!(!known(some(), Duration::ZERO).wants_look(), "it was just read");
        let known_long = known(some(), late);
        assert!(known_long.wants_look() && !known_long.wants_look(), "once");
        assert!(!known(None, late).wants_look(), "who guesses has nothing read ahead");
        assert!(LOOK_AFTER < KNOWN_FOR);
    }

    #[test]
    fn tokens_that_are_not_ours_are_not_looked_up() {
        assert_eq!(split("rl_0011_s"), Some(("0011", "s")));
        for other in ["", "rl_", "rl_0011", "eyJhbGciOiJIUzI1NiJ9.e30.x", &format!("rl_1_{}", "x".repeat(300))] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
