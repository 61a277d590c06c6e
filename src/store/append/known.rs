//! What is on record of everything that a flush touches: read under the locks, and kept up to date while units are
//! planned, so that two units of one flush see each other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::{DbBackend, QueryResult, Statement};

use super::super::convert::{Columns, decode, record_columns};
use super::super::idempotency::decode_claimed;
use super::super::keytable::KeyTable;
use super::super::transaction::Transaction;
use super::prepare::Prepared;
use crate::domain::append::Claimed;
use crate::domain::ids::{Digest, RecordId, RunId, TenantId, TraceId};
use crate::domain::incident::IncidentEvidence;
use crate::domain::record::{NewRecord, Record};
use crate::domain::run::{LlmRun, Stored};
use crate::domain::settle::TraceSignals;
use crate::domain::time::Timestamp;
use crate::domain::trace::{Trace, TraceSeal, TraceStep};
use crate::error::Result;

/// What is known of a trace beyond its evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TraceState {
    pub step_count: i64,
    pub signals: TraceSignals,
    pub sealed_revision: i64,
    pub last_seen_at: Timestamp,
    pub due_at: Option<Timestamp>,
    pub version: i64,
}

/// A map whose changes can be taken back: those of the unit at hand, until they are kept.
pub(super) struct Layered<K, V> {
    kept: HashMap<K, V>,
    pending: HashMap<K, V>,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { kept: HashMap::new(), pending: HashMap::new() }
    }
}

impl<K: Eq + Hash, V> Layered<K, V> {
    pub fn get(&self, key: &K) -> Option<&V> {
        self.pending.get(key).or_else(|| self.kept.get(key))
    }

    pub fn set(&mut self, key: K, value: V) {
        self.pending.insert(key, value);
    }

    pub fn pending(&self) -> impl Iterator<Item = &K> {
        self.pending.keys()
    }

    pub fn keep(&mut self) {
        self.kept.extend(self.pending.drain());
    }

    pub fn discard(&mut self) {
        self.pending.clear();
    }
}

impl<K: Eq + Hash, V> FromIterator<(K, V)> for Layered<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self { kept: entries.into_iter().collect(), pending: HashMap::new() }
    }
}

pub(super) type TraceKey = (TenantId, TraceId);
pub(super) type StepKey = (TenantId, TraceId, String);
pub(super) type RunKey = (TenantId, RunId, i64);
pub(super) type IncidentKey = (TenantId, String, i64);
pub(super) type SealKey = (TenantId, TraceId, i64);
/// Tenant, space, key.
pub(super) type ClaimKey = (TenantId, String, String);

/// Everything that a flush needs to know.
#[derive(Default)]
pub(super) struct Known {
    pub states: Layered<TraceKey, TraceState>,
    pub traces: Layered<TraceKey, (RecordId, Trace)>,
    pub steps: Layered<StepKey, (RecordId, Digest)>,
    pub runs: Layered<RunKey, (RecordId, LlmRun)>,
    pub seals: Layered<SealKey, (RecordId, TraceSeal)>,
    pub incidents: Layered<IncidentKey, (RecordId, IncidentEvidence)>,
    pub claims: Layered<ClaimKey, Claimed>,
}

impl Known {
    /// The unit's changes stay.
    pub fn keep(&mut self) {
        self.states.keep();
        self.traces.keep();
        self.steps.keep();
        self.runs.keep();
        self.seals.keep();
        self.incidents.keep();
        self.claims.keep();
    }

    /// The unit's changes go.
    pub fn discard(&mut self) {
        self.states.discard();
        self.traces.discard();
        self.steps.discard();
        self.runs.discard();
        self.seals.discard();
        self.incidents.discard();
        self.claims.discard();
    }

    /// Reads what is on record: one statement a table and tenant, and none for a table that the units do not touch.
    pub async fn load(txn: &mut Transaction, units: &[&Prepared]) -> Result<Self> {
        let claims = load_claims(txn, units).await?;
        let states = load_states(txn, state_keys(units)).await?;
        let keys = Keys::of(units, &states);
        Ok(Self {
            claims,
            states,
            traces: load_records(txn, keys.traces, "t.trace_id = k.b", trace_key).await?,
            steps: load_steps(txn, keys.steps).await?,
            runs: load_records(txn, keys.runs, &revision_of("run_id"), run_key).await?,
            seals: load_records(txn, keys.seals, &revision_of("trace_id"), seal_key).await?,
            incidents: load_records(txn, keys.incidents, &revision_of("incident_id"), incident_key).await?,
        })
    }
}

/// A revision of what is named in a column.
fn revision_of(column: &str) -> String {
    format!("t.{column} = k.b AND t.revision = CAST(k.c AS BIGINT)")
}

pub(super) fn trace_key(tenant: TenantId, trace: &Trace) -> TraceKey {
    (tenant, trace.trace_id.clone())
}

