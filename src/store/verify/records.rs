//! The tables of evidence, and what their rows give: leaves rebuilt from the columns that everything else reads too.

use sea_orm::{QueryResult, Value};

use super::super::Database;
use super::super::convert::audit::decode_audit_entry;
use super::super::convert::exports::decode_log_export;
use super::super::convert::incidents::decode_incident_evidence;
use super::super::convert::ledger_events::decode_ledger_event;
use super::super::convert::policies::decode_policy_activation;
use super::super::convert::runs::decode_run;
use super::super::convert::steps::decode_step;
use super::super::convert::system::decode_system_record;
use super::super::convert::traces::{decode_seal, decode_trace};
use super::super::convert::{Columns, column_list};
use super::super::error::CorruptRow;
use super::super::scoped::scoped_statement;
use super::WINDOW;
use crate::domain::ids::{Digest, RecordId, TenantId, TraceId};
use crate::domain::payload::PayloadPart;
use crate::domain::record::{RecordHead, RecordRef};
use crate::domain::run::Stored;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{AuditCategory, RecordKind, Stream};
use crate::entity;
use crate::error::{Error, Result};
use crate::ledger::canonical;
use crate::ledger::tree::leaf_hash;
use crate::ledger::verify::steps::StepPlace;
use crate::ledger::verify::{Rebuilt, Unreadable};

/// The source component of what verification itself records.
pub const VERIFIER: &str = "verifier";

/// A table of evidence records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Runs,
    Traces,
    Steps,
    Seals,
    Systems,
    Audits,
    Policies,
    Incidents,
    Exports,
    Events,
}

impl Table {
    pub const ALL: [Self; 10] = [
        Self::Steps,
        Self::Traces,
        Self::Seals,
        Self::Runs,
        Self::Systems,
        Self::Audits,
        Self::Policies,
        Self::Incidents,
        Self::Exports,
        Self::Events,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Runs => "llm_run",
            Self::Traces => "trace",
            Self::Steps => "trace_step",
            Self::Seals => "trace_seal",
            Self::Systems => "system_record",
            Self::Audits => "audit_entry",
            Self::Policies => "policy_activation",
            Self::Incidents => "incident_evidence",
            Self::Exports => "log_export",
            Self::Events => "ledger_event",
        }
    }

    /// The kind of its records, where they are all of one.
    const fn kind(self) -> Option<RecordKind> {
        match self {
            Self::Runs => Some(RecordKind::LlmRun),
            Self::Traces => Some(RecordKind::Trace),
            Self::Steps => Some(RecordKind::TraceStep),
            Self::Seals => Some(RecordKind::TraceSeal),
            Self::Systems => Some(RecordKind::SystemRecord),
            Self::Audits => Some(RecordKind::AuditEntry),
            Self::Policies => Some(RecordKind::PolicyActivation),
            Self::Incidents => Some(RecordKind::IncidentEvidence),
            Self::Exports => Some(RecordKind::LogExport),
            Self::Events => None,
        }
    }

    /// Columns that hold commitments, and the parts that they commit to.
    pub const fn commitments(self) -> &'static [(&'static str, PayloadPart)] {
        match self {
            Self::Steps => {
                &[("attributes_commitment", PayloadPart::Attributes), ("content_commitment", PayloadPart::Content)]
            }
            Self::Traces => &[("plan_commitment", PayloadPart::Plan)],
            Self::Seals => &[("metadata_commitment", PayloadPart::Metadata)],
            Self::Systems => &[("details_commitment", PayloadPart::Details)],
            Self::Audits => &[
                ("action_reason_commitment", PayloadPart::ActionReason),
                ("before_state_commitment", PayloadPart::BeforeState),
                ("after_state_commitment", PayloadPart::AfterState),
            ],
            _ => &[],
        }
    }

    /// Which of its rows stand in a log; `None` where none do.
    pub const fn condition(self, stream: Stream) -> Option<&'static str> {
        match (self, stream) {
            (Self::Audits, Stream::Access) => Some(" AND category = 'ACCESS'"),
            (Self::Audits, Stream::Evidence) => Some(" AND category <> 'ACCESS'"),
            (_, Stream::Access) => None,
            (_, Stream::Evidence) => Some(""),
        }
    }

    pub fn columns(self) -> String {
        match self {
            Self::Runs => column_list::<entity::llm_run::Entity>("t"),
            Self::Traces => column_list::<entity::trace::Entity>("t"),
            Self::Steps => column_list::<entity::trace_step::Entity>("t"),
            Self::Seals => column_list::<entity::trace_seal::Entity>("t"),
            Self::Systems => column_list::<entity::system_record::Entity>("t"),
            Self::Audits => column_list::<entity::audit_entry::Entity>("t"),
            Self::Policies => column_list::<entity::policy_activation::Entity>("t"),
            Self::Incidents => column_list::<entity::incident_evidence::Entity>("t"),
            Self::Exports => column_list::<entity::log_export::Entity>("t"),
            Self::Events => column_list::<entity::ledger_event::Entity>("t"),
        }
    }

    /// Its rows of a log in a range of places. An honest range has no more rows than places; a forged one may.
    pub async fn rows(
        self,
        db: &Database,
        tenant: &TenantId,
        stream: Stream,
        from: i64,
        to: i64,
    ) -> Result<Vec<QueryResult>> {
        let Some(condition) = self.condition(stream) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT {} FROM {} t WHERE tenant_id = $1 AND seq >= $2 AND seq < $3{condition} ORDER BY seq LIMIT {}",
            self.columns(),
            self.name(),
            2 * WINDOW
        );
        db.rows(scoped_statement(db, tenant, sql, [from.into(), Value::from(to)])).await
    }

    /// What a row gives. A row that does not read is a finding, not an error.
    pub fn rebuild(self, row: &QueryResult, tenant: &TenantId) -> Result<RecordRow> {
        let mut columns = Columns::of(row, self.name())?;
        match self.decode(&mut columns, tenant) {
            Ok(row) => Ok(row),
            Err(error) => self.unreadable(row, &error),
        }
    }

    fn decode(self, columns: &mut Columns<'_>, tenant: &TenantId) -> Result<RecordRow> {
        match self {
            Self::Runs => {
                let run = decode_run(columns, tenant)?;
                let mut row = RecordRow::of(&run, RecordRef::Run(&run.record), &[])?;
                row.tags = run.record.tags;
                Ok(row)
            }
            Self::Traces => {
                let trace = decode_trace(columns, tenant)?;
                RecordRow::of(&trace, RecordRef::Trace(&trace), &[(PayloadPart::Plan, trace.plan_commitment)])
            }
            Self::Steps => {
                let mut latest: Option<TraceId> = None;
                let stored = decode_step(columns, tenant, &mut latest)?;
                let parts = [
                    (PayloadPart::Attributes, stored.attributes_commitment),
                    (PayloadPart::Content, stored.content_commitment),
                ];
                let mut row = RecordRow::of(&stored.step, RecordRef::Step(&stored.step.record), &parts)?;
                row.step = Some(StepPlace {
                    id: stored.id,
                    seq: stored.seq,
                    trace_id: stored.step.record.trace_id,
                    step_index: stored.step_index,
                    is_late: stored.is_late,
                });
                Ok(row)
            }
            Self::Seals => {
                let seal = decode_seal(columns, tenant)?;
                RecordRow::of(&seal, RecordRef::Seal(&seal), &[(PayloadPart::Metadata, seal.metadata_commitment)])
            }
            Self::Systems => {
                let system = decode_system_record(columns, tenant)?;
                RecordRow::of(&system, RecordRef::System(&system), &[(PayloadPart::Details, system.details_commitment)])
            }
            Self::Audits => decode_audit(columns, tenant),
            Self::Policies => {
                let policy = decode_policy_activation(columns, tenant)?;
                RecordRow::of(&policy, RecordRef::Policy(&policy), &[])
            }
            Self::Incidents => {
                let incident = decode_incident_evidence(columns, tenant)?;
                RecordRow::of(&incident, RecordRef::Incident(&incident), &[])
            }
            Self::Exports => {
                let export = decode_log_export(columns, tenant)?;
                RecordRow::of(&export, RecordRef::Export(&export), &[])
            }
            Self::Events => {
                let event = decode_ledger_event(columns, tenant)?;
                let mut row = RecordRow::of(&event, RecordRef::Event(&event), &[])?;
                row.rebuilt.is_own = row.rebuilt.kind == Some(RecordKind::Checkpoint);
                Ok(row)
            }
        }
    }

    fn unreadable(self, row: &QueryResult, error: &Error) -> Result<RecordRow> {
        let corrupt = error.cause().and_then(|cause| cause.downcast_ref::<CorruptRow>());
        let Some(CorruptRow { column, problem, .. }) = corrupt else { return Err(error.clone()) };
        let mut columns = Columns::of(row, self.name())?;
        columns.skip(1);
        let id = columns.id().ok();
        // Rows were chosen and ordered by it: it reads.
        let seq = columns.take()?;
        let leaf_hash = Err(Unreadable { column: column.clone(), problem: problem.clone() });
        let rebuilt = Rebuilt { seq, kind: self.kind(), id, created_at: None, leaf_hash, is_own: false };
        Ok(RecordRow { rebuilt, leaf: None, parts: Vec::new(), step: None, tags: Vec::new() })
    }
}

