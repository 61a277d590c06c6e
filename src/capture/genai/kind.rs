//! What a span did, and what it calls itself.

use super::Found;
use super::table::Slot;
use crate::domain::vocabulary::StepKind;

/// The kind of a span: what it says in the most specific vocabulary that it uses, else what its facts make it.
#[must_use]
pub fn kind(found: &Found<'_>, span_name: &str) -> StepKind {
    let said = |slot| found.text(slot).and_then(|text| of_word(&text));
    let by_operation = found.text(Slot::Operation).and_then(|text| of_operation(&text));
    if let Some(kind) = said(Slot::OpenInferenceKind) {
        return kind;
    }
    match (said(Slot::TraceloopKind), by_operation) {
        // A task or workflow is what OpenLLMetry calls everything that it has no better word for.
        (Some(StepKind::Chain), Some(kind)) if !matches!(kind, StepKind::Agent) => return kind,
        (Some(kind), _) | (None, Some(kind)) => return kind,
        (None, None) => {}
    }
    if let Some(kind) = said(Slot::OtherKind) {
        return kind;
    }
    by_facts(found, span_name)
}

fn by_facts(found: &Found<'_>, span_name: &str) -> StepKind {
    let has = |slot| found.get(slot).is_some();
    let names_model = has(Slot::RequestModel) || has(Slot::ResponseModel);
    let bears_usage = has(Slot::InputTokens) || has(Slot::OutputTokens) || has(Slot::UsageDetails);
    if has(Slot::ToolName) {
        StepKind::Tool
    } else if !names_model && (has(Slot::GuardrailName) || has(Slot::Triggered) || has(Slot::Flagged)) {
        StepKind::Guardrail
    } else if names_model && span_name.to_ascii_lowercase().contains("embed") {
        StepKind::Embedding
    } else if names_model && (bears_usage || has(Slot::ResponseId) || has(Slot::Provider)) {
        StepKind::Llm
    } else if has(Slot::AgentName) {
        StepKind::Agent
    } else if has(Slot::PartName) {
        StepKind::Chain
    } else {
        StepKind::Other
    }
}

/// The kind that a word of any tool's vocabulary means, whatever its case.
fn of_word(word: &str) -> Option<StepKind> {
    Some(match word.to_ascii_lowercase().as_str() {
        "llm" | "chat_model" | "generation" | "completion" | "chat" | "chat_client" => StepKind::Llm,
        "tool" | "tool_call" | "function" => StepKind::Tool,
        "agent" => StepKind::Agent,
        "chain" | "workflow" | "task" | "crew" | "flow" | "pipeline" | "parser" | "advisor" => StepKind::Chain,
        "retriever" | "retrieval" | "vector_store" => StepKind::Retriever,
        "embedding" | "embeddings" => StepKind::Embedding,
        "reranker" | "rerank" => StepKind::Reranker,
        "guardrail" | "guardrails" | "moderation" => StepKind::Guardrail,
        "evaluator" | "evaluation" | "scorer" => StepKind::Evaluator,
        "prompt" | "event" | "memory" | "other" => StepKind::Other,
        _ => return None,
    })
}

/// The kind that an operation means: `gen_ai.operation.name`, or the AI SDK's `ai.operationId`, whose outer spans wrap the
/// inner `.do...` ones.
fn of_operation(operation: &str) -> Option<StepKind> {
    if let Some(inner) = operation.strip_prefix("ai.") {
        return Some(match inner {
            "toolCall" => StepKind::Tool,
            _ if inner.ends_with(".doEmbed") => StepKind::Embedding,
            _ if inner.ends_with(".doRerank") => StepKind::Reranker,
            _ if inner.contains(".do") => StepKind::Llm,
            _ => StepKind::Chain,
        });
    }
    Some(match operation.to_ascii_lowercase().as_str() {
        "chat" | "text_completion" | "completion" | "generate_content" | "responses" | "converse"
        | "converse_stream" | "invoke_model" | "image_generation" | "speech" | "transcription" => StepKind::Llm,
        "embeddings" | "embedding" => StepKind::Embedding,
        "rerank" | "reranker" => StepKind::Reranker,
        "execute_tool" | "tool" => StepKind::Tool,
        "invoke_agent" | "create_agent" | "agent" => StepKind::Agent,
        "invoke_workflow" | "execute_task" | "workflow" | "task" | "execute_event_loop_cycle" | "handoff" => {
            StepKind::Chain
        }
        "retrieval" | "retrieve" | "vector_db_retrieve" | "search" | "query" => StepKind::Retriever,
        "apply_guardrail" | "run_guardrail" | "guardrail" | "moderation" | "moderations" => StepKind::Guardrail,
        "evaluate" | "evaluation" => StepKind::Evaluator,
        _ => return None,
    })
}

