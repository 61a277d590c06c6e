//! OTLP/JSON of logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1 as logs;
use serde::Deserialize;

use super::{AnyValue, Flags, Id, KeyValue, Resource, Scope, Severity, Unsigned, all, nullable, object};

pub(in crate::capture::otlp) fn decode(bytes: &[u8]) -> serde_json::Result<ExportLogsServiceRequest> {
    let request: Request<'_> = object(bytes)?;
    Ok(ExportLogsServiceRequest { resource_logs: all(request.resource_logs) })
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Request<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    resource_logs: Vec<ResourceLogs<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ResourceLogs<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    scope_logs: Vec<ScopeLogs<'a>>,
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScopeLogs<'a> {
    #[serde(borrow)]
    scope: Option<Scope<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    log_records: Vec<LogRecord<'a>>,
    #[serde(deserialize_with = "nullable")]
    schema_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct LogRecord<'a> {
    time_unix_nano: Unsigned,
    observed_time_unix_nano: Unsigned,
    severity_number: Severity,
    #[serde(deserialize_with = "nullable")]
    severity_text: String,
    #[serde(borrow)]
    body: Option<AnyValue<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    attributes: Vec<KeyValue<'a>>,
    dropped_attributes_count: Flags,
    flags: Flags,
    #[serde(deserialize_with = "nullable")]
    trace_id: Id,
    #[serde(deserialize_with = "nullable")]
    span_id: Id,
    #[serde(deserialize_with = "nullable")]
    event_name: String,
}

impl From<ResourceLogs<'_>> for logs::ResourceLogs {
    fn from(from: ResourceLogs<'_>) -> Self {
        Self { resource: from.resource.map(Into::into), scope_logs: all(from.scope_logs), schema_url: from.schema_url }
    }
}

impl From<ScopeLogs<'_>> for logs::ScopeLogs {
    fn from(from: ScopeLogs<'_>) -> Self {
        Self { scope: from.scope.map(Into::into), log_records: all(from.log_records), schema_url: from.schema_url }
    }
}

impl From<LogRecord<'_>> for logs::LogRecord {
    fn from(from: LogRecord<'_>) -> Self {
        Self {
            time_unix_nano: from.time_unix_nano.0,
            observed_time_unix_nano: from.observed_time_unix_nano.0,
            severity_number: from.severity_number.0,
            severity_text: from.severity_text,
            body: from.body.map(Into::into),
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
            flags: from.flags.0,
            trace_id: from.trace_id.0,
            span_id: from.span_id.0,
            event_name: from.event_name,
        }
    }
}
