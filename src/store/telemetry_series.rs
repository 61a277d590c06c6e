//! Series of OTLP metrics and their samples: operational, in tables of their own, written without the ledger.

use std::collections::{BTreeMap, HashMap};

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{DbBackend, EntityTrait, QueryTrait, Set};

use super::Store;
use super::convert::{Columns, column_list, give_way};
use super::keytable::KeyTable;
use super::scoped::{EveryTenant, every_tenant, scoped_statement};
use super::transaction::Transaction;
use super::unread::Unread;
use crate::domain::ids::TenantId;
use crate::domain::scope::Scope;
use crate::domain::telemetry_series::{
    MetricPoint, MetricSample, MetricSeries, PointValue, RUN_SERIES_MAX, RunTelemetry, SeriesId, SeriesWindow,
};
use crate::domain::time::Timestamp;
use crate::entity::{metric_point, metric_series};
use crate::error::{Error, Result};

/// Rows of one statement: at most twelve values each, below SQLite's 32,766 parameters.
const ROWS_OF_A_STATEMENT: usize = 1_000;
/// Rows of one deletion: other writers need not wait long.
const ROWS_OF_A_DELETION: u32 = 5_000;

impl Store {
    /// Writes samples and their series in one transaction and answers after its commit. A sample that is there already
    /// stays as it is.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not take it.
    pub async fn write_metric_samples(&self, tenant: &TenantId, samples: &[MetricSample]) -> Result<()> {
        // In order of their ids, so that processes with the same series never wait for each other in a ring.
        let mut series: BTreeMap<SeriesId, (&MetricSeries, Timestamp)> = BTreeMap::new();
        for sample in samples {
            let (_, last_at) = series.entry(sample.series.id).or_insert((&sample.series, sample.point.at));
            *last_at = (*last_at).max(sample.point.at);
        }
        let mut txn = Transaction::begin(self.db()).await?;
        let series: Vec<_> = series.into_values().collect();
        let written = async {
            for series in series.chunks(ROWS_OF_A_STATEMENT) {
                write_series(&mut txn, tenant, series).await?;
            }
            for samples in samples.chunks(ROWS_OF_A_STATEMENT) {
                write_points(&mut txn, tenant, samples).await?;
            }
            Ok(())
        };
        let written = written.await;
        txn.finish(written).await
    }

