//! OTLP/JSON of metrics. Of the kinds of data that are not recorded only the number of points is read.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Double, Flags, KeyValue, Resource, Scope, Signed, Temporality, Unsigned, all, nullable, object};

pub(in crate::capture::otlp) fn decode(bytes: &[u8]) -> serde_json::Result<ExportMetricsServiceRequest> {
    let request: Request<'_> = object(bytes)?;
    Ok(ExportMetricsServiceRequest { resource_metrics: all(request.resource_metrics) })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Request<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    resource_metrics: Vec<ResourceMetrics<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ResourceMetrics<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    scope_metrics: Vec<ScopeMetrics<'a>>,
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScopeMetrics<'a> {
    #[serde(borrow)]
    scope: Option<Scope<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    metrics: Vec<Metric<'a>>,
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metric<'a> {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(deserialize_with = "nullable")]
    description: String,
    #[serde(deserialize_with = "nullable")]
    unit: String,
    #[serde(borrow)]
    gauge: Option<Numbers<'a>>,
    #[serde(borrow)]
    sum: Option<Numbers<'a>>,
    #[serde(borrow)]
    histogram: Option<Histogram<'a>>,
    exponential_histogram: Option<Others>,
    summary: Option<Others>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Numbers<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    data_points: Vec<NumberPoint<'a>>,
    aggregation_temporality: Temporality,
    #[serde(deserialize_with = "nullable")]
    is_monotonic: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct NumberPoint<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    start_time_unix_nano: Unsigned,
    time_unix_nano: Unsigned,
    as_double: Option<Double>,
    as_int: Option<Signed>,
    flags: Flags,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Histogram<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    data_points: Vec<HistogramPoint<'a>>,
    aggregation_temporality: Temporality,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct HistogramPoint<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    start_time_unix_nano: Unsigned,
    time_unix_nano: Unsigned,
    count: Unsigned,
    sum: Option<Double>,
    #[serde(deserialize_with = "nullable")]
    bucket_counts: Vec<Unsigned>,
    #[serde(deserialize_with = "nullable")]
    explicit_bounds: Vec<Double>,
    flags: Flags,
    min: Option<Double>,
    max: Option<Double>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Others {
    #[serde(deserialize_with = "nullable")]
    data_points: Vec<IgnoredAny>,
}

impl From<ResourceMetrics<'_>> for metrics::ResourceMetrics {
    fn from(from: ResourceMetrics<'_>) -> Self {
        Self {
            resource: from.resource.map(Into::into),
            scope_metrics: all(from.scope_metrics),
            schema_url: from.schema_url,
        }
    }
}

impl From<ScopeMetrics<'_>> for metrics::ScopeMetrics {
    fn from(from: ScopeMetrics<'_>) -> Self {
        Self { scope: from.scope.map(Into::into), metrics: all(from.metrics), schema_url: from.schema_url }
    }
}

impl From<Metric<'_>> for metrics::Metric {
    fn from(from: Metric<'_>) -> Self {
        let gauge = |numbers: Numbers<'_>| Data::Gauge(metrics::Gauge { data_points: all(numbers.data_points) });
        let sum = |numbers: Numbers<'_>| {
            Data::Sum(metrics::Sum {
                aggregation_temporality: numbers.aggregation_temporality.0,
                is_monotonic: numbers.is_monotonic,
                data_points: all(numbers.data_points),
            })
        };
        let histogram = |histogram: Histogram<'_>| {
            Data::Histogram(metrics::Histogram {
                aggregation_temporality: histogram.aggregation_temporality.0,
                data_points: all(histogram.data_points),
            })
        };
        let exponential = |others: Others| {
            let data_points = others.data_points.iter().map(|_| metrics::ExponentialHistogramDataPoint::default());
            let data_points = data_points.collect();
            Data::ExponentialHistogram(metrics::ExponentialHistogram { data_points, ..Default::default() })
        };
        let summary = |others: Others| {
            let data_points = others.data_points.iter().map(|_| metrics::SummaryDataPoint::default()).collect();
            Data::Summary(metrics::Summary { data_points })
        };
        let data = (from.gauge.map(gauge))
            .or(from.sum.map(sum))
            .or(from.histogram.map(histogram))
            .or(from.exponential_histogram.map(exponential))
            .or(from.summary.map(summary));
        Self { name: from.name, description: from.description, unit: from.unit, data, ..Self::default() }
    }
}

impl From<NumberPoint<'_>> for metrics::NumberDataPoint {
    fn from(from: NumberPoint<'_>) -> Self {
        let whole = from.as_int.map(|number| Value::AsInt(number.0));
        Self {
            attributes: all(from.attributes),
            start_time_unix_nano: from.start_time_unix_nano.0,
            time_unix_nano: from.time_unix_nano.0,
            value: whole.or(from.as_double.map(|number| Value::AsDouble(number.0))),
            flags: from.flags.0,
            ..Self::default()
        }
    }
}

impl From<HistogramPoint<'_>> for metrics::HistogramDataPoint {
    fn from(from: HistogramPoint<'_>) -> Self {
        Self {
            attributes: all(from.attributes),
            start_time_unix_nano: from.start_time_unix_nano.0,
            time_unix_nano: from.time_unix_nano.0,
            count: from.count.0,
            sum: from.sum.map(|sum| sum.0),
            bucket_counts: from.bucket_counts.into_iter().map(|count| count.0).collect(),
            explicit_bounds: from.explicit_bounds.into_iter().map(|bound| bound.0).collect(),
            flags: from.flags.0,
            min: from.min.map(|min| min.0),
            max: from.max.map(|max| max.0),
            ..Self::default()
        }
    }
}
