//! The words that tools have for what a rule said and what was done.

use serde_json::Value;

use crate::domain::vocabulary::{AuditAction, Verdict};

/// A verdict, and an action where the word names one.
pub(super) type Said = (Verdict, Option<AuditAction>);

/// What a word says; in lower case. Words like `fail` judge, words like `block` act too.
pub(super) fn decision(word: &str) -> Option<Said> {
    Some(match word.trim() {
        "allow" | "allowed" | "approve" | "approved" | "accept" | "accepted" | "permit" | "permitted" => {
            (Verdict::Allow, Some(AuditAction::Allowed))
        }
        "pass" | "passed" | "safe" | "ok" | "clean" | "success" | "valid" => (Verdict::Allow, None),
        "deny"
        | "denied"
        | "block"
        | "blocked"
        | "reject"
        | "rejected"
        | "intervened"
        | "guardrail_intervened"
        | "halt"
        | "halted"
        | "stop"
        | "stopped" => (Verdict::Deny, Some(AuditAction::Blocked)),
        "fail" | "failed" | "unsafe" | "invalid" | "violation" => (Verdict::Deny, None),
        "warn" | "warning" | "warned" => (Verdict::Warn, Some(AuditAction::Allowed)),
        "flag" | "flagged" => (Verdict::Warn, None),
        "audit" | "log" | "logged" | "monitor" => (Verdict::Warn, Some(AuditAction::None)),
        "modify" | "modified" | "redact" | "redacted" | "mask" | "masked" | "anonymize" | "anonymized" | "sanitize"
        | "sanitized" | "rewrite" | "rewritten" => (Verdict::Modify, Some(AuditAction::Modified)),
        "escalate" | "escalated" | "review" | "human_review" | "require_approval" => {
            (Verdict::Escalate, Some(AuditAction::Escalated))
        }
        _ => return None,
    })
}

/// What a word says was said.
pub(super) fn verdict(word: &str) -> Option<Verdict> {
    decision(word).map(|said| said.0)
}

/// What a word says was done.
pub(super) fn action(word: &str) -> Option<AuditAction> {
    match word.trim() {
        "override" | "overridden" => Some(AuditAction::Overridden),
        "none" | "no_action" => Some(AuditAction::None),
        "pass" | "passed" => Some(AuditAction::Allowed),
        word => decision(word)?.1,
    }
}

/// A tripwire halts the agent, or lets it go on.
pub(super) fn triggered(is_triggered: bool) -> Said {
    match is_triggered {
        true => (Verdict::Deny, Some(AuditAction::Blocked)),
        false => (Verdict::Allow, Some(AuditAction::Allowed)),
    }
}

/// A moderation judges and does nothing itself.
pub(super) fn flagged(is_flagged: bool) -> Said {
    (if is_flagged { Verdict::Deny } else { Verdict::Allow }, Some(AuditAction::None))
}

/// What the answer of a guardrail says: a word, a word with an explanation behind a colon, or JSON that holds one.
pub(super) fn of_output(text: &str) -> Option<Said> {
    let text = text.trim();
    if text.starts_with(['{', '[']) {
        return of_json(&serde_json::from_str(text).ok()?);
    }
    let word = text.split_once(':').map_or(text, |(word, _)| word);
    decision(&word.trim_matches(|edge: char| !edge.is_alphanumeric()).to_ascii_lowercase())
}

fn of_json(value: &Value) -> Option<Said> {
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let any = |names: &[&str]| names.iter().find_map(|name| flag(name));
    let good = |is_good: bool| (if is_good { Verdict::Allow } else { Verdict::Deny }, None);
    any(&["tripwire_triggered", "triggered"])
        .map(triggered)
        .or_else(|| flag("flagged").map(flagged))
        .or_else(|| any(&["passed", "validation_passed", "valid", "is_safe", "safe", "is_valid"]).map(good))
        .or_else(|| {
            let words = ["decision", "action", "verdict", "result", "status"];
            words.iter().find_map(|name| decision(&value.get(name)?.as_str()?.to_ascii_lowercase()))
        })
        // OpenAI's moderation lists one result for each input: any that is flagged counts.
        .or_else(|| {
            let results = value.get("results").unwrap_or(value).as_array()?;
            let flags = results.iter().filter_map(|result| result.get("flagged")?.as_bool());
            flags.reduce(|any, flag| any || flag).map(flagged)
        })
}

/// Whether a finish reason says that a filter stopped the answer; in lower case.
pub(super) fn is_filter(reason: &str) -> bool {
    matches!(
        reason.trim(),
        "content_filter"
            | "content-filter"
            | "content_filtered"
            | "contentfilter"
            | "safety"
            | "prohibited_content"
            | "blocklist"
            | "spii"
            | "image_safety"
            | "model_armor"
            | "guardrail_intervened"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_guardrails_are_read_and_other_text_is_not() {
        let blocked = Some((Verdict::Deny, Some(AuditAction::Blocked)));
        assert_eq!(of_output("BLOCKED"), blocked);
        assert_eq!(of_output("FAIL: asks for a bomb"), Some((Verdict::Deny, None)));
        assert_eq!(of_output("Passed."), Some((Verdict::Allow, None)));
        assert_eq!(of_output(r#"{"tripwire_triggered": true, "output_info": {}}"#), blocked);
        assert_eq!(of_output(r#"{"decision": "redact"}"#), Some((Verdict::Modify, Some(AuditAction::Modified))));
        assert_eq!(of_output(r#"{"validation_passed": false}"#), Some((Verdict::Deny, None)));
        let moderation = r#"{"id":"modr-1","results":[{"flagged":false},{"flagged":true,"categories":{"hate":true}}]}"#;
        assert_eq!(of_output(moderation), Some((Verdict::Deny, Some(AuditAction::None))));
        for other in ["", "blocked users may write to us", "{", "{}", "[1]", r#"{"results": []}"#] {
            assert_eq!(of_output(other), None, "{other}");
        }
    }

    #[test]
    fn said_and_done_are_two_things() {
        assert_eq!((verdict("fail"), action("fail")), (Some(Verdict::Deny), None));
        assert_eq!((verdict("none"), action("none")), (None, Some(AuditAction::None)));
        assert_eq!((verdict("warn"), action("block")), (Some(Verdict::Warn), Some(AuditAction::Blocked)));
        assert_eq!(action("override"), Some(AuditAction::Overridden));
    }
}
