//! Canonical JSON text (RFC 8785), written straight from what came in.
//!
//! Numbers that canonical JSON would change are written as strings: integers beyond 2^53 - 1, -0, NaN and the infinities.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

use crate::error::{Error, Result};

/// The largest integer that canonical JSON keeps exactly: 2^53 - 1.
pub const SAFE_INTEGER_MAX: u64 = 9_007_199_254_740_991;

/// Writes a string. U+0000 becomes U+FFFD, which no database refuses.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts need no escape, and looking for one goes many bytes at a time.
    if !text.bytes().fold(false, |found, byte| found | (byte < 32) | (byte == b'"') | (byte == b'\\')) {
        out.push_str(text);
        return out.push('"');
    }
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            8 => "\\b",
            12 => "\\f",
            0 => "\u{FFFD}",
            1..=31 => "",
            _ => continue,
        };
        out.push_str(&text[start..at]);
        if escape.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        start = at + 1;
    }
    out.push_str(&text[start..]);
    out.push('"');
}

/// Writes an integer; as a string where a JSON number would be rounded.
pub fn write_i64(out: &mut String, number: i64) {
    let _ =
        if number.unsigned_abs() > SAFE_INTEGER_MAX { write!(out, "\"{number}\"") } else { write!(out, "{number}") };
}

/// Writes a floating-point number in its ECMAScript form; as a string where JSON has no number for it.
pub fn write_f64(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("\"NaN\"");
    } else if number == 0.0 && number.is_sign_negative() {
        out.push_str("\"-0\"");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    } else {
        let text = serde_json_canonicalizer::to_string(&number).unwrap_or_else(|_| "null".to_owned());
        let is_exact = number.abs() <= 9_007_199_254_740_991.0;
        if is_exact {
            out.push_str(&text);
        } else {
            write_string(out, &text);
        }
    }
}

/// The order of keys in canonical JSON: by UTF-16 code units.
#[must_use]
pub fn key_order(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() { left.cmp(right) } else { left.encode_utf16().cmp(right.encode_utf16()) }
}

/// The canonical text of a value.
///
/// # Errors
/// `INTERNAL` when a number cannot be written; values that came through [`check`] never do that.
pub fn canonical(value: &Value) -> Result<String> {
    serde_json_canonicalizer::to_string(value).map_err(Error::internal)
}

/// Checks JSON that a caller of a mutation hands in: depth, and that canonical JSON keeps every number and every text.
///
/// # Errors
/// `BAD_USER_INPUT` that names `field`, `LIMIT_EXCEEDED` for the depth.
pub fn check(field: &str, value: &Value, depth_max: u32) -> Result<()> {
    let Some(depth_left) = depth_max.checked_sub(1) else {
        let message = format!("{field} is nested deeper than {JSON_DEPTH_MAX} levels; flatten it");
        return Err(Error::limit(message, JSON_DEPTH_MAX.into(), None));
    };
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => check_number(field, number),
        Value::String(text) => check_text(field, text),
        Value::Array(items) => items.iter().try_for_each(|item| check(field, item, depth_left)),
        Value::Object(members) => members.iter().try_for_each(|(key, member)| {
            check_text(field, key)?;
            check(field, member, depth_left)
        }),
    }
}

/// How deep JSON of callers may be nested.
pub const JSON_DEPTH_MAX: u32 = 32;

/// Refuses U+0000 in text that a caller of a mutation hands in.
///
/// # Errors
/// `BAD_USER_INPUT` that names `field`.
pub fn check_text(field: &str, text: &str) -> Result<()> {
    if text.as_bytes().contains(&0) {
        return Err(Error::input(field, format!("{field} may not hold U+0000; remove it")));
    }
    Ok(())
}

fn check_number(field: &str, number: &serde_json::Number) -> Result<()> {
    let is_safe = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(integer), _, _) => integer.unsigned_abs() <= SAFE_INTEGER_MAX,
        (None, Some(_), _) => false,
        (None, None, Some(float)) => float.abs() <= 9_007_199_254_740_991.0,
        (None, None, None) => false,
    };
    if number.as_f64().is_some_and(|float| float == 0.0 && float.is_sign_negative()) {
        return Err(Error::input(field, format!("{field} holds -0, which canonical JSON writes as 0; send 0")));
    }
    if is_safe {
        return Ok(());
    }
    Err(Error::input(
        field,
        format!("{field} holds {number}, a number beyond 2^53-1, which JSON readers round; send it as a string"),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_would_be_rounded_become_strings() {
        let text = |number| {
            let mut out = String::new();
            write_i64(&mut out, number);
            out
        };
        assert_eq!(text(9_007_199_254_740_991), "9007199254740991");
        assert_eq!(text(9_007_199_254_740_992), "\"9007199254740992\"");
        assert_eq!(text(i64::MIN), "\"-9223372036854775808\"");
        let float = |number| {
            let mut out = String::new();
            write_f64(&mut out, number);
            out
        };
        assert_eq!(float(f64::NAN), "\"NaN\"");
        assert_eq!(float(f64::NEG_INFINITY), "\"-Infinity\"");
        assert_eq!(float(-0.0), "\"-0\"");
        assert_eq!(float(0.1), "0.1");
        assert_eq!(float(1.0), "1");
        assert_eq!(float(1e300), "\"1e+300\"");
    }

    #[test]
    fn callers_json_is_refused_where_it_would_be_rounded_or_is_too_deep() {
        let check = |text: &str| check("attributes", &serde_json::from_str(text).expect("JSON"), JSON_DEPTH_MAX);
        assert!(check(r#"{"a":[1,2.5,"x",null,true,{"b":9007199254740991}]}"#).is_ok());
        assert!(check(r#"{"a":9007199254740992}"#).is_err());
        assert!(check(r#"{"a":1e300}"#).is_err());
        assert!(check(r#"{"a":-0}"#).is_err() && check(r#"{"a":-0.0}"#).is_err() && check(r#"{"a":0.0}"#).is_ok());
        assert!(check(r#"{"a":"x\u0000"}"#).is_err());
        assert!(check(&format!("{}{}", "[".repeat(33), "]".repeat(33))).is_err());
        assert!(check(&format!("{}{}", "[".repeat(32), "]".repeat(32))).is_ok());
    }

    proptest! {
        #[test]
        fn strings_are_written_as_the_canonicalizer_writes_them(text in "[^\0]*") {
            let mut out = String::new();
            write_string(&mut out, &text);
            prop_assert_eq!(out, serde_json_canonicalizer::to_string(&text).expect("text"));
        }

        #[test]
        fn keys_are_ordered_as_the_canonicalizer_orders_them(keys in proptest::collection::hash_set("[^\0]{1,4}", 2..8)) {
            let mut sorted: Vec<&String> = keys.iter().collect();
            sorted.sort_by(|left, right| key_order(left, right));
            let mut text = String::new();
            for key in sorted {
                text.push(if text.is_empty() { '{' } else { ',' });
                write_string(&mut text, key);
                text.push_str(":null");
            }
            text.push('}');
            let map: serde_json::Map<String, Value> = keys.iter().map(|key| (key.clone(), Value::Null)).collect();
            prop_assert_eq!(text, canonical(&Value::Object(map)).expect("canonical"));
        }
    }
}
