//! What happened around the decisive moment of a run: its inflection, the window around it, and the one ordered list of
//! events in that window. Pure: the same records give the same answer, which is therefore never stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::audit::AuditEntry;
use super::ids::{RecordId, RunId, TraceId};
use super::incident::IncidentEvidence;
use super::run::{LlmRun, Stored};
use super::system::SystemRecord;
use super::time::{MICROS_PER_SECOND, Timestamp};
use super::vocabulary::{AuditCategory, InflectionRule, ReplaySource, StepStatus};
use crate::error::{Error, Result};

/// Seconds of a window when the caller does not say.
pub const WINDOW_SECONDS_DEFAULT: i64 = 60;
/// Most seconds of a window.
pub const WINDOW_SECONDS_MAX: i64 = 600;
/// Most events of a replay; what goes beyond them is left out, and the answer says so.
pub const EVENTS_MAX: usize = 1_000;

/// A half-open range of instants in microseconds: `from <= instant < to`. Not clamped to the years that can be written, so
/// that it holds its own middle at either end of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first microsecond inside.
    pub from_us: i64,
    /// The first microsecond behind.
    pub to_us: i64,
}

impl Window {
    /// `[at - w/2, at + w/2)`, w in seconds.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` that names `windowSeconds` unless it lies between 1 and [`WINDOW_SECONDS_MAX`].
    pub fn around(at: Timestamp, seconds: i64) -> Result<Self> {
        let half_us = check_window(seconds)? * MICROS_PER_SECOND / 2;
        Ok(Self { from_us: at.as_micros() - half_us, to_us: at.as_micros() + half_us })
    }

    /// Its beginning, as far as it can be written.
    #[must_use]
    pub fn from(self) -> Timestamp {
        Timestamp::from_micros_clamped(self.from_us)
    }

    /// Its end, which is outside it, as far as it can be written.
    #[must_use]
    pub fn to(self) -> Timestamp {
        Timestamp::from_micros_clamped(self.to_us)
    }

    /// Whether the instant lies inside.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        (self.from_us..self.to_us).contains(&at.as_micros())
    }

    /// Whether work that began at `start` and took `duration_us` was under way inside. Work is half open like the window:
    /// what ends where the window begins, or begins where it ends, is outside. Work without duration is an instant.
    #[must_use]
    pub fn overlaps(self, start: Timestamp, duration_us: i64) -> bool {
        let start = start.as_micros();
        start < self.to_us && (start >= self.from_us || start.saturating_add(duration_us) > self.from_us)
    }
}

/// Checks a number of seconds.
///
/// # Errors
/// As [`Window::around`].
pub fn check_window(seconds: i64) -> Result<i64> {
    if (1..=WINDOW_SECONDS_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    let message = format!("windowSeconds lies between 1 and {WINDOW_SECONDS_MAX}, got {seconds}");
    Err(Error::input("windowSeconds", message))
}

/// An instant that a record offers as inflection. The smallest is the first: by instant, then by the place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The instant.
    pub at: Timestamp,
    /// The record's place in the log.
    pub seq: i64,
}

/// What the records other than the run and its incidents say about the inflection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InflectionFacts {
    /// The run's first governance entry whose action is BLOCKED or MODIFIED.
    pub blocked: Option<Candidate>,
    /// The first end of a step of its trace with status FAILURE.
    pub failed: Option<Candidate>,
    /// The ends of the steps that incidents name, by step_index.
    pub step_ends: BTreeMap<i64, Timestamp>,
}

/// The decisive moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflection {
    /// The rule that decided it.
    pub rule: InflectionRule,
    /// When it was.
    pub at: Timestamp,
}

