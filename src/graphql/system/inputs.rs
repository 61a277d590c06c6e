//! What recordSystemRecords takes and gives.

use async_graphql::{InputObject, SimpleObject};

use crate::domain::system;
use crate::error::{Error, Result};
use crate::facade::capture::{RecordedSystemRecords, SystemRecordResult};
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::root::mutation::{RecordError, RecordOutcome};
use crate::graphql::shared::enums::{ActorType, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity};
use crate::graphql::shared::row::Row;
use crate::graphql::shared::scalars::{DateTime, Json};
use crate::graphql::system::SystemRecord;

/// Most records of one mutation.
const RECORDS_MAX: usize = 1_000;

/// Something that happened to the platform.
#[derive(InputObject)]
pub struct SystemRecordInput {
    /// The part of the platform.
    component: SystemComponent,
    /// What happened.
    event_type: SystemEventType,
    /// How bad it is. INFO when it is not given.
    severity: Option<SystemSeverity>,
    /// What happened in one line, 1 to 512 bytes. Redacted; leave personal data out all the same.
    summary: String,
    /// What kind of cause it had.
    caused_by: Option<SystemCausedBy>,
    /// What kind of actor caused it.
    actor_type: Option<ActorType>,
    /// Who caused it. An identifier: it is not redacted.
    actor_id: Option<String>,
    /// Your own id for cross-reference, by convention a run id: LlmRun.system.events finds the record by it. Redacted.
    correlation_id: Option<String>,
    /// The service that it happened to. Redacted.
    service_name: Option<String>,
    /// The instance of the service. Redacted.
    service_instance_id: Option<String>,
    /// The service that writes the record, 1 to 128 bytes. "graphql" when it is not given; the names of the server's own
    /// parts (otlp, graphql, server, export, verifier) are refused. Redacted.
    source_component: Option<String>,
    /// When it happened. Now when it is not given.
    occurred_at: Option<DateTime>,
    /// Anything else, as JSON, at most 65,536 bytes. Redacted, and kept apart from the record.
    details: Option<Json>,
}

/// What recordSystemRecords takes.
#[derive(InputObject)]
pub struct RecordSystemRecordsInput {
    /// The records, 1 to 1,000. Each stands for itself: good ones are recorded, bad ones are named in the results. Only a
    /// value of another type than the schema says refuses them all, as GraphQL demands.
    pub records: Vec<SystemRecordInput>,
    /// Whether they concern the whole platform: every tenant sees them. Needs the scope platform:write.
    #[graphql(default)]
    pub is_platform_wide: bool,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    pub idempotency_key: Option<String>,
}

/// What recordSystemRecords gives.
#[derive(SimpleObject)]
pub struct RecordSystemRecordsPayload {
    /// One result for each record, in the order of the input.
    results: Vec<RecordSystemRecordResult>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
}

/// What became of one record of recordSystemRecords.
#[derive(SimpleObject)]
pub struct RecordSystemRecordResult {
    /// What became of it.
    outcome: RecordOutcome,
    /// The record. Null when it was rejected.
    record: Option<Row<SystemRecord>>,
    /// The receipt of the record, made when it is selected: see LedgerEntry.receipt. Null when it was rejected.
    receipt: Receipt,
    /// Why it was rejected. Null when it was not.
    error: Option<RecordError>,
}

impl From<RecordedSystemRecords> for RecordSystemRecordsPayload {
    fn from(recorded: RecordedSystemRecords) -> Self {
        let result = |result| match result {
            SystemRecordResult::Recorded(record) => RecordSystemRecordResult {
                outcome: RecordOutcome::Recorded,
                receipt: Receipt(Some(record.id)),
                record: Some((*record).into()),
                error: None,
            },
            SystemRecordResult::Rejected(error) => RecordSystemRecordResult {
                outcome: RecordOutcome::Rejected,
                record: None,
                receipt: Receipt(None),
                error: Some((&error).into()),
            },
        };
        Self { results: recorded.results.into_iter().map(result).collect(), is_replayed: recorded.is_replayed }
    }
}

/// The records of the mutation, each with what is wrong with it.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond 1,000.
pub fn system_records(records: Vec<SystemRecordInput>) -> Result<Vec<Result<system::SystemRecordInput>>> {
    if records.len() > RECORDS_MAX {
        let message = format!("one mutation takes at most {RECORDS_MAX} records; split it");
        return Err(Error::limit(message, RECORDS_MAX as u64, Some(records.len() as u64)));
    }
    Ok(records.into_iter().map(SystemRecordInput::into_domain).collect())
}

impl SystemRecordInput {
    fn into_domain(self) -> Result<system::SystemRecordInput> {
        Ok(system::SystemRecordInput {
            component: self.component.into(),
            event_type: self.event_type.into(),
            severity: self.severity.map(Into::into),
            summary: self.summary,
            caused_by: self.caused_by.map(Into::into),
            actor_type: self.actor_type.map(Into::into),
            actor_id: self.actor_id,
            correlation_id: self.correlation_id,
            service_name: self.service_name,
            service_instance_id: self.service_instance_id,
            source_component: self.source_component,
            occurred_at: self.occurred_at.map(|instant| instant.0),
            details: self.details.map(|details| details.into_json("details")).transpose()?,
        })
    }
}
