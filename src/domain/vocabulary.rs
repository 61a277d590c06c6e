//! Closed vocabularies. Each value is stored and hashed as its text.

/// Declares an enum with its text form, its parser and the list of its values.
macro_rules! vocabulary {
    ($(#[$meta:meta])* $name:ident { $($(#[$value_meta:meta])* $value:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$value_meta])* $value),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The text that is stored, hashed and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }

            /// The value with this text; `None` when there is none.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$value),)+ _ => None }
            }
        }
    };
}

pub(super) use vocabulary;

vocabulary!(
    /// How a run ended.
    ExecutionStatus {
        /// It ended without an error.
        Succeeded = "SUCCEEDED",
        /// It ended with an error.
        Failed = "FAILED",
        /// It was cancelled.
        Aborted = "ABORTED",
        /// It ran out of time, or fell silent for longer than `trace.timeout`.
        Timeout = "TIMEOUT",
    }
);

vocabulary!(
    /// Where a trace stands; derived from its newest seal.
    TraceStatus {
        /// No seal yet: steps may still arrive.
        Running = "RUNNING",
        /// Sealed without an error.
        Completed = "COMPLETED",
        /// Sealed with an error.
        Failed = "FAILED",
        /// Cancelled.
        Aborted = "ABORTED",
        /// Out of time, or silent for too long.
        Timeout = "TIMEOUT",
    }
);

vocabulary!(
    /// How one step ended.
    StepStatus {
        /// Without an error.
        Success = "SUCCESS",
        /// With an error.
        Failure = "FAILURE",
        /// With an error that was tried again.
        Retry = "RETRY",
        /// It was not run.
        Skipped = "SKIPPED",
    }
);

vocabulary!(
    /// What a step did.
    StepKind {
        /// A call to a language model.
        Llm = "LLM",
        /// A call to a tool or function.
        Tool = "TOOL",
        /// The work of an agent.
        Agent = "AGENT",
        /// A chain, workflow or task around other steps.
        Chain = "CHAIN",
        /// A search in documents or vectors.
        Retriever = "RETRIEVER",
        /// A call to an embedding model.
        Embedding = "EMBEDDING",
        /// A reordering of search results.
        Reranker = "RERANKER",
        /// A check of input or output against a policy.
        Guardrail = "GUARDRAIL",
        /// A judgement of quality.
        Evaluator = "EVALUATOR",
        /// Anything else.
        Other = "OTHER",
    }
);

vocabulary!(
    /// The kind of a step's outcome.
    OutcomeCategory {
        /// It worked.
        Success = "SUCCESS",
        /// It failed in a way that may pass: time-out, rate limit, server error.
        Transient = "TRANSIENT",
        /// It failed in a way that will not pass by itself.
        Permanent = "PERMANENT",
        /// A policy, guardrail or content filter stopped it.
        Policy = "POLICY",
        /// It was cancelled.
        Cancelled = "CANCELLED",
        /// The record does not say.
        Unknown = "UNKNOWN",
    }
);

vocabulary!(
    /// The severity of a step; derived from its status.
    StepLevel {
        /// The step did not fail.
        Info = "INFO",
        /// The step was tried again.
        Warn = "WARN",
        /// The step failed.
        Error = "ERROR",
    }
);

vocabulary!(
    /// Who brought a run to the ledger.
    RecordSource {
        /// A caller of the GraphQL API.
        Api = "API",
        /// A client library.
        Sdk = "SDK",
        /// The server itself.
        System = "SYSTEM",
        /// A generator of test data.
        Synthetic = "SYNTHETIC",
        /// A background worker.
        Worker = "WORKER",
        /// OpenTelemetry spans.
        Otlp = "OTLP",
    }
);

vocabulary!(
    /// What kind of actor acted.
    ActorType {
        /// A person.
        Human = "HUMAN",
        /// A program.
        System = "SYSTEM",
        /// An AI agent.
        Agent = "AGENT",
    }
);

vocabulary!(
    /// The part of the domain that evidence comes from.
    SourceDomain {
        /// LLM runs and their traces.
        Activity = "ACTIVITY",
        /// Policies.
        Policy = "POLICY",
        /// Incidents.
        Incidents = "INCIDENTS",
        /// The audit of logs.
        Logs = "LOGS",
        /// System records.
        System = "SYSTEM",
    }
);

vocabulary!(
    /// What kind of actor stands behind a record.
    Origin {
        /// A program.
        System = "SYSTEM",
        /// A person.
        Human = "HUMAN",
        /// An AI agent.
        Agent = "AGENT",
        /// An import of older records.
        Migration = "MIGRATION",
        /// A run that replays another.
        Replay = "REPLAY",
    }
);

vocabulary!(
    /// A part of the platform.
    SystemComponent {
        /// A background worker.
        Worker = "WORKER",
        /// An API server.
        Api = "API",
        /// A scheduler.
        Scheduler = "SCHEDULER",
        /// A database.
        Db = "DB",
        /// Authentication.
        Auth = "AUTH",
        /// A change of the schema.
        Migration = "MIGRATION",
        /// Anything else.
        Other = "OTHER",
    }
);

