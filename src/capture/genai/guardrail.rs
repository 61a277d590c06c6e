//! What guardrails, moderations and content filters said and did, as spans tell it.
//!
//! - Verdict (what was said) and action (what was done) are kept apart where the span keeps them apart. Where it has one
//!   decision for both, the decision is both. What the span does not say stays absent: nothing is made up.
//! - A tripwire that was triggered halts the agent: DENY and BLOCKED. A moderation that flags does nothing itself: DENY
//!   and NONE.
//! - A model call that a content filter ended is a verdict of that filter: DENY and BLOCKED. Filter results that found
//!   nothing are no decision and give nothing, or every call of some providers would give one.

mod words;

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use serde_json::Value;

use super::table::Slot;
use super::table::guardrail::{FILTER_RESULTS, FINDING_EVENTS};
use super::{Found, value};
use crate::domain::vocabulary::{AuditAction, OutcomeCategory, StepKind, Verdict};

/// Longest JSON that is looked into.
const JSON_BYTES_MAX: usize = 65_536;
/// How deep filter results may lie in it.
const DEPTH_MAX: u32 = 6;
/// Most categories of one filter that are told apart.
const CATEGORIES_MAX: usize = 32;

/// What a rule said of a span, and what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The guardrail or filter.
    pub guardrail: String,
    /// The policy that it applied.
    pub policy_id: Option<String>,
    /// The rule, or the kind of risk.
    pub rule_id: Option<String>,
    /// What it said.
    pub verdict: Option<Verdict>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// Why, in its own words; not redacted yet.
    pub reason: Option<String>,
    /// What it looked at.
    pub target: Option<String>,
    /// How it is known.
    pub evidence: &'static str,
}

/// A span, as far as rules are concerned.
#[derive(Clone, Copy, Debug)]
pub struct SpanFacts<'a> {
    /// Its attributes by meaning.
    pub found: &'a Found<'a>,
    /// All of its attributes.
    pub attributes: &'a [KeyValue],
    /// Its events.
    pub events: &'a [Event],
    /// What it did.
    pub kind: StepKind,
    /// What it calls itself.
    pub name: &'a str,
    /// The kind of its outcome.
    pub outcome: OutcomeCategory,
    /// The outcome in its own words; redacted.
    pub code: Option<&'a str>,
    /// The provider that was called.
    pub provider: Option<&'a str>,
}

/// What rules said of a span.
#[must_use]
pub fn evaluations(span: SpanFacts<'_>) -> Vec<Evaluation> {
    if let Some(evaluation) = by_guardrail(span) {
        return vec![evaluation];
    }
    let filtered = by_filter_results(span);
    if !filtered.is_empty() {
        return filtered;
    }
    by_end_of_call(span).into_iter().collect()
}

/// The span of a guardrail, or any span that carries a guardrail's decision.
fn by_guardrail(span: SpanFacts<'_>) -> Option<Evaluation> {
    let SpanFacts { found, .. } = span;
    let word = |slot| found.text(slot).map(|text| text.to_ascii_lowercase());
    let verdict = word(Slot::Verdict).and_then(|word| words::verdict(&word));
    let action = word(Slot::Action).and_then(|word| words::action(&word));
    let decision = word(Slot::Decision).and_then(|word| words::decision(&word));
    let triggered = flag(found, Slot::Triggered).map(words::triggered);
    let flagged = flag(found, Slot::Flagged).map(words::flagged);
    let says = [decision, triggered, flagged].into_iter().flatten();
    let is_guardrail = span.kind == StepKind::Guardrail;
    if !is_guardrail && verdict.is_none() && action.is_none() && says.clone().next().is_none() {
        return None;
    }
    let output = if is_guardrail { output(span.attributes).and_then(|text| words::of_output(&text)) } else { None };
    let stopped = (span.outcome == OutcomeCategory::Policy).then_some((Verdict::Deny, Some(AuditAction::Blocked)));
    let says: Vec<words::Said> = says.chain(output).chain(stopped).collect();
    let finding = |slot| {
        let events = span.events.iter().filter(|event| FINDING_EVENTS.contains(&event.name.as_str()));
        events.into_iter().find_map(|event| Found::read(&event.attributes).label(slot))
    };
    let name = found.label(Slot::GuardrailName).or_else(|| found.label(Slot::GuardrailId));
    let name = name.or_else(|| found.label(Slot::PartName).filter(|_| is_guardrail));
    Some(Evaluation {
        guardrail: name.unwrap_or_else(|| span.name.to_owned()),
        policy_id: found.label(Slot::PolicyId).or_else(|| finding(Slot::PolicyId)),
        rule_id: found.label(Slot::RuleId).or_else(|| finding(Slot::RuleId)),
        verdict: verdict.or_else(|| says.first().map(|said| said.0)),
        action: action.or_else(|| says.iter().find_map(|said| said.1)),
        reason: found.text(Slot::VerdictReason).map(std::borrow::Cow::into_owned),
        target: found.label(Slot::GuardrailTarget),
        evidence: if flagged.is_some() { "moderation" } else { "guardrail" },
    })
}

