//! `recordSystemRecords`: what happened to the platform; each record stands for itself.

use super::super::{LogsFacade, system::StoredSystemRecord};
use super::Answer;
use crate::capture::system;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, NewRecord};
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::scope::{Permission, Scope};
use crate::domain::system::SystemRecordInput;
use crate::error::{Code, Error, Result};

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
        records: Vec<SystemRecordInput>,
        is_platform_wide: bool,
        idempotency_key: Option<String>,
    ) -> Result<RecordedSystemRecords> {
        self.require(Permission::SystemWrite)?;
        if is_platform_wide {
            self.require(Permission::PlatformWrite)?;
            // The same use case in the platform's own log.
            let scope = Scope { tenant: TenantId::platform(), ..Scope::clone(&self.scope) };
            let platform = Self { audit: self.audit.clone(), ..self.logs.facade(scope) };
            return platform.append_system_records(records, idempotency_key).await;
        }
        self.append_system_records(records, idempotency_key).await
    }

    async fn append_system_records(
        &self,
        records: Vec<SystemRecordInput>,
        idempotency_key: Option<String>,
    ) -> Result<RecordedSystemRecords> {
        check_count(records.len())?;
        let (keyed, first) = self.keyed("recordSystemRecords", idempotency_key, &records).await?;
        let now = self.logs.0.clock.now();
        let mut outcomes: Vec<Result<()>> = Vec::with_capacity(records.len());
        let mut drafts = Vec::new();
        for record in records {
            match system::record(record, now) {
                Ok(draft) => {
                    drafts.push(draft);
                    outcomes.push(Ok(()));
                }
                Err(error) => outcomes.push(Err(error)),
            }
        }
        if let Some(first) = first {
            return self.system_recorded(outcomes, replayed(first), true).await;
        }
        let new: Vec<NewRecord> =
            drafts.into_iter().map(|draft| self.logs.new_system_record(draft)).collect::<Result<_>>()?;
        let answer = Answer { records: new.iter().map(|record| record.id().0).collect(), ..Answer::default() };
        let unit = AppendUnit {
            idempotency: keyed.map(|keyed| keyed.claim(&answer)).transpose()?,
            ..AppendUnit::evidence(self.scope.tenant.clone(), new)
        };
        match self.append(unit).await? {
            AppendReceipt::Done(results) => {
                let fresh = results.into_iter().map(|result| match result {
                    AppendResult::New(appended) => Ok(appended.id),
                    AppendResult::Existing { id, .. } => Ok(id),
                    AppendResult::Rejected(error) => Err(error),
                });
                self.system_recorded(outcomes, fresh.collect(), false).await
            }
            AppendReceipt::Replayed(first) => {
                let first = self.first_answer(&first)?;
                self.system_recorded(outcomes, replayed(first), true).await
            }
            AppendReceipt::Stale => Err(Error::internal("a unit without guard was called stale")),
        }
    }

    /// Puts what became of the records that were written into the places of those that were not refused before.
    async fn system_recorded(
        &self,
        outcomes: Vec<Result<()>>,
        written: Vec<Result<RecordId>>,
        is_replayed: bool,
    ) -> Result<RecordedSystemRecords> {
        let ids: Vec<RecordId> = written.iter().filter_map(|written| written.as_ref().ok().copied()).collect();
        let mut found = self.audit.told_each(self.store().system_records_by_id(&self.scope, &ids).await?);
        let mut written = written.into_iter();
        let results = outcomes.into_iter().map(|outcome| match outcome {
            Err(error) => SystemRecordResult::Rejected(error),
            Ok(()) => match written.next() {
                Some(Err(error)) => SystemRecordResult::Rejected(error),
                Some(Ok(id)) => match found.remove(&id) {
                    Some(Ok(record)) => SystemRecordResult::Recorded(Box::new(record)),
                    Some(Err(refusal)) => SystemRecordResult::Rejected(refusal),
                    None => SystemRecordResult::Rejected(not_first()),
                },
                None => SystemRecordResult::Rejected(not_first()),
            },
        });
        Ok(RecordedSystemRecords { results: results.collect(), is_replayed })
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

fn replayed(first: Answer) -> Vec<Result<RecordId>> {
    first.records.into_iter().map(|id| Ok(RecordId(id))).collect()
}

/// A replayed answer names the records that the first request meant to write; what it did not write is gone.
fn not_first() -> Error {
    Error::new(Code::Conflict, "the first request with this idempotency key did not record this")
}
