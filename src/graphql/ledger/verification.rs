//! What verification found, and what may be believed because of it.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Value};
use uuid::Uuid;

use crate::domain::ids::RecordId;
use crate::domain::page::{Count, Page, PageRequest};
use crate::domain::{evidence, verification};
use crate::error::Result;
use crate::facade::LogsFacade;
use crate::graphql::shared::connection::{self, Connection, List, PageArgs, connect_open, given};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{
    AnomalyKind, LedgerStream, RecordKind, TrustLevel, VerificationMode, VerificationStatus, Word,
};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{BigInt, DateTime, SafeInt, Sha256};

/// See [`verification::Anomaly`].
#[derive(Clone)]
pub struct Anomaly(pub verification::StoredAnomaly);

/// One finding of a verification, located as exactly as the evidence allows.
#[Object]
impl Anomaly {
    /// The id of this finding, for node. Opaque.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id())
    }

    /// What is wrong.
    fn kind(&self) -> AnomalyKind {
        self.0.anomaly.kind.into()
    }

    /// Whether it is only a warning: it does not make the log INVALID.
    fn is_warning(&self) -> bool {
        self.0.anomaly.is_warning
    }

    /// The first place in the log that it concerns, from 0. For a checkpoint its size. Null when it concerns no place.
    fn sequence(&self) -> Option<BigInt> {
        self.0.anomaly.seq.map(BigInt)
    }

    /// One past the last place, where it concerns several. For REORDERED the other place of the pair. Null otherwise.
    fn sequence_end(&self) -> Option<BigInt> {
        self.0.anomaly.seq_end.map(BigInt)
    }

    /// The kind of the record that it concerns. Null when it concerns none, or that cannot be told.
    fn record_kind(&self) -> Option<RecordKind> {
        self.0.anomaly.record_kind.map(Into::into)
    }

    /// The id of the record that it concerns, for node. Null when it concerns none, or its kind cannot be told.
    fn record_id(&self) -> Option<ID> {
        self.0.anomaly.record_kind.zip(self.0.anomaly.record_id).map(|(kind, id)| ID(id.typed(kind.id_kind())))
    }

    /// The column, payload part or table that it concerns. Null when that cannot be told.
    fn field(&self) -> Option<&str> {
        self.0.anomaly.field.as_deref()
    }

    /// What is there and what should be, in words.
    fn detail(&self) -> &str {
        &self.0.anomaly.detail
    }
}

columns!(Anomaly {
    "id" => id,
    "kind" => kind,
    "isWarning" => is_warning,
    "sequence" => sequence,
    "sequenceEnd" => sequence_end,
    "recordKind" => record_kind,
    "recordId" => record_id,
    "field" => field,
    "detail" => detail,
});

/// The findings of one verification.
pub struct AnomalyList {
    verification: RecordId,
    total: i64,
    given: Value,
}

impl List for AnomalyList {
    type Item = Anomaly;
    const CONNECTION: &'static str = "AnomalyConnection";
    const EDGE: &'static str = "AnomalyEdge";

    fn selection(&self) -> Result<String> {
        Ok(self.verification.to_string())
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<Anomaly>> {
        Ok(facade.list_anomalies(self.verification, request).await?.map(Anomaly))
    }

    async fn count(&self, _facade: &LogsFacade, cap: u32) -> Result<Count> {
        Ok(Count::capped(self.total, cap))
    }
}

/// See [`verification::Verification`].
#[derive(Clone)]
pub struct Verification(pub verification::Verification);

/// One verification of one of the tenant's two logs: written when it was done and never changed.
#[Object]
impl Verification {
    /// The id of this verification, for node. The audit entry of it has the same as its correlationId.
    pub(in crate::graphql) fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Which log was verified. Null when the log no longer says which it is.
    fn stream(&self) -> Option<LedgerStream> {
        self.0.stream.map(Into::into)
    }

    /// How much was asked for.
    fn mode(&self) -> VerificationMode {
        self.0.mode.into()
    }

    /// The result.
    fn status(&self) -> VerificationStatus {
        self.0.status.into()
    }

    /// Why the result is UNKNOWN. Null when it is not.
    fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Entries before this place were verified earlier and not looked at again. 0 when everything was covered.
    fn trusted_size(&self) -> BigInt {
        BigInt(self.0.from_size)
    }

    /// How many entries the log had. What was written while the verification ran is not covered.
    fn size(&self) -> BigInt {
        BigInt(self.0.size)
    }

    /// The root hash that the entries give at that size. Null when it cannot be computed.
    fn root(&self) -> Option<Sha256> {
        self.0.root.map(Sha256)
    }

    /// How many entries were covered.
    fn entry_count(&self) -> SafeInt {
        SafeInt(self.0.entry_count)
    }

    /// How many payloads were compared with what their records commit to.
    fn payload_count(&self) -> SafeInt {
        SafeInt(self.0.payload_count)
    }

    /// How many payloads are gone because a record says that they were erased.
    fn erased_count(&self) -> SafeInt {
        SafeInt(self.0.erased_count)
    }

    /// How many findings make the log INVALID.
    fn anomaly_count(&self) -> SafeInt {
        SafeInt(self.0.anomaly_count)
    }

    /// How many findings are only warnings.
    fn warning_count(&self) -> SafeInt {
        SafeInt(self.0.warning_count)
    }

    /// When it began.
    fn started_at(&self) -> DateTime {
        DateTime(self.0.started_at)
    }

    /// When it ended.
    fn finished_at(&self) -> DateTime {
        DateTime(self.0.finished_at)
    }

