//! Every kind of evidence record under one name: what the ledger chains, verifies and feeds.

use super::audit::AuditEntry;
use super::export::LogExport;
use super::ids::{Digest, IdKind, RecordId, TenantId};
use super::incident::IncidentEvidence;
use super::ledger::LedgerEvent;
use super::payload::PayloadPart;
use super::policy::PolicyActivation;
use super::run::{LlmRun, Stored};
use super::system::SystemRecord;
use super::time::Timestamp;
use super::trace::{StoredStep, StoredTrace, Trace, TraceSeal, TraceStep};
use super::vocabulary::{LedgerEventKind, RecordKind};

/// A record of any kind.
#[derive(Clone, Copy, Debug)]
pub enum RecordRef<'r> {
    /// A run.
    Run(&'r LlmRun),
    /// The beginning of a trace.
    Trace(&'r Trace),
    /// A step.
    Step(&'r TraceStep),
    /// The end of a trace.
    Seal(&'r TraceSeal),
    /// A system record.
    System(&'r SystemRecord),
    /// An entry of the audit ledger.
    Audit(&'r AuditEntry),
    /// A policy activation.
    Policy(&'r PolicyActivation),
    /// Incident evidence.
    Incident(&'r IncidentEvidence),
    /// An export.
    Export(&'r LogExport),
    /// An event of the ledger.
    Event(&'r LedgerEvent),
}

impl RecordRef<'_> {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Run(_) => RecordKind::LlmRun,
            Self::Trace(_) => RecordKind::Trace,
            Self::Step(_) => RecordKind::TraceStep,
            Self::Seal(_) => RecordKind::TraceSeal,
            Self::System(_) => RecordKind::SystemRecord,
            Self::Audit(_) => RecordKind::AuditEntry,
            Self::Policy(_) => RecordKind::PolicyActivation,
            Self::Incident(_) => RecordKind::IncidentEvidence,
            Self::Export(_) => RecordKind::LogExport,
            Self::Event(event) => match event.kind {
                LedgerEventKind::Checkpoint => RecordKind::Checkpoint,
                LedgerEventKind::Key => RecordKind::Key,
                LedgerEventKind::Erase => RecordKind::Erase,
                LedgerEventKind::Hold => RecordKind::Hold,
                LedgerEventKind::Prune => RecordKind::Prune,
            },
        }
    }

    /// The commitment to a payload part; `None` where the record has no such part.
    #[must_use]
    pub const fn commitment(&self, part: PayloadPart) -> Option<Digest> {
        match (self, part) {
            (Self::Trace(trace), PayloadPart::Plan) => trace.plan_commitment,
            (Self::Step(step), PayloadPart::Attributes) => step.attributes_commitment,
            (Self::Step(step), PayloadPart::Content) => step.content_commitment,
            (Self::Seal(seal), PayloadPart::Metadata) => seal.metadata_commitment,
            (Self::System(record), PayloadPart::Details) => record.details_commitment,
            (Self::Audit(entry), PayloadPart::ActionReason) => entry.action_reason_commitment,
            (Self::Audit(entry), PayloadPart::BeforeState) => entry.before_state_commitment,
            (Self::Audit(entry), PayloadPart::AfterState) => entry.after_state_commitment,
            _ => None,
        }
    }
}

impl RecordKind {
    /// The kind of its public id.
    #[must_use]
    pub const fn id_kind(self) -> IdKind {
        match self {
            Self::LlmRun => IdKind::Run,
            Self::Trace => IdKind::Trace,
            Self::TraceStep => IdKind::Step,
            Self::TraceSeal | Self::Checkpoint | Self::Key | Self::Erase | Self::Hold | Self::Prune => IdKind::Ledger,
            Self::SystemRecord => IdKind::System,
            Self::AuditEntry => IdKind::Audit,
            Self::PolicyActivation => IdKind::Policy,
            Self::IncidentEvidence => IdKind::Incident,
            Self::LogExport => IdKind::Export,
        }
    }
}

/// The columns that every leaf begins with: what identifies a record, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub struct RecordHead<'r> {
    /// The record's id.
    pub id: RecordId,
    /// The tenant it belongs to.
    pub tenant_id: &'r TenantId,
    /// When it was handed to the ledger.
    pub created_at: Timestamp,
}

/// A record of any kind as it stands in the log.
#[derive(Clone, Debug)]
pub enum StoredRecord {
    /// A run.
    Run(Box<Stored<LlmRun>>),
    /// The beginning of a trace, with its newest seal.
    Trace(StoredTrace),
    /// A step.
    Step(Box<StoredStep>),
    /// The end of a trace.
    Seal(Box<Stored<TraceSeal>>),
    /// A system record.
    System(Box<Stored<SystemRecord>>),
    /// An entry of the audit ledger.
    Audit(Box<Stored<AuditEntry>>),
    /// A policy activation.
    Policy(Box<Stored<PolicyActivation>>),
    /// Incident evidence.
    Incident(Box<Stored<IncidentEvidence>>),
    /// An export.
    Export(Box<Stored<LogExport>>),
    /// An event of the ledger.
    Event(Box<Stored<LedgerEvent>>),
}

impl StoredRecord {
    /// What identifies it.
    #[must_use]
    pub fn head(&self) -> RecordHead<'_> {
        match self {
            Self::Run(stored) => head(stored),
            Self::Trace(view) => head(&view.trace),
            Self::Step(step) => head(&step.step),
            Self::Seal(stored) => head(stored),
            Self::System(stored) => head(stored),
            Self::Audit(stored) => head(stored),
            Self::Policy(stored) => head(stored),
            Self::Incident(stored) => head(stored),
            Self::Export(stored) => head(stored),
            Self::Event(stored) => head(stored),
        }
    }

    /// What was written.
    #[must_use]
    pub fn record(&self) -> RecordRef<'_> {
        match self {
            Self::Run(stored) => RecordRef::Run(&stored.record),
            Self::Trace(view) => RecordRef::Trace(&view.trace.record),
            Self::Step(step) => RecordRef::Step(&step.step.record),
            Self::Seal(stored) => RecordRef::Seal(&stored.record),
            Self::System(stored) => RecordRef::System(&stored.record),
            Self::Audit(stored) => RecordRef::Audit(&stored.record),
            Self::Policy(stored) => RecordRef::Policy(&stored.record),
            Self::Incident(stored) => RecordRef::Incident(&stored.record),
            Self::Export(stored) => RecordRef::Export(&stored.record),
            Self::Event(stored) => RecordRef::Event(&stored.record),
        }
    }
}

const fn head<T>(stored: &Stored<T>) -> RecordHead<'_> {
    RecordHead { id: stored.id, tenant_id: &stored.tenant_id, created_at: stored.created_at }
}
