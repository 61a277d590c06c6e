//! Decides what becomes of each record, and assigns seq, step_index and lateness. Pure: what is on record comes in, rows
//! and answers come out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::known::{Known, TraceKey, TraceState, incident_key, run_key, seal_key, trace_key};
use super::logs::{LogKey, OpenLog};
use super::prepare::Prepared;
use super::records::{Batch, Updates};
use crate::domain::append::{
    AppendReceipt, AppendResult, AppendUnit, Appended, Claimed, ExistingRecord, FirstAnswer, IdempotencyClaim, New,
    StepFacts,
};
use crate::domain::ids::{RecordId, TenantId, TraceId};
use crate::domain::record::NewRecord;
use crate::domain::settle::SettlePolicy;
use crate::domain::time::Timestamp;
use crate::domain::trace::{TraceSeal, TraceStep};
use crate::error::{Code, Error, Result};

/// What a flush writes and answers.
pub(super) struct Plan {
    /// What is written for each tenant, in the order of tenants: a statement is of one of them.
    pub writes: BTreeMap<TenantId, (Batch, Updates)>,
    /// One for each unit, in order.
    pub outcomes: Vec<Result<AppendReceipt>>,
    /// Whether anything is written at all.
    pub has_changes: bool,
}

/// Plans units one after the other.
pub(super) struct Planner<'p> {
    known: Known,
    /// Where each log stands.
    logs: BTreeMap<LogKey, OpenLog>,
    now: Timestamp,
    settle: SettlePolicy,
    /// Records, by their place in the only unit, that the database was found to refuse.
    refused: &'p HashMap<usize, Error>,
    /// The rows of the tenant at hand.
    batch: Batch,
    writes: BTreeMap<TenantId, (Batch, Updates)>,
    changed_states: BTreeSet<TraceKey>,
}

/// The traces that a unit changes.
#[derive(Default)]
struct Changed {
    grown: BTreeSet<TraceId>,
    sealed: BTreeSet<TraceId>,
}

/// Whether a record is new.
enum Verdict {
    New,
    Existing { id: RecordId, differs: bool },
}

impl<'p> Planner<'p> {
    pub fn new(
        known: Known,
        logs: BTreeMap<LogKey, OpenLog>,
        now: Timestamp,
        settle: SettlePolicy,
        refused: &'p HashMap<usize, Error>,
    ) -> Self {
        let (batch, writes, changed_states) = Default::default();
        Self { known, logs, now, settle, refused, batch, writes, changed_states }
    }

    /// Plans them all.
    pub fn plan(mut self, units: &[&Prepared]) -> Plan {
        let before: Vec<i64> = self.logs.values().map(|log| log.size).collect();
        let outcomes = units.iter().map(|unit| self.unit_of_tenant(unit)).collect();
        for key in &self.changed_states {
            if let Some(state) = self.known.states.get(key) {
                self.writes.entry(key.0.clone()).or_default().1.state(&key.0, &key.1, state);
            }
        }
        let mut has_changes = self.writes.values().any(|(batch, _)| !batch.idempotency.values.is_empty());
        for ((key, log), before) in self.logs.iter().zip(before) {
            if before != log.size {
                self.writes.entry(key.0.clone()).or_default().1.log(key, log, self.now);
                has_changes = true;
            }
        }
        Plan { writes: self.writes, outcomes, has_changes }
    }

    fn unit_of_tenant(&mut self, prepared: &Prepared) -> Result<AppendReceipt> {
        let tenant = &prepared.unit.tenant;
        self.batch = self.writes.remove(tenant).unwrap_or_default().0;
        let outcome = self.unit(prepared);
        self.writes.insert(tenant.clone(), (std::mem::take(&mut self.batch), Updates::default()));
        outcome
    }

