//! Provider names, normalised to the well-known values of OpenTelemetry's `gen_ai.provider.name`.

use std::borrow::Cow;

/// What stands where nothing says the provider or the model.
pub const UNKNOWN: &str = "unknown";

/// Other spellings, in lower case with `-` and space as `_`, and what they mean. Well-known values without other spellings
/// (`openai`, `anthropic`, `cohere`, `deepseek`, `groq`, `perplexity`) need no row.
const ALIASES: &[(&str, &str)] = &[
    ("azure", "azure.ai.openai"),
    ("azure_openai", "azure.ai.openai"),
    ("azureopenai", "azure.ai.openai"),
    ("az.ai.openai", "azure.ai.openai"),
    ("az.ai.inference", "azure.ai.inference"),
    ("azure_ai", "azure.ai.inference"),
    ("azure_ai_inference", "azure.ai.inference"),
    ("azure_ai_foundry", "azure.ai.inference"),
    ("bedrock", "aws.bedrock"),
    ("aws", "aws.bedrock"),
    ("aws_bedrock", "aws.bedrock"),
    ("amazon_bedrock", "aws.bedrock"),
    ("bedrock_converse", "aws.bedrock"),
    ("amazon", "aws.bedrock"),
    ("aws.sagemaker", "aws.sagemaker"),
    ("sagemaker", "aws.sagemaker"),
    ("gemini", "gcp.gemini"),
    ("google", "gcp.gemini"),
    ("google_genai", "gcp.gemini"),
    ("google_gemini", "gcp.gemini"),
    ("google_generative_ai", "gcp.gemini"),
    ("google_gla", "gcp.gemini"),
    ("google_ai_studio", "gcp.gemini"),
    ("gcp.gemini", "gcp.gemini"),
    ("vertex", "gcp.vertex_ai"),
    ("vertexai", "gcp.vertex_ai"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("google_vertex", "gcp.vertex_ai"),
    ("google_vertexai", "gcp.vertex_ai"),
    ("google.vertex", "gcp.vertex_ai"),
    ("google.generative_ai", "gcp.gemini"),
    ("google_anthropic_vertex", "gcp.vertex_ai"),
    ("gcp.gen_ai", "gcp.gen_ai"),
    ("gcp.vertex_ai", "gcp.vertex_ai"),
    ("gcp.vertex.agent", "gcp.vertex_ai"),
    ("mistral", "mistral_ai"),
    ("mistralai", "mistral_ai"),
    ("xai", "x_ai"),
    ("grok", "x_ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("watson", "ibm.watsonx.ai"),
    ("ibm", "ibm.watsonx.ai"),
    ("ibm_watsonx", "ibm.watsonx.ai"),
    ("moonshot", "moonshot_ai"),
    ("moonshotai", "moonshot_ai"),
    ("together", "together_ai"),
    ("togetherai", "together_ai"),
    ("fireworks", "fireworks_ai"),
    ("fireworksai", "fireworks_ai"),
    ("hugging_face", "huggingface"),
    ("claude", "anthropic"),
    ("open_ai", "openai"),
    ("ollama_chat", "ollama"),
];

/// Frameworks that name themselves as the provider of their own spans. They serve no model.
const FRAMEWORKS: &[&str] = &[
    "langchain",
    "langgraph",
    "langsmith",
    "llamaindex",
    "llama_index",
    "crewai",
    "haystack",
    "autogen",
    "ag2",
    "agno",
    "semantic_kernel",
    "semantickernel",
    "dspy",
    "pydantic_ai",
    "pydanticai",
    "openai_agents",
    "spring_ai",
    "strands",
    "strands_agents",
    "traceloop",
    "openllmetry",
    "smolagents",
    "mastra",
    "google_adk",
    "instructor",
    "guardrails",
    "none",
    "unknown",
];

/// The well-known value for a provider's name. The AI SDK adds the kind of model (`openai.chat`, `mistral.embedding`): that is
/// dropped. A name that is not known stays, in lower case.
#[must_use]
pub fn normalise(name: &str) -> Cow<'_, str> {
    let is_plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_');
    let name =
        if is_plain { Cow::Borrowed(name) } else { Cow::Owned(name.trim().to_lowercase().replace(['-', ' '], "_")) };
    if let Some(known) = alias(&name) {
        return Cow::Borrowed(known);
    }
    match name.split_once('.') {
        Some((head, _)) if is_vendor(head) => Cow::Owned(alias(head).unwrap_or(head).to_owned()),
        Some((head, tail)) => match tail.split_once('.').and_then(|(middle, _)| alias(&format!("{head}.{middle}"))) {
            Some(known) => Cow::Borrowed(known),
            None => name,
        },
        None => name,
    }
}

/// The provider that a span names; `None` when it names the framework that made the span.
#[must_use]
pub fn of_span(name: &str) -> Option<String> {
    let provider = normalise(name);
    let is_framework = FRAMEWORKS.contains(&provider.as_ref()) || provider.is_empty();
    (!is_framework).then(|| super::super::text::cut_name(&provider, super::super::text::NAME_BYTES_MAX).into_owned())
}

fn alias(name: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, known)| *known)
}

/// Heads that stand before a dot in the AI SDK's names; `aws.`, `gcp.`, `ibm.`, `az.` begin well-known values instead.
fn is_vendor(head: &str) -> bool {
    let is_known = matches!(head, "openai" | "anthropic" | "cohere" | "deepseek" | "groq" | "perplexity" | "cerebras");
    is_known || (alias(head).is_some() && !matches!(head, "aws" | "ibm" | "azure" | "google"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        for (name, known) in [
            ("openai", "openai"),
            ("OpenAI", "openai"),
            ("openai.chat", "openai"),
            ("openai.responses", "openai"),
            ("azure", "azure.ai.openai"),
            ("azure.ai.openai", "azure.ai.openai"),
            ("azure-openai.chat", "azure.ai.openai"),
            ("az.ai.inference", "azure.ai.inference"),
            ("mistral.chat", "mistral_ai"),
            ("MistralAI", "mistral_ai"),
            ("anthropic.messages", "anthropic"),
            ("google.generative-ai", "gcp.gemini"),
            ("google.vertex.chat", "gcp.vertex_ai"),
            ("vertex_ai", "gcp.vertex_ai"),
            ("gcp.vertex_ai", "gcp.vertex_ai"),
            ("gcp.gen_ai", "gcp.gen_ai"),
            ("amazon-bedrock", "aws.bedrock"),
            ("AWS Bedrock", "aws.bedrock"),
            ("aws.bedrock", "aws.bedrock"),
            ("ibm.watsonx.ai", "ibm.watsonx.ai"),
            ("x_ai", "x_ai"),
            ("some new one", "some_new_one"),
        ] {
            assert_eq!(normalise(name), known, "{name}");
            assert_eq!(normalise(known), known, "{known}");
        }
    }

    #[test]
    fn frameworks_are_no_providers() {
        for name in ["langchain", "LangGraph", "pydantic-ai", "unknown", ""] {
            assert_eq!(of_span(name), None, "{name}");
        }
        assert_eq!(of_span("openai").as_deref(), Some("openai"));
    }
}
