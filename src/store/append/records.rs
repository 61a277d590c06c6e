//! Rows to be inserted, table by table, each with the record that it belongs to.

use std::marker::PhantomData;

use sea_orm::{EntityTrait, Iden, Iterable, Value};

use super::super::convert::{digest_value, id_value, instant_value, text_value, width};
use super::super::convert::{runs::encode_run, steps::encode_step, traces::encode_seal, traces::encode_trace};
use super::known::TraceState;
use crate::domain::append::{Appended, IdempotencyClaim, New, StepFacts};
use crate::domain::ids::{RecordId, TenantId, TraceId};
use crate::domain::payload::NewPayload;
use crate::domain::run::LlmRun;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceSeal, TraceStep};
use crate::entity::{
    idempotency, ledger_log, llm_run, llm_run_tag, payload, step_fact, trace, trace_seal, trace_state, trace_step,
};
use crate::error::{Error, Result};

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

    pub fn trace(&mut self, owner: usize, tenant: &TenantId, assigned: &Appended, new: &New<Trace>) {
        encode_trace(&mut self.traces.values, tenant, assigned, &new.record);
        self.traces.owners.push(owner);
        self.payloads(owner, tenant, new.id, &new.payloads);
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

    pub fn seal(&mut self, owner: usize, tenant: &TenantId, assigned: &Appended, new: &New<TraceSeal>) {
        encode_seal(&mut self.seals.values, tenant, assigned, &new.record);
        self.seals.owners.push(owner);
        self.payloads(owner, tenant, new.id, &new.payloads);
    }

    pub fn claim(&mut self, tenant: &TenantId, claim: &IdempotencyClaim, now: Timestamp) {
        let row = [
            text_value(tenant.as_str()),
            text_value(claim.operation),
            text_value(&claim.key),
            digest_value(Some(claim.request_hash)),
            text_value(&claim.answer),
            instant_value(now),
        ];
        // Belongs to no record: it is never tried alone.
        self.claims.push(usize::MAX, row);
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

    pub fn log(&mut self, tenant: &TenantId, size: i64, now: Timestamp) {
        let log_id = super::log_id(tenant);
        let row = [
            text_value(&log_id),
            text_value(tenant.as_str()),
            text_value(super::STREAM),
            text_value(&format!("runledger/{log_id}")),
            size.into(),
            instant_value(now),
        ];
        self.logs.push(0, row);
    }
}
