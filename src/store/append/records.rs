//! Rows to be inserted, table by table, each with the record that it belongs to.

use std::marker::PhantomData;

use sea_orm::{EntityTrait, Iden, Iterable, Value};
use uuid::Uuid;

use super::super::convert::{
    audit::encode_audit_entry, exports::encode_log_export, incidents::encode_incident_evidence,
};
use super::super::convert::{digest_value, id_value, instant_value, optional_text_value, text_value, width};
use super::super::convert::{ledger_events::encode_ledger_event, policies::encode_policy_activation};
use super::super::convert::{runs::encode_run, steps::encode_step, system::encode_system_record};
use super::super::convert::{traces::encode_seal, traces::encode_trace};
use super::super::idempotency::encode_existing;
use super::insert::{Existing, Part, Tables};
use super::known::TraceState;
use super::logs::{LogKey, OpenLog};
use crate::domain::append::{Appended, ExistingRecord, IdempotencyClaim, New, StepFacts};
use crate::domain::audit::AuditEntry;
use crate::domain::export::LogExport;
use crate::domain::ids::{RecordId, TenantId, TraceId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::ledger::LedgerEvent;
use crate::domain::payload::NewPayload;
use crate::domain::policy::PolicyActivation;
use crate::domain::run::LlmRun;
use crate::domain::system::SystemRecord;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceSeal, TraceStep};
use crate::domain::vocabulary::RecordKind;
use crate::entity::{
    audit_entry, idempotency, incident_evidence, ledger_entry, ledger_event, ledger_log, ledger_node, llm_run,
    llm_run_tag, log_export, payload, policy_activation, step_fact, system_record, trace, trace_seal, trace_state,
    trace_step,
};
use crate::error::{Error, Result};
use crate::ledger::tree::{CompactRange, Node};

/// What an append changes of a trace's state.
const STATE_COLUMNS: &[&str] = &[
    "step_count",
    "has_root",
    "has_remote_parent",
    "has_llm_work",
    "is_open",
    "sealed_revision",
    "last_seen_at",
    "due_at",
    "version",
];
/// What an append changes of a log.
const LOG_COLUMNS: &[&str] = &["size", "root", "edge", "updated_at"];

/// Rows of one table, as values in the order of its columns.
pub(super) struct Rows<E> {
    pub values: Vec<Value>,
    /// The place of each row's record in its unit.
    owners: Vec<usize>,
    entity: PhantomData<E>,
}

impl<E> Default for Rows<E> {
    fn default() -> Self {
        Self { values: Vec::new(), owners: Vec::new(), entity: PhantomData }
    }
}

impl<E: EntityTrait> Rows<E> {
    fn push(&mut self, owner: usize, row: impl IntoIterator<Item = Value>) {
        self.values.extend(row);
        self.owners.push(owner);
    }

    /// The rows of one record.
    fn of(&self, owner: usize) -> Self {
        let rows = self.owners.iter().zip(self.values.chunks(width::<E>())).filter(|(of, _)| **of == owner);
        let mut only = Self::default();
        rows.for_each(|(owner, row)| only.push(*owner, row.iter().cloned()));
        only
    }

    /// The rows as they are to be written; nothing where there are none.
    fn into_part(self, tables: &mut Tables, existing: Existing) -> Option<Part>
    where
        E: Default,
    {
        (!self.values.is_empty()).then(|| Part { table: tables.of::<E>(existing), values: self.values })
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows * width::<E>());
        self.owners.truncate(rows);
    }

    /// The first text since row `from` that PostgreSQL cannot hold, by its column; SQLite could, but both answer alike.
    fn nul_column(&self, from: usize) -> Option<String> {
        let width = width::<E>();
        let is_nul = |value: &Value| matches!(value, Value::String(Some(text)) if text.contains('\0'));
        let at = self.values.get(from * width..)?.iter().position(is_nul)?;
        E::Column::iter().nth(at % width).map(|column| column.unquoted().to_owned())
    }
}

