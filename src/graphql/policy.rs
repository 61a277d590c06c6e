//! Policy activations: the record, its list and how it is recorded.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject, Value, indexmap::IndexMap};

use crate::domain::evidence;
use crate::domain::ids::{IdKind, check_name};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::policy::{CONFIDENCE_PPM_MAX, PolicyActivationInput};
use crate::error::{Error, Result};
use crate::facade::LogsFacade;
use crate::facade::policies::StoredActivation;
use crate::graphql::ledger::entries::LedgerEntry;
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::root::inputs::idempotency;
use crate::graphql::shared::connection::{Connection, List, PageArgs, connect};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::entities::{Policy, Tenant};
use crate::graphql::shared::enums::ActorType;
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::evidence::{EvidenceMetadata, metadata};
use crate::graphql::shared::record_fields::{RecordFields, record};
use crate::graphql::shared::row::{Row, columns};
use crate::graphql::shared::scalars::{DateTime, Decimal};

record! {
    /// See [`crate::domain::policy::PolicyActivation`].
    PolicyActivation(StoredActivation)
}

/// A policy came into force. Each activation is a record of its own, written once and never changed; the newest activation
/// of a policy is the one in force.
#[Object]
impl PolicyActivation {
    /// The id of this record, for node and for other subgraphs. Opaque.
    pub(super) fn id(&self) -> ID {
        ID(self.0.id.typed(IdKind::Policy))
    }

    /// The policy, as its owner names it.
    fn policy_id(&self) -> ID {
        ID(self.0.policy_id.clone())
    }

    /// The policy, which another subgraph may know more about.
    fn policy(&self) -> Row<Policy> {
        Row(Policy(self.0.policy_id.clone()))
    }

    /// The tenant that the record belongs to.
    fn tenant(&self) -> Row<Tenant> {
        Row(Tenant(self.0.tenant_id.clone()))
    }

    /// The pattern that the policy was made from.
    fn source_pattern_id(&self) -> &str {
        &self.0.source_pattern_id
    }

    /// The recovery that the policy was made from. Null when there was none.
    fn source_recovery_id(&self) -> Option<&str> {
        self.0.source_recovery_id.as_deref()
    }

    /// How sure the method was that the policy fits, 0 to 1 with six decimal places.
    fn confidence(&self) -> Decimal {
        Decimal::usd(self.0.confidence_ppm)
    }

    /// The version of the method that gave the confidence.
    fn confidence_version(&self) -> &str {
        &self.0.confidence_version
    }

    /// On whose word: "auto", "threshold", or "human:" and the person's id, which is not redacted.
    fn approval_path(&self) -> &str {
        &self.0.approval_path
    }

    /// The trace of the loop that proposed the policy. Null when there was none.
    fn loop_trace_id(&self) -> Option<&str> {
        self.0.loop_trace_id.as_deref()
    }

    /// What kind of actor activated the policy. Null when it is not known.
    fn actor_type(&self) -> Option<ActorType> {
        self.0.actor_type.map(Into::into)
    }

    /// Who activated the policy, as the caller names them; not redacted. Null when it is not known.
    fn actor_id(&self) -> Option<&str> {
        self.0.actor_id.as_deref()
    }

    /// When the policy came into force.
    fn activated_at(&self) -> DateTime {
        DateTime(self.0.activated_at)
    }

    #[graphql(flatten)]
    fn record_fields(&self) -> RecordFields {
        (&self.0).into()
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, &self.0.tenant_id, self.0.id).await)
    }

    /// Who, what, when and from where, for use as evidence.
    pub(super) fn metadata(&self) -> Row<EvidenceMetadata> {
        metadata(evidence::EvidenceMetadata::of_activation(&self.0))
    }
}

