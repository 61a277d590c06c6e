//! What the attributes of GenAI instrumentations mean, read through one versioned alias table: current and old OpenTelemetry
//! `gen_ai.*`, OpenInference, OpenLLMetry, the AI SDK, and the names that other tools add to them.

pub mod content;
pub mod guardrail;
pub mod kind;
pub mod outcome;
pub mod provider;
pub mod table;
pub mod usage;
pub mod value;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use self::table::{SLOTS, Slot};

/// The values of one span by meaning, whatever names they came under.
#[derive(Debug)]
pub struct Found<'a> {
    values: [Option<(usize, &'a AnyValue)>; SLOTS],
}

impl<'a> Found<'a> {
    /// Sorts attributes by meaning. Of several names for one meaning the one that stands first in the table counts, of
    /// several attributes of one name the first; empty values do not count. So the order of attributes does not matter.
    #[must_use]
    pub fn read(attributes: &'a [KeyValue]) -> Self {
        let mut found = Self { values: [None; SLOTS] };
        for attribute in attributes {
            if let (Some((slot, rank)), Some(value)) = (table::lookup(&attribute.key), &attribute.value) {
                found.offer(slot, rank, value);
            }
        }
        found
    }

    fn offer(&mut self, slot: Slot, rank: usize, value: &'a AnyValue) {
        let place = &mut self.values[slot as usize];
        if !value::is_empty(value) && place.is_none_or(|(best, _)| rank < best) {
            *place = Some((rank, value));
        }
    }

    /// The value with this meaning.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&'a AnyValue> {
        self.values[slot as usize].map(|(_, value)| value)
    }

    /// The value as text; of a list, the first item.
    #[must_use]
    pub fn text(&self, slot: Slot) -> Option<std::borrow::Cow<'a, str>> {
        self.get(slot).and_then(value::text)
    }

    /// The value as a whole number; also where it came as text or as a floating-point number.
    #[must_use]
    pub fn integer(&self, slot: Slot) -> Option<i64> {
        self.get(slot).and_then(value::integer)
    }

    /// The value as a number.
    #[must_use]
    pub fn number(&self, slot: Slot) -> Option<f64> {
        self.get(slot).and_then(value::number)
    }

    /// The value as a label, redacted and cut.
    #[must_use]
    pub fn label(&self, slot: Slot) -> Option<String> {
        self.text(slot).and_then(|text| super::text::label(&text))
    }

    /// The value as an identifier, not redacted.
    #[must_use]
    pub fn identifier(&self, slot: Slot) -> Option<String> {
        self.text(slot).and_then(|text| super::text::identifier(&text))
    }
}

/// The model among the parameters of a call: some instrumentations name it nowhere else when the call fails.
#[must_use]
pub fn model_of_parameters(attributes: &[KeyValue]) -> Option<String> {
    const NAMES: &[&str] =
        &["llm.invocation_parameters", "embedding.invocation_parameters", "langfuse.observation.model.parameters"];
    let parameters = attributes.iter().find(|attribute| NAMES.contains(&attribute.key.as_str()))?;
    let parameters: serde_json::Value = serde_json::from_str(&value::text(parameters.value.as_ref()?)?).ok()?;
    let model =
        ["model", "model_name", "model_id", "modelId"].iter().find_map(|name| parameters.get(name)?.as_str())?;
    super::text::label(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_the_table_counts_whatever_the_order() {
        let attribute = |key: &str, text: &str| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue {
                value: Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text.to_owned())),
            }),
            ..KeyValue::default()
        };
        let mut attributes = vec![
            attribute("llm.model_name", "old"),
            attribute("gen_ai.request.model", "new"),
            attribute("gen_ai.request.model", "again"),
            attribute("gen_ai.response.model", ""),
        ];
        let found = Found::read(&attributes);
        assert_eq!(found.text(Slot::RequestModel).as_deref(), Some("new"));
        assert_eq!(found.text(Slot::ResponseModel).as_deref(), Some("old"));
        attributes.swap(0, 1);
        assert_eq!(Found::read(&attributes).text(Slot::RequestModel).as_deref(), Some("new"));
    }
}
