//! System records beside runs: the environment they began in, and what affected them.
//! One statement for all keys of a page over the tenant's log, and one over the platform's.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::{DbBackend, Statement};

use super::Store;
use super::convert::{Columns, column_list, decode, give_way};
use super::database::Database;
use super::keytable::KeyTable;
use super::scoped::scoped_statement;
use super::system::TABLE;
use super::unread::Unread;
use crate::domain::ids::{RunId, TenantId, TraceId};
use crate::domain::scope::Scope;
use crate::domain::system::{RUN_EVENTS_MAX, RunBaseline, RunEvents, StoredSystemRecord};
use crate::domain::vocabulary::SystemComponent;
use crate::entity::system_record;
use crate::error::{Error, Result};

/// Records found for each key.
type Found<K> = HashMap<K, Vec<StoredSystemRecord>>;

/// The condition of the index `system_record_baseline`, word for word.
const IS_BASELINE: &str = "c.event_type IN ('STARTUP', 'RESTART', 'DEPLOY', 'CONFIG_CHANGE', 'MIGRATION')";

/// Records of one log that are looked for with each key `k`.
struct Source {
    condition: &'static str,
    limit: usize,
}

/// The first records of each source for each key, by instant and seq.
fn statement(db: &Database, log: &TenantId, keys: &KeyTable, sources: &[Source]) -> Result<Statement> {
    let table = keys.table(db.backend, "k", 2);
    let columns = column_list::<system_record::Entity>("r");
    let part = |source: &Source, what: &str| {
        let Source { condition, limit } = source;
        format!(
            "SELECT {what} FROM system_record c WHERE c.tenant_id = $1 AND {condition} \
             ORDER BY c.occurred_at, c.seq LIMIT {limit}"
        )
    };
    let sql = if db.backend == DbBackend::Postgres {
        let parts: Vec<String> = sources.iter().map(|source| format!("({})", part(source, "*"))).collect();
        format!("SELECT k.place, {columns} FROM {table} CROSS JOIN LATERAL ({}) r", parts.join(" UNION ALL "))
    } else {
        // A cross join makes SQLite walk the keys and seek each record by its own key.
        let of_source = |source: &Source| {
            format!(
                "SELECT k.place, {columns} FROM {table} CROSS JOIN system_record r \
                 WHERE r.tenant_id = $1 AND r.id IN ({})",
                part(source, "c.id")
            )
        };
        sources.iter().map(of_source).collect::<Vec<_>>().join(" UNION ALL ")
    };
    Ok(scoped_statement(db, log, sql, keys.values(db.backend)?))
}

/// The newest baseline record of each component in use in a log, for each key.
fn baseline_statement(db: &Database, log: &TenantId, keys: &KeyTable) -> Result<Statement> {
    let table = keys.table(db.backend, "k", 2);
    let columns = column_list::<system_record::Entity>("r");
    let words: Vec<String> = SystemComponent::ALL.iter().map(|word| format!("('{}')", word.as_str())).collect();
    let used = format!(
        "SELECT v.column1 AS component FROM (VALUES {}) v WHERE EXISTS (SELECT 1 \
         FROM system_record c WHERE c.tenant_id = $1 AND c.component = v.column1 AND {IS_BASELINE})",
        words.join(", ")
    );
    let newest = |what: &str| {
        format!(
            "SELECT {what} FROM system_record c WHERE c.tenant_id = $1 AND c.component = u.component \
             AND {IS_BASELINE} AND c.occurred_at <= k.hi \
             AND (k.instance = '' OR c.service_instance_id IS NULL OR c.service_instance_id = k.instance) \
             ORDER BY c.occurred_at DESC, c.seq DESC LIMIT 1"
        )
    };
    let found = if db.backend == DbBackend::Postgres {
        format!("CROSS JOIN LATERAL ({}) r", newest("*"))
    } else {
        format!("CROSS JOIN system_record r WHERE r.tenant_id = $1 AND r.id = ({})", newest("c.id"))
    };
    let sql =
        format!("WITH used AS MATERIALIZED ({used}) SELECT k.place, {columns} FROM {table} CROSS JOIN used u {found}");
    Ok(scoped_statement(db, log, sql, keys.values(db.backend)?))
}