vocabulary!(
    /// What happened to the platform.
    SystemEventType {
        /// It started.
        Startup = "STARTUP",
        /// It stopped.
        Shutdown = "SHUTDOWN",
        /// It stopped and started.
        Restart = "RESTART",
        /// Another version of it came into service.
        Deploy = "DEPLOY",
        /// Its schema or data were changed.
        Migration = "MIGRATION",
        /// Who may do what was changed.
        AuthChange = "AUTH_CHANGE",
        /// Its settings were changed.
        ConfigChange = "CONFIG_CHANGE",
        /// It failed.
        Error = "ERROR",
        /// Its health was looked at.
        HealthCheck = "HEALTH_CHECK",
        /// Anything else.
        Other = "OTHER",
    }
);

vocabulary!(
    /// How bad a system record is.
    SystemSeverity {
        /// Nothing is wrong.
        Info = "INFO",
        /// Something may go wrong.
        Warn = "WARN",
        /// Something went wrong.
        Critical = "CRITICAL",
    }
);

vocabulary!(
    /// What kind of cause a system record has.
    SystemCausedBy {
        /// The platform itself.
        System = "SYSTEM",
        /// A person.
        Human = "HUMAN",
        /// A program that acts on the platform: a pipeline, a scaler.
        Automation = "AUTOMATION",
    }
);

vocabulary!(
    /// A view of the audit ledger.
    AuditCategory {
        /// Policies, limits, incidents, signals: what they decided and who changed them.
        Governance = "GOVERNANCE",
        /// Principals and their keys.
        Identity = "IDENTITY",
        /// Who was allowed, who was denied.
        Authorization = "AUTHORIZATION",
        /// Who read which evidence.
        Access = "ACCESS",
        /// Verification of the ledger and what it found.
        Integrity = "INTEGRITY",
        /// Exports and downloads.
        Export = "EXPORT",
    }
);

vocabulary!(
    /// What kind of thing an audit entry is about.
    AuditEntityType {
        /// A rule of a policy.
        PolicyRule = "POLICY_RULE",
        /// A proposed policy.
        PolicyProposal = "POLICY_PROPOSAL",
        /// A limit.
        Limit = "LIMIT",
        /// An incident.
        Incident = "INCIDENT",
        /// A signal.
        Signal = "SIGNAL",
        /// An API key.
        ApiKey = "API_KEY",
        /// A person or program that authenticates.
        Principal = "PRINCIPAL",
        /// A tenant.
        Tenant = "TENANT",
        /// A run.
        LlmRun = "LLM_RUN",
        /// A trace.
        Trace = "TRACE",
        /// A system record.
        SystemRecord = "SYSTEM_RECORD",
        /// An entry of the audit ledger.
        AuditEntry = "AUDIT_ENTRY",
        /// An export.
        LogExport = "LOG_EXPORT",
        /// A ledger log.
        Ledger = "LEDGER",
        /// A key that signs checkpoints.
        SigningKey = "SIGNING_KEY",
    }
);

vocabulary!(
    /// What a rule said.
    Verdict {
        /// Let it pass.
        Allow = "ALLOW",
        /// Stop it.
        Deny = "DENY",
        /// Let it pass, but tell.
        Warn = "WARN",
        /// Change it.
        Modify = "MODIFY",
        /// Ask somebody.
        Escalate = "ESCALATE",
    }
);

vocabulary!(
    /// What was done.
    AuditAction {
        /// It passed.
        Allowed = "ALLOWED",
        /// It was stopped.
        Blocked = "BLOCKED",
        /// It was changed.
        Modified = "MODIFIED",
        /// Somebody was asked.
        Escalated = "ESCALATED",
        /// The rule was set aside.
        Overridden = "OVERRIDDEN",
        /// Nothing.
        None = "NONE",
    }
);

vocabulary!(
    /// How bad an incident is.
    IncidentSeverity {
        /// At once.
        Critical = "CRITICAL",
        /// Soon.
        High = "HIGH",
        /// In its turn.
        Medium = "MEDIUM",
        /// Some time.
        Low = "LOW",
    }
);

vocabulary!(
    /// Which part of the domain an export covers.
    ExportScope {
        /// Runs.
        LlmRun = "LLM_RUN",
        /// System records.
        System = "SYSTEM",
        /// The audit ledger.
        Audit = "AUDIT",
        /// Everything of a compliance report.
        Compliance = "COMPLIANCE",
        /// An incident with its run.
        Incident = "INCIDENT",
    }
);

vocabulary!(
    /// The format of an export.
    ExportFormat {
        /// One JSON document.
        Json = "JSON",
        /// One JSON document a line.
        Ndjson = "NDJSON",
        /// Comma-separated values.
        Csv = "CSV",
        /// Apache Parquet.
        Parquet = "PARQUET",
        /// A document to read.
        Pdf = "PDF",
        /// A bundle with its manifest and proofs.
        Zip = "ZIP",
    }
);

