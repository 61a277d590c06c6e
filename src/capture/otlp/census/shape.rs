//! OTLP's messages: which field of one holds which other, in protobuf and in JSON, and what each takes.

use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::logs::v1 as logs;
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::trace::v1 as trace;

/// A message, by its name in the protocol, which says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Traces,
    Metrics,
    Logs,
    ResourceSpans,
    ResourceMetrics,
    ResourceLogs,
    ScopeSpans,
    ScopeMetrics,
    ScopeLogs,
    Resource,
    EntityRef,
    Scope,
    Span,
    Event,
    Link,
    Status,
    LogRecord,
    Metric,
    NumberPoints,
    HistogramPoints,
    ExponentialPoints,
    SummaryPoints,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    SummaryPoint,
    Buckets,
    Quantile,
    Exemplar,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    // Something in JSON whose name says nothing: taken for the largest.
    Unknown,
}

/// What a message counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Item,
    Part,
    Value,
    Group,
    /// Lies within its parent.
    Inline,
}

/// What stands in a field.
pub(super) enum Field {
    Message(Shape),
    /// A list of texts.
    Texts,
    /// A list of numbers, each of one byte to ten.
    Numbers,
    /// A list of numbers of eight bytes each.
    Fixed,
    /// Nothing that multiplies.
    Other,
}

impl Shape {
    pub(super) fn class(self) -> Class {
        match self {
            Self::Span
            | Self::LogRecord
            | Self::Metric
            | Self::NumberPoint
            | Self::HistogramPoint
            | Self::ExponentialPoint
            | Self::SummaryPoint
            | Self::Unknown => Class::Item,
            Self::Event | Self::Link | Self::Exemplar | Self::Quantile => Class::Part,
            Self::KeyValue | Self::AnyValue | Self::EntityRef => Class::Value,
            Self::ResourceSpans
            | Self::ResourceMetrics
            | Self::ResourceLogs
            | Self::ScopeSpans
            | Self::ScopeMetrics
            | Self::ScopeLogs => Class::Group,
            _ => Class::Inline,
        }
    }

    /// Bytes of the structure, without what it points to.
    pub(super) fn bytes(self) -> u64 {
        let bytes = match self {
            Self::ResourceSpans => size_of::<trace::ResourceSpans>(),
            Self::ResourceMetrics => size_of::<metrics::ResourceMetrics>(),
            Self::ResourceLogs => size_of::<logs::ResourceLogs>(),
            Self::ScopeSpans => size_of::<trace::ScopeSpans>(),
            Self::ScopeMetrics => size_of::<metrics::ScopeMetrics>(),
            Self::ScopeLogs => size_of::<logs::ScopeLogs>(),
            Self::Span | Self::Unknown => size_of::<trace::Span>(),
            Self::Event => size_of::<trace::span::Event>(),
            Self::Link => size_of::<trace::span::Link>(),
            Self::LogRecord => size_of::<logs::LogRecord>(),
            Self::Metric => size_of::<metrics::Metric>(),
            Self::NumberPoint => size_of::<metrics::NumberDataPoint>(),
            Self::HistogramPoint => size_of::<metrics::HistogramDataPoint>(),
            Self::ExponentialPoint => size_of::<metrics::ExponentialHistogramDataPoint>(),
            Self::SummaryPoint => size_of::<metrics::SummaryDataPoint>(),
            Self::Quantile => size_of::<metrics::summary_data_point::ValueAtQuantile>(),
            Self::Exemplar => size_of::<metrics::Exemplar>(),
            Self::EntityRef => size_of::<common::EntityRef>(),
            Self::KeyValue => size_of::<common::KeyValue>(),
            Self::AnyValue => size_of::<common::AnyValue>(),
            _ => 0,
        };
        bytes as u64
    }

    /// A field by its number.
    pub(super) fn field(self, number: u32) -> Field {
        match (self, number) {
            (Self::EntityRef, 3 | 4) => Field::Texts,
            (Self::HistogramPoint, 6 | 7) => Field::Fixed,
            (Self::Buckets, 2) => Field::Numbers,
            _ => self.child(number).map_or(Field::Other, Field::Message),
        }
    }