fn flag(found: &Found<'_>, slot: Slot) -> Option<bool> {
    match found.text(slot)?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// What a guardrail gave, where its answer is its decision. Looked at and not kept.
fn output(attributes: &[KeyValue]) -> Option<String> {
    const NAMES: &[&str] = &[
        "output.value",
        "traceloop.entity.output",
        "langfuse.observation.output",
        "mlflow.spanOutputs",
        "lmnr.span.output",
    ];
    let found = attributes.iter().find(|attribute| NAMES.contains(&attribute.key.as_str()))?;
    value::text(found.value.as_ref()?).filter(|text| text.len() <= JSON_BYTES_MAX).map(std::borrow::Cow::into_owned)
}

/// The categories that a provider's content filter found, each its own rule.
fn by_filter_results(span: SpanFacts<'_>) -> Vec<Evaluation> {
    let is_result = |key: &str| FILTER_RESULTS.iter().any(|end| key == *end || key.ends_with(&format!(".{end}")));
    let mut categories: BTreeMap<String, bool> = BTreeMap::new();
    for attribute in span.attributes.iter().filter(|attribute| is_result(&attribute.key)) {
        let text = attribute.value.as_ref().and_then(value::text).filter(|text| text.len() <= JSON_BYTES_MAX);
        if let Some(results) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            collect(&results, DEPTH_MAX, &mut categories);
        }
    }
    let evaluation = |(category, is_filtered): (String, bool)| Evaluation {
        rule_id: crate::capture::text::label(&category),
        verdict: Some(if is_filtered { Verdict::Deny } else { Verdict::Warn }),
        action: Some(if is_filtered { AuditAction::Blocked } else { AuditAction::Allowed }),
        ..filter_of(span, "content_filter")
    };
    categories.into_iter().take(CATEGORIES_MAX).map(evaluation).collect()
}

/// Categories that were detected, and whether they were filtered.
fn collect(value: &Value, depth_left: u32, categories: &mut BTreeMap<String, bool>) {
    let Some(depth_left) = depth_left.checked_sub(1) else { return };
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, depth_left, categories)),
        Value::Object(members) => {
            for (name, member) in members {
                let says = |word: &str| member.get(word).and_then(Value::as_bool);
                match (says("filtered"), says("detected")) {
                    (None, None) => collect(member, depth_left, categories),
                    (filtered, detected) if filtered == Some(true) || detected == Some(true) => {
                        *categories.entry(name.clone()).or_default() |= filtered == Some(true);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// A model call that ended because a filter stopped it.
fn by_end_of_call(span: SpanFacts<'_>) -> Option<Evaluation> {
    if span.kind != StepKind::Llm {
        return None;
    }
    let reason = span.found.text(Slot::FinishReason).map(|reason| reason.to_ascii_lowercase());
    let ended = reason.filter(|reason| words::is_filter(reason)).map(|reason| (reason, "finish_reason"));
    let failed = || {
        let code = span.code.filter(|_| span.outcome == OutcomeCategory::Policy)?;
        Some((code.to_owned(), "error"))
    };
    let (rule, evidence) = ended.or_else(failed)?;
    Some(Evaluation {
        rule_id: crate::capture::text::label(&rule),
        verdict: Some(Verdict::Deny),
        action: Some(AuditAction::Blocked),
        ..filter_of(span, evidence)
    })
}

fn filter_of(span: SpanFacts<'_>, evidence: &'static str) -> Evaluation {
    let name = || span.provider.map_or_else(|| "content_filter".to_owned(), |name| format!("{name}.content_filter"));
    let guardrail = span.found.label(Slot::GuardrailName).or_else(|| span.found.label(Slot::GuardrailId));
    let guardrail = guardrail.or_else(|| crate::capture::text::label(&name()));
    Evaluation {
        guardrail: guardrail.unwrap_or_else(|| "content_filter".to_owned()),
        policy_id: span.found.label(Slot::PolicyId),
        rule_id: None,
        verdict: None,
        action: None,
        reason: None,
        target: None,
        evidence,
    }
}
