//! What a log can prove: signed checkpoints, that a record is in it, that it only grew, and receipts.

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    Context, ContextSelectionSet, ID, Object, OutputType, Positioned, ServerResult, SimpleObject, Value,
};
use std::borrow::Cow;

use crate::domain::checkpoint;
use crate::domain::ids::RecordId;
use crate::domain::ledger::LedgerLog;
use crate::domain::vocabulary;
use crate::error::{Error, Result};
use crate::facade::LogsFacade;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::scalars::{BigInt, DateTime, Sha256};

/// The receipt of a record, made when it is selected. As a field it is a nullable String.
pub struct Receipt(pub Option<RecordId>);

impl Receipt {
    async fn load(&self, facade: Option<&LogsFacade>) -> ApiResult<Option<String>> {
        let Some(record) = self.0 else { return Ok(None) };
        let facade = facade.ok_or_else(|| Error::internal("the request's data holds no LogsFacade"))?;
        Ok(facade.receipt(record).await?)
    }
}

impl OutputType for Receipt {
    fn type_name() -> Cow<'static, str> {
        <String as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        Self::type_name().into_owned()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Maybe::<String>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        Maybe::<String>::of(self.load(ctx.data_opt()).await).resolve(ctx, field).await
    }
}

/// The proofs of a log.
pub struct LedgerProofs {
    /// Which log.
    pub stream: vocabulary::Stream,
    /// As it stands; `None` while nothing was written to it.
    pub log: Option<LedgerLog>,
}

#[Object]
impl LedgerProofs {
    /// A signed checkpoint of the log. Null when nothing was written yet, and where no checkpoint of that size was made.
    async fn checkpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The size that the log had. The newest checkpoint when it is not given.")] size: Option<
            BigInt,
        >,
    ) -> Maybe<LedgerCheckpoint> {
        Maybe::of(self.load_checkpoint(ctx, size).await)
    }

    /// Proof that a record is in this log. Null for a record that is not.
    async fn inclusion_proof(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record, as its field id names it.")] record_id: ID,
        #[graphql(
            desc = "The size of the tree that the proof leads to, for example that of a checkpoint. The size of the \
                          log now when it is not given."
        )]
        size: Option<BigInt>,
    ) -> Maybe<InclusionProof> {
        Maybe::of(self.load_inclusion(ctx, &record_id, size).await)
    }

    /// Proof that the log only grew: that its first entries are those that it had before. Null when nothing was written yet.
    async fn consistency_proof(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The earlier size.")] from: BigInt,
        #[graphql(desc = "The later size.")] to: BigInt,
    ) -> Maybe<ConsistencyProof> {
        Maybe::of(self.load_consistency(ctx, from, to).await)
    }

    /// The keys that sign or have signed checkpoints, oldest first: the newest 200 at most.
    async fn keys(&self, ctx: &Context<'_>) -> ApiResult<Vec<LedgerKey>> {
        let keys = ctx.facade()?.ledger_keys().await?;
        Ok(keys.iter().map(LedgerKey::of).collect::<Result<_>>()?)
    }
}

impl LedgerProofs {
    async fn load_checkpoint(&self, ctx: &Context<'_>, size: Option<BigInt>) -> ApiResult<Option<LedgerCheckpoint>> {
        let checkpoint = ctx.facade()?.checkpoint(self.stream, size.map(|size| size.0)).await?;
        Ok(checkpoint.map(Into::into))
    }

    async fn load_inclusion(
        &self,
        ctx: &Context<'_>,
        record_id: &ID,
        size: Option<BigInt>,
    ) -> ApiResult<Option<InclusionProof>> {
        let (Some(log), Some((_, record))) = (&self.log, RecordId::parse_typed(&record_id.0)) else { return Ok(None) };
        let proof = ctx.facade()?.inclusion_proof(record, size.map(|size| size.0)).await?;
        Ok(proof.filter(|proof| proof.log_id == log.log_id).map(Into::into))
    }

    async fn load_consistency(
        &self,
        ctx: &Context<'_>,
        from: BigInt,
        to: BigInt,
    ) -> ApiResult<Option<ConsistencyProof>> {
        Ok(ctx.facade()?.consistency_proof(self.stream, from.0, to.0).await?.map(Into::into))
    }
}

