//! OTLP log records.
//!
//! | what | becomes |
//! |---|---|
//! | a `gen_ai.*` event with message content | digests that wait for the step of its span ([`crate::capture::contents`]); never a record |
//! | severity WARN or above (13), or an event name | a system record |
//! | anything else | nothing: it is dropped, and counted |
//!
//! Of a system record: component, type and cause come from `runledger.component`, `runledger.event_type` (else the event's
//! name) and `runledger.caused_by` where they are words of ours, else they are OTHER and absent. WARN is WARN, ERROR and FATAL
//! are CRITICAL, an event below is INFO. The summary is the first 512 bytes of the body, redacted; body and attributes go
//! into the details, redacted, without what attributes hold of message content. Correlation id is the trace id, else
//! `runledger.correlation_id`.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::document::{string, within};
use super::payload::{ATTRIBUTES_BYTES_MAX, Style, raw_text, write_kept};
use super::redactions::Redactions;
use super::span::{ResourceContext, ScopeContext, id};
use crate::capture::CaptureContext;
use crate::capture::digest::ContentHasher;
use crate::capture::genai::content::{RANK_OF_EVENTS, Side, Treatment, event_side, event_treatment};
use crate::capture::genai::table::Slot;
use crate::capture::genai::{Found, value};
use crate::capture::json::{write_i64, write_string};
use crate::capture::system::summary;
use crate::capture::text::label;
use crate::domain::draft::DraftPayload;
use crate::domain::ids::TraceId;
use crate::domain::payload::PayloadPart;
use crate::domain::span_content::{ContentSide, SpanContent};
use crate::domain::system::{DraftSystemRecord, SystemRecord};
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{ActorType, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity};

/// The lowest severity number of WARN.
const WARN: i32 = 13;
/// The lowest severity number of ERROR.
const ERROR: i32 = 17;
/// Names under this are events of instrumentations of language models.
const GEN_AI: &str = "gen_ai.";

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsDraft {
    /// System records.
    pub records: Vec<DraftSystemRecord>,
    /// Digests of message content.
    pub contents: Vec<SpanContent>,
    /// Log records whose content was digested.
    pub digested: i64,
    /// Log records that are not kept, by design.
    pub dropped: i64,
    /// One reason for each log record that cannot be recorded.
    pub rejected: Vec<String>,
}

/// Turns log records into drafts: mapped, digested, redacted, capped.
#[must_use]
pub fn map_logs(ctx: &CaptureContext, request: &ExportLogsServiceRequest, now: Timestamp) -> LogsDraft {
    let hasher = ContentHasher::new(&ctx.content_key);
    let mut draft = LogsDraft::default();
    for resource_logs in &request.resource_logs {
        let resource = ResourceContext::read(resource_logs.resource.as_ref(), &resource_logs.schema_url);
        for scope_logs in &resource_logs.scope_logs {
            let scope = ScopeContext::read(scope_logs.scope.as_ref(), &scope_logs.schema_url);
            for record in &scope_logs.log_records {
                let log = Log::read(record);
                if log.event_name.starts_with(GEN_AI) {
                    let contents = contents(&hasher, &log);
                    if log.severity < WARN || !contents.is_empty() {
                        let is_kept = !contents.is_empty();
                        draft.digested += i64::from(is_kept);
                        draft.dropped += i64::from(!is_kept);
                        draft.contents.extend(contents);
                        continue;
                    }
                }
                if log.severity < WARN && log.event_name.is_empty() {
                    draft.dropped += 1;
                    continue;
                }
                match system_record(&resource, &scope, &log, now) {
                    Ok(record) => draft.records.push(record),
                    Err(reason) => draft.rejected.push(reason),
                }
            }
        }
    }
    draft
}

/// A log record, read.
struct Log<'a> {
    record: &'a LogRecord,
    event_name: &'a str,
    severity: i32,
    trace_id: Option<String>,
    span_id: Option<String>,
}

