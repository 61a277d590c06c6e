//! API keys: made and revoked by those who manage a tenant.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::domain::scope::{Permission, Permissions};
use crate::error::{Error, Result};
use crate::facade::keys;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::scalars::DateTime;

/// What createApiKey takes.
#[derive(InputObject)]
pub struct CreateApiKeyInput {
    /// What the key is for, in your words, 1 to 128 bytes. It holds no personal data. Redacted.
    name: Option<String>,
    /// What the key is to allow, for example "runs:read". You can give no scope that you lack. Not redacted.
    scopes: Vec<String>,
    /// When the key ends. It never does when this is not given.
    expires_at: Option<DateTime>,
}

/// What revokeApiKey takes.
#[derive(InputObject)]
pub struct RevokeApiKeyInput {
    /// The id of the key: the part of its token between rl_ and the next underscore. An identifier: it is not redacted.
    key_id: ID,
}

/// An API key, without its secret.
#[derive(SimpleObject)]
pub struct ApiKey {
    /// The id of the key: the part of its token between rl_ and the next underscore.
    key_id: ID,
    /// What the key is for. Null when nobody said.
    name: Option<String>,
    /// What the key allows.
    scopes: Vec<&'static str>,
    /// When it was made.
    created_at: DateTime,
    /// When it ends. Null when it never does.
    expires_at: Option<DateTime>,
    /// When it was revoked. Null while it is not.
    revoked_at: Option<DateTime>,
}

impl From<keys::ApiKey> for ApiKey {
    fn from(key: keys::ApiKey) -> Self {
        Self {
            key_id: ID(key.key_id),
            name: key.name,
            scopes: key.permissions.iter().map(Permission::as_str).collect(),
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(Into::into),
            revoked_at: key.revoked_at.map(Into::into),
        }
    }
}

/// What createApiKey gives.
#[derive(SimpleObject)]
pub struct CreateApiKeyPayload {
    /// The key.
    api_key: ApiKey,
    /// The token to send as Authorization: Bearer. It is shown this once and cannot be had again.
    token: String,
}

/// What revokeApiKey gives.
#[derive(SimpleObject)]
pub struct RevokeApiKeyPayload {
    /// The key as it is now.
    api_key: ApiKey,
}

fn permissions(scopes: &[String]) -> Result<Permissions> {
    let parse = |scope: &String| {
        Permission::parse(scope).ok_or_else(|| {
            let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
            Error::input("scopes", format!("a scope is one of {}", all.join(", ")))
        })
    };
    scopes.iter().map(parse).collect()
}

/// Writes of API keys.
#[derive(Default)]
pub struct KeyMutations;

#[Object]
impl KeyMutations {
    /// Makes an API key of the caller's tenant. Its token is shown in this answer and never again; if the answer is lost,
    /// revoke the key and make another. Needs the scope admin.
    async fn create_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: CreateApiKeyInput,
    ) -> ApiResult<CreateApiKeyPayload> {
        let facade = ctx.facade()?;
        let permissions = permissions(&input.scopes)?;
        let (key, token) = facade.create_api_key(input.name, permissions, input.expires_at.map(|end| end.0)).await?;
        Ok(CreateApiKeyPayload { api_key: key.into(), token })
    }

    /// Revokes an API key of the caller's tenant: it opens nothing from now on, in other processes within 5 seconds. To
    /// revoke it again changes nothing. Needs the scope admin.
    async fn revoke_api_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] input: RevokeApiKeyInput,
    ) -> ApiResult<RevokeApiKeyPayload> {
        Ok(RevokeApiKeyPayload { api_key: ctx.facade()?.revoke_api_key(&input.key_id.0).await?.into() })
    }
}