    fn unit(&mut self, prepared: &Prepared) -> Result<AppendReceipt> {
        let unit = &prepared.unit;
        if let Some(claim) = &unit.idempotency {
            let key = (unit.tenant.clone(), claim.space.to_owned(), claim.key.clone());
            if let Some(claimed) = self.known.claims.get(&key) {
                let first = claimed.answer_to(claim.operation, &claim.key, claim.request_hash)?;
                return Ok(AppendReceipt::Replayed(first.clone()));
            }
        }
        if let Some(guard) = &unit.guard {
            let state = self.known.states.get(&(unit.tenant.clone(), guard.trace_id.clone()));
            if state.is_none_or(|state| state.version != guard.version) {
                return Ok(AppendReceipt::Stale);
            }
        }
        let key = (unit.tenant.clone(), unit.stream);
        let (mark, log) = (self.batch.mark(), self.logs.get(&key).cloned());
        let results = self.records(prepared);
        if results.is_ok() {
            self.changed_states.extend(self.known.states.pending().cloned());
            self.known.keep();
        } else {
            self.known.discard();
            self.batch.back_to(mark);
            self.logs.extend(log.map(|log| (key, log)));
        }
        results.map(AppendReceipt::Done)
    }

    fn records(&mut self, prepared: &Prepared) -> Result<Vec<AppendResult>> {
        let unit = &prepared.unit;
        let mut changed = Changed::default();
        let mut results = Vec::with_capacity(unit.records.len());
        for (place, record) in unit.records.iter().enumerate() {
            let result = match record {
                NewRecord::Audit(new, Some(step)) if !matches!(results.get(*step), Some(AppendResult::New(_))) => {
                    Ok(AppendResult::Existing { id: new.id, differs: false })
                }
                _ => self.record(prepared, place, record, &mut changed),
            };
            match result {
                Err(error) if unit.is_atomic => return Err(error),
                Ok(AppendResult::Existing { .. }) if unit.is_atomic => return Err(on_record(record)),
                Ok(result) => results.push(result),
                Err(error) => results.push(AppendResult::Rejected(error)),
            }
        }
        self.settle(unit, &changed);
        let is_refused = |result: &AppendResult| matches!(result, AppendResult::Rejected(_));
        // An answer is kept only where there is one worth repeating.
        if let Some(claim) = unit.idempotency.as_ref().filter(|_| results.is_empty() || !results.iter().all(is_refused))
        {
            self.claim(&unit.tenant, claim, &results)?;
        }
        Ok(results)
    }

    /// Keeps the answer under its key.
    fn claim(&mut self, tenant: &TenantId, claim: &IdempotencyClaim, results: &[AppendResult]) -> Result<()> {
        let existing = |(place, result): (usize, &AppendResult)| match result {
            AppendResult::Existing { id, differs } => Some(ExistingRecord { place, id: id.0, differs: *differs }),
            _ => None,
        };
        let existing: Vec<ExistingRecord> = results.iter().enumerate().filter_map(existing).collect();
        let mark = self.batch.mark();
        self.batch.claim(tenant, claim, &existing, self.now)?;
        self.batch.check_texts(mark)?;
        let claimed = Claimed {
            operation: claim.operation.to_owned(),
            request_hash: Some(claim.request_hash),
            answer: FirstAnswer { text: claim.answer.clone(), existing },
        };
        self.known.claims.set((tenant.clone(), claim.space.to_owned(), claim.key.clone()), claimed);
        Ok(())
    }

