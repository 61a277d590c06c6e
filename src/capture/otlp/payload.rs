//! Attribute values as canonical JSON: redacted and capped for what is stored, raw for what is only digested.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::redactions::Redactions;
use crate::capture::genai::content::Treatment;
use crate::capture::genai::table;
use crate::capture::json::{key_order, write_f64, write_i64, write_string};
use crate::capture::redact::{
    REDACTED, is_card_integer, is_kept_text, is_name_member, is_private_of_jwk, is_sensitive_key, is_value_member,
    redact_text,
};
use crate::capture::text::{clip, cut_name, short_hash, without_nul};

/// The largest payload part `attributes`, in bytes. A larger one is written again with shorter strings and fewer attributes.
pub const ATTRIBUTES_BYTES_MAX: usize = 65_536;
/// The largest payload part `content`, in bytes.
pub const CONTENT_BYTES_MAX: usize = 262_144;
/// The longest string within the attributes, in bytes; a longer one is cut and says so.
pub const STRING_BYTES_MAX: usize = 8_192;
/// The most attributes kept of a span, an event, a link, a scope or a resource.
pub const ATTRIBUTES_MAX: usize = 256;
/// The most events, and the most links, kept of a span.
pub const EVENTS_MAX: usize = 128;
/// The longest attribute name, in bytes.
const KEY_BYTES_MAX: usize = 256;
/// The most items kept of a list.
const ITEMS_MAX: usize = 256;
/// How deep a value may be nested.
const DEPTH_MAX: u32 = 16;
/// What stands in the place of what is nested deeper.
const TOO_DEEP: &str = "[nested too deep]";

/// How much of a span is kept; tried one after the other until the payload fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) string_bytes: usize,
    pub(super) attributes: usize,
    pub(super) events: usize,
}

/// Budgets of payload part `attributes`.
pub(super) const BUDGETS: [Budget; 4] = [
    Budget { string_bytes: STRING_BYTES_MAX, attributes: ATTRIBUTES_MAX, events: EVENTS_MAX },
    Budget { string_bytes: 1_024, attributes: ATTRIBUTES_MAX, events: 64 },
    Budget { string_bytes: 128, attributes: 64, events: 16 },
    Budget { string_bytes: 64, attributes: 32, events: 2 },
];

/// Writes values as canonical JSON.
#[derive(Clone, Copy)]
pub(super) enum Style<'r, 'a> {
    /// As sent: for digests of content that did not come as text.
    Raw,
    /// Redacted and within a budget.
    Stored(Budget, &'r Redactions<'a>),
}

/// A name of an attribute as it is stored. Known names hold no secrets.
pub(super) fn stored_key(key: &str) -> Cow<'_, str> {
    if table::lookup(key).is_some() {
        return Cow::Borrowed(key);
    }
    match redact_text(key) {
        Cow::Borrowed(key) if !key.contains('\0') => cut_name(key, KEY_BYTES_MAX),
        key => Cow::Owned(cut_name(&without_nul(&key), KEY_BYTES_MAX).into_owned()),
    }
}

