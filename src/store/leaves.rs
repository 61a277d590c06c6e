//! Leaves, rebuilt from the columns that every other read serves.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, Iterable, QueryFilter, QueryTrait};

use super::Store;
use super::convert::audit::decode_audit_entry;
use super::convert::exports::decode_log_export;
use super::convert::incidents::decode_incident_evidence;
use super::convert::ledger_events::decode_ledger_event;
use super::convert::policies::decode_policy_activation;
use super::convert::runs::decode_run;
use super::convert::steps::decode_step;
use super::convert::system::decode_system_record;
use super::convert::traces::{decode_seal, decode_trace};
use super::convert::{Columns, decode_all, table_name};
use super::scoped::{Tenanted, any_id, scoped};
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::ledger::{LedgerEntry, LedgerLog};
use crate::domain::record::{RecordHead, RecordRef};
use crate::domain::run::Stored;
use crate::domain::vocabulary::RecordKind;
use crate::entity;
use crate::error::Result;
use crate::ledger::canonical;

/// A kind's table and how a row of it becomes a leaf.
macro_rules! leaves_of {
    ($self:ident, $log:ident, $ids:ident, $table:ident, $record:ident, $decode:expr) => {{
        let decode = $decode;
        $self
            .read_leaves::<entity::$table::Entity>(&$log.tenant_id, &$ids, |columns| {
                let stored = decode(columns, &$log.tenant_id)?;
                let Stored { tenant_id, id, created_at, record, .. } = &stored;
                let head = RecordHead { id: *id, tenant_id, created_at: *created_at };
                Ok((*id, canonical::leaf(head, RecordRef::$record(record))?))
            })
            .await?
    }};
}

impl Store {
    /// The leaves of these entries by record; a record that is gone is absent. One statement a kind. Whether a leaf is
    /// what its entry says is for the caller to see.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn leaves(&self, log: &LedgerLog, entries: &[LedgerEntry]) -> Result<HashMap<RecordId, Vec<u8>>> {
        let mut by_table: HashMap<RecordKind, Vec<RecordId>> = HashMap::new();
        for entry in entries {
            by_table.entry(table_of(entry.kind)).or_default().push(entry.record_id);
        }
        let mut leaves = HashMap::with_capacity(entries.len());
        for (kind, ids) in by_table {
            leaves.extend(self.leaves_of_kind(log, kind, ids).await?);
        }
        Ok(leaves)
    }

    async fn leaves_of_kind(
        &self,
        log: &LedgerLog,
        kind: RecordKind,
        ids: Vec<RecordId>,
    ) -> Result<Vec<(RecordId, Vec<u8>)>> {
        Ok(match kind {
            RecordKind::LlmRun => leaves_of!(self, log, ids, llm_run, Run, decode_run),
            RecordKind::Trace => leaves_of!(self, log, ids, trace, Trace, decode_trace),
            RecordKind::TraceStep => {
                self.read_leaves::<entity::trace_step::Entity>(&log.tenant_id, &ids, |columns| {
                    let step = decode_step(columns, &log.tenant_id, &mut None)?;
                    let head = RecordHead { id: step.id, tenant_id: &step.tenant_id, created_at: step.created_at };
                    Ok((step.id, canonical::leaf(head, RecordRef::Step(&step.record))?))
                })
                .await?
            }
            RecordKind::TraceSeal => leaves_of!(self, log, ids, trace_seal, Seal, decode_seal),
            RecordKind::SystemRecord => leaves_of!(self, log, ids, system_record, System, decode_system_record),
            RecordKind::AuditEntry => leaves_of!(self, log, ids, audit_entry, Audit, decode_audit_entry),
            RecordKind::PolicyActivation => {
                leaves_of!(self, log, ids, policy_activation, Policy, decode_policy_activation)
            }
            RecordKind::IncidentEvidence => {
                leaves_of!(self, log, ids, incident_evidence, Incident, decode_incident_evidence)
            }
            RecordKind::LogExport => leaves_of!(self, log, ids, log_export, Export, decode_log_export),
            RecordKind::Checkpoint | RecordKind::Key | RecordKind::Erase | RecordKind::Hold | RecordKind::Prune => {
                leaves_of!(self, log, ids, ledger_event, Event, decode_ledger_event)
            }
        })
    }

    async fn read_leaves<E: Tenanted + Default>(
        &self,
        tenant: &TenantId,
        ids: &[RecordId],
        decode: impl Fn(&mut Columns<'_>) -> Result<(RecordId, Vec<u8>)>,
    ) -> Result<Vec<(RecordId, Vec<u8>)>> {
        // Every table of records has its id in second place.
        let Some(id) = E::Column::iter().nth(1) else { return Ok(Vec::new()) };
        let backend = self.db().backend;
        let select = scoped::<E>(tenant).filter(any_id(backend, id.into_expr(), ids)?);
        decode_all(&self.db().rows(select.build(backend)).await?, table_name::<E>(), decode)
    }
}

/// Events of the ledger share a table.
const fn table_of(kind: RecordKind) -> RecordKind {
    match kind {
        RecordKind::Checkpoint | RecordKind::Erase | RecordKind::Hold | RecordKind::Prune => RecordKind::Key,
        kind => kind,
    }
}
