//! Spans of guardrails, moderations and content filters, as their instrumentations write them.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::map_spans;
use super::tests::{attribute, request, span, text};
use crate::capture::fixture_tests::context;
use crate::capture::fixtures::all;
use crate::domain::audit::AuditEntry;
use crate::domain::draft::DraftAudit;
use crate::domain::payload::PayloadPart;
use crate::domain::vocabulary::{ActorType, AuditAction as Action, AuditCategory, AuditEntityType, StepKind, Verdict};

fn audits(span: Span) -> Vec<DraftAudit> {
    let mut draft = map_spans(&context(false), request(vec![span]));
    draft.traces.remove(0).steps.remove(0).audits
}

/// Guardrail, policy, rule, verdict, action.
type Said<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<Verdict>, Option<Action>);

fn said(entry: &AuditEntry) -> Said<'_> {
    (&entry.entity_id, entry.policy_id.as_deref(), entry.rule_id.as_deref(), entry.verdict, entry.action)
}

fn check(pairs: &[(&str, &str)], expected: Said<'_>) {
    let attributes = pairs.iter().map(|(key, value)| text(key, *value)).collect();
    let found = audits(span(1, attributes));
    assert_eq!(found.iter().map(|draft| said(&draft.entry)).collect::<Vec<_>>(), [expected], "{pairs:?}");
}

#[test]
fn both_generations_of_the_proposed_conventions_are_read() {
    check(
        &[
            ("gen_ai.operation.name", "apply_guardrail"),
            ("gen_ai.guardian.name", "PII Filter"),
            ("gen_ai.security.policy.id", "pii-v3"),
            ("gen_ai.security.decision.type", "deny"),
        ],
        ("PII Filter", Some("pii-v3"), None, Some(Verdict::Deny), Some(Action::Blocked)),
    );
    check(
        &[
            ("gen_ai.operation.name", "run_guardrail"),
            ("gen_ai.security.guardrail.name", "shield"),
            ("gen_ai.security.policy.rule.id", "r-7"),
            ("gen_ai.security.verdict.type", "warn"),
            ("gen_ai.security.action.type", "block"),
        ],
        ("shield", None, Some("r-7"), Some(Verdict::Warn), Some(Action::Blocked)),
    );
}

#[test]
fn frameworks_say_it_in_their_own_ways() {
    let tripwire = attribute("gen_ai.guardrail.tripwire_triggered", Value::BoolValue(true));
    let found = audits(span(1, vec![text("gen_ai.guardrail.name", "jailbreak"), tripwire]));
    assert_eq!(said(&found[0].entry), ("jailbreak", None, None, Some(Verdict::Deny), Some(Action::Blocked)));
    check(
        &[("openinference.span.kind", "GUARDRAIL"), ("output.value", "BLOCKED"), ("metadata.guardrail_type", "pii")],
        ("a span", None, Some("pii"), Some(Verdict::Deny), Some(Action::Blocked)),
    );
    check(
        &[("guardrail_name", "presidio"), ("guardrail_mode", "pre_call"), ("guardrail_status", "guardrail_intervened")],
        ("presidio", None, None, Some(Verdict::Deny), Some(Action::Blocked)),
    );
    check(
        &[("gen_ai.operation.name", "moderation"), ("output.value", r#"{"results":[{"flagged":true}]}"#)],
        ("a span", None, None, Some(Verdict::Deny), Some(Action::None)),
    );
    check(&[("moderation.flagged", "false")], ("a span", None, None, Some(Verdict::Allow), Some(Action::None)));
    // A guardrail that says nothing of its verdict: neither do we.
    check(&[("traceloop.span.kind", "guardrail"), ("traceloop.entity.name", "g")], ("g", None, None, None, None));
}

#[test]
fn a_filter_that_stopped_a_call_is_a_verdict() {
    check(
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.system", "openai"),
            ("gen_ai.response.finish_reasons", "content_filter"),
        ],
        ("openai.content_filter", None, Some("content_filter"), Some(Verdict::Deny), Some(Action::Blocked)),
    );
    let failed = Span {
        status: Some(Status { code: 2, message: String::new() }),
        ..span(1, vec![text("gen_ai.operation.name", "chat"), text("error.type", "content_filter")])
    };
    assert_eq!(said(&audits(failed)[0].entry).2, Some("content_filter"));
    for quiet in [
        vec![text("gen_ai.operation.name", "chat"), text("gen_ai.response.finish_reasons", "stop")],
        // Around the call: the call itself tells it.
        vec![text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.response.finish_reasons", "content_filter")],
        // A guardrail that is configured has not spoken.
        vec![text("gen_ai.operation.name", "chat"), text("aws.bedrock.guardrail.id", "sgi5gkybzqak")],
    ] {
        assert_eq!(audits(span(1, quiet)), []);
    }
}

#[test]
fn filter_results_give_an_entry_a_category_that_was_found() {
    let results = r#"{"hate":{"filtered":false,"severity":"safe"},"violence":{"filtered":true,"severity":"high"},
                      "jailbreak":{"filtered":false,"detected":true}}"#;
    let prompt = r#"[{"prompt_index":0,"content_filter_results":{"violence":{"filtered":false,"detected":true}}}]"#;
    let found = audits(span(
        1,
        vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.system", "azure.ai.openai"),
            text("gen_ai.completion.0.content_filter_results", results),
            text("gen_ai.prompt.prompt_filter_results", prompt),
            text("gen_ai.response.finish_reasons", "content_filter"),
        ],
    ));
    let rules: Vec<_> =
        found.iter().map(|draft| (draft.entry.rule_id.as_deref(), draft.entry.verdict, draft.entry.action)).collect();
    assert_eq!(
        rules,
        [
            (Some("jailbreak"), Some(Verdict::Warn), Some(Action::Allowed)),
            (Some("violence"), Some(Verdict::Deny), Some(Action::Blocked)),
        ]
    );
    let safe = r#"{"hate":{"filtered":false,"severity":"safe"}}"#;
    assert_eq!(audits(span(1, vec![text("content_filter_results", safe)])), []);
}