    /// For each key, the series of its resource with samples within its time, by name and id, one more than are shown.
    /// One statement.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn series_of_runs(
        &self,
        scope: &Scope,
        keys: &[RunTelemetry],
    ) -> Result<Unread<HashMap<RunTelemetry, Vec<MetricSeries>>>> {
        let instance = |key: &RunTelemetry| key.service_instance_id.clone().unwrap_or_default();
        let columns = column_list::<metric_series::Entity>("s");
        let is_postgres = self.db().backend == DbBackend::Postgres;
        let instances: Vec<String> = keys.iter().map(instance).collect();
        let table = KeyTable::placed(keys.len())
            .numbers("lo", keys.iter().map(|key| key.from.as_micros()))
            .numbers("hi", keys.iter().map(|key| key.to.as_micros()))
            .texts("name", keys.iter().map(|key| key.service_name.as_str()))
            .texts("instance", instances.iter().map(String::as_str));
        let (table, values) = (table.table(self.db().backend, "k", 2), table.values(self.db().backend)?);
        let inside = format!(
            "c.tenant_id = $1 AND c.service_name = k.name AND c.service_instance_id = k.instance AND EXISTS (SELECT 1 \
             FROM metric_point p WHERE p.tenant_id = $1 AND p.series_id = c.series_id AND p.at BETWEEN k.lo AND k.hi) \
             ORDER BY c.name, c.series_id LIMIT {}",
            RUN_SERIES_MAX + 1
        );
        let found = if is_postgres {
            format!("CROSS JOIN LATERAL (SELECT * FROM metric_series c WHERE {inside}) s")
        } else {
            format!(
                "CROSS JOIN metric_series s WHERE s.tenant_id = $1 AND s.series_id IN \
                 (SELECT c.series_id FROM metric_series c WHERE {inside})"
            )
        };
        let sql = format!("SELECT k.place, {columns} FROM {table} {found} ORDER BY k.place, s.name, s.series_id");
        let mut series: HashMap<RunTelemetry, Vec<MetricSeries>> =
            keys.iter().map(|key| (key.clone(), Vec::new())).collect();
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, values)).await?;
        for (decoded, row) in rows.into_iter().enumerate() {
            give_way(decoded).await;
            let mut columns = Columns::of(&row, "metric_series")?;
            let key = key_at(keys, columns.take()?)?;
            series.entry(key.clone()).or_default().push(decode_series(&mut columns)?);
        }
        Ok(Unread(series))
    }

    /// The first samples of each series within its time, oldest first, at most `limit` of each. One statement.
    ///
    /// # Errors
    /// As for [`Self::series_of_runs`].
    pub async fn points_of_series(
        &self,
        scope: &Scope,
        keys: &[SeriesWindow],
        limit: u32,
    ) -> Result<Unread<HashMap<SeriesWindow, Vec<MetricPoint>>>> {
        let keytable = windows(keys);
        let (table, values) = (keytable.table(self.db().backend, "k", 2), keytable.values(self.db().backend)?);
        let inside = format!(
            "c.tenant_id = $1 AND c.series_id = k.series_id AND c.at BETWEEN k.lo AND k.hi ORDER BY c.at LIMIT {limit}"
        );
        let found = if self.db().backend == DbBackend::Postgres {
            format!("CROSS JOIN LATERAL (SELECT * FROM metric_point c WHERE {inside}) p")
        } else {
            format!(
                "CROSS JOIN metric_point p WHERE p.tenant_id = $1 AND p.series_id = k.series_id AND p.at IN \
                 (SELECT c.at FROM metric_point c WHERE {inside})"
            )
        };
        let sql = format!("SELECT k.place, p.at, p.start_at, p.value FROM {table} {found} ORDER BY k.place, p.at");
        let mut points: HashMap<SeriesWindow, Vec<MetricPoint>> =
            keys.iter().map(|key| (key.clone(), Vec::new())).collect();
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, values)).await?;
        for (decoded, row) in rows.into_iter().enumerate() {
            give_way(decoded).await;
            let mut columns = Columns::of(&row, "metric_point")?;
            let key = key_at(keys, columns.take()?)?;
            points.entry(key.clone()).or_default().push(decode_point(&mut columns)?);
        }
        Ok(Unread(points))
    }

    /// How many samples each series has within its time. One statement.
    ///
    /// # Errors
    /// As for [`Self::series_of_runs`].
    pub async fn count_points_of_series(
        &self,
        scope: &Scope,
        keys: &[SeriesWindow],
    ) -> Result<Unread<HashMap<SeriesWindow, i64>>> {
        let keytable = windows(keys);
        let (table, values) = (keytable.table(self.db().backend, "k", 2), keytable.values(self.db().backend)?);
        let sql = format!(
            "SELECT k.place, COUNT(*) FROM {table} CROSS JOIN metric_point p WHERE p.tenant_id = $1 \
             AND p.series_id = k.series_id AND p.at BETWEEN k.lo AND k.hi GROUP BY k.place"
        );
        let mut counts = HashMap::with_capacity(keys.len());
        let rows = self.db().rows(scoped_statement(self.db(), &scope.tenant, sql, values)).await?;
        for (decoded, row) in rows.into_iter().enumerate() {
            give_way(decoded).await;
            let mut columns = Columns::of(&row, "metric_point")?;
            counts.insert(key_at(keys, columns.take()?)?.clone(), columns.take()?);
        }
        Ok(Unread(counts))
    }

    /// Deletes samples and waiting digests from before an instant, and series without samples since; how many rows.
    /// This is of all tenants: each is cleaned by its own index.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn drop_old_telemetry(&self, before: Timestamp) -> Result<u64> {
        let tables = [
            ("metric_point", "series_id, at", "at"),
            ("metric_series", "series_id", "last_at"),
            ("span_content", "trace_id, span_id, side, rank, at, digest", "received_at"),
        ];
        let mut dropped = 0;
        for (table, key, age) in tables {
            let tenants = format!("SELECT DISTINCT tenant_id FROM {table}");
            let tenants = every_tenant(self.db(), EveryTenant::TenantsOfTelemetry, &tenants, []);
            for row in &self.db().rows(tenants).await? {
                let tenant = TenantId::trusted(Columns::of(row, table)?.take::<&str>()?);
                let sql = format!(
                    "DELETE FROM {table} WHERE tenant_id = $1 AND ({key}) IN (SELECT {key} FROM {table} \
                     WHERE tenant_id = $1 AND {age} < $2 LIMIT {ROWS_OF_A_DELETION})"
                );
                loop {
                    let statement = scoped_statement(self.db(), &tenant, sql.clone(), [before.as_micros().into()]);
                    let rows = self.db().change(statement).await?;
                    dropped += rows;
                    if rows < u64::from(ROWS_OF_A_DELETION) {
                        break;
                    }
                }
            }
        }
        Ok(dropped)
    }
}

