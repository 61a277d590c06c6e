//! The first rows of each of many keys, in one statement of constant text: what happened in many windows of time, and
//! what decides where the windows lie.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sea_orm::{DbBackend, QueryResult, Statement};

use super::Store;
use super::convert::steps::decode_replay_step;
use super::convert::{Columns, column_list, decode, give_way};
use super::database::Database;
use super::keytable::KeyTable;
use super::scoped::scoped_statement;
use super::unread::Unread;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{RunId, TenantId, TraceId};
use crate::domain::replay::{Candidate, EVENTS_MAX, InflectionFacts, ReplayStep, Window};
use crate::domain::run::Stored;
use crate::domain::scope::Scope;
use crate::domain::system::SystemRecord;
use crate::domain::time::Timestamp;
use crate::entity::{audit_entry, system_record};
use crate::error::{Error, Result};

/// A window in the life of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunWindow {
    /// The run.
    pub run_id: RunId,
    /// Its trace.
    pub trace_id: Option<TraceId>,
    /// The window.
    pub window: Window,
}

/// A run whose inflection is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InflectionKey {
    /// The run.
    pub run_id: RunId,
    /// Its trace.
    pub trace_id: Option<TraceId>,
    /// Steps of the trace that incidents name.
    pub step_indices: Vec<i64>,
}

/// The tenant's first rows of `table` for each key `k`; `condition` and `order` speak of a row as `c`.
pub(super) struct FirstRows<'a> {
    pub table: &'a str,
    pub columns: &'a str,
    pub condition: &'a str,
    pub order: &'a str,
    pub limit: usize,
}

impl FirstRows<'_> {
    /// `SELECT k.place, columns`, in no order. PostgreSQL takes a limited lateral select a key; SQLite has none, and takes
    /// the ids of a limited select.
    pub fn sql(&self, backend: DbBackend, keys: &KeyTable) -> String {
        let Self { table, columns, condition, order, limit } = self;
        let keys = keys.table(backend, "k", KEYS_FROM);
        if backend == DbBackend::Postgres {
            return format!(
                "SELECT k.place, {columns} FROM {keys} CROSS JOIN LATERAL (SELECT * FROM {table} c \
                 WHERE c.tenant_id = $1 AND {condition} ORDER BY {order} LIMIT {limit}) c"
            );
        }
        let (condition, order) = (condition.replace("c.", "d."), order.replace("c.", "d."));
        format!(
            "SELECT k.place, {columns} FROM {keys} CROSS JOIN {table} c WHERE c.tenant_id = $1 AND c.id IN \
             (SELECT d.id FROM {table} d WHERE d.tenant_id = $1 AND {condition} ORDER BY {order} LIMIT {limit})"
        )
    }

    /// The statement, for these keys of a tenant.
    pub fn statement(&self, db: &Database, tenant: &TenantId, keys: &KeyTable) -> Result<Statement> {
        Ok(scoped_statement(db, tenant, self.sql(db.backend, keys), keys.values(db.backend)?))
    }
}

/// The first parameter of the keys: the tenant is before them.
const KEYS_FROM: usize = 2;

/// Windows as keys.
fn windows_table<'w>(windows: impl ExactSizeIterator<Item = &'w Window> + Clone) -> KeyTable {
    KeyTable::placed(windows.len())
        .numbers("lower", windows.clone().map(|window| window.from_us))
        .numbers("upper", windows.map(|window| window.to_us))
}

fn name_of(trace_id: Option<&TraceId>) -> &str {
    trace_id.map_or("", TraceId::as_str)
}

