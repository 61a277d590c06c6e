//! Payload part `attributes`: everything that a span says beside its content, as one canonical JSON object.
//!
//! ```json
//! {"aliases":1,"attributes":{..},"content":{"input":{"gen_ai.input.messages":{"bytes":12,"digest":".."}}},"events":[..],
//!  "kind":"CLIENT","links":[..],"name":"chat gpt-4o","resource":{..},"scope":{..},"status":{..},"trace_state":".."}
//! ```
//! Absent parts are empty. `omitted` counts what did not fit, `exporter_dropped` what the exporter had dropped before.

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::content::Contents;
use super::payload::{ATTRIBUTES_BYTES_MAX, BUDGETS, Budget, write_kept, write_member_name};
use super::redactions::Redactions;
use super::span::{ResourceContext, ScopeContext};
use crate::capture::genai::content::{event_treatment, treatment};
use crate::capture::genai::table;
use crate::capture::json::{write_i64, write_string};
use crate::domain::time::Timestamp;

/// The share of a payload that a resource or a scope may take, in bytes.
const CONTEXT_BYTES_MAX: usize = ATTRIBUTES_BYTES_MAX / 8;
/// The longest event name or trace state, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A resource's attributes.
pub(super) fn resource(attributes: &[KeyValue]) -> String {
    within(CONTEXT_BYTES_MAX, |out, budget, redactions| kept(out, attributes, budget, redactions))
        .unwrap_or_else(|| "{}".to_owned())
}

/// A scope's name, version and attributes.
pub(super) fn scope(scope: Option<&InstrumentationScope>) -> String {
    let Some(scope) = scope else { return "{}".to_owned() };
    let text = within(CONTEXT_BYTES_MAX, |out, budget, redactions| {
        out.push('{');
        if !scope.attributes.is_empty() {
            out.push_str("\"attributes\":");
            kept(out, &scope.attributes, budget, redactions);
            out.push(',');
        }
        out.push_str("\"name\":");
        string(out, &scope.name, budget.string_bytes, redactions);
        if !scope.version.is_empty() {
            out.push_str(",\"version\":");
            string(out, &scope.version, budget.string_bytes, redactions);
        }
        out.push('}');
    });
    text.unwrap_or_else(|| "{}".to_owned())
}

/// The whole document, within [`ATTRIBUTES_BYTES_MAX`].
pub(super) fn attributes<'a>(
    span: &'a Span,
    resource: &ResourceContext,
    scope: &ScopeContext,
    contents: &Contents<'a>,
) -> String {
    within(ATTRIBUTES_BYTES_MAX, |out, budget, redactions| {
        let context = (resource.json.as_str(), scope.json.as_str());
        document(out, span, context, contents, (budget, redactions));
    })
    .unwrap_or_else(|| "{\"omitted\":\"larger than the cap on attributes\"}".to_owned())
}

/// The first text that fits, of those that the budgets give.
pub(super) fn within<'a>(bytes: usize, write: impl Fn(&mut String, Budget, &Redactions<'a>)) -> Option<String> {
    let redactions = Redactions::default();
    BUDGETS.iter().find_map(|budget| {
        let mut out = String::with_capacity(1_024);
        write(&mut out, *budget, &redactions);
        (out.len() <= bytes).then_some(out)
    })
}

fn kept<'a>(out: &mut String, attributes: &'a [KeyValue], budget: Budget, redactions: &Redactions<'a>) {
    write_kept(out, attributes, budget, redactions, |_, attribute, value| treatment(&attribute.key, value));
}

pub(super) fn string<'a>(out: &mut String, text: &'a str, bytes: usize, redactions: &Redactions<'a>) {
    write_string(out, &redactions.clipped(text, bytes));
}

