//! What verifications found: written once and never changed; and when each log was last looked at.

use std::collections::HashMap;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use uuid::Uuid;

use super::Store;
use super::convert::{Columns, decode_all};
use super::paginate::{SortKey, count_capped, paginate};
use super::scoped::{any_id, scoped, scoped_statement};
use super::transaction::Transaction;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::page::{Count, Direction, Page, PageRequest, Position, Row};
use crate::domain::time::Timestamp;
use crate::domain::verification::{Anomaly, StoredAnomaly, Verification, VerificationMode};
use crate::entity::{ledger_anomaly, ledger_verification, ledger_watch};
use crate::error::{Code, Error, Result};

/// Rows of one statement, far below SQLite's limit of parameters.
const TOGETHER: usize = 256;
/// Tries to number a verification while another process numbers its own.
const TRIES: u32 = 5;

/// How a log stands: its newest telling verification, and when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The verification that tells how it stands.
    pub verification: Verification,
    /// How much the last look covered.
    pub mode: VerificationMode,
    /// When the last look ended.
    pub checked_at: Timestamp,
}

fn decode_verification(columns: &mut Columns<'_>) -> Result<(i64, Verification)> {
    let tenant_id = TenantId::trusted(columns.take::<&str>()?);
    let id = columns.id()?;
    let number = columns.take()?;
    let verification = Verification {
        id,
        tenant_id,
        log_id: columns.take()?,
        stream: columns.field()?,
        mode: columns.field()?,
        status: columns.field()?,
        reason: columns.field()?,
        from_size: columns.take()?,
        size: columns.take()?,
        root: columns.field()?,
        entry_count: columns.take()?,
        payload_count: columns.take()?,
        erased_count: columns.take()?,
        anomaly_count: columns.take()?,
        warning_count: columns.take()?,
        is_chain_valid: columns.take()?,
        started_at: columns.field()?,
        finished_at: columns.field()?,
    };
    Ok((number, verification))
}

fn decode_anomaly(columns: &mut Columns<'_>) -> Result<StoredAnomaly> {
    columns.skip(1);
    let verification_id = columns.id()?;
    let index = columns.take()?;
    let anomaly = Anomaly {
        kind: columns.field()?,
        is_warning: columns.take()?,
        seq: columns.take()?,
        seq_end: columns.take()?,
        record_kind: columns.field()?,
        record_id: columns.take::<Option<Uuid>>()?.map(RecordId),
        field: columns.field()?,
        detail: columns.take()?,
    };
    Ok(StoredAnomaly { verification_id, index, anomaly })
}

impl Store {
    /// Stores a verification with its findings. With `is_telling`, it is what tells how the log stands from now on.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not take it.
    pub async fn insert_verification(
        &self,
        verification: &Verification,
        findings: &[Anomaly],
        is_telling: bool,
    ) -> Result<()> {
        for _ in 1..TRIES {
            match self.try_insert_verification(verification, findings, is_telling).await {
                Err(error) if error.code() == Code::Conflict => {}
                outcome => return outcome,
            }
        }
        self.try_insert_verification(verification, findings, is_telling).await
    }

    async fn try_insert_verification(
        &self,
        verification: &Verification,
        findings: &[Anomaly],
        is_telling: bool,
    ) -> Result<()> {
        let mut txn = Transaction::begin(self.db()).await?;
        let written = async {
            let sql = "SELECT COALESCE(MAX(number), 0) + 1 FROM ledger_verification WHERE tenant_id = $1".to_owned();
            let statement = scoped_statement(self.db(), &verification.tenant_id, sql, []);
            let rows = txn.rows(statement).await?;
            let row = rows.first().ok_or_else(|| Error::internal("a maximum that is no row"))?;
            let number = Columns::of(row, "ledger_verification")?.take()?;
            let insert = ledger_verification::Entity::insert(row_of(verification, number).into_active_model());
            txn.execute(insert.build(self.db().backend)).await?;
            for (chunk, first) in findings.chunks(TOGETHER).zip((0_i64..).step_by(TOGETHER)) {
                let insert = ledger_anomaly::Entity::insert_many(anomaly_rows(verification, chunk, first));
                txn.execute(insert.build(self.db().backend)).await?;
            }
            if is_telling {
                let insert = ledger_watch::Entity::insert(watch_row(verification).into_active_model());
                let insert = insert.on_conflict(replace_watch());
                txn.execute(insert.build(self.db().backend)).await?;
            }
            Ok(())
        };
        let written = written.await;
        txn.finish(written).await
    }

