//! How a span ended. Only the span's status says that it failed: an exception event alone is one that was handled, or the
//! status would say so.

use super::Found;
use super::table::Slot;
use crate::capture::text::label;
use crate::domain::vocabulary::{OutcomeCategory, StepStatus};

/// The end of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// SUCCESS or FAILURE.
    pub status: StepStatus,
    /// The kind of outcome.
    pub category: OutcomeCategory,
    /// `error.type`, else the HTTP status, else the exception's type; redacted.
    pub code: Option<String>,
    /// `error.type`, else the exception's type; redacted.
    pub error_type: Option<String>,
    /// It ran out of time.
    pub is_timeout: bool,
}

/// What is known of a failure beside the attributes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failure<'a> {
    /// The message of the span's status.
    pub message: &'a str,
    /// `exception.type` of the last exception event.
    pub exception_type: Option<&'a str>,
}

/// The outcome of a span.
#[must_use]
pub fn outcome(found: &Found<'_>, is_error: bool, failure: Failure<'_>) -> Outcome {
    let said_type = found.text(Slot::ErrorType);
    let error_type = said_type.as_deref().or(failure.exception_type.filter(|_| is_error)).and_then(label);
    if !is_error {
        let code = said_type.as_deref().and_then(label);
        return Outcome {
            status: StepStatus::Success,
            category: OutcomeCategory::Success,
            code,
            error_type,
            is_timeout: false,
        };
    }
    let message = first_line(failure.message);
    let http_status = found
        .integer(Slot::HttpStatus)
        .filter(|status| (400..600).contains(status))
        .or_else(|| {
            said_type.as_deref().and_then(|text| text.trim().parse().ok()).filter(|status| (400..600).contains(status))
        })
        .or_else(|| status_in(message));
    let named = said_type.as_deref().or(failure.exception_type).unwrap_or_default();
    let category = of_name(named)
        .or_else(|| http_status.map(of_http))
        .or_else(|| of_message(message))
        .unwrap_or(OutcomeCategory::Permanent);
    let is_timeout = category == OutcomeCategory::Transient
        && (is_timeout(named) || matches!(http_status, Some(408 | 504)) || (named.is_empty() && is_timeout(message)));
    let code = said_type
        .as_deref()
        .and_then(label)
        .or_else(|| http_status.map(|status| status.to_string()))
        .or_else(|| error_type.clone());
    Outcome { status: StepStatus::Failure, category, code, error_type, is_timeout }
}

/// The category that a code says, for callers that give a status and a code but no category.
#[must_use]
pub fn of_code(status: StepStatus, code: Option<&str>) -> OutcomeCategory {
    match status {
        StepStatus::Success => OutcomeCategory::Success,
        StepStatus::Skipped => OutcomeCategory::Unknown,
        StepStatus::Failure | StepStatus::Retry => {
            let Some(code) = code else { return OutcomeCategory::Unknown };
            let http = code.parse::<i64>().ok().filter(|status| (400..600).contains(status));
            of_name(code).or_else(|| http.map(of_http)).unwrap_or(OutcomeCategory::Permanent)
        }
    }
}

/// Whether a code says that time ran out.
#[must_use]
pub fn is_timeout(text: &str) -> bool {
    holds(text, &["timeout", "timed out", "timed_out", "time_out", "deadline"])
}

/// By the name of an error: `error.type`, or the class of an exception.
fn of_name(name: &str) -> Option<OutcomeCategory> {
    if is_timeout(name) {
        Some(OutcomeCategory::Transient)
    } else if holds(name, &["cancel", "abort", "interrupt"]) {
        Some(OutcomeCategory::Cancelled)
    } else if holds(
        name,
        &[
            "content_filter",
            "contentfilter",
            "content_policy",
            "contentpolicy",
            "guardrail",
            "policy_violation",
            "policyviolation",
            "safety",
            "moderation",
            "blocked",
            "refusal",
        ],
    ) {
        Some(OutcomeCategory::Policy)
    } else if holds(
        name,
        &[
            "ratelimit",
            "rate_limit",
            "too_many_requests",
            "toomanyrequests",
            "throttl",
            "overloaded",
            "unavailable",
            "internalserver",
            "internal_server",
            "server_error",
            "servererror",
            "badgateway",
            "bad_gateway",
            "resource_exhausted",
            "resourceexhausted",
            "connection",
            "econnre",
            "remoteprotocol",
        ],
    ) {
        Some(OutcomeCategory::Transient)
    } else {
        None
    }
}

fn of_http(status: i64) -> OutcomeCategory {
    match status {
        408 | 425 | 429 | 500..=599 => OutcomeCategory::Transient,
        499 => OutcomeCategory::Cancelled,
        _ => OutcomeCategory::Permanent,
    }
}

