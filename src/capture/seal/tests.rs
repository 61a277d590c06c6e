use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::capture::calls::tests::step;
use crate::capture::fixture_tests::{context, stored};
use crate::capture::input;
use crate::domain::ids::TraceId;
use crate::domain::input::{ContentInput, NUMBER_MAX, RUN_TOKENS_MAX, StepInput, TraceInput};
use crate::domain::run::RunTexts;
use crate::domain::settle::TraceSignals;
use crate::domain::trace::TraceStep;
use crate::domain::vocabulary::{RecordSource, StepKind};

fn source(steps: Vec<(TraceStep, String)>) -> SealSource {
    let input = TraceInput { service_name: Some("from the trace".to_owned()), ..TraceInput::default() };
    let trace = input::trace(input, &TraceId::trusted("t"), Timestamp::from_micros_clamped(7)).expect("a trace").trace;
    SealSource {
        trace: stored(trace),
        steps,
        first: 0,
        seal_revision: 0,
        run: None,
        signals: TraceSignals::default(),
        version: 1,
    }
}

fn options() -> SealOptions {
    SealOptions {
        status: None,
        reason: None,
        ended_at: None,
        metadata: None,
        run: None,
        run_id: RunId::trusted("r"),
        conflicting_run_id: None,
    }
}

fn sealed(source: &SealSource, options: SealOptions) -> DraftSeal {
    seal(&context(false), source, Digest([9; 32]), options).expect("a seal")
}

/// Changes a step's columns and facts.
fn with(
    mut step: (TraceStep, String),
    columns: impl Fn(&mut TraceStep),
    facts: impl Fn(&mut Facts),
) -> (TraceStep, String) {
    columns(&mut step.0);
    let mut own = Facts::parse(&step.1);
    facts(&mut own);
    step.1 = own.store(Digest([0; 32])).text;
    step
}

fn fail(step: &mut TraceStep) {
    step.status = StepStatus::Failure;
    step.outcome_category = OutcomeCategory::Permanent;
}

#[test]
fn the_root_says_how_it_ended_wherever_it_stands() {
    let status = |columns: fn(&mut TraceStep), is_timeout| {
        let child = with(step("a", Some("root"), "x", None, 0), fail, |_| {});
        let root = with(step("root", None, "x", None, 5), columns, |facts| facts.is_timeout = is_timeout);
        sealed(&source(vec![child, root]), options()).seal.status
    };
    assert_eq!(status(|_| {}, false), ExecutionStatus::Succeeded);
    assert_eq!(status(fail, false), ExecutionStatus::Failed);
    assert_eq!(status(fail, true), ExecutionStatus::Timeout);
    let cancel = |step: &mut TraceStep| {
        fail(step);
        step.outcome_category = OutcomeCategory::Cancelled;
    };
    assert_eq!(status(cancel, false), ExecutionStatus::Aborted);
}

#[test]
fn without_a_root_the_earliest_top_span_speaks() {
    let steps = vec![
        step("below", Some("b"), "x", None, 0),
        with(step("b", Some("gone"), "x", None, 1), fail, |_| {}),
        step("c", Some("gone"), "x", None, 2),
    ];
    assert_eq!(sealed(&source(steps), options()).seal.status, ExecutionStatus::Failed);
    let silent = SealOptions { status: Some(ExecutionStatus::Timeout), reason: Some("silent".to_owned()), ..options() };
    let seal = sealed(&source(Vec::new()), silent);
    assert_eq!((seal.seal.status, seal.seal.ended_at.as_micros()), (ExecutionStatus::Timeout, 7));
    assert!(seal.run.is_none());
}

#[test]
fn a_trace_without_llm_work_has_no_run_unless_the_caller_brings_one() {
    let plain = |step: &mut TraceStep| {
        step.kind = StepKind::Tool;
        (step.model, step.provider) = (None, None);
    };
    let source = source(vec![with(step("a", None, "x", None, 0), plain, |_| {})]);
    assert!(sealed(&source, options()).run.is_none());
    let brought = SealOptions { run: Some(RunInput::default()), ..options() };
    let run = sealed(&source, brought).run.expect("a run");
    assert_eq!((run.provider.as_str(), run.model.as_str()), ("unknown", "unknown"));
}