    /// Notes that logs of a tenant were looked at and stand as before.
    ///
    /// # Errors
    /// As for [`Self::insert_verification`].
    pub async fn touch_watch(
        &self,
        tenant: &TenantId,
        log_ids: &[Uuid],
        mode: VerificationMode,
        at: Timestamp,
    ) -> Result<()> {
        use ledger_watch::Column as C;
        for log_ids in log_ids.chunks(TOGETHER) {
            let ids: Vec<RecordId> = log_ids.iter().copied().map(RecordId).collect();
            let update = ledger_watch::Entity::update_many()
                .col_expr(C::CheckedAt, at.as_micros().into())
                .col_expr(C::Mode, mode.as_str().into())
                .filter(C::TenantId.eq(tenant.as_str()))
                .filter(any_id(self.db().backend, C::LogId.into_expr(), &ids)?);
            self.db().change(update.build(self.db().backend)).await?;
        }
        Ok(())
    }

    /// How the logs of a tenant stand. A log that nobody has looked at is absent.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn standings(&self, tenant: &TenantId) -> Result<Vec<Standing>> {
        let rows = self.db().rows(scoped::<ledger_watch::Entity>(tenant).build(self.db().backend)).await?;
        let watched = decode_all(&rows, "ledger_watch", |columns| {
            columns.skip(2);
            Ok((columns.id()?, columns.field()?, columns.field()?))
        })?;
        let ids: Vec<RecordId> = watched.iter().map(|(id, ..)| *id).collect();
        let mut found = self.verifications_by_id(tenant, &ids).await?;
        let standing =
            |(id, mode, checked_at)| found.remove(&id).map(|verification| Standing { verification, mode, checked_at });
        Ok(watched.into_iter().filter_map(standing).collect())
    }

    /// Verifications of a tenant by id.
    ///
    /// # Errors
    /// As for [`Self::standings`].
    pub async fn verifications_by_id(
        &self,
        tenant: &TenantId,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, Verification>> {
        let wanted = any_id(self.db().backend, ledger_verification::Column::Id.into_expr(), ids)?;
        let select = scoped::<ledger_verification::Entity>(tenant).filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let found = decode_all(&rows, "ledger_verification", decode_verification)?;
        Ok(found.into_iter().map(|(_, verification)| (verification.id, verification)).collect())
    }

    /// A page of the verifications of a tenant's log, newest first. A position's seq is the verification's number.
    ///
    /// # Errors
    /// As for [`Self::standings`].
    pub async fn list_verifications(
        &self,
        tenant: &TenantId,
        log_id: Uuid,
        page: &PageRequest,
    ) -> Result<Page<Verification>> {
        let seq = ledger_verification::Column::Number.into_expr();
        let sort = SortKey { key: None, seq, direction: Direction::Desc };
        let select = paginate(of_log(tenant, log_id), &sort, page);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let found = decode_all(&rows, "ledger_verification", decode_verification)?;
        let row = |(number, item)| Row { position: Position { key: number, seq: number }, item };
        Ok(page.page(found.into_iter().map(row).collect()))
    }

    /// How many verifications a tenant's log has, counted to `cap`.
    ///
    /// # Errors
    /// As for [`Self::standings`].
    pub async fn count_verifications(&self, tenant: &TenantId, log_id: Uuid, cap: u32) -> Result<Count> {
        count_capped(self.db(), of_log(tenant, log_id), cap).await
    }

    /// A page of what a verification found, in the order of places. A position's seq is the finding's index.
    ///
    /// # Errors
    /// As for [`Self::standings`].
    pub async fn list_anomalies(
        &self,
        tenant: &TenantId,
        verification: RecordId,
        page: &PageRequest,
    ) -> Result<Page<StoredAnomaly>> {
        use ledger_anomaly::Column as C;
        let sort = SortKey { key: None, seq: C::Idx.into_expr(), direction: Direction::Asc };
        let select = scoped::<ledger_anomaly::Entity>(tenant).filter(C::VerificationId.eq(verification.0));
        let rows = self.db().rows(paginate(select, &sort, page).build(self.db().backend)).await?;
        let found = decode_all(&rows, "ledger_anomaly", decode_anomaly)?;
        let row = |item: StoredAnomaly| Row { position: Position { key: item.index, seq: item.index }, item };
        Ok(page.page(found.into_iter().map(row).collect()))
    }

    /// The first findings of a verification.
    ///
    /// # Errors
    /// As for [`Self::standings`].
    pub async fn first_anomalies(
        &self,
        tenant: &TenantId,
        verification: RecordId,
        limit: u64,
    ) -> Result<Vec<StoredAnomaly>> {
        use ledger_anomaly::Column as C;
        let select = scoped::<ledger_anomaly::Entity>(tenant)
            .filter(C::VerificationId.eq(verification.0))
            .order_by_asc(C::Idx)
            .limit(limit);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        decode_all(&rows, "ledger_anomaly", decode_anomaly)
    }

    /// One finding of a verification.
    ///
    /// # Errors
    /// As for [`Self::standings`].
    pub async fn anomaly(
        &self,
        tenant: &TenantId,
        verification: RecordId,
        index: i64,
    ) -> Result<Option<StoredAnomaly>> {
        use ledger_anomaly::Column as C;
        let select = scoped::<ledger_anomaly::Entity>(tenant)
            .filter(C::VerificationId.eq(verification.0))
            .filter(C::Idx.eq(index));
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        Ok(decode_all(&rows, "ledger_anomaly", decode_anomaly)?.pop())
    }
}

