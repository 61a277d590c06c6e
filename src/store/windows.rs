//! The first rows of each of many keys, in one statement of constant text: what happened in many windows of time, and
//! what decides where the windows lie.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sea_orm::{DbBackend, QueryResult, Statement};
use serde_json::{Value as Json, json};

use super::Store;
use super::convert::steps::decode_replay_step;
use super::convert::{Columns, column_list, decode, give_way};
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

/// The first rows of `table` for each key `k`; `condition` and `order` speak of a row as `c`.
pub(super) struct FirstRows<'a> {
    pub table: &'a str,
    pub columns: &'a str,
    /// The parameter that holds the tenant.
    pub tenant: &'a str,
    pub condition: &'a str,
    pub order: &'a str,
    pub limit: usize,
}

impl FirstRows<'_> {
    /// `SELECT k.place, columns`, in no order. PostgreSQL takes a limited lateral select a key; SQLite has none, and takes
    /// the ids of a limited select.
    pub fn sql(&self, backend: DbBackend) -> String {
        let Self { table, columns, tenant, condition, order, limit } = self;
        let keys = keys(backend);
        if backend == DbBackend::Postgres {
            return format!(
                "SELECT k.place, {columns} FROM {keys} CROSS JOIN LATERAL (SELECT * FROM {table} c \
                 WHERE c.tenant_id = {tenant} AND {condition} ORDER BY {order} LIMIT {limit}) c"
            );
        }
        let (condition, order) = (condition.replace("c.", "d."), order.replace("c.", "d."));
        format!(
            "SELECT k.place, {columns} FROM {keys} CROSS JOIN {table} c WHERE c.tenant_id = {tenant} AND c.id IN \
             (SELECT d.id FROM {table} d WHERE d.tenant_id = {tenant} AND {condition} ORDER BY {order} LIMIT {limit})"
        )
    }
}

/// The keys in `$2` as a table `k`.
pub(super) fn keys(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "jsonb_to_recordset(CAST($2 AS jsonb)) \
             AS k(place bigint, record text, lower bigint, upper bigint, run text, trace text, steps bigint[])"
        }
        _ => {
            "(SELECT j.key AS place, json_extract(j.value, '$.record') AS record, json_extract(j.value, '$.lower') AS lower, json_extract(j.value, '$.upper') AS upper, \
             json_extract(j.value, '$.run') AS run, json_extract(j.value, '$.trace') AS trace, \
             json_extract(j.value, '$.steps') AS steps FROM json_each($2) j) k"
        }
    }
}

/// Keys as the value of `$2`, each with its place in the list.
pub(super) fn keys_json(keys: impl Iterator<Item = Json>) -> String {
    let placed = keys.enumerate().map(|(place, mut key)| {
        key["place"] = place.into();
        key
    });
    Json::Array(placed.collect()).to_string()
}

fn window_key(window: Window) -> Json {
    json!({ "lower": window.from_us, "upper": window.to_us })
}

fn run_window_key(key: &RunWindow) -> Json {
    let mut json = window_key(key.window);
    json["run"] = key.run_id.as_str().into();
    json["trace"] = key.trace_id.as_ref().map(TraceId::as_str).into();
    json
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
        let columns = format!("c.tenant_id, {}", column_list::<system_record::Entity>("c"));
        let rows_of = |tenant| {
            let (table, order) = ("system_record", "c.occurred_at, c.id");
            let rows = FirstRows { table, columns: &columns, tenant, condition: INSIDE, order, limit: LIMIT };
            rows.sql(self.db().backend)
        };
        let platform = TenantId::platform();
        let mut sql = rows_of("$1");
        let mut values = vec![keys_json(windows.iter().copied().map(window_key)).into()];
        if scope.tenant != platform {
            sql = format!("{sql} UNION ALL {}", rows_of("$3"));
            values.push(platform.as_str().into());
        }
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, values)).await?;
        let found = by_place(windows.len(), rows, "system_record", |columns| {
            let tenant = columns.take::<&str>()?;
            let tenant = if tenant == platform.as_str() { &platform } else { &scope.tenant };
            decode(columns, tenant).map(Arc::new)
        })
        .await?;
        Ok(Unread(windows.iter().copied().zip(found).collect()))
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
        let rows_of = |theirs| {
            let condition = format!("{theirs} AND c.category = 'GOVERNANCE' AND {INSIDE}");
            let (table, order) = ("audit_entry", "c.occurred_at, c.id");
            let rows = FirstRows { table, columns: &columns, tenant: "$1", condition: &condition, order, limit: LIMIT };
            rows.sql(self.db().backend)
        };
        let sql = format!("{} UNION ALL {}", rows_of("c.run_id IN (k.run, k.trace)"), rows_of("c.run_id IS NULL"));
        let keys = keys_json(windows.iter().map(run_window_key));
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, [keys.into()])).await?;
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
            tenant: "$1",
            condition: "c.trace_id = k.trace AND c.started_at < k.upper \
                        AND (c.started_at >= k.lower OR c.started_at + c.duration_us > k.lower)",
            order: "c.started_at, c.id",
            limit: LIMIT,
        };
        let keys = windows.iter().map(|(trace_id, window)| {
            let mut key = window_key(*window);
            key["trace"] = trace_id.as_str().into();
            key
        });
        let rows = self.db().rows(self.of_keys(scope, &rows, keys)).await?;
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
            tenant: "$1",
            condition: "c.run_id IN (k.run, k.trace) AND c.category = 'GOVERNANCE' AND c.action IN ('BLOCKED', 'MODIFIED')",
            order: "c.occurred_at, c.seq",
            limit: 1,
        };
        let failed = FirstRows {
            table: "trace_step",
            columns: &format!("'failed', {end}, c.seq"),
            tenant: "$1",
            condition: "c.trace_id = k.trace AND c.status = 'FAILURE'",
            order: &format!("{end}, c.seq"),
            limit: 1,
        };
        let named = match backend {
            DbBackend::Postgres => "unnest(k.steps) AS s(value)",
            _ => "json_each(k.steps) s",
        };
        let sql = format!(
            "{} UNION ALL {} UNION ALL SELECT k.place, 'named', {end}, c.step_index FROM {} CROSS JOIN {named} \
             JOIN trace_step c ON c.tenant_id = $1 AND c.trace_id = k.trace AND c.step_index = s.value",
            blocked.sql(backend),
            failed.sql(backend),
            keys(backend),
        );
        let keys = runs.iter().map(|run| {
            let trace_id = run.trace_id.as_ref().map(TraceId::as_str);
            json!({ "run": run.run_id.as_str(), "trace": trace_id, "steps": run.step_indices })
        });
        let statement = scoped_statement(self.db(), &scope.tenant, sql, [keys_json(keys).into()]);
        let rows = self.db().rows(statement).await?;
        let found = by_place(runs.len(), rows, "trace_step", |columns| {
            let source = columns.take::<&str>()?.to_owned();
            let at = Timestamp::from_micros_clamped(columns.take()?);
            Ok((source, Candidate { at, seq: columns.take()? }))
        })
        .await?;
        Ok(Unread(runs.iter().cloned().zip(found.into_iter().map(facts)).collect()))
    }

    fn of_keys(&self, scope: &Scope, rows: &FirstRows<'_>, keys: impl Iterator<Item = Json>) -> Statement {
        scoped_statement(self.db(), &scope.tenant, rows.sql(self.db().backend), [keys_json(keys).into()])
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
