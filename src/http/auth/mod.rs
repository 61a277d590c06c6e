//! Who asks: an API key or a JWT becomes a [`Scope`].

mod jwks;
mod jwt;
mod jwt_crypto;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use self::jwt::JwtVerifier;
use super::backend::Backend;
use crate::domain::ids::TenantId;
use crate::domain::scope::{ANONYMOUS, Actor, Permissions, Scope};
use crate::domain::vocabulary::ActorType;
use crate::error::{Code, Error, Result};

/// Names the tenant where authentication is off.
pub const TENANT_HEADER: &str = "x-runledger-tenant";
/// The tenant of an open server where the header names none.
pub const DEMO_TENANT: &str = "demo";
const API_KEY_PREFIX: &str = "rl_";
/// Longest credentials that are looked at.
const CREDENTIALS_BYTES_MAX: usize = 16 * 1024;

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub enum AuthSettings {
    /// Nothing is asked; for loopback only.
    Off,
    /// API keys, and JWT where it is set up.
    Required(Option<JwtSettings>),
}

/// How a JWT is checked.
#[derive(Clone)]
pub struct JwtSettings {
    /// Where its keys come from.
    pub keys: JwtKeys,
    /// The `iss` that it must have.
    pub issuer: Option<String>,
    /// The `aud` that it must have.
    pub audience: Option<String>,
    /// Claim that names the tenant.
    pub tenant_claim: String,
    /// Claim that names the actor.
    pub actor_claim: String,
    /// Claim with the scopes.
    pub scope_claim: String,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// Where the keys of JWTs come from. The source alone decides which algorithms are taken.
#[derive(Clone)]
pub enum JwtKeys {
    /// A shared secret: HS256 and nothing else.
    Hs256(String),
    /// A JWKS file: RS256, ES256, EdDSA, by each key's type.
    JwksFile(PathBuf),
    /// The same by URL.
    JwksUrl(String),
}

impl std::fmt::Debug for JwtSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtSettings")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// Finds the scope of a request.
pub(super) struct Authenticator {
    backend: Arc<dyn Backend>,
    is_off: bool,
    jwt: Option<JwtVerifier>,
}

impl Authenticator {
    /// # Errors
    /// `BAD_USER_INPUT` when the JWT keys cannot be used.
    pub(super) fn new(settings: &AuthSettings, backend: Arc<dyn Backend>) -> Result<Self> {
        let (is_off, jwt) = match settings {
            AuthSettings::Off => (true, None),
            AuthSettings::Required(jwt) => (false, jwt.as_ref().map(JwtVerifier::new).transpose()?),
        };
        Ok(Self { backend, is_off, jwt })
    }

    /// # Errors
    /// `UNAUTHENTICATED` that says what to send; `UNAVAILABLE` when credentials cannot be checked now.
    pub(super) async fn authenticate(&self, headers: &HeaderMap) -> Result<Scope> {
        if self.is_off {
            return open_scope(headers);
        }
        let token = bearer(headers)?;
        if token.starts_with(API_KEY_PREFIX) {
            let scope = self.backend.authenticate_key(token).await?;
            return scope.ok_or_else(|| refuse("this API key is unknown, expired or revoked"));
        }
        match &self.jwt {
            Some(jwt) => jwt.verify(token).await,
            None => Err(refuse("this is no API key (rl_...), and JWT is not set up on this server")),
        }
    }
}

/// `UNAUTHENTICATED` with a reason.
fn refuse(message: &str) -> Error {
    Error::new(Code::Unauthenticated, message)
}

/// The credentials of the one `Authorization: Bearer ...` header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str> {
    let missing = "send the header Authorization: Bearer <key>; runledger keys create --tenant <tenant> makes a key";
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| refuse(missing))?;
    if values.next().is_some() {
        return Err(refuse("send one Authorization header"));
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(|| refuse(missing))?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > CREDENTIALS_BYTES_MAX {
        return Err(refuse(missing));
    }
    Ok(token)
}

/// On an open server everyone is anonymous and may do everything in the tenant that they name.
fn open_scope(headers: &HeaderMap) -> Result<Scope> {
    let mut names = headers.get_all(TENANT_HEADER).iter();
    let tenant = names.next();
    if names.next().is_some() {
        return Err(Error::input(TENANT_HEADER, format!("a request is of one tenant: send {TENANT_HEADER} once")));
    }
    let tenant = match tenant {
        None => TenantId::parse(DEMO_TENANT)?,
        Some(name) => {
            let name = name.to_str().map_err(|_| Error::input(TENANT_HEADER, "a tenant's name here is ASCII text"))?;
            TenantId::parse_callers(name).map_err(|error| error.at_field(TENANT_HEADER))?
        }
    };
    Ok(Scope {
        tenant,
        actor: Actor { actor_type: ActorType::System, id: ANONYMOUS.to_owned() },
        permissions: Permissions::all_of_tenant(),
    })
}
