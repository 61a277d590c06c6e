//! The rules in the demo's story: a policy that is tightened, what it decided about a run, and the incident of that.

use serde_json::json;

use super::demo_story::{AUDITOR, Blocked, Character, MINUTE_US, OPERATOR};
use crate::domain::incident::IncidentInput;
use crate::domain::input::AuditEntryInput;
use crate::domain::policy::PolicyActivationInput;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{ActorType, AuditAction, AuditCategory, AuditEntityType, IncidentSeverity, Verdict};
use crate::http::auth::DEMO_TENANT;

pub(super) const POLICY: &str = "tool-allowlist";
const RULE: &str = "deny-unlisted-tools";
pub(super) const INCIDENT: &str = "INC-2041";
/// Writers of the story.
const ENGINE: &str = "policy-engine";
const DIRECTORY: &str = "directory";

/// The policy came into force by itself, then again on a person's word, then by its confidence.
pub(super) fn activations(blocked: &Blocked) -> Vec<PolicyActivationInput> {
    let activation = |path: &str, confidence_ppm, minutes: i64| PolicyActivationInput {
        policy_id: POLICY.to_owned(),
        source_pattern_id: "unlisted-tool-call".to_owned(),
        source_recovery_id: Some("refuse-and-tell".to_owned()),
        confidence_ppm,
        confidence_version: "v2".to_owned(),
        approval_path: path.to_owned(),
        loop_trace_id: Some("loop-318".to_owned()),
        actor_type: path.strip_prefix("human:").is_none().then_some(ActorType::Agent),
        actor_id: path.strip_prefix("human:").is_none().then(|| "policy-loop".to_owned()),
        source_component: Some(ENGINE.to_owned()),
        activated_at: Some(blocked.run.started_at.plus_micros(-minutes * MINUTE_US)),
    };
    let approved = format!("human:{}", OPERATOR.id);
    vec![activation("auto", 720_000, 180), activation(&approved, 910_000, 7), activation("threshold", 965_000, -30)]
}

/// An entry of the policy engine.
fn entry(event_type: &str, entity: (AuditEntityType, &str), occurred_at: Timestamp) -> AuditEntryInput {
    AuditEntryInput {
        category: None,
        event_type: event_type.to_owned(),
        entity_type: entity.0,
        entity_id: entity.1.to_owned(),
        actor_type: Some(ActorType::System),
        actor_id: Some(ENGINE.to_owned()),
        verdict: None,
        action: None,
        policy_id: Some(POLICY.to_owned()),
        rule_id: None,
        run_id: None,
        correlation_id: None,
        source_component: Some(ENGINE.to_owned()),
        occurred_at: Some(occurred_at),
        reason: None,
        before: None,
        after: None,
    }
}

/// The same by a person.
fn by(person: Character, entry: AuditEntryInput) -> AuditEntryInput {
    AuditEntryInput { actor_type: Some(person.actor_type), actor_id: Some(person.id.to_owned()), ..entry }
}

/// The same about the run of the story.
fn of_run(blocked: &Blocked, entry: AuditEntryInput) -> AuditEntryInput {
    AuditEntryInput {
        rule_id: Some(RULE.to_owned()),
        run_id: Some(blocked.run.run_id.clone()),
        correlation_id: blocked.run.trace_id.as_ref().map(|trace_id| trace_id.as_str().to_owned()),
        ..entry
    }
}

/// What was decided. The first entry is the one whose state is erased later.
pub(super) fn entries(blocked: &Blocked, now: Timestamp) -> Vec<AuditEntryInput> {
    changes(blocked.run.started_at).into_iter().chain(decisions(blocked, now)).collect()
}

