//! One record of each kind with every column present. Each column has a value of its own, so that a swap shows.

use crate::domain::audit::AuditEntry;
use crate::domain::export::LogExport;
use crate::domain::ids::{Digest, RunId, TraceId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::ledger::LedgerEvent;
use crate::domain::policy::PolicyActivation;
use crate::domain::run::LlmRun;
use crate::domain::system::SystemRecord;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceSeal, TraceStep};
use crate::domain::vocabulary::{
    ActorType, AuditAction, AuditCategory, AuditEntityType, ExecutionStatus, ExportFormat, ExportScope, ExportStatus,
    IncidentSeverity, LedgerEventKind, Origin, OutcomeCategory, RecordSource, StepKind, StepStatus, SystemCausedBy,
    SystemComponent, SystemEventType, SystemSeverity, Verdict,
};

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

/// 2026-11-21T08:30:00Z and some microseconds.
fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros_clamped(1_795_249_800_000_000 + micros)
}

pub(super) fn run() -> LlmRun {
    LlmRun {
        run_id: RunId::trusted("a run id"),
        revision: 1002,
        trace_id: Some(TraceId::trusted("a trace id")),
        name: Some("a name".to_owned()),
        agent_id: Some("a agent id".to_owned()),
        session_id: Some("a session id".to_owned()),
        end_user_id: Some("a end user id".to_owned()),
        tags: vec!["b".to_owned(), "\"é\"".to_owned()],
        provider: "a provider".to_owned(),
        model: "a model".to_owned(),
        operation: Some("a operation".to_owned()),
        service_name: Some("a service name".to_owned()),
        service_instance_id: Some("a service instance id".to_owned()),
        service_version: Some("a service version".to_owned()),
        environment: Some("a environment".to_owned()),
        region: Some("a region".to_owned()),
        prompt_hash: Some(digest(16)),
        response_hash: Some(digest(17)),
        input_tokens: 1018,
        output_tokens: 1019,
        cached_input_tokens: Some(1020),
        reasoning_tokens: Some(1021),
        time_to_first_token_us: Some(1022),
        finish_reason: Some("a finish reason".to_owned()),
        cost_micros: Some(1024),
        price_version: Some("a price version".to_owned()),
        execution_status: ExecutionStatus::Succeeded,
        error_type: Some("a error type".to_owned()),
        started_at: at(28),
        completed_at: Some(at(29)),
        source: RecordSource::Api,
        is_synthetic: true,
        synthetic_scenario_id: Some("a synthetic scenario id".to_owned()),
        correlation_id: Some("a correlation id".to_owned()),
        actor_type: Some(ActorType::Human),
        actor_id: Some("a actor id".to_owned()),
        step_count: 1036,
        trace_root_hash: Some(digest(37)),
    }
}

pub(super) fn trace() -> Trace {
    Trace {
        trace_id: TraceId::trusted("a trace id"),
        run_id: RunId::trusted("a run id"),
        agent_id: Some("a agent id".to_owned()),
        parent_run_id: Some("a parent run id".to_owned()),
        correlation_id: Some("a correlation id".to_owned()),
        plan_hash: Some("a plan hash".to_owned()),
        seed: Some(i64::MIN),
        frozen_at: Some(at(8)),
        schema_version: "a schema version".to_owned(),
        replay_mode: Some("a replay mode".to_owned()),
        is_synthetic: true,
        synthetic_scenario_id: Some("a synthetic scenario id".to_owned()),
        service_name: Some("a service name".to_owned()),
        service_instance_id: Some("a service instance id".to_owned()),
        service_version: Some("a service version".to_owned()),
        environment: Some("a environment".to_owned()),
        started_at: at(17),
        plan_commitment: Some(digest(18)),
    }
}

pub(super) fn step() -> TraceStep {
    TraceStep {
        trace_id: TraceId::trusted("a trace id"),
        caller_index: Some(1002),
        span_id: "a span id".to_owned(),
        parent_span_id: Some("a parent span id".to_owned()),
        attempt: 1005,
        kind: StepKind::Llm,
        skill_name: "a skill name".to_owned(),
        status: StepStatus::Success,
        outcome_category: OutcomeCategory::Success,
        outcome_code: Some("a outcome code".to_owned()),
        provider: Some("a provider".to_owned()),
        model: Some("a model".to_owned()),
        response_id: Some("a response id".to_owned()),
        input_tokens: Some(1014),
        output_tokens: Some(1015),
        cost_micros: Some(1016),
        started_at: at(17),
        duration_us: 1018,
        input_hash: Some(digest(19)),
        output_hash: Some(digest(20)),
        idempotency_key: Some("a idempotency key".to_owned()),
        duplicate_of: Some("a duplicate of".to_owned()),
        attributes_commitment: Some(digest(23)),
        content_commitment: Some(digest(24)),
    }
}