fn decode_audit(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<RecordRow> {
    let audit = decode_audit_entry(columns, tenant)?;
    let parts = [
        (PayloadPart::ActionReason, audit.action_reason_commitment),
        (PayloadPart::BeforeState, audit.before_state_commitment),
        (PayloadPart::AfterState, audit.after_state_commitment),
    ];
    let mut row = RecordRow::of(&audit, RecordRef::Audit(&audit), &parts)?;
    row.rebuilt.is_own = audit.category == AuditCategory::Integrity && audit.source_component == VERIFIER;
    Ok(row)
}

/// What a row of a record gives.
pub(super) struct RecordRow {
    pub rebuilt: Rebuilt,
    /// Its leaf, where its columns read.
    pub leaf: Option<Vec<u8>>,
    /// The parts that it commits to.
    pub parts: Vec<(PayloadPart, Digest)>,
    /// For a step, its assigned columns.
    pub step: Option<StepPlace>,
    /// For a run, its tags.
    pub tags: Vec<String>,
}

impl RecordRow {
    fn of<T>(stored: &Stored<T>, record: RecordRef<'_>, parts: &[(PayloadPart, Option<Digest>)]) -> Result<Self> {
        let Stored { id, tenant_id, seq, created_at, .. } = stored;
        let (id, seq, created_at): (RecordId, i64, Timestamp) = (*id, *seq, *created_at);
        let leaf = canonical::leaf(RecordHead { id, tenant_id, created_at }, record)?;
        let rebuilt = Rebuilt {
            seq,
            kind: Some(record.kind()),
            id: Some(id),
            created_at: Some(created_at),
            leaf_hash: Ok(leaf_hash(&leaf)),
            is_own: false,
        };
        let parts = parts.iter().filter_map(|(part, commitment)| Some((*part, (*commitment)?))).collect();
        Ok(Self { rebuilt, leaf: Some(leaf), parts, step: None, tags: Vec::new() })
    }
}
