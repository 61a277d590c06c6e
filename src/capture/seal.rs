//! The end of a trace and the run that was made from it. Everything follows from the steps in (started_at, span_id) order, never
//! from the order in which they came.

mod run;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CaptureContext;
use super::calls::Calls;
use super::facts::Facts;
use super::input::{METADATA_BYTES_MAX, document, reason};
use super::otlp::is_llm_work;
use crate::domain::draft::{DraftPayload, DraftSeal, SealSource};
use crate::domain::ids::{Digest, RunId};
use crate::domain::input::RunInput;
use crate::domain::payload::PayloadPart;
use crate::domain::time::Timestamp;
use crate::domain::trace::{TraceSeal, TraceTotals};
use crate::domain::vocabulary::{ExecutionStatus, OutcomeCategory, StepStatus};
use crate::error::Result;

pub use super::calls::{duplicates, totals};

/// The scenario of test data that does not name one.
pub const UNNAMED_SCENARIO: &str = "unnamed";

/// What the caller of sealing knows beyond the trace.
#[derive(Clone, Debug)]
pub struct SealOptions {
    /// How the trace ended; follows from its topmost span where it is absent.
    pub status: Option<ExecutionStatus>,
    /// Why; redacted.
    pub reason: Option<String>,
    /// When; the last step's end where it is absent.
    pub ended_at: Option<Timestamp>,
    /// The caller's own JSON; redacted.
    pub metadata: Option<Value>,
    /// What the caller says about the run.
    pub run: Option<RunInput>,
    /// The run's name, decided by the caller of this.
    pub run_id: RunId,
    /// A name that was wanted and is taken by another trace: kept as correlation id and reported in the metadata.
    pub conflicting_run_id: Option<RunId>,
}

/// The run id that the trace asks for: of OTLP spans `runledger.run_id` of the root, else of the earliest span that has one;
/// of a trace that came by mutations the trace's own.
#[must_use]
pub fn wanted_run_id(source: &SealSource) -> Option<RunId> {
    let calls = Calls::read(&source.steps);
    if !calls.nodes.iter().any(|node| node.facts.is_otlp) {
        return Some(source.trace.run_id.clone());
    }
    let head = head(&calls).and_then(|place| calls.nodes[place].facts.run_id.as_deref());
    let wanted = head.or_else(|| calls.nodes.iter().find_map(|node| node.facts.run_id.as_deref()))?;
    RunId::parse(wanted).ok()
}

/// The seal of a trace, with the run that goes with it: `None` where the trace holds no LLM work and the caller says nothing
/// of one.
///
/// # Errors
/// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` for what the caller hands in.
pub fn seal(ctx: &CaptureContext, source: &SealSource, root_hash: Digest, options: SealOptions) -> Result<DraftSeal> {
    let calls = Calls::read(&source.steps);
    let last_end = source.steps.iter().map(|(step, _)| step.ended_at()).max();
    let ended_at = options.ended_at.or(last_end).unwrap_or(source.trace.started_at);
    let status = options.status.unwrap_or_else(|| status(&calls));
    let totals = calls.totals();
    let has_run = options.run.is_some() || source.steps.iter().any(|(step, _)| is_llm_work(step));
    let frame = run::Frame { source, calls: &calls, totals, status, ended_at, root_hash };
    let run = if has_run { Some(run::compose(ctx, &frame, &options)?) } else { None };
    let seal = TraceSeal {
        trace_id: source.trace.trace_id.clone(),
        revision: source.seal_revision + 1,
        status,
        reason: options.reason.as_deref().map(reason).transpose()?,
        step_count: i64::try_from(source.steps.len()).unwrap_or(i64::MAX),
        root_hash,
        ended_at,
        metadata_commitment: None,
    };
    let payload = metadata(totals, &calls, options.metadata, options.conflicting_run_id.as_ref())?;
    Ok(DraftSeal { seal, payloads: vec![payload], run })
}

