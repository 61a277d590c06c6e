//! Who asks, for which tenant, and what they may do. Every read and every write starts from a [`Scope`].

use super::ids::TenantId;
use super::vocabulary::ActorType;
use crate::error::{Code, Error, Result};

/// One permission; an API key or a JWT carries a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Read runs, traces and steps.
    RunsRead,
    /// Record runs, traces and steps.
    RunsWrite,
    /// Read payloads: step attributes, plans, seal metadata, captured content.
    PayloadsRead,
    /// Read system records.
    SystemRead,
    /// Record system records.
    SystemWrite,
    /// Read the audit ledger.
    AuditRead,
    /// Append to the audit ledger.
    AuditWrite,
    /// Make and download exports.
    ExportsCreate,
    /// Verify the ledger.
    LedgerVerify,
    /// Write records of the platform.
    PlatformWrite,
    /// Manage keys, erase payloads; implies every other permission of the tenant but `platform:write`.
    Admin,
}

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Self] = &[
        Self::RunsRead,
        Self::RunsWrite,
        Self::PayloadsRead,
        Self::SystemRead,
        Self::SystemWrite,
        Self::AuditRead,
        Self::AuditWrite,
        Self::ExportsCreate,
        Self::LedgerVerify,
        Self::PlatformWrite,
        Self::Admin,
    ];

    /// The text in keys and tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunsRead => "runs:read",
            Self::RunsWrite => "runs:write",
            Self::PayloadsRead => "payloads:read",
            Self::SystemRead => "system:read",
            Self::SystemWrite => "system:write",
            Self::AuditRead => "audit:read",
            Self::AuditWrite => "audit:write",
            Self::ExportsCreate => "exports:create",
            Self::LedgerVerify => "ledger:verify",
            Self::PlatformWrite => "platform:write",
            Self::Admin => "admin",
        }
    }

    /// The permission with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.as_str() == text)
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// Every permission of a tenant; not `platform:write`.
    #[must_use]
    pub fn all_of_tenant() -> Self {
        Permission::ALL.iter().copied().filter(|permission| *permission != Permission::PlatformWrite).collect()
    }

    /// Whether the permission is held. `admin` implies all but `platform:write`.
    #[must_use]
    pub fn holds(self, permission: Permission) -> bool {
        let bit = |permission: Permission| self.0 & (1 << permission as u16) != 0;
        bit(permission) || (permission != Permission::PlatformWrite && bit(Permission::Admin))
    }

    /// The permissions that were given, without what `admin` implies.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.0 & (1 << *permission as u16) != 0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u16))
    }
}

/// How the ids of actors begin that stand for API keys; the key's id follows.
pub const KEY_ACTOR_PREFIX: &str = "key:";
/// The actor of commands on the server's machine.
pub const OPERATOR: &str = "operator";
/// The actor of requests to an open server.
pub const ANONYMOUS: &str = "anonymous";
/// Parts of the server that act by themselves, and what actors they are taken for.
const OWN_ACTORS: &[&str] = &[
    OPERATOR,
    ANONYMOUS,
    "export",
    "graphql",
    "otlp",
    "runledger",
    "sealer",
    "server",
    "signer",
    "system",
    "verifier",
];

/// Whether only this server itself names an actor so: a token that does would put its acts on another's account.
#[must_use]
pub fn is_own_actor(id: &str) -> bool {
    // Neither spaces nor full-width letters make another name of it to the eye.
    let plain = |character: char| match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        _ => character,
    };
    let id: String = id.chars().filter(|character| !character.is_whitespace()).map(plain).collect();
    let is_key = id.get(..KEY_ACTOR_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(KEY_ACTOR_PREFIX));
    is_key || OWN_ACTORS.iter().any(|own| own.eq_ignore_ascii_case(&id))
}

/// The actor behind a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// What kind of actor.
    pub actor_type: ActorType,
    /// Its id: an API key's id, a token's subject, or `anonymous` on an open server.
    pub id: String,
}

/// Tenant, actor and permissions of one request. Made by authentication only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The tenant whose records are seen; there is no way to see another's.
    pub tenant: TenantId,
    /// Who asks.
    pub actor: Actor,
    /// What they may do.
    pub permissions: Permissions,
}

impl Scope {
    /// Refuses a caller without the permission.
    ///
    /// # Errors
    /// `FORBIDDEN` that names the permission.
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.permissions.holds(permission) {
            return Ok(());
        }
        Err(Error::new(
            Code::Forbidden,
            format!("this needs the scope {}; ask for a key that has it", permission.as_str()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_implies_everything_of_the_tenant_but_not_the_platform() {
        let admin: Permissions = [Permission::Admin].into_iter().collect();
        assert!(admin.holds(Permission::RunsWrite));
        assert!(!admin.holds(Permission::PlatformWrite));
        assert!(!Permissions::all_of_tenant().holds(Permission::PlatformWrite));
        let reader: Permissions = [Permission::RunsRead].into_iter().collect();
        assert!(!reader.holds(Permission::PayloadsRead));
        assert_eq!(reader.iter().collect::<Vec<_>>(), [Permission::RunsRead]);
    }

    #[test]
    fn permissions_parse_back() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(*permission));
        }
        assert_eq!(Permission::parse("runs"), None);
    }
}
