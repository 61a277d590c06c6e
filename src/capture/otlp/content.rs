//! The message content of a span: found, digested, and either dropped or kept redacted.
//!
//! Every content leaves its digest and length in the attributes. The step's hash of a side is the digest of the content that
//! stands first in the table: of `gen_ai.input.messages` its text as it was sent. Content that came as a family of attributes
//! or in events has no text of its own; its digest is of the canonical JSON of all of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::payload::{Budget, CONTENT_BYTES_MAX, Style, raw_text, stored_key, write_member_name};
use super::redactions::Redactions;
use crate::capture::digest::ContentHasher;
use crate::capture::genai::content::{RANK_OF_EVENTS, Side, Treatment, event_treatment, treatment};
use crate::capture::json::{key_order, write_i64, write_string};
use crate::domain::ids::Digest;

/// One content: an attribute, a family of attributes, or what events hold.
struct Group<'a> {
    rank: u8,
    /// Name behind the family's, and value.
    parts: Vec<(&'a str, &'a AnyValue)>,
}

/// One content, digested.
struct Digested {
    digest: Digest,
    bytes: usize,
}

/// The contents of a span.
pub(super) struct Contents<'a> {
    /// What becomes of each attribute of the span, in their order.
    pub(super) treatments: Vec<Treatment<'a>>,
    groups: BTreeMap<(Side, Cow<'a, str>), Group<'a>>,
    digested: BTreeMap<(Side, Cow<'a, str>), Digested>,
}

/// Family under which the contents of events go.
const EVENTS: &str = "events";

impl<'a> Contents<'a> {
    /// Finds and digests the content of a span.
    pub(super) fn read(span: &'a Span, hasher: &ContentHasher) -> Self {
        let treated = |attribute: &'a KeyValue| match &attribute.value {
            Some(value) => treatment(&attribute.key, value),
            None => Treatment::Keep,
        };
        let mut contents = Self {
            treatments: span.attributes.iter().map(treated).collect(),
            groups: BTreeMap::new(),
            digested: BTreeMap::new(),
        };
        for (place, attribute) in span.attributes.iter().enumerate() {
            let Some(value) = &attribute.value else { continue };
            if let Treatment::Drop { side, rank, family } = contents.treatments[place] {
                let part = attribute.key[family.len()..].trim_start_matches('.');
                contents.push(side, rank, Cow::Borrowed(family), part, value);
            }
        }
        for (place, event) in span.events.iter().enumerate() {
            for attribute in &event.attributes {
                let Some(value) = &attribute.value else { continue };
                if let Treatment::Drop { side, .. } = event_treatment(&event.name, &attribute.key, value) {
                    let family = Cow::Owned(format!("{EVENTS}.{place:04}.{}", event.name));
                    contents.push(side, RANK_OF_EVENTS, family, &attribute.key, value);
                }
            }
        }
        contents.digest(hasher);
        contents
    }

    fn push(&mut self, side: Side, rank: u8, family: Cow<'a, str>, part: &'a str, value: &'a AnyValue) {
        let group = self.groups.entry((side, family)).or_insert(Group { rank, parts: Vec::new() });
        group.rank = group.rank.min(rank);
        group.parts.push((part, value));
    }

    fn digest(&mut self, hasher: &ContentHasher) {
        let mut events: BTreeMap<Side, String> = BTreeMap::new();
        for ((side, family), group) in &self.groups {
            let text = group.text();
            if group.rank == RANK_OF_EVENTS {
                let all = events.entry(*side).or_insert_with(|| "[".to_owned());
                all.push_str(if all.len() > 1 { "," } else { "" });
                all.push_str(&text);
                continue;
            }
            let digested = Digested { digest: hasher.digest(&text), bytes: text.len() };
            self.digested.insert((*side, family.clone()), digested);
        }
        for (side, mut text) in events {
            text.push(']');
            let digested = Digested { digest: hasher.digest(&text), bytes: text.len() };
            self.digested.insert((side, Cow::Borrowed(EVENTS)), digested);
        }
    }

    /// The step's hash of a side.
    pub(super) fn hash(&self, side: Side) -> Option<Digest> {
        let first =
            self.groups.iter().filter(|((own, _), _)| *own == side).min_by_key(|(key, group)| (group.rank, *key))?;
        let family = if first.1.rank == RANK_OF_EVENTS { Cow::Borrowed(EVENTS) } else { first.0.1.clone() };
        self.digested.get(&(side, family)).map(|digested| digested.digest)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Writes digests and lengths: `{"input":{"gen_ai.input.messages":{"bytes":12,"digest":"..."}}}`.
    pub(super) fn write_digests(&self, out: &mut String) {
        self.sides(out, |out, side| {
            let mut sorted: Vec<(Cow<'_, str>, &Digested)> = self
                .digested
                .iter()
                .filter(|((own, _), _)| *own == side)
                .map(|((_, family), digested)| (stored_key(family), digested))
                .collect();
            sorted.sort_by(|left, right| key_order(&left.0, &right.0));
            sorted.dedup_by(|next, first| next.0 == first.0);
            sorted.truncate(MEMBERS_MAX);
            for (place, (family, digested)) in sorted.into_iter().enumerate() {
                write_member_name(out, place == 0, &family);
                out.push_str("{\"bytes\":");
                write_i64(out, i64::try_from(digested.bytes).unwrap_or(i64::MAX));
                out.push_str(",\"digest\":");
                write_string(out, &digested.digest.to_hex());
                out.push('}');
            }
        });
    }

    /// Payload part `content`: what was dropped, redacted, in canonical JSON.
    pub(super) fn stored(&self) -> String {
        let (input, output) = (self.members(Side::Input), self.members(Side::Output));
        let redactions = Redactions::default();
        for string_bytes in [CONTENT_BYTES_MAX / 4, 4_096, 256] {
            let budget = Budget { string_bytes, attributes: MEMBERS_MAX, events: MEMBERS_MAX };
            let mut text = String::new();
            self.sides(&mut text, |out, side| {
                let members = if side == Side::Input { &input } else { &output };
                for (place, (key, value)) in members.iter().enumerate() {
                    write_member_name(out, place == 0, key);
                    Style::Stored(budget, &redactions).member(out, key, Some(value), 1);
                }
            });
            if text.len() <= CONTENT_BYTES_MAX {
                return text;
            }
        }
        "{\"omitted\":\"larger than the cap on content\"}".to_owned()
    }

    /// The contents of a side by the names that they are stored under, as many as are listed.
    fn members(&self, side: Side) -> Vec<(String, &'a AnyValue)> {
        let mut members: Vec<(String, &AnyValue)> = self
            .groups
            .iter()
            .filter(|((own, _), _)| *own == side)
            .flat_map(|((_, family), group)| {
                group.parts.iter().map(move |(part, value)| {
                    let dot = if part.is_empty() { "" } else { "." };
                    (stored_key(&format!("{family}{dot}{part}")).into_owned(), *value)
                })
            })
            .collect();
        members.sort_by(|left, right| key_order(&left.0, &right.0));
        members.dedup_by(|next, first| next.0 == first.0);
        members.truncate(MEMBERS_MAX);
        members
    }

    fn sides(&self, out: &mut String, write: impl Fn(&mut String, Side)) {
        out.push('{');
        let mut is_first = true;
        for (side, name) in [(Side::Input, "input"), (Side::Output, "output")] {
            if self.groups.keys().any(|(own, _)| *own == side) {
                write_member_name(out, is_first, name);
                out.push('{');
                write(out, side);
                out.push('}');
                is_first = false;
            }
        }
        out.push('}');
    }
}

/// The most contents of a side that are listed.
const MEMBERS_MAX: usize = 512;

impl Group<'_> {
    fn text(&self) -> Cow<'_, str> {
        if let [("", value)] = self.parts[..] {
            return raw_text(value);
        }
        let mut out = String::new();
        Style::Raw.members(&mut out, self.parts.iter().map(|(part, value)| (*part, Some(*value))), 0);
        Cow::Owned(out)
    }
}