/// A signed state of a log: what a verifier starts from.
#[derive(SimpleObject)]
pub struct LedgerCheckpoint {
    /// The log's name, the first line of the note.
    origin: String,
    /// How many entries the log had.
    size: BigInt,
    /// The root hash of its tree then.
    root: Sha256,
    /// The checkpoint with its signature, as text: C2SP tlog-checkpoint in a signed note. Verify this, and take size and root
    /// from it.
    note: String,
    /// When it was signed.
    made_at: DateTime,
}

impl From<checkpoint::SignedCheckpoint> for LedgerCheckpoint {
    fn from(from: checkpoint::SignedCheckpoint) -> Self {
        Self {
            origin: from.origin,
            size: BigInt(from.size),
            root: Sha256(from.root),
            note: from.note,
            made_at: DateTime(from.made_at),
        }
    }
}

/// Proof that a record is in a log (RFC 6962, section 2.1.1). It proves nothing without a signed checkpoint of this size
/// and root.
#[derive(SimpleObject)]
pub struct InclusionProof {
    /// The record's place in the log, from 0.
    sequence: BigInt,
    /// SHA-256 of a zero byte and the record's leaf.
    leaf_hash: Sha256,
    /// The size of the tree that the proof leads to.
    size: BigInt,
    /// The root hash of that tree.
    root: Sha256,
    /// The audit path, from the leaf upwards.
    hashes: Vec<Sha256>,
}

impl From<checkpoint::InclusionProof> for InclusionProof {
    fn from(from: checkpoint::InclusionProof) -> Self {
        Self {
            sequence: BigInt(from.seq),
            leaf_hash: Sha256(from.leaf_hash),
            size: BigInt(from.size),
            root: Sha256(from.root),
            hashes: from.hashes.into_iter().map(Sha256).collect(),
        }
    }
}

/// Proof that a log only grew (RFC 6962, section 2.1.2). It proves nothing without signed checkpoints of both sizes and
/// roots.
#[derive(SimpleObject)]
pub struct ConsistencyProof {
    /// The earlier size.
    from_size: BigInt,
    /// The root hash of the tree of that size.
    from_root: Sha256,
    /// The later size.
    to_size: BigInt,
    /// The root hash of the tree of that size.
    to_root: Sha256,
    /// The hashes of the proof.
    hashes: Vec<Sha256>,
}

impl From<checkpoint::ConsistencyProof> for ConsistencyProof {
    fn from(from: checkpoint::ConsistencyProof) -> Self {
        Self {
            from_size: BigInt(from.from),
            from_root: Sha256(from.from_root),
            to_size: BigInt(from.to),
            to_root: Sha256(from.to_root),
            hashes: from.hashes.into_iter().map(Sha256).collect(),
        }
    }
}

/// The public half of a key that signs or has signed checkpoints.
#[derive(SimpleObject)]
pub struct LedgerKey {
    /// The key's hash in the signature lines of notes: eight hexadecimal digits.
    key_id: String,
    /// The key's name.
    name: String,
    /// The key as verifiers of signed notes take it: name, key id and key in one text.
    verifier_key: String,
    /// When it was registered.
    created_at: DateTime,
    /// When it was retired. Null while it signs.
    retired_at: Option<DateTime>,
    /// The sizes that the tenant's logs had when it began to sign. A log that is not listed was empty.
    from_sizes: Vec<LedgerSize>,
    /// The sizes that they had when it was retired: it signed nothing larger. Null while it signs.
    to_sizes: Option<Vec<LedgerSize>>,
}

/// The size of a log at some time.
#[derive(SimpleObject)]
pub struct LedgerSize {
    /// The log's opaque id.
    log_id: ID,
    /// How many entries it had.
    size: BigInt,
}

impl LedgerKey {
    fn of(key: &checkpoint::LedgerKey) -> Result<Self> {
        let sizes = |sizes: &checkpoint::LogSizes| {
            let size = |(log_id, size): (&uuid::Uuid, &i64)| LedgerSize {
                log_id: ID(log_id.simple().to_string()),
                size: BigInt(*size),
            };
            sizes.iter().map(size).collect()
        };
        Ok(Self {
            key_id: key.key_id.clone(),
            name: key.name.clone(),
            verifier_key: key.vkey()?,
            created_at: DateTime(key.created_at),
            retired_at: key.retired_at.map(DateTime),
            from_sizes: sizes(&key.from_sizes),
            to_sizes: key.to_sizes.as_ref().map(sizes),
        })
    }
}
