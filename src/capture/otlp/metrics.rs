//! OTLP metrics to samples of series: gauges, sums and histograms. Other kinds are rejected, each point by name.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, DataPointFlags, HistogramDataPoint, Metric, NumberDataPoint,
};
use uuid::Uuid;

use super::payload::{BUDGETS, write_kept};
use super::redactions::Redactions;
use super::span::{ResourceContext, ScopeContext};
use crate::capture::digest::sha256;
use crate::capture::genai::content::treatment;
use crate::capture::text::label;
use crate::domain::telemetry_series::{
    HistogramValue, MetricKind, MetricPoint, MetricSample, MetricSeries, Number, PointValue, SeriesId, Temporality,
};
use crate::domain::time::Timestamp;

/// Most points of a request; those beyond it are rejected.
pub const POINTS_MAX: usize = 20_000;
/// Most attributes of a series.
pub const SERIES_ATTRIBUTES_MAX: usize = 32;
/// Most bytes of a series' attributes as they are kept.
pub const SERIES_ATTRIBUTES_BYTES_MAX: usize = 4_096;
/// Most buckets of a histogram.
pub const BUCKETS_MAX: usize = 256;

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsDraft {
    /// The samples.
    pub samples: Vec<MetricSample>,
    /// Points that say that there was nothing to record.
    pub empty: i64,
    /// Points that cannot be recorded, with the reason and how many share it.
    pub rejected: HashMap<String, i64>,
}

/// Where the time of a point must lie.
#[derive(Clone, Copy, Debug)]
pub struct PointTimes {
    /// Points from before are older than what is kept.
    pub from: Timestamp,
    /// Points from after lie too far in the future.
    pub to: Timestamp,
}

/// Turns metrics into samples: named, redacted, capped.
#[must_use]
pub fn map_metrics(request: &ExportMetricsServiceRequest, times: PointTimes) -> MetricsDraft {
    let mut mapper = Mapper { draft: MetricsDraft::default(), times };
    for resource_metrics in &request.resource_metrics {
        let resource = ResourceContext::read(resource_metrics.resource.as_ref(), &resource_metrics.schema_url);
        for scope_metrics in &resource_metrics.scope_metrics {
            let scope = ScopeContext::read(scope_metrics.scope.as_ref(), &scope_metrics.schema_url);
            for metric in &scope_metrics.metrics {
                mapper.metric(&resource, &scope, metric);
            }
        }
    }
    mapper.draft
}

struct Mapper {
    draft: MetricsDraft,
    times: PointTimes,
}

/// What all points of a metric share.
struct Frame<'a> {
    service_name: &'a str,
    service_instance_id: Option<&'a str>,
    name: String,
    unit: String,
    kind: MetricKind,
    is_monotonic: bool,
    temporality: Option<Temporality>,
    scope: &'a str,
}

impl Mapper {
    fn metric(&mut self, resource: &ResourceContext, scope: &ScopeContext, metric: &Metric) {
        let (kind, temporality, is_monotonic, points) = match &metric.data {
            Some(Data::Gauge(gauge)) => (MetricKind::Gauge, None, false, gauge.data_points.len()),
            Some(Data::Sum(sum)) => {
                (MetricKind::Sum, Some(sum.aggregation_temporality), sum.is_monotonic, sum.data_points.len())
            }
            Some(Data::Histogram(histogram)) => {
                let temporality = Some(histogram.aggregation_temporality);
                (MetricKind::Histogram, temporality, false, histogram.data_points.len())
            }
            Some(Data::ExponentialHistogram(other)) => return self.reject(OTHER_KIND, other.data_points.len()),
            Some(Data::Summary(other)) => return self.reject(OTHER_KIND, other.data_points.len()),
            None => return,
        };
        let Some(service_name) = resource.service_name.as_deref() else { return self.reject(NO_SERVICE, points) };
        let Some(name) = label(&metric.name) else { return self.reject("the metric has no name", points) };
        let temporality = match temporality.map(AggregationTemporality::try_from) {
            None => None,
            Some(Ok(AggregationTemporality::Delta)) => Some(Temporality::Delta),
            Some(Ok(AggregationTemporality::Cumulative)) => Some(Temporality::Cumulative),
            Some(_) => return self.reject("aggregation_temporality is neither delta nor cumulative", points),
        };
        let frame = Frame {
            service_name,
            service_instance_id: resource.service_instance_id.as_deref(),
            name,
            unit: label(&metric.unit).unwrap_or_default(),
            kind,
            is_monotonic,
            temporality,
            scope: &scope.name,
        };
        match &metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.iter().for_each(|point| self.number(&frame, point)),
            Some(Data::Sum(sum)) => sum.data_points.iter().for_each(|point| self.number(&frame, point)),
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.iter().for_each(|point| self.histogram(&frame, point));
            }
            _ => {}
        }
    }

    fn number(&mut self, frame: &Frame<'_>, point: &NumberDataPoint) {
        let number = match point.value {
            Some(Value::AsInt(number)) => Some(Number::whole(number)),
            Some(Value::AsDouble(number)) => Number::finite(number),
            None => None,
        };
        let value = number.map(PointValue::Number).ok_or("the point has no finite number");
        self.point(frame, point.flags, &point.attributes, point.start_time_unix_nano, point.time_unix_nano, value);
    }

    fn histogram(&mut self, frame: &Frame<'_>, point: &HistogramDataPoint) {
        let value = histogram(point).map(PointValue::Histogram);
        self.point(frame, point.flags, &point.attributes, point.start_time_unix_nano, point.time_unix_nano, value);
    }

    fn point(
        &mut self,
        frame: &Frame<'_>,
        flags: u32,
        attributes: &[KeyValue],
        start_nanos: u64,
        nanos: u64,
        value: Result<PointValue, &'static str>,
    ) {
        if flags & DataPointFlags::NoRecordedValueMask as u32 != 0 {
            self.draft.empty += 1;
            return;
        }
        if self.draft.samples.len() >= POINTS_MAX {
            return self.reject("a request holds at most 20000 points; send fewer in one request", 1);
        }
        let sample = value.and_then(|value| {
            let at = Timestamp::from_unix_nanos(nanos).ok_or(NO_TIME)?;
            if !(self.times.from..self.times.to).contains(&at) {
                return Err(NO_TIME);
            }
            let start_at = Timestamp::from_unix_nanos(start_nanos).filter(|start| start_nanos != 0 && *start <= at);
            Ok(MetricSample { series: series(frame, attributes)?, point: MetricPoint { at, start_at, value } })
        });
        match sample {
            Ok(sample) => self.draft.samples.push(sample),
            Err(reason) => self.reject(reason, 1),
        }
    }

    fn reject(&mut self, reason: &str, points: usize) {
        *self.draft.rejected.entry(reason.to_owned()).or_default() += i64::try_from(points).unwrap_or(i64::MAX);
    }
}

