//! System records: what happened to the platform around the runs.

use super::draft::DraftPayload;
use super::filter::TimeRange;
use super::ids::{Digest, RunId, TenantId, TraceId};
use super::page::Direction;
use super::record::record;
use super::run::{LlmRun, Stored};
use super::time::Timestamp;
use super::vocabulary::{ActorType, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity, vocabulary};

macro_rules! system_record {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// Something that happened to the platform: a start, a deploy, a change, an error.
        SystemRecord in "system_record": SystemRecord {
            /// The part of the platform.
            component: SystemComponent,
            /// What happened.
            event_type: SystemEventType,
            /// How bad it is.
            severity: SystemSeverity,
            /// One line, at most 512 bytes, redacted; holds no personal data.
            summary: String,
            /// What kind of cause it had.
            caused_by: Option<SystemCausedBy>,
            /// What kind of actor caused it.
            actor_type: Option<ActorType>,
            /// Who caused it. An identifier: not redacted.
            actor_id: Option<String>,
            /// The caller's own id for cross-reference; by convention a run id.
            correlation_id: Option<String>,
            /// OpenTelemetry `service.name` of what it happened to.
            service_name: Option<String>,
            /// OpenTelemetry `service.instance.id` of what it happened to.
            service_instance_id: Option<String>,
            /// The writer: `otlp`, `graphql`, `server`, or the name that the caller gave.
            source_component: String,
            /// When it happened.
            occurred_at: Timestamp,
            /// Commitment to the payload part `details`.
            details_commitment: Option<Digest> [commits Details],
        }
    } };
}
pub(crate) use system_record;
system_record!(record);

/// A system record as it is stored: the tenant's own, or one of the platform.
pub type StoredSystemRecord = Stored<SystemRecord>;

impl Stored<SystemRecord> {
    /// Whether it concerns the whole platform: it stands in the platform's log and every tenant sees it.
    #[must_use]
    pub fn is_platform_wide(&self) -> bool {
        self.tenant_id.is_platform()
    }
}

/// A system record as a caller hands it in.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemRecordInput {
    /// The part of the platform.
    pub component: SystemComponent,
    /// What happened.
    pub event_type: SystemEventType,
    /// How bad it is; INFO where it is absent.
    pub severity: Option<SystemSeverity>,
    /// One line.
    pub summary: String,
    /// What kind of cause it had.
    pub caused_by: Option<SystemCausedBy>,
    /// What kind of actor caused it.
    pub actor_type: Option<ActorType>,
    /// Who caused it.
    pub actor_id: Option<String>,
    /// For cross-reference; by convention a run id.
    pub correlation_id: Option<String>,
    /// `service.name`.
    pub service_name: Option<String>,
    /// `service.instance.id`.
    pub service_instance_id: Option<String>,
    /// The writer's name; `graphql` where it is absent.
    pub source_component: Option<String>,
    /// When it happened; now where it is absent.
    pub occurred_at: Option<Timestamp>,
    /// JSON; redacted and kept as a payload.
    pub details: Option<serde_json::Value>,
}

/// A system record as capture makes it, its commitment still `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftSystemRecord {
    /// The columns.
    pub record: SystemRecord,
    /// The details.
    pub payloads: Vec<DraftPayload>,
}

/// Which system records. A list of values selects records that have any of them; an empty list selects none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemRecordFilter {
    /// The platform's log instead of the tenant's own: each has a seq of its own, so no list spans both.
    pub is_platform_wide: bool,
    /// Parts of the platform.
    pub components: Option<Vec<SystemComponent>>,
    /// What happened.
    pub event_types: Option<Vec<SystemEventType>>,
    /// How bad it is.
    pub severities: Option<Vec<SystemSeverity>>,
    /// What kind of cause it had.
    pub caused_by: Option<Vec<SystemCausedBy>>,
    /// What kind of actor caused it.
    pub actor_types: Option<Vec<ActorType>>,
    /// Who caused it.
    pub actor_ids: Option<Vec<String>>,
    /// Correlation ids.
    pub correlation_ids: Option<Vec<String>>,
    /// Services.
    pub service_names: Option<Vec<String>>,
    /// Instances of services.
    pub service_instance_ids: Option<Vec<String>>,
    /// Writers.
    pub source_components: Option<Vec<String>>,
    /// When it happened.
    pub occurred_at: Option<TimeRange>,
}

impl SystemRecordFilter {
    /// The tenant whose log it selects from.
    #[must_use]
    pub fn log_of(&self, own: &TenantId) -> TenantId {
        if self.is_platform_wide { TenantId::platform() } else { own.clone() }
    }
}

vocabulary!(
    /// What system records can be ordered by. Records with equal values are ordered by sequence, the same way round.
    SystemRecordSort as SystemRecordOrderField {
        /// The place in the log: the order in which records were written.
        Seq = "SEQUENCE",
        /// When it happened.
        OccurredAt = "OCCURRED_AT",
    }
);

/// An order of system records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SystemRecordOrder {
    /// By what.
    pub sort: SystemRecordSort,
    /// Which way.
    pub direction: Direction,
}