    fn record(
        &mut self,
        prepared: &Prepared,
        place: usize,
        record: &NewRecord,
        changed: &mut Changed,
    ) -> Result<AppendResult> {
        let tenant = &prepared.unit.tenant;
        if let Some(error) = self.refused.get(&place) {
            return Err(error.clone());
        }
        let verdict = match record {
            NewRecord::Run(new) => verdict(self.known.runs.get(&run_key(tenant.clone(), &new.record)), &new.record),
            NewRecord::Trace(new) => {
                verdict(self.known.traces.get(&trace_key(tenant.clone(), &new.record)), &new.record)
            }
            NewRecord::Step(new, facts) => self.step_verdict(tenant, new, facts)?,
            NewRecord::Seal(new) => self.seal_verdict(tenant, new)?,
            NewRecord::Incident(new) => {
                verdict(self.known.incidents.get(&incident_key(tenant.clone(), &new.record)), &new.record)
            }
            // Every one of them is a fact of its own.
            _ => Verdict::New,
        };
        if let Verdict::Existing { id, differs } = verdict {
            return Ok(AppendResult::Existing { id, differs });
        }
        let key = (tenant.clone(), prepared.unit.stream);
        let log = self.logs.get(&key).ok_or_else(|| Error::internal("a log that was not locked"))?;
        let leaf_hash = prepared.leaf_hashes.get(place).ok_or_else(|| Error::internal("a record without a leaf"))?;
        let assigned = Appended {
            id: record.id(),
            seq: log.size,
            created_at: prepared.created_at,
            leaf_hash: *leaf_hash,
            step_index: None,
            is_late: false,
        };
        let mark = self.batch.mark();
        let written = self.write(tenant, place, record, assigned).and_then(|assigned| {
            self.batch.check_texts(mark)?;
            Ok(assigned)
        });
        match written {
            Ok(assigned) => {
                self.remember(tenant, record, changed);
                self.chain(&key, place, record, &assigned);
                Ok(AppendResult::New(assigned))
            }
            Err(error) => {
                self.batch.back_to(mark);
                Err(error)
            }
        }
    }

    /// Appends the entry of a record that is written.
    fn chain(&mut self, key: &LogKey, place: usize, record: &NewRecord, assigned: &Appended) {
        if let Some(log) = self.logs.get_mut(key) {
            log.size += 1;
            if let Some(range) = &mut log.range {
                let batch = &mut self.batch;
                batch.entry(place, &key.0, log.log_id, record.as_ref().kind(), assigned);
                range.append(assigned.leaf_hash, |node| batch.node(place, &key.0, log.log_id, node));
            }
        }
    }

    fn step_verdict(&self, tenant: &TenantId, new: &New<TraceStep>, facts: &StepFacts) -> Result<Verdict> {
        self.state(tenant, &new.record.trace_id)?;
        let key = (tenant.clone(), new.record.trace_id.clone(), new.record.span_id.clone());
        Ok(verdict(self.known.steps.get(&key), &facts.digest))
    }

    fn seal_verdict(&self, tenant: &TenantId, new: &New<TraceSeal>) -> Result<Verdict> {
        let seal = &new.record;
        let state = self.state(tenant, &seal.trace_id)?;
        let found = self.known.seals.get(&seal_key(tenant.clone(), seal));
        if found.is_none() && seal.revision != state.sealed_revision + 1 {
            let next = state.sealed_revision + 1;
            let message = format!("the next seal of trace {} has revision {next}; read it again", seal.trace_id);
            return Err(Error::new(Code::Conflict, message));
        }
        Ok(verdict(found, seal))
    }

    fn state(&self, tenant: &TenantId, trace_id: &TraceId) -> Result<&TraceState> {
        self.known
            .states
            .get(&(tenant.clone(), trace_id.clone()))
            .ok_or_else(|| Error::new(Code::NotFound, format!("there is no trace {trace_id}; start it first")))
    }

    /// Adds a record's rows.
    fn write(
        &mut self,
        tenant: &TenantId,
        place: usize,
        record: &NewRecord,
        mut assigned: Appended,
    ) -> Result<Appended> {
        if let NewRecord::Step(new, _) = record {
            let state = self.state(tenant, &new.record.trace_id)?;
            assigned.step_index = Some(state.step_count);
            assigned.is_late = state.sealed_revision > 0;
        }
        self.batch.record(place, tenant, &assigned, record)?;
        Ok(assigned)
    }

