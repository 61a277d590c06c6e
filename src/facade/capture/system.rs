//! `recordSystemRecords`: what happened to the platform; each record stands for itself.

use super::super::{LogsFacade, system::StoredSystemRecord};
use super::batch::{Outcome, not_first, put_back, sorted_out};
use crate::capture::input::Weigh;
use crate::capture::system;
use crate::domain::append::AppendUnit;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::input::IdempotencyKey;
use crate::domain::record::NewRecord;
use crate::domain::scope::{Permission, Scope};
use crate::domain::system::SystemRecordInput;
use crate::error::{Error, Result};

/// Most records of one call.
const RECORDS_MAX: usize = 1_000;

/// What became of one record.
#[derive(Clone, Debug)]
pub enum SystemRecordResult {
    /// It is on record.
    Recorded(Box<StoredSystemRecord>),
    /// It cannot be recorded.
    Rejected(Error),
}

/// The answer of `recordSystemRecords`.
#[derive(Clone, Debug)]
pub struct RecordedSystemRecords {
    /// One result for each record, in order.
    pub results: Vec<SystemRecordResult>,
    /// The idempotency key had been used.
    pub is_replayed: bool,
}

impl LogsFacade {
    /// Records what happened to the tenant's part of the platform, or to the whole platform. Good records are kept where
    /// others are refused.
    ///
    /// # Errors
    /// `FORBIDDEN` without `system:write`, and for the whole platform without `platform:write`; `BAD_USER_INPUT` for no
    /// records, `LIMIT_EXCEEDED` beyond 1,000; `CONFLICT` for an idempotency key that was used otherwise.
    pub async fn record_system_records(
        &self,
        records: Vec<Result<SystemRecordInput>>,
        is_platform_wide: bool,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RecordedSystemRecords> {
        self.require(Permission::SystemWrite)?;
        if is_platform_wide {
            self.require(Permission::PlatformWrite)?;
            // The same use case in the platform's own log.
            let scope = Scope { tenant: TenantId::platform(), ..Scope::clone(&self.scope) };
            let platform = Self { audit: self.audit.clone(), ..self.logs.facade(scope) };
            return platform.append_system_records(records, idempotency).await;
        }
        self.append_system_records(records, idempotency).await
    }

    async fn append_system_records(
        &self,
        records: Vec<Result<SystemRecordInput>>,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<RecordedSystemRecords> {
        check_count(records.len())?;
        let keyed = self.keyed("recordSystemRecords", idempotency.as_ref()).await?;
        let now = self.logs.0.clock.now();
        let bytes = records.iter().flatten().map(Weigh::weight).sum();
        let capture = move || {
            let draft = |record: Result<SystemRecordInput>| record.and_then(|record| system::record(record, now));
            records.into_iter().map(draft).collect::<Vec<_>>()
        };
        let (drafts, faults) =
            sorted_out(self.logs.0.capturing.aside.capture(&self.scope.tenant, bytes, capture).await?);
        let new: Vec<NewRecord> =
            drafts.into_iter().map(|draft| self.logs.new_system_record(draft)).collect::<Result<_>>()?;
        let unit = AppendUnit::evidence(self.scope.tenant.clone(), new);
        let (outcomes, is_replayed) = self.append_batch(keyed.as_ref(), unit).await?;
        let outcomes = put_back(faults, outcomes);
        Ok(RecordedSystemRecords { results: self.system_results(outcomes).await?, is_replayed })
    }

    /// Reads the records that the outcomes name.
    async fn system_results(&self, outcomes: Vec<Outcome>) -> Result<Vec<SystemRecordResult>> {
        let ids: Vec<RecordId> = outcomes.iter().filter_map(Outcome::id).collect();
        let mut found = self.audit.told_each(self.store().system_records_by_id(&self.scope, &ids).await?);
        let result = |outcome| match outcome {
            Outcome::Rejected(error) => SystemRecordResult::Rejected(error),
            Outcome::Recorded(id) | Outcome::Existing(id, _) => match found.remove(&id) {
                Some(Ok(record)) => SystemRecordResult::Recorded(Box::new(record)),
                Some(Err(refusal)) => SystemRecordResult::Rejected(refusal),
                None => SystemRecordResult::Rejected(not_first()),
            },
        };
        Ok(outcomes.into_iter().map(result).collect())
    }
}

fn check_count(count: usize) -> Result<()> {
    if count == 0 {
        return Err(Error::input("records", "a call brings 1 to 1,000 records"));
    }
    if count > RECORDS_MAX {
        let message = format!("a call brings at most {RECORDS_MAX} records; split it");
        return Err(Error::limit(message, RECORDS_MAX as u64, Some(count as u64)));
    }
    Ok(())
}
