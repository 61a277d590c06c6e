//! Inputs that say one thing here and another there: refused, with both, rather than believed in one of them.

mod actors;

pub(super) use actors::{check_actor, check_approver, check_run_of_entry};

use std::collections::HashMap;
use std::fmt::Display;

use crate::capture::input::checked_run;
use crate::capture::redact::redact_text;
use crate::capture::seal::is_of_exporter;
use crate::domain::draft::SealSource;
use crate::domain::ids::RunId;
use crate::domain::input::{RunInput, SealInput, StepInput, TraceInput};
use crate::domain::run::LlmRun;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};

/// How far instants of one execution may lie apart: callers round them, and durations, to milliseconds.
const ROUNDED_US: i64 = 1_000;

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
    started_at: Option<Timestamp>,
    /// A caller said when it began, not the server's clock.
    is_begin_said: bool,
}

/// When a step ran, and what it is called in an error.
struct StepRan {
    name: String,
    from: Timestamp,
    to: Timestamp,
}

/// The labels that traces and runs have both.
macro_rules! labels {
    ($of:expr) => {
        [
            ("agentId", $of.agent_id.as_deref()),
            ("correlationId", $of.correlation_id.as_deref()),
            ("environment", $of.environment.as_deref()),
            ("serviceInstanceId", $of.service_instance_id.as_deref()),
            ("serviceName", $of.service_name.as_deref()),
            ("serviceVersion", $of.service_version.as_deref()),
            ("syntheticScenarioId", $of.synthetic_scenario_id.as_deref()),
        ]
    };
}

/// Lets each part of a new execution say what another says for all, and refuses parts that disagree. An execution that is
/// whole has one run, one beginning, one end and one status.
///
/// # Errors
/// `BAD_USER_INPUT` that names the field, what it says and what the other one says.
pub(super) fn settle_new(
    places: Places,
    trace: &mut TraceInput,
    steps: &[StepInput],
    seal: &mut SealInput,
    run: Option<&RunInput>,
) -> Result<()> {
    if let Some(run) =
        run.filter(|run| run.is_synthetic && !trace.is_synthetic && trace.synthetic_scenario_id.is_none())
    {
        trace.is_synthetic = true;
        trace.synthetic_scenario_id.clone_from(&run.synthetic_scenario_id);
    }
    let steps = steps.iter().enumerate().map(|(at, step)| StepRan {
        name: format!("steps[{at}]"),
        from: step.started_at,
        to: step.started_at.plus_micros(step.duration_us),
    });
    let said = TraceSaid {
        labels: labels!(trace),
        is_real: !trace.is_synthetic,
        started_at: trace.started_at,
        is_begin_said: true,
    };
    check(places, &said, steps, seal, run)?;
    trace.started_at = trace.started_at.or(run.and_then(|run| run.started_at));
    settle_seal(seal, run);
    Ok(())
}

/// The same for the end of a trace that is on record. When it began is held against the end only as far as its steps agree
/// with it: where nobody said it, it is the server's own clock that did. What an exporter brought was never refused, so it
/// is not held against the caller who ends it.
///
/// # Errors
/// As [`settle_new`].
pub(super) fn settle_end(source: &SealSource, seal: &mut SealInput, run: Option<&RunInput>) -> Result<()> {
    if is_of_exporter(source) {
        check(Places::OF_END, &TraceSaid::default(), std::iter::empty(), seal, run)?;
    } else {
        let trace = &source.trace.record;
        let ran = source.steps.iter().map(|(step, _)| StepRan {
            name: format!("the step {}", step.span_id),
            from: step.started_at,
            to: step.ended_at(),
        });
        let is_first = source.steps.iter().all(|(step, _)| step.started_at >= trace.started_at);
        let said = TraceSaid {
            labels: labels!(trace),
            is_real: !trace.is_synthetic,
            started_at: is_first.then_some(trace.started_at),
            is_begin_said: false,
        };
        check(Places::OF_END, &said, ran, seal, run)?;
    }
    settle_seal(seal, run);
    Ok(())
}

/// How and when a run ended is how and when its trace did.
fn settle_seal(seal: &mut SealInput, run: Option<&RunInput>) {
    seal.status = seal.status.or(run.and_then(|run| run.execution_status));
    seal.ended_at = seal.ended_at.or(run.and_then(|run| run.completed_at));
}