    /// Later records see this one.
    fn remember(&mut self, tenant: &TenantId, record: &NewRecord, changed: &mut Changed) {
        match record {
            NewRecord::Run(new) => {
                self.known.runs.set(run_key(tenant.clone(), &new.record), (new.id, new.record.clone()));
            }
            NewRecord::Trace(new) => {
                let key = trace_key(tenant.clone(), &new.record);
                self.known.traces.set(key.clone(), (new.id, new.record.clone()));
                self.known.states.set(key, TraceState::default());
                changed.grown.insert(new.record.trace_id.clone());
            }
            NewRecord::Step(new, facts) => {
                let trace_id = &new.record.trace_id;
                let key = (tenant.clone(), trace_id.clone(), new.record.span_id.clone());
                self.known.steps.set(key, (new.id, facts.digest));
                self.change(tenant, trace_id, |state| state.step_count += 1);
                changed.grown.insert(trace_id.clone());
            }
            NewRecord::Seal(new) => {
                let TraceSeal { trace_id, revision, .. } = &new.record;
                self.known.seals.set(seal_key(tenant.clone(), &new.record), (new.id, new.record.clone()));
                self.change(tenant, trace_id, |state| {
                    state.sealed_revision = *revision;
                    state.signals.is_open = false;
                    state.due_at = None;
                });
                changed.sealed.insert(trace_id.clone());
            }
            NewRecord::Incident(new) => {
                self.known.incidents.set(incident_key(tenant.clone(), &new.record), (new.id, new.record.clone()));
            }
            _ => {}
        }
    }

    /// Says when each changed trace is due, and marks what was read of it as outdated.
    fn settle(&mut self, unit: &AppendUnit, changed: &Changed) {
        let (now, policy) = (self.now, self.settle);
        for trace_id in &changed.grown {
            let touch = unit.touches.iter().find(|touch| touch.trace_id == *trace_id);
            let news = touch.map(|touch| touch.signals).unwrap_or_default();
            let is_sealed_now = changed.sealed.contains(trace_id);
            self.change(&unit.tenant, trace_id, |state| {
                let brings_work = news.has_llm_work || (news.has_root && !state.signals.has_root);
                state.signals = state.signals.union(news);
                state.last_seen_at = now;
                if is_sealed_now {
                    state.signals.is_open = false;
                } else if state.sealed_revision == 0 {
                    state.due_at = Some(policy.due_at(state.signals, now));
                } else if brings_work || state.due_at.is_some() {
                    state.due_at = Some(policy.due_again_at(state.signals, state.step_count, state.due_at, now));
                }
            });
        }
        for trace_id in changed.grown.union(&changed.sealed) {
            self.change(&unit.tenant, trace_id, |state| state.version += 1);
        }
    }

    fn change(&mut self, tenant: &TenantId, trace_id: &TraceId, change: impl FnOnce(&mut TraceState)) {
        let key = (tenant.clone(), trace_id.clone());
        let mut state = self.known.states.get(&key).cloned().unwrap_or_default();
        change(&mut state);
        self.known.states.set(key, state);
    }
}

fn verdict<T: PartialEq>(found: Option<&(RecordId, T)>, sent: &T) -> Verdict {
    match found {
        Some((id, stands)) => Verdict::Existing { id: *id, differs: stands != sent },
        None => Verdict::New,
    }
}

/// CONFLICT that names the record which an atomic unit found on record.
fn on_record(record: &NewRecord) -> Error {
    let what = match record {
        NewRecord::Run(new) => format!("revision {} of run {}", new.record.revision, new.record.run_id),
        NewRecord::Trace(new) => format!("trace {}", new.record.trace_id),
        NewRecord::Step(new, _) => format!("step {} of trace {}", new.record.span_id, new.record.trace_id),
        NewRecord::Seal(new) => format!("seal {} of trace {}", new.record.revision, new.record.trace_id),
        NewRecord::Incident(new) => {
            format!("revision {} of incident {}", new.record.revision, new.record.incident_id)
        }
        _ => format!("record {}", record.id()),
    };
    Error::new(Code::Conflict, format!("{what} is on record already"))
}
