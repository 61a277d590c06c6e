//! OTLP/JSON. Own structures, since the ones that come with the protobuf types refuse much that OTLP allows: nulls, unknown
//! fields beside a value, enum names.

pub(super) mod logs;
pub(super) mod metrics;

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::resource::v1 as resource;
use opentelemetry_proto::tonic::trace::v1 as trace;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::real::Real;

/// Reads a message; a derived reader would take a list of fields for an object.
fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(serde_json::Error::custom("expected an object"));
    }
    serde_json::from_slice(bytes)
}

pub(super) fn decode(bytes: &[u8]) -> serde_json::Result<ExportTraceServiceRequest> {
    let request: Request<'_> = object(bytes)?;
    Ok(ExportTraceServiceRequest { resource_spans: request.resource_spans.into_iter().map(Into::into).collect() })
}

/// Null is the same as absent.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The text of a scalar: of a string its contents, of a number its digits.
pub(super) fn scalar<'a, E: serde::de::Error>(raw: &'a RawValue) -> Result<Cow<'a, str>, E> {
    match raw.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw.get()).map(Cow::Owned).map_err(E::custom),
        Some(b'0'..=b'9' | b'-') => Ok(Cow::Borrowed(raw.get())),
        _ => Err(E::custom("expected a number or a number as text")),
    }
}

/// A whole number, written as a number, also with a fraction of zero or an exponent, or as text.
fn whole<T: FromStr + TryFrom<i128>, E: serde::de::Error>(raw: &RawValue) -> Result<T, E>
where
    T::Err: Display,
{
    let text = scalar::<E>(raw)?;
    let text = text.trim();
    if let Ok(number) = text.parse::<T>() {
        return Ok(number);
    }
    // Written with an exponent or a fraction: exact below 2^53, and nobody writes larger ones so.
    let float = text.parse::<f64>().ok().and_then(crate::capture::genai::value::whole);
    float.and_then(|number| T::try_from(i128::from(number)).ok()).ok_or_else(|| E::custom("expected a whole number"))
}

macro_rules! scalar_type {
    ($name:ident, $inner:ty, $read:expr) => {
        #[derive(Clone, Copy, Default)]
        struct $name($inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <&RawValue>::deserialize(deserializer)?;
                if raw.get() == "null" {
                    return Ok(Self::default());
                }
                let read: fn(&RawValue) -> Result<$inner, D::Error> = $read;
                read(raw).map(Self)
            }
        }
    };
}

scalar_type!(Unsigned, u64, whole);
scalar_type!(Signed, i64, whole);
scalar_type!(Flags, u32, whole);
// A sample is a measurement, not evidence: the nearest number will do.
scalar_type!(Double, f64, |raw| match scalar(raw)?.trim() {
    "NaN" => Ok(f64::NAN),
    "Infinity" => Ok(f64::INFINITY),
    "-Infinity" => Ok(f64::NEG_INFINITY),
    text => text.parse().map_err(D::Error::custom),
});
scalar_type!(Kind, i32, |raw| enumeration(raw, |name| trace::span::SpanKind::from_str_name(name).map(i32::from)));
scalar_type!(Code, i32, |raw| enumeration(raw, |name| trace::status::StatusCode::from_str_name(name).map(i32::from)));
scalar_type!(Severity, i32, |raw| enumeration(raw, |name| SeverityNumber::from_str_name(name).map(i32::from)));
scalar_type!(Temporality, i32, |raw| {
    enumeration(raw, |name| AggregationTemporality::from_str_name(name).map(i32::from))
});

fn enumeration<E: serde::de::Error>(raw: &RawValue, by_name: fn(&str) -> Option<i32>) -> Result<i32, E> {
    let text = scalar::<E>(raw)?;
    match by_name(&text) {
        Some(value) => Ok(value),
        None => text.trim().parse().map_err(E::custom),
    }
}