columns!(PolicyActivation {
    "id" => id, "policyId" => policy_id, "policy" => policy, "tenant" => tenant, "sourcePatternId" => source_pattern_id,
    "sourceRecoveryId" => source_recovery_id, "confidence" => confidence, "confidenceVersion" => confidence_version,
    "approvalPath" => approval_path, "loopTraceId" => loop_trace_id, "actorType" => actor_type, "actorId" => actor_id,
    "activatedAt" => activated_at, "metadata" => metadata, ..record_fields
});

/// A list of policy activations.
pub struct ActivationList {
    policy_id: Option<String>,
    given: Value,
    as_of: Option<AsOf>,
}

impl ActivationList {
    /// The activations of one policy or of all.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for a name that no policy can have; `BAD_CURSOR` for a wrong `asOf`.
    pub fn of(policy_id: Option<&str>, as_of: Option<&str>) -> Result<Self> {
        policy_id.map_or(Ok(()), |policy_id| check_name("policyId", policy_id))?;
        let given: IndexMap<_, _> =
            policy_id.iter().map(|policy_id| (async_graphql::Name::new("policyId"), Value::from(*policy_id))).collect();
        Ok(Self {
            policy_id: policy_id.map(str::to_owned),
            given: Value::Object(given),
            as_of: as_of.map(AsOf::parse).transpose()?,
        })
    }
}

impl List for ActivationList {
    type Item = PolicyActivation;
    const CONNECTION: &'static str = "PolicyActivationConnection";
    const EDGE: &'static str = "PolicyActivationEdge";

    fn filter(&self) -> &Value {
        &self.given
    }

    async fn page(&self, facade: &LogsFacade, request: &PageRequest) -> Result<Page<PolicyActivation>> {
        let page = facade.list_policy_activations(self.policy_id.as_deref(), request, self.as_of).await?;
        Ok(page.map(PolicyActivation))
    }

    async fn count(&self, facade: &LogsFacade, cap: u32) -> Result<Count> {
        facade.count_policy_activations(self.policy_id.as_deref(), self.as_of, cap).await
    }
}

/// Root fields about policies.
#[derive(Default)]
pub struct PolicyQueries;

#[Object]
impl PolicyQueries {
    /// Policy activations, newest first.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn policy_activations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only activations of this policy. Those of all policies when it is not given.")]
        policy_id: Option<ID>,
        #[graphql(
            desc = "How many activations to take from the start, 0 to 200. 50 when neither first nor last is given."
        )]
        first: Option<i32>,
        #[graphql(desc = "Take only activations behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many activations to take from the end, 0 to 200. Not together with first.")] last: Option<
            i32,
        >,
        #[graphql(desc = "Take only activations before this cursor.")] before: Option<String>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<Connection<ActivationList>>> {
        let list = ActivationList::of(policy_id.as_ref().map(|id| id.0.as_str()), as_of.as_deref())?;
        connect(ctx, list, &PageArgs { first, after, last, before }).await
    }
}

