//! Floating-point numbers of OTLP/JSON. A number that no double holds stays the text that it was, so that two numbers that
//! differ never become one.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

/// The largest integer up to which doubles hold every one: 2^53.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A number, or the text of one that would have been rounded to another.
pub(super) enum Real {
    Exact(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if raw.get() == "null" {
            return Ok(Self::Exact(0.0));
        }
        Self::read(super::json::scalar::<D::Error>(raw)?).map_err(D::Error::custom)
    }
}

impl Real {
    /// serde_json's own reading of floating-point numbers may be off in the last bit; the standard library's is exact.
    fn read(text: Cow<'_, str>) -> Result<Self, std::num::ParseFloatError> {
        let number = match text.trim() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            digits => {
                let number: f64 = digits.parse()?;
                if is_another(digits, number) {
                    return Ok(Self::Text(digits.to_owned()));
                }
                number
            }
        };
        Ok(Self::Exact(number))
    }
}

/// Whether digits were read as a number that they do not mean: an integer beyond 2^53 that is neither the double's value nor
/// its shortest text, a number beyond all doubles, a number so small that it became zero. Fractions are rounded by
/// whoever writes doubles at all.
fn is_another(digits: &str, number: f64) -> bool {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    if number.is_infinite() || (number == 0.0 && mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte))) {
        return true;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_whole = mantissa.len() == digits.len() && fraction.bytes().all(|byte| byte == b'0');
    is_whole && number.abs() > EXACT_MAX - 1.0 && whole != format!("{number}") && whole != format!("{number:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(digits: &str) -> Option<String> {
        match Real::read(Cow::Borrowed(digits)).expect("a number") {
            Real::Exact(_) => None,
            Real::Text(text) => Some(text),
        }
    }

    #[test]
    fn what_a_double_holds_is_a_number() {
        for digits in [
            "0",
            "-0.0",
            "1.5",
            "9007199254740991",
            "9007199254740992",
            "-9007199254740994",
            "1e300",
            "5e-324",
            // As JavaScript writes 2^63, and as C does.
            "9223372036854776000",
            "9223372036854775808",
            "0.1",
            "0.10000000000000000555",
            "NaN",
            "-Infinity",
        ] {
            assert_eq!(text(digits), None, "{digits}");
        }
    }

    #[test]
    fn what_no_double_holds_stays_text() {
        for digits in ["9007199254740993", "-9007199254740993", "9007199254740993.0", "1e400", "-1e400", "1e-400"] {
            assert_eq!(text(digits).as_deref(), Some(digits));
        }
    }
}
