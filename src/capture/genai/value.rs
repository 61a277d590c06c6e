//! Reads attribute values leniently: numbers that came as text, text in JSON quotes, lists of one.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;

/// Whether the value says nothing.
#[must_use]
pub fn is_empty(value: &AnyValue) -> bool {
    match &value.value {
        None => true,
        Some(Value::StringValue(text)) => text.trim().is_empty(),
        Some(Value::ArrayValue(items)) => items.values.iter().all(is_empty),
        Some(Value::KvlistValue(members)) => members.values.is_empty(),
        Some(Value::BytesValue(bytes)) => bytes.is_empty(),
        Some(_) => false,
    }
}

/// The value as text; of a list, its first item. Text in JSON quotes loses them (MLflow writes every value as JSON).
#[must_use]
pub fn text(value: &AnyValue) -> Option<Cow<'_, str>> {
    match value.value.as_ref()? {
        Value::StringValue(text) => Some(unquoted(text)),
        Value::IntValue(number) => Some(Cow::Owned(number.to_string())),
        Value::DoubleValue(number) => Some(Cow::Owned(number.to_string())),
        Value::BoolValue(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::ArrayValue(items) => items.values.iter().find(|item| !is_empty(item)).and_then(text),
        _ => None,
    }
}

fn unquoted(text: &str) -> Cow<'_, str> {
    if text.len() >= 2
        && text.starts_with('"')
        && text.ends_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(text)
    {
        return Cow::Owned(inner);
    }
    Cow::Borrowed(text)
}

/// The value as a whole number.
#[must_use]
pub fn integer(value: &AnyValue) -> Option<i64> {
    match value.value.as_ref()? {
        Value::IntValue(number) => Some(*number),
        Value::DoubleValue(number) => whole(*number),
        Value::StringValue(text) => {
            let text = unquoted(text);
            text.trim().parse::<i64>().ok().or_else(|| whole(text.trim().parse::<f64>().ok()?))
        }
        _ => None,
    }
}

/// A floating-point number without a fraction, within what it holds exactly.
#[must_use]
pub fn whole(number: f64) -> Option<i64> {
    let is_exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_991.0;
    #[expect(clippy::cast_possible_truncation, reason = "tested above: it is whole and within 2^53")]
    is_exact.then_some(number as i64)
}

/// The value as a finite number.
#[must_use]
pub fn number(value: &AnyValue) -> Option<f64> {
    let number = match value.value.as_ref()? {
        Value::DoubleValue(number) => *number,
        Value::StringValue(text) => unquoted(text).trim().parse().ok()?,
        // Beyond 2^53 it is rounded: no count, price or duration is as large.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        Value::IntValue(number) => *number as f64,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// Every text of a list; a text is split where it is a JSON list or holds commas.
#[must_use]
pub fn texts(value: &AnyValue) -> Vec<String> {
    match &value.value {
        Some(Value::ArrayValue(items)) => items.values.iter().filter_map(text).map(Cow::into_owned).collect(),
        Some(Value::StringValue(text)) => match serde_json::from_str::<Vec<String>>(text) {
            Ok(items) => items,
            Err(_) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn numbers_come_in_three_forms() {
        assert_eq!(integer(&value(Value::IntValue(7))), Some(7));
        assert_eq!(integer(&value(Value::DoubleValue(7.0))), Some(7));
        assert_eq!(integer(&value(Value::DoubleValue(7.5))), None);
        assert_eq!(integer(&value(Value::DoubleValue(f64::NAN))), None);
        assert_eq!(integer(&value(Value::StringValue(" 7 ".into()))), Some(7));
        assert_eq!(number(&value(Value::StringValue("0.5".into()))), Some(0.5));
        assert_eq!(number(&value(Value::DoubleValue(f64::INFINITY))), None);
    }

    #[test]
    fn text_loses_json_quotes_and_lists() {
        assert_eq!(text(&value(Value::StringValue("\"CHAT_MODEL\"".into()))).as_deref(), Some("CHAT_MODEL"));
        assert_eq!(text(&value(Value::StringValue("\"".into()))).as_deref(), Some("\""));
        assert_eq!(texts(&value(Value::StringValue("a, b".into()))), ["a", "b"]);
        assert_eq!(texts(&value(Value::StringValue("[\"a\",\"b\"]".into()))), ["a", "b"]);
    }
}
