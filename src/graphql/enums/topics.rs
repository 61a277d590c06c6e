//! Incidents, replay and exports.

use async_graphql::Enum;

use crate::domain::vocabulary;

/// How bad an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::IncidentSeverity")]
pub enum IncidentSeverity {
    /// It wants attention at once.
    Critical,
    /// It wants attention soon.
    High,
    /// It wants attention in its turn.
    Medium,
    /// It wants attention some time.
    Low,
}

/// Which rule decided what the inflection of a run is. The first that applies decides, in this order: VIOLATION, INCIDENT,
/// GOVERNANCE, FAILED_STEP, COMPLETION, START. Where a rule finds several records the earliest counts, and of equal instants
/// the one that was recorded first. A step decides at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::InflectionRule")]
pub enum InflectionRule {
    /// An incident says when, or at which step, the run violated a policy.
    Violation,
    /// An incident names a decisive instant or step.
    Incident,
    /// A policy blocked or modified something in the run.
    Governance,
    /// A step failed.
    FailedStep,
    /// The run was completed.
    Completion,
    /// The run began; nothing else is known of it.
    Start,
}

/// Where an event of a replay comes from. At one instant events come in this order: LLM, SYSTEM, POLICY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ReplaySource")]
pub enum ReplaySource {
    /// A step of the run's trace.
    Llm,
    /// A system record of the tenant or of the platform.
    System,
    /// A governance entry that names the run, or no run at all.
    Policy,
}

/// Which part of the domain an export covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ExportScope")]
pub enum ExportScope {
    /// LLM runs.
    LlmRun,
    /// System records.
    System,
    /// The audit ledger.
    Audit,
    /// Everything of a compliance report.
    Compliance,
    /// An incident with its run.
    Incident,
}

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ExportFormat")]
pub enum ExportFormat {
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Ndjson,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A document to read.
    Pdf,
    /// A bundle with its manifest and proofs.
    Zip,
}

/// Where an export stands. Records of exports are written when they are done: they say COMPLETED or FAILED.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ExportStatus")]
pub enum ExportStatus {
    /// It waits to be made.
    Pending,
    /// It is being made.
    Running,
    /// It was made.
    Completed,
    /// It could not be made.
    Failed,
    /// It was called off.
    Cancelled,
}

/// What the evidence at hand says of a run in the words of compliance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::ComplianceTag")]
pub enum ComplianceTag {
    /// Its texts were redacted before they were stored.
    RedactedAtIngest,
    /// Its record is an entry of the tenant's Merkle log.
    TamperEvident,
    /// The newest seal covers every step of its trace.
    SealedTrace,
    /// Steps came after the newest seal of its trace.
    LateSteps,
    /// Its trace has no seal yet.
    UnsealedTrace,
    /// Policies were evaluated for it.
    PolicyEvaluated,
    /// A policy blocked or modified something in it.
    PolicyEnforced,
    /// It caused an incident.
    IncidentLinked,
    /// It is test data.
    SyntheticData,
    /// Message content of its steps is kept.
    ContentStored,
    /// Message content of its steps was kept and has been removed.
    ContentErased,
    /// No message content was kept.
    ContentNotStored,
}