#[test]
fn an_entry_says_who_when_and_why_without_secrets() {
    let finding = Event {
        name: "gen_ai.security.finding".to_owned(),
        attributes: vec![text("gen_ai.security.policy.id", "p"), text("gen_ai.security.risk.category", "pii")],
        ..Event::default()
    };
    let guarded = Span {
        events: vec![finding],
        ..span(
            1,
            vec![
                text("gen_ai.operation.name", "apply_guardrail"),
                text("gen_ai.agent.name", "helper"),
                text("gen_ai.security.decision.reason", "mail to jane.doe@example.test"),
                text("gen_ai.security.target.type", "llm_output"),
            ],
        )
    };
    let draft = audits(guarded).remove(0);
    let entry = &draft.entry;
    assert_eq!(said(entry), ("a span", Some("p"), Some("pii"), None, None));
    assert_eq!(
        (entry.category, entry.entity_type, entry.event_type.as_str()),
        (AuditCategory::Governance, AuditEntityType::PolicyRule, "PolicyEvaluated")
    );
    assert_eq!((entry.actor_type, entry.actor_id.as_deref()), (ActorType::Agent, Some("helper")));
    assert_eq!((entry.occurred_at.as_micros(), entry.source_component.as_str()), (2_000_000, "otlp"));
    assert_eq!(entry.correlation_id.as_deref(), Some("01010101010101010101010101010101"));
    let payloads: Vec<_> = draft.payloads.iter().map(|payload| (payload.part, payload.text.as_str())).collect();
    assert_eq!(payloads[0], (PayloadPart::ActionReason, "\"mail to [REDACTED]\""));
    assert_eq!(
        payloads[1],
        (
            PayloadPart::AfterState,
            "{\"evidence\":\"guardrail\",\"span_id\":\"0101010101010101\",\"step_kind\":\"GUARDRAIL\",\"target\":\"llm_output\",\"trace_id\":\"01010101010101010101010101010101\"}"
        )
    );
    let plain = audits(span(1, vec![text("openinference.span.kind", "GUARDRAIL")])).remove(0).entry;
    assert_eq!((plain.actor_type, plain.actor_id.as_deref()), (ActorType::System, Some("svc")));
}

#[test]
fn a_long_reason_costs_no_span() {
    let long = text("gen_ai.guardrail.reason", format!("{}\0", "x".repeat(100_000)));
    let draft = audits(span(1, vec![text("gen_ai.guardrail.name", "g"), long])).remove(0);
    assert!(draft.payloads[0].text.len() < 3_000);
}

#[test]
fn a_secret_across_the_cut_of_a_reason_is_gone() {
    let reason = format!("{}jane.doe@example.test", "x ".repeat(1_020));
    let said = text("gen_ai.guardrail.reason", reason);
    let draft = audits(span(1, vec![text("gen_ai.guardrail.name", "g"), said])).remove(0);
    assert!(!draft.payloads[0].text.contains("jane"), "{}", draft.payloads[0].text);
}

/// The fixtures hold calls that a content filter ended, one an instrumentation; nothing else of them is a verdict.
#[test]
fn real_calls_that_a_filter_ended_are_found_and_no_others() {
    let mut found = Vec::new();
    for fixture in all() {
        for trace in map_spans(&context(false), fixture.request()).traces {
            for step in trace.steps {
                for audit in step.audits {
                    assert_eq!(step.step.kind, StepKind::Llm);
                    found.push((fixture.name.clone(), audit.entry.rule_id, audit.entry.action));
                }
            }
        }
    }
    // Each instrumentation has its own spelling.
    let spelled = |name: &str| if name.starts_with("vercel") { "content-filter" } else { "content_filter" };
    let names = [
        "openai-openinference/0027",
        "openai-openllmetry/0027",
        "openai-v2/0026",
        "openai-v2latest/0026",
        "vercel-ai-sdk-json/0019",
        "vercel-ai-sdk-proto/0019",
    ];
    let filtered = names.map(|name| (name.to_owned(), Some(spelled(name).to_owned()), Some(Action::Blocked)));
    assert!(!found.is_empty() && found.iter().all(|entry| filtered.contains(entry)), "{found:?}");
}