async fn write_series(txn: &mut Transaction, tenant: &TenantId, series: &[(&MetricSeries, Timestamp)]) -> Result<()> {
    use metric_series::Column as C;
    let rows = series.iter().map(|(series, last_at)| metric_series::ActiveModel {
        tenant_id: Set(tenant.as_str().to_owned()),
        series_id: Set(series.id.0),
        service_name: Set(series.service_name.clone()),
        service_instance_id: Set(series.service_instance_id.clone().unwrap_or_default()),
        name: Set(series.name.clone()),
        unit: Set(series.unit.clone()),
        kind: Set(series.kind.as_str().to_owned()),
        is_monotonic: Set(series.is_monotonic),
        temporality: Set(series.temporality.map(|temporality| temporality.as_str().to_owned())),
        scope: Set(series.scope.clone()),
        attributes: Set(series.attributes.clone()),
        last_at: Set(last_at.as_micros()),
    });
    let later =
        "CASE WHEN excluded.last_at > metric_series.last_at THEN excluded.last_at ELSE metric_series.last_at END";
    let seen = OnConflict::columns([C::TenantId, C::SeriesId]).value(C::LastAt, Expr::cust(later)).to_owned();
    let insert = metric_series::Entity::insert_many(rows).on_conflict(seen);
    txn.execute(insert.build(txn.backend())).await.map(drop)
}

async fn write_points(txn: &mut Transaction, tenant: &TenantId, samples: &[MetricSample]) -> Result<()> {
    let rows = samples.iter().map(|sample| metric_point::ActiveModel {
        tenant_id: Set(tenant.as_str().to_owned()),
        series_id: Set(sample.series.id.0),
        at: Set(sample.point.at.as_micros()),
        start_at: Set(sample.point.start_at.map(Timestamp::as_micros)),
        value: Set(sample.point.value.to_text()),
    });
    let insert = metric_point::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
    txn.execute(insert.build(txn.backend())).await.map(drop)
}

fn decode_series(columns: &mut Columns<'_>) -> Result<MetricSeries> {
    columns.skip(1);
    Ok(MetricSeries {
        id: SeriesId(columns.take()?),
        service_name: columns.take()?,
        service_instance_id: Some(columns.take::<String>()?).filter(|instance| !instance.is_empty()),
        name: columns.take()?,
        unit: columns.take()?,
        kind: columns.field()?,
        is_monotonic: columns.take()?,
        temporality: columns.field()?,
        scope: columns.take()?,
        attributes: columns.take()?,
    })
}

fn decode_point(columns: &mut Columns<'_>) -> Result<MetricPoint> {
    Ok(MetricPoint { at: columns.field()?, start_at: columns.field()?, value: columns.parsed(PointValue::parse)? })
}

fn key_at<K>(keys: &[K], place: i64) -> Result<&K> {
    let key = usize::try_from(place).ok().and_then(|place| keys.get(place));
    key.ok_or_else(|| Error::internal("a row for a key that was not asked for"))
}

/// Windows of series as a table `k(place, lo, hi, series_id)`.
fn windows(keys: &[SeriesWindow]) -> KeyTable {
    KeyTable::placed(keys.len())
        .numbers("lo", keys.iter().map(|key| key.from.as_micros()))
        .numbers("hi", keys.iter().map(|key| key.to.as_micros()))
        .ids("series_id", keys.iter().map(|key| key.series.0))
}
