//! What became of each record of a batch.

use async_graphql::{Enum, SimpleObject};

use crate::error::{Detail, Error};
use crate::facade::capture::StepResult;
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::shared::row::Row;
use crate::graphql::trace::steps::TraceStep;

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum RecordOutcome {
    /// It is on record now.
    Recorded,
    /// It was on record before, a step by its span id. What was recorded first stands.
    Existing,
    /// It cannot be recorded. The error says why.
    Rejected,
}

/// What became of one step of recordSteps.
#[derive(SimpleObject)]
pub struct RecordStepResult {
    /// What became of it.
    outcome: RecordOutcome,
    /// The step that is on record. Null when it was rejected. One that was on record before is null without the scope
    /// runs:read; the error says so.
    step: Option<Row<TraceStep>>,
    /// Whether a step that was on record before differs from what was sent now.
    differs: bool,
    /// Why the step was rejected, or is not shown. Null when it is on record and shown.
    error: Option<RecordError>,
    /// The receipt of the step that is on record, made when it is selected: see LedgerEntry.receipt. Null when it was
    /// rejected.
    receipt: Receipt,
}

/// Why a record was rejected while others of the same request were kept.
#[derive(SimpleObject)]
pub struct RecordError {
    /// The kind of error, as in extensions.code of errors.
    code: &'static str,
    /// What is wrong and what to do, in words.
    message: String,
    /// The field of the input that is wrong. Null when it is not one field.
    field: Option<String>,
}

impl From<StepResult> for RecordStepResult {
    fn from(result: StepResult) -> Self {
        let (outcome, step, differs, error) = match result {
            StepResult::Recorded(step) => (RecordOutcome::Recorded, Some(step), false, None),
            StepResult::Existing { step: Ok(step), differs } => (RecordOutcome::Existing, Some(step), differs, None),
            StepResult::Existing { step: Err(refusal), differs } => {
                (RecordOutcome::Existing, None, differs, Some(refusal))
            }
            StepResult::Rejected(error) => (RecordOutcome::Rejected, None, false, Some(error)),
        };
        let receipt = Receipt(step.as_ref().map(|step| step.id));
        Self { outcome, step: step.map(Into::into), differs, error: error.as_ref().map(Into::into), receipt }
    }
}

impl From<&Error> for RecordError {
    fn from(error: &Error) -> Self {
        let field = match error.detail() {
            Detail::Field(field) => Some(field.clone()),
            _ => None,
        };
        Self { code: error.code().as_str(), message: error.message().to_owned(), field }
    }
}
