//! Seals: how traces ended.

use async_graphql::{Context, ID, Object};

use crate::domain::ids::IdKind;
use crate::domain::payload::PayloadPart;
use crate::domain::run::Stored;
use crate::domain::trace;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::shared::enums::ExecutionStatus;
use crate::graphql::shared::error::Maybe;
use crate::graphql::shared::record_fields::RecordFields;
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json, SafeInt, Sha256};
use crate::graphql::trace::payload;

/// See [`trace::TraceSeal`].
pub struct TraceSeal(pub Stored<trace::TraceSeal>);

/// The end of a trace, written once and never changed. When work arrives after it, a further revision follows; the
/// newest one counts.
#[Object]
impl TraceSeal {
    /// The id of this record, for node. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Ledger))
    }

    /// The trace that it ends.
    fn trace_id(&self) -> ID {
        ID(self.0.trace_id.to_string())
    }

    /// Which seal of its trace this is, from 1.
    fn revision(&self) -> SafeInt {
        SafeInt(self.0.revision)
    }

    /// How the trace ended.
    fn status(&self) -> ExecutionStatus {
        self.0.status.into()
    }

    /// Why it ended so, in words. Null when there is nothing to say.
    fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// How many steps the trace had when it was sealed.
    fn step_count(&self) -> SafeInt {
        SafeInt(self.0.step_count)
    }

    /// Merkle root (RFC 6962) over the behaviour of the steps, ordered by start and span id.
    fn root_hash(&self) -> Sha256 {
        Sha256(self.0.root_hash)
    }

    /// When the trace ended: what the caller said, else the end of its last step.
    fn ended_at(&self) -> DateTime {
        DateTime(self.0.ended_at)
    }

    /// What was noted at the end, such as totals, redacted. Null when nothing was or it was erased. Needs the scope
    /// payloads:read.
    async fn metadata(&self, ctx: &Context<'_>) -> Maybe<Json> {
        let is_recorded = self.0.metadata_commitment.is_some();
        Maybe::of(payload(ctx, is_recorded.then_some(self.0.id), PayloadPart::Metadata).await)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&self.0).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.tenant_id, self.0.id).await)
    }
}

columns!(TraceSeal {
    "id" => id,
    "traceId" => trace_id,
    "revision" => revision,
    "status" => status,
    "reason" => reason,
    "stepCount" => step_count,
    "rootHash" => root_hash,
    "endedAt" => ended_at, ..record_fields
});
