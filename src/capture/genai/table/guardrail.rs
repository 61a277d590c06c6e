//! Names of guardrails, moderations and content filters. The OpenTelemetry conventions for them are still proposals, in two
//! generations: `gen_ai.guardian.*` with `gen_ai.security.decision.*`, where the guardrail's decision is what happens, and
//! `gen_ai.security.guardrail.*` with `verdict.*` and `action.*`, which tell what was said from what was done.

use super::Slot;

/// Name and meaning; a part of the one table.
pub(super) const ALIASES: &[(&str, Slot)] = &[
    ("gen_ai.security.guardrail.name", Slot::GuardrailName),
    ("gen_ai.guardrail.name", Slot::GuardrailName),
    ("gen_ai.guardian.name", Slot::GuardrailName),
    ("gen_ai.guardrails.name", Slot::GuardrailName),
    ("agent.guardrail.name", Slot::GuardrailName),
    ("guardrail.name", Slot::GuardrailName),
    ("guardrail_name", Slot::GuardrailName),
    ("gen_ai.security.guardrail.id", Slot::GuardrailId),
    ("gen_ai.guardrail.id", Slot::GuardrailId),
    ("gen_ai.guardian.id", Slot::GuardrailId),
    ("guardrail.id", Slot::GuardrailId),
    ("aws.bedrock.guardrail.id", Slot::GuardrailId),
    ("runledger.policy_id", Slot::PolicyId),
    ("gen_ai.security.policy.id", Slot::PolicyId),
    ("gen_ai.guardrail.policy.id", Slot::PolicyId),
    ("gen_ai.guardrail.policy_id", Slot::PolicyId),
    ("guardrail.policy_id", Slot::PolicyId),
    ("gen_ai.policy.id", Slot::PolicyId),
    ("gen_ai.security.policy.name", Slot::PolicyId),
    ("gen_ai.policy.name", Slot::PolicyId),
    ("runledger.rule_id", Slot::RuleId),
    ("gen_ai.security.policy.rule.id", Slot::RuleId),
    ("gen_ai.guardrail.rule.id", Slot::RuleId),
    ("gen_ai.guardrail.rule_id", Slot::RuleId),
    ("guardrail.rule_id", Slot::RuleId),
    ("gen_ai.security.risk.category", Slot::RuleId),
    ("gen_ai.security.risk.finding", Slot::RuleId),
    ("gen_ai.guardrails.type", Slot::RuleId),
    ("metadata.guardrail_type", Slot::RuleId),
    ("runledger.verdict", Slot::Verdict),
    ("gen_ai.security.verdict.type", Slot::Verdict),
    ("gen_ai.guardrail.verdict", Slot::Verdict),
    ("gen_ai.guardrail.result", Slot::Verdict),
    ("guardrail.verdict", Slot::Verdict),
    ("guardrail.result", Slot::Verdict),
    ("runledger.action", Slot::Action),
    ("gen_ai.security.action.type", Slot::Action),
    ("gen_ai.security.decision.type", Slot::Decision),
    ("gen_ai.guardrail.decision", Slot::Decision),
    ("gen_ai.guardrail.action", Slot::Decision),
    ("gen_ai.guardrails.action", Slot::Decision),
    ("guardrail.decision", Slot::Decision),
    ("guardrail.action", Slot::Decision),
    ("guardrail_action", Slot::Decision),
    ("guardrail_status", Slot::Decision),
    ("gen_ai.policy.action", Slot::Decision),
    ("gen_ai.guardrail.tripwire_triggered", Slot::Triggered),
    ("gen_ai.guardrail.triggered", Slot::Triggered),
    ("guardrail.tripwire_triggered", Slot::Triggered),
    ("guardrail.triggered", Slot::Triggered),
    ("agent.guardrail.triggered", Slot::Triggered),
    ("gen_ai.moderation.flagged", Slot::Flagged),
    ("gen_ai.openai.moderation.flagged", Slot::Flagged),
    ("openai.moderation.flagged", Slot::Flagged),
    ("llm.moderation.flagged", Slot::Flagged),
    ("moderation.flagged", Slot::Flagged),
    ("gen_ai.security.verdict.reason", Slot::VerdictReason),
    ("gen_ai.security.decision.reason", Slot::VerdictReason),
    ("gen_ai.guardrail.reason", Slot::VerdictReason),
    ("guardrail.reason", Slot::VerdictReason),
    ("gen_ai.security.target.type", Slot::GuardrailTarget),
    ("gen_ai.guardrail.target", Slot::GuardrailTarget),
    ("gen_ai.guardrail.mode", Slot::GuardrailTarget),
    ("guardrail_mode", Slot::GuardrailTarget),
];

/// How names end under which a provider's filter lists its categories, as JSON: Azure OpenAI's, on prompt and completion.
pub const FILTER_RESULTS: &[&str] = &["content_filter_results", "prompt_filter_results"];

/// Names of events that tell what a guardrail found.
pub const FINDING_EVENTS: &[&str] =
    &["gen_ai.security.finding", "gen_ai.guardrail.security.finding", "microsoft.security.finding"];
