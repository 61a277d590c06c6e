//! Metrics of services beside runs, and how long they are kept.

use super::loaders::{PointCountOf, PointsOf, SeriesOf};
use super::{Logs, LogsFacade};
use crate::domain::run::StoredRun;
use crate::domain::scope::Permission;
use crate::domain::telemetry_series::{
    MetricPoint, MetricSeries, POINTS_MAX, RUN_SERIES_MAX, RunTelemetry, SeriesWindow,
};
use crate::error::{Error, Result};

/// The telemetry of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telemetry {
    /// There is none, for this reason.
    NotCollected(String),
    /// There is some.
    Collected {
        /// The time that it is of.
        key: RunTelemetry,
        /// Its series, by name.
        series: Vec<MetricSeries>,
        /// Whether there are more series.
        is_truncated: bool,
    },
}

impl LogsFacade {
    /// The series of a run's own service within its time; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `system:read`, as for every read below.
    pub async fn run_telemetry(&self, run: &StoredRun) -> Result<Telemetry> {
        self.require(Permission::SystemRead)?;
        let Some(key) = RunTelemetry::of(run) else {
            let reason = "the run names no service (service.name), so no metrics can be told to be its own";
            return Ok(Telemetry::NotCollected(reason.to_owned()));
        };
        let mut series = self.loaders.loader.load_one(SeriesOf(key.clone())).await?.unwrap_or_default();
        if series.is_empty() {
            let instance = key.service_instance_id.as_ref().map_or_else(
                || "without a service.instance.id".to_owned(),
                |instance| format!("with the service.instance.id {instance}"),
            );
            let reason = format!(
                "no OTLP metrics of the service {} {instance} are kept from {} to {}",
                key.service_name, key.from, key.to
            );
            return Ok(Telemetry::NotCollected(reason));
        }
        let is_truncated = series.len() > RUN_SERIES_MAX;
        series.truncate(RUN_SERIES_MAX);
        Ok(Telemetry::Collected { key, series, is_truncated })
    }

    /// The first samples of a series within some time; batched.
    ///
    /// # Errors
    /// As above; `LIMIT_EXCEEDED` beyond 500.
    pub async fn metric_points(&self, series: &SeriesWindow, first: u32) -> Result<Vec<MetricPoint>> {
        self.require(Permission::SystemRead)?;
        if first > POINTS_MAX {
            let message = format!("first is at most {POINTS_MAX} points");
            return Err(Error::limit(message, POINTS_MAX.into(), Some(first.into())));
        }
        Ok(self.loaders.loader.load_one(PointsOf(series.clone(), first)).await?.unwrap_or_default())
    }

    /// How many samples a series has within some time; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn count_metric_points(&self, series: &SeriesWindow) -> Result<i64> {
        self.require(Permission::SystemRead)?;
        Ok(self.loaders.loader.load_one(PointCountOf(series.clone())).await?.unwrap_or_default())
    }
}

impl Logs {
    /// Drops samples, series and waiting digests that are older than they are kept; how many rows.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn clean_telemetry(&self) -> Result<u64> {
        let before = self.0.clock.now().plus_micros(-self.0.config.telemetry_retention_us);
        self.0.store.drop_old_telemetry(before).await
    }
}
