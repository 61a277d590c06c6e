//! Spans as instrumentations write them that the fixtures do not have, from their documentation.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use serde_json::{Value as Json, json};

use super::map_spans;
use super::tests::{attribute, request, span};
use crate::capture::facts::Facts;
use crate::capture::fixture_tests::context;
use crate::domain::draft::DraftStep;
use crate::domain::vocabulary::StepKind;

/// What must never be stored.
const CONTENT: &str = "whisper of the private moon";

fn value(json: &Json) -> Value {
    match json {
        Json::String(text) => Value::StringValue(text.replace("CONTENT", CONTENT)),
        Json::Bool(flag) => Value::BoolValue(*flag),
        Json::Array(items) => Value::ArrayValue(ArrayValue {
            values: items.iter().map(|item| AnyValue { value: Some(value(item)) }).collect(),
        }),
        number => number.as_i64().map_or_else(|| Value::DoubleValue(number.as_f64().unwrap_or(0.0)), Value::IntValue),
    }
}

fn map(attributes: &Json) -> DraftStep {
    let attributes: Vec<KeyValue> =
        attributes.as_object().expect("an object").iter().map(|(key, json)| attribute(key, value(json))).collect();
    let mut draft = map_spans(&context(false), request(vec![span(1, attributes)]));
    draft.traces.remove(0).steps.remove(0)
}

/// Kind, provider, model, tokens and cost; and that no content is left and both sides have a hash where they had content.
fn check(
    name: &str,
    attributes: Json,
    expected: (StepKind, Option<&str>, Option<&str>, Option<i64>, Option<i64>),
) -> DraftStep {
    let draft = map(&attributes);
    let step = &draft.step;
    let found = (step.kind, step.provider.as_deref(), step.model.as_deref(), step.input_tokens, step.output_tokens);
    assert_eq!(found, expected, "{name}");
    assert!(!draft.payloads[0].text.contains(CONTENT), "{name}: {}", draft.payloads[0].text);
    assert!(!draft.facts.text.contains(CONTENT), "{name}");
    assert!(step.input_hash.is_some(), "{name} has content");
    draft
}

#[test]
fn google_bedrock_and_vertex() {
    let google = json!({
        "gen_ai.system": "gemini", "gen_ai.operation.name": "generate_content", "gen_ai.request.model": "gemini-2.5-flash",
        "gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 7, "gen_ai.usage.reasoning.output_tokens": 3,
        "gen_ai.prompt.0.content": "CONTENT", "gen_ai.completion.0.content": "CONTENT",
        "gcp.gen_ai.operation.config.system_instruction": "CONTENT",
    });
    let draft =
        check("google", google, (StepKind::Llm, Some("gcp.gemini"), Some("gemini-2.5-flash"), Some(11), Some(7)));
    assert_eq!(Facts::parse(&draft.facts.text).reasoning_tokens, Some(3));
    let bedrock = json!({
        "gen_ai.system": "aws_bedrock", "llm.request.type": "chat", "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "gen_ai.usage.prompt_tokens": 11, "gen_ai.usage.completion_tokens": 7, "gen_ai.prompt.0.user": "CONTENT",
    });
    let model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let draft = check("bedrock", bedrock, (StepKind::Llm, Some("aws.bedrock"), Some(model), Some(11), Some(7)));
    assert_eq!(draft.step.cost_micros, Some(138));
}

#[test]
fn mlflow_langfuse_and_langsmith() {
    let mlflow = json!({
        "mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.spanInputs": "{\"messages\": \"CONTENT\"}", "mlflow.spanOutputs": "\"CONTENT\"",
        "mlflow.chat.tokenUsage": "{\"input_tokens\": 11, \"output_tokens\": 7, \"total_tokens\": 18}", "mlflow.llm.model": "\"gpt-4o\"",
        "mlflow.llm.provider": "\"openai\"", "mlflow.chat.messages": "[{\"content\": \"CONTENT\"}]",
    });
    check("mlflow", mlflow, (StepKind::Llm, Some("openai"), Some("gpt-4o"), Some(11), Some(7)));
    let langfuse = json!({
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o", "langfuse.session.id": "s-1",
        "langfuse.observation.input": "CONTENT", "langfuse.observation.output": "CONTENT", "langfuse.trace.tags": ["b", "a"],
        "langfuse.observation.usage_details": "{\"input\": 11, \"output\": 7, \"total\": 18}", "langfuse.user.id": "u-1",
        "langfuse.observation.cost_details": "{\"total\": 0.000124}", "langfuse.trace.input": "CONTENT", "langfuse.trace.name": "ask",
    });
    let draft = check("langfuse", langfuse, (StepKind::Llm, None, Some("gpt-4o"), Some(11), Some(7)));
    let facts = Facts::parse(&draft.facts.text);
    assert_eq!((draft.step.cost_micros, facts.price_version), (Some(124), None));
    assert_eq!(
        (facts.session_id.as_deref(), facts.run_name.as_deref(), facts.tags.join(",")),
        (Some("s-1"), Some("ask"), "a,b".to_owned())
    );
    let langsmith = json!({
        "langsmith.span.kind": "LLM", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7, "gen_ai.prompt": "{\"messages\": \"CONTENT\"}", "gen_ai.completion": "CONTENT",
    });
    check("langsmith", langsmith, (StepKind::Llm, Some("openai"), Some("gpt-4o"), Some(11), Some(7)));
}

