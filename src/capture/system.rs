//! System records that callers of the mutations hand in: checked, redacted, capped.

use super::input::{check_bytes, check_component, checked_label, document};
use super::json::check_text;
use super::redact::redact_text;
use super::text::floor_char_boundary;
use crate::domain::draft::DraftPayload;
use crate::domain::ids::check_name;
use crate::domain::payload::PayloadPart;
use crate::domain::system::{DraftSystemRecord, SystemRecord, SystemRecordInput};
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::SystemSeverity;
use crate::error::{Error, Result};

/// The longest summary, in bytes.
pub const SUMMARY_BYTES_MAX: usize = 512;
/// The largest details, in bytes of canonical JSON.
pub const DETAILS_BYTES_MAX: usize = 65_536;

/// A record as it is written.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for what is too long.
pub fn record(input: SystemRecordInput, now: Timestamp) -> Result<DraftSystemRecord> {
    input.actor_id.as_deref().map_or(Ok(()), |id| check_name("actorId", id))?;
    let details = input.details.map(|details| document("details", details, DETAILS_BYTES_MAX)).transpose()?;
    let record = SystemRecord {
        component: input.component,
        event_type: input.event_type,
        severity: input.severity.unwrap_or(SystemSeverity::Info),
        summary: checked_summary(&input.summary)?,
        caused_by: input.caused_by,
        actor_type: input.actor_type,
        actor_id: input.actor_id,
        correlation_id: checked_label("correlationId", input.correlation_id)?,
        service_name: checked_label("serviceName", input.service_name)?,
        service_instance_id: checked_label("serviceInstanceId", input.service_instance_id)?,
        source_component: check_component(input.source_component)?,
        occurred_at: input.occurred_at.unwrap_or(now),
        details_commitment: None,
    };
    let payloads = details.map(|text| DraftPayload { part: PayloadPart::Details, text }).into_iter().collect();
    Ok(DraftSystemRecord { record, payloads })
}

fn checked_summary(text: &str) -> Result<String> {
    check_bytes("summary", text, SUMMARY_BYTES_MAX)?;
    if text.trim().is_empty() {
        return Err(Error::input("summary", "summary says in one line what happened; it is empty"));
    }
    check_text("summary", text)?;
    Ok(summary(text))
}

/// The first bytes of a text, redacted before it is cut: half a secret would look like none.
#[must_use]
pub fn summary(text: &str) -> String {
    let redacted = redact_text(text.trim());
    let kept = floor_char_boundary(&redacted, SUMMARY_BYTES_MAX);
    redacted[..kept].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::audit_events::RESERVED_COMPONENTS;
    use crate::domain::vocabulary::{SystemComponent, SystemEventType};
    use crate::error::{Code, Detail};

    fn input() -> SystemRecordInput {
        SystemRecordInput {
            component: SystemComponent::Worker,
            event_type: SystemEventType::Deploy,
            severity: None,
            summary: "version 7".to_owned(),
            caused_by: None,
            actor_type: None,
            actor_id: None,
            correlation_id: None,
            service_name: None,
            service_instance_id: None,
            source_component: None,
            occurred_at: None,
            details: None,
        }
    }

    fn refused(input: SystemRecordInput) -> (Code, Detail) {
        let error = record(input, Timestamp::default()).expect_err("refused");
        (error.code(), error.detail().clone())
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let now = Timestamp::from_micros_clamped(7);
        let draft = record(input(), now).expect("valid");
        assert_eq!((draft.record.severity, draft.record.occurred_at), (SystemSeverity::Info, now));
        assert_eq!((draft.record.source_component.as_str(), draft.payloads.len()), ("graphql", 0));
    }

    #[test]
    fn summary_and_details_are_redacted() {
        let draft = record(
            SystemRecordInput {
                summary: "key for jane.doe@example.test rotated".to_owned(),
                details: Some(json!({ "password": "hunter2", "note": "ask jane.doe@example.test" })),
                ..input()
            },
            Timestamp::default(),
        );
        let draft = draft.expect("valid");
        assert_eq!(draft.record.summary, "key for [REDACTED] rotated");
        assert_eq!(draft.payloads[0].text, r#"{"note":"ask [REDACTED]","password":"[REDACTED]"}"#);
    }

    #[test]
    fn a_secret_across_the_cut_is_gone() {
        let text = format!("{}jane.doe@example.test", "x ".repeat(250));
        assert!(!summary(&text).contains("jane"));
        assert!(summary(&"é".repeat(400)).len() <= SUMMARY_BYTES_MAX);
    }

    #[test]
    fn everything_has_a_cap() {
        let too_long = SystemRecordInput { summary: "s".repeat(513), ..input() };
        assert_eq!(refused(too_long), (Code::LimitExceeded, Detail::Limit { limit: 512, value: Some(513) }));
        let empty = SystemRecordInput { summary: " ".to_owned(), ..input() };
        assert_eq!(refused(empty), (Code::BadUserInput, Detail::Field("summary".to_owned())));
        let large = SystemRecordInput { details: Some(json!({ "a": "x".repeat(65_536) })), ..input() };
        assert_eq!(refused(large).0, Code::LimitExceeded);
        for field in ["actorId", "correlationId", "serviceName", "serviceInstanceId", "sourceComponent"] {
            let mut input = input();
            let place = match field {
                "actorId" => &mut input.actor_id,
                "correlationId" => &mut input.correlation_id,
                "serviceName" => &mut input.service_name,
                "serviceInstanceId" => &mut input.service_instance_id,
                _ => &mut input.source_component,
            };
            *place = Some("n".repeat(129));
            assert_eq!(refused(input), (Code::BadUserInput, Detail::Field(field.to_owned())), "{field}");
        }
    }

    #[test]
    fn nobody_can_write_in_the_servers_name() {
        for name in RESERVED_COMPONENTS {
            for name in [(*name).to_owned(), name.to_ascii_uppercase()] {
                let forged = SystemRecordInput { source_component: Some(name), ..input() };
                assert_eq!(refused(forged).1, Detail::Field("sourceComponent".to_owned()));
            }
        }
    }
}
