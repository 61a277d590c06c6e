//! Rows to be inserted, table by table, each with the record that it belongs to.

use std::marker::PhantomData;

use sea_orm::{EntityTrait, Iden, Iterable, Value};
use uuid::Uuid;

use super::super::convert::{
    digest_value, encode, id_value, instant_value, optional_text_value, steps::assigned_to_step, text_value, width,
};
use super::super::idempotency::encode_existing;
use super::insert::{Existing, Part, Tables};
use super::known::TraceState;
use super::logs::{LogKey, OpenLog};
use crate::domain::append::{Appended, ExistingRecord, IdempotencyClaim};
use crate::domain::ids::{RecordId, TenantId, TraceId};
use crate::domain::payload::NewPayload;
use crate::domain::record::{NewRecord, Record, each_record};
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::RecordKind;
use crate::entity::{self, ledger_log, trace_state};
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

/// Declares the tables of a batch, those of records and others, so that none of them is forgotten anywhere.
macro_rules! batch {
    (
        $($other:ident)+,
        $($variant:ident($record:ty) in $table:ident $(, read $read:ty)? $(, with $with:ty)?;)+
    ) => {
        /// Rows to be inserted.
        #[derive(Default)]
        pub(super) struct Batch {
            $(pub $table: Rows<entity::$table::Entity>,)+
            $(pub $other: Rows<entity::$other::Entity>,)+
        }

        /// How many rows there were.
        #[derive(Clone, Copy)]
        pub(super) struct Mark { $($table: usize,)+ $($other: usize,)+ }

        impl Batch {
            /// How many rows there are.
            pub fn mark(&self) -> Mark {
                Mark { $($table: self.$table.owners.len(),)+ $($other: self.$other.owners.len(),)+ }
            }

            /// Takes back every row since.
            pub fn back_to(&mut self, mark: Mark) {
                $(self.$table.truncate(mark.$table);)+
                $(self.$other.truncate(mark.$other);)+
            }

            /// The rows of one record.
            pub fn of(&self, owner: usize) -> Self {
                Self { $($table: self.$table.of(owner),)+ $($other: self.$other.of(owner),)+ }
            }

            /// The tables that have rows.
            pub fn into_parts(self, tables: &mut Tables) -> Vec<Part> {
                let parts = [
                    $(self.$table.into_part(tables, Existing::Refuse),)+
                    $(self.$other.into_part(tables, Existing::Refuse),)+
                ];
                parts.into_iter().flatten().collect()
            }

            /// Refuses U+0000 in any text since.
            pub fn check_texts(&self, mark: Mark) -> Result<()> {
                let column = None
                    $(.or_else(|| self.$table.nul_column(mark.$table)))+
                    $(.or_else(|| self.$other.nul_column(mark.$other)))+;
                match column {
                    Some(column) => Err(Error::input(&column, format!("{column} may not hold U+0000"))),
                    None => Ok(()),
                }
            }

            /// The row of a record itself.
            fn row(&mut self, owner: usize, tenant: &TenantId, appended: &Appended, new: &NewRecord) -> Result<()> {
                match new { $(
                    NewRecord::$variant(new, ..) => {
                        let assigned = assigned_to_step(appended).into_iter().take(<$record>::ASSIGNED.len());
                        encode(&mut self.$table.values, tenant, appended, assigned, &new.record)?;
                        self.$table.owners.push(owner);
                    }
                )+ }
                Ok(())
            }
        }
    };
}
each_record!(batch, llm_run_tag payload step_fact idempotency ledger_entry ledger_node,);

impl Batch {
    /// A record with all that belongs to it.
    pub fn record(&mut self, owner: usize, tenant: &TenantId, appended: &Appended, new: &NewRecord) -> Result<()> {
        self.row(owner, tenant, appended, new)?;
        match new {
            NewRecord::Run(new) => {
                for tag in &new.record.tags {
                    self.llm_run_tag.push(owner, [text_value(tenant.as_str()), text_value(tag), appended.seq.into()]);
                }
            }
            NewRecord::Step(new, facts) => {
                let fact = [
                    text_value(tenant.as_str()),
                    text_value(new.record.trace_id.as_str()),
                    text_value(&new.record.span_id),
                    id_value(new.id),
                    digest_value(Some(facts.digest)),
                    text_value(&facts.text),
                ];
                self.step_fact.push(owner, fact);
            }
            _ => {}
        }
        self.payloads(owner, tenant, new.id(), new.payloads());
        Ok(())
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
        self.ledger_entry.push(owner, row);
    }

    /// A subtree that a record completes.
    pub fn node(&mut self, owner: usize, tenant: &TenantId, log_id: Uuid, node: Node) {
        let (tenant, hash) = (text_value(tenant.as_str()), digest_value(Some(node.hash)));
        self.ledger_node.push(owner, [tenant, log_id.into(), node.level.into(), node.idx.into(), hash]);
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
        self.idempotency.push(usize::MAX, row);
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
            self.payload.push(owner, row);
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
