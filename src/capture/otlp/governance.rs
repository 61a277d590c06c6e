//! What rules said of a span, as entries of the audit ledger that stand and fall with its step.

use serde_json::{Value, json};

use crate::capture::audit::reason_text;
use crate::capture::facts::Facts;
use crate::capture::genai::guardrail::Evaluation;
use crate::capture::json::canonical;
use crate::capture::redact::redact_text;
use crate::capture::text::{clip, without_nul};
use crate::domain::audit::AuditEntry;
use crate::domain::audit_events::POLICY_EVALUATED;
use crate::domain::draft::{DraftAudit, DraftPayload};
use crate::domain::payload::PayloadPart;
use crate::domain::trace::TraceStep;
use crate::domain::vocabulary::{ActorType, AuditCategory, AuditEntityType};

/// The longest reason that is kept, in bytes; a longer one is cut.
const REASON_BYTES_MAX: usize = 2_048;

/// The entry of one evaluation. The run is not known here: it is the trace's, which the request may tell elsewhere.
pub(super) fn entry(evaluation: Evaluation, step: &TraceStep, facts: &Facts) -> DraftAudit {
    let (actor_type, actor_id) = match (&facts.agent_id, &facts.service_name) {
        (Some(agent), _) => (ActorType::Agent, Some(agent.clone())),
        (None, service) => (ActorType::System, service.clone()),
    };
    let payloads = payloads(&evaluation, step);
    let entry = AuditEntry {
        category: AuditCategory::Governance,
        event_type: POLICY_EVALUATED.to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: evaluation.guardrail,
        actor_type,
        actor_id,
        verdict: evaluation.verdict,
        action: evaluation.action,
        policy_id: evaluation.policy_id,
        rule_id: evaluation.rule_id,
        run_id: None,
        correlation_id: Some(step.trace_id.as_str().to_owned()),
        source_component: "otlp".to_owned(),
        // A verdict is there when the span ends.
        occurred_at: step.ended_at(),
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    };
    DraftAudit { entry, payloads }
}

/// The reason, and which span said so.
fn payloads(evaluation: &Evaluation, step: &TraceStep) -> Vec<DraftPayload> {
    let mut state = json!({
        "evidence": evaluation.evidence,
        "span_id": step.span_id,
        "step_kind": step.kind.as_str(),
        "trace_id": step.trace_id.as_str(),
    });
    if let Some(target) = &evaluation.target {
        state["target"] = Value::String(target.clone());
    }
    let reason = evaluation.reason.as_deref().and_then(|reason| {
        // Cut and cleaned first, so that it cannot be refused: a span is not lost for a guardrail's long reason. Redacted
        // before it is cut: half a secret would look like none.
        reason_text(&clip(&redact_text(&without_nul(reason)), REASON_BYTES_MAX)).ok()
    });
    let reason = reason.map(|text| DraftPayload { part: PayloadPart::ActionReason, text });
    let state = canonical(&state).ok().map(|text| DraftPayload { part: PayloadPart::AfterState, text });
    reason.into_iter().chain(state).collect()
}
