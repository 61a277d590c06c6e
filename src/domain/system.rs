//! System records: what happened to the platform around the runs.

use super::ids::Digest;
use super::time::Timestamp;
use super::vocabulary::{ActorType, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity};

/// Something that happened to the platform: a start, a deploy, a change, an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemRecord {
    /// The part of the platform.
    pub component: SystemComponent,
    /// What happened.
    pub event_type: SystemEventType,
    /// How bad it is.
    pub severity: SystemSeverity,
    /// One line, at most 512 bytes, redacted; holds no personal data.
    pub summary: String,
    /// What kind of cause it had.
    pub caused_by: Option<SystemCausedBy>,
    /// What kind of actor caused it.
    pub actor_type: Option<ActorType>,
    /// Who caused it. An identifier: not redacted.
    pub actor_id: Option<String>,
    /// The caller's own id for cross-reference; by convention a run id.
    pub correlation_id: Option<String>,
    /// OpenTelemetry `service.name` of what it happened to.
    pub service_name: Option<String>,
    /// OpenTelemetry `service.instance.id` of what it happened to.
    pub service_instance_id: Option<String>,
    /// The writer: `otlp`, `graphql`, `server`, or the name that the caller gave.
    pub source_component: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Commitment to the payload part `details`.
    pub details_commitment: Option<Digest>,
}