#[test]
fn provider_model_and_hashes_come_from_the_root_else_from_the_calls() {
    let agent = |step: &mut TraceStep| {
        step.kind = StepKind::Agent;
        (step.model, step.provider) = (None, None);
    };
    let hash = |number| Some(Digest([number; 32]));
    let call = |id: &str, start, tokens, model: &'static str, number| {
        with(
            step(id, Some("root"), "x", Some(tokens), start),
            move |step| {
                step.model = Some(model.to_owned());
                (step.input_hash, step.output_hash) = (hash(number), hash(number + 1));
            },
            |facts| facts.finish_reason = Some(id.to_owned()),
        )
    };
    let root = with(step("root", None, "x", None, 0), agent, |facts| facts.agent_id = Some("planner".to_owned()));
    let steps = vec![
        root.clone(),
        call("one", 1, (1, 1), "small", 10),
        call("two", 2, (5, 5), "large", 20),
        call("three", 3, (2, 2), "small", 30),
    ];
    let run = sealed(&source(steps), options()).run.expect("a run");
    assert_eq!((run.provider.as_str(), run.model.as_str()), ("openai", "large"));
    assert_eq!((run.prompt_hash, run.response_hash), (hash(10), hash(31)));
    assert_eq!((run.finish_reason.as_deref(), run.agent_id.as_deref()), (Some("three"), Some("planner")));
    assert_eq!((run.input_tokens, run.output_tokens, run.cost_micros), (8, 8, Some(16)));
    assert_eq!(run.service_name, None, "the record of an OTLP trace depends on what came first");
    let own = with(root, |step| (step.model, step.input_hash) = (Some("own".to_owned()), hash(1)), |_| {});
    let run = sealed(&source(vec![own, call("one", 1, (1, 1), "small", 10)]), options()).run.expect("a run");
    assert_eq!((run.model.as_str(), run.prompt_hash, run.response_hash), ("own", hash(1), hash(11)));
}

#[test]
fn equal_calls_are_told_apart_by_start_and_span_id() {
    let call = |id: &str, model: &'static str| {
        with(step(id, Some("root"), "x", Some((2, 2)), 1), move |step| step.model = Some(model.to_owned()), |_| {})
    };
    let model = |steps| sealed(&source(steps), options()).run.expect("a run").model;
    assert_eq!(model(vec![call("b", "second"), call("a", "first")]), "first");
    assert_eq!(model(vec![call("a", "first"), call("b", "second")]), "first");
}

#[test]
fn the_run_id_is_the_roots_else_the_earliest_and_a_taken_one_is_reported() {
    let named = |id: &str, parent, start, run: Option<&str>| {
        with(step(id, parent, "x", None, start), |_| {}, |facts| facts.run_id = run.map(str::to_owned))
    };
    let wanted = |steps| wanted_run_id(&source(steps)).map(|id| id.as_str().to_owned());
    assert_eq!(
        wanted(vec![named("a", Some("r"), 0, Some("child")), named("r", None, 5, Some("root"))]).as_deref(),
        Some("root")
    );
    assert_eq!(
        wanted(vec![named("b", Some("r"), 2, Some("late")), named("a", Some("r"), 1, Some("early"))]).as_deref(),
        Some("early")
    );
    assert_eq!(wanted(vec![named("r", None, 0, None)]), None);
    assert_eq!(wanted(Vec::new()).as_deref(), Some("t"), "a trace of mutations has said its run id");
    let taken = SealOptions { conflicting_run_id: Some(RunId::trusted("taken")), ..options() };
    let seal = sealed(&source(vec![step("a", None, "x", None, 0)]), taken);
    assert_eq!(seal.run.expect("a run").correlation_id.as_deref(), Some("taken"));
    assert!(seal.payloads[0].text.contains("\"conflicting_run_id\":\"taken\""));
}