/// The tool, agent or operation that the span is about; `None` where it names none.
#[must_use]
pub fn skill(found: &Found<'_>, kind: StepKind) -> Option<String> {
    match kind {
        StepKind::Tool => found.label(Slot::ToolName).or_else(|| found.label(Slot::PartName)),
        StepKind::Agent => found.label(Slot::AgentName).or_else(|| found.label(Slot::PartName)),
        StepKind::Guardrail => found.label(Slot::GuardrailName).or_else(|| found.label(Slot::PartName)),
        StepKind::Chain | StepKind::Retriever => found.label(Slot::PartName),
        _ => None,
    }
    .or_else(|| found.label(Slot::Operation))
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

    use super::*;

    fn kind_and_skill(pairs: &[(&str, &str)], name: &str) -> (StepKind, Option<String>) {
        let attributes: Vec<KeyValue> = pairs
            .iter()
            .map(|(key, text)| KeyValue {
                key: (*key).to_owned(),
                value: Some(AnyValue { value: Some(Value::StringValue((*text).to_owned())) }),
                ..KeyValue::default()
            })
            .collect();
        let found = Found::read(&attributes);
        let kind = kind(&found, name);
        (kind, skill(&found, kind))
    }

    #[test]
    fn every_vocabulary_is_understood() {
        for (pairs, expected, skill) in [
            (&[("openinference.span.kind", "LLM")][..], StepKind::Llm, None),
            (&[("openinference.span.kind", "PROMPT")], StepKind::Other, None),
            (&[("openinference.span.kind", "TOOL"), ("tool.name", "search")], StepKind::Tool, Some("search")),
            (
                &[("traceloop.span.kind", "workflow"), ("gen_ai.operation.name", "invoke_agent")],
                StepKind::Chain,
                Some("invoke_agent"),
            ),
            (
                &[("traceloop.span.kind", "task"), ("gen_ai.operation.name", "vector_db_retrieve")],
                StepKind::Retriever,
                Some("vector_db_retrieve"),
            ),
            (&[("gen_ai.operation.name", "chat"), ("gen_ai.agent.name", "a")], StepKind::Llm, Some("chat")),
            (&[("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "a")], StepKind::Agent, Some("a")),
            (&[("ai.operationId", "ai.streamText.doStream")], StepKind::Llm, Some("ai.streamText.doStream")),
            (&[("ai.operationId", "ai.streamText")], StepKind::Chain, Some("ai.streamText")),
            (&[("ai.operationId", "ai.toolCall"), ("ai.toolCall.name", "t")], StepKind::Tool, Some("t")),
            (&[("mlflow.spanType", "\"CHAT_MODEL\"")], StepKind::Llm, None),
            (&[("langfuse.observation.type", "generation")], StepKind::Llm, None),
            (&[("llm.request.type", "rerank")], StepKind::Reranker, Some("rerank")),
            (&[("gen_ai.request.model", "m"), ("gen_ai.usage.input_tokens", "5")], StepKind::Llm, None),
            (
                &[("gen_ai.operation.name", "run_guardrail"), ("gen_ai.security.guardrail.name", "pii")],
                StepKind::Guardrail,
                Some("pii"),
            ),
            (&[("gen_ai.guardrail.name", "pii")], StepKind::Guardrail, Some("pii")),
            (&[("http.route", "/ask")], StepKind::Other, None),
        ] {
            assert_eq!(kind_and_skill(pairs, "span"), (expected, skill.map(str::to_owned)), "{pairs:?}");
        }
    }
}