impl<'a> Log<'a> {
    fn read(record: &'a LogRecord) -> Self {
        // Before events had a field of their own, their name was an attribute.
        let named = || match find(&record.attributes, "event.name").and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(name)) => name.as_str(),
            _ => "",
        };
        let event_name = if record.event_name.is_empty() { named() } else { &record.event_name };
        Self {
            record,
            event_name,
            severity: if record.severity_number > 0 { record.severity_number } else { severity(&record.severity_text) },
            trace_id: id(&record.trace_id, 16, "trace_id").ok(),
            span_id: id(&record.span_id, 8, "span_id").ok(),
        }
    }

    /// When it happened, else when it was seen; `None` where neither is said.
    fn at(&self) -> Result<Option<Timestamp>, String> {
        let nanos =
            [self.record.time_unix_nano, self.record.observed_time_unix_nano].into_iter().find(|nanos| *nanos > 0);
        nanos
            .map(|nanos| Timestamp::from_unix_nanos(nanos).ok_or("time_unix_nano lies beyond the year 9999".to_owned()))
            .transpose()
    }
}

fn find<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()
}

/// The number of a severity that came as text only.
fn severity(text: &str) -> i32 {
    let text = text.trim().to_ascii_uppercase();
    let is = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if is(&["ERR", "FATAL", "CRIT", "ALERT", "EMERG", "PANIC", "SEVERE"]) {
        ERROR
    } else if is(&["WARN"]) {
        WARN
    } else {
        0
    }
}

/// Digests of the content of an event: one of each side. Without a span there is no step that they could go to.
fn contents(hasher: &ContentHasher, log: &Log<'_>) -> Vec<SpanContent> {
    let (Some(trace_id), Some(span_id), Ok(at)) = (&log.trace_id, &log.span_id, log.at()) else { return Vec::new() };
    let mut parts: Vec<(Side, u8, &str, &AnyValue)> = Vec::new();
    let mut take = |key, value| {
        if let Treatment::Drop { side, rank, .. } = event_treatment(log.event_name, key, value)
            && !is_role_only(value)
        {
            parts.push((side, rank, key, value));
        }
    };
    for attribute in &log.record.attributes {
        if let Some(value) = &attribute.value {
            take(&attribute.key, value);
        }
    }
    match log.record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::KvlistValue(members)) => {
            for member in &members.values {
                if let Some(value) = &member.value {
                    take(&member.key, value);
                }
            }
        }
        Some(Value::StringValue(text)) if !text.is_empty() => {
            parts.extend(log.record.body.as_ref().map(|body| (event_side(log.event_name), RANK_OF_EVENTS, "", body)));
        }
        _ => {}
    }
    [(Side::Input, ContentSide::Input), (Side::Output, ContentSide::Output)]
        .into_iter()
        .filter_map(|(side, stored)| {
            let rank = parts.iter().filter(|part| part.0 == side).map(|part| part.1).min()?;
            let first: Vec<_> = parts.iter().filter(|part| part.0 == side && part.1 == rank).collect();
            let digest = match first.as_slice() {
                [(_, _, _, value)] => hasher.digest(&raw_text(value)),
                several => {
                    let mut text = String::new();
                    Style::Raw.members(&mut text, several.iter().map(|(_, _, key, value)| (*key, Some(*value))), 0);
                    hasher.digest(&text)
                }
            };
            Some(SpanContent {
                trace_id: TraceId::trusted(trace_id.as_str()),
                span_id: span_id.clone(),
                side: stored,
                rank: rank.into(),
                at: at.unwrap_or_default(),
                digest,
            })
        })
        .collect()
}

/// A message whose text was left out: it says who spoke, and nothing else.
fn is_role_only(value: &AnyValue) -> bool {
    match &value.value {
        Some(Value::KvlistValue(members)) => members.values.iter().all(|member| member.key == "role"),
        _ => false,
    }
}