pub(super) fn run_key(tenant: TenantId, run: &LlmRun) -> RunKey {
    (tenant, run.run_id.clone(), run.revision)
}

pub(super) fn seal_key(tenant: TenantId, seal: &TraceSeal) -> SealKey {
    (tenant, seal.trace_id.clone(), seal.revision)
}

pub(super) fn incident_key(tenant: TenantId, incident: &IncidentEvidence) -> IncidentKey {
    (tenant, incident.incident_id.clone(), incident.revision)
}

/// What to look for beside trace states and claims.
#[derive(Default)]
struct Keys<'k> {
    traces: Vec<[Cow<'k, str>; 2]>,
    steps: Vec<[Cow<'k, str>; 3]>,
    runs: Vec<[Cow<'k, str>; 3]>,
    seals: Vec<[Cow<'k, str>; 3]>,
    incidents: Vec<[Cow<'k, str>; 3]>,
}

impl<'k> Keys<'k> {
    /// A trace that is not known has no steps and no seals, so these are not looked for.
    fn of(units: &[&'k Prepared], states: &Layered<TraceKey, TraceState>) -> Self {
        let mut keys = Self::default();
        for unit in units.iter().map(|prepared| &prepared.unit) {
            let tenant = || Cow::from(unit.tenant.as_str());
            let state = |trace_id: &TraceId| states.get(&(unit.tenant.clone(), trace_id.clone()));
            for record in &unit.records {
                match record {
                    NewRecord::Run(new) => {
                        let LlmRun { run_id, revision, .. } = &new.record;
                        keys.runs.push([tenant(), run_id.as_str().into(), revision.to_string().into()]);
                    }
                    NewRecord::Trace(new) if state(&new.record.trace_id).is_some() => {
                        keys.traces.push([tenant(), new.record.trace_id.as_str().into()]);
                    }
                    NewRecord::Step(new, _) if state(&new.record.trace_id).is_some() => {
                        let TraceStep { trace_id, span_id, .. } = &new.record;
                        keys.steps.push([tenant(), trace_id.as_str().into(), span_id.into()]);
                    }
                    NewRecord::Seal(new) => {
                        let TraceSeal { trace_id, revision, .. } = &new.record;
                        if state(trace_id).is_some_and(|state| *revision <= state.sealed_revision) {
                            keys.seals.push([tenant(), trace_id.as_str().into(), revision.to_string().into()]);
                        }
                    }
                    NewRecord::Incident(new) => {
                        let IncidentEvidence { incident_id, revision, .. } = &new.record;
                        keys.incidents.push([tenant(), incident_id.into(), revision.to_string().into()]);
                    }
                    _ => {}
                }
            }
        }
        keys
    }
}

/// Every trace that a record or a guard names.
fn state_keys<'k>(units: &[&'k Prepared]) -> Vec<[Cow<'k, str>; 2]> {
    let mut keys = Vec::new();
    for unit in units.iter().map(|prepared| &prepared.unit) {
        let guarded = unit.guard.iter().map(|guard| &guard.trace_id);
        for trace_id in unit.records.iter().filter_map(trace_of).chain(guarded) {
            keys.push([Cow::from(unit.tenant.as_str()), trace_id.as_str().into()]);
        }
    }
    keys
}

/// The trace that must be known for a record.
fn trace_of(record: &NewRecord) -> Option<&TraceId> {
    match record {
        NewRecord::Trace(new) => Some(&new.record.trace_id),
        NewRecord::Step(new, _) => Some(&new.record.trace_id),
        NewRecord::Seal(new) => Some(&new.record.trace_id),
        _ => None,
    }
}

/// Rows of a table that belong to keys: of the tenant that is a key's first part, with `k.b` and `k.c` as the others. One
/// statement a tenant; none are asked for without keys.
async fn lookup<const N: usize>(
    txn: &mut Transaction,
    mut keys: Vec<[Cow<'_, str>; N]>,
    columns: &str,
    table: &str,
    condition: &str,
) -> Result<Vec<QueryResult>> {
    // A name with U+0000 is on no record, and PostgreSQL does not even take it as a parameter.
    keys.retain(|key| !key.iter().any(|part| part.contains('\0')));
    keys.sort_unstable();
    keys.dedup();
    let backend = txn.backend();
    let mut rows = Vec::new();
    for keys in keys.chunk_by(|left, right| left.first() == right.first()) {
        let Some(tenant) = keys.first().and_then(|key| key.first()) else { continue };
        let names = ["b", "c"].into_iter().zip(1..N);
        let keytable = names.fold(KeyTable::new(), |keytable, (name, at)| {
            keytable.texts(name, keys.iter().filter_map(|key| key.get(at).map(AsRef::as_ref)))
        });
        // Each key is sought by itself: a cross join makes SQLite do so, whatever it thinks of their number. PostgreSQL would
        // rather walk all that the tenant has, now that the tenant is known before the keys; an offset it does not see through.
        let (keytable_sql, found) = (keytable.table(backend, "k", 2), format!("t.tenant_id = $1 AND {condition}"));
        let sql = if backend == DbBackend::Postgres {
            format!(
                "SELECT t.* FROM {keytable_sql} CROSS JOIN LATERAL (SELECT {columns} FROM {table} t WHERE {found} OFFSET 0) t"
            )
        } else {
            format!("SELECT {columns} FROM {keytable_sql} CROSS JOIN {table} t WHERE {found}")
        };
        let values = std::iter::once(tenant.as_ref().into()).chain(keytable.values(backend)?);
        rows.extend(txn.rows(Statement::from_sql_and_values(backend, sql, values)).await?);
    }
    Ok(rows)
}

fn tenant_of(row: &QueryResult, table: &'static str) -> Result<TenantId> {
    Ok(TenantId::trusted(Columns::of(row, table)?.take::<&str>()?))
}

async fn load_claims(txn: &mut Transaction, units: &[&Prepared]) -> Result<Layered<ClaimKey, Claimed>> {
    let mut keys = Vec::new();
    for unit in units.iter().map(|prepared| &prepared.unit) {
        if let Some(claim) = &unit.idempotency {
            keys.push([Cow::from(unit.tenant.as_str()), claim.space.into(), claim.key.as_str().into()]);
        }
    }
    let columns = "t.tenant_id, t.space, t.idempotency_key, t.operation, t.request_hash, t.answer, t.existing";
    let condition = "t.space = k.b AND t.idempotency_key = k.c";
    let rows = lookup(txn, keys, columns, "idempotency", condition).await?;
    let decode = |row| {
        let mut columns = Columns::of(row, "idempotency")?;
        let tenant = TenantId::trusted(columns.take::<&str>()?);
        let key = (tenant, columns.take()?, columns.take()?);
        Ok((key, decode_claimed(&mut columns)?))
    };
    rows.iter().map(decode).collect()
}

async fn load_states(txn: &mut Transaction, keys: Vec<[Cow<'_, str>; 2]>) -> Result<Layered<TraceKey, TraceState>> {
    let columns = "t.tenant_id, t.trace_id, t.step_count, t.has_root, t.has_remote_parent, t.has_llm_work, t.is_open, \
                   t.sealed_revision, t.last_seen_at, t.due_at, t.version";
    let rows = lookup(txn, keys, columns, "trace_state", "t.trace_id = k.b").await?;
    let decode = |row| {
        let mut columns = Columns::of(row, "trace_state")?;
        let key = (TenantId::trusted(columns.take::<&str>()?), TraceId::trusted(columns.take::<&str>()?));
        let step_count = columns.take()?;
        let signals = TraceSignals {
            has_root: columns.take()?,
            has_remote_parent: columns.take()?,
            has_llm_work: columns.take()?,
            is_open: columns.take()?,
        };
        let sealed_revision = columns.take()?;
        let (last_seen_at, due_at) = (columns.field()?, columns.field()?);
        Ok((key, TraceState { step_count, signals, sealed_revision, last_seen_at, due_at, version: columns.take()? }))
    };
    rows.iter().map(decode).collect()
}

/// Records of one kind by their keys.
async fn load_records<R: Record, K: Eq + Hash, const N: usize>(
    txn: &mut Transaction,
    keys: Vec<[Cow<'_, str>; N]>,
    condition: &str,
    key: fn(TenantId, &R) -> K,
) -> Result<Layered<K, (RecordId, R)>> {
    let rows = lookup(txn, keys, &record_columns::<R>("t"), R::TABLE, condition).await?;
    let decode = |row| {
        let tenant = tenant_of(row, R::TABLE)?;
        let Stored { id, record, .. } = decode(&mut Columns::of(row, R::TABLE)?, &tenant)?;
        Ok((key(tenant, &record), (id, record)))
    };
    rows.iter().map(decode).collect()
}

async fn load_steps(
    txn: &mut Transaction,
    keys: Vec<[Cow<'_, str>; 3]>,
) -> Result<Layered<StepKey, (RecordId, Digest)>> {
    let columns = "t.tenant_id, t.trace_id, t.span_id, t.record_id, t.digest";
    let condition = "t.trace_id = k.b AND t.span_id = k.c";
    let rows = lookup(txn, keys, columns, "step_fact", condition).await?;
    let decode = |row| {
        let mut columns = Columns::of(row, "step_fact")?;
        let (tenant, trace_id) =
            (TenantId::trusted(columns.take::<&str>()?), TraceId::trusted(columns.take::<&str>()?));
        Ok(((tenant, trace_id, columns.take()?), (columns.id()?, columns.field()?)))
    };
    rows.iter().map(decode).collect()
}
