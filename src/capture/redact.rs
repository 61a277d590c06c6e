//! Redaction of everything that is stored: values that look like secrets or personal data, and values under names that
//! say so, at any depth, also inside JSON that sits in a string.
//!
//! It fails closed: text that is nested deeper than it looks is replaced whole, a value that is is refused.

mod keys;
mod patterns;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;

pub use self::keys::is_sensitive_key;
use super::text::without_nul;
use crate::domain::strict_json::Strict;
use crate::error::{Error, Result};

/// What stands in the place of what was removed.
pub const REDACTED: &str = "[REDACTED]";

/// How deep a value may be nested; counts arrays, objects, and JSON inside strings.
pub const DEPTH_MAX: u32 = 64;

/// How often JSON may sit in a string of JSON before the string is replaced whole.
const STRINGS_DEEP_MAX: u32 = 6;

/// The text without secrets. Text that holds none, the usual case, is returned as it is; text that is JSON stays JSON.
#[must_use]
pub fn redact_text(text: &str) -> Cow<'_, str> {
    redact_at(text, STRINGS_DEEP_MAX)
}

/// The value without secrets, keys included.
///
/// # Errors
/// `BAD_USER_INPUT` when it is nested deeper than [`DEPTH_MAX`]: such a record is refused, not stored raw.
pub fn redact_json(mut value: Value) -> Result<Value> {
    redact_value(&mut value, DEPTH_MAX, STRINGS_DEEP_MAX)?;
    Ok(value)
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
        Value::Bool(_) => false,
    }
}

/// Whether a text may stay under a sensitive name: it is empty, a count, or redacted already.
#[must_use]
pub fn is_kept_text(key: &str, text: &str) -> bool {
    text.is_empty() || text == REDACTED || (keys::is_count(key) && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether an integer is a card number. Only numbers that begin as card numbers do: one in ten instants in nanoseconds
/// passes Luhn's test too.
#[must_use]
pub fn is_card_integer(number: i64) -> bool {
    patterns::is_card(&number.to_string())
}

fn redact_at(text: &str, strings_left: u32) -> Cow<'_, str> {
    // Before anything is read of the text: with U+0000 in it, JSON does not parse, and what replaces it later would make
    // it JSON again, with names in it that nobody has looked at.
    if let Cow::Owned(clean) = without_nul(text) {
        return Cow::Owned(redact_at(&clean, strings_left).into_owned());
    }
    if !patterns::may_match(text) {
        return decoded(text);
    }
    if matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'))
        && let Ok(Strict(mut value)) = serde_json::from_str::<Strict<Value>>(text)
    {
        let Some(left) = strings_left.checked_sub(1) else { return Cow::Borrowed(REDACTED) };
        return match redact_value(&mut value, DEPTH_MAX, left) {
            Ok(false) => Cow::Borrowed(text),
            Ok(true) => Cow::Owned(value.to_string()),
            Err(_) => Cow::Owned(format!("\"{REDACTED}\"")),
        };
    }
    patterns::replace(text)
}

/// Base64 hides a secret from the patterns: text that is nothing but base64 of text is looked into.
fn decoded(text: &str) -> Cow<'_, str> {
    let is_base64 = text.len() >= 16
        && text.len() <= 65_536
        && text.len().is_multiple_of(4)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'='));
    if !is_base64 {
        return Cow::Borrowed(text);
    }
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
    match bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(inner) if patterns::may_match(&inner) && redact_at(&inner, 1) != inner => Cow::Borrowed(REDACTED),
        _ => Cow::Borrowed(text),
    }
}

/// Redacts in place; true when something changed.
fn redact_value(value: &mut Value, depth_left: u32, strings_left: u32) -> Result<bool> {
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
            let Cow::Owned(redacted) = own(redact_at(text, strings_left), text) else { return Ok(false) };
            *text = redacted;
            Ok(true)
        }
        Value::Array(items) => {
            let mut is_changed = false;
            for item in items {
                is_changed |= redact_value(item, depth, strings_left)?;
            }
            Ok(is_changed)
        }
        Value::Object(members) => redact_members(members, depth, strings_left),
    }
}

fn redact_members(members: &mut serde_json::Map<String, Value>, depth: u32, strings_left: u32) -> Result<bool> {
    let mut is_changed = false;
    for (key, member) in members.iter_mut() {
        if is_sensitive_key(key) && !is_kept_under_sensitive_key(key, member) {
            *member = Value::String(REDACTED.to_owned());
            is_changed = true;
        } else {
            is_changed |= redact_value(member, depth, strings_left)?;
        }
    }
    if members.keys().any(|key| patterns::may_match(key) && matches!(patterns::replace(key), Cow::Owned(_))) {
        let renamed = std::mem::take(members);
        members.extend(renamed.into_iter().map(|(key, member)| (patterns::replace(&key).into_owned(), member)));
        is_changed = true;
    }
    Ok(is_changed)
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
