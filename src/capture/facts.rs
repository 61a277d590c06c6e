//! What sealing needs to know of a step beyond its columns: compact JSON, operational, never evidence. Redacted like
//! everything that is stored.

use serde::{Deserialize, Serialize};

use crate::domain::append::StepFacts;
use crate::domain::ids::Digest;

/// The facts of one step. All text is redacted and cut; absent is `None`, empty or `false`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The step came by OTLP; otherwise by a mutation.
    #[serde(rename = "o", skip_serializing_if = "is_false")]
    pub is_otlp: bool,
    /// Name of the instrumentation scope.
    #[serde(rename = "sc", skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The span's own name.
    #[serde(rename = "n", skip_serializing_if = "String::is_empty")]
    pub span_name: String,
    /// The parent is remote, or may be.
    #[serde(rename = "rp", skip_serializing_if = "is_false")]
    pub has_remote_parent: bool,
    /// `runledger.run_id`.
    #[serde(rename = "ri", skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// A name of the run.
    #[serde(rename = "rn", skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
    /// The session.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The end user.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub end_user_id: Option<String>,
    /// Labels.
    #[serde(rename = "t", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The agent.
    #[serde(rename = "a", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// `service.name`.
    #[serde(rename = "sn", skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// `service.instance.id`.
    #[serde(rename = "si", skip_serializing_if = "Option::is_none")]
    pub service_instance_id: Option<String>,
    /// `service.version`.
    #[serde(rename = "sv", skip_serializing_if = "Option::is_none")]
    pub service_version: Option<String>,
    /// `deployment.environment.name`.
    #[serde(rename = "en", skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(rename = "rg", skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `gen_ai.operation.name`.
    #[serde(rename = "op", skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The model that was asked for, where another one answered.
    #[serde(rename = "rm", skip_serializing_if = "Option::is_none")]
    pub request_model: Option<String>,
    /// Input tokens read from a cache.
    #[serde(rename = "ct", skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<i64>,
    /// Output tokens spent on reasoning.
    #[serde(rename = "rt", skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<i64>,
    /// Microseconds to the first token.
    #[serde(rename = "ft", skip_serializing_if = "Option::is_none")]
    pub first_token_us: Option<i64>,
    /// Why the model stopped.
    #[serde(rename = "fr", skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// The price table that the cost comes from; `None` where the span said it.
    #[serde(rename = "pv", skip_serializing_if = "Option::is_none")]
    pub price_version: Option<String>,
    /// `error.type`, else the exception's type.
    #[serde(rename = "et", skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// It ran out of time.
    #[serde(rename = "to", skip_serializing_if = "is_false")]
    pub is_timeout: bool,
    /// It is test data.
    #[serde(rename = "sy", skip_serializing_if = "is_false")]
    pub is_synthetic: bool,
    /// The scenario that made it.
    #[serde(rename = "sy_id", skip_serializing_if = "Option::is_none")]
    pub scenario_id: Option<String>,
    /// The caller's own id for cross-reference.
    #[serde(rename = "co", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What kind of actor started the run.
    #[serde(rename = "at", skip_serializing_if = "Option::is_none")]
    pub actor_type: Option<String>,
    /// Who started the run.
    #[serde(rename = "ai", skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Facts {
    /// The facts as they are stored, with the digest of what was sent.
    #[must_use]
    pub fn store(&self, digest: Digest) -> StepFacts {
        // Plain text and numbers: serialising them cannot fail.
        StepFacts { digest, text: serde_json::to_string(self).unwrap_or_default() }
    }

    /// Reads stored facts. What cannot be read, which only another version could have written, counts as absent.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_read_back_and_are_compact() {
        let facts = Facts {
            is_otlp: true,
            scope: "ai".into(),
            tags: vec!["a".into()],
            cached_tokens: Some(0),
            ..Facts::default()
        };
        let stored = facts.store(Digest([0; 32]));
        assert_eq!(stored.text, r#"{"o":true,"sc":"ai","t":["a"],"ct":0}"#);
        assert_eq!(Facts::parse(&stored.text), facts);
        assert_eq!(Facts::parse("not JSON"), Facts::default());
    }
}