#[test]
fn frameworks_and_gateways() {
    let none = |kind| (kind, None, None, None, None);
    let haystack = json!({"haystack.component.name": "retriever", "haystack.component.input": "CONTENT", "haystack.component.output": "CONTENT"});
    check("haystack", haystack, none(StepKind::Chain));
    let crewai = json!({
        "crew_agents": "[{\"role\": \"CONTENT\"}]", "crew_tasks": "[{\"description\": \"CONTENT\"}]", "crewai.crew.result": "CONTENT",
        "crewai.agent.role": "researcher", "crewai.agent.goal": "CONTENT", "crewai.agent.backstory": "CONTENT",
    });
    check("crewai", crewai, none(StepKind::Agent));
    let llamaindex = json!({"openinference.span.kind": "RERANKER", "reranker.query": "CONTENT", "reranker.model_name": "rerank-3",
        "reranker.input_documents.0.document.content": "CONTENT", "reranker.output_documents.0.document.content": "CONTENT"});
    check("llamaindex", llamaindex, (StepKind::Reranker, None, Some("rerank-3"), None, None));
    let litellm = json!({
        "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 11, "gen_ai.usage.completion_tokens": 7,
        "gen_ai.cost.input_cost": 0.0001, "gen_ai.cost.output_cost": 0.0002, "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "CONTENT",
        "llm.openai.messages": "[{'role': 'user', 'content': 'CONTENT'}]", "metadata.user_api_key": "sk-live-abc123",
    });
    let draft = check("litellm", litellm, (StepKind::Llm, Some("openai"), Some("gpt-4o"), Some(11), Some(7)));
    assert_eq!(draft.step.cost_micros, Some(300));
    assert!(!draft.payloads[0].text.contains("sk-live"));
    let spring = json!({"spring.ai.kind": "chat_client", "gen_ai.system": "spring_ai", "spring.ai.chat.client.user.text": "CONTENT",
        "spring.ai.chat.client.conversation.id": "c-1", "gen_ai.prompt": "CONTENT"});
    check("spring", spring, none(StepKind::Llm));
    let kernel = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "Math-Add", "gen_ai.tool.call.arguments": "CONTENT"});
    assert_eq!(check("semantic kernel", kernel, none(StepKind::Tool)).step.skill_name, "Math-Add");
}

#[test]
fn agents_that_report_what_their_calls_used() {
    let strands = json!({
        "gen_ai.operation.name": "invoke_agent", "gen_ai.system": "strands-agents", "gen_ai.agent.name": "helper", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 11, "gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 7, "system_prompt": "CONTENT",
        "gen_ai.usage.cache_read_input_tokens": 2, "gen_ai.agent.tools": "[\"a\"]",
    });
    let draft = check("strands", strands, (StepKind::Agent, None, Some("gpt-4o"), Some(11), Some(7)));
    assert_eq!(draft.step.skill_name, "helper");
    let logfire = json!({
        "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper", "model_name": "gpt-4o", "final_result": "CONTENT",
        "pydantic_ai.all_messages": "[{\"role\":\"user\",\"parts\":[{\"content\":\"CONTENT\"}]}]", "logfire.msg": "asks CONTENT",
        "gen_ai.aggregated_usage.input_tokens": 100, "gen_ai.aggregated_usage.output_tokens": 50, "operation.cost": 0.5,
    });
    check("logfire agent", logfire, (StepKind::Agent, None, Some("gpt-4o"), None, None));
    let call = json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "operation.cost": 0.000_1,
        "gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 7, "gen_ai.usage.details.reasoning_tokens": 2,
        "gen_ai.input.messages": "CONTENT", "gen_ai.response.finish_reasons": ["stop"],
        "model_request_parameters": "{\"function_tools\":[],\"instruction_parts\":[{\"content\":\"CONTENT\"}],\"output_mode\":\"text\"}",
    });
    let draft = check("logfire call", call, (StepKind::Llm, Some("openai"), Some("gpt-4o"), Some(11), Some(7)));
    let facts = Facts::parse(&draft.facts.text);
    assert_eq!(
        (draft.step.cost_micros, facts.reasoning_tokens, facts.finish_reason.as_deref()),
        (Some(100), Some(2), Some("stop"))
    );
    let laminar = json!({"lmnr.span.type": "TOOL", "lmnr.span.input": "CONTENT", "lmnr.span.output": "CONTENT"});
    check("laminar", laminar, (StepKind::Tool, None, None, None, None));
}
