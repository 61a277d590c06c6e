//! Inputs that say one thing here and another there: refused, with both, rather than believed in one of them.

use std::collections::HashMap;
use std::fmt::Display;

use crate::capture::input::checked_run;
use crate::capture::redact::redact_text;
use crate::capture::seal::is_of_exporter;
use crate::domain::draft::SealSource;
use crate::domain::ids::RunId;
use crate::domain::input::{RunInput, SealInput, StepInput, TraceInput};
use crate::error::{Error, Result};

/// What leads the names of the trace's, the run's and the seal's fields in a mutation.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub trace: &'static str,
    pub run: &'static str,
    pub seal: &'static str,
}

impl Places {
    /// Of `recordLlmRun`: the run's own fields say how its trace ended.
    pub const OF_RUN: Self = Self { trace: "trace.", run: "", seal: "" };
    /// Of `recordTrace`.
    pub const OF_TRACE: Self = Self { trace: "", run: "run.", seal: "seal." };
    /// Of `completeTrace`, whose trace is on record.
    pub const OF_END: Self = Self { trace: "the trace's ", run: "run.", seal: "" };

    /// The error of a trace as it begins.
    pub fn of_trace(self, error: Error) -> Error {
        led(self.trace, error)
    }

    /// The error of what is said of a run.
    pub fn of_run(self, error: Error) -> Error {
        led(self.run, error)
    }

    /// The error of a seal and its run.
    pub fn of_end(self, error: Error) -> Error {
        let is_of_seal = ["reason", "metadata"].iter().any(|field| error.message().starts_with(field));
        led(if is_of_seal { self.seal } else { self.run }, error)
    }
}

/// With the whole way to its field.
fn led(part: &str, error: Error) -> Error {
    match part.strip_suffix('.') {
        Some(part) => error.below(part),
        None => error,
    }
}

/// What a trace says of the execution that it is of.
#[derive(Default)]
struct TraceSaid<'a> {
    labels: [(&'static str, Option<&'a str>); 7],
    /// It is no test data.
    is_real: bool,
}

/// The labels that traces and runs have both.
macro_rules! labels {
    ($of:expr, $texts:expr) => {
        [
            ("agentId", $texts.agent_id.as_deref()),
            ("correlationId", $texts.correlation_id.as_deref()),
            ("environment", $texts.environment.as_deref()),
            ("serviceInstanceId", $texts.service_instance_id.as_deref()),
            ("serviceName", $texts.service_name.as_deref()),
            ("serviceVersion", $texts.service_version.as_deref()),
            ("syntheticScenarioId", $of.synthetic_scenario_id.as_deref()),
        ]
    };
}

/// Lets each part of a new execution say what another says for all, and refuses parts that disagree. Instants are not held
/// against each other: an execution is on several machines, whose clocks disagree.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, what it says and what the other one says.
pub(super) fn settle_new(
    places: Places,
    trace: &mut TraceInput,
    seal: &mut SealInput,
    run: Option<&RunInput>,
) -> Result<()> {
    if let Some(run) =
        run.filter(|run| run.is_synthetic && !trace.is_synthetic && trace.synthetic_scenario_id.is_none())
    {
        trace.is_synthetic = true;
        trace.synthetic_scenario_id.clone_from(&run.synthetic_scenario_id);
    }
    if let Some((start, end)) = trace.started_at.zip(seal.ended_at).filter(|(start, end)| end < start) {
        let (first, second) = (format!("{}startedAt", places.trace), format!("{}endedAt", places.seal));
        return Err(Error::input(&second, format!("{second} {end} lies before {first} {start}")));
    }
    check(places, &TraceSaid { labels: labels!(trace, trace), is_real: !trace.is_synthetic }, seal, run)?;
    trace.started_at = trace.started_at.or(run.and_then(|run| run.started_at));
    settle_seal(seal, run);
    Ok(())
}

/// The same for the end of a trace that is on record. What an exporter brought was never refused, so it is not held against
/// the caller who ends it.
///
/// # Errors
/// As [`settle_new`].
pub(super) fn settle_end(source: &SealSource, seal: &mut SealInput, run: Option<&RunInput>) -> Result<()> {
    let trace = &source.trace.record;
    let said = match is_of_exporter(source) {
        true => TraceSaid::default(),
        false => TraceSaid { labels: labels!(trace, trace), is_real: !trace.is_synthetic },
    };
    check(Places::OF_END, &said, seal, run)?;
    settle_seal(seal, run);
    // Where a step began before the trace, it is the server's own clock that said when the trace began.
    let is_begin_said = source.steps.iter().all(|(step, _)| step.started_at >= trace.started_at);
    match seal.ended_at.filter(|end| is_begin_said && *end < trace.started_at) {
        Some(end) => {
            let message = format!("endedAt {end} lies before the trace's startedAt {}", trace.started_at);
            Err(Error::input("endedAt", message))
        }
        None => Ok(()),
    }
}

/// How and when a run ended is how and when its trace did.
fn settle_seal(seal: &mut SealInput, run: Option<&RunInput>) {
    seal.status = seal.status.or(run.and_then(|run| run.execution_status));
    seal.ended_at = seal.ended_at.or(run.and_then(|run| run.completed_at));
}

fn check(places: Places, trace: &TraceSaid<'_>, seal: &SealInput, run: Option<&RunInput>) -> Result<()> {
    let Places { trace: of_trace, run: of_run, seal: of_seal } = places;
    let Some(run) = run else { return Ok(()) };
    if run.is_synthetic && trace.is_real {
        return Err(clash((&format!("{of_trace}isSynthetic"), &false), (&format!("{of_run}isSynthetic"), &true)));
    }
    for ((field, one), (_, other)) in trace.labels.into_iter().zip(labels!(run, run.texts)) {
        check_label((&format!("{of_trace}{field}"), one), (&format!("{of_run}{field}"), other))?;
    }
    match seal.status.zip(run.execution_status).filter(|(one, other)| one != other) {
        Some((one, other)) => {
            let (first, second) = (format!("{of_seal}status"), format!("{of_run}executionStatus"));
            Err(clash((&first, &one.as_str()), (&second, &other.as_str())))
        }
        None => Ok(()),
    }
}

/// A label that two places say. What is on record was redacted; what is sent is shown redacted.
fn check_label((first, one): (&str, Option<&str>), (second, other): (&str, Option<&str>)) -> Result<()> {
    match one.zip(other) {
        Some((one, other)) if one != other && redact_text(other) != one => {
            let (one, other) = (redact_text(one), redact_text(other));
            Err(clash((first, &format!("{one:.64?}")), (second, &format!("{other:.64?}"))))
        }
        _ => Ok(()),
    }
}

/// Two fields that say of one execution what cannot both be.
fn clash((first, one): (&str, &dyn Display), (second, other): (&str, &dyn Display)) -> Error {
    let message =
        format!("{second} is {other}, but {first} is {one}: one execution has one; send the same, or one of them");
    Error::input(second, message)
}

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

/// What a caller says of a run, by itself.
///
/// # Errors
/// `BAD_USER_INPUT` or `LIMIT_EXCEEDED` that name the field.
pub(super) fn check_run(places: Places, run: Option<&RunInput>) -> Result<()> {
    let Some(run) = run else { return Ok(()) };
    checked_run(run.clone()).map(drop).map_err(|error| places.of_run(error))
}
