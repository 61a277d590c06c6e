//! Checks of what callers hand in, each with its own error, and the redaction of their labels.

use crate::capture::genai::provider;
use crate::capture::redact::redact_text;
use crate::capture::text::{NAME_BYTES_MAX, TAGS_MAX, cut_name};
use crate::domain::audit_events::RESERVED_COMPONENTS;
use crate::domain::ids::check_name;
use crate::domain::input::{NUMBER_MAX, RUN_TOKENS_MAX, RunInput, STEP_TOKENS_MAX, StepInput, check_range};
use crate::domain::vocabulary::RecordSource;
use crate::error::{Error, Result};

/// The writer of what comes through the API, unless the caller names another.
const GRAPHQL: &str = "graphql";

/// A step's input, its labels redacted and everything checked but its contents and the size of its attributes.
pub(super) fn checked_step(mut input: StepInput) -> Result<StepInput> {
    for (field, id) in [
        ("parentSpanId", &input.parent_span_id),
        ("idempotencyKey", &input.idempotency_key),
        ("duplicateOf", &input.duplicate_of),
    ] {
        id.as_deref().map_or(Ok(()), |id| check_name(field, id))?;
    }
    for (field, other) in [("parentSpanId", &input.parent_span_id), ("duplicateOf", &input.duplicate_of)] {
        if let Some(span_id) = input.span_id.as_ref().filter(|span_id| Some(*span_id) == other.as_ref()) {
            return Err(Error::input(
                field,
                format!("{field} names another step, got the step's own spanId {span_id:?}"),
            ));
        }
    }
    input.attempt.map(|attempt| check_range("attempt", attempt, 1..=i64::from(i32::MAX))).transpose()?;
    for (field, number, most) in [
        ("inputTokens", input.input_tokens, STEP_TOKENS_MAX),
        ("outputTokens", input.output_tokens, STEP_TOKENS_MAX),
        ("costUsd", input.cost_micros, NUMBER_MAX),
        ("durationMs", Some(input.duration_us), NUMBER_MAX),
    ] {
        check_number(field, number, most)?;
    }
    if input.attributes.as_ref().is_some_and(|attributes| !attributes.is_object()) {
        return Err(Error::input("attributes", "attributes is a JSON object"));
    }
    input.skill_name = label("skillName", Some(input.skill_name))?.unwrap_or_default();
    input.provider = label("provider", input.provider)?.map(|name| provider::normalise(&name).into_owned());
    for (field, text) in
        [("outcomeCode", &mut input.outcome_code), ("model", &mut input.model), ("responseId", &mut input.response_id)]
    {
        *text = label(field, text.take())?;
    }
    Ok(input)
}

/// A run's input, its labels redacted and everything checked; contents are left to `content_hash`.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, `LIMIT_EXCEEDED` for too many tags.
pub fn checked_run(mut input: RunInput) -> Result<RunInput> {
    check_source(input.source)?;
    check_scenario(input.is_synthetic, input.synthetic_scenario_id.as_deref())?;
    for (field, id) in [("endUserId", &input.end_user_id), ("actorId", &input.actor_id)] {
        id.as_deref().map_or(Ok(()), |id| check_name(field, id))?;
    }
    for (field, number, most) in [
        ("inputTokens", input.input_tokens, RUN_TOKENS_MAX),
        ("outputTokens", input.output_tokens, RUN_TOKENS_MAX),
        ("cachedInputTokens", input.cached_input_tokens, RUN_TOKENS_MAX),
        ("reasoningTokens", input.reasoning_tokens, RUN_TOKENS_MAX),
        ("timeToFirstTokenMs", input.time_to_first_token_us, NUMBER_MAX),
        ("costUsd", input.cost_micros, NUMBER_MAX),
    ] {
        check_number(field, number, most)?;
    }
    if input.started_at.zip(input.completed_at).is_some_and(|(start, end)| end < start) {
        return Err(Error::input("completedAt", "completedAt lies before startedAt"));
    }
    if input.tags.len() > TAGS_MAX {
        let sent = u64::try_from(input.tags.len()).unwrap_or(u64::MAX);
        return Err(Error::limit(
            format!("a run has at most {TAGS_MAX} tags, got {sent}; send fewer"),
            TAGS_MAX as u64,
            Some(sent),
        ));
    }
    let tags = std::mem::take(&mut input.tags);
    input.tags = tags
        .into_iter()
        .enumerate()
        .map(|(at, tag)| Ok(label(&format!("tags[{at}]"), Some(tag))?.unwrap_or_default()))
        .collect::<Result<_>>()?;
    input.provider = label("provider", input.provider)?.map(|name| provider::normalise(&name).into_owned());
    for (field, text) in [("syntheticScenarioId", &mut input.synthetic_scenario_id), ("model", &mut input.model)] {
        *text = label(field, text.take())?;
    }
    for (field, text) in input.texts.each_mut().filter(|(_, text)| text.is_some()) {
        *text = label(&camel(field), text.take())?;
    }
    Ok(input)
}