fn check(
    places: Places,
    trace: &TraceSaid<'_>,
    steps: impl Iterator<Item = StepRan>,
    seal: &SealInput,
    run: Option<&RunInput>,
) -> Result<()> {
    let Places { trace: of_trace, run: of_run, seal: of_seal } = places;
    if let Some(run) = run {
        if run.is_synthetic && trace.is_real {
            return Err(clash((&format!("{of_trace}isSynthetic"), &false), (&format!("{of_run}isSynthetic"), &true)));
        }
        for ((field, one), (_, other)) in trace.labels.into_iter().zip(labels!(run)) {
            check_label((&format!("{of_trace}{field}"), one), (&format!("{of_run}{field}"), other))?;
        }
        if let Some((one, other)) = seal.status.zip(run.execution_status).filter(|(one, other)| one != other) {
            let (first, second) = (format!("{of_seal}status"), format!("{of_run}executionStatus"));
            return Err(clash((&first, &one.as_str()), (&second, &other.as_str())));
        }
    }
    let began = [
        (format!("{of_trace}startedAt"), trace.started_at),
        (format!("{of_run}startedAt"), run.and_then(|run| run.started_at)),
    ];
    let ended = [
        (format!("{of_seal}endedAt"), seal.ended_at),
        (format!("{of_run}completedAt"), run.and_then(|run| run.completed_at)),
    ];
    check_instants(&began, &ended, trace.is_begin_said)?;
    check_steps(&began, &ended, steps)
}

/// One of some fields that say an instant, where it says it.
type Instants = [(String, Option<Timestamp>); 2];

fn said(instants: &Instants) -> impl Iterator<Item = (&str, Timestamp)> {
    instants.iter().filter_map(|(field, instant)| Some((field.as_str(), (*instant)?)))
}

/// Both say one instant, and no end lies before a beginning.
fn check_instants(began: &Instants, ended: &Instants, is_begin_said: bool) -> Result<()> {
    for [(first, one), (second, other)] in [Some(began).filter(|_| is_begin_said), Some(ended)].into_iter().flatten() {
        if let Some((one, other)) = one.zip(*other)
            && one.since(other).abs() > ROUNDED_US
        {
            return Err(clash((first, &one), (second, &other)));
        }
    }
    for (second, end) in said(ended) {
        if let Some((first, start)) = said(began).find(|(_, start)| end < *start) {
            let message = format!("{second} {end} lies before {first} {start}");
            return Err(Error::input(second, message));
        }
    }
    Ok(())
}

/// No step began before the beginning or ended after the end.
fn check_steps(began: &Instants, ended: &Instants, steps: impl Iterator<Item = StepRan>) -> Result<()> {
    let (start, end) = (said(began).max_by_key(|(_, start)| *start), said(ended).min_by_key(|(_, end)| *end));
    if start.is_none() && end.is_none() {
        return Ok(());
    }
    for StepRan { name, from, to } in steps {
        if let Some((field, start)) = start.filter(|(_, start)| start.since(from) > ROUNDED_US) {
            let message = format!(
                "{field} is {start}, but {name} began at {from}; leave {field} out, or send the earliest of the steps' startedAt"
            );
            return Err(Error::input(field, message));
        }
        if let Some((field, end)) = end.filter(|(_, end)| to.since(*end) > ROUNDED_US) {
            let message = format!(
                "{field} is {end}, but {name} ended at {to}; leave {field} out, and the end of the last step is taken"
            );
            return Err(Error::input(field, message));
        }
    }
    Ok(())
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
    check_actor(run.actor_type, run.actor_id.as_deref())
        .and_then(|()| checked_run(run.clone()).map(drop))
        .map_err(|error| places.of_run(error))
}

/// A run that a caller says something of, as it is to be recorded: what is a part is no more than the whole.
///
/// # Errors
/// `BAD_USER_INPUT` that names the part and the whole.
pub(super) fn check_parts(said: &RunInput, run: &LlmRun) -> Result<()> {
    for (field, said, part, whole, most) in [
        (
            "cachedInputTokens",
            [said.cached_input_tokens, said.input_tokens],
            run.cached_input_tokens,
            "inputTokens",
            run.input_tokens,
        ),
        (
            "reasoningTokens",
            [said.reasoning_tokens, said.output_tokens],
            run.reasoning_tokens,
            "outputTokens",
            run.output_tokens,
        ),
    ] {
        // What steps alone say is not the caller's to mend here.
        if let Some(part) = part.filter(|part| *part > most && said.iter().any(Option::is_some)) {
            let message = format!(
                "{field} is a part of {whole}, which is {most}: it lies between 0 and that, got {part}; send {whole} as well, \
                 all of it"
            );
            return Err(Error::input(field, message));
        }
    }
    Ok(())
}
