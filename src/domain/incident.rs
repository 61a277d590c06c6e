//! Incident evidence: snapshots of incidents, which another system owns.

use super::ids::RunId;
use super::record::record;
use super::time::Timestamp;
use super::vocabulary::IncidentSeverity;

macro_rules! incident_evidence {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// One revision of what is known of an incident. The newest revision is the evidence; older ones stay readable.
        IncidentEvidence in "incident_evidence": IncidentEvidence {
            /// The incident, as its owner names it.
            incident_id: String,
            /// 1 for the first record of the incident.
            revision: i64,
            /// How bad it is.
            severity: IncidentSeverity,
            /// Where it stands, in its owner's words.
            status: String,
            /// One line, at most 512 bytes, redacted; holds no personal data.
            title: String,
            /// The run that caused it.
            source_run_id: Option<RunId>,
            /// The policy that was violated.
            policy_id: Option<String>,
            /// What kind of violation.
            violation_type: Option<String>,
            /// When the violation happened.
            violation_at: Option<Timestamp>,
            /// The step of the run's trace that violated.
            violation_step_index: Option<i64>,
            /// The limit, as a decimal number.
            threshold: Option<String>,
            /// What was measured instead, as a decimal number.
            actual: Option<String>,
            /// The decisive instant.
            inflection_at: Option<Timestamp>,
            /// The decisive step of the run's trace.
            inflection_step_index: Option<i64>,
            /// When the incident was opened.
            opened_at: Timestamp,
            /// When it was resolved.
            resolved_at: Option<Timestamp>,
            /// The caller's own id for cross-reference.
            correlation_id: Option<String>,
            /// The writer: `graphql`, or the name that the caller gave.
            source_component: String,
        }
    } };
}
pub(crate) use incident_evidence;
incident_evidence!(record);

/// Most bytes of a title.
pub const TITLE_BYTES_MAX: usize = 512;
/// Most incidents of a run that are shown.
pub const INCIDENTS_OF_RUN_MAX: usize = 200;

/// Incident evidence as a caller hands it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentInput {
    /// The incident, as its owner names it.
    pub incident_id: String,
    /// The newest revision that the caller knows of; absent for an incident that is new.
    pub supersedes_revision: Option<i64>,
    /// How bad it is.
    pub severity: IncidentSeverity,
    /// Where it stands.
    pub status: String,
    /// One line.
    pub title: String,
    /// The run that caused it.
    pub source_run_id: Option<RunId>,
    /// The policy that was violated.
    pub policy_id: Option<String>,
    /// What kind of violation.
    pub violation_type: Option<String>,
    /// When the violation happened.
    pub violation_at: Option<Timestamp>,
    /// The step that violated.
    pub violation_step_index: Option<i64>,
    /// The limit, as a decimal number.
    pub threshold: Option<String>,
    /// What was measured instead, as a decimal number.
    pub actual: Option<String>,
    /// The decisive instant.
    pub inflection_at: Option<Timestamp>,
    /// The decisive step.
    pub inflection_step_index: Option<i64>,
    /// When the incident was opened.
    pub opened_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// The caller's own id for cross-reference.
    pub correlation_id: Option<String>,
    /// The writer; `graphql` where it is absent.
    pub source_component: Option<String>,
}
