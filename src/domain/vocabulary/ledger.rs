//! The ledger itself.

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