fn system_record(
    resource: &ResourceContext,
    scope: &ScopeContext,
    log: &Log<'_>,
    now: Timestamp,
) -> Result<DraftSystemRecord, String> {
    let found = Found::read(&log.record.attributes);
    let word = |name: &str| find(&log.record.attributes, name).and_then(value::text).map(|text| text.to_uppercase());
    let by_name = || {
        let last = log.event_name.rsplit('.').next().unwrap_or_default();
        SystemEventType::parse(&last.to_uppercase())
    };
    let event_type = word("runledger.event_type").and_then(|text| SystemEventType::parse(&text)).or_else(by_name);
    let component = word("runledger.component").and_then(|text| SystemComponent::parse(&text));
    let record = SystemRecord {
        component: component.unwrap_or(SystemComponent::Other),
        event_type: event_type.unwrap_or(SystemEventType::Other),
        severity: match log.severity {
            ERROR.. => SystemSeverity::Critical,
            WARN.. => SystemSeverity::Warn,
            _ => SystemSeverity::Info,
        },
        summary: summary_of(log),
        caused_by: word("runledger.caused_by").and_then(|text| SystemCausedBy::parse(&text)),
        actor_type: found.text(Slot::ActorType).and_then(|text| ActorType::parse(&text.to_ascii_uppercase())),
        actor_id: found.identifier(Slot::ActorId),
        correlation_id: log.trace_id.clone().or_else(|| found.label(Slot::CorrelationId)),
        service_name: resource.service_name.clone(),
        service_instance_id: resource.service_instance_id.clone(),
        source_component: "otlp".to_owned(),
        occurred_at: log.at()?.unwrap_or(now),
        details_commitment: None,
    };
    let details = within(ATTRIBUTES_BYTES_MAX, |out, budget, redactions| {
        out.push_str("{\"attributes\":");
        write_kept(out, &log.record.attributes, budget, redactions, |_, attribute, value| {
            event_treatment(log.event_name, &attribute.key, value)
        });
        if let Some(body) = body(log) {
            out.push_str(",\"body\":");
            Style::Stored(budget, redactions).member(out, "", Some(body), 1);
        }
        if !log.event_name.is_empty() {
            out.push_str(",\"event_name\":");
            string(out, log.event_name, budget.string_bytes, redactions);
        }
        out.push_str(",\"resource\":");
        out.push_str(&resource.json);
        out.push_str(",\"scope\":");
        out.push_str(&scope.json);
        out.push_str(",\"severity_number\":");
        write_i64(out, log.severity.into());
        if let Some(span_id) = &log.span_id {
            out.push_str(",\"span_id\":");
            write_string(out, span_id);
        }
        if let Some(trace_id) = &log.trace_id {
            out.push_str(",\"trace_id\":");
            write_string(out, trace_id);
        }
        out.push('}');
    });
    let text = details.unwrap_or_else(|| "{\"omitted\":\"larger than the cap on details\"}".to_owned());
    Ok(DraftSystemRecord { record, payloads: vec![DraftPayload { part: PayloadPart::Details, text }] })
}

/// The body as far as it may be kept: that of an instrumentation of language models may be a message.
fn body<'a>(log: &Log<'a>) -> Option<&'a AnyValue> {
    log.record.body.as_ref().filter(|_| !log.event_name.starts_with(GEN_AI))
}

fn summary_of(log: &Log<'_>) -> String {
    let text = body(log).map(|body| match &body.value {
        Some(Value::StringValue(text)) => summary(text),
        _ => {
            let mut text = String::new();
            Style::Stored(super::payload::BUDGETS[3], &Redactions::default()).member(&mut text, "", Some(body), 1);
            summary(&text)
        }
    });
    let named = || label(log.event_name).unwrap_or_else(|| "no text".to_owned());
    text.filter(|text| !text.is_empty() && text != "null").unwrap_or_else(named)
}

#[cfg(test)]
mod tests;
