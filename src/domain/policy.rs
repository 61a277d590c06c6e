//! Policy activations: which policy came into force, and on whose word.

use super::time::Timestamp;
use super::vocabulary::ActorType;

/// A policy came into force. The newest activation of a policy is the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyActivation {
    /// The policy.
    pub policy_id: String,
    /// The pattern that it was made from.
    pub source_pattern_id: String,
    /// The recovery that it was made from.
    pub source_recovery_id: Option<String>,
    /// Confidence in millionths, 0 to 1,000,000.
    pub confidence_ppm: i64,
    /// The version of the method that gave the confidence.
    pub confidence_version: String,
    /// `auto`, `human:<id>` or `threshold`.
    pub approval_path: String,
    /// The trace of the loop that proposed it.
    pub loop_trace_id: Option<String>,
    /// What kind of actor activated it.
    pub actor_type: Option<ActorType>,
    /// Who activated it. An identifier: not redacted.
    pub actor_id: Option<String>,
    /// The writer: `graphql`, or the name that the caller gave.
    pub source_component: String,
    /// When it came into force.
    pub activated_at: Timestamp,
}