impl<'a> Style<'_, 'a> {
    fn text(self, text: &'a str) -> Cow<'a, str> {
        match self {
            Self::Raw => Cow::Borrowed(text),
            Self::Stored(budget, redactions) => redactions.clipped(text, budget.string_bytes),
        }
    }

    /// A name of an attribute as it is written.
    fn key(self, key: &'a str) -> Cow<'a, str> {
        match self {
            Self::Raw => Cow::Borrowed(key),
            Self::Stored(_, redactions) => redactions.key(key),
        }
    }

    /// Writes a value that stands under a name.
    pub(super) fn member(self, out: &mut String, key: &str, value: Option<&'a AnyValue>, depth: u32) {
        let value = value.and_then(|value| value.value.as_ref());
        let Some(value) = value else { return out.push_str("null") };
        // Numbers stay under any name: there is no need to look at it.
        let may_be_secret =
            matches!(self, Self::Stored(..)) && !matches!(value, Value::IntValue(_) | Value::DoubleValue(_));
        if may_be_secret && is_sensitive_key(key) && !is_kept(key, value) {
            return write_string(out, REDACTED);
        }
        self.value(out, value, depth);
    }

    fn value(self, out: &mut String, value: &'a Value, depth: u32) {
        if depth > DEPTH_MAX && matches!(self, Self::Stored(..)) {
            return write_string(out, TOO_DEEP);
        }
        match value {
            Value::StringValue(text) => write_string(out, &self.text(text)),
            Value::BoolValue(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Value::IntValue(number) if matches!(self, Self::Stored(..)) && is_card_integer(*number) => {
                write_string(out, REDACTED)
            }
            Value::IntValue(number) => write_i64(out, *number),
            Value::DoubleValue(number) => write_f64(out, *number),
            Value::ArrayValue(items) => self.items(out, &items.values, depth),
            Value::KvlistValue(members) => self.object(out, &members.values, depth),
            Value::BytesValue(bytes) => write_string(out, &self.bytes(bytes)),
            Value::StringValueStrindex(_) => out.push_str("null"),
        }
    }

    fn items(self, out: &mut String, items: &'a [AnyValue], depth: u32) {
        let kept = if matches!(self, Self::Stored(..)) { items.len().min(ITEMS_MAX) } else { items.len() };
        out.push('[');
        for (place, item) in items[..kept].iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            self.member(out, "", Some(item), depth + 1);
        }
        if kept < items.len() {
            out.push(',');
            let mut rest = String::new();
            items[kept..].iter().for_each(|item| self.member(&mut rest, "", Some(item), depth + 1));
            write_string(out, &format!("[{} items cut, {}]", items.len() - kept, short_hash(&rest)));
        }
        out.push(']');
    }

    /// Base64 of bytes; of bytes that are text with secrets in it, nothing.
    fn bytes(self, bytes: &'a [u8]) -> Cow<'static, str> {
        let Self::Stored(budget, redactions) = self else { return Cow::Owned(STANDARD.encode(bytes)) };
        let is_secret = std::str::from_utf8(bytes).is_ok_and(|text| redactions.is_secret(text));
        if is_secret {
            return Cow::Borrowed(REDACTED);
        }
        Cow::Owned(clip(&STANDARD.encode(bytes), budget.string_bytes).into_owned())
    }

    fn object(self, out: &mut String, members: &'a [KeyValue], depth: u32) {
        self.members(out, members.iter().map(|member| (member.key.as_str(), member.value.as_ref())), depth);
    }

    /// Writes an object of names and values as they are, without looking for content.
    pub(super) fn members(
        self,
        out: &mut String,
        members: impl Iterator<Item = (&'a str, Option<&'a AnyValue>)>,
        depth: u32,
    ) {
        let mut sorted: Vec<_> = members.map(|(key, value)| (self.key(key), (key, value))).collect();
        if matches!(self, Self::Stored(..)) {
            name_values(&mut sorted);
            name_private(&mut sorted);
        }
        sort_distinct(&mut sorted);
        if let Self::Stored(budget, _) = self {
            sorted.truncate(budget.attributes);
        }
        out.push('{');
        for (place, (written, (key, value))) in sorted.iter().enumerate() {
            write_member_name(out, place == 0, written);
            self.member(out, key, *value, depth + 1);
        }
        out.push('}');
    }
}

/// A member of an object: the name that it is stored under, its own name, and its value.
type Member<'a> = (Cow<'a, str>, (&'a str, Option<&'a AnyValue>));

/// In a pair of name and value, as `{"name": "Authorization", "value": ".."}`, the value stands under that name.
fn name_values<'a>(members: &mut [Member<'a>]) {
    let text = |value: Option<&'a AnyValue>| match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => Some(text.as_str()),
        _ => None,
    };
    let name = members
        .iter()
        .find_map(|(_, (key, value))| text(*value).filter(|name| is_name_member(key) && is_sensitive_key(name)));
    let Some(name) = name else { return };
    for (_, (key, _)) in members.iter_mut().filter(|(_, (key, _))| is_value_member(key)) {
        *key = name;
    }
}

