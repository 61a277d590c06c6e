//! The hash that tells whether two requests under one idempotency key are the same.

use serde_json::Value;

use super::digest::ContentHasher;
use super::json::{SAFE_INTEGER_MAX, canonical};
use crate::domain::ids::Digest;
use crate::error::Result;

/// HMAC-SHA-256 under the tenant's content key over the mutation and the canonical JSON of what was sent. Keyed, because it
/// covers content and stands in the database: nobody who reads that may confirm a guess with it. Neither the order of members
/// nor a field that was left out is in it, so that a field that is added later changes the hash of no earlier request.
///
/// # Errors
/// `INTERNAL` when the JSON cannot be written; what came in as JSON always can.
pub fn request_hash(content_key: &[u8; 32], operation: &str, sent: &Value) -> Result<Digest> {
    // U+0000 is in no text that is digested as content, so no content's digest is a request's hash.
    let text = format!("\0request\0{operation}\0{}", canonical(&exact(sent))?);
    Ok(ContentHasher::new(content_key).digest(&text))
}

/// The same value, with texts in the place of numbers that canonical JSON would round.
fn exact(sent: &Value) -> Value {
    match sent {
        Value::Number(number) if !is_exact(number) => Value::String(format!("\0{number}")),
        Value::Array(items) => items.iter().map(exact).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), exact(member))).collect(),
        other => other.clone(),
    }
}

fn is_exact(number: &serde_json::Number) -> bool {
    match (number.as_i64(), number.as_f64()) {
        (Some(integer), _) => integer.unsigned_abs() <= SAFE_INTEGER_MAX,
        (None, Some(float)) => float.is_finite() && float.abs() <= 9_007_199_254_740_991.0,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(sent: &Value) -> String {
        request_hash(&[7; 32], "recordLlmRun", sent).expect("JSON").to_hex()
    }

    #[test]
    fn the_hash_of_a_request_is_the_same_for_ever() {
        // python3 -c "import hmac;print(hmac.new(b'\x07'*32,b'\x00request\x00recordLlmRun\x00{\"inputTokens\":3,\"plan\":{\"a\":null,\"b\":0.5},\"prompt\":{\"text\":\"What is retention?\"},\"runId\":\"r\",\"tags\":[\"b\",\"a\"]}','sha256').hexdigest())"
        let sent = json!({ "runId": "r", "tags": ["b", "a"], "inputTokens": 3, "prompt": { "text": "What is retention?" },
            "plan": { "b": 0.5, "a": null } });
        assert_eq!(hash(&sent), "656a6b158fa5afa8abb3d9bbbd6962a0fe693b931c22cff891c8365f3e6d04fd");
    }

    #[test]
    fn requests_are_told_apart_by_key_operation_and_every_value() {
        let sent = json!({ "a": 1 });
        let of = |key: u8, operation: &str| request_hash(&[key; 32], operation, &sent).expect("JSON");
        assert_ne!(of(1, "startTrace"), of(2, "startTrace"));
        assert_ne!(of(1, "startTrace"), of(1, "recordTrace"));
        let values = [
            "9007199254740993",
            "9007199254740992",
            "\"9007199254740993\"",
            "1e300",
            "1e301",
            "18446744073709551615",
            "null",
        ];
        let hashes: std::collections::BTreeSet<String> = values
            .iter()
            .map(|value| hash(&serde_json::from_str(&format!("{{\"a\":{value}}}")).expect("JSON")))
            .collect();
        assert_eq!(hashes.len(), values.len(), "none is rounded to another");
    }
}
