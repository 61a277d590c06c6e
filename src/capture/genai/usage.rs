//! Tokens, cost and timing of one span.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value as Json;

use super::Found;
use super::table::Slot;
use super::value::whole;
use crate::domain::input::STEP_TOKENS_MAX;
use crate::domain::vocabulary::StepKind;

/// The highest cost that one span may claim, in US dollars.
const COST_USD_MAX: f64 = 1e9;

/// What a span says about its own tokens. Negative and absurd counts are taken as not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanUsage {
    /// Input tokens.
    pub input: Option<i64>,
    /// Output tokens, those of reasoning included.
    pub output: Option<i64>,
    /// Of the input, read from a cache.
    pub cached: Option<i64>,
    /// Of the input, written to a cache.
    pub cache_write: Option<i64>,
    /// Of the output, spent on reasoning.
    pub reasoning: Option<i64>,
}

impl SpanUsage {
    /// Reads the counts under any of their names. Where only a total is said, the rest follows from it.
    #[must_use]
    pub fn read(found: &Found<'_>, kind: StepKind) -> Self {
        let count = |slot| found.integer(slot).filter(|count| (0..=STEP_TOKENS_MAX).contains(count));
        let details = found.text(Slot::UsageDetails).and_then(|text| serde_json::from_str::<Json>(&text).ok());
        let detail = |names: &[&str]| details.as_ref().and_then(|details| member(details, names));
        let input =
            count(Slot::InputTokens).or_else(|| detail(&["input_tokens", "input", "prompt_tokens", "inputTokens"]));
        let output = count(Slot::OutputTokens)
            .or_else(|| detail(&["output_tokens", "output", "completion_tokens", "outputTokens"]));
        let total = count(Slot::TotalTokens).or_else(|| detail(&["total_tokens", "total"]));
        let input = input.or_else(|| match (total, output) {
            (Some(total), Some(output)) => total.checked_sub(output).filter(|rest| *rest >= 0),
            (Some(total), None) if kind == StepKind::Embedding => Some(total),
            _ => None,
        });
        let output = output.or_else(|| total.zip(input).map(|(total, input)| total - input).filter(|rest| *rest > 0));
        Self {
            input,
            output,
            cached: count(Slot::CachedTokens)
                .or_else(|| detail(&["cache_read_input_tokens", "input_cached_tokens", "cached_tokens", "cache_read"])),
            cache_write: count(Slot::CacheWriteTokens)
                .or_else(|| detail(&["cache_creation_input_tokens", "cache_write", "cache_creation"])),
            reasoning: count(Slot::ReasoningTokens)
                .or_else(|| detail(&["output_reasoning_tokens", "reasoning_tokens", "reasoning"])),
        }
    }
}

fn member(details: &Json, names: &[&str]) -> Option<i64> {
    names
        .iter()
        .find_map(|name| details.get(name)?.as_f64().and_then(whole))
        .filter(|count| (0..=STEP_TOKENS_MAX).contains(count))
}

/// What the span says it cost, in millionths of a US dollar: a total, else the sum of its parts.
#[must_use]
pub fn said_cost_micros(found: &Found<'_>) -> Option<i64> {
    let parts = || {
        let parts = [found.number(Slot::CostInput), found.number(Slot::CostOutput)];
        parts.iter().any(Option::is_some).then(|| parts.iter().flatten().sum())
    };
    let details = || {
        let details: Json = serde_json::from_str(&found.text(Slot::CostDetails)?).ok()?;
        let part = |names: &[&str]| names.iter().find_map(|name| details.get(name)?.as_f64());
        part(&["total", "total_cost"]).or_else(|| {
            let parts = [part(&["input", "input_cost"]), part(&["output", "output_cost"])];
            parts.iter().any(Option::is_some).then(|| parts.iter().flatten().sum())
        })
    };
    micros_of_usd(found.number(Slot::CostTotal).or_else(parts).or_else(details)?)
}

