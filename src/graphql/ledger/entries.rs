//! Entries of the ledger, the records behind them, and the ledger's own events.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Union};

use crate::domain::ids::{IdKind, RecordId, TenantId};
use crate::domain::ledger;
use crate::domain::record::StoredRecord;
use crate::domain::run::Stored;
use crate::facade::ledger::EntryPage;
use crate::graphql::audit::AuditEntry;
use crate::graphql::export::LogExport;
use crate::graphql::incident::IncidentEvidence;
use crate::graphql::ledger::proofs::{InclusionProof, Receipt};
use crate::graphql::policy::PolicyActivation;
use crate::graphql::run::LlmRun;
use crate::graphql::shared::connection::PageInfo;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{ActorType, LedgerEventKind, RecordKind};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::node::Node;
use crate::graphql::shared::record_fields::RecordFields;
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{BigInt, Json, Sha256};
use crate::graphql::system::SystemRecord;
use crate::graphql::trace::Trace;
use crate::graphql::trace::seals::TraceSeal;
use crate::graphql::trace::steps::TraceStep;

/// See [`ledger::LedgerEntry`].
pub struct LedgerEntry {
    /// Whose log it stands in.
    pub tenant: TenantId,
    /// The entry.
    pub entry: ledger::LedgerEntry,
}

impl LedgerEntry {
    /// The entry of a record.
    ///
    /// # Errors
    /// As the facade says.
    pub async fn of(ctx: &Context<'_>, tenant: &TenantId, record: RecordId) -> ApiResult<Option<Row<Self>>> {
        let entry = ctx.facade()?.ledger_entry_of(tenant, record).await?;
        Ok(entry.map(|entry| Row(Self { tenant: tenant.clone(), entry })))
    }

    async fn load_leaf(&self, ctx: &Context<'_>) -> ApiResult<Option<String>> {
        Ok(ctx.facade()?.leaf(&self.tenant, self.entry.kind, self.entry.record_id).await?)
    }

    async fn load_inclusion(&self, ctx: &Context<'_>, size: Option<BigInt>) -> ApiResult<Option<InclusionProof>> {
        let proof = ctx.facade()?.inclusion_proof(self.entry.record_id, size.map(|size| size.0)).await?;
        Ok(proof.map(Into::into))
    }

    async fn load_record(&self, ctx: &Context<'_>) -> ApiResult<Option<EvidenceRecord>> {
        let record = ctx.facade()?.evidence_record(&self.tenant, self.entry.kind, self.entry.record_id).await?;
        Ok(record.map(EvidenceRecord::of))
    }
}

/// One entry of a log: a leaf of its Merkle tree (RFC 6962). Its place and its hash were fixed in the transaction that
/// wrote the record.
#[Object]
impl LedgerEntry {
    /// The id of this entry, for node. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.entry.record_id.typed(IdKind::Entry))
    }

    /// The entry's place in its log, from 0 and without gaps.
    fn sequence(&self) -> BigInt {
        BigInt(self.entry.seq)
    }

    /// The kind of the record.
    async fn kind(&self) -> RecordKind {
        self.entry.kind.into()
    }

    /// The id of the record, for node and for inclusionProof.
    fn record_id(&self) -> ID {
        ID(self.entry.record_id.typed(self.entry.kind.id_kind()))
    }

    /// SHA-256 of a zero byte and the leaf, as the tree holds it since the record was written.
    fn leaf_hash(&self) -> Sha256 {
        Sha256(self.entry.leaf_hash)
    }

    /// The leaf: canonical JSON (RFC 8785) of every column of the record, made from the columns as they are now. Hash it to
    /// check it against leafHash. Null where the record is missing. Needs the permission to read the record.
    async fn leaf(&self, ctx: &Context<'_>) -> Maybe<String> {
        Maybe::of(self.load_leaf(ctx).await)
    }

    /// The record. Null where it is missing, which verification reports as an anomaly, and for kinds that have no type of
    /// their own here. Needs the permission to read it.
    async fn record(&self, ctx: &Context<'_>) -> Maybe<EvidenceRecord> {
        Maybe::of(self.load_record(ctx).await)
    }

    /// Proof that the entry is in its log. Needs no more than the scope that reads the log: runs:read for the evidence log,
    /// audit:read for the access log.
    async fn inclusion_proof(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The size of the tree that the proof leads to, for example that of a checkpoint. The size of the \
                          log now when it is not given."
        )]
        size: Option<BigInt>,
    ) -> Maybe<InclusionProof> {
        Maybe::of(self.load_inclusion(ctx, size).await)
    }

    /// The receipt of the record: its leaf, its place, the audit path and a signed checkpoint in one text (C2SP tlog-proof),
    /// which verifies without this server. Made when it is selected. Null where the record is missing. Needs the permission
    /// to read the record.
    async fn receipt(&self) -> Receipt {
        Receipt(Some(self.entry.record_id))
    }
}