    /// What was found, in the order of places; warnings too. At most 1,000 findings are kept, anomalies before warnings.
    async fn anomalies(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "How many findings to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only findings behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many findings to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only findings before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<AnomalyList>>> {
        let total = self.0.anomaly_count + self.0.warning_count;
        let list = AnomalyList { verification: self.0.id, total, given: given::<String>(None) };
        connect_open(ctx, list, &PageArgs { first, after, last, before }).await
    }
}

columns!(Verification {
    "id" => id,
    "stream" => stream,
    "mode" => mode,
    "status" => status,
    "reason" => reason,
    "trustedSize" => trusted_size,
    "size" => size,
    "root" => root,
    "entryCount" => entry_count,
    "payloadCount" => payload_count,
    "erasedCount" => erased_count,
    "anomalyCount" => anomaly_count,
    "warningCount" => warning_count,
    "startedAt" => started_at,
    "finishedAt" => finished_at,
});

/// The verifications of one of the tenant's logs.
pub struct VerificationList {
    log_id: Uuid,
    given: Value,
}

impl List for VerificationList {
    type Item = Verification;
    const CONNECTION: &'static str = "VerificationConnection";
    const EDGE: &'static str = "VerificationEdge";

    fn selection(&self) -> Result<String> {
        Ok(self.log_id.to_string())
    }

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<Verification>> {
        Ok(facade.list_verifications(self.log_id, request).await?.map(Verification))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_verifications(self.log_id, cap).await
    }
}

/// The verifications of a log.
pub struct LedgerChecks {
    /// The log; nil while nothing was written to it.
    pub log_id: Uuid,
}

#[Object]
impl LedgerChecks {
    /// What may be believed of the log now.
    async fn status(&self, ctx: &Context<'_>) -> ApiResult<IntegrityCheck> {
        Ok(ctx.facade()?.integrity(Some(self.log_id)).await?.into())
    }

    /// Verifications of the log, newest first. The server verifies by itself once a minute, and keeps those of its looks
    /// that have something new to say.
    async fn verifications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many to take from the start, 0 to 200. 50 when neither first nor last is given.")] first: Option<i32>,
        #[graphql(desc = "Take only verifications behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only verifications before this cursor.")] before: Option<String>,
    ) -> ApiResult<Row<Connection<VerificationList>>> {
        let list = VerificationList { log_id: self.log_id, given: given::<String>(None) };
        connect_open(ctx, list, &PageArgs { first, after, last, before }).await
    }

    /// What the verification found that tells how the log stands now; warnings too.
    async fn anomalies(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many findings to take, 0 to 200. 50 when it is not given.")] first: Option<i32>,
    ) -> ApiResult<Vec<Row<Anomaly>>> {
        let size =
            first.map_or(Ok(crate::domain::page::PAGE_SIZE_DEFAULT), |first| connection::page_size("first", first))?;
        let anomalies = ctx.facade()?.standing_anomalies(self.log_id, size).await?;
        Ok(anomalies.into_iter().map(|anomaly| Row(Anomaly(anomaly))).collect())
    }
}

/// What may be believed of the tenant's logs now.
#[derive(SimpleObject)]
pub struct IntegrityCheck {
    /// The status. Never VALID without a look: UNKNOWN when the last one is more than 5 minutes old.
    status: VerificationStatus,
    /// Why the status is UNKNOWN. Null when it is not.
    reason: Option<String>,
    /// When the logs were last looked at. Null when they never were.
    last_verified: Option<DateTime>,
    /// How many findings make the logs INVALID.
    anomalies_detected: SafeInt,
    /// Whether entries, records, nodes, roots and checkpoints agreed when they were last looked at. Null when they never
    /// were.
    hash_chain_valid: Option<bool>,
    /// How much the last look covered. Null when there was none.
    mode: Option<VerificationMode>,
    /// What outside of the database would notice a rewriting of it. Null while nothing was signed.
    trust_level: Option<TrustLevel>,
}

impl From<verification::IntegrityCheck> for IntegrityCheck {
    fn from(check: verification::IntegrityCheck) -> Self {
        Self {
            status: check.status.into(),
            reason: check.reason,
            last_verified: check.last_verified.map(DateTime),
            anomalies_detected: SafeInt(check.anomalies_detected),
            hash_chain_valid: check.hash_chain_valid,
            mode: check.mode.map(Into::into),
            trust_level: check.trust_level.map(Into::into),
        }
    }
}

/// The integrity of the tenant's logs.
#[derive(SimpleObject)]
pub struct AuditIntegrity {
    /// What may be believed of both logs together: the worse of the two.
    integrity: IntegrityCheck,
    /// Where this answer is from. Its times are those of the last look.
    metadata: Row<EvidenceMetadata>,
}

/// Root fields about integrity.
#[derive(Default)]
pub struct VerificationQueries;

#[Object]
impl VerificationQueries {
    /// Whether the tenant's logs are what was acknowledged, from real verification. Needs the scope audit:read.
    async fn audit_integrity(&self, ctx: &Context<'_>) -> ApiResult<AuditIntegrity> {
        let facade = ctx.facade()?;
        let check = facade.integrity(None).await?;
        let metadata = metadata(evidence::EvidenceMetadata::of_integrity(&facade.scope().tenant, check.last_verified));
        Ok(AuditIntegrity { integrity: check.into(), metadata })
    }
}

/// What verifyLedger takes.
#[derive(InputObject)]
pub struct VerifyLedgerInput {
    /// How much is verified.
    #[graphql(default_with = "Word(verification::VerificationMode::Full)")]
    pub mode: VerificationMode,
}

/// What verifyLedger gives.
#[derive(SimpleObject)]
pub struct VerifyLedgerPayload {
    /// One verification for each of the tenant's logs. Empty when nothing was ever recorded; one is null with an error where
    /// something that is selected of it cannot be read.
    pub verifications: Vec<Option<Row<Verification>>>,
}
