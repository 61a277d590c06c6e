//! Our scalars. Each refuses what it cannot hold, at validation already.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::domain::ids::Digest;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::facade::allowance::charge;

/// The largest integer that JavaScript and JSON libraries carry exactly: 2^53 - 1.
pub const SAFE_INT_MAX: i64 = 9_007_199_254_740_991;
/// Decimal digits of a dollar that are kept: micro-dollars.
const USD_SCALE: u32 = 6;

/// See the scalar's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeInt(pub i64);

/// A whole number between -(2^53 - 1) and 2^53 - 1, so that every JSON library reads it exactly. Used for token counts,
/// step numbers and durations in milliseconds.
#[Scalar]
impl ScalarType for SafeInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => match number.as_i64() {
                Some(number) if (-SAFE_INT_MAX..=SAFE_INT_MAX).contains(&number) => Ok(Self(number)),
                _ => Err(InputValueError::expected_type(value)),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        Self::parse(value.clone()).is_ok()
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

impl SafeInt {
    /// Both together, as far as every JSON library reads it.
    #[must_use]
    pub fn sum(one: i64, other: i64) -> Self {
        Self(one.saturating_add(other).min(SAFE_INT_MAX))
    }
}

impl From<i64> for SafeInt {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

/// See the scalar's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number of up to 64 bits with its sign, always written as a string, for example "9223372036854775807". Used
/// for places in a log and for random seeds.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => match text.parse() {
                Ok(number) => Ok(Self(number)),
                Err(_) => Err(InputValueError::expected_type(value)),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if text.parse::<i64>().is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl From<i64> for BigInt {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

/// See the scalar's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(rust_decimal::Decimal);

/// An exact decimal number, always written as a string, for example "0.001230". Used for money, which binary floating
/// point numbers cannot hold exactly.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => match rust_decimal::Decimal::from_str_exact(text) {
                Ok(number) => Ok(Self(number)),
                Err(_) => Err(InputValueError::expected_type(value)),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if rust_decimal::Decimal::from_str_exact(text).is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl Decimal {
    /// Micro-dollars as dollars, with six decimal places.
    #[must_use]
    pub fn usd(cost_micros: i64) -> Self {
        Self(rust_decimal::Decimal::new(cost_micros, USD_SCALE))
    }

    /// Micro-dollars as cents, with four decimal places.
    #[must_use]
    pub fn cents(cost_micros: i64) -> Self {
        Self(rust_decimal::Decimal::new(cost_micros, USD_SCALE - 2))
    }

    /// A number that is kept as its text; `None` for a text that is no number.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        rust_decimal::Decimal::from_str_exact(text).ok().map(Self)
    }

    /// The number as the text that is kept.
    #[must_use]
    pub fn to_text(self) -> String {
        self.0.to_string()
    }

    /// Dollars as micro-dollars.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` that names `field` when there are more than six decimal places or too many dollars.
    pub fn to_micros(self, field: &str) -> Result<i64> {
        let number = self.0.normalize();
        let scale_up = USD_SCALE.checked_sub(number.scale()).map(|digits| 10_i128.pow(digits));
        scale_up
            .and_then(|factor| number.mantissa().checked_mul(factor))
            .and_then(|micros| i64::try_from(micros).ok())
            .ok_or_else(|| {
                let message =
                    format!("{field} has at most six decimal places and twelve digits before them, got {}", self.0);
                Error::input(field, message)
            })
    }

    /// A cost in dollars as micro-dollars.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` that names `field`, what was sent and what is allowed.
    pub fn to_cost(self, field: &str) -> Result<i64> {
        let micros = self.to_micros(field).ok().filter(|micros| (0..=SAFE_INT_MAX).contains(micros));
        micros.ok_or_else(|| {
            let most = Self::usd(SAFE_INT_MAX).0;
            let message = format!(
                "{field} lies between 0 and {most} US dollars, with at most six decimal places, got {}",
                self.0
            );
            Error::input(field, message)
        })
    }
}

/// See the scalar's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// An instant as RFC 3339 text. Answers are in UTC with exactly six fraction digits, for example
/// "2026-11-21T08:30:00.000000Z". Inputs may have any offset; digits past the sixth are cut off.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => match Timestamp::parse(text) {
                Ok(instant) => Ok(Self(instant)),
                Err(_) => Err(InputValueError::expected_type(value)),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if Timestamp::parse(text).is_ok())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339())
    }
}