impl Default for SystemRecordOrder {
    /// Newest first, in commit order.
    fn default() -> Self {
        Self { sort: SystemRecordSort::Seq, direction: Direction::Desc }
    }
}

/// Types of records that change the platform: what `systemAudit` attributes.
pub const CHANGES: &[SystemEventType] = &[
    SystemEventType::Startup,
    SystemEventType::Shutdown,
    SystemEventType::Restart,
    SystemEventType::Deploy,
    SystemEventType::Migration,
    SystemEventType::AuthChange,
    SystemEventType::ConfigChange,
];

/// Most events of a run that are shown.
pub const RUN_EVENTS_MAX: usize = 200;

/// The environment that a run began in: what its baseline is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunBaseline {
    /// Records at or before this instant.
    pub at: Timestamp,
    /// Of this instance, or of none in particular; of any where it is `None`.
    pub service_instance_id: Option<String>,
}

/// What affected a run: records that are correlated with it, and warnings while it ran.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunEvents {
    /// Its name.
    pub run_id: RunId,
    /// Its trace, by whose id OTLP logs are correlated.
    pub trace_id: Option<TraceId>,
    /// When it began.
    pub from: Timestamp,
    /// When it ended, inclusive; its start where the end is unknown.
    pub to: Timestamp,
}

impl RunBaseline {
    /// Of a run.
    #[must_use]
    pub fn of(run: &LlmRun) -> Self {
        Self { at: run.started_at, service_instance_id: run.service_instance_id.clone() }
    }
}

impl RunEvents {
    /// Of a run.
    #[must_use]
    pub fn of(run: &LlmRun) -> Self {
        Self {
            run_id: run.run_id.clone(),
            trace_id: run.trace_id.clone(),
            from: run.started_at,
            to: run.completed_at.unwrap_or(run.started_at),
        }
    }
}

/// Records of some logs in the order in which they happened: by instant, then id.
pub fn sort_by_instant(records: &mut [StoredSystemRecord]) {
    records.sort_by_key(|record| (record.occurred_at, record.id));
}

/// The first `max` records in the order in which they happened, each once, and whether there are more.
#[must_use]
pub fn first_of(mut records: Vec<StoredSystemRecord>, max: usize) -> (Vec<StoredSystemRecord>, bool) {
    sort_by_instant(&mut records);
    records.dedup_by_key(|record| record.id);
    let is_truncated = records.len() > max;
    records.truncate(max);
    (records, is_truncated)
}

/// The newest record of each component, in the order of the vocabulary. Of records of one instant the tenant's own goes
/// before the platform's, then the later one in its log.
#[must_use]
pub fn newest_by_component(records: Vec<StoredSystemRecord>) -> Vec<StoredSystemRecord> {
    let rank = |record: &StoredSystemRecord| (record.occurred_at, !record.is_platform_wide(), record.seq);
    let mut newest: Vec<StoredSystemRecord> = Vec::new();
    for record in records {
        match newest.iter_mut().find(|known| known.component == record.component) {
            Some(known) if rank(known) >= rank(&record) => {}
            Some(known) => *known = record,
            None => newest.push(record),
        }
    }
    newest.sort_by_key(|record| record.component);
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::RecordId;

    fn record(id: u128, tenant: &str, component: SystemComponent, at: i64, seq: i64) -> StoredSystemRecord {
        Stored {
            id: RecordId(uuid::Uuid::from_u128(id)),
            tenant_id: TenantId::trusted(tenant),
            seq,
            created_at: Timestamp::default(),
            record: SystemRecord {
                component,
                event_type: SystemEventType::Deploy,
                severity: SystemSeverity::Info,
                summary: String::new(),
                caused_by: None,
                actor_type: None,
                actor_id: None,
                correlation_id: None,
                service_name: None,
                service_instance_id: None,
                source_component: "graphql".to_owned(),
                occurred_at: Timestamp::from_micros_clamped(at),
                details_commitment: None,
            },
        }
    }

    fn ids(records: &[StoredSystemRecord]) -> Vec<u128> {
        records.iter().map(|record| record.id.0.as_u128()).collect()
    }

    #[test]
    fn the_first_records_are_each_there_once_in_the_order_of_time() {
        let worker = |id, at| record(id, "t", SystemComponent::Worker, at, 0);
        let (first, is_truncated) = first_of(vec![worker(3, 5), worker(1, 9), worker(2, 5), worker(3, 5)], 2);
        assert_eq!((ids(&first), is_truncated), (vec![2, 3], true));
        assert!(!first_of(vec![worker(3, 5), worker(3, 5)], 1).1);
    }

    #[test]
    fn of_each_component_the_newest_counts_and_of_equals_the_tenants_own() {
        let records = vec![
            record(1, "t", SystemComponent::Db, 5, 9),
            record(2, "t", SystemComponent::Db, 7, 1),
            record(3, "platform", SystemComponent::Db, 7, 99),
            record(4, "platform", SystemComponent::Worker, 1, 0),
            record(5, "platform", SystemComponent::Worker, 1, 1),
        ];
        assert_eq!(ids(&newest_by_component(records)), [5, 2]);
    }
}