const OTHER_KIND: &str = "only gauges, sums and histograms with explicit bounds are recorded; choose that aggregation";
const NO_SERVICE: &str = "the resource has no service.name, so its points would belong to no run";
const NO_TIME: &str = "time_unix_nano is missing, lies in the future, or is older than what is kept";

fn histogram(point: &HistogramDataPoint) -> Result<HistogramValue, &'static str> {
    const NO_COUNT: &str = "a count of the histogram is beyond 2^63-1";
    const NO_BOUND: &str = "a bound of the histogram is not finite";
    if point.bucket_counts.len() > BUCKETS_MAX {
        return Err("a histogram has at most 256 buckets");
    }
    let (counts, bounds) = (point.bucket_counts.len(), point.explicit_bounds.len());
    if counts != bounds + 1 && (counts, bounds) != (0, 0) {
        return Err("a histogram has one bucket more than it has bounds");
    }
    let counts = point.bucket_counts.iter().map(|count| i64::try_from(*count).map_err(|_| NO_COUNT));
    Ok(HistogramValue {
        count: i64::try_from(point.count).map_err(|_| NO_COUNT)?,
        sum: point.sum.and_then(Number::finite),
        min: point.min.and_then(Number::finite),
        max: point.max.and_then(Number::finite),
        bounds: point
            .explicit_bounds
            .iter()
            .map(|bound| Number::finite(*bound).ok_or(NO_BOUND))
            .collect::<Result<_, _>>()?,
        buckets: counts.collect::<Result<_, _>>()?,
    })
}

fn series(frame: &Frame<'_>, attributes: &[KeyValue]) -> Result<MetricSeries, &'static str> {
    if attributes.len() > SERIES_ATTRIBUTES_MAX {
        return Err("a series has at most 32 attributes");
    }
    let mut text = String::new();
    write_kept(&mut text, attributes, BUDGETS[0], &Redactions::default(), |_, attribute, value| {
        treatment(&attribute.key, value)
    });
    if text.len() > SERIES_ATTRIBUTES_BYTES_MAX {
        return Err("the attributes of a series have at most 4096 bytes");
    }
    let mut series = MetricSeries {
        id: SeriesId(Uuid::nil()),
        service_name: frame.service_name.to_owned(),
        service_instance_id: frame.service_instance_id.map(str::to_owned),
        name: frame.name.clone(),
        unit: frame.unit.clone(),
        kind: frame.kind,
        is_monotonic: frame.is_monotonic,
        temporality: frame.temporality,
        scope: frame.scope.to_owned(),
        attributes: text,
    };
    series.id = series_id(&series);
    Ok(series)
}

/// The first half of SHA-256 over everything that a series is; U+0000 separates, which no part holds.
fn series_id(series: &MetricSeries) -> SeriesId {
    let parts = [
        series.service_name.as_str(),
        series.service_instance_id.as_deref().unwrap_or_default(),
        &series.name,
        &series.unit,
        series.kind.as_str(),
        series.temporality.map_or("", Temporality::as_str),
        if series.is_monotonic { "monotonic" } else { "" },
        &series.scope,
        &series.attributes,
    ];
    let mut half = [0; 16];
    half.copy_from_slice(&sha256(parts.join("\0").as_bytes()).0[..16]);
    SeriesId(uuid::Builder::from_custom_bytes(half).into_uuid())
}

#[cfg(test)]
mod tests;
