//! Records as capture makes them: without ids, salts and commitments, which the facade adds before they are appended.

use super::append::StepFacts;
use super::audit::AuditEntry;
use super::ids::TraceId;
use super::payload::PayloadPart;
use super::run::{LlmRun, Stored, StoredRun};
use super::settle::TraceSignals;
use super::trace::{Trace, TraceSeal, TraceStep};

/// A payload's canonical JSON text, redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftPayload {
    /// Which part.
    pub part: PayloadPart,
    /// Canonical JSON (RFC 8785).
    pub text: String,
}

/// A step, its commitments still `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftStep {
    /// The columns.
    pub step: TraceStep,
    /// The payloads.
    pub payloads: Vec<DraftPayload>,
    /// What sealing needs beyond the columns.
    pub facts: StepFacts,
    /// What rules said and did in it; written with the step and only then.
    pub audits: Vec<DraftAudit>,
}

/// An audit entry, its commitments still `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftAudit {
    /// The columns.
    pub entry: AuditEntry,
    /// The reason and the states.
    pub payloads: Vec<DraftPayload>,
}

/// A trace and those of its steps that came in one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftTrace {
    /// The beginning, its commitment still `None`; written only where the trace is new.
    pub trace: Trace,
    /// The plan.
    pub payloads: Vec<DraftPayload>,
    /// The steps.
    pub steps: Vec<DraftStep>,
    /// What they say about the trace.
    pub signals: TraceSignals,
}

/// Everything that is known of a trace that is due to be sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealSource {
    /// Its beginning.
    pub trace: Stored<Trace>,
    /// Its steps with their facts, in order of recording, from [`first`](Self::first) on.
    pub steps: Vec<(TraceStep, String)>,
    /// How many steps stand before these: whoever asked knows them already. Steps never change.
    pub first: usize,
    /// The newest seal's revision; 0 where there is none.
    pub seal_revision: i64,
    /// The newest run that was made from it.
    pub run: Option<StoredRun>,
    /// What its steps have said about it so far.
    pub signals: TraceSignals,
    /// Version of the trace, for the guard.
    pub version: i64,
}

/// A seal and the run that goes with it; commitments still `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftSeal {
    /// The seal.
    pub seal: TraceSeal,
    /// Its metadata: totals, duplicates.
    pub payloads: Vec<DraftPayload>,
    /// The run; `None` where the trace holds no LLM work.
    pub run: Option<LlmRun>,
}

/// A trace that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTrace {
    /// Its tenant.
    pub tenant: super::ids::TenantId,
    /// Its name.
    pub trace_id: TraceId,
    /// Whether it is due because it fell silent without its root, or was left open.
    pub is_silent: bool,
    /// How many steps it has.
    pub step_count: i64,
}