/// Rows by the place of their key.
pub(super) async fn by_place<T>(
    count: usize,
    rows: Vec<QueryResult>,
    table: &'static str,
    decode: impl Fn(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<Vec<T>>> {
    let mut found: Vec<Vec<T>> = Vec::with_capacity(count);
    found.resize_with(count, Vec::new);
    for (decoded, row) in rows.into_iter().enumerate() {
        give_way(decoded).await;
        let mut columns = Columns::of(&row, table)?;
        let place = place(&mut columns)?;
        let item = decode(&mut columns)?;
        found.get_mut(place).ok_or_else(|| Error::internal("a row of no key"))?.push(item);
    }
    Ok(found)
}

fn place(columns: &mut Columns<'_>) -> Result<usize> {
    let place: i64 = columns.take()?;
    usize::try_from(place).map_err(|_| columns.corrupt(&"no place of a key"))
}

const INSIDE: &str = "c.occurred_at >= k.lower AND c.occurred_at < k.upper";
/// One more than a replay shows, so that it knows whether there are more.
const LIMIT: usize = EVENTS_MAX + 1;

impl Store {
    /// Of the tenant's and the platform's system records, the first in each window by (occurred_at, id); of each of the two
    /// one more than a replay shows.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn system_records_in_windows(
        &self,
        scope: &Scope,
        windows: &[Window],
    ) -> Result<Unread<HashMap<Window, Vec<Arc<Stored<SystemRecord>>>>>> {
        let columns = column_list::<system_record::Entity>("c");
        let rows = FirstRows {
            table: "system_record",
            columns: &columns,
            condition: INSIDE,
            order: "c.occurred_at, c.id",
            limit: LIMIT,
        };
        let keys = windows_table(windows.iter());
        let mut found: HashMap<Window, Vec<_>> = windows.iter().map(|window| (*window, Vec::new())).collect();
        let platform = (!scope.tenant.is_platform()).then(TenantId::platform);
        for log in std::iter::once(&scope.tenant).chain(&platform) {
            let raw = self.db().rows(rows.statement(self.db(), log, &keys)?).await?;
            let decode = |columns: &mut Columns<'_>| decode(columns, log).map(Arc::new);
            let records = by_place(windows.len(), raw, "system_record", decode).await?;
            for (window, records) in windows.iter().zip(records) {
                found.entry(*window).or_default().extend(records);
            }
        }
        Ok(Unread(found))
    }

    /// Of the governance entries that are a run's and of those that have no run, the first in each window by
    /// (occurred_at, id); of each of the two one more than a replay shows. Apart, because each has an index of its own: the
    /// entries of all runs in a window are many.
    ///
    /// # Errors
    /// As for [`Self::system_records_in_windows`].
    pub async fn governance_in_windows(
        &self,
        scope: &Scope,
        windows: &[RunWindow],
    ) -> Result<Unread<HashMap<RunWindow, Vec<Arc<Stored<AuditEntry>>>>>> {
        let columns = column_list::<audit_entry::Entity>("c");
        let backend = self.db().backend;
        let keys = windows_table(windows.iter().map(|key| &key.window))
            .texts("run", windows.iter().map(|key| key.run_id.as_str()))
            .texts("trace", windows.iter().map(|key| name_of(key.trace_id.as_ref())));
        let rows_of = |theirs| {
            let condition = format!("{theirs} AND c.category = 'GOVERNANCE' AND {INSIDE}");
            let (table, order) = ("audit_entry", "c.occurred_at, c.id");
            let rows = FirstRows { table, columns: &columns, condition: &condition, order, limit: LIMIT };
            rows.sql(backend, &keys)
        };
        let sql = format!("{} UNION ALL {}", rows_of("c.run_id IN (k.run, k.trace)"), rows_of("c.run_id IS NULL"));
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, keys.values(backend)?)).await?;
        let decode = |columns: &mut Columns<'_>| decode(columns, &scope.tenant).map(Arc::new);
        let found = by_place(windows.len(), rows, "audit_entry", decode).await?;
        Ok(Unread(windows.iter().cloned().zip(found).collect()))
    }

    /// Of the steps that were under way in each window of their trace, the first by (started_at, id).
    ///
    /// # Errors
    /// As for [`Self::system_records_in_windows`].
    pub async fn steps_in_windows(
        &self,
        scope: &Scope,
        windows: &[(TraceId, Window)],
    ) -> Result<Unread<HashMap<(TraceId, Window), Vec<Arc<ReplayStep>>>>> {
        let rows = FirstRows {
            table: "trace_step",
            columns: "c.id, c.step_index, c.skill_name, c.status, c.started_at, c.duration_us",
            condition: "c.trace_id = k.trace AND c.started_at < k.upper \
                        AND (c.started_at >= k.lower OR c.started_at + c.duration_us > k.lower)",
            order: "c.started_at, c.id",
            limit: LIMIT,
        };
        let keys = windows_table(windows.iter().map(|(_, window)| window))
            .texts("trace", windows.iter().map(|(trace_id, _)| trace_id.as_str()));
        let rows = self.db().rows(rows.statement(self.db(), &scope.tenant, &keys)?).await?;
        let decode = |columns: &mut Columns<'_>| decode_replay_step(columns).map(Arc::new);
        let found = by_place(windows.len(), rows, "trace_step", decode).await?;
        Ok(Unread(windows.iter().cloned().zip(found).collect()))
    }

    /// What governance entries and steps say about the inflection of each run.
    ///
    /// # Errors
    /// As for [`Self::system_records_in_windows`].
    pub async fn inflection_facts(
        &self,
        scope: &Scope,
        runs: &[InflectionKey],
    ) -> Result<Unread<HashMap<InflectionKey, InflectionFacts>>> {
        let backend = self.db().backend;
        let end = "c.started_at + c.duration_us";
        let blocked = FirstRows {
            table: "audit_entry",
            columns: "'blocked', c.occurred_at, c.seq",
            condition: "c.run_id IN (k.run, k.trace) AND c.category = 'GOVERNANCE' AND c.action IN ('BLOCKED', 'MODIFIED')",
            order: "c.occurred_at, c.seq",
            limit: 1,
        };
        let failed = FirstRows {
            table: "trace_step",
            columns: &format!("'failed', {end}, c.seq"),
            condition: "c.trace_id = k.trace AND c.status = 'FAILURE'",
            order: &format!("{end}, c.seq"),
            limit: 1,
        };
        let keys = KeyTable::placed(runs.len())
            .texts("run", runs.iter().map(|run| run.run_id.as_str()))
            .texts("trace", runs.iter().map(|run| name_of(run.trace_id.as_ref())));
        let named: Vec<(i64, &str, i64)> = runs
            .iter()
            .zip(0_i64..)
            .flat_map(|(run, place)| {
                let trace = name_of(run.trace_id.as_ref());
                run.step_indices.iter().map(move |step| (place, trace, *step))
            })
            .collect();
        let named = KeyTable::new()
            .numbers("place", named.iter().map(|(place, ..)| *place))
            .texts("trace", named.iter().map(|(_, trace, _)| *trace))
            .numbers("step", named.iter().map(|(.., step)| *step));
        let sql = format!(
            "{} UNION ALL {} UNION ALL SELECT s.place, 'named', {end}, c.step_index FROM {} CROSS JOIN trace_step c \
             WHERE c.tenant_id = $1 AND c.trace_id = s.trace AND c.step_index = s.step",
            blocked.sql(backend, &keys),
            failed.sql(backend, &keys),
            named.table(backend, "s", KEYS_FROM + keys.parameters(backend)),
        );
        let values = keys.values(backend)?.into_iter().chain(named.values(backend)?);
        let statement = scoped_statement(self.db(), &scope.tenant, sql, values);
        let rows = self.db().rows(statement).await?;
        let found = by_place(runs.len(), rows, "trace_step", |columns| {
            let source = columns.take::<&str>()?.to_owned();
            let at = Timestamp::from_micros_clamped(columns.take()?);
            Ok((source, Candidate { at, seq: columns.take()? }))
        })
        .await?;
        Ok(Unread(runs.iter().cloned().zip(found.into_iter().map(facts)).collect()))
    }
}

/// The facts in the rows of one run; a named step has its step_index where others have their seq.
fn facts(rows: Vec<(String, Candidate)>) -> InflectionFacts {
    let mut facts = InflectionFacts { step_ends: BTreeMap::new(), ..InflectionFacts::default() };
    for (source, found) in rows {
        match source.as_str() {
            "blocked" => facts.blocked = Some(found),
            "failed" => facts.failed = Some(found),
            _ => {
                facts.step_ends.insert(found.seq, found.at);
            }
        }
    }
    facts
}
