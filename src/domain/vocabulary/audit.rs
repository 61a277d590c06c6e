//! Audit, incidents and what decides a moment.

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