/// The topmost span that speaks for the trace: the earliest without a parent, else the earliest whose parent is not here.
fn head(calls: &Calls<'_>) -> Option<usize> {
    let place = |is_head: fn(&super::calls::Node<'_>) -> bool| calls.nodes.iter().position(is_head);
    place(|node| node.step.parent_span_id.is_none()).or_else(|| place(|node| node.parent.is_none())).or(
        // Only a circle of parents has neither.
        if calls.nodes.is_empty() { None } else { Some(0) },
    )
}

/// How a trace ended: as its topmost spans did. Of several without a parent one that failed is enough; one that was to be
/// tried again says something only where none of them came after it. A failure below another span is that one's to judge:
/// it may have dealt with it.
fn status(calls: &Calls<'_>) -> ExecutionStatus {
    let mut topmost: Vec<_> = calls.nodes.iter().filter(|node| node.step.parent_span_id.is_none()).collect();
    if topmost.is_empty() {
        topmost.extend(head(calls).map(|place| &calls.nodes[place]));
    }
    let last = topmost.len().saturating_sub(1);
    let failed = topmost.iter().enumerate().find(|(at, node)| match node.step.status {
        StepStatus::Success | StepStatus::Skipped => false,
        StepStatus::Retry => *at == last,
        StepStatus::Failure => true,
    });
    match failed {
        None => ExecutionStatus::Succeeded,
        Some((_, node)) if node.step.outcome_category == OutcomeCategory::Cancelled => ExecutionStatus::Aborted,
        Some((_, node)) if node.facts.is_timeout => ExecutionStatus::Timeout,
        Some(_) => ExecutionStatus::Failed,
    }
}

/// Whether an exporter brought steps of the trace: what they say cannot be refused, so it is not held against a caller.
#[must_use]
pub fn is_of_exporter(source: &SealSource) -> bool {
    source.steps.iter().any(|(_, facts)| Facts::parse(facts).is_otlp)
}

/// The seal's payload. 64-bit integers are text: canonical JSON would round them.
fn metadata(
    totals: TraceTotals,
    calls: &Calls<'_>,
    caller: Option<Value>,
    conflicting_run_id: Option<&RunId>,
) -> Result<DraftPayload> {
    let mut duplicates = calls.duplicates();
    duplicates.extend(
        calls.nodes.iter().filter_map(|node| Some((node.step.span_id.clone(), node.step.duplicate_of.clone()?))),
    );
    let mut value = json!({
        "totals": {
            "calls": totals.calls.to_string(),
            "input_tokens": totals.input_tokens.to_string(),
            "output_tokens": totals.output_tokens.to_string(),
            "cost_micros": totals.cost_micros.map(|cost| cost.to_string()),
        },
        "duplicates": duplicates,
    });
    if let (Some(caller), Some(members)) = (caller, value.as_object_mut()) {
        let text = document("metadata", caller, METADATA_BYTES_MAX)?;
        members.insert("caller".to_owned(), serde_json::from_str(&text).map_err(crate::error::Error::internal)?);
    }
    if let (Some(name), Some(members)) = (conflicting_run_id, value.as_object_mut()) {
        members.insert("conflicting_run_id".to_owned(), Value::String(name.as_str().to_owned()));
    }
    Ok(DraftPayload { part: PayloadPart::Metadata, text: super::json::canonical(&value)? })
}

/// Totals and duplicates as [`seal`] wrote them into payload part `metadata`; `None` when the text is not of its making.
#[must_use]
pub fn parse_seal_metadata(text: &str) -> Option<(TraceTotals, BTreeMap<String, String>)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let totals = value.get("totals")?;
    let number = |name: &str| totals.get(name)?.as_str()?.parse::<i64>().ok();
    let duplicates = value.get("duplicates")?.as_object()?;
    let duplicates = duplicates.iter().filter_map(|(id, of)| Some((id.clone(), of.as_str()?.to_owned()))).collect();
    let totals = TraceTotals {
        calls: number("calls")?,
        input_tokens: number("input_tokens")?,
        output_tokens: number("output_tokens")?,
        cost_micros: number("cost_micros"),
    };
    Some((totals, duplicates))
}

/// The first of some facts in order: the head's, else the earliest step's that has one.
fn first_fact<T>(calls: &Calls<'_>, fact: impl Fn(&Facts) -> Option<T>) -> Option<T> {
    let head = head(calls).and_then(|place| fact(&calls.nodes[place].facts));
    head.or_else(|| calls.nodes.iter().find_map(|node| fact(&node.facts)))
}

#[cfg(test)]
mod tests;
