//! Audit entries that callers hand in: checked, their run lifted, their reason and states redacted.

use serde_json::Value;

use super::input::{check_component, checked_label, document};
use super::json::{canonical, check_text};
use super::redact::{REDACTED, redact_text};
use super::text::{clip, cut_name};
use crate::domain::audit::AuditEntry;
use crate::domain::audit_events;
use crate::domain::draft::{DraftAudit, DraftPayload};
use crate::domain::ids::{NAME_BYTES_MAX, RunId, check_name};
use crate::domain::input::AuditEntryInput;
use crate::domain::payload::PayloadPart;
use crate::domain::scope::Actor;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::ActorType;
use crate::error::{Error, Result};

/// The largest state of an audited thing, in bytes of canonical JSON.
pub const STATE_BYTES_MAX: usize = 65_536;
/// The longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 4_096;
/// Members of a state that name a run, the first that there is counts. The after state is looked at before the before
/// state: it says what holds now.
const RUN_MEMBERS: &[&str] = &["run_id", "runId", "source_run_id", "sourceRunId"];

/// An entry as it is recorded. `caller` acted where the entry names nobody.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for what is too long.
pub fn entry(input: AuditEntryInput, caller: &Actor, now: Timestamp) -> Result<DraftAudit> {
    audit_events::check(&input.event_type)?;
    let category = audit_events::category(&input.event_type, input.category)?;
    check_name("entityId", &input.entity_id)?;
    input.actor_id.as_deref().map_or(Ok(()), |id| check_name("actorId", id))?;
    let (actor_type, actor_id) = actor(input.actor_type, input.actor_id, caller)?;
    let source_component = check_component(input.source_component)?;
    let mut payloads = Vec::new();
    if let Some(reason) = input.reason {
        payloads.push(DraftPayload { part: PayloadPart::ActionReason, text: reason_text(&reason)? });
    }
    for (part, field, state) in
        [(PayloadPart::BeforeState, "before", input.before), (PayloadPart::AfterState, "after", input.after)]
    {
        if let Some(state) = state {
            payloads.push(DraftPayload { part, text: document(field, state, STATE_BYTES_MAX)? });
        }
    }
    let entry = AuditEntry {
        category,
        event_type: input.event_type,
        entity_type: input.entity_type,
        entity_id: input.entity_id,
        actor_type,
        actor_id,
        verdict: input.verdict,
        action: input.action,
        policy_id: checked_label("policyId", input.policy_id)?,
        rule_id: checked_label("ruleId", input.rule_id)?,
        run_id: input.run_id.or_else(|| lifted_run(&payloads)),
        correlation_id: checked_label("correlationId", input.correlation_id)?,
        source_component,
        occurred_at: input.occurred_at.unwrap_or(now),
        action_reason_commitment: None,
        before_state_commitment: None,
        after_state_commitment: None,
    };
    Ok(DraftAudit { entry, payloads })
}

/// Who acted: as the caller says, else the caller.
fn actor(
    actor_type: Option<ActorType>,
    actor_id: Option<String>,
    caller: &Actor,
) -> Result<(ActorType, Option<String>)> {
    match (actor_type, actor_id) {
        (Some(actor_type), actor_id) => Ok((actor_type, actor_id)),
        (None, None) => Ok((caller.actor_type, Some(cut_name(&caller.id, NAME_BYTES_MAX).into_owned()))),
        (None, Some(_)) => {
            Err(Error::input("actorType", "actorType says what kind of actor actorId is; give both or neither"))
        }
    }
}

/// A reason as canonical JSON, redacted.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`REASON_BYTES_MAX`], `BAD_USER_INPUT` for U+0000.
pub fn reason_text(reason: &str) -> Result<String> {
    if reason.len() > REASON_BYTES_MAX {
        let message = format!("reason has at most {REASON_BYTES_MAX} bytes, got {}; put more into after", reason.len());
        return Err(Error::limit(message, REASON_BYTES_MAX as u64, Some(reason.len() as u64)));
    }
    check_text("reason", reason)?;
    canonical(&Value::String(clip(&redact_text(reason), REASON_BYTES_MAX * 2).into_owned()))
}