/// Who got a role, what was released, and which rules changed before the run.
fn changes(start: Timestamp) -> [AuditEntryInput; 4] {
    let before = |minutes: i64| start.plus_micros(-minutes * MINUTE_US);
    let directory = |category, entry: AuditEntryInput| AuditEntryInput {
        category: Some(category),
        policy_id: None,
        source_component: Some(DIRECTORY.to_owned()),
        ..entry
    };
    let role = AuditEntryInput {
        after: Some(json!({ "display_name": "Ines Weber", "roles": ["auditor"] })),
        ..by(OPERATOR, entry("RoleGranted", (AuditEntityType::Principal, AUDITOR.id), before(200)))
    };
    let release = AuditEntryInput {
        verdict: Some(Verdict::Allow),
        action: Some(AuditAction::Allowed),
        rule_id: Some("four-eyes".to_owned()),
        ..by(AUDITOR, entry("ReleaseApproved", (AuditEntityType::Tenant, DEMO_TENANT), before(241)))
    };
    let rule = AuditEntryInput {
        rule_id: Some(RULE.to_owned()),
        reason: Some("warnings alone did not keep agents from unlisted tools".to_owned()),
        before: Some(json!({ "mode": "warn", "tools": ["get_weather", "run_sql", "search_docs"] })),
        after: Some(json!({ "mode": "enforce", "tools": ["get_weather", "search_docs"] })),
        ..by(OPERATOR, entry("PolicyRuleModified", (AuditEntityType::PolicyRule, RULE), before(8)))
    };
    let limit = AuditEntryInput {
        before: Some(json!({ "calls_a_run": 20 })),
        after: Some(json!({ "calls_a_run": 12 })),
        ..by(OPERATOR, entry("LimitUpdated", (AuditEntityType::Limit, "tool-calls"), before(6)))
    };
    [directory(AuditCategory::Identity, role), directory(AuditCategory::Authorization, release), rule, limit]
}

/// What the policy decided in the run, and what people made of the incident.
fn decisions(blocked: &Blocked, now: Timestamp) -> [AuditEntryInput; 4] {
    let tool = blocked.step.step.skill_name.as_str();
    let (rule, incident) = ((AuditEntityType::PolicyRule, RULE), (AuditEntityType::Incident, INCIDENT));
    let opened = blocked.step.step.started_at;
    let passed = AuditEntryInput {
        verdict: Some(Verdict::Allow),
        action: Some(AuditAction::Allowed),
        ..entry("PolicyEvaluated", rule, blocked.run.started_at)
    };
    let stopped = AuditEntryInput {
        verdict: Some(Verdict::Deny),
        action: Some(AuditAction::Blocked),
        reason: Some(format!("the tool {tool} is not on the allowlist")),
        after: Some(json!({ "tool": tool, "step_index": blocked.step.step_index })),
        ..entry("PolicyEvaluated", rule, opened)
    };
    let acknowledged = by(OPERATOR, entry("IncidentAcknowledged", incident, past(opened, 3 * MINUTE_US, now)));
    let resolved = AuditEntryInput {
        reason: Some("the agent's prompt no longer offers the tool".to_owned()),
        ..by(OPERATOR, entry("IncidentResolved", incident, resolved_at(blocked, now)))
    };
    [passed, stopped, acknowledged, resolved].map(|entry| of_run(blocked, entry))
}

/// Some time after an instant, but not in the future.
fn past(at: Timestamp, us: i64, now: Timestamp) -> Timestamp {
    at.plus_micros(us).min(now)
}

fn resolved_at(blocked: &Blocked, now: Timestamp) -> Timestamp {
    past(blocked.step.step.started_at, 25 * MINUTE_US, now)
}

/// The incident as it was opened, and as it was closed.
pub(super) fn incident(blocked: &Blocked, now: Timestamp) -> [IncidentInput; 2] {
    let (run, step) = (&blocked.run, &blocked.step.step);
    let opened = IncidentInput {
        incident_id: INCIDENT.to_owned(),
        supersedes_revision: None,
        severity: IncidentSeverity::High,
        status: "OPEN".to_owned(),
        title: format!("an agent called {}, which is not on the allowlist", step.skill_name),
        source_run_id: Some(run.run_id.clone()),
        policy_id: Some(POLICY.to_owned()),
        violation_type: Some("TOOL_NOT_ALLOWED".to_owned()),
        violation_at: Some(step.started_at),
        violation_step_index: Some(blocked.step.step_index),
        threshold: Some("0".to_owned()),
        actual: Some("1".to_owned()),
        inflection_at: None,
        inflection_step_index: None,
        opened_at: step.started_at,
        resolved_at: None,
        correlation_id: run.trace_id.as_ref().map(|trace_id| trace_id.as_str().to_owned()),
        source_component: Some("incidents".to_owned()),
    };
    let resolved = IncidentInput {
        supersedes_revision: Some(1),
        severity: IncidentSeverity::Medium,
        status: "RESOLVED".to_owned(),
        inflection_at: Some(step.started_at),
        inflection_step_index: Some(blocked.step.step_index),
        resolved_at: Some(resolved_at(blocked, now)),
        ..opened.clone()
    };
    [opened, resolved]
}
