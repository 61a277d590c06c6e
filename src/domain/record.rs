//! Every kind of evidence record under one name: what the ledger chains, verifies and feeds.

use super::audit::AuditEntry;
use super::export::LogExport;
use super::ids::{IdKind, RecordId, TenantId};
use super::incident::IncidentEvidence;
use super::ledger::LedgerEvent;
use super::policy::PolicyActivation;
use super::run::LlmRun;
use super::system::SystemRecord;
use super::time::Timestamp;
use super::trace::{Trace, TraceSeal, TraceStep};
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