/// The private members of a JSON Web Key stand under a name that says so.
fn name_private(members: &mut [Member<'_>]) {
    if members.iter().any(|(_, (key, _))| *key == "kty") {
        for (_, (key, _)) in members.iter_mut().filter(|(_, (key, _))| is_private_of_jwk(key)) {
            *key = "private_key";
        }
    }
}

/// Sorts members by name. OTLP wants names to be unique; where they are not, the first keeps its name and the others are
/// numbered, so that nothing is lost and JSON with other values is other JSON.
fn sort_distinct<T>(members: &mut Vec<(Cow<'_, str>, T)>) {
    members.sort_by(|left, right| key_order(&left.0, &right.0));
    // Twice, because a number may make a name that is taken.
    for _ in 0..2 {
        let (mut is_renamed, mut first, mut count) = (false, 0, 1);
        for at in 1..members.len() {
            if members[at].0 != members[first].0 {
                (first, count) = (at, 1);
                continue;
            }
            count += 1;
            is_renamed = true;
            members[at].0 = Cow::Owned(format!("{}#{count}", members[first].0));
        }
        if !is_renamed {
            return;
        }
        members.sort_by(|left, right| key_order(&left.0, &right.0));
    }
    members.dedup_by(|next, first| next.0 == first.0);
}

/// Writes `,"name":`.
pub(super) fn write_member_name(out: &mut String, is_first: bool, name: &str) {
    if !is_first {
        out.push(',');
    }
    write_string(out, name);
    out.push(':');
}

fn is_kept(key: &str, value: &Value) -> bool {
    match value {
        Value::IntValue(_) | Value::DoubleValue(_) | Value::BoolValue(_) => true,
        Value::StringValue(text) => is_kept_text(key, text),
        Value::ArrayValue(items) => items.values.is_empty(),
        _ => false,
    }
}

/// Writes the attributes of a span or event that are kept: those that hold content are left out, settings lose theirs. Returns how
/// many were left out for the budget.
pub(super) fn write_kept<'a>(
    out: &mut String,
    attributes: &'a [KeyValue],
    budget: Budget,
    redactions: &Redactions<'a>,
    treatment: impl Fn(usize, &'a KeyValue, &'a AnyValue) -> Treatment<'a>,
) -> usize {
    let style = Style::Stored(budget, redactions);
    let mut kept: Vec<(Cow<'_, str>, (&'a KeyValue, bool))> = attributes
        .iter()
        .enumerate()
        .filter_map(|(place, attribute)| {
            let is_scrubbed = match attribute.value.as_ref().map(|value| treatment(place, attribute, value)) {
                Some(Treatment::Drop { .. }) => return None,
                Some(Treatment::Scrub) => true,
                Some(Treatment::Keep) | None => false,
            };
            Some((style.key(&attribute.key), (attribute, is_scrubbed)))
        })
        .collect();
    sort_distinct(&mut kept);
    let omitted = kept.len().saturating_sub(budget.attributes);
    kept.truncate(budget.attributes);
    out.push('{');
    for (place, (key, (attribute, is_scrubbed))) in kept.iter().enumerate() {
        write_member_name(out, place == 0, key);
        let settings = match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Value::StringValue(text)) if *is_scrubbed && !is_sensitive_key(&attribute.key) => {
                redactions.settings(text, budget.string_bytes)
            }
            _ => None,
        };
        match settings {
            Some(settings) => write_string(out, &settings),
            None => style.member(out, &attribute.key, attribute.value.as_ref(), 1),
        }
    }
    out.push('}');
    omitted
}

/// The raw text of content: text as it was sent, everything else as canonical JSON.
pub(super) fn raw_text(value: &AnyValue) -> Cow<'_, str> {
    match &value.value {
        Some(Value::StringValue(text)) => Cow::Borrowed(text),
        _ => {
            let mut out = String::new();
            Style::Raw.member(&mut out, "", Some(value), 0);
            Cow::Owned(out)
        }
    }
}