/// By the words of a status message, where neither a name nor a status code says more.
fn of_message(message: &str) -> Option<OutcomeCategory> {
    if is_timeout(message) || holds(message, &["rate limit", "too many requests", "overloaded", "server had an error"])
    {
        Some(OutcomeCategory::Transient)
    } else if holds(message, &["content filter", "content_filter", "content policy", "guardrail"]) {
        Some(OutcomeCategory::Policy)
    } else if holds(message, &["cancelled", "canceled"]) {
        Some(OutcomeCategory::Cancelled)
    } else {
        None
    }
}

/// What a status message says itself: some instrumentations append the stack trace, whose lines mention everything.
fn first_line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    let line = line.split("Traceback (most recent call").next().unwrap_or(line);
    &line[..crate::capture::text::floor_char_boundary(line, 512)]
}

/// The HTTP status that a message names: "Error code: 429", "status code 503".
fn status_in(message: &str) -> Option<i64> {
    ["code: ", "code ", "status: ", "status=", "HTTP "].iter().find_map(|before| {
        let at = message.find(before)? + before.len();
        let digits = message.get(at..at + 3)?;
        let ends = !message[at + 3..].starts_with(|next: char| next.is_alphanumeric());
        digits.parse().ok().filter(|status| ends && (400..600).contains(status))
    })
}

/// Whether a text holds one of some words, which are in lower case. Only the beginning of a long text is looked at.
fn holds(text: &str, words: &[&str]) -> bool {
    let head = &text[..crate::capture::text::floor_char_boundary(text, 2_048)];
    let lower = head.to_ascii_lowercase();
    words.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    use super::*;

    fn of(error_type: &str, http: Option<i64>, exception: Option<&str>, message: &str) -> Outcome {
        let attribute = |key: &str, value| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        };
        let mut attributes = vec![attribute("error.type", Value::StringValue(error_type.to_owned()))];
        attributes.extend(http.map(|status| attribute("http.response.status_code", Value::IntValue(status))));
        outcome(&Found::read(&attributes), true, Failure { message, exception_type: exception })
    }

    #[test]
    fn categories_of_real_errors() {
        use OutcomeCategory::{Cancelled, Permanent, Policy, Transient};
        for (outcome, category, code) in [
            (of("RateLimitError", None, None, ""), Transient, "RateLimitError"),
            (of("429", None, None, ""), Transient, "429"),
            (of("api_error", Some(500), None, ""), Transient, "api_error"),
            (of("authentication_error", Some(401), None, ""), Permanent, "authentication_error"),
            (of("connection_error", Some(200), None, ""), Transient, "connection_error"),
            (
                of("", None, Some("asyncio.exceptions.CancelledError"), ""),
                Cancelled,
                "asyncio.exceptions.CancelledError",
            ),
            (of("", None, Some("anthropic.BadRequestError"), "Error code: 400 - {}"), Permanent, "400"),
            (of("", None, None, "Error in agent run: {'error': 'Error code: 429 - Rate"), Transient, "429"),
            (of("", None, Some("AI_APICallError"), "Rate limit reached for requests"), Transient, "AI_APICallError"),
            (of("content_filter", Some(400), None, ""), Policy, "content_filter"),
            (of("RuntimeError", None, None, "upstream said 503"), Permanent, "RuntimeError"),
            (
                of("", None, Some("RuntimeError"), "RuntimeError('no')Traceback (most recent call last):\n timeout=3"),
                Permanent,
                "RuntimeError",
            ),
            (of("GuardrailTripwireTriggered", None, None, ""), Policy, "GuardrailTripwireTriggered"),
        ] {
            assert_eq!((outcome.category, outcome.code.as_deref()), (category, Some(code)));
            assert!(!outcome.is_timeout);
        }
    }

    #[test]
    fn time_outs_are_transient_and_known_as_such() {
        for outcome in [
            of("APITimeoutError", None, None, ""),
            of("timeout", None, None, ""),
            of("", None, Some("TimeoutError"), "The operation was aborted due to timeout"),
            of("DEADLINE_EXCEEDED", None, None, ""),
            of("gateway", Some(504), None, ""),
        ] {
            assert!(outcome.is_timeout && outcome.category == OutcomeCategory::Transient, "{outcome:?}");
        }
    }

    #[test]
    fn an_exception_that_was_handled_is_no_failure() {
        let outcome = outcome(&Found::read(&[]), false, Failure { message: "", exception_type: Some("Error") });
        assert_eq!((outcome.status, outcome.category), (StepStatus::Success, OutcomeCategory::Success));
        assert_eq!((outcome.code, outcome.error_type), (None, None));
    }

    #[test]
    fn codes_redact() {
        assert_eq!(of("key sk-live-abc123", None, None, "").code.as_deref(), Some("key [REDACTED]"));
    }
}
