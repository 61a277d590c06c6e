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
        /// Who read which evidence. These entries stand in a log of their own.
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
        /// A rule of a policy: a guardrail, a content filter.
        PolicyRule = "POLICY_RULE",
        /// A proposed policy.
        PolicyProposal = "POLICY_PROPOSAL",
        /// A limit.
        Limit = "LIMIT",
        /// An incident.
        Incident = "INCIDENT",
        /// A signal.
        Signal = "SIGNAL",
        /// An API key of this server.
        ApiKey = "API_KEY",
        /// A person or program that authenticates.
        Principal = "PRINCIPAL",
        /// A tenant.
        Tenant = "TENANT",
        /// An LLM run.
        LlmRun = "LLM_RUN",
        /// A trace.
        Trace = "TRACE",
        /// A system record.
        SystemRecord = "SYSTEM_RECORD",
        /// An entry of the audit ledger.
        AuditEntry = "AUDIT_ENTRY",
        /// An export.
        LogExport = "LOG_EXPORT",
        /// A log of the ledger.
        Ledger = "LEDGER",
        /// A key that signs the ledger's checkpoints.
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
        /// Let it pass, but tell somebody.
        Warn = "WARN",
        /// Change it.
        Modify = "MODIFY",
        /// Ask somebody.
        Escalate = "ESCALATE",
    }
);

vocabulary!(
    /// What was done, whatever the rule said.
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
        /// Nothing was done.
        None = "NONE",
    }
);

vocabulary!(
    /// How bad an incident is.
    IncidentSeverity {
        /// It wants attention at once.
        Critical = "CRITICAL",
        /// It wants attention soon.
        High = "HIGH",
        /// It wants attention in its turn.
        Medium = "MEDIUM",
        /// It wants attention some time.
        Low = "LOW",
    }
);

vocabulary!(
    /// Which rule decided what the inflection of a run is. The first that applies decides, in this order: VIOLATION, INCIDENT,
    /// GOVERNANCE, FAILED_STEP, COMPLETION, START. Where a rule finds several records the earliest counts, and of equal instants
    /// the one that was recorded first. A step decides at its end.
    InflectionRule {
        /// An incident says when, or at which step, the run violated a policy.
        Violation = "VIOLATION",
        /// An incident names a decisive instant or step.
        Incident = "INCIDENT",
        /// A policy blocked or modified something in the run.
        Governance = "GOVERNANCE",
        /// A step failed.
        FailedStep = "FAILED_STEP",
        /// The run was completed.
        Completion = "COMPLETION",
        /// The run began; nothing else is known of it.
        Start = "START",
    }
);

vocabulary!(
    /// Where an event of a replay comes from. At one instant events come in this order: LLM, SYSTEM, POLICY.
    ReplaySource {
        /// A step of the run's trace.
        Llm = "LLM",
        /// A system record of the tenant or of the platform.
        System = "SYSTEM",
        /// A governance entry that names the run, or no run at all.
        Policy = "POLICY",
    }
);
