use proptest::prelude::*;

use super::*;
use crate::domain::ids::{Digest, TraceId};
use crate::domain::time::Timestamp;

/// A step: id, parent, scope, input and output tokens; starting at `start` and lasting ten.
pub(crate) fn step(
    id: &str,
    parent: Option<&str>,
    scope: &str,
    tokens: Option<(i64, i64)>,
    start: i64,
) -> (TraceStep, String) {
    let step = TraceStep {
        trace_id: TraceId::trusted("t"),
        caller_index: None,
        span_id: id.to_owned(),
        parent_span_id: parent.map(str::to_owned),
        attempt: 1,
        kind: StepKind::Llm,
        skill_name: id.to_owned(),
        status: StepStatus::Success,
        outcome_category: OutcomeCategory::Success,
        outcome_code: None,
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        response_id: None,
        input_tokens: tokens.map(|tokens| tokens.0),
        output_tokens: tokens.map(|tokens| tokens.1),
        cost_micros: tokens.map(|tokens| tokens.0 + tokens.1),
        started_at: Timestamp::from_micros_clamped(start),
        duration_us: 10,
        input_hash: None,
        output_hash: None,
        idempotency_key: None,
        duplicate_of: None,
        attributes_commitment: None,
        content_commitment: None,
    };
    let facts = Facts { is_otlp: true, scope: scope.to_owned(), span_name: id.to_owned(), ..Facts::default() };
    (step, facts.store(Digest([0; 32])).text)
}

fn sums(steps: &[(TraceStep, String)]) -> (i64, i64, i64, Option<i64>) {
    let totals = totals(steps);
    (totals.calls, totals.input_tokens, totals.output_tokens, totals.cost_micros)
}

#[test]
fn wrappers_at_any_depth_do_not_count() {
    let steps = [
        step("agent", None, "a", Some((30, 12)), 0),
        step("chain", Some("agent"), "a", None, 1),
        step("one", Some("chain"), "a", Some((10, 5)), 2),
        step("two", Some("chain"), "a", Some((20, 7)), 3),
    ];
    assert_eq!(sums(&steps), (2, 30, 12, Some(42)));
    assert_eq!(sums(&steps[..1]), (1, 30, 12, Some(42)), "an agent alone speaks for its calls");
    let silent = [step("outer", None, "a", Some((3, 4)), 0), step("inner", Some("outer"), "b", Some((0, 0)), 1)];
    assert_eq!(sums(&silent), (1, 3, 4, Some(7)), "zeros say nothing");
}

#[test]
fn two_scopes_with_one_response_id_are_one_call() {
    let mut steps = [step("a", Some("p"), "x", Some((10, 5)), 0), step("b", Some("q"), "y", Some((11, 5)), 50)];
    assert_eq!(sums(&steps).0, 2);
    for (step, _) in &mut steps {
        step.response_id = Some("r1".to_owned());
    }
    assert_eq!(sums(&steps), (1, 10, 5, Some(15)));
    assert_eq!(duplicates(&steps), BTreeMap::from([("b".to_owned(), "a".to_owned())]));
    // One scope never repeats itself: a cached answer has the same id twice.
    steps[1].1 = steps[0].1.clone();
    assert_eq!(sums(&steps).0, 2);
}

#[test]
fn repeated_answers_of_two_scopes_pair_up() {
    let steps: Vec<_> = [("a1", "x", 0), ("b1", "y", 2), ("a2", "x", 100), ("b2", "y", 102)]
        .map(|(id, scope, start)| {
            let mut step = step(id, Some("p"), scope, Some((4, 2)), start);
            step.0.response_id = Some("same".to_owned());
            step
        })
        .into();
    assert_eq!(sums(&steps), (2, 8, 4, Some(12)));
    let expected = [("b1", "a1"), ("b2", "a2")].map(|(left, right)| (left.to_owned(), right.to_owned()));
    assert_eq!(duplicates(&steps), BTreeMap::from(expected));
}

