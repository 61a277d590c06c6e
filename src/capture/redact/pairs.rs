//! Names that stand as values: `{"name": "Authorization", "value": "Token abc"}` of HAR, `{"key": .., "value": ..}` of OTLP,
//! `["Authorization", "Token abc"]`, and the words of a command line.

use serde_json::{Map, Value};

use super::{REDACTED, commands, is_kept_under_sensitive_key, is_sensitive_key, keys};

/// Whether a member of this name says the name of another.
#[must_use]
pub fn is_name_member(key: &str) -> bool {
    ["name", "key", "header", "field", "variable", "parameter"].iter().any(|known| key.eq_ignore_ascii_case(known))
}

/// Whether a member of this name holds the value of such a name.
#[must_use]
pub fn is_value_member(key: &str) -> bool {
    ["value", "val", "values", "content", "default", "text", "data", "stringValue", "string_value"]
        .iter()
        .any(|known| key.eq_ignore_ascii_case(known))
}

/// Removes the value of a pair whose name is sensitive; true when it did.
pub(super) fn redact_pair(members: &mut Map<String, Value>) -> bool {
    let name = members.iter().find_map(|(key, member)| {
        let name = member.as_str().filter(|_| is_name_member(key))?;
        is_sensitive_key(name).then(|| name.to_owned())
    });
    let Some(name) = name else { return false };
    let mut is_changed = false;
    for (key, member) in members.iter_mut() {
        let is_wrapped = member.as_object().is_some_and(|wrapped| wrapped.values().all(|inner| is_kept(&name, inner)));
        if is_value_member(key) && !is_kept(&name, member) && !is_wrapped {
            *member = Value::String(REDACTED.to_owned());
            is_changed = true;
        }
    }
    is_changed
}

/// The members of a JSON Web Key that are private.
pub(super) const PRIVATE_OF_JWK: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "k"];

/// Whether a member of a JSON Web Key is private.
#[must_use]
pub fn is_private_of_jwk(key: &str) -> bool {
    PRIVATE_OF_JWK.contains(&key)
}

/// Removes the private members of a JSON Web Key; true when there were any.
pub(super) fn redact_jwk(members: &mut Map<String, Value>) -> bool {
    if !members.get("kty").is_some_and(Value::is_string) {
        return false;
    }
    let mut is_changed = false;
    for name in PRIVATE_OF_JWK {
        if let Some(Value::String(text)) = members.get_mut(*name)
            && text != REDACTED
        {
            REDACTED.clone_into(text);
            is_changed = true;
        }
    }
    is_changed
}

/// Removes what stands behind the name of a header or of an option; true when it did.
pub(super) fn redact_items(items: &mut [Value]) -> bool {
    let is_pair = items.len() == 2;
    let mut is_changed = commands::redact_words(items);
    for at in 1..items.len() {
        let Some(name) = items[at - 1].as_str() else { continue };
        let is_option = name.starts_with('-') && !name.contains(['=', ' ']) && commands::takes_value(name);
        let is_named = is_option || (is_pair && keys::is_header(name) && !name.contains([' ', ':']));
        let value = items[at].as_str().filter(|value| !value.starts_with('-') && !value.is_empty());
        if is_named
            && value.is_some_and(|value| value != REDACTED && value.parse::<f64>().is_err())
            && is_sensitive_key(name)
        {
            items[at] = Value::String(REDACTED.to_owned());
            is_changed = true;
        }
    }
    is_changed
}

fn is_kept(name: &str, value: &Value) -> bool {
    is_kept_under_sensitive_key(name, value)
}