fn of_log(tenant: &TenantId, log_id: Uuid) -> Select<ledger_verification::Entity> {
    scoped::<ledger_verification::Entity>(tenant).filter(ledger_verification::Column::LogId.eq(log_id))
}

fn row_of(verification: &Verification, number: i64) -> ledger_verification::Model {
    ledger_verification::Model {
        tenant_id: verification.tenant_id.as_str().to_owned(),
        id: verification.id.0,
        number,
        log_id: verification.log_id,
        stream: verification.stream.map(|stream| stream.as_str().to_owned()),
        mode: verification.mode.as_str().to_owned(),
        status: verification.status.as_str().to_owned(),
        reason: verification.reason.clone(),
        from_size: verification.from_size,
        size: verification.size,
        root: verification.root.map(|root| root.0.to_vec()),
        entry_count: verification.entry_count,
        payload_count: verification.payload_count,
        erased_count: verification.erased_count,
        anomaly_count: verification.anomaly_count,
        warning_count: verification.warning_count,
        is_chain_valid: verification.is_chain_valid,
        started_at: verification.started_at.as_micros(),
        finished_at: verification.finished_at.as_micros(),
    }
}

fn anomaly_rows(verification: &Verification, findings: &[Anomaly], first: i64) -> Vec<ledger_anomaly::ActiveModel> {
    let row = |(finding, idx): (&Anomaly, i64)| ledger_anomaly::Model {
        tenant_id: verification.tenant_id.as_str().to_owned(),
        verification_id: verification.id.0,
        idx,
        kind: finding.kind.as_str().to_owned(),
        is_warning: finding.is_warning,
        seq: finding.seq,
        seq_end: finding.seq_end,
        record_kind: finding.record_kind.map(|kind| kind.as_str().to_owned()),
        record_id: finding.record_id.map(|id| id.0),
        field: finding.field.as_deref().map(storable),
        detail: storable(&finding.detail),
    };
    findings.iter().zip(first..).map(row).map(IntoActiveModel::into_active_model).collect()
}

/// PostgreSQL has no text with U+0000, and a forged row may hold one.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn watch_row(verification: &Verification) -> ledger_watch::Model {
    ledger_watch::Model {
        tenant_id: verification.tenant_id.as_str().to_owned(),
        log_id: verification.log_id,
        verification_id: verification.id.0,
        mode: verification.mode.as_str().to_owned(),
        checked_at: verification.finished_at.as_micros(),
    }
}

fn replace_watch() -> OnConflict {
    use ledger_watch::Column as C;
    OnConflict::columns([C::TenantId, C::LogId]).update_columns([C::VerificationId, C::Mode, C::CheckedAt]).to_owned()
}