fn document<'a>(
    out: &mut String,
    span: &'a Span,
    (resource, scope): (&str, &str),
    contents: &Contents<'a>,
    (budget, redactions): (Budget, &Redactions<'a>),
) {
    out.push_str("{\"aliases\":");
    write_i64(out, table::VERSION.into());
    out.push_str(",\"attributes\":");
    let omitted = write_kept(out, &span.attributes, budget, redactions, |place, _, _| contents.treatments[place]);
    if !contents.is_empty() {
        out.push_str(",\"content\":");
        contents.write_digests(out);
    }
    if !span.events.is_empty() {
        out.push_str(",\"events\":");
        list(out, &span.events[..span.events.len().min(budget.events)], |out, event| {
            write_event(out, event, budget, redactions);
        });
    }
    counts(
        out,
        "exporter_dropped",
        &[
            ("attributes", span.dropped_attributes_count.into()),
            ("events", span.dropped_events_count.into()),
            ("links", span.dropped_links_count.into()),
        ],
    );
    out.push_str(",\"kind\":");
    write_string(out, kind_name(span.kind));
    if !span.links.is_empty() {
        out.push_str(",\"links\":");
        list(out, &span.links[..span.links.len().min(budget.events)], |out, link| {
            write_link(out, link, budget, redactions);
        });
    }
    out.push_str(",\"name\":");
    string(out, &span.name, budget.string_bytes, redactions);
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    counts(
        out,
        "omitted",
        &[
            ("attributes", count(omitted)),
            ("events", count(span.events.len().saturating_sub(budget.events))),
            ("links", count(span.links.len().saturating_sub(budget.events))),
        ],
    );
    out.push_str(",\"resource\":");
    out.push_str(resource);
    out.push_str(",\"scope\":");
    out.push_str(scope);
    if let Some(status) = span.status.as_ref().filter(|status| status.code != 0 || !status.message.is_empty()) {
        write_status(out, status, budget, redactions);
    }
    if !span.trace_state.is_empty() {
        out.push_str(",\"trace_state\":");
        string(out, &span.trace_state, NAME_BYTES_MAX, redactions);
    }
    out.push('}');
}

fn write_status<'a>(out: &mut String, status: &'a Status, budget: Budget, redactions: &Redactions<'a>) {
    out.push_str(",\"status\":{\"code\":");
    write_string(
        out,
        match status.code {
            1 => "OK",
            2 => "ERROR",
            _ => "UNSET",
        },
    );
    if !status.message.is_empty() {
        out.push_str(",\"message\":");
        string(out, &status.message, budget.string_bytes, redactions);
    }
    out.push('}');
}

fn kind_name(kind: i32) -> &'static str {
    match kind {
        1 => "INTERNAL",
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => "UNSPECIFIED",
    }
}

fn counts(out: &mut String, name: &str, counts: &[(&str, i64)]) {
    if counts.iter().all(|(_, count)| *count == 0) {
        return;
    }
    write_member_name(out, false, name);
    out.push('{');
    for (place, (part, count)) in counts.iter().filter(|(_, count)| *count > 0).enumerate() {
        write_member_name(out, place == 0, part);
        write_i64(out, *count);
    }
    out.push('}');
}

fn list<'a, T>(out: &mut String, items: &'a [T], write: impl Fn(&mut String, &'a T)) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn write_event<'a>(out: &mut String, event: &'a Event, budget: Budget, redactions: &Redactions<'a>) {
    out.push('{');
    if !event.attributes.is_empty() {
        out.push_str("\"attributes\":");
        write_kept(out, &event.attributes, budget, redactions, |_, attribute, value| {
            event_treatment(&event.name, &attribute.key, value)
        });
        out.push(',');
    }
    out.push_str("\"name\":");
    string(out, &event.name, NAME_BYTES_MAX, redactions);
    if let Some(at) = Timestamp::from_unix_nanos(event.time_unix_nano) {
        out.push_str(",\"time\":");
        write_string(out, &at.to_rfc3339());
    }
    out.push('}');
}

fn write_link<'a>(out: &mut String, link: &'a Link, budget: Budget, redactions: &Redactions<'a>) {
    out.push('{');
    if !link.attributes.is_empty() {
        out.push_str("\"attributes\":");
        kept(out, &link.attributes, budget, redactions);
        out.push(',');
    }
    // Ids are of 16 and 8 bytes; what is not is cut, so that no text hides in them.
    let id = |bytes: &[u8], length: usize| hex::encode(&bytes[..bytes.len().min(length)]);
    out.push_str("\"span_id\":");
    write_string(out, &id(&link.span_id, 8));
    out.push_str(",\"trace_id\":");
    write_string(out, &id(&link.trace_id, 16));
    out.push('}');
}