#[test]
fn siblings_of_two_scopes_with_the_same_counts_that_overlap_are_one_call() {
    let pair = |start, model: &str| {
        let mut right = step("b", Some("p"), "y", Some((10, 5)), start);
        right.0.model = Some(model.to_owned());
        [step("a", Some("p"), "x", Some((10, 5)), 0), right]
    };
    assert_eq!(sums(&pair(5, "gpt-4o")).0, 1);
    assert_eq!(sums(&pair(11, "gpt-4o")).0, 2, "one after the other");
    assert_eq!(sums(&pair(5, "gpt-4.1")).0, 2, "another model");
    let mut other = pair(5, "gpt-4o");
    other[1].0.parent_span_id = None;
    assert_eq!(sums(&other).0, 2, "another parent");
    let mut ids = pair(5, "gpt-4o");
    ids[0].0.response_id = Some("r1".to_owned());
    ids[1].0.response_id = Some("r2".to_owned());
    assert_eq!(sums(&ids).0, 2, "two answers");
    let mut cut = pair(5, "gpt-4o");
    cut[1].0.output_tokens = None;
    assert_eq!(sums(&cut), (1, 10, 5, Some(15)), "the one that says more counts");
}

#[test]
fn a_call_without_usage_makes_the_cost_unknown_unless_it_failed_unanswered() {
    let unmeasured = |change: fn(&mut TraceStep)| {
        let mut other = step("b", Some("p"), "x", None, 20);
        change(&mut other.0);
        sums(&[step("a", Some("p"), "x", Some((10, 5)), 0), other])
    };
    assert_eq!(unmeasured(|_| {}), (2, 10, 5, None));
    assert_eq!(unmeasured(|step| step.status = StepStatus::Failure), (2, 10, 5, Some(15)));
    let cancelled = |step: &mut TraceStep| {
        step.status = StepStatus::Failure;
        step.outcome_category = OutcomeCategory::Cancelled;
    };
    assert_eq!(unmeasured(cancelled), (2, 10, 5, None));
    let answered = |step: &mut TraceStep| {
        step.status = StepStatus::Failure;
        step.response_id = Some("r".to_owned());
    };
    assert_eq!(unmeasured(answered), (2, 10, 5, None));
    assert_eq!(sums(&[]), (0, 0, 0, None));
    let mut failed = step("a", None, "x", None, 0);
    failed.0.status = StepStatus::Failure;
    assert_eq!(sums(&[failed]), (1, 0, 0, None), "nothing known is not zero");
}

#[test]
fn wrapped_calls_without_usage_count_once() {
    let steps = [step("outer", None, "x", None, 0), step("inner", Some("outer"), "y", None, 1)];
    assert_eq!(sums(&steps).0, 1);
    let measured_above = [step("outer", None, "x", Some((1, 1)), 0), step("inner", Some("outer"), "y", None, 1)];
    assert_eq!(sums(&measured_above), (1, 1, 1, Some(2)));
}

#[test]
fn what_the_writer_calls_a_duplicate_does_not_count() {
    let mut steps = [step("a", None, "", Some((10, 5)), 0), step("b", None, "", Some((10, 5)), 100)];
    steps[1].0.duplicate_of = Some("a".to_owned());
    assert_eq!(sums(&steps).0, 1);
    assert_eq!(duplicates(&steps)["b"], "a");
}

#[test]
fn circles_and_selves_end() {
    let steps = [
        step("a", Some("b"), "x", Some((1, 1)), 0),
        step("b", Some("a"), "x", None, 1),
        step("c", Some("c"), "x", Some((2, 2)), 2),
    ];
    assert_eq!(sums(&steps).1, 3);
}

proptest! {
    #[test]
    fn order_does_not_matter_and_nothing_panics(
        shape in proptest::collection::vec((0..8_usize, 0..3_u8, prop::option::of((0..3_i64, 0..3_i64)), 0..30_i64, prop::option::of(0..3_u8)), 1..12),
        seed in any::<u64>(),
    ) {
        let mut steps: Vec<_> = shape.iter().enumerate().map(|(place, (parent, scope, tokens, start, response))| {
            let parent = (*parent < shape.len()).then(|| format!("s{parent}"));
            let mut step = step(&format!("s{place}"), parent.as_deref(), &scope.to_string(), *tokens, *start);
            step.0.response_id = response.map(|id| id.to_string());
            step
        }).collect();
        let expected = (totals(&steps), duplicates(&steps));
        let length = steps.len();
        for place in 0..length {
            steps.swap(place, usize::try_from(seed.rotate_left(u32::try_from(place).unwrap_or(0) * 7) % length as u64).unwrap_or(0));
        }
        prop_assert_eq!((totals(&steps), duplicates(&steps)), expected);
    }
}
