//! Who is seen for the first time.

use serde_json::json;
use sha2::Digest as _;

use super::Logs;
use super::own_audit::OwnEntry;
use crate::domain::append::{AppendUnit, IdempotencyClaim};
use crate::domain::ids::Digest;
use crate::domain::scope::Scope;
use crate::domain::vocabulary::{AuditCategory, AuditEntityType};
use crate::error::Result;

const EVENT: &str = "PrincipalFirstSeen";

impl Logs {
    /// Records an actor of a tenant the first time it is seen: by one process, once.
    ///
    /// # Errors
    /// `UNAVAILABLE` when that could not be written.
    pub(super) async fn first_seen(&self, scope: &Scope) -> Result<()> {
        let (tenant, actor) = (&scope.tenant, &scope.actor);
        let key = (tenant.clone(), actor.clone());
        if self.access().principals.contains_key(&key) {
            return Ok(());
        }
        if !self.0.store.has_principal(tenant, actor).await? {
            let permissions: Vec<&str> = scope.permissions.iter().map(|permission| permission.as_str()).collect();
            let entry = self.own_entry(OwnEntry {
                actor: Some(actor.clone()),
                after_state: Some(json!({ "actor_type": actor.actor_type.as_str(), "scopes": permissions })),
                ..OwnEntry::new(AuditCategory::Identity, EVENT, AuditEntityType::Principal, &actor.id)
            })?;
            // The claim makes it once among processes that see the same actor at the same time; the row, for good.
            let claim = format!("{} {}", actor.actor_type.as_str(), actor.id);
            let idempotency = IdempotencyClaim {
                space: EVENT,
                operation: EVENT,
                request_hash: Digest(sha2::Sha256::digest(&claim).into()),
                key: claim,
                answer: "{}".to_owned(),
            };
            let unit = AppendUnit::evidence(tenant.clone(), vec![entry]);
            self.append_own_unit(AppendUnit { idempotency: Some(idempotency), ..unit }).await?;
            self.0.store.add_principal(tenant, actor).await?;
        }
        self.access().principals.insert(key, ());
        Ok(())
    }
}
