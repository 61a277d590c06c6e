//! JSON Web Tokens. The key that is configured decides the algorithm, never the token: `none` is no algorithm here, and a
//! public key is never used as a secret.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::jwks::KeySource;
use super::{JwtKeys, JwtSettings, jwt_crypto, refuse};
use crate::domain::ids::{TenantId, check_name, is_plain};
use crate::domain::scope::{Actor, Permission, Permissions, Scope, is_own_actor};
use crate::domain::strict_json::Strict;
use crate::domain::vocabulary::ActorType;
use crate::error::Result;

type Claims = Map<String, Value>;

/// Says what kind of actor a token stands for, in the words of our vocabulary; without it a token is a person's.
const ACTOR_TYPE_CLAIM: &str = "actor_type";

enum Verification {
    Secret(DecodingKey),
    Public(KeySource),
}

/// Checks tokens and reads their claims.
pub(super) struct JwtVerifier {
    verification: Verification,
    settings: JwtSettings,
}

impl JwtVerifier {
    /// # Errors
    /// `BAD_USER_INPUT` when the keys cannot be used.
    pub(super) fn new(settings: &JwtSettings) -> Result<Self> {
        jwt_crypto::install();
        let verification = match &settings.keys {
            JwtKeys::Hs256(secret) => Verification::Secret(DecodingKey::from_secret(secret.as_bytes())),
            JwtKeys::JwksFile(path) => Verification::Public(KeySource::from_file(path)?),
            JwtKeys::JwksUrl(url) => Verification::Public(KeySource::from_url(url.clone())?),
        };
        Ok(Self { verification, settings: settings.clone() })
    }

    /// # Errors
    /// `UNAUTHENTICATED` that says what is wrong with the token; `UNAVAILABLE` when keys cannot be read.
    pub(super) async fn verify(&self, token: &str) -> Result<Scope> {
        let header = decode_header(token).map_err(|_| refuse("this is neither an API key (rl_...) nor a JWT"))?;
        if header.crit.is_some() {
            return Err(refuse("this token demands extensions (crit) that are not supported"));
        }
        let claims = match &self.verification {
            Verification::Secret(key) => self.decode(token, Algorithm::HS256, key)?,
            Verification::Public(source) => {
                let key = source.find(header.alg, header.kid.as_deref()).await?;
                let key = key.ok_or_else(|| refuse("no known key fits this token's kid and algorithm"))?;
                self.decode(token, key.algorithm, &key.key)?
            }
        };
        self.scope(&claims)
    }

    fn decode(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Claims> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        if let Some(issuer) = &self.settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        match &self.settings.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        validation.set_required_spec_claims(&required);
        // Strict: of two claims of one name, the issuer may have meant the one and a reader takes the other.
        let decoded = decode::<Strict<Value>>(token, key, &validation);
        match decoded.map(|token| token.claims.0) {
            Ok(Value::Object(claims)) => Ok(claims),
            Ok(_) => Err(refuse("this token is not valid: its claims are no object")),
            Err(error) => Err(refuse(&format!("this token is not valid: {error}"))),
        }
    }

    fn scope(&self, claims: &Claims) -> Result<Scope> {
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let missing =
            |claim: &str| refuse(&format!("this token's claim {claim} is missing or not 1 to 128 bytes of text"));
        let settings = &self.settings;
        let tenant = text(&settings.tenant_claim).ok_or_else(|| missing(&settings.tenant_claim))?;
        let tenant = TenantId::parse_callers(tenant).map_err(|error| {
            refuse(&format!("this token's claim {} names no tenant: {}", settings.tenant_claim, error.message()))
        })?;
        let actor = text(&settings.actor_claim).filter(|actor| check_name("actor", actor).is_ok());
        let actor = actor.ok_or_else(|| missing(&settings.actor_claim))?;
        if !is_plain(actor) {
            let message = format!(
                "this token's claim {} has control or invisible characters, or a space at an end",
                settings.actor_claim
            );
            return Err(refuse(&message));
        }
        if is_own_actor(actor) {
            let message = format!(
                "this token's claim {} is a name that only the server gives (key:..., operator and the like); name the \
                 actor otherwise, or have --jwt-actor-claim name another claim",
                settings.actor_claim
            );
            return Err(refuse(&message));
        }
        let actor_type = match text(ACTOR_TYPE_CLAIM) {
            None => ActorType::Human,
            Some(value) => ActorType::parse(value).ok_or_else(|| refuse("actor_type is HUMAN, SYSTEM or AGENT"))?,
        };
        Ok(Scope {
            tenant,
            actor: Actor { actor_type, id: actor.to_owned() },
            permissions: permissions(claims.get(&settings.scope_claim)),
        })
    }
}

/// Scopes as text with spaces between them, or as a list; unknown ones belong to other applications.
fn permissions(claim: Option<&Value>) -> Permissions {
    match claim {
        Some(Value::String(text)) => text.split_ascii_whitespace().filter_map(Permission::parse).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(|item| Permission::parse(item.as_str()?)).collect(),
        _ => Permissions::default(),
    }
}

#[cfg(test)]
pub(super) mod tests;