columns!(LedgerEntry { "id" => id, "sequence" => sequence, "recordId" => record_id, "leafHash" => leaf_hash });

/// A record of any kind that a log holds.
#[derive(Union)]
pub enum EvidenceRecord {
    /// A run.
    LlmRun(Row<LlmRun>),
    /// The beginning of a trace.
    Trace(Row<Trace>),
    /// A step.
    TraceStep(Row<TraceStep>),
    /// The end of a trace.
    TraceSeal(Row<TraceSeal>),
    /// A system record.
    SystemRecord(Row<SystemRecord>),
    /// An entry of the audit ledger.
    AuditEntry(Row<AuditEntry>),
    /// A policy activation.
    PolicyActivation(Row<PolicyActivation>),
    /// Incident evidence.
    IncidentEvidence(Row<IncidentEvidence>),
    /// An export.
    LogExport(Row<LogExport>),
    /// An event of the ledger.
    LedgerEvent(Row<LedgerEvent>),
}

impl EvidenceRecord {
    /// The record as a type of the API.
    fn of(record: Arc<StoredRecord>) -> Self {
        match Arc::unwrap_or_clone(record) {
            StoredRecord::Run(run) => Self::LlmRun(Arc::new(*run).into()),
            StoredRecord::Trace(view) => Self::Trace(view.into()),
            StoredRecord::Step(step) => Self::TraceStep((*step).into()),
            StoredRecord::Seal(seal) => Self::TraceSeal(Row(TraceSeal(*seal))),
            StoredRecord::Event(event) => Self::LedgerEvent(Row(LedgerEvent(*event))),
            StoredRecord::System(record) => Self::SystemRecord((*record).into()),
            StoredRecord::Audit(entry) => Self::AuditEntry((*entry).into()),
            StoredRecord::Policy(activation) => Self::PolicyActivation((*activation).into()),
            StoredRecord::Incident(evidence) => Self::IncidentEvidence((*evidence).into()),
            StoredRecord::Export(export) => Self::LogExport((*export).into()),
        }
    }
}

/// The entry of a record of the tenant's, else of the platform's.
///
/// # Errors
/// As the facade says.
pub async fn load_entry(ctx: &Context<'_>, record: RecordId) -> ApiResult<Option<Row<LedgerEntry>>> {
    let found = ctx.facade()?.find_ledger_entry(record).await?;
    Ok(found.map(|(tenant, entry)| Row(LedgerEntry { tenant, entry })))
}

/// The record behind a `led_` id.
///
/// # Errors
/// As the facade says.
pub async fn load_ledger_node(ctx: &Context<'_>, id: RecordId) -> ApiResult<Option<Node>> {
    let record = ctx.facade()?.get_ledger_record(id).await?;
    Ok(match record.map(EvidenceRecord::of) {
        Some(EvidenceRecord::TraceSeal(seal)) => Some(Node::TraceSeal(seal)),
        Some(EvidenceRecord::LedgerEvent(event)) => Some(Node::LedgerEvent(event)),
        _ => None,
    })
}

