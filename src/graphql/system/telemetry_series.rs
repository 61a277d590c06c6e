//! Metrics of a run's service: telemetry, shown beside the evidence and never part of it.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use crate::domain::evidence;
use crate::domain::run::StoredRun;
use crate::domain::telemetry_series::{self, POINTS_DEFAULT, PointValue, SeriesWindow};
use crate::error::Error;
use crate::facade::telemetry_series::Telemetry;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{MetricKind, MetricTemporality};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Json, SafeInt};

/// Whether there is telemetry of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum TelemetryStatus {
    /// Metrics of the run's service within its time are kept.
    Collected,
    /// None are. The reason says why.
    NotCollected,
}

/// The telemetry of a run.
pub struct SystemTelemetry {
    /// The run.
    pub run: StoredRun,
    /// What there is.
    pub telemetry: Telemetry,
}

/// Metrics of the service of a run. They are telemetry, not evidence: samples come by OTLP metrics, stand in no log, and are
/// kept for a few days only.
#[Object]
impl SystemTelemetry {
    /// The run.
    fn run_id(&self) -> ID {
        ID(self.run.run_id.to_string())
    }

    /// Whether there is any telemetry.
    async fn status(&self) -> TelemetryStatus {
        match &self.telemetry {
            Telemetry::NotCollected(_) => TelemetryStatus::NotCollected,
            Telemetry::Collected { .. } => TelemetryStatus::Collected,
        }
    }

    /// Why there is none. Null when there is some.
    fn reason(&self) -> Option<&str> {
        match &self.telemetry {
            Telemetry::NotCollected(reason) => Some(reason),
            Telemetry::Collected { .. } => None,
        }
    }

    /// Names of the metrics that there are, in bytewise order. Empty when there are none.
    fn available_data(&self) -> Vec<String> {
        let mut names: Vec<String> = self.collected().map(|series| series.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The series of the run's service and service instance with samples from 30 seconds before its start to 30 seconds
    /// after its end, by name; at most 100.
    async fn series(&self) -> Vec<MetricSeries> {
        let Telemetry::Collected { key, series, .. } = &self.telemetry else { return Vec::new() };
        let window =
            |series: &telemetry_series::MetricSeries| SeriesWindow { series: series.id, from: key.from, to: key.to };
        series.iter().map(|series| MetricSeries { window: window(series), series: series.clone() }).collect()
    }

    /// Whether there are more series than are shown.
    fn truncated(&self) -> bool {
        matches!(&self.telemetry, Telemetry::Collected { is_truncated: true, .. })
    }

    /// The run that the telemetry is beside. Samples are not evidence, so it has no times, and it is not immutable.
    pub(in crate::graphql) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_system_answer(&self.run.tenant_id, Some(&self.run), &[]))
    }
}

impl SystemTelemetry {
    fn collected(&self) -> impl Iterator<Item = &telemetry_series::MetricSeries> {
        match &self.telemetry {
            Telemetry::NotCollected(_) => [].iter(),
            Telemetry::Collected { series, .. } => series.iter(),
        }
    }
}

columns!(SystemTelemetry {
    "runId" => run_id, "reason" => reason, "availableData" => available_data, "truncated" => truncated,
    "metadata" => metadata,
});

/// A series within some time.
pub struct MetricSeries {
    window: SeriesWindow,
    series: telemetry_series::MetricSeries,
}

/// One metric of one service with one set of attributes.
#[Object]
impl MetricSeries {
    /// The name of the metric, for example "gen_ai.client.token.usage".
    async fn name(&self) -> &str {
        &self.series.name
    }

    /// Its unit in UCUM notation, for example "s". Empty when it has none.
    async fn unit(&self) -> &str {
        &self.series.unit
    }

    /// What it measures.
    async fn kind(&self) -> MetricKind {
        self.series.kind.into()
    }

    /// Whether a sum never falls. False for all others.
    async fn is_monotonic(&self) -> bool {
        self.series.is_monotonic
    }

    /// What the values count from. Null for a gauge.
    async fn temporality(&self) -> Option<MetricTemporality> {
        self.series.temporality.map(Into::into)
    }

    /// The instrumentation that measured. Empty when it has no name.
    async fn scope(&self) -> &str {
        &self.series.scope
    }

    /// The attributes that all points of the series share, redacted.
    async fn attributes(&self) -> ApiResult<Json> {
        Ok(Json::parse_text(&self.series.attributes)?)
    }

    /// How many points there are within the time of the run.
    async fn total_points(&self, ctx: &Context<'_>) -> ApiResult<SafeInt> {
        Ok(SafeInt(ctx.facade()?.count_metric_points(&self.window).await?))
    }

    /// The first points within the time of the run, oldest first.
    async fn points(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many points to take, 0 to 500. 20 when it is not given.")] first: Option<i32>,
    ) -> ApiResult<Vec<MetricPoint>> {
        let first = first.map_or(Ok(POINTS_DEFAULT), u32::try_from);
        let first = first.map_err(|_| Error::input("first", "first is a number of points, from 0"))?;
        let points = ctx.facade()?.metric_points(&self.window, first).await?;
        Ok(points.into_iter().map(Into::into).collect())
    }
}

/// One sample of a series.
#[derive(SimpleObject)]
pub struct MetricPoint {
    /// When it was taken.
    timestamp: DateTime,
    /// Since when it counts. Null when the sample does not say.
    started_at: Option<DateTime>,
    /// The value of a gauge or a sum. Null for a histogram.
    value: Option<f64>,
    /// The distribution. Null for a gauge or a sum.
    histogram: Option<MetricHistogram>,
}

/// A distribution: how many values fell between which bounds.
#[derive(SimpleObject)]
pub struct MetricHistogram {
    /// How many values there were.
    count: SafeInt,
    /// Their sum. Null when the sample does not say.
    sum: Option<f64>,
    /// The smallest value. Null when the sample does not say.
    min: Option<f64>,
    /// The largest value. Null when the sample does not say.
    max: Option<f64>,
    /// The upper bounds of all buckets but the last, which has none.
    bounds: Vec<f64>,
    /// How many values fell into each bucket.
    bucket_counts: Vec<SafeInt>,
}

impl From<telemetry_series::MetricPoint> for MetricPoint {
    fn from(point: telemetry_series::MetricPoint) -> Self {
        let number = |number: &telemetry_series::Number| number.as_f64();
        let (value, histogram) = match &point.value {
            PointValue::Number(value) => (number(value), None),
            PointValue::Histogram(value) => {
                let histogram = MetricHistogram {
                    count: SafeInt(value.count),
                    sum: value.sum.as_ref().and_then(number),
                    min: value.min.as_ref().and_then(number),
                    max: value.max.as_ref().and_then(number),
                    bounds: value.bounds.iter().filter_map(number).collect(),
                    bucket_counts: value.buckets.iter().map(|count| SafeInt(*count)).collect(),
                };
                (None, Some(histogram))
            }
        };
        Self { timestamp: DateTime(point.at), started_at: point.start_at.map(DateTime), value, histogram }
    }
}
