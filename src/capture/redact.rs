//! Redaction of everything that is stored: values that look like secrets or personal data, and values under names that
//! say so, at any depth, also inside JSON that sits in a string, and behind percent signs, escapes and base64.
//!
//! It fails closed: text that is nested deeper than it looks is replaced whole, a value that is is refused. What it costs is
//! in proportion to the text (`scan`), and what was redacted it leaves alone.

mod alphabet;
mod around;
mod commands;
mod cost;
mod decode;
mod forms;
mod issuers;
mod keys;
mod marks;
mod members;
mod numbers;
mod pairs;
mod placeholders;
mod scan;
mod tables;
mod tags;
mod values;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

pub use self::keys::is_sensitive_key;
pub use self::pairs::{is_name_member, is_private_of_jwk, is_value_member};
use self::scan::Found;
use super::text::without_nul;
use crate::domain::strict_json::Strict;
use crate::error::{Error, Result};

/// What stands in the place of what was removed.
pub const REDACTED: &str = "[REDACTED]";

/// How deep a value may be nested; counts arrays, objects, and JSON inside strings.
pub const DEPTH_MAX: u32 = 64;

/// How often JSON may sit in a string of JSON before the string is replaced whole.
const STRINGS_DEEP_MAX: u32 = 6;

/// The shortest text that may hold a secret, in bytes.
const TEXT_BYTES_MIN: usize = 6;

/// How often text is read again that was redacted: what stands in the place of a secret may make one of its neighbours.
const ROUNDS: u32 = 4;

/// How deep the looking goes.
#[derive(Clone, Copy)]
struct Depth {
    /// JSON inside strings.
    strings: u32,
    /// Encodings inside encodings.
    decodings: u32,
}

const WHOLE: Depth = Depth { strings: STRINGS_DEEP_MAX, decodings: scan::DECODINGS };

/// The text without secrets. Text that holds none, the usual case, is returned as it is; text that is JSON stays JSON.
#[must_use]
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let mut redacted = match redact_at(text, WHOLE) {
        same @ Cow::Borrowed(_) => return own(same, text),
        Cow::Owned(redacted) => redacted,
    };
    for _ in 0..ROUNDS {
        match own(redact_at(&redacted, WHOLE), &redacted) {
            Cow::Borrowed(_) => return Cow::Owned(redacted),
            Cow::Owned(again) => redacted = again,
        }
    }
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&redacted).is_ok();
    Cow::Owned(if is_json { format!("\"{REDACTED}\"") } else { REDACTED.to_owned() })
}

/// The value without secrets, keys included.
///
/// # Errors
/// `BAD_USER_INPUT` when it is nested deeper than [`DEPTH_MAX`]: such a record is refused, not stored raw.
pub fn redact_json(mut value: Value) -> Result<Value> {
    for _ in 0..=ROUNDS {
        if !redact_value(&mut value, DEPTH_MAX, WHOLE)? {
            return Ok(value);
        }
    }
    Ok(Value::String(REDACTED.to_owned()))
}

/// What a value becomes under a sensitive name: `[REDACTED]`, but numbers and absent values stay. A string of digits
/// under a name that also says it counts is a number too.
#[must_use]
pub fn is_kept_under_sensitive_key(key: &str, value: &Value) -> bool {
    match value {
        Value::Number(_) | Value::Null => true,
        Value::String(text) => is_kept_text(key, text),
        Value::Object(members) => keys::is_count(key) && members.values().all(Value::is_number),
        Value::Array(items) => keys::is_count(key) && items.iter().all(Value::is_number),
        // Whether there is one, not which.
        Value::Bool(_) => true,
    }
}

/// Whether a text may stay under a sensitive name: it is empty, a count, a word that only says what would stand there, or
/// redacted already.
#[must_use]
pub fn is_kept_text(key: &str, text: &str) -> bool {
    text.is_empty()
        || text == REDACTED
        || placeholders::is_placeholder(text)
        || (keys::is_count(key) && text.bytes().all(|byte| byte.is_ascii_digit()))
        || keys::is_status(key, text)
}

/// Whether an integer is a card number. Only numbers that begin as card numbers do: one in ten instants in nanoseconds
/// passes Luhn's test too.
#[must_use]
pub fn is_card_integer(number: i64) -> bool {
    numbers::is_card(&number.to_string())
}

/// The bytes that redaction looks at during a piece of work.
#[cfg(test)]
pub(super) fn work_of(work: impl FnOnce()) -> u64 {
    cost::of(work)
}

/// Text that was decoded from text.
fn redact_within(text: &str, decodings: u32) -> Cow<'_, str> {
    redact_at(text, Depth { strings: 1, decodings })
}