/// The run that the states name, as they are stored: what redaction took away is not brought back through a column.
fn lifted_run(payloads: &[DraftPayload]) -> Option<RunId> {
    [PayloadPart::AfterState, PayloadPart::BeforeState].into_iter().find_map(|part| {
        let payload = payloads.iter().find(|payload| payload.part == part)?;
        let state: Value = serde_json::from_str(&payload.text).ok()?;
        let named = RUN_MEMBERS.iter().filter_map(|member| state.get(member)?.as_str());
        named.filter(|name| *name != REDACTED).find_map(|name| RunId::parse(name).ok())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::vocabulary::{AuditAction, AuditCategory, AuditEntityType, Verdict};
    use crate::error::{Code, Detail};

    fn caller() -> Actor {
        Actor { actor_type: ActorType::System, id: "key:7".to_owned() }
    }

    fn input() -> AuditEntryInput {
        AuditEntryInput {
            category: None,
            event_type: "LimitBreached".to_owned(),
            entity_type: AuditEntityType::Limit,
            entity_id: "limit-1".to_owned(),
            actor_type: None,
            actor_id: None,
            verdict: Some(Verdict::Deny),
            action: Some(AuditAction::Blocked),
            policy_id: None,
            rule_id: None,
            run_id: None,
            correlation_id: None,
            source_component: None,
            occurred_at: None,
            reason: None,
            before: None,
            after: None,
        }
    }

    fn captured(input: AuditEntryInput) -> DraftAudit {
        entry(input, &caller(), Timestamp::default()).expect("an entry")
    }

    fn refused(input: AuditEntryInput) -> Error {
        entry(input, &caller(), Timestamp::default()).expect_err("refused")
    }

    #[test]
    fn what_is_left_out_follows_from_type_and_caller() {
        let draft = captured(input());
        assert_eq!(draft.entry.category, AuditCategory::Governance);
        assert_eq!((draft.entry.actor_type, draft.entry.actor_id.as_deref()), (ActorType::System, Some("key:7")));
        assert_eq!((draft.entry.source_component.as_str(), draft.entry.occurred_at), ("graphql", Timestamp::default()));
        let draft = captured(AuditEntryInput { actor_type: Some(ActorType::Human), ..input() });
        assert_eq!(draft.entry.actor_id, None, "a person without a name is not the caller");
        let nameless = refused(AuditEntryInput { actor_id: Some("jo".to_owned()), ..input() });
        assert_eq!(nameless.detail(), &Detail::Field("actorType".to_owned()));
    }

    #[test]
    fn the_run_is_lifted_from_the_states_where_none_was_sent() {
        let run = |before: Option<Value>, after: Option<Value>| {
            captured(AuditEntryInput { before, after, ..input() }).entry.run_id.map(|run| run.as_str().to_owned())
        };
        assert_eq!(run(None, Some(json!({"run_id": "a", "source_run_id": "b"}))).as_deref(), Some("a"));
        assert_eq!(run(Some(json!({"run_id": "a"})), Some(json!({"source_run_id": "b"}))).as_deref(), Some("b"));
        assert_eq!(run(Some(json!({"sourceRunId": "a"})), None).as_deref(), Some("a"));
        assert_eq!(run(Some(json!({"run_id": 7})), Some(json!({"run_id": "", "runId": "c"}))).as_deref(), Some("c"));
        assert_eq!(run(None, Some(json!({"nested": {"run_id": "a"}}))), None);
        assert_eq!(run(None, Some(json!({"run_id": "jane.doe@example.test"}))), None, "redacted is not lifted");
        let given =
            AuditEntryInput { run_id: Some(RunId::trusted("given")), after: Some(json!({"run_id": "a"})), ..input() };
        assert_eq!(captured(given).entry.run_id, Some(RunId::trusted("given")));
    }

    #[test]
    fn reason_and_states_are_redacted_canonical_json() {
        let draft = captured(AuditEntryInput {
            reason: Some("asked by jane.doe@example.test".to_owned()),
            before: Some(json!({"password": "hunter2", "b": 1, "a": 1.0})),
            after: Some(json!(["sk-live-abc123"])),
            ..input()
        });
        let texts: Vec<_> = draft.payloads.iter().map(|payload| (payload.part, payload.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (PayloadPart::ActionReason, "\"asked by [REDACTED]\""),
                (PayloadPart::BeforeState, "{\"a\":1,\"b\":1,\"password\":\"[REDACTED]\"}"),
                (PayloadPart::AfterState, "[\"[REDACTED]\"]"),
            ]
        );
    }

    #[test]
    fn every_cap_is_named() {
        let long = refused(AuditEntryInput { reason: Some("x".repeat(REASON_BYTES_MAX + 1)), ..input() });
        assert_eq!(long.detail(), &Detail::Limit { limit: 4_096, value: Some(4_097) });
        let large = refused(AuditEntryInput { after: Some(json!("x".repeat(STATE_BYTES_MAX))), ..input() });
        assert_eq!(large.code(), Code::LimitExceeded);
        for (field, wrong) in [
            ("entityId", AuditEntryInput { entity_id: String::new(), ..input() }),
            ("policyId", AuditEntryInput { policy_id: Some("x".repeat(129)), ..input() }),
            ("sourceComponent", AuditEntryInput { source_component: Some("OTLP".to_owned()), ..input() }),
            ("before", AuditEntryInput { before: Some(json!(9_007_199_254_740_992_i64)), ..input() }),
            ("reason", AuditEntryInput { reason: Some("a\0".to_owned()), ..input() }),
        ] {
            assert_eq!(refused(wrong).detail(), &Detail::Field(field.to_owned()));
        }
    }
}