/// See [`ledger::LedgerEvent`].
pub struct LedgerEvent(pub Stored<ledger::LedgerEvent>);

/// Something that happened to the ledger itself: a payload was erased, a key was announced or retired, a checkpoint was
/// noted. A record like any other, written once and never changed.
#[Object]
impl LedgerEvent {
    /// The id of this record, for node. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Ledger))
    }

    /// What happened.
    async fn kind(&self) -> LedgerEventKind {
        self.0.kind.into()
    }

    /// What it happened to. For an erasure it is the record's plain UUID, a slash, and the part in lower case.
    fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Why, in the words of who did it, redacted. Null when nothing was said.
    fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What else is known, as a JSON object. For an erasure: commitment, part, record_id and record_kind of the payload
    /// that is gone.
    async fn detail(&self) -> ApiResult<Json> {
        Ok(Json::parse_text(&self.0.detail)?)
    }

    /// What kind of actor did it.
    fn actor_type(&self) -> ActorType {
        self.0.actor_type.into()
    }

    /// Who did it; not redacted. Null when it is not known.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
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

columns!(LedgerEvent {
    "id" => id, "subject" => subject, "reason" => reason, "actorType" => actor_type, "actorId" => actor_id, ..record_fields
});

/// A page of a log.
pub struct LedgerEntryConnection {
    edges: Vec<LedgerEntryEdge>,
    after: Option<i64>,
    resume_after: Option<i64>,
    has_next_page: bool,
}

impl LedgerEntryConnection {
    /// The page behind `after`.
    #[must_use]
    pub fn of(tenant: &TenantId, after: Option<i64>, page: EntryPage) -> Self {
        let edge = |entry| LedgerEntryEdge { node: Row(LedgerEntry { tenant: tenant.clone(), entry }) };
        Self {
            edges: page.entries.into_iter().map(edge).collect(),
            after,
            resume_after: page.resume_after,
            has_next_page: page.has_next_page,
        }
    }
}

/// One page of a log, in the order of writing. It is a feed: read on from resumeAfter, now or next week, and nothing is
/// missed and nothing comes twice.
#[Object]
impl LedgerEntryConnection {
    /// The entries of this page, each with its cursor.
    async fn edges(&self) -> &[LedgerEntryEdge] {
        &self.edges
    }

    /// The entries of this page without their cursors.
    async fn nodes(&self) -> Vec<&Row<LedgerEntry>> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// Where this page lies in the log. With a filter, a page may be empty and yet have a next one: each page looks at no
    /// more than 100,000 entries.
    async fn page_info(&self) -> Row<PageInfo> {
        let cursor = |edge: Option<&LedgerEntryEdge>| edge.map(|edge| edge.node.entry.seq.to_string());
        Row(PageInfo {
            has_next_page: self.has_next_page,
            has_previous_page: self.after.is_some_and(|after| after >= 0),
            start_cursor: cursor(self.edges.first()),
            end_cursor: cursor(self.edges.last()),
        })
    }

    /// What to give to after for the next page: the last place that was looked at. It lies behind the last entry where a
    /// filter left entries out. Null while the log is empty.
    async fn resume_after(&self) -> Option<BigInt> {
        self.resume_after.map(BigInt)
    }
}

/// An entry with its cursor.
pub struct LedgerEntryEdge {
    node: Row<LedgerEntry>,
}

/// An entry with its place.
#[Object]
impl LedgerEntryEdge {
    /// The entry's sequence, to give to after.
    async fn cursor(&self) -> String {
        self.node.entry.seq.to_string()
    }

    /// The entry.
    async fn node(&self) -> &Row<LedgerEntry> {
        &self.node
    }
}
