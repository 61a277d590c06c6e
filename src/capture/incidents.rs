//! Incident evidence that callers hand in: checked and redacted.

use super::input::{check_bytes, check_component, checked_label};
use super::redact::redact_text;
use super::text::{clip, without_nul};
use crate::domain::ids::check_name;
use crate::domain::incident::{IncidentEvidence, IncidentInput, TITLE_BYTES_MAX};
use crate::domain::input::{NUMBER_MAX, check_range};
use crate::error::{Error, Result};

/// Room for what [`clip`] says behind a title that redaction has made longer.
const CLIP_BYTES: usize = 48;

/// Incident evidence as it is recorded.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for a title that is too long.
pub fn incident(input: IncidentInput, revision: i64) -> Result<IncidentEvidence> {
    check_name("incidentId", &input.incident_id)?;
    for (field, index) in
        [("violationStepIndex", input.violation_step_index), ("inflectionStepIndex", input.inflection_step_index)]
    {
        check_step(field, index, input.source_run_id.is_some())?;
    }
    for (field, number) in [("threshold", &input.threshold), ("actual", &input.actual)] {
        number.as_deref().map_or(Ok(()), |number| check_decimal(field, number))?;
    }
    if input.resolved_at.is_some_and(|resolved| resolved < input.opened_at) {
        return Err(Error::input("resolvedAt", "resolvedAt lies before openedAt"));
    }
    Ok(IncidentEvidence {
        incident_id: input.incident_id,
        revision,
        severity: input.severity,
        status: checked_label("status", Some(input.status))?.unwrap_or_default(),
        title: title(&input.title)?,
        source_run_id: input.source_run_id,
        policy_id: checked_label("policyId", input.policy_id)?,
        violation_type: checked_label("violationType", input.violation_type)?,
        violation_at: input.violation_at,
        violation_step_index: input.violation_step_index,
        threshold: input.threshold,
        actual: input.actual,
        inflection_at: input.inflection_at,
        inflection_step_index: input.inflection_step_index,
        opened_at: input.opened_at,
        resolved_at: input.resolved_at,
        correlation_id: checked_label("correlationId", input.correlation_id)?,
        source_component: check_component(input.source_component)?,
    })
}

/// One line without secrets, at most [`TITLE_BYTES_MAX`] bytes before and after.
fn title(title: &str) -> Result<String> {
    check_bytes("title", title, TITLE_BYTES_MAX)?;
    let redacted = redact_text(title.trim());
    let clean = without_nul(&redacted);
    if clean.is_empty() {
        return Err(Error::input("title", "title says in one line what the incident is; it is empty"));
    }
    let max = if clean.len() > TITLE_BYTES_MAX { TITLE_BYTES_MAX - CLIP_BYTES } else { TITLE_BYTES_MAX };
    Ok(clip(&clean, max).into_owned())
}

fn check_step(field: &str, index: Option<i64>, has_run: bool) -> Result<()> {
    let Some(index) = index else { return Ok(()) };
    check_range(field, index, 0..=NUMBER_MAX)?;
    if !has_run {
        return Err(Error::input(field, format!("{field} is a step of the run; set sourceRunId too")));
    }
    Ok(())
}

/// A decimal number as it is kept: its text, digits as they were written.
fn check_decimal(field: &str, number: &str) -> Result<()> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if number.len() <= 64 && is_digits(whole) && is_digits(fraction) {
        return Ok(());
    }
    Err(Error::input(
        field,
        format!("{field} is a decimal number of at most 64 digits, for example \"0.25\", got {number:.80}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::RunId;
    use crate::domain::time::Timestamp;
    use crate::domain::vocabulary::IncidentSeverity;
    use crate::error::{Code, Detail};

    fn input() -> IncidentInput {
        IncidentInput {
            incident_id: "INC-1".to_owned(),
            supersedes_revision: None,
            severity: IncidentSeverity::High,
            status: "OPEN".to_owned(),
            title: "a title".to_owned(),
            source_run_id: Some(RunId::trusted("r")),
            policy_id: None,
            violation_type: None,
            violation_at: None,
            violation_step_index: None,
            threshold: Some("-0.50".to_owned()),
            actual: Some("12".to_owned()),
            inflection_at: None,
            inflection_step_index: Some(0),
            opened_at: Timestamp::default(),
            resolved_at: None,
            correlation_id: None,
            source_component: None,
        }
    }

    fn refused(input: IncidentInput) -> Detail {
        incident(input, 1).expect_err("wrong").detail().clone()
    }

    #[test]
    fn texts_are_redacted_and_numbers_stay_as_written() {
        let told = IncidentInput {
            title: " mail to jane.doe@example.test ".to_owned(),
            status: "seen by jane.doe@example.test".to_owned(),
            violation_type: Some("leak of sk-abcdefghijklmnopqrstuvwxyz123456".to_owned()),
            ..input()
        };
        let found = incident(told, 3).expect("valid");
        assert_eq!((found.title.as_str(), found.status.as_str()), ("mail to [REDACTED]", "seen by [REDACTED]"));
        assert!(!found.violation_type.expect("kept").contains("sk-abc"));
        assert_eq!((found.revision, found.source_component.as_str()), (3, "graphql"));
        assert_eq!(found.threshold.as_deref(), Some("-0.50"));
    }

    #[test]
    fn a_title_has_512_bytes_even_after_redaction() {
        let error = incident(IncidentInput { title: "x".repeat(513), ..input() }, 1).expect_err("too long");
        assert_eq!(
            (error.code(), error.detail()),
            (Code::LimitExceeded, &Detail::Limit { limit: 512, value: Some(513) })
        );
        assert_eq!(incident(IncidentInput { title: "x".repeat(512), ..input() }, 1).expect("just").title.len(), 512);
        let grows = "a@b.co ".repeat(73);
        let found = incident(IncidentInput { title: grows, ..input() }, 1).expect("valid");
        assert!(found.title.len() <= 512 && !found.title.contains('@'), "{}", found.title);
        assert_eq!(refused(IncidentInput { title: " ".to_owned(), ..input() }), Detail::Field("title".to_owned()));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let field = |name: &str| Detail::Field(name.to_owned());
        assert_eq!(refused(IncidentInput { incident_id: String::new(), ..input() }), field("incidentId"));
        assert_eq!(refused(IncidentInput { status: String::new(), ..input() }), field("status"));
        assert_eq!(refused(IncidentInput { violation_step_index: Some(-1), ..input() }), field("violationStepIndex"));
        assert_eq!(refused(IncidentInput { source_run_id: None, ..input() }), field("inflectionStepIndex"));
        for wrong in ["", "1e5", ".5", "5.", "NaN", "1,5", "--1"] {
            assert_eq!(
                refused(IncidentInput { actual: Some(wrong.to_owned()), ..input() }),
                field("actual"),
                "{wrong}"
            );
        }
        let forged = IncidentInput { source_component: Some("Server".to_owned()), ..input() };
        assert_eq!(refused(forged), field("sourceComponent"));
        let early = Timestamp::default().plus_micros(-1);
        assert_eq!(refused(IncidentInput { resolved_at: Some(early), ..input() }), field("resolvedAt"));
    }
}
