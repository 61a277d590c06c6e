//! The columns of steps that the ledger assigns: they stand in no leaf, so they are computed again.
//!
//! A step's `step_index` is 0, or the step before it in its trace has a smaller `seq`; that holds for all steps only where
//! they are counted without gaps in the order of `seq`. A step is late where a seal of its trace has a smaller `seq`.

use std::collections::HashMap;

use crate::domain::ids::{RecordId, TraceId};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;

/// A step's place, as its columns say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// Its record.
    pub id: RecordId,
    /// Its place in the log.
    pub seq: i64,
    /// Its trace.
    pub trace_id: TraceId,
    /// Its place in the trace.
    pub step_index: i64,
    /// Whether it came after a seal.
    pub is_late: bool,
}

/// What must be known beyond the steps of a window.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Steps, by trace and index, whose `seq` is wanted: each before the first of its trace in the window.
    pub before: Vec<(TraceId, i64)>,
    /// Traces whose first seal's `seq` is wanted.
    pub seals: Vec<TraceId>,
}

/// What is known beyond the steps of a window.
#[derive(Debug, Default)]
pub struct Known {
    /// The `seq` of steps, by trace and index.
    pub before: HashMap<(TraceId, i64), i64>,
    /// The smallest `seq` of a trace's seals; a trace that is absent has none.
    pub seals: HashMap<TraceId, i64>,
}

/// What is wanted to check steps that come in the order of `seq`.
#[must_use]
pub fn wanted(steps: &[StepPlace]) -> Wanted {
    let mut latest: HashMap<&TraceId, i64> = HashMap::new();
    let mut wanted = Wanted::default();
    for step in steps {
        let before = latest.insert(&step.trace_id, step.step_index);
        if before.is_none() {
            wanted.seals.push(step.trace_id.clone());
        }
        if step.step_index != 0 && before != Some(step.step_index - 1) {
            wanted.before.push((step.trace_id.clone(), step.step_index - 1));
        }
    }
    wanted
}

/// Checks steps that come in the order of `seq`.
#[must_use]
pub fn check(steps: &[StepPlace], known: &Known) -> Vec<Anomaly> {
    let mut latest: HashMap<&TraceId, i64> = HashMap::new();
    let mut findings = Vec::new();
    for step in steps {
        let before = latest.insert(&step.trace_id, step.step_index);
        let mut disagrees = |field: &str, detail: String| {
            let finding = Anomaly::new(AnomalyKind::Reordered, detail).at(step.seq);
            findings.push(finding.of(RecordKind::TraceStep, step.id).field(field));
        };
        if step.step_index != 0 && before != Some(step.step_index - 1) {
            let key = (step.trace_id.clone(), step.step_index - 1);
            match known.before.get(&key) {
                Some(seq) if *seq < step.seq => {}
                Some(seq) => disagrees(
                    "step_index",
                    format!("step {} of its trace comes before step {}, which is at {seq}", step.step_index, key.1),
                ),
                None => disagrees(
                    "step_index",
                    format!("step {} of its trace, but there is no step {}", step.step_index, key.1),
                ),
            }
        }
        let is_late = known.seals.get(&step.trace_id).is_some_and(|seal| *seal < step.seq);
        if is_late != step.is_late {
            let what = if is_late { "a seal came before it" } else { "no seal came before it" };
            disagrees("is_late", format!("is_late is {}, but {what}", step.is_late));
        }
    }
    findings
}
