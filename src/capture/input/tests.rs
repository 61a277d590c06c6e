use serde_json::json;

use super::*;
use crate::capture::fixture_tests::context;
use crate::capture::text::TAGS_MAX;
use crate::domain::run::RunTexts;
use crate::domain::vocabulary::StepKind;
use crate::error::{Code, Detail};

pub(crate) fn step_input() -> StepInput {
    StepInput {
        caller_index: None,
        span_id: None,
        parent_span_id: None,
        attempt: None,
        kind: StepKind::Llm,
        skill_name: "chat".to_owned(),
        status: StepStatus::Success,
        outcome_category: None,
        outcome_code: None,
        provider: None,
        model: None,
        response_id: None,
        input_tokens: None,
        output_tokens: None,
        cost_micros: None,
        started_at: Timestamp::from_micros_clamped(5),
        duration_us: 10,
        input: ContentInput::default(),
        output: ContentInput::default(),
        idempotency_key: None,
        duplicate_of: None,
        attributes: None,
    }
}

fn record(input: StepInput) -> Result<DraftStep> {
    step(&context(false), &TraceId::trusted("t"), input, "made-up")
}

fn field(error: &Error) -> String {
    match error.detail() {
        Detail::Field(field) => field.clone(),
        _ => error.code().as_str().to_owned(),
    }
}

fn text(text: impl Into<String>) -> ContentInput {
    ContentInput { text: Some(text.into()), hash: None }
}