impl From<Timestamp> for DateTime {
    fn from(instant: Timestamp) -> Self {
        Self(instant)
    }
}

/// See the scalar's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256(pub Digest);

/// A 256-bit digest (SHA-256, or HMAC-SHA-256 where a description says keyed) as 64 lower-case hexadecimal digits.
#[Scalar]
impl ScalarType for Sha256 {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => match Digest::parse(text) {
                Some(digest) => Ok(Self(digest)),
                None => Err(InputValueError::expected_type(value)),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(text) if Digest::parse(text).is_some())
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_hex())
    }
}

impl From<Digest> for Sha256 {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

/// See the scalar's description.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(pub Value);

/// Any JSON value: an object, a list, a string, a number, a boolean or null.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        // Objects and lists of answers count by what is in them: here nobody else does it.
        let is_nested = matches!(self.0, Value::Object(_) | Value::List(_));
        if is_nested && !charge(bytes(&self.0)) {
            return Value::Null;
        }
        self.0.clone()
    }
}

/// Bytes of a value as JSON. What is small counts as more than it is written with: it takes more to hold.
fn bytes(value: &Value) -> usize {
    const SMALL: usize = 24;
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + SMALL + bytes(value)).sum(),
        Value::List(items) => items.iter().map(|item| SMALL.max(bytes(item))).sum(),
        Value::String(text) => text.len() + 2,
        _ => 8,
    }
}

impl Json {
    /// Reads the JSON text of a payload.
    ///
    /// # Errors
    /// `INTERNAL` when it is no JSON: payloads are written as canonical JSON only.
    pub fn parse_text(text: &str) -> Result<Self> {
        serde_json::from_str(text).map(Self).map_err(Error::internal)
    }

    /// The value as `serde_json` knows it.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` that names `field` for what JSON cannot hold.
    pub fn into_json(self, field: &str) -> Result<serde_json::Value> {
        self.0.into_json().map_err(|_| Error::input(field, format!("{field} is not JSON")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn safe_ints_are_exact_in_any_json_library() {
        assert!(SafeInt::is_valid(&Value::from(SAFE_INT_MAX)));
        for bad in [Value::from(SAFE_INT_MAX + 1), Value::from("1"), Value::from(1.5), Value::from(i64::MIN)] {
            assert!(!SafeInt::is_valid(&bad), "{bad}");
        }
    }

    #[test]
    fn big_ints_are_strings() {
        assert_eq!(BigInt(i64::MAX).to_value(), Value::from("9223372036854775807"));
        assert!(!BigInt::is_valid(&Value::from(1)) && !BigInt::is_valid(&Value::from("9223372036854775808")));
    }

    #[test]
    fn instants_have_six_digits() {
        let instant = <DateTime as ScalarType>::parse(Value::from("2026-11-21T09:30:00+01:00")).expect("valid");
        assert_eq!(instant.to_value(), Value::from("2026-11-21T08:30:00.000000Z"));
        assert!(!DateTime::is_valid(&Value::from("yesterday")));
    }

    #[test]
    fn digests_have_64_digits() {
        assert!(Sha256::is_valid(&Value::from("ab".repeat(32))) && !Sha256::is_valid(&Value::from("ab".repeat(31))));
    }

    #[test]
    fn money_is_exact() {
        assert_eq!(Decimal::usd(1_234_567).to_value(), Value::from("1.234567"));
        assert_eq!(Decimal::cents(1_234_567).to_value(), Value::from("123.4567"));
        assert_eq!(Decimal::usd(0).to_value(), Value::from("0.000000"));
        for bad in ["0.0000001", "9223372036855", "79228162514264337593543950335"] {
            let number = <Decimal as ScalarType>::parse(Value::from(bad)).expect("a decimal");
            assert!(number.to_micros("costUsd").is_err(), "{bad}");
        }
        assert!(!Decimal::is_valid(&Value::from(0.1)) && !Decimal::is_valid(&Value::from("1e400")));
    }

    proptest! {
        #[test]
        fn money_reads_back(cost_micros: i64) {
            let text = Decimal::usd(cost_micros).to_value();
            let number = <Decimal as ScalarType>::parse(text).expect("own text");
            prop_assert_eq!(number.to_micros("costUsd").expect("fits"), cost_micros);
        }
    }
}