#[test]
fn metadata_reads_back_and_is_redacted() {
    let steps = vec![step("a", Some("p"), "x", Some((10, 5)), 0), step("b", Some("p"), "y", Some((10, 5)), 1)];
    let caller = SealOptions { metadata: Some(json!({"password": "x", "note": "jane@example.test"})), ..options() };
    let payload = &sealed(&source(steps.clone()), caller).payloads[0];
    assert_eq!(payload.part, PayloadPart::Metadata);
    assert!(!payload.text.contains("jane") && payload.text.contains("[REDACTED]"));
    let (sums, repeats) = parse_seal_metadata(&payload.text).expect("our own");
    assert_eq!((sums, repeats), (totals(&steps), duplicates(&steps)));
    assert_eq!(sums.calls, 1);
    for other in ["{}", "[]", "no JSON", r#"{"totals":{}}"#] {
        assert!(parse_seal_metadata(other).is_none(), "{other}");
    }
    let large = SealOptions { metadata: Some(json!("x".repeat(METADATA_BYTES_MAX))), ..options() };
    assert!(seal(&context(false), &source(Vec::new()), Digest([0; 32]), large).is_err());
    let long = SealOptions { reason: Some("x".repeat(input::REASON_BYTES_MAX + 1)), ..options() };
    assert!(seal(&context(false), &source(Vec::new()), Digest([0; 32]), long).is_err());
}

#[test]
fn what_the_caller_says_of_the_run_goes_first_and_outlives_later_steps() {
    let ctx = context(false);
    let input = StepInput { model: Some("gpt-4o".to_owned()), ..input::tests::step_input() };
    let draft = input::step(&ctx, &TraceId::trusted("t"), input, "s1").expect("a step");
    let mut source = source(vec![(draft.step.clone(), draft.facts.text.clone())]);
    let said = RunInput {
        texts: RunTexts { name: Some("mine".to_owned()), ..RunTexts::default() },
        tags: vec!["b".to_owned(), "a".to_owned()],
        prompt: ContentInput { text: Some("What?".to_owned()), hash: None },
        cost_micros: Some(5),
        ..RunInput::default()
    };
    let run = sealed(&source, SealOptions { run: Some(said), ..options() }).run.expect("a run");
    assert_eq!(
        (run.name.as_deref(), run.tags.join(","), run.cost_micros, run.price_version.as_deref()),
        (Some("mine"), "a,b".to_owned(), Some(5), None)
    );
    assert_eq!((run.source, run.service_name.as_deref()), (RecordSource::Api, Some("from the trace")));
    assert_eq!(run.prompt_hash, Some(crate::capture::digest::content_digest(&[7; 32], "What?")));
    source.run = Some(Arc::new(stored(run)));
    source.seal_revision = 1;
    let later = sealed(&source, options());
    let run = later.run.expect("a run");
    assert_eq!((later.seal.revision, run.revision, run.name.as_deref()), (2, 2, Some("mine")));
}

#[test]
fn sums_beyond_what_is_kept_end_a_trace_all_the_same() {
    let huge = |id: &str, start| {
        let step = step(id, None, "x", Some((1, 1)), start);
        with(
            step,
            |step| {
                (step.input_tokens, step.output_tokens) = (Some(NUMBER_MAX), Some(NUMBER_MAX));
                step.cost_micros = Some(NUMBER_MAX);
            },
            |facts| facts.cached_tokens = Some(NUMBER_MAX),
        )
    };
    let run = sealed(&source(vec![huge("a", 0), huge("b", 100)]), options()).run.expect("a run");
    assert_eq!((run.input_tokens, run.output_tokens, run.cost_micros), (RUN_TOKENS_MAX, RUN_TOKENS_MAX, None));
    assert_eq!(run.cached_input_tokens, Some(RUN_TOKENS_MAX));
}