/// A field's name as the API writes it.
fn camel(field: &str) -> String {
    let words = field.split('_').enumerate();
    let word = |(at, word): (usize, &str)| match (at, word.chars().next()) {
        (1.., Some(first)) => first.to_uppercase().chain(word.chars().skip(1)).collect(),
        _ => word.to_owned(),
    };
    words.map(word).collect()
}

/// A name, label or identifier as it is stored: checked, then redacted, as OTLP's are. Only who acted or was served, and
/// the names by which records are found, are kept as they are.
pub(in crate::capture) fn label(field: &str, text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    check_name(field, &text)?;
    let redacted = redact_text(&text);
    Ok(Some(cut_name(&redacted, NAME_BYTES_MAX).into_owned()))
}

pub(super) fn check_scenario(is_synthetic: bool, scenario: Option<&str>) -> Result<()> {
    match (is_synthetic, scenario) {
        (true, None) => {
            Err(Error::input("syntheticScenarioId", "synthetic data names its scenario; set syntheticScenarioId"))
        }
        (false, Some(_)) => {
            let message =
                "syntheticScenarioId names the scenario of test data, but isSynthetic is false; set both or neither";
            Err(Error::input("syntheticScenarioId", message))
        }
        _ => Ok(()),
    }
}

/// What a caller may say of who brings a run: what the server brings itself, nobody else does.
fn check_source(source: Option<RecordSource>) -> Result<()> {
    match source {
        Some(own @ (RecordSource::Otlp | RecordSource::System)) => {
            let own = own.as_str();
            let message =
                format!("source is API, SDK, SYNTHETIC or WORKER, got {own}: OTLP and SYSTEM are the server's own");
            Err(Error::input("source", message))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_number(field: &str, number: Option<i64>, most: i64) -> Result<()> {
    number.map_or(Ok(()), |number| check_range(field, number, 0..=most).map(drop))
}

pub(in crate::capture) fn check_length(field: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let sent = u64::try_from(text.len()).unwrap_or(u64::MAX);
    Err(Error::limit(format!("{field} has at most {bytes_max} bytes, got {sent}; shorten it"), limit, Some(sent)))
}

/// The writer of a record: what the caller said, else `graphql`. Names of the server's own parts cannot be taken.
pub(in crate::capture) fn check_component(component: Option<String>) -> Result<String> {
    let Some(component) = label("sourceComponent", component)? else { return Ok(GRAPHQL.to_owned()) };
    // Neither case nor what stands between and around the letters makes it another name to a reader.
    let letters: String =
        component.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if RESERVED_COMPONENTS.contains(&letters.as_str()) {
        let names = RESERVED_COMPONENTS.join(", ");
        let message = format!(
            "sourceComponent {component:?} is a name of the server's own parts ({names}); name the service that wrote this, or \
             leave it out"
        );
        return Err(Error::input("sourceComponent", message));
    }
    Ok(component)
}