/// The inflection of a run by the first rule that applies. A step that an incident names decides at its end, as a failed
/// step does; an instant goes before a step in one incident. A step that is not on record decides nothing.
#[must_use]
pub fn inflection<'i>(
    run: &LlmRun,
    incidents: impl IntoIterator<Item = &'i Stored<IncidentEvidence>> + Clone,
    facts: &InflectionFacts,
) -> Inflection {
    let first = |said: fn(&IncidentEvidence) -> (Option<Timestamp>, Option<i64>)| {
        let candidates = incidents.clone().into_iter().filter_map(|incident| {
            let (at, step) = said(incident);
            let of_step = || step.and_then(|index| facts.step_ends.get(&index).copied());
            at.or_else(of_step).map(|at| Candidate { at, seq: incident.seq })
        });
        candidates.min()
    };
    let violation = || first(|incident| (incident.violation_at, incident.violation_step_index));
    let incident = || first(|incident| (incident.inflection_at, incident.inflection_step_index));
    let (rule, at) = if let Some(found) = violation() {
        (InflectionRule::Violation, found.at)
    } else if let Some(found) = incident() {
        (InflectionRule::Incident, found.at)
    } else if let Some(found) = facts.blocked {
        (InflectionRule::Governance, found.at)
    } else if let Some(found) = facts.failed {
        (InflectionRule::FailedStep, found.at)
    } else if let Some(completed_at) = run.completed_at {
        (InflectionRule::Completion, completed_at)
    } else {
        (InflectionRule::Start, run.started_at)
    };
    Inflection { rule, at }
}

/// The steps that incidents name, without repeats: their ends must be among the facts.
#[must_use]
pub fn named_steps<'i>(incidents: impl IntoIterator<Item = &'i Stored<IncidentEvidence>>) -> Vec<i64> {
    let named = |incident: &Stored<IncidentEvidence>| [incident.violation_step_index, incident.inflection_step_index];
    let mut steps: Vec<i64> = incidents.into_iter().flat_map(named).flatten().collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

/// What a replay tells of a step: a run has many, and they have many columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayStep {
    /// Its record.
    pub id: RecordId,
    /// Its place in its trace.
    pub step_index: i64,
    /// The tool, agent or operation.
    pub skill_name: String,
    /// What came of it.
    pub status: StepStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_us: i64,
}

/// A record of a replay. Shared, because the windows of a page of runs overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayRecord {
    /// A step of the run's trace.
    Step(Arc<ReplayStep>),
    /// A system record of the tenant or the platform.
    System(Arc<Stored<SystemRecord>>),
    /// A governance entry.
    Policy(Arc<Stored<AuditEntry>>),
}

impl ReplayRecord {
    /// Where it comes from.
    #[must_use]
    pub const fn source(&self) -> ReplaySource {
        match self {
            Self::Step(_) => ReplaySource::Llm,
            Self::System(_) => ReplaySource::System,
            Self::Policy(_) => ReplaySource::Policy,
        }
    }

    /// When it happened; of a step, when it began, which may lie before the window.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Step(step) => step.started_at,
            Self::System(record) => record.occurred_at,
            Self::Policy(entry) => entry.occurred_at,
        }
    }

    /// Its record id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        match self {
            Self::Step(step) => step.id,
            Self::System(record) => record.id,
            Self::Policy(entry) => entry.id,
        }
    }

    fn is_inside(&self, window: Window, run: &LlmRun) -> bool {
        match self {
            Self::Step(step) => window.overlaps(step.started_at, step.duration_us),
            Self::System(record) => window.holds(record.occurred_at),
            Self::Policy(entry) => {
                let is_theirs =
                    entry.run_id.as_ref().is_none_or(|of| is_of_run(of, &run.run_id, run.trace_id.as_ref()));
                entry.category == AuditCategory::Governance && is_theirs && window.holds(entry.occurred_at)
            }
        }
    }
}

/// Whether an entry that names a run is this run's: spans name their trace where the run has no name yet.
#[must_use]
pub fn is_of_run(named: &RunId, run_id: &RunId, trace_id: Option<&TraceId>) -> bool {
    named == run_id || trace_id.is_some_and(|trace_id| trace_id.as_str() == named.as_str())
}

/// What happened in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayEvents {
    /// The events by (instant, source, record id), at most [`EVENTS_MAX`].
    pub events: Vec<ReplayRecord>,
    /// Whether there are more.
    pub is_truncated: bool,
}

/// One ordered list of what lies inside the window; what does not is left out. Of each source the first
/// [`EVENTS_MAX`] + 1 by (instant, record id) are enough.
#[must_use]
pub fn merge(window: Window, run: &LlmRun, records: impl IntoIterator<Item = ReplayRecord>) -> ReplayEvents {
    let mut events: Vec<ReplayRecord> = records.into_iter().filter(|record| record.is_inside(window, run)).collect();
    events.sort_unstable_by_key(|record| (record.at(), record.source(), record.id()));
    let is_truncated = events.len() > EVENTS_MAX;
    events.truncate(EVENTS_MAX);
    ReplayEvents { events, is_truncated }
}

#[cfg(test)]
mod tests;
