//! The ledger itself.

vocabulary!(
    /// What happened to the ledger itself.
    LedgerEventKind {
        /// A signed checkpoint of another log was noted.
        Checkpoint = "checkpoint",
        /// A key that signs checkpoints was announced or retired.
        Key = "key",
        /// A payload was erased.
        Erase = "erase",
        /// Erasure was forbidden, or allowed again.
        Hold = "hold",
        /// Payloads were removed because their time was over.
        Prune = "prune",
    }
);

vocabulary!(
    /// The kind of a record in a log. A leaf says it in lower case.
    RecordKind {
        /// A run, or a further revision of one.
        LlmRun = "llm_run",
        /// The beginning of a trace.
        Trace = "trace",
        /// A step of a trace.
        TraceStep = "trace_step",
        /// The end of a trace.
        TraceSeal = "trace_seal",
        /// Something that happened to the platform.
        SystemRecord = "system_record",
        /// An entry of the audit ledger.
        AuditEntry = "audit_entry",
        /// A policy that came into force.
        PolicyActivation = "policy_activation",
        /// A snapshot of an incident.
        IncidentEvidence = "incident_evidence",
        /// An export that was made.
        LogExport = "log_export",
        /// A signed checkpoint of another log was noted.
        Checkpoint = "checkpoint",
        /// A key that signs checkpoints was announced or retired.
        Key = "key",
        /// A payload was erased.
        Erase = "erase",
        /// Erasure was forbidden, or allowed again.
        Hold = "hold",
        /// Payloads were removed because their time was over.
        Prune = "prune",
    }
);

vocabulary!(
    /// One of a tenant's two logs.
    Stream as LedgerStream {
        /// Every record of what happened.
        Evidence = "evidence",
        /// Who read it: kept apart, so that watching does not outgrow what is watched.
        Access = "access",
    }
);

impl LedgerEventKind {
    /// The kind of an event's record, which is called the same.
    #[must_use]
    pub const fn record_kind(self) -> RecordKind {
        match self {
            Self::Checkpoint => RecordKind::Checkpoint,
            Self::Key => RecordKind::Key,
            Self::Erase => RecordKind::Erase,
            Self::Hold => RecordKind::Hold,
            Self::Prune => RecordKind::Prune,
        }
    }
}
