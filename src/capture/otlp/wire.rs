//! The digest of a span as it was sent. It covers every field of span, scope and resource, in an encoding of its own, so that
//! protobuf, JSON and gRPC give the same: a re-export with another digest differs.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::capture::digest::sha256;
use crate::domain::ids::Digest;

/// Collects length-prefixed fields.
#[derive(Default)]
pub(super) struct Wire(Vec<u8>);

impl Wire {
    /// The digest of a resource, with its schema.
    pub(super) fn resource(resource: Option<&Resource>, schema_url: &str) -> Digest {
        let mut wire = Self::default();
        wire.attributes(resource.map_or(&[][..], |resource| &resource.attributes));
        wire.number(resource.map_or(0, |resource| resource.dropped_attributes_count.into()));
        wire.bytes(schema_url.as_bytes());
        sha256(&wire.0)
    }

    /// The digest of an instrumentation scope, with its schema.
    pub(super) fn scope(scope: Option<&InstrumentationScope>, schema_url: &str) -> Digest {
        let mut wire = Self::default();
        let empty = InstrumentationScope::default();
        let scope = scope.unwrap_or(&empty);
        wire.bytes(scope.name.as_bytes());
        wire.bytes(scope.version.as_bytes());
        wire.attributes(&scope.attributes);
        wire.number(scope.dropped_attributes_count.into());
        wire.bytes(schema_url.as_bytes());
        sha256(&wire.0)
    }

    /// The digest of a span under a resource and a scope. The buffer is used again.
    pub(super) fn span(&mut self, resource: Digest, scope: Digest, span: &Span) -> Digest {
        self.0.clear();
        self.0.extend_from_slice(&resource.0);
        self.0.extend_from_slice(&scope.0);
        for bytes in [&span.trace_id, &span.span_id, &span.parent_span_id] {
            self.bytes(bytes);
        }
        self.bytes(span.trace_state.as_bytes());
        self.bytes(span.name.as_bytes());
        self.number(span.flags.into());
        self.number(u64::from(span.kind.unsigned_abs()));
        self.number(span.start_time_unix_nano);
        self.number(span.end_time_unix_nano);
        self.attributes(&span.attributes);
        self.number(span.dropped_attributes_count.into());
        self.length(span.events.len());
        for event in &span.events {
            self.number(event.time_unix_nano);
            self.bytes(event.name.as_bytes());
            self.attributes(&event.attributes);
            self.number(event.dropped_attributes_count.into());
        }
        self.number(span.dropped_events_count.into());
        self.length(span.links.len());
        for link in &span.links {
            self.bytes(&link.trace_id);
            self.bytes(&link.span_id);
            self.bytes(link.trace_state.as_bytes());
            self.attributes(&link.attributes);
            self.number(link.dropped_attributes_count.into());
            self.number(link.flags.into());
        }
        self.number(span.dropped_links_count.into());
        // A status that is absent and one that says nothing are the same: not every encoder writes the latter.
        let (code, message) = span.status.as_ref().map_or((0, ""), |status| (status.code, status.message.as_str()));
        self.number(u64::from(code.unsigned_abs()));
        self.bytes(message.as_bytes());
        sha256(&self.0)
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn attributes(&mut self, attributes: &[KeyValue]) {
        self.length(attributes.len());
        for attribute in attributes {
            self.bytes(attribute.key.as_bytes());
            self.value(attribute.value.as_ref());
        }
    }

    fn value(&mut self, value: Option<&AnyValue>) {
        match value.and_then(|value| value.value.as_ref()) {
            None | Some(Value::StringValueStrindex(_)) => self.0.push(0),
            Some(Value::StringValue(text)) => {
                self.0.push(1);
                self.bytes(text.as_bytes());
            }
            Some(Value::BoolValue(flag)) => self.0.extend_from_slice(&[2, u8::from(*flag)]),
            Some(Value::IntValue(number)) => {
                self.0.push(3);
                self.0.extend_from_slice(&number.to_be_bytes());
            }
            Some(Value::DoubleValue(number)) => {
                self.0.push(4);
                // JSON has one NaN only.
                let number = if number.is_nan() { f64::NAN } else { *number };
                self.0.extend_from_slice(&number.to_be_bytes());
            }
            Some(Value::ArrayValue(items)) => {
                self.0.push(5);
                self.length(items.values.len());
                items.values.iter().for_each(|item| self.value(Some(item)));
            }
            Some(Value::KvlistValue(members)) => {
                self.0.push(6);
                self.attributes(&members.values);
            }
            Some(Value::BytesValue(bytes)) => {
                self.0.push(7);
                self.bytes(bytes);
            }
        }
    }
}