/// An id in hex. Anything else is empty, which no valid id is.
#[derive(Default)]
struct Id(Vec<u8>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self(hex::decode(text.trim()).unwrap_or_default()))
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Request<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    scope_spans: Vec<ScopeSpans<'a>>,
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Resource<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: Flags,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: Option<Scope<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    spans: Vec<Span<'a>>,
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Scope<'a> {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(deserialize_with = "nullable")]
    version: String,
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: Flags,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Span<'a> {
    #[serde(deserialize_with = "nullable")]
    trace_id: Id,
    #[serde(deserialize_with = "nullable")]
    span_id: Id,
    #[serde(deserialize_with = "nullable")]
    trace_state: String,
    #[serde(deserialize_with = "nullable")]
    parent_span_id: Id,
    flags: Flags,
    #[serde(deserialize_with = "nullable")]
    name: String,
    kind: Kind,
    start_time_unix_nano: Unsigned,
    end_time_unix_nano: Unsigned,
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: Flags,
    #[serde(borrow, deserialize_with = "nullable")]
    events: Vec<Event<'a>>,
    dropped_events_count: Flags,
    #[serde(borrow, deserialize_with = "nullable")]
    links: Vec<Link<'a>>,
    dropped_links_count: Flags,
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Event<'a> {
    time_unix_nano: Unsigned,
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: Flags,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Link<'a> {
    #[serde(deserialize_with = "nullable")]
    trace_id: Id,
    #[serde(deserialize_with = "nullable")]
    span_id: Id,
    #[serde(deserialize_with = "nullable")]
    trace_state: String,
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: Flags,
    flags: Flags,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    message: String,
    code: Code,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct KeyValue<'a> {
    #[serde(deserialize_with = "nullable")]
    key: String,
    #[serde(borrow)]
    value: Option<AnyValue<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct AnyValue<'a> {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Signed>,
    double_value: Option<Real>,
    #[serde(borrow)]
    array_value: Option<ArrayValue<'a>>,
    #[serde(borrow)]
    kvlist_value: Option<KeyValueList<'a>>,
    #[serde(borrow)]
    bytes_value: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ArrayValue<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    values: Vec<AnyValue<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct KeyValueList<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    values: Vec<KeyValue<'a>>,
}

fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

impl From<ResourceSpans<'_>> for trace::ResourceSpans {
    fn from(from: ResourceSpans<'_>) -> Self {
        let resource = from.resource.map(Into::into);
        Self { resource, scope_spans: all(from.scope_spans), schema_url: from.schema_url }
    }
}

impl From<Resource<'_>> for resource::Resource {
    fn from(from: Resource<'_>) -> Self {
        Self {
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
            ..Self::default()
        }
    }
}

impl From<Scope<'_>> for common::InstrumentationScope {
    fn from(from: Scope<'_>) -> Self {
        Self {
            name: from.name,
            version: from.version,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
        }
    }
}

impl From<ScopeSpans<'_>> for trace::ScopeSpans {
    fn from(from: ScopeSpans<'_>) -> Self {
        let scope = from.scope.map(Into::into);
        Self { scope, spans: all(from.spans), schema_url: from.schema_url }
    }
}

impl From<Span<'_>> for trace::Span {
    fn from(from: Span<'_>) -> Self {
        Self {
            trace_id: from.trace_id.0,
            span_id: from.span_id.0,
            trace_state: from.trace_state,
            parent_span_id: from.parent_span_id.0,
            flags: from.flags.0,
            name: from.name,
            kind: from.kind.0,
            start_time_unix_nano: from.start_time_unix_nano.0,
            end_time_unix_nano: from.end_time_unix_nano.0,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
            events: all(from.events),
            dropped_events_count: from.dropped_events_count.0,
            links: all(from.links),
            dropped_links_count: from.dropped_links_count.0,
            status: from.status.map(|status| trace::Status { message: status.message, code: status.code.0 }),
        }
    }
}

impl From<Event<'_>> for trace::span::Event {
    fn from(from: Event<'_>) -> Self {
        Self {
            time_unix_nano: from.time_unix_nano.0,
            name: from.name,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
        }
    }
}

impl From<Link<'_>> for trace::span::Link {
    fn from(from: Link<'_>) -> Self {
        Self {
            trace_id: from.trace_id.0,
            span_id: from.span_id.0,
            trace_state: from.trace_state,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
            flags: from.flags.0,
        }
    }
}

impl From<KeyValue<'_>> for common::KeyValue {
    fn from(from: KeyValue<'_>) -> Self {
        Self { key: from.key, value: from.value.map(Into::into), ..Self::default() }
    }
}

impl From<AnyValue<'_>> for common::AnyValue {
    fn from(from: AnyValue<'_>) -> Self {
        let bytes = |text: Cow<'_, str>| {
            [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD]
                .iter()
                .find_map(|engine| engine.decode(text.as_ref()).ok())
        };
        let value = (from.string_value.map(ProtoValue::StringValue))
            .or(from.bool_value.map(ProtoValue::BoolValue))
            .or(from.int_value.map(|number| ProtoValue::IntValue(number.0)))
            .or(from.double_value.map(|number| match number {
                Real::Exact(number) => ProtoValue::DoubleValue(number),
                Real::Text(digits) => ProtoValue::StringValue(digits),
            }))
            .or(from.array_value.map(|array| ProtoValue::ArrayValue(common::ArrayValue { values: all(array.values) })))
            .or(from
                .kvlist_value
                .map(|list| ProtoValue::KvlistValue(common::KeyValueList { values: all(list.values) })))
            .or(from.bytes_value.map(|text| ProtoValue::BytesValue(bytes(text).unwrap_or_default())));
        Self { value }
    }
}
