//! Exports and what is said of them.

vocabulary!(
    /// Which part of the domain an export covers.
    ExportScope {
        /// LLM runs.
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
    /// Where an export stands. Records of exports are written when they are done: they say COMPLETED or FAILED.
    ExportStatus {
        /// It waits to be made.
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
    /// What the evidence at hand says of a run in the words of compliance.
    ComplianceTag {
        /// Its texts were redacted before they were stored.
        RedactedAtIngest = "REDACTED_AT_INGEST",
        /// Its record is an entry of the tenant's Merkle log.
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
