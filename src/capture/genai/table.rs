//! The alias table: which attribute names mean what. Rows of one meaning stand in order of precedence.

pub mod guardrail;

use std::collections::HashMap;
use std::sync::LazyLock;

/// Version of the table: counts up with every change of meaning or precedence; stored with every step's attributes.
pub const VERSION: u32 = 2;

macro_rules! slots {
    ($($(#[$meta:meta])* $slot:ident),+ $(,)?) => {
        /// A meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Slot { $($(#[$meta])* $slot),+ }

        /// How many meanings there are.
        pub const SLOTS: usize = [$(Slot::$slot),+].len();
    };
}

slots!(
    /// `gen_ai.operation.name`.
    Operation,
    /// OpenInference's kind of span.
    OpenInferenceKind,
    /// OpenLLMetry's kind of span.
    TraceloopKind,
    /// Any other tool's kind of span, run or observation.
    OtherKind,
    /// The tool that ran.
    ToolName,
    /// The agent's name.
    AgentName,
    /// The agent's id.
    AgentId,
    /// Name of a task, node, component or other part of a workflow.
    PartName,
    /// The provider.
    Provider,
    /// The model that was asked for.
    RequestModel,
    /// The model that answered.
    ResponseModel,
    /// The provider's id of the answer.
    ResponseId,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Their sum.
    TotalTokens,
    /// Input tokens read from a cache.
    CachedTokens,
    /// Input tokens written to a cache.
    CacheWriteTokens,
    /// Output tokens spent on reasoning.
    ReasoningTokens,
    /// An object with token counts.
    UsageDetails,
    /// Cost in US dollars.
    CostTotal,
    /// Its part for input.
    CostInput,
    /// Its part for output.
    CostOutput,
    /// An object with costs.
    CostDetails,
    /// Seconds to the first token.
    FirstTokenSeconds,
    /// Milliseconds to the first token.
    FirstTokenMillis,
    /// Instant of the first token, RFC 3339.
    FirstTokenAt,
    /// Why the model stopped.
    FinishReason,
    /// `error.type`.
    ErrorType,
    /// HTTP status of the answer.
    HttpStatus,
    /// Number of the attempt, from 1.
    Attempt,
    /// Number of the retry, from 0.
    Retry,
    /// The session or conversation.
    SessionId,
    /// The end user.
    EndUserId,
    /// Labels.
    Tags,
    /// `runledger.run_id`.
    RunId,
    /// A readable name of the run.
    RunName,
    /// The run that started this one.
    ParentRunId,
    /// The caller's own id for cross-reference.
    CorrelationId,
    /// Whether it is test data.
    IsSynthetic,
    /// The scenario that made it.
    ScenarioId,
    /// What kind of actor started the run.
    ActorType,
    /// Who started the run.
    ActorId,
    /// Hash of the plan.
    PlanHash,
    /// The random seed of the run.
    Seed,
    /// How a replay treats effects.
    ReplayMode,
    /// The caller's own number of the step.
    CallerIndex,
    /// The caller's key for `idempotencyCheck`.
    IdempotencyKey,
    /// The deployment environment, where it stands on the span.
    Environment,
    /// The guardrail that looked.
    GuardrailName,
    /// Its id.
    GuardrailId,
    /// The policy that it applied.
    PolicyId,
    /// The rule of the policy, or the kind of risk that it found.
    RuleId,
    /// What it said.
    Verdict,
    /// What was done, whoever did it.
    Action,
    /// What it said, where that is also what was done.
    Decision,
    /// Whether a tripwire was triggered, which halts an agent.
    Triggered,
    /// Whether a moderation flagged the content; it does nothing itself.
    Flagged,
    /// Why it said so.
    VerdictReason,
    /// What it looked at: input, output, a tool call.
    GuardrailTarget,
);

/// Name and meaning. `gen_ai.aggregated_usage.*` is absent on purpose: it repeats what other spans say.
const ALIASES: &[(&str, Slot)] = &[
    ("gen_ai.operation.name", Slot::Operation),
    ("ai.operationId", Slot::Operation),
    ("llm.request.type", Slot::Operation),
    ("openinference.span.kind", Slot::OpenInferenceKind),
    ("traceloop.span.kind", Slot::TraceloopKind),
    ("runledger.step.kind", Slot::OtherKind),
    ("langfuse.observation.type", Slot::OtherKind),
    ("mlflow.spanType", Slot::OtherKind),
    ("langsmith.span.kind", Slot::OtherKind),
    ("lmnr.span.type", Slot::OtherKind),
    ("spring.ai.kind", Slot::OtherKind),
    ("gen_ai.span.kind", Slot::OtherKind),
    ("llm.span.kind", Slot::OtherKind),
    ("gen_ai.tool.name", Slot::ToolName),
    ("tool.name", Slot::ToolName),
    ("ai.toolCall.name", Slot::ToolName),
    ("tool_name", Slot::ToolName),
    ("spring.ai.tool.definition.name", Slot::ToolName),
    ("mcp.tool.name", Slot::ToolName),
    ("runledger.agent_id", Slot::AgentName),
    ("gen_ai.agent.name", Slot::AgentName),
    ("agent.name", Slot::AgentName),
    ("agent_name", Slot::AgentName),
    ("crewai.agent.role", Slot::AgentName),
    ("crewai.agent.name", Slot::AgentName),
    ("ai.agent.name", Slot::AgentName),
    ("langsmith.metadata.agent_name", Slot::AgentName),
    ("gen_ai.agent.id", Slot::AgentId),
    ("agent.id", Slot::AgentId),
    ("crewai.agent.id", Slot::AgentId),
    ("gen_ai.task.name", Slot::PartName),
    ("traceloop.entity.name", Slot::PartName),
    ("gen_ai.workflow.name", Slot::PartName),
    ("haystack.component.name", Slot::PartName),
    ("crewai.task.name", Slot::PartName),
    ("graph.node.name", Slot::PartName),
    ("langgraph.node", Slot::PartName),
    ("gen_ai.provider.name", Slot::Provider),
    ("gen_ai.system", Slot::Provider),
    ("llm.provider", Slot::Provider),
    ("ai.model.provider", Slot::Provider),
    ("llm.system", Slot::Provider),
    ("llm.vendor", Slot::Provider),
    ("gen_ai.vendor", Slot::Provider),
    ("embedding.provider", Slot::Provider),
    ("mlflow.llm.provider", Slot::Provider),
    ("traceloop.association.properties.ls_provider", Slot::Provider),
    ("langsmith.metadata.ls_provider", Slot::Provider),
    ("gen_ai.request.model", Slot::RequestModel),
    ("llm.request.model_name", Slot::RequestModel),
    ("llm.request.model", Slot::RequestModel),
    ("ai.model.id", Slot::RequestModel),
    ("embedding.model_name", Slot::RequestModel),
    ("reranker.model_name", Slot::RequestModel),
    ("langfuse.observation.model.name", Slot::RequestModel),
    ("mlflow.llm.model", Slot::RequestModel),
    ("langsmith.metadata.ls_model_name", Slot::RequestModel),
    ("traceloop.association.properties.ls_model_name", Slot::RequestModel),
    ("model_name", Slot::RequestModel),
    ("llm.model", Slot::RequestModel),
    ("gen_ai.response.model", Slot::ResponseModel),
    ("llm.response.model_name", Slot::ResponseModel),
    ("ai.response.model", Slot::ResponseModel),
    ("llm.response.model", Slot::ResponseModel),
    ("llm.model_name", Slot::ResponseModel),
    ("gen_ai.response.id", Slot::ResponseId),
    ("ai.response.id", Slot::ResponseId),
    ("llm.response.id", Slot::ResponseId),
    ("gen_ai.openai.response.id", Slot::ResponseId),
    ("gen_ai.usage.input_tokens", Slot::InputTokens),
    ("llm.token_count.prompt", Slot::InputTokens),
    ("ai.usage.inputTokens", Slot::InputTokens),
    ("gen_ai.usage.prompt_tokens", Slot::InputTokens),
    ("ai.usage.promptTokens", Slot::InputTokens),
    ("llm.usage.prompt_tokens", Slot::InputTokens),
    ("llm.usage.input_tokens", Slot::InputTokens),
    ("gen_ai.usage.input_token_count", Slot::InputTokens),
    ("ai.usage.tokens", Slot::InputTokens),
    ("gen_ai.usage.output_tokens", Slot::OutputTokens),
    ("llm.token_count.completion", Slot::OutputTokens),
    ("ai.usage.outputTokens", Slot::OutputTokens),
    ("gen_ai.usage.completion_tokens", Slot::OutputTokens),
    ("ai.usage.completionTokens", Slot::OutputTokens),
    ("llm.usage.completion_tokens", Slot::OutputTokens),
    ("llm.usage.output_tokens", Slot::OutputTokens),
    ("gen_ai.usage.output_token_count", Slot::OutputTokens),
    ("gen_ai.usage.total_tokens", Slot::TotalTokens),
    ("llm.token_count.total", Slot::TotalTokens),
    ("ai.usage.totalTokens", Slot::TotalTokens),
    ("llm.usage.total_tokens", Slot::TotalTokens),
    ("gen_ai.usage.cache_read.input_tokens", Slot::CachedTokens),
    ("gen_ai.usage.cache_read_input_tokens", Slot::CachedTokens),
    ("gen_ai.usage.cached_input_tokens", Slot::CachedTokens),
    ("gen_ai.usage.cached_tokens", Slot::CachedTokens),
    ("gen_ai.usage.input_tokens.cached", Slot::CachedTokens),
    ("gen_ai.usage.details.cache_read_tokens", Slot::CachedTokens),
    ("gen_ai.usage.details.cache_read_input_tokens", Slot::CachedTokens),
    ("gen_ai.usage.details.cached_tokens", Slot::CachedTokens),
    ("gen_ai.usage.prompt_tokens_details.cached_tokens", Slot::CachedTokens),
    ("llm.token_count.prompt_details.cache_read", Slot::CachedTokens),
    ("llm.usage.cache_read_input_tokens", Slot::CachedTokens),
    ("ai.usage.cachedInputTokens", Slot::CachedTokens),
    ("ai.usage.inputTokenDetails.cacheReadTokens", Slot::CachedTokens),
    ("gen_ai.usage.cache_creation.input_tokens", Slot::CacheWriteTokens),
    ("gen_ai.usage.cache_write.input_tokens", Slot::CacheWriteTokens),
    ("gen_ai.usage.cache_creation_input_tokens", Slot::CacheWriteTokens),
    ("gen_ai.usage.cache_write_input_tokens", Slot::CacheWriteTokens),
    ("gen_ai.usage.details.cache_write_tokens", Slot::CacheWriteTokens),
    ("gen_ai.usage.details.cache_creation_input_tokens", Slot::CacheWriteTokens),
    ("llm.token_count.prompt_details.cache_write", Slot::CacheWriteTokens),
    ("llm.usage.cache_creation_input_tokens", Slot::CacheWriteTokens),
    ("ai.usage.inputTokenDetails.cacheWriteTokens", Slot::CacheWriteTokens),
    ("gen_ai.usage.reasoning.output_tokens", Slot::ReasoningTokens),
    ("gen_ai.usage.reasoning_tokens", Slot::ReasoningTokens),
    ("gen_ai.usage.output_tokens.reasoning", Slot::ReasoningTokens),
    ("gen_ai.usage.details.reasoning_tokens", Slot::ReasoningTokens),
    ("gen_ai.usage.details.thoughts_tokens", Slot::ReasoningTokens),
    ("gen_ai.usage.thoughts_token_count", Slot::ReasoningTokens),
    ("gen_ai.usage.completion_tokens_details.reasoning_tokens", Slot::ReasoningTokens),
    ("llm.token_count.completion_details.reasoning", Slot::ReasoningTokens),
    ("llm.usage.reasoning_tokens", Slot::ReasoningTokens),
    ("ai.usage.reasoningTokens", Slot::ReasoningTokens),
    ("ai.usage.outputTokenDetails.reasoningTokens", Slot::ReasoningTokens),
    ("langfuse.observation.usage_details", Slot::UsageDetails),
    ("mlflow.chat.tokenUsage", Slot::UsageDetails),
    ("langsmith.usage_metadata", Slot::UsageDetails),
    ("runledger.cost_usd", Slot::CostTotal),
    ("gen_ai.usage.cost", Slot::CostTotal),
    ("gen_ai.usage.total_cost", Slot::CostTotal),
    ("gen_ai.cost.total_cost", Slot::CostTotal),
    ("gen_ai.usage.cost.total", Slot::CostTotal),
    ("llm.cost.total", Slot::CostTotal),
    ("llm.usage.cost", Slot::CostTotal),
    ("operation.cost", Slot::CostTotal),
    ("ai.usage.cost", Slot::CostTotal),
    ("gen_ai.usage.input_cost", Slot::CostInput),
    ("gen_ai.cost.input_cost", Slot::CostInput),
    ("llm.cost.prompt", Slot::CostInput),
    ("gen_ai.usage.output_cost", Slot::CostOutput),
    ("gen_ai.cost.output_cost", Slot::CostOutput),
    ("llm.cost.completion", Slot::CostOutput),
    ("langfuse.observation.cost_details", Slot::CostDetails),
    ("mlflow.llm.cost", Slot::CostDetails),
    ("gen_ai.response.time_to_first_chunk", Slot::FirstTokenSeconds),
    ("gen_ai.response.time_to_first_token", Slot::FirstTokenSeconds),
    ("gen_ai.server.time_to_first_token", Slot::FirstTokenSeconds),
    ("gen_ai.client.time_to_first_token", Slot::FirstTokenSeconds),
    ("llm.time_to_first_token", Slot::FirstTokenSeconds),
    ("ai.response.msToFirstChunk", Slot::FirstTokenMillis),
    ("ai.stream.msToFirstChunk", Slot::FirstTokenMillis),
    ("gen_ai.server.time_to_first_token_ms", Slot::FirstTokenMillis),
    ("langfuse.observation.completion_start_time", Slot::FirstTokenAt),
    ("gen_ai.response.finish_reasons", Slot::FinishReason),
    ("gen_ai.response.finish_reason", Slot::FinishReason),
    ("gen_ai.completion.0.finish_reason", Slot::FinishReason),
    ("llm.finish_reason", Slot::FinishReason),
    ("ai.response.finishReason", Slot::FinishReason),
    ("llm.response.finish_reason", Slot::FinishReason),
    ("llm.response.stop_reason", Slot::FinishReason),
    ("anthropic.message.stop_reason", Slot::FinishReason),
    ("error.type", Slot::ErrorType),
    ("http.response.status_code", Slot::HttpStatus),
    ("http.status_code", Slot::HttpStatus),
    ("gen_ai.response.status_code", Slot::HttpStatus),
    ("runledger.attempt", Slot::Attempt),
    ("retry.attempt", Slot::Attempt),
    ("http.request.resend_count", Slot::Retry),
    ("http.resend_count", Slot::Retry),
    ("gen_ai.request.retry_count", Slot::Retry),
    ("retry_count", Slot::Retry),
    ("retry.count", Slot::Retry),
    ("runledger.session_id", Slot::SessionId),
    ("session.id", Slot::SessionId),
    ("gen_ai.conversation.id", Slot::SessionId),
    ("langfuse.session.id", Slot::SessionId),
    ("traceloop.association.properties.session_id", Slot::SessionId),
    ("lmnr.association.properties.session_id", Slot::SessionId),
    ("ai.telemetry.metadata.sessionId", Slot::SessionId),
    ("ai.telemetry.metadata.langfuseSessionId", Slot::SessionId),
    ("mlflow.trace.session", Slot::SessionId),
    ("langsmith.metadata.session_id", Slot::SessionId),
    ("langsmith.metadata.thread_id", Slot::SessionId),
    ("traceloop.association.properties.thread_id", Slot::SessionId),
    ("spring.ai.chat.client.conversation.id", Slot::SessionId),
    ("conversation.id", Slot::SessionId),
    ("conversation_id", Slot::SessionId),
    ("runledger.end_user_id", Slot::EndUserId),
    ("enduser.id", Slot::EndUserId),
    ("user.id", Slot::EndUserId),
    ("langfuse.user.id", Slot::EndUserId),
    ("gen_ai.user.id", Slot::EndUserId),
    ("gen_ai.user", Slot::EndUserId),
    ("gen_ai.request.user", Slot::EndUserId),
    ("llm.user", Slot::EndUserId),
    ("traceloop.association.properties.user_id", Slot::EndUserId),
    ("lmnr.association.properties.user_id", Slot::EndUserId),
    ("ai.telemetry.metadata.userId", Slot::EndUserId),
    ("mlflow.trace.user", Slot::EndUserId),
    ("langsmith.metadata.user_id", Slot::EndUserId),
    ("runledger.tags", Slot::Tags),
    ("tag.tags", Slot::Tags),
    ("langfuse.trace.tags", Slot::Tags),
    ("langfuse.tags", Slot::Tags),
    ("langsmith.span.tags", Slot::Tags),
    ("lmnr.association.properties.tags", Slot::Tags),
    ("traceloop.association.properties.tags", Slot::Tags),
    ("ai.telemetry.metadata.tags", Slot::Tags),
    ("logfire.tags", Slot::Tags),
    ("runledger.run_id", Slot::RunId),
    ("runledger.run_name", Slot::RunName),
    ("langfuse.trace.name", Slot::RunName),
    ("langsmith.trace.name", Slot::RunName),
    ("runledger.parent_run_id", Slot::ParentRunId),
    ("runledger.correlation_id", Slot::CorrelationId),
    ("runledger.synthetic", Slot::IsSynthetic),
    ("runledger.is_synthetic", Slot::IsSynthetic),
    ("runledger.synthetic_scenario_id", Slot::ScenarioId),
    ("runledger.actor_type", Slot::ActorType),
    ("runledger.actor_id", Slot::ActorId),
    ("runledger.plan_hash", Slot::PlanHash),
    ("runledger.seed", Slot::Seed),
    ("runledger.replay_mode", Slot::ReplayMode),
    ("runledger.step_index", Slot::CallerIndex),
    ("runledger.idempotency_key", Slot::IdempotencyKey),
    ("deployment.environment.name", Slot::Environment),
    ("deployment.environment", Slot::Environment),
    ("langfuse.environment", Slot::Environment),
];

fn aliases() -> impl Iterator<Item = &'static (&'static str, Slot)> {
    ALIASES.iter().chain(guardrail::ALIASES)
}

static INDEX: LazyLock<HashMap<&'static str, (Slot, usize)>> =
    LazyLock::new(|| aliases().enumerate().map(|(rank, (name, slot))| (*name, (*slot, rank))).collect());

/// The meaning of a name, and its rank: of several names for one meaning the lowest counts.
#[must_use]
pub fn lookup(name: &str) -> Option<(Slot, usize)> {
    INDEX.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_has_two_meanings_and_no_meaning_lacks_a_name() {
        assert_eq!(INDEX.len(), aliases().count());
        for slot in 0..SLOTS {
            assert!(aliases().any(|(_, named)| *named as usize == slot), "slot {slot}");
        }
        assert!(!aliases().any(|(name, _)| name.starts_with("gen_ai.aggregated_usage")));
    }
}
