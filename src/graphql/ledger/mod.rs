//! A log of the ledger: where it stands, and its entries.
//!
//! [`Ledger`] is put together from pieces, one a file: what verification has to say of a log is a piece of its own.

pub mod entries;
pub mod erasure;
pub mod proofs;
pub mod verification;

use async_graphql::{Context, ID, MergedObject, Object};
use uuid::Uuid;

use crate::domain::ids::TenantId;
use crate::domain::ledger::LedgerLog;
use crate::domain::page::{AsOf, PAGE_SIZE_DEFAULT};
use crate::domain::vocabulary;
use crate::graphql::ledger::entries::{LedgerEntry, LedgerEntryConnection};
use crate::graphql::ledger::proofs::LedgerProofs;
use crate::graphql::ledger::verification::LedgerChecks;
use crate::graphql::shared::connection::page_size;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{LedgerStream, RecordKind};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::filters::checked;
use crate::graphql::shared::row::Row;
use crate::graphql::shared::scalars::{BigInt, Sha256};

/// A log that holds records of the tenant in the order of writing: an RFC 6962 Merkle tree, whose signed checkpoints
/// follow C2SP tlog-checkpoint. Nothing in it is ever changed or removed.
#[derive(MergedObject)]
pub struct Ledger(LedgerContent, LedgerProofs, LedgerChecks);

impl Ledger {
    /// One of the tenant's logs as it stands now.
    ///
    /// # Errors
    /// As the facade says.
    pub async fn load(ctx: &Context<'_>, stream: LedgerStream) -> ApiResult<Self> {
        let (facade, stream) = (ctx.facade()?, vocabulary::Stream::from(stream));
        facade.enter_ledger(stream)?;
        let log = facade.ledger_log(stream).await?;
        let proofs = LedgerProofs { stream, log: log.clone() };
        let checks = LedgerChecks { log_id: log.as_ref().map_or_else(Uuid::nil, |log| log.log_id) };
        Ok(Self(LedgerContent { tenant: facade.scope().tenant.clone(), stream, log }, proofs, checks))
    }
}

/// A log with its entries.
pub struct LedgerContent {
    tenant: TenantId,
    stream: vocabulary::Stream,
    log: Option<LedgerLog>,
}

#[Object]
impl LedgerContent {
    /// This moment of the log, as an opaque token for the argument asOf of lists: pages that are read with it do not
    /// change while new records arrive.
    async fn now(&self) -> String {
        AsOf { size: self.len() }.to_token()
    }

    /// Which of the tenant's logs it is.
    async fn stream(&self) -> LedgerStream {
        self.stream.into()
    }

    /// The log's opaque id. Null while nothing was written to it.
    async fn log_id(&self) -> Option<ID> {
        self.log.as_ref().map(|log| ID(log.log_id.simple().to_string()))
    }

    /// The log's name, which is the first line of its checkpoints. Null while nothing was written to it.
    async fn origin(&self) -> Option<&str> {
        self.log.as_ref().map(|log| log.origin.as_str())
    }

    /// How many entries it has.
    async fn size(&self) -> BigInt {
        BigInt(self.len())
    }

    /// The root hash of its tree. Null while nothing was written to it.
    async fn root(&self) -> Option<Sha256> {
        self.log.as_ref().map(|log| Sha256(log.root))
    }

    /// The entries in the order of writing: one feed over every kind of record, to be read on from where one stopped.
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Take only entries behind this place: resumeAfter of the page before, or the sequence of an \
                          entry. From the beginning when it is not given."
        )]
        after: Option<BigInt>,
        #[graphql(desc = "How many entries to take, 0 to 200. 50 when it is not given.")] first: Option<i32>,
        #[graphql(desc = "Only records of these kinds. All kinds when it is not given or empty.")] kinds: Option<
            Vec<RecordKind>,
        >,
    ) -> ApiResult<LedgerEntryConnection> {
        let size = first.map_or(Ok(PAGE_SIZE_DEFAULT), |first| page_size("first", first))?;
        let kinds = kinds.unwrap_or_default();
        checked("kinds", &kinds)?;
        let kinds: Vec<vocabulary::RecordKind> = kinds.into_iter().map(Into::into).collect();
        let after = after.map(|after| after.0);
        let page = ctx.facade()?.list_ledger_entries(self.stream, self.len(), after, size, &kinds).await?;
        Ok(LedgerEntryConnection::of(&self.tenant, after, page))
    }

    /// The entry at a place. Null where the log does not reach so far.
    async fn entry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The place, from 0.")] sequence: BigInt,
    ) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(self.load_entry(ctx, sequence.0).await)
    }
}

impl LedgerContent {
    fn len(&self) -> i64 {
        self.log.as_ref().map_or(0, |log| log.size)
    }

    async fn load_entry(&self, ctx: &Context<'_>, sequence: i64) -> ApiResult<Option<Row<LedgerEntry>>> {
        let entry = ctx.facade()?.get_ledger_entry(self.stream, sequence).await?;
        Ok(entry.map(|entry| Row(LedgerEntry { tenant: self.tenant.clone(), entry })))
    }
}