pub(super) fn seal() -> TraceSeal {
    TraceSeal {
        trace_id: TraceId::trusted("a trace id"),
        revision: 1002,
        status: ExecutionStatus::Succeeded,
        reason: Some("a reason".to_owned()),
        step_count: 1005,
        root_hash: digest(6),
        ended_at: at(7),
        metadata_commitment: Some(digest(8)),
    }
}

pub(super) fn system() -> SystemRecord {
    SystemRecord {
        component: SystemComponent::Worker,
        event_type: SystemEventType::Startup,
        severity: SystemSeverity::Info,
        summary: "a summary".to_owned(),
        caused_by: Some(SystemCausedBy::System),
        actor_type: Some(ActorType::Human),
        actor_id: Some("a actor id".to_owned()),
        correlation_id: Some("a correlation id".to_owned()),
        service_name: Some("a service name".to_owned()),
        service_instance_id: Some("a service instance id".to_owned()),
        source_component: "a source component".to_owned(),
        occurred_at: at(12),
        details_commitment: Some(digest(13)),
    }
}

pub(super) fn audit() -> AuditEntry {
    AuditEntry {
        category: AuditCategory::Governance,
        event_type: "a event type".to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: "a entity id".to_owned(),
        actor_type: ActorType::Human,
        actor_id: Some("a actor id".to_owned()),
        verdict: Some(Verdict::Allow),
        action: Some(AuditAction::Allowed),
        policy_id: Some("a policy id".to_owned()),
        rule_id: Some("a rule id".to_owned()),
        run_id: Some(RunId::trusted("a run id")),
        correlation_id: Some("a correlation id".to_owned()),
        source_component: "a source component".to_owned(),
        occurred_at: at(14),
        action_reason_commitment: Some(digest(15)),
        before_state_commitment: Some(digest(16)),
        after_state_commitment: Some(digest(17)),
    }
}

pub(super) fn policy() -> PolicyActivation {
    PolicyActivation {
        policy_id: "a policy id".to_owned(),
        source_pattern_id: "a source pattern id".to_owned(),
        source_recovery_id: Some("a source recovery id".to_owned()),
        confidence_ppm: 1004,
        confidence_version: "a confidence version".to_owned(),
        approval_path: "a approval path".to_owned(),
        loop_trace_id: Some("a loop trace id".to_owned()),
        actor_type: Some(ActorType::Human),
        actor_id: Some("a actor id".to_owned()),
        source_component: "a source component".to_owned(),
        activated_at: at(11),
    }
}

pub(super) fn incident() -> IncidentEvidence {
    IncidentEvidence {
        incident_id: "a incident id".to_owned(),
        revision: 1002,
        severity: IncidentSeverity::Critical,
        status: "a status".to_owned(),
        title: "a title".to_owned(),
        source_run_id: Some(RunId::trusted("a source run id")),
        policy_id: Some("a policy id".to_owned()),
        violation_type: Some("a violation type".to_owned()),
        violation_at: Some(at(9)),
        violation_step_index: Some(1010),
        threshold: Some("a threshold".to_owned()),
        actual: Some("a actual".to_owned()),
        inflection_at: Some(at(13)),
        inflection_step_index: Some(1014),
        opened_at: at(15),
        resolved_at: Some(at(16)),
        correlation_id: Some("a correlation id".to_owned()),
        source_component: "a source component".to_owned(),
    }
}

pub(super) fn export() -> LogExport {
    LogExport {
        scope: ExportScope::LlmRun,
        run_id: Some(RunId::trusted("a run id")),
        incident_id: Some("a incident id".to_owned()),
        format: ExportFormat::Json,
        filter: r#"{"filter":[]}"#.to_owned(),
        requested_by: "a requested by".to_owned(),
        origin: Origin::System,
        source_component: "a source component".to_owned(),
        correlation_id: Some("a correlation id".to_owned()),
        record_count: 1010,
        byte_count: 1011,
        checksum: Some(digest(12)),
        checkpoint_sizes: r#"{"checkpoint_sizes":[]}"#.to_owned(),
        manifest_hash: Some(digest(14)),
        status: ExportStatus::Pending,
    }
}

pub(super) fn event() -> LedgerEvent {
    LedgerEvent {
        kind: LedgerEventKind::Checkpoint,
        subject: "a subject".to_owned(),
        reason: Some("a reason".to_owned()),
        detail: r#"{"detail":[]}"#.to_owned(),
        actor_type: ActorType::Human,
        actor_id: Some("a actor id".to_owned()),
    }
}