#[test]
fn a_step_is_digested_priced_redacted_and_named() {
    let draft = record(StepInput {
        skill_name: "mail jane@example.test".to_owned(),
        provider: Some("Azure OpenAI".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(1_000),
        output_tokens: Some(100),
        input: text("What?"),
        output: ContentInput { text: None, hash: Some("ab".repeat(32)) },
        attributes: Some(json!({"b": 1, "a": {"api_key": "x"}})),
        ..step_input()
    })
    .expect("a step");
    assert_eq!((draft.step.span_id.as_str(), draft.step.attempt), ("made-up", 1));
    assert_eq!(draft.step.skill_name, "mail [REDACTED]");
    assert_eq!((draft.step.provider.as_deref(), draft.step.cost_micros), (Some("azure.ai.openai"), Some(3_500)));
    assert_eq!(draft.step.input_hash, Some(content_digest(&[7; 32], "What?")));
    assert_eq!(draft.step.output_hash, Some(Digest([0xab; 32])));
    assert_eq!(draft.payloads[0].text, r#"{"a":{"api_key":"[REDACTED]"},"b":1}"#);
    assert_eq!(draft.payloads.len(), 1);
    assert!(signals(&[draft]).has_root);
}

#[test]
fn contents_are_kept_redacted_only_where_the_tenant_wants_it() {
    let input = StepInput { input: text("What of jane@example.test?"), ..step_input() };
    let kept = step(&context(true), &TraceId::trusted("t"), input.clone(), "s").expect("a step");
    assert_eq!(kept.payloads[0].text, r#"{"input":{"text":"What of [REDACTED]?"}}"#);
    assert!(record(input).expect("a step").payloads.is_empty());
}

#[test]
fn every_input_has_a_cap() {
    let long = || Some("x".repeat(129));
    let cases: Vec<(&str, StepInput)> = vec![
        ("skillName", StepInput { skill_name: String::new(), ..step_input() }),
        ("skillName", StepInput { skill_name: "a\0b".to_owned(), ..step_input() }),
        ("spanId", StepInput { span_id: long(), ..step_input() }),
        ("parentSpanId", StepInput { parent_span_id: long(), ..step_input() }),
        ("model", StepInput { model: long(), ..step_input() }),
        ("provider", StepInput { provider: long(), ..step_input() }),
        ("outcomeCode", StepInput { outcome_code: long(), ..step_input() }),
        ("responseId", StepInput { response_id: long(), ..step_input() }),
        ("idempotencyKey", StepInput { idempotency_key: long(), ..step_input() }),
        ("duplicateOf", StepInput { duplicate_of: long(), ..step_input() }),
        ("attempt", StepInput { attempt: Some(0), ..step_input() }),
        ("inputTokens", StepInput { input_tokens: Some(-1), ..step_input() }),
        ("outputTokens", StepInput { output_tokens: Some(i64::MAX), ..step_input() }),
        ("costUsd", StepInput { cost_micros: Some(-1), ..step_input() }),
        ("durationMs", StepInput { duration_us: -1, ..step_input() }),
        ("attributes", StepInput { attributes: Some(json!([1])), ..step_input() }),
        ("attributes", StepInput { attributes: Some(json!({"a": 9_007_199_254_740_993_i64})), ..step_input() }),
        ("attributes", StepInput { attributes: Some(json!({"a": "\0"})), ..step_input() }),
        (
            "LIMIT_EXCEEDED",
            StepInput { attributes: Some(json!({"a": "x".repeat(ATTRIBUTES_BYTES_MAX)})), ..step_input() },
        ),
        ("LIMIT_EXCEEDED", StepInput { input: text("x".repeat(TEXT_BYTES_MAX + 1)), ..step_input() }),
        ("input", StepInput { input: text("a\0"), ..step_input() }),
        ("output", StepInput { output: ContentInput { text: None, hash: Some("abc".to_owned()) }, ..step_input() }),
        (
            "output",
            StepInput { output: ContentInput { text: Some("a".into()), hash: Some("ab".repeat(32)) }, ..step_input() },
        ),
    ];
    for (expected, input) in cases {
        let error = record(input.clone()).expect_err(expected);
        assert_eq!(field(&error), expected, "{input:?}");
        assert!(!error.message().is_empty());
    }
}

#[test]
fn the_refusal_of_a_tag_says_which() {
    for (tag, says) in [
        (String::new(), "tags[1] has 1 to 128 bytes, got 0"),
        ("x".repeat(129), "got 129"),
        ("a\0".to_owned(), "U+0000"),
    ] {
        let tags = vec!["first".to_owned(), tag, "last".to_owned()];
        let error = checked_run(RunInput { tags, ..RunInput::default() }).expect_err(says);
        assert_eq!(field(&error), "tags[1]");
        assert!(error.message().contains(says), "{}", error.message());
    }
}

#[test]
fn outcomes_follow_from_status_and_code() {
    let category = |status, code: Option<&str>| {
        let input = StepInput { status, outcome_code: code.map(str::to_owned), ..step_input() };
        record(input).expect("a step").step.outcome_category
    };
    assert_eq!(category(StepStatus::Success, Some("429")), OutcomeCategory::Success);
    assert_eq!(category(StepStatus::Failure, Some("429")), OutcomeCategory::Transient);
    assert_eq!(category(StepStatus::Retry, Some("timeout")), OutcomeCategory::Transient);
    assert_eq!(category(StepStatus::Failure, Some("ValueError")), OutcomeCategory::Permanent);
    assert_eq!(category(StepStatus::Failure, None), OutcomeCategory::Unknown);
    assert_eq!(category(StepStatus::Skipped, None), OutcomeCategory::Unknown);
}

#[test]
fn a_step_that_differs_has_another_digest_whatever_its_name() {
    let digest = |input| record(input).expect("a step").facts.digest;
    let first = digest(step_input());
    assert_eq!(
        digest(StepInput { span_id: Some("x".into()), idempotency_key: Some("k".into()), ..step_input() }),
        first
    );
    assert_ne!(digest(StepInput { duration_us: 11, ..step_input() }), first);
    assert_ne!(digest(StepInput { input: text("a"), ..step_input() }), first);
    assert_ne!(digest(StepInput { attributes: Some(json!({"a": 1})), ..step_input() }), first);
}

#[test]
fn a_trace_has_names_a_plan_and_a_beginning() {
    let now = Timestamp::from_micros_clamped(9);
    let record = |input| trace(input, &TraceId::trusted("made-up"), now);
    let draft =
        record(TraceInput { plan: Some(json!({"token": "x", "steps": 2})), ..TraceInput::default() }).expect("a trace");
    assert_eq!((draft.trace.trace_id.as_str(), draft.trace.run_id.as_str()), ("made-up", "made-up"));
    assert_eq!((draft.trace.started_at, draft.signals.is_open), (now, false));
    assert_eq!(draft.payloads[0].text, r#"{"steps":2,"token":"[REDACTED]"}"#);
    let synthetic = TraceInput { is_synthetic: true, ..TraceInput::default() };
    assert_eq!(field(&record(synthetic).expect_err("no scenario")), "syntheticScenarioId");
    let large = TraceInput { plan: Some(json!("x".repeat(PLAN_BYTES_MAX))), ..TraceInput::default() };
    assert_eq!(record(large).expect_err("too large").code(), Code::LimitExceeded);
    let long = TraceInput { agent_id: Some("x".repeat(129)), ..TraceInput::default() };
    assert_eq!(field(&record(long).expect_err("too long")), "agentId");
}

#[test]
fn a_run_without_steps_is_priced_and_checked() {
    let now = Timestamp::from_micros_clamped(9);
    let record = |input| run(&context(false), input, &RunId::trusted("made-up"), 3, now);
    let full = record(RunInput {
        texts: RunTexts { name: Some("for jane@example.test".to_owned()), ..RunTexts::default() },
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(1_000),
        output_tokens: Some(100),
        cached_input_tokens: Some(400),
        tags: ["b", "a", "b"].map(str::to_owned).into(),
        prompt: text("What?"),
        ..RunInput::default()
    })
    .expect("a run");
    assert_eq!((full.run_id.as_str(), full.revision, full.name.as_deref()), ("made-up", 3, Some("for [REDACTED]")));
    assert_eq!((full.cost_micros, full.tags.join(",")), (Some(3_000), "a,b".to_owned()));
    assert_eq!((full.prompt_hash, full.started_at), (Some(content_digest(&[7; 32], "What?")), now));
    let empty = record(RunInput::default()).expect("a run");
    assert_eq!((empty.provider.as_str(), empty.cost_micros, empty.price_version), ("unknown", None, None));
    let many = RunInput { tags: (0..=TAGS_MAX).map(|tag| tag.to_string()).collect(), ..RunInput::default() };
    assert_eq!(record(many).expect_err("too many").code(), Code::LimitExceeded);
    let backwards = RunInput { started_at: Some(now), completed_at: Some(Timestamp::default()), ..RunInput::default() };
    assert_eq!(field(&record(backwards).expect_err("backwards")), "completedAt");
    for bad in ["endUserId", "actorId", "correlationId"] {
        let long = Some("x".repeat(129));
        let input = match bad {
            "endUserId" => RunInput { end_user_id: long, ..RunInput::default() },
            "actorId" => RunInput { actor_id: long, ..RunInput::default() },
            _ => RunInput { texts: RunTexts { correlation_id: long, ..RunTexts::default() }, ..RunInput::default() },
        };
        assert_eq!(field(&record(input).expect_err(bad)), bad);
    }
}
