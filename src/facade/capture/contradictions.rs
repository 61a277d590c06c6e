//! Inputs that say one thing here and another there: refused, with both, rather than believed in one of them.

use std::collections::HashMap;

use crate::domain::ids::RunId;
use crate::domain::input::{RunInput, StepInput};
use crate::error::{Error, Result};

/// Two places of an input that name the run.
///
/// # Errors
/// `BAD_USER_INPUT` that names the second where they differ.
pub(super) fn check_same_run(
    (first, one): (&str, Option<&RunId>),
    (second, other): (&str, Option<&RunId>),
) -> Result<()> {
    match one.zip(other) {
        Some((one, other)) if one != other => {
            let (one, other) = (one.as_str(), other.as_str());
            let message = format!(
                "{first} is {one:?} and {second} is {other:?}, but a trace belongs to one run; send one of them"
            );
            Err(Error::input(second, message))
        }
        _ => Ok(()),
    }
}

/// The run of a trace that is recorded with it is a new one.
///
/// # Errors
/// `BAD_USER_INPUT` where it is said to correct an earlier one.
pub(super) fn check_no_revision(run: Option<&RunInput>) -> Result<()> {
    match run.and_then(|run| run.supersedes_revision) {
        Some(revision) => {
            let message = format!(
                "supersedesRevision {revision} corrects a run that is on record: use recordLlmRun, without a trace"
            );
            Err(Error::input("run.supersedesRevision", message))
        }
        None => Ok(()),
    }
}

/// Steps that are recorded all or none.
///
/// # Errors
/// `BAD_USER_INPUT` that names both places of a span that stands twice among them.
pub(super) fn check_spans(steps: &[StepInput]) -> Result<()> {
    let mut places = HashMap::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let Some(span_id) = &step.span_id else { continue };
        if let Some(first) = places.insert(span_id.as_str(), at) {
            let message =
                format!("the spanId {span_id:?} stands twice in the input, in steps[{first}] and steps[{at}]");
            return Err(Error::input(format!("steps[{at}].spanId"), message));
        }
    }
    Ok(())
}