fn redact_at(text: &str, depth: Depth) -> Cow<'_, str> {
    if text.len() < TEXT_BYTES_MIN {
        return Cow::Borrowed(text);
    }
    // Before anything is read of the text: with U+0000 in it, JSON does not parse, and what replaces it later would make
    // it JSON again, with names in it that nobody has looked at.
    if let Cow::Owned(clean) = without_nul(text) {
        return Cow::Owned(redact_at(&clean, depth).into_owned());
    }
    let looks_like_json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'));
    let mut found = Found::in_text(text);
    // What is encoded in JSON is read of each of its strings.
    let was_worth_reading = looks_like_json && found.is_worth_reading();
    if was_worth_reading && let Some(redacted) = redact_json_text(text, depth) {
        return redacted;
    }
    found = found.with_encodings(text, depth.decodings);
    if looks_like_json
        && !was_worth_reading
        && found.is_worth_reading()
        && let Some(redacted) = redact_json_text(text, depth)
    {
        return redacted;
    }
    cut(text, &found.ranges)
}

/// The text read as JSON; `None` where it is none.
fn redact_json_text(text: &str, depth: Depth) -> Option<Cow<'_, str>> {
    let Strict(mut value) = serde_json::from_str::<Strict<Value>>(text).ok()?;
    cost::spend(text.len());
    let Some(strings) = depth.strings.checked_sub(1) else { return Some(Cow::Borrowed(REDACTED)) };
    Some(match redact_value(&mut value, DEPTH_MAX, Depth { strings, ..depth }) {
        Ok(false) => Cow::Borrowed(text),
        Ok(true) => Cow::Owned(value.to_string()),
        Err(_) => Cow::Owned(format!("\"{REDACTED}\"")),
    })
}

/// The text with `[REDACTED]` in the place of what was found.
fn cut<'a>(text: &'a str, ranges: &[Range<usize>]) -> Cow<'a, str> {
    // What is redacted already stays: `"token": "[REDACTED]"`.
    if ranges.iter().all(|range| &text[range.clone()] == REDACTED) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        out.push_str(&text[at..range.start]);
        out.push_str(REDACTED);
        at = range.end;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// Redacts in place; true when something changed.
fn redact_value(value: &mut Value, depth_left: u32, looking: Depth) -> Result<bool> {
    let Some(depth) = depth_left.checked_sub(1) else {
        return Err(Error::input(
            "",
            format!("JSON is nested deeper than {DEPTH_MAX}; it cannot be redacted; flatten it"),
        ));
    };
    match value {
        Value::Null | Value::Bool(_) => Ok(false),
        Value::Number(number) => {
            let is_card = number.as_i64().is_some_and(is_card_integer);
            if is_card {
                *value = Value::String(REDACTED.to_owned());
            }
            Ok(is_card)
        }
        Value::String(text) => {
            let Cow::Owned(redacted) = own(redact_at(text, looking), text) else { return Ok(false) };
            *text = redacted;
            Ok(true)
        }
        Value::Array(items) => {
            let mut is_changed = pairs::redact_items(items);
            for item in items {
                is_changed |= redact_value(item, depth, looking)?;
            }
            Ok(is_changed)
        }
        Value::Object(members) => redact_members(members, depth, looking),
    }
}

fn redact_members(members: &mut serde_json::Map<String, Value>, depth: u32, looking: Depth) -> Result<bool> {
    let mut is_changed = pairs::redact_pair(members) | pairs::redact_jwk(members);
    for (key, member) in members.iter_mut() {
        if is_sensitive_key(key) && !is_kept_under_sensitive_key(key, member) && !placeholders::is_schema(member) {
            *member = Value::String(REDACTED.to_owned());
            is_changed = true;
        } else {
            is_changed |= redact_value(member, depth, looking)?;
        }
    }
    if members.keys().any(|key| renamed(key, looking).is_some()) {
        let old = std::mem::take(members);
        members.extend(old.into_iter().map(|(key, member)| (renamed(&key, looking).unwrap_or(key), member)));
        is_changed = true;
    }
    Ok(is_changed)
}

/// A name without secrets, where it holds some.
fn renamed(key: &str, looking: Depth) -> Option<String> {
    if key.len() < TEXT_BYTES_MIN {
        return None;
    }
    match cut(key, &scan::find(key, looking.decodings).ranges) {
        Cow::Owned(renamed) => Some(renamed),
        Cow::Borrowed(_) => None,
    }
}

/// Borrowed text that is not the original is a replacement too.
fn own<'a>(redacted: Cow<'a, str>, original: &str) -> Cow<'a, str> {
    match redacted {
        Cow::Borrowed(text) if text != original => Cow::Owned(text.to_owned()),
        same => same,
    }
}

#[cfg(test)]
mod tests;
