//! What was sent under an idempotency key, as JSON from which its hash is made.

use async_graphql::{InputType, Value};

use crate::domain::input::IdempotencyKey;
use crate::error::{Error, Result};

/// Input fields whose value is the caller's own JSON: what is null or false in it was said. A test holds the list against the
/// schema.
pub const JSON_FIELDS: [&str; 6] = ["after", "attributes", "before", "details", "metadata", "plan"];
const KEY: &str = "idempotencyKey";

/// The caller's key with the input that it came in. Fields that say nothing are left out, sent or not (null, and false, the
/// default of every flag): a client that learns of a field that was added later sends the same request still.
///
/// # Errors
/// `BAD_USER_INPUT` for what JSON cannot hold.
pub fn idempotency<T: InputType>(input: &T, key: Option<&String>) -> Result<Option<IdempotencyKey>> {
    let Some(key) = key else { return Ok(None) };
    let mut sent = input.to_value();
    if let Value::Object(fields) = &mut sent {
        fields.shift_remove(KEY);
    }
    drop_unsaid(&mut sent);
    let sent = sent.into_json().map_err(|_| Error::input("input", "the input is not JSON"))?;
    Ok(Some(IdempotencyKey { key: key.clone(), sent }))
}

fn drop_unsaid(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !matches!(field, Value::Null | Value::Boolean(false)));
            let said = fields.iter_mut().filter(|(name, _)| !JSON_FIELDS.contains(&name.as_str()));
            said.for_each(|(_, field)| drop_unsaid(field));
        }
        Value::List(items) => items.iter_mut().for_each(drop_unsaid),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, value};

    use super::*;
    use crate::graphql::root::mutation::RecordLlmRunInput;

    fn sent(input: Value) -> serde_json::Value {
        let input = RecordLlmRunInput::parse(Some(input)).map_err(|_| ()).expect("an input");
        idempotency(&input, Some(&"k".to_owned())).expect("JSON").expect("a key").sent
    }

    #[test]
    fn what_says_nothing_is_left_out_and_the_callers_own_json_stays_whole() {
        let step = value!({ "kind": "TOOL", "skillName": "s", "status": "SUCCESS", "startedAt": "2026-11-21T09:30:00+01:00",
            "attributes": { "a": null, "b": false }, "model": null });
        let found = sent(value!({ "runId": "r", "name": null, "isSynthetic": false, "idempotencyKey": "k",
            "trace": { "plan": null }, "steps": [step] }));
        let expected = serde_json::json!({ "runId": "r", "trace": {}, "steps": [{ "kind": "TOOL", "skillName": "s",
            "status": "SUCCESS", "startedAt": "2026-11-21T08:30:00.000000Z", "attributes": { "a": null, "b": false } }] });
        assert_eq!(found, expected);
        assert_ne!(
            sent(value!({ "runId": "r", "steps": [] })),
            sent(value!({ "runId": "r" })),
            "no steps begin a trace too"
        );
    }
}