vocabulary!(
    /// Where an export stands.
    ExportStatus {
        /// It waits.
        Pending = "PENDING",
        /// It is being made.
        Running = "RUNNING",
        /// It was made.
        Completed = "COMPLETED",
        /// It could not be made.
        Failed = "FAILED",
        /// It was called off.
        Cancelled = "CANCELLED",
    }
);

vocabulary!(
    /// What happened to the ledger itself.
    LedgerEventKind {
        /// A checkpoint of another log was noted.
        Checkpoint = "checkpoint",
        /// A signing key was announced or retired.
        Key = "key",
        /// A payload was erased by law.
        Erase = "erase",
        /// Erasure and pruning were forbidden, or allowed again.
        Hold = "hold",
        /// Payloads were removed by retention.
        Prune = "prune",
    }
);

vocabulary!(
    /// The kind of a record, as its leaf and its ledger entry say it.
    RecordKind {
        /// A run.
        LlmRun = "llm_run",
        /// The beginning of a trace.
        Trace = "trace",
        /// A step.
        TraceStep = "trace_step",
        /// The end of a trace.
        TraceSeal = "trace_seal",
        /// A system record.
        SystemRecord = "system_record",
        /// An entry of the audit ledger.
        AuditEntry = "audit_entry",
        /// A policy activation.
        PolicyActivation = "policy_activation",
        /// Incident evidence.
        IncidentEvidence = "incident_evidence",
        /// An export.
        LogExport = "log_export",
        /// A checkpoint of another log.
        Checkpoint = "checkpoint",
        /// A signing key, announced or retired.
        Key = "key",
        /// The erasure of a payload.
        Erase = "erase",
        /// A hold.
        Hold = "hold",
        /// A pruning.
        Prune = "prune",
    }
);

vocabulary!(
    /// One of a tenant's two logs.
    Stream {
        /// Every record of what happened.
        Evidence = "evidence",
        /// Who read it, so that watching does not outgrow what is watched.
        Access = "access",
    }
);

vocabulary!(
    /// Which rule decided what the inflection of a run is; the first that applies, in this order.
    InflectionRule {
        /// An incident says when, or at which step, the run violated a policy.
        Violation = "VIOLATION",
        /// An incident names a decisive instant or step.
        Incident = "INCIDENT",
        /// A policy blocked or modified something.
        Governance = "GOVERNANCE",
        /// A step failed.
        FailedStep = "FAILED_STEP",
        /// The run was completed.
        Completion = "COMPLETION",
        /// The run began.
        Start = "START",
    }
);

vocabulary!(
    /// Where an event of a replay comes from; at one instant they come in this order.
    ReplaySource {
        /// A step of the run's trace.
        Llm = "LLM",
        /// A system record.
        System = "SYSTEM",
        /// A governance entry.
        Policy = "POLICY",
    }
);

vocabulary!(
    /// What the evidence at hand says of a run in the words of compliance.
    ComplianceTag {
        /// Its texts were redacted before they were stored.
        RedactedAtIngest = "REDACTED_AT_INGEST",
        /// Its record is an entry of a Merkle log.
        TamperEvident = "TAMPER_EVIDENT",
        /// The newest seal covers every step of its trace.
        SealedTrace = "SEALED_TRACE",
        /// Steps came after the newest seal of its trace.
        LateSteps = "LATE_STEPS",
        /// Its trace has no seal yet.
        UnsealedTrace = "UNSEALED_TRACE",
        /// Policies were evaluated for it.
        PolicyEvaluated = "POLICY_EVALUATED",
        /// A policy blocked or modified something in it.
        PolicyEnforced = "POLICY_ENFORCED",
        /// It caused an incident.
        IncidentLinked = "INCIDENT_LINKED",
        /// It is test data.
        SyntheticData = "SYNTHETIC_DATA",
        /// Message content of its steps is kept.
        ContentStored = "CONTENT_STORED",
        /// Message content of its steps was kept and has been removed.
        ContentErased = "CONTENT_ERASED",
        /// No message content was kept.
        ContentNotStored = "CONTENT_NOT_STORED",
    }
);

impl StepStatus {
    /// FAILURE is an ERROR, RETRY a WARN, everything else INFO.
    #[must_use]
    pub const fn level(self) -> StepLevel {
        match self {
            Self::Failure => StepLevel::Error,
            Self::Retry => StepLevel::Warn,
            Self::Success | Self::Skipped => StepLevel::Info,
        }
    }
}

impl From<ExecutionStatus> for TraceStatus {
    fn from(status: ExecutionStatus) -> Self {
        match status {
            ExecutionStatus::Succeeded => Self::Completed,
            ExecutionStatus::Failed => Self::Failed,
            ExecutionStatus::Aborted => Self::Aborted,
            ExecutionStatus::Timeout => Self::Timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_parses_back() {
        for value in StepKind::ALL {
            assert_eq!(StepKind::parse(value.as_str()), Some(*value));
        }
        assert_eq!(StepKind::parse("llm"), None);
    }
}