/// US dollars in millionths, rounded half away from zero. `None` for negative and absurd amounts.
#[must_use]
pub fn micros_of_usd(dollars: f64) -> Option<i64> {
    if !(0.0..=COST_USD_MAX).contains(&dollars) {
        return None;
    }
    let exact = Decimal::try_from(dollars).ok()?.checked_mul(Decimal::from(1_000_000))?;
    exact.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero).to_i64()
}

/// Whether cached tokens stand beside the input tokens rather than within them. Anthropic's own counts do; those who
/// instrument it and add them up are named here.
#[must_use]
pub fn is_cache_apart(provider: Option<&str>, model: Option<&str>, scope: &str) -> bool {
    const ADD_UP: &[&str] = &["opentelemetry.instrumentation.anthropic", "pydantic-ai", "@ai-sdk", "ai"];
    let is_anthropic = provider == Some("anthropic") || model.is_some_and(|model| model.contains("claude"));
    is_anthropic && !ADD_UP.contains(&scope)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    use super::*;

    fn attributes(pairs: &[(&str, Value)]) -> Vec<KeyValue> {
        pairs
            .iter()
            .map(|(key, value)| KeyValue {
                key: (*key).to_owned(),
                value: Some(AnyValue { value: Some(value.clone()) }),
                ..KeyValue::default()
            })
            .collect()
    }

    #[test]
    fn totals_fill_gaps_and_absurd_counts_are_not_said() {
        let read = |pairs: &[(&str, Value)], kind| SpanUsage::read(&Found::read(&attributes(pairs)), kind);
        let total = read(&[("llm.token_count.total", Value::IntValue(9))], StepKind::Embedding);
        assert_eq!((total.input, total.output), (Some(9), None));
        let total = read(&[("gen_ai.usage.total_tokens", Value::IntValue(9))], StepKind::Llm);
        assert_eq!((total.input, total.output), (None, None));
        let both =
            [("gen_ai.usage.total_tokens", Value::IntValue(9)), ("gen_ai.usage.input_tokens", Value::IntValue(4))];
        assert_eq!(read(&both, StepKind::Llm).output, Some(5));
        assert_eq!(read(&[("gen_ai.usage.input_tokens", Value::IntValue(-1))], StepKind::Llm).input, None);
        assert_eq!(read(&[("gen_ai.usage.input_tokens", Value::IntValue(i64::MAX))], StepKind::Llm).input, None);
        let details =
            [("mlflow.chat.tokenUsage", Value::StringValue(r#"{"input_tokens":3,"output_tokens":4}"#.into()))];
        assert_eq!(read(&details, StepKind::Llm).input, Some(3));
        let aggregated = [("gen_ai.aggregated_usage.input_tokens", Value::IntValue(100))];
        assert_eq!(read(&aggregated, StepKind::Agent), SpanUsage::default());
    }

    #[test]
    fn cost_is_a_total_or_a_sum() {
        let cost = |pairs: &[(&str, Value)]| said_cost_micros(&Found::read(&attributes(pairs)));
        assert_eq!(cost(&[("operation.cost", Value::DoubleValue(0.000_123_5))]), Some(124));
        assert_eq!(
            cost(&[("llm.cost.prompt", Value::DoubleValue(0.1)), ("llm.cost.completion", Value::DoubleValue(0.2))]),
            Some(300_000)
        );
        let details = Value::StringValue(r#"{"input":0.1,"output":0.2,"total":0.5}"#.into());
        assert_eq!(cost(&[("langfuse.observation.cost_details", details)]), Some(500_000));
        assert_eq!(cost(&[("operation.cost", Value::DoubleValue(-1.0))]), None);
        assert_eq!(cost(&[("operation.cost", Value::DoubleValue(1e300))]), None);
        assert_eq!(cost(&[]), None);
    }

    #[test]
    fn only_anthropics_own_counts_leave_the_cache_out() {
        assert!(is_cache_apart(Some("anthropic"), None, "com.anthropic.sdk.python"));
        assert!(is_cache_apart(Some("aws.bedrock"), Some("anthropic.claude-sonnet-4"), "x"));
        assert!(!is_cache_apart(Some("openai"), Some("gpt-4o"), "x"));
        assert!(!is_cache_apart(Some("anthropic"), None, "pydantic-ai"));
    }
}
