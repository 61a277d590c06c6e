//! Policy activations: which policy came into force, and on whose word.

use super::record::record;
use super::time::Timestamp;
use super::vocabulary::ActorType;

macro_rules! policy_activation {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// A policy came into force. The newest activation of a policy is the current one.
        PolicyActivation in "policy_activation": PolicyActivation {
            /// The policy.
            policy_id: String,
            /// The pattern that it was made from.
            source_pattern_id: String,
            /// The recovery that it was made from.
            source_recovery_id: Option<String>,
            /// Confidence in millionths, 0 to 1,000,000.
            confidence_ppm: i64,
            /// The version of the method that gave the confidence.
            confidence_version: String,
            /// `auto`, `human:<id>` or `threshold`.
            approval_path: String,
            /// The trace of the loop that proposed it.
            loop_trace_id: Option<String>,
            /// What kind of actor activated it.
            actor_type: Option<ActorType>,
            /// Who activated it. An identifier: not redacted.
            actor_id: Option<String>,
            /// The writer: `graphql`, or the name that the caller gave.
            source_component: String,
            /// When it came into force.
            activated_at: Timestamp,
        }
    } };
}
pub(crate) use policy_activation;
policy_activation!(record);

/// Confidence 1 in millionths.
pub const CONFIDENCE_PPM_MAX: i64 = 1_000_000;

/// A policy activation as a caller hands it in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyActivationInput {
    /// The policy.
    pub policy_id: String,
    /// The pattern that it was made from.
    pub source_pattern_id: String,
    /// The recovery that it was made from.
    pub source_recovery_id: Option<String>,
    /// Confidence in millionths.
    pub confidence_ppm: i64,
    /// The version of the method that gave the confidence.
    pub confidence_version: String,
    /// `auto`, `human:<id>` or `threshold`.
    pub approval_path: String,
    /// The trace of the loop that proposed it.
    pub loop_trace_id: Option<String>,
    /// What kind of actor activated it; follows from the approval path where a person approved.
    pub actor_type: Option<ActorType>,
    /// Who activated it.
    pub actor_id: Option<String>,
    /// The writer; `graphql` where it is absent.
    pub source_component: Option<String>,
    /// When it came into force; now where it is absent.
    pub activated_at: Option<Timestamp>,
}