/// Declares the tables of a batch, so that none of them is forgotten anywhere.
macro_rules! batch {
    ($($(#[$meta:meta])* $name:ident: $table:ident),+ $(,)?) => {
        /// Rows to be inserted.
        #[derive(Default)]
        pub(super) struct Batch { $($(#[$meta])* pub $name: Rows<$table::Entity>),+ }

        /// How many rows there were.
        #[derive(Clone, Copy)]
        pub(super) struct Mark { $($name: usize),+ }

        impl Batch {
            /// How many rows there are.
            pub fn mark(&self) -> Mark {
                Mark { $($name: self.$name.owners.len()),+ }
            }

            /// Takes back every row since.
            pub fn back_to(&mut self, mark: Mark) {
                $(self.$name.truncate(mark.$name);)+
            }

            /// The rows of one record.
            pub fn of(&self, owner: usize) -> Self {
                Self { $($name: self.$name.of(owner)),+ }
            }

            /// The tables that have rows.
            pub fn into_parts(self, tables: &mut Tables) -> Vec<Part> {
                [$(self.$name.into_part(tables, Existing::Refuse)),+].into_iter().flatten().collect()
            }

            /// Refuses U+0000 in any text since.
            pub fn check_texts(&self, mark: Mark) -> Result<()> {
                let column = None$(.or_else(|| self.$name.nul_column(mark.$name)))+;
                match column {
                    Some(column) => Err(Error::input(&column, format!("{column} may not hold U+0000"))),
                    None => Ok(()),
                }
            }
        }
    };
}

batch! {
    runs: llm_run,
    tags: llm_run_tag,
    traces: trace,
    steps: trace_step,
    seals: trace_seal,
    payloads: payload,
    facts: step_fact,
    claims: idempotency,
    systems: system_record,
    audits: audit_entry,
    policies: policy_activation,
    incidents: incident_evidence,
    exports: log_export,
    events: ledger_event,
    entries: ledger_entry,
    nodes: ledger_node,
}

/// Records of one table and payloads.
macro_rules! plain {
    ($($name:ident($record:ty) into $table:ident by $encode:ident),+ $(,)?) => {
        impl Batch { $(
            pub fn $name(&mut self, owner: usize, tenant: &TenantId, assigned: &Appended, new: &New<$record>) {
                $encode(&mut self.$table.values, tenant, assigned, &new.record);
                self.$table.owners.push(owner);
                self.payloads(owner, tenant, new.id, &new.payloads);
            }
        )+ }
    };
}

plain! {
    trace(Trace) into traces by encode_trace,
    seal(TraceSeal) into seals by encode_seal,
    system(SystemRecord) into systems by encode_system_record,
    audit(AuditEntry) into audits by encode_audit_entry,
    policy(PolicyActivation) into policies by encode_policy_activation,
    incident(IncidentEvidence) into incidents by encode_incident_evidence,
    export(LogExport) into exports by encode_log_export,
    event(LedgerEvent) into events by encode_ledger_event,
}

impl Batch {
    pub fn run(&mut self, owner: usize, tenant: &TenantId, assigned: &Appended, new: &New<LlmRun>) -> Result<()> {
        let mut row = Vec::with_capacity(width::<llm_run::Entity>());
        encode_run(&mut row, tenant, assigned, &new.record)?;
        self.runs.push(owner, row);
        for tag in &new.record.tags {
            self.tags.push(owner, [text_value(tenant.as_str()), text_value(tag), assigned.seq.into()]);
        }
        self.payloads(owner, tenant, new.id, &new.payloads);
        Ok(())
    }

    pub fn step(
        &mut self,
        owner: usize,
        tenant: &TenantId,
        assigned: &Appended,
        new: &New<TraceStep>,
        facts: &StepFacts,
    ) {
        encode_step(&mut self.steps.values, tenant, assigned, &new.record);
        self.steps.owners.push(owner);
        self.payloads(owner, tenant, new.id, &new.payloads);
        let fact = [
            text_value(tenant.as_str()),
            text_value(new.record.trace_id.as_str()),
            text_value(&new.record.span_id),
            id_value(new.id),
            digest_value(Some(facts.digest)),
            text_value(&facts.text),
        ];
        self.facts.push(owner, fact);
    }

    /// The ledger entry of a record.
    pub fn entry(&mut self, owner: usize, tenant: &TenantId, log_id: Uuid, kind: RecordKind, assigned: &Appended) {
        let row = [
            text_value(tenant.as_str()),
            log_id.into(),
            assigned.seq.into(),
            text_value(kind.as_str()),
            id_value(assigned.id),
            digest_value(Some(assigned.leaf_hash)),
        ];
        self.entries.push(owner, row);
    }

    /// A subtree that a record completes.
    pub fn node(&mut self, owner: usize, tenant: &TenantId, log_id: Uuid, node: Node) {
        let (tenant, hash) = (text_value(tenant.as_str()), digest_value(Some(node.hash)));
        self.nodes.push(owner, [tenant, log_id.into(), node.level.into(), node.idx.into(), hash]);
    }

    pub fn claim(
        &mut self,
        tenant: &TenantId,
        claim: &IdempotencyClaim,
        existing: &[ExistingRecord],
        now: Timestamp,
    ) -> Result<()> {
        let row = [
            text_value(tenant.as_str()),
            text_value(claim.space),
            text_value(&claim.key),
            text_value(claim.operation),
            digest_value(Some(claim.request_hash)),
            text_value(&claim.answer),
            optional_text_value(encode_existing(existing)?.as_deref()),
            instant_value(now),
        ];
        // Belongs to no record: it is never tried alone.
        self.claims.push(usize::MAX, row);
        Ok(())
    }

    fn payloads(&mut self, owner: usize, tenant: &TenantId, record: RecordId, payloads: &[NewPayload]) {
        for payload in payloads {
            let row = [
                text_value(tenant.as_str()),
                id_value(record),
                text_value(payload.part.as_str()),
                text_value(&payload.text),
                Value::Bytes(Some(payload.salt.to_vec())),
            ];
            self.payloads.push(owner, row);
        }
    }
}

/// Rows of `trace_state` and `ledger_log` as they stand after a batch.
#[derive(Default)]
pub(super) struct Updates {
    pub states: Rows<trace_state::Entity>,
    pub logs: Rows<ledger_log::Entity>,
}

impl Updates {
    /// The tables that have rows.
    pub fn into_parts(self, tables: &mut Tables) -> Vec<Part> {
        let states = self.states.into_part(tables, Existing::Update(STATE_COLUMNS));
        // A log's name never changes; said again, it would have its indexes written again.
        states.into_iter().chain(self.logs.into_part(tables, Existing::Update(LOG_COLUMNS))).collect()
    }

    pub fn state(&mut self, tenant: &TenantId, trace_id: &TraceId, state: &TraceState) {
        let row = [
            text_value(tenant.as_str()),
            text_value(trace_id.as_str()),
            state.step_count.into(),
            state.signals.has_root.into(),
            state.signals.has_remote_parent.into(),
            state.signals.has_llm_work.into(),
            state.signals.is_open.into(),
            state.sealed_revision.into(),
            instant_value(state.last_seen_at),
            Value::BigInt(state.due_at.map(Timestamp::as_micros)),
            state.version.into(),
        ];
        self.states.push(0, row);
    }

    pub fn log(&mut self, key: &LogKey, log: &OpenLog, now: Timestamp) {
        let empty = CompactRange::empty();
        let range = log.range.as_ref().unwrap_or(&empty);
        let row = [
            text_value(key.0.as_str()),
            log.log_id.into(),
            text_value(key.1.as_str()),
            text_value(&log.origin),
            log.size.into(),
            digest_value(Some(range.root())),
            Value::Bytes(Some(range.edge())),
            instant_value(now),
        ];
        self.logs.push(0, row);
    }
}