    fn child(self, number: u32) -> Option<Self> {
        let children: &[(u32, &str, Self)] = self.children();
        children.iter().find(|(it, _, _)| *it == number).map(|(_, _, child)| *child)
    }

    /// A member of its JSON by its name, as it is written there.
    pub(super) fn member(self, name: &[u8]) -> Self {
        let children = self.children();
        children.iter().find(|(_, it, _)| it.as_bytes() == name).map_or(Self::Unknown, |(_, _, child)| *child)
    }

    /// Fields that hold messages: number, name in JSON, and which.
    fn children(self) -> &'static [(u32, &'static str, Self)] {
        match self {
            Self::Traces => &[(1, "resourceSpans", Self::ResourceSpans)],
            Self::Metrics => &[(1, "resourceMetrics", Self::ResourceMetrics)],
            Self::Logs => &[(1, "resourceLogs", Self::ResourceLogs)],
            Self::ResourceSpans => &[(1, "resource", Self::Resource), (2, "scopeSpans", Self::ScopeSpans)],
            Self::ResourceMetrics => &[(1, "resource", Self::Resource), (2, "scopeMetrics", Self::ScopeMetrics)],
            Self::ResourceLogs => &[(1, "resource", Self::Resource), (2, "scopeLogs", Self::ScopeLogs)],
            Self::ScopeSpans => &[(1, "scope", Self::Scope), (2, "spans", Self::Span)],
            Self::ScopeMetrics => &[(1, "scope", Self::Scope), (2, "metrics", Self::Metric)],
            Self::ScopeLogs => &[(1, "scope", Self::Scope), (2, "logRecords", Self::LogRecord)],
            Self::Resource => &[(1, "attributes", Self::KeyValue), (3, "entityRefs", Self::EntityRef)],
            Self::Scope => &[(3, "attributes", Self::KeyValue)],
            Self::Span => &[
                (9, "attributes", Self::KeyValue),
                (11, "events", Self::Event),
                (13, "links", Self::Link),
                (15, "status", Self::Status),
            ],
            Self::Event => &[(3, "attributes", Self::KeyValue)],
            Self::Link => &[(4, "attributes", Self::KeyValue)],
            Self::LogRecord => &[(5, "body", Self::AnyValue), (6, "attributes", Self::KeyValue)],
            Self::Metric => &[
                (5, "gauge", Self::NumberPoints),
                (7, "sum", Self::NumberPoints),
                (9, "histogram", Self::HistogramPoints),
                (10, "exponentialHistogram", Self::ExponentialPoints),
                (11, "summary", Self::SummaryPoints),
                (12, "metadata", Self::KeyValue),
            ],
            Self::NumberPoints => &[(1, "dataPoints", Self::NumberPoint)],
            Self::HistogramPoints => &[(1, "dataPoints", Self::HistogramPoint)],
            Self::ExponentialPoints => &[(1, "dataPoints", Self::ExponentialPoint)],
            Self::SummaryPoints => &[(1, "dataPoints", Self::SummaryPoint)],
            Self::NumberPoint => &[(5, "exemplars", Self::Exemplar), (7, "attributes", Self::KeyValue)],
            Self::HistogramPoint => &[(8, "exemplars", Self::Exemplar), (9, "attributes", Self::KeyValue)],
            Self::ExponentialPoint => &[
                (1, "attributes", Self::KeyValue),
                (8, "positive", Self::Buckets),
                (9, "negative", Self::Buckets),
                (11, "exemplars", Self::Exemplar),
            ],
            Self::SummaryPoint => &[(6, "quantileValues", Self::Quantile), (7, "attributes", Self::KeyValue)],
            Self::Exemplar => &[(7, "filteredAttributes", Self::KeyValue)],
            Self::KeyValue => &[(2, "value", Self::AnyValue)],
            Self::AnyValue => &[(5, "arrayValue", Self::ArrayValue), (6, "kvlistValue", Self::KeyValueList)],
            Self::ArrayValue => &[(1, "values", Self::AnyValue)],
            Self::KeyValueList => &[(1, "values", Self::KeyValue)],
            Self::EntityRef | Self::Status | Self::Buckets | Self::Quantile | Self::Unknown => &[],
        }
    }
}