/// The tenant's own log, and the platform's, which every tenant sees.
fn visible(scope: &Scope) -> Vec<TenantId> {
    let mut logs = vec![scope.tenant.clone()];
    logs.extend((!scope.tenant.is_platform()).then(TenantId::platform));
    logs
}

impl Store {
    /// For each key, of every component and each of the two logs, the newest STARTUP, RESTART, DEPLOY, CONFIG_CHANGE or
    /// MIGRATION record at or before the instant. Records of another instance are left out; those that name none count
    /// for all. One statement a log.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn run_baselines(&self, scope: &Scope, keys: &[RunBaseline]) -> Result<Unread<Found<RunBaseline>>> {
        let table = KeyTable::placed(keys.len())
            .numbers("hi", keys.iter().map(|key| key.at.as_micros()))
            .texts("instance", keys.iter().map(|key| key.service_instance_id.as_deref().unwrap_or_default()));
        let mut found = none_yet(keys);
        for log in visible(scope) {
            self.find(baseline_statement(self.db(), &log, &table)?, &log, keys, &mut found).await?;
        }
        Ok(Unread(found))
    }

    /// For each key, what is correlated with the run, and the tenant's and the platform's records of severity WARN or
    /// above while it ran: the first of each, one more than are shown; one record may come twice. One statement a log.
    ///
    /// # Errors
    /// As for [`Self::run_baselines`].
    pub async fn run_events(&self, scope: &Scope, keys: &[RunEvents]) -> Result<Unread<Found<RunEvents>>> {
        const LIMIT: usize = RUN_EVENTS_MAX + 1;
        const WARNINGS: Source =
            Source { condition: "c.severity <> 'INFO' AND c.occurred_at BETWEEN k.lo AND k.hi", limit: LIMIT };
        const OWN: &[Source] = &[
            Source { condition: "c.correlation_id = k.run", limit: LIMIT },
            Source { condition: "c.correlation_id = k.trace", limit: LIMIT },
            WARNINGS,
        ];
        let table = KeyTable::placed(keys.len())
            .numbers("lo", keys.iter().map(|key| key.from.as_micros()))
            .numbers("hi", keys.iter().map(|key| key.to.as_micros()))
            .texts("run", keys.iter().map(|key| key.run_id.as_str()))
            .texts("trace", keys.iter().map(other_name));
        let mut found = none_yet(keys);
        for log in visible(scope) {
            let sources = if log == scope.tenant { OWN } else { &[WARNINGS] };
            self.find(statement(self.db(), &log, &table, sources)?, &log, keys, &mut found).await?;
        }
        Ok(Unread(found))
    }

    /// Adds what a statement finds in a log.
    async fn find<K: Eq + Hash>(
        &self,
        statement: Statement,
        log: &TenantId,
        keys: &[K],
        found: &mut Found<K>,
    ) -> Result<()> {
        for (decoded, row) in self.db().rows(statement).await?.into_iter().enumerate() {
            give_way(decoded).await;
            let mut columns = Columns::of(&row, TABLE)?;
            let place = usize::try_from(columns.take::<i64>()?).map_err(Error::internal)?;
            let records = keys.get(place).and_then(|key| found.get_mut(key));
            let records = records.ok_or_else(|| Error::internal("a row for a key that was not asked for"))?;
            records.push(decode(&mut columns, log)?);
        }
        Ok(())
    }
}

/// The name of the run's trace, where it is another than the run's.
fn other_name(key: &RunEvents) -> &str {
    key.trace_id.as_ref().map(TraceId::as_str).filter(|id| *id != RunId::as_str(&key.run_id)).unwrap_or("")
}

fn none_yet<K: Clone + Eq + Hash>(keys: &[K]) -> Found<K> {
    keys.iter().map(|key| (key.clone(), Vec::new())).collect()
}
