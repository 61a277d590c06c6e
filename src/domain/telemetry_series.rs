//! Metrics of services: what OTLP metrics left behind. Operational, never evidence: many samples, kept for a while, in no
//! log. They are shown beside the runs of the same service.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::run::LlmRun;
use super::time::{MICROS_PER_SECOND, Timestamp};
use super::vocabulary::vocabulary;

/// How long before a run's start and after its end its telemetry reaches, in microseconds.
pub const AROUND_RUN_US: i64 = 30 * MICROS_PER_SECOND;
/// Most series of a run that are shown.
pub const RUN_SERIES_MAX: usize = 100;
/// Points of a series that are shown when the caller does not say.
pub const POINTS_DEFAULT: u32 = 20;
/// Most points of a series that are shown.
pub const POINTS_MAX: u32 = 500;

vocabulary!(
    /// What a metric measures.
    MetricKind {
        /// A value at an instant.
        Gauge = "GAUGE",
        /// A sum over time.
        Sum = "SUM",
        /// A distribution.
        Histogram = "HISTOGRAM",
    }
);

vocabulary!(
    /// What the values of a sum or a histogram count from.
    Temporality as MetricTemporality {
        /// From the point before.
        Delta = "DELTA",
        /// From the start that the point names.
        Cumulative = "CUMULATIVE",
    }
);

/// The id of a series: it follows from what identifies the series, so that every process gives it the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub Uuid);

/// One metric of one service with one set of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSeries {
    /// Its id.
    pub id: SeriesId,
    /// `service.name` of the resource.
    pub service_name: String,
    /// `service.instance.id` of the resource.
    pub service_instance_id: Option<String>,
    /// The metric's name.
    pub name: String,
    /// Its unit in UCUM; empty where it has none.
    pub unit: String,
    /// What it measures.
    pub kind: MetricKind,
    /// Whether a sum never falls.
    pub is_monotonic: bool,
    /// What the values count from; `None` for a gauge.
    pub temporality: Option<Temporality>,
    /// Name of the instrumentation scope; empty where it has none.
    pub scope: String,
    /// Attributes of the points: canonical JSON, redacted.
    pub attributes: String,
}

/// One sample of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// When it was taken.
    pub at: Timestamp,
    /// Since when it counts.
    pub start_at: Option<Timestamp>,
    /// What it says.
    pub value: PointValue,
}

/// What a sample says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PointValue {
    /// Of a gauge or a sum.
    Number(Number),
    /// Of a histogram.
    Histogram(HistogramValue),
}

/// A number as text: both databases and every reader give back the very number that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number(String);

impl Number {
    /// A whole number.
    #[must_use]
    pub fn whole(number: i64) -> Self {
        Self(number.to_string())
    }

    /// A finite number; `None` for NaN and the infinities.
    #[must_use]
    pub fn finite(number: f64) -> Option<Self> {
        number.is_finite().then(|| Self(format!("{number:?}")))
    }

    /// The nearest floating-point number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok()
    }
}

/// A distribution: how many values fell between which bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistogramValue {
    /// Values in all.
    pub count: i64,
    /// Their sum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sum: Option<Number>,
    /// The smallest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<Number>,
    /// The largest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max: Option<Number>,
    /// Upper bounds of all buckets but the last.
    pub bounds: Vec<Number>,
    /// Values in each bucket.
    pub buckets: Vec<i64>,
}

impl PointValue {
    /// The text that is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Texts and numbers: serialising them cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads stored text; `None` when it is not of our making.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// A sample with the series that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSample {
    /// The series.
    pub series: MetricSeries,
    /// The sample.
    pub point: MetricPoint,
}

/// Which series are a run's: those of the same resource with samples within its time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunTelemetry {
    /// `service.name`.
    pub service_name: String,
    /// `service.instance.id`.
    pub service_instance_id: Option<String>,
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub to: Timestamp,
}

impl RunTelemetry {
    /// Of a run; `None` where it names no service.
    #[must_use]
    pub fn of(run: &LlmRun) -> Option<Self> {
        Some(Self {
            service_name: run.service_name.clone()?,
            service_instance_id: run.service_instance_id.clone(),
            from: run.started_at.plus_micros(-AROUND_RUN_US),
            to: run.completed_at.unwrap_or(run.started_at).plus_micros(AROUND_RUN_US),
        })
    }
}

/// Samples of one series within some time, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeriesWindow {
    /// The series.
    pub series: SeriesId,
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub to: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_exactly() {
        let number = |number| PointValue::Number(Number::finite(number).expect("finite"));
        for value in [number(0.1), number(1e300), number(-0.0), PointValue::Number(Number::whole(i64::MAX))] {
            assert_eq!(PointValue::parse(&value.to_text()), Some(value));
        }
        assert_eq!(Number::finite(0.1).and_then(|number| number.as_f64()), Some(0.1));
        let histogram = PointValue::Histogram(HistogramValue {
            count: 3,
            sum: Number::finite(0.3),
            min: None,
            max: None,
            bounds: vec![Number::whole(1)],
            buckets: vec![2, 1],
        });
        assert_eq!(PointValue::parse(&histogram.to_text()), Some(histogram));
        assert_eq!(Number::finite(f64::NAN), None);
        assert_eq!(PointValue::parse("{}"), None);
    }
}
