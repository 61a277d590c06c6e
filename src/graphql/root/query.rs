//! The root of all reads.

use async_graphql::{Context, ID, MergedObject, Object, SimpleObject};

use crate::domain::vocabulary;
use crate::graphql::audit::queries::AuditQueries;
use crate::graphql::incident::IncidentQueries;
use crate::graphql::ledger::Ledger;
use crate::graphql::ledger::verification::VerificationQueries;
use crate::graphql::policy::PolicyQueries;
use crate::graphql::run::RunQueries;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::Tenant;
use crate::graphql::shared::enums::{ActorType, LedgerStream, Word};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::gateway::Gateway;
use crate::graphql::shared::node::{self, Node};
use crate::graphql::shared::row::Row;
use crate::graphql::shared::scalars::Sha256;
use crate::graphql::system::SystemQueries;
use crate::graphql::trace::queries::TraceQueries;

/// Reads. Everything is read within the caller's tenant: what belongs to another tenant does not exist here.
#[derive(Default, MergedObject)]
pub struct Query(
    TraceQueries,
    RunQueries,
    SystemQueries,
    IncidentQueries,
    PolicyQueries,
    AuditQueries,
    VerificationQueries,
    GeneralQueries,
    // Last: the library asks the last first, and the others refuse what is no entity at all.
    Gateway,
);

/// Root fields about no particular record.
#[derive(Default)]
pub struct GeneralQueries;

#[Object]
impl GeneralQueries {
    /// Who asks: the tenant, the actor and the permissions behind the credentials of this request.
    async fn viewer(&self, ctx: &Context<'_>) -> ApiResult<Viewer> {
        let scope = ctx.facade()?.scope();
        Ok(Viewer {
            tenant: Row(Tenant(scope.tenant.clone())),
            actor_type: scope.actor.actor_type.into(),
            actor_id: scope.actor.id.clone(),
            scopes: scope.permissions.iter().map(|permission| permission.as_str()).collect(),
        })
    }

    /// Any record by its id. Null when there is no such record.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the record: what a field named id gave.")] id: ID,
    ) -> Maybe<Node> {
        Maybe::of(node::load(ctx, &id).await)
    }

    /// The tenant's keyed digest of a text, to compare with promptHash, responseHash, inputHash and outputHash. The text
    /// is not kept. Needs the scope payloads:read.
    async fn content_digest(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The text, exactly as it was sent or received.")] text: String,
    ) -> ApiResult<Sha256> {
        Ok(ctx.facade()?.content_digest(&text).await?.into())
    }

    /// One of the tenant's two logs.
    async fn ledger(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default_with = "Word(vocabulary::Stream::Evidence)",
            desc = "Which log. The evidence log needs the scope runs:read, the access log audit:read."
        )]
        stream: LedgerStream,
    ) -> ApiResult<Ledger> {
        Ledger::load(ctx, stream).await
    }
}

/// Who asks.
#[derive(SimpleObject)]
pub struct Viewer {
    /// The tenant that every read and write of this caller is confined to.
    tenant: Row<Tenant>,
    /// What kind of actor asks.
    actor_type: ActorType,
    /// The id of the actor: an API key's id, a token's subject, or "anonymous" on a server that asks for no credentials.
    actor_id: String,
    /// The permissions that the credentials were given, for example "runs:read". "admin" implies all others but
    /// "platform:write".
    scopes: Vec<&'static str>,
}