/// What recordPolicyActivation takes.
#[derive(InputObject)]
pub struct RecordPolicyActivationInput {
    /// The policy, as its owner names it, 1 to 128 bytes. Redacted.
    policy_id: ID,
    /// The pattern that the policy was made from, 1 to 128 bytes. An identifier: it is not redacted.
    source_pattern_id: String,
    /// The recovery that the policy was made from. An identifier: it is not redacted.
    source_recovery_id: Option<String>,
    /// How sure the method is that the policy fits, 0 to 1 with at most six decimal places.
    confidence: f64,
    /// The version of the method that gave the confidence, at most 128 bytes. Redacted.
    confidence_version: String,
    /// On whose word: "auto", "threshold", or "human:" and the person's id. An identifier: it is not redacted.
    approval_path: String,
    /// The trace of the loop that proposed the policy. An identifier: it is not redacted.
    loop_trace_id: Option<ID>,
    /// What kind of actor activated the policy. A person when the approval path names one.
    actor_type: Option<ActorType>,
    /// Who activated the policy. The person of the approval path when it names one. An identifier: it is not redacted.
    actor_id: Option<String>,
    /// The name of the program that records this, at most 128 bytes. "graphql" when it is not given; the names of the
    /// server's own parts (otlp, graphql, server, export, verifier) are refused. Redacted.
    source_component: Option<String>,
    /// When the policy came into force. Now when it is not given.
    activated_at: Option<DateTime>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// Confidence in millionths, exactly: a number is taken for the shortest decimal that reads as it, which is what was
/// written as long as that had at most 15 digits.
fn confidence_ppm(confidence: f64) -> Result<i64> {
    let decimal = Decimal::of_text(&confidence.to_string());
    decimal
        .and_then(|decimal| decimal.to_micros("confidence").ok())
        .filter(|ppm| (0..=CONFIDENCE_PPM_MAX).contains(ppm))
        .ok_or_else(|| {
            let message = format!("confidence lies between 0 and 1 with at most six decimal places, got {confidence}");
            Error::input("confidence", message)
        })
}

impl RecordPolicyActivationInput {
    fn into_domain(self) -> Result<PolicyActivationInput> {
        Ok(PolicyActivationInput {
            policy_id: self.policy_id.0,
            source_pattern_id: self.source_pattern_id,
            source_recovery_id: self.source_recovery_id,
            confidence_ppm: confidence_ppm(self.confidence)?,
            confidence_version: self.confidence_version,
            approval_path: self.approval_path,
            loop_trace_id: self.loop_trace_id.map(|id| id.0),
            actor_type: self.actor_type.map(Into::into),
            actor_id: self.actor_id,
            source_component: self.source_component,
            activated_at: self.activated_at.map(|instant| instant.0),
        })
    }
}

/// What recordPolicyActivation gives.
#[derive(SimpleObject)]
pub struct RecordPolicyActivationPayload {
    /// The activation as it was recorded. Null with an error where something that is selected of it is not yours to read: it
    /// is on record either way.
    policy_activation: Option<Row<PolicyActivation>>,
    /// The receipt of the activation, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
}

/// Writes about policies.
#[derive(Default)]
pub struct PolicyMutations;

#[Object]
impl PolicyMutations {
    /// Records that a policy came into force, and with it a PolicyActivated entry of the audit ledger: both or neither. Needs
    /// the scope audit:write.
    async fn record_policy_activation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The activation.")] input: RecordPolicyActivationInput,
    ) -> ApiResult<RecordPolicyActivationPayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let recorded = facade.record_policy_activation(input.into_domain()?, key).await?;
        Ok(RecordPolicyActivationPayload {
            receipt: Receipt(Some(recorded.activation.id)),
            policy_activation: Some(recorded.activation.into()),
            is_replayed: recorded.is_replayed,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_confidence_is_stored_as_it_was_written(ppm in 0..=CONFIDENCE_PPM_MAX) {
            let written = format!("{}.{:06}", ppm / CONFIDENCE_PPM_MAX, ppm % CONFIDENCE_PPM_MAX);
            let number: f64 = written.parse().expect("a number");
            prop_assert_eq!(confidence_ppm(number).expect("valid"), ppm);
        }

        #[test]
        fn any_number_is_exact_or_refused(number: f64) {
            if let Ok(ppm) = confidence_ppm(number) {
                let text = Decimal::usd(ppm).to_text();
                prop_assert_eq!(text.parse::<f64>().expect("a number"), number);
            }
        }
    }

    #[test]
    fn what_is_no_confidence_is_refused_by_name() {
        for wrong in [-0.1, 1.000_001, 0.123_456_7, 1e-7, 5e-324, 1e300, f64::NAN, f64::INFINITY] {
            let error = confidence_ppm(wrong).expect_err("wrong");
            assert_eq!(error.detail(), &crate::error::Detail::Field("confidence".to_owned()), "{wrong}");
            assert!(error.message().contains("between 0 and 1"), "{error:?}");
        }
        assert_eq!((confidence_ppm(-0.0).expect("zero"), confidence_ppm(1e-6).expect("least")), (0, 1));
    }
}
