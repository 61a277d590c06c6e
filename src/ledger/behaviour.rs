//! How a trace behaved, as one hash: two executions with equal roots did the same work with the same outcomes.
//!
//! A step's behaviour hash is the SHA-256 of the canonical JSON (RFC 8785) of `attempt` (a string), `kind`, `skill_name`,
//! `status`, `outcome_category`, `outcome_code` and `input_hash` (hex), absent ones left out. The root is RFC 6962's over
//! these hashes as leaves, in order of (started_at, span_id). Times, ids, tokens and outputs are not behaviour.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::tree;
use crate::domain::ids::Digest;
use crate::domain::trace::{DivergenceReason, TraceStep};
use crate::error::{Error, Result};

// Fields stand in the order of their UTF-16 names, which is the canonical order.
#[derive(Serialize)]
struct Behaviour<'a> {
    attempt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_hash: Option<String>,
    kind: &'a str,
    outcome_category: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_code: Option<&'a str>,
    skill_name: &'a str,
    status: &'a str,
}

/// The behaviour hash of one step.
///
/// # Errors
/// `INTERNAL` when the step cannot be written as JSON, which no valid step does.
pub fn behaviour_hash(step: &TraceStep) -> Result<Digest> {
    let behaviour = Behaviour {
        attempt: step.attempt.to_string(),
        input_hash: step.input_hash.map(Digest::to_hex),
        kind: step.kind.as_str(),
        outcome_category: step.outcome_category.as_str(),
        outcome_code: step.outcome_code.as_deref(),
        skill_name: &step.skill_name,
        status: step.status.as_str(),
    };
    let canonical = serde_json_canonicalizer::to_vec(&behaviour).map_err(Error::internal)?;
    Ok(Digest(Sha256::digest(canonical).into()))
}

/// The root over the steps' behaviour hashes, whatever order they are given in.
///
/// # Errors
/// As [`behaviour_hash`].
pub fn root<'a>(steps: impl IntoIterator<Item = &'a TraceStep>) -> Result<Digest> {
    let mut steps: Vec<&TraceStep> = steps.into_iter().collect();
    sort(&mut steps, |step| step);
    let leaves = steps.into_iter().map(|step| Ok(tree::leaf_hash(&behaviour_hash(step)?.0)));
    Ok(tree::root(leaves.collect::<Result<Vec<_>>>()?))
}

/// The same, where `leaves` has the leaves over the first steps' hashes already, in the order in which the steps are given;
/// those of the others are added to it.
///
/// # Errors
/// As [`behaviour_hash`].
pub fn root_with<T>(steps: &[T], step: impl Fn(&T) -> &TraceStep, leaves: &mut Vec<Digest>) -> Result<Digest> {
    for new in steps.iter().skip(leaves.len()) {
        leaves.push(tree::leaf_hash(&behaviour_hash(step(new))?.0));
    }
    let mut sorted: Vec<(&TraceStep, Digest)> = steps.iter().map(step).zip(leaves.iter().copied()).collect();
    sort(&mut sorted, |pair| pair.0);
    Ok(tree::root(sorted.into_iter().map(|(_, leaf)| leaf)))
}

/// Puts steps into the order that behaviour is compared in: (started_at, span_id).
pub fn sort<T>(steps: &mut [T], step: impl Fn(&T) -> &TraceStep) {
    steps.sort_by(|left, right| {
        let (left, right) = (step(left), step(right));
        (left.started_at, left.span_id.as_str()).cmp(&(right.started_at, right.span_id.as_str()))
    });
}

/// The first place where two sorted traces part, and why; `None` when they behave alike.
///
/// # Errors
/// As [`behaviour_hash`].
pub fn divergence<T>(
    left: &[T],
    right: &[T],
    step: impl Fn(&T) -> &TraceStep,
) -> Result<Option<(usize, DivergenceReason)>> {
    for (place, (left, right)) in left.iter().zip(right).enumerate() {
        let (left, right) = (step(left), step(right));
        if behaviour_hash(left)? != behaviour_hash(right)? {
            return Ok(Some((place, reason(left, right))));
        }
    }
    let shorter = left.len().min(right.len());
    Ok((left.len() != right.len()).then_some((shorter, DivergenceReason::Length)))
}

fn reason(left: &TraceStep, right: &TraceStep) -> DivergenceReason {
    if left.kind != right.kind || left.skill_name != right.skill_name {
        DivergenceReason::Work
    } else if left.attempt != right.attempt {
        DivergenceReason::Attempt
    } else if left.input_hash != right.input_hash {
        DivergenceReason::Input
    } else {
        DivergenceReason::Outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TraceId;
    use crate::domain::time::Timestamp;
    use crate::domain::vocabulary::{OutcomeCategory, StepKind, StepStatus};

    fn step(span_id: &str, started_at: i64) -> TraceStep {
        TraceStep {
            trace_id: TraceId::trusted("t"),
            caller_index: None,
            span_id: span_id.to_owned(),
            parent_span_id: None,
            attempt: 1,
            kind: StepKind::Tool,
            skill_name: "search".to_owned(),
            status: StepStatus::Success,
            outcome_category: OutcomeCategory::Success,
            outcome_code: None,
            provider: None,
            model: None,
            response_id: None,
            input_tokens: None,
            output_tokens: None,
            cost_micros: None,
            started_at: Timestamp::from_micros_clamped(started_at),
            duration_us: 5,
            input_hash: None,
            output_hash: None,
            idempotency_key: None,
            duplicate_of: None,
            attributes_commitment: None,
            content_commitment: None,
        }
    }

    #[test]
    fn hashes_the_documented_bytes() {
        let text =
            r#"{"attempt":"1","kind":"TOOL","outcome_category":"SUCCESS","skill_name":"search","status":"SUCCESS"}"#;
        assert_eq!(behaviour_hash(&step("a", 1)).expect("hash"), Digest(Sha256::digest(text).into()));
    }

    #[test]
    fn the_root_depends_on_behaviour_not_on_arrival() {
        let mut other = step("b", 2);
        other.skill_name = "fetch".to_owned();
        let one = root([&step("a", 1), &other]).expect("root");
        assert_eq!(one, root([&other, &step("z", 1)]).expect("root"));
        assert_ne!(one, root([&step("a", 3), &other]).expect("root"), "another order of work is another behaviour");
    }

    #[test]
    fn leaves_that_are_known_give_the_same_root() {
        let steps: Vec<TraceStep> =
            (0..40).map(|place| TraceStep { attempt: place, ..step(&place.to_string(), place * 7 % 40) }).collect();
        let mut leaves = Vec::new();
        for count in [0, 1, 30, 40] {
            let some = &steps[..count];
            assert_eq!(root_with(some, |step| step, &mut leaves).expect("root"), root(some).expect("root"));
            assert_eq!(leaves.len(), count);
        }
        // What is known is not hashed again: a wrong leaf stays wrong.
        leaves[3] = Digest([0; 32]);
        assert_ne!(root_with(&steps, |step| step, &mut leaves).expect("root"), root(&steps).expect("root"));
    }

    #[test]
    fn names_the_first_step_where_two_traces_part() {
        let left = [step("a", 1), step("b", 2)];
        let mut right = left.clone();
        assert_eq!(divergence(&left, &right, |step| step).expect("compare"), None);
        right[1].status = StepStatus::Failure;
        let found = divergence(&left, &right, |step| step).expect("compare");
        assert_eq!(found, Some((1, DivergenceReason::Outcome)));
        let found = divergence(&left, &left[..1], |step| step).expect("compare");
        assert_eq!(found, Some((1, DivergenceReason::Length)));
    }
}
