//! Policy activations that callers hand in: checked and redacted; and the audit entry that goes with each.

use serde_json::json;

use super::input::{check_component, checked_label};
use super::json::canonical;
use super::redact::redact_json;
use crate::domain::audit::AuditEntry;
use crate::domain::audit_events::POLICY_ACTIVATED;
use crate::domain::draft::DraftPayload;
use crate::domain::ids::check_name;
use crate::domain::payload::PayloadPart;
use crate::domain::policy::{CONFIDENCE_PPM_MAX, PolicyActivation, PolicyActivationInput};
use crate::domain::scope::Actor;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{ActorType, AuditCategory, AuditEntityType};
use crate::error::{Error, Result};

const HUMAN: &str = "human:";

/// A policy activation as it is recorded.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field.
pub fn activation(input: PolicyActivationInput, now: Timestamp) -> Result<PolicyActivation> {
    check_name("sourcePatternId", &input.source_pattern_id)?;
    for (field, id) in [
        ("sourceRecoveryId", &input.source_recovery_id),
        ("loopTraceId", &input.loop_trace_id),
        ("actorId", &input.actor_id),
    ] {
        id.as_deref().map_or(Ok(()), |id| check_name(field, id))?;
    }
    if !(0..=CONFIDENCE_PPM_MAX).contains(&input.confidence_ppm) {
        let message = format!("confidence lies between 0 and 1, got {} millionths", input.confidence_ppm);
        return Err(Error::input("confidence", message));
    }
    let approver = approver(&input.approval_path)?.map(str::to_owned);
    if input.actor_id.is_some() && input.actor_type.is_none() && approver.is_none() {
        return Err(Error::input("actorType", "actorId needs to be told what kind of actor it is; set actorType"));
    }
    Ok(PolicyActivation {
        policy_id: checked_label("policyId", Some(input.policy_id))?.unwrap_or_default(),
        source_pattern_id: input.source_pattern_id,
        source_recovery_id: input.source_recovery_id,
        confidence_ppm: input.confidence_ppm,
        confidence_version: checked_label("confidenceVersion", Some(input.confidence_version))?.unwrap_or_default(),
        approval_path: input.approval_path,
        loop_trace_id: input.loop_trace_id,
        actor_type: input.actor_type.or(approver.is_some().then_some(ActorType::Human)),
        actor_id: input.actor_id.or(approver),
        source_component: check_component(input.source_component)?,
        activated_at: input.activated_at.unwrap_or(now),
    })
}

/// The person of `human:<id>`; `None` for the other two paths.
fn approver(path: &str) -> Result<Option<&str>> {
    match path.strip_prefix(HUMAN) {
        Some(id) => check_name("approvalPath", id).map(|()| Some(id)),
        None if matches!(path, "auto" | "threshold") => Ok(None),
        None => {
            let message = format!("approvalPath is auto, threshold, or human: and the person's id, got {path:.64?}");
            Err(Error::input("approvalPath", message))
        }
    }
}

/// The audit entry of an activation, its commitment still absent. The actor is the one who activated, else the caller.
///
/// # Errors
/// As [`redact_json`].
pub fn activated(record: &PolicyActivation, caller: &Actor) -> Result<(AuditEntry, Vec<DraftPayload>)> {
    let (actor_type, actor_id) = match record.actor_type {
        Some(actor_type) => (actor_type, record.actor_id.clone()),
        None => (caller.actor_type, Some(caller.id.clone())),
    };
    let state = redact_json(json!({
        "approval_path": record.approval_path,
        "confidence_ppm": record.confidence_ppm,
        "confidence_version": record.confidence_version,
        "loop_trace_id": record.loop_trace_id,
        "policy_id": record.policy_id,
        "source_pattern_id": record.source_pattern_id,
        "source_recovery_id": record.source_recovery_id,
    }))?;
    let entry = AuditEntry {
        category: AuditCategory::Governance,
        event_type: POLICY_ACTIVATED.to_owned(),
        entity_type: AuditEntityType::PolicyRule,
        entity_id: record.policy_id.clone(),
        actor_type,
        actor_id,
        verdict: None,
        action: None,
        policy_id: Some(record.policy_id.clone()),
        rule_id: None,
        run_id: None,
        correlation_id: None,
        source_component: record.source_component.clone(),
        occurred_at: record.activated_at,
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    };
    Ok((entry, vec![DraftPayload { part: PayloadPart::AfterState, text: canonical(&state)? }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Detail;

    fn input(path: &str) -> PolicyActivationInput {
        PolicyActivationInput {
            policy_id: "p".to_owned(),
            source_pattern_id: "pattern".to_owned(),
            source_recovery_id: None,
            confidence_ppm: 870_000,
            confidence_version: "v1".to_owned(),
            approval_path: path.to_owned(),
            loop_trace_id: None,
            actor_type: None,
            actor_id: None,
            source_component: None,
            activated_at: None,
        }
    }

    fn refused(input: PolicyActivationInput) -> Detail {
        activation(input, Timestamp::default()).expect_err("wrong").detail().clone()
    }

    #[test]
    fn there_are_three_paths_of_approval() {
        let by = |path: &str| {
            let found = activation(input(path), Timestamp::default()).expect("valid");
            (found.actor_type, found.actor_id)
        };
        assert_eq!(by("auto"), (None, None));
        assert_eq!(by("threshold"), (None, None));
        assert_eq!(by("human:jane"), (Some(ActorType::Human), Some("jane".to_owned())));
        for wrong in ["", "Auto", "human", "human:", "robot:7"] {
            assert_eq!(refused(input(wrong)), Detail::Field("approvalPath".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn confidence_lies_between_0_and_1() {
        for (ppm, is_fine) in [(-1, false), (0, true), (1_000_000, true), (1_000_001, false)] {
            let found =
                activation(PolicyActivationInput { confidence_ppm: ppm, ..input("auto") }, Timestamp::default());
            assert_eq!(found.is_ok(), is_fine, "{ppm}");
        }
    }

    #[test]
    fn the_audit_entry_says_what_came_into_force_and_on_whose_word() {
        let caller = Actor { actor_type: ActorType::System, id: "key".to_owned() };
        let by = |path: &str| {
            let record = activation(input(path), Timestamp::default()).expect("valid");
            activated(&record, &caller).expect("valid")
        };
        let (entry, payloads) = by("human:jane");
        assert_eq!((entry.actor_type, entry.actor_id.as_deref()), (ActorType::Human, Some("jane")));
        assert_eq!((entry.category, entry.policy_id.as_deref()), (AuditCategory::Governance, Some("p")));
        assert!(payloads[0].text.contains("\"confidence_ppm\":870000"), "{}", payloads[0].text);
        let (entry, _) = by("auto");
        assert_eq!((entry.actor_type, entry.actor_id.as_deref()), (ActorType::System, Some("key")));
    }
}
