//! The run that a trace was: what the caller says, else what an earlier revision said on its own authority, else what the
//! steps say.

use super::{SealOptions, first_fact, head};
use crate::capture::CaptureContext;
use crate::capture::calls::{Calls, Node};
use crate::capture::genai::provider::UNKNOWN;
use crate::capture::input::{self, content_hash};
use crate::capture::text::sorted_tags;
use crate::domain::draft::SealSource;
use crate::domain::ids::Digest;
use crate::domain::input::RunInput;
use crate::domain::run::LlmRun;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceTotals;
use crate::domain::vocabulary::{ActorType, ExecutionStatus, RecordSource, StepKind, StepStatus};
use crate::error::Result;

/// What is known of the trace when its run is composed.
pub(super) struct Frame<'a> {
    pub(super) source: &'a SealSource,
    pub(super) calls: &'a Calls<'a>,
    pub(super) totals: TraceTotals,
    pub(super) status: ExecutionStatus,
    pub(super) ended_at: Timestamp,
    pub(super) root_hash: Digest,
}

/// The run.
pub(super) fn compose(ctx: &CaptureContext, frame: &Frame<'_>, options: &SealOptions) -> Result<LlmRun> {
    let said = input::checked_run(options.run.clone().unwrap_or_default())?;
    let prompt_hash = content_hash(ctx, "prompt", &said.prompt)?;
    let response_hash = content_hash(ctx, "response", &said.response)?;
    let mut run = from_steps(frame, options);
    if let Some(earlier) = frame.source.run.as_ref().filter(|run| run.source != RecordSource::Otlp) {
        keep_identity(&mut run, earlier);
    }
    let own_tokens = said.input_tokens.is_some() || said.output_tokens.is_some();
    lay_over(&mut run, said, own_tokens);
    run.prompt_hash = prompt_hash.or(run.prompt_hash);
    run.response_hash = response_hash.or(run.response_hash);
    if let Some(wanted) = &options.conflicting_run_id {
        run.correlation_id = Some(wanted.as_str().to_owned());
    }
    Ok(run)
}

fn from_steps(frame: &Frame<'_>, options: &SealOptions) -> LlmRun {
    let Frame { source, calls, .. } = *frame;
    let trace = &source.trace.record;
    let head = head(calls).map(|place| &calls.nodes[place]);
    let is_otlp = calls.nodes.iter().any(|node| node.facts.is_otlp);
    // The record of an OTLP trace's beginning depends on what came first; only the spans themselves do not.
    let of_trace = |value: &Option<String>| value.clone().filter(|_| !is_otlp);
    let main = main_call(calls);
    let synthetic = calls.nodes.iter().find(|node| node.facts.is_synthetic).map(|node| &node.facts);
    let is_synthetic = synthetic.is_some() || (!is_otlp && trace.is_synthetic);
    let scenario =
        synthetic.and_then(|facts| facts.scenario_id.clone()).or_else(|| of_trace(&trace.synthetic_scenario_id));
    LlmRun {
        run_id: options.run_id.clone(),
        revision: source.run.as_ref().filter(|run| run.run_id == options.run_id).map_or(1, |run| run.revision + 1),
        trace_id: Some(trace.trace_id.clone()),
        name: first_fact(calls, |facts| facts.run_name.clone())
            .or_else(|| head.map(|node| node.facts.span_name.clone())),
        agent_id: agent(calls, head).or_else(|| of_trace(&trace.agent_id)),
        session_id: first_fact(calls, |facts| facts.session_id.clone()),
        end_user_id: first_fact(calls, |facts| facts.end_user_id.clone()),
        tags: sorted_tags(calls.nodes.iter().flat_map(|node| node.facts.tags.iter().cloned())),
        provider: named(head, main, calls, |node| node.step.provider.as_ref()),
        model: named(head, main, calls, |node| node.step.model.as_ref()),
        operation: (head.into_iter().chain(main)).find_map(|node| node.facts.operation.clone()),
        service_name: first_fact(calls, |facts| facts.service_name.clone()).or_else(|| of_trace(&trace.service_name)),
        service_instance_id: first_fact(calls, |facts| facts.service_instance_id.clone())
            .or_else(|| of_trace(&trace.service_instance_id)),
        service_version: first_fact(calls, |facts| facts.service_version.clone())
            .or_else(|| of_trace(&trace.service_version)),
        environment: first_fact(calls, |facts| facts.environment.clone()).or_else(|| of_trace(&trace.environment)),
        region: first_fact(calls, |facts| facts.region.clone()),
        prompt_hash: head
            .and_then(|node| node.step.input_hash)
            .or_else(|| llm(calls).find_map(|node| node.step.input_hash)),
        response_hash: head
            .and_then(|node| node.step.output_hash)
            .or_else(|| llm(calls).filter_map(|node| node.step.output_hash).next_back()),
        input_tokens: frame.totals.input_tokens,
        output_tokens: frame.totals.output_tokens,
        cached_input_tokens: calls.sum(|facts| facts.cached_tokens),
        reasoning_tokens: calls.sum(|facts| facts.reasoning_tokens),
        time_to_first_token_us: llm(calls)
            .find_map(|node| node.facts.first_token_us)
            .or_else(|| calls.nodes.iter().find_map(|node| node.facts.first_token_us)),
        finish_reason: llm(calls).filter_map(|node| node.facts.finish_reason.clone()).next_back(),
        cost_micros: frame.totals.cost_micros,
        price_version: price_version(calls, frame.totals),
        execution_status: frame.status,
        error_type: error_type(calls, head, frame.status),
        started_at: calls.nodes.first().map_or(trace.started_at, |node| node.step.started_at),
        completed_at: Some(frame.ended_at),
        source: if is_otlp { RecordSource::Otlp } else { RecordSource::Api },
        is_synthetic,
        synthetic_scenario_id: is_synthetic.then(|| scenario.unwrap_or_else(|| super::UNNAMED_SCENARIO.to_owned())),
        correlation_id: first_fact(calls, |facts| facts.correlation_id.clone())
            .or_else(|| of_trace(&trace.correlation_id)),
        actor_type: first_fact(calls, |facts| facts.actor_type.as_deref().and_then(ActorType::parse)),
        actor_id: first_fact(calls, |facts| facts.actor_id.clone()),
        step_count: i64::try_from(source.steps.len()).unwrap_or(i64::MAX),
        trace_root_hash: Some(frame.root_hash),
    }
}

/// Calls to language models in order; of a trace without any, its other calls.
fn llm<'a>(calls: &'a Calls<'a>) -> impl DoubleEndedIterator<Item = &'a Node<'a>> {
    let has_llm = calls.nodes.iter().any(|node| node.step.kind == StepKind::Llm);
    calls.nodes.iter().filter(move |node| if has_llm { node.step.kind == StepKind::Llm } else { node.is_call() })
}

/// The LLM span with the most tokens; of equals the first in order.
fn main_call<'a>(calls: &'a Calls<'a>) -> Option<&'a Node<'a>> {
    llm(calls).reduce(|best, next| if next.tokens() > best.tokens() { next } else { best })
}

/// Provider or model: the head's own, else the main call's, else of the span with the most tokens that names one.
fn named<'a>(
    head: Option<&'a Node<'a>>,
    main: Option<&'a Node<'a>>,
    calls: &'a Calls<'a>,
    name: impl Fn(&'a Node<'a>) -> Option<&'a String>,
) -> String {
    let of_any = || {
        let naming = llm(calls).filter(|node| name(node).is_some());
        let best = naming.reduce(|best, next| if next.tokens() > best.tokens() { next } else { best });
        best.and_then(&name).or_else(|| calls.nodes.iter().find_map(&name))
    };
    head.and_then(&name).or_else(|| main.and_then(&name)).or_else(of_any).cloned().unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The head's agent, else that of the first agent span.
fn agent(calls: &Calls<'_>, head: Option<&Node<'_>>) -> Option<String> {
    head.and_then(|node| node.facts.agent_id.clone()).or_else(|| {
        calls.nodes.iter().filter(|node| node.step.kind == StepKind::Agent).find_map(|node| node.facts.agent_id.clone())
    })
}

/// The version of the table that priced a call which counts. Where a price table changed while the trace ran, both.
fn price_version(calls: &Calls<'_>, totals: TraceTotals) -> Option<String> {
    totals.cost_micros?;
    let counted = calls.counted.iter().chain(&calls.unmeasured);
    let versions: std::collections::BTreeSet<&str> =
        counted.filter_map(|place| calls.nodes[*place].facts.price_version.as_deref()).collect();
    (!versions.is_empty()).then(|| versions.into_iter().collect::<Vec<_>>().join(","))
}

/// The head's error, else that of the span that failed last: the head often says only that something below it failed.
fn error_type(calls: &Calls<'_>, head: Option<&Node<'_>>, status: ExecutionStatus) -> Option<String> {
    if status == ExecutionStatus::Succeeded {
        return None;
    }
    let of = |node: &Node<'_>| {
        (node.step.status == StepStatus::Failure)
            .then(|| node.facts.error_type.clone().or_else(|| node.step.outcome_code.clone()))?
    };
    head.and_then(of).or_else(|| calls.nodes.iter().rev().find_map(of))
}

/// A caller's revision keeps who and what it named when later steps make another one.
fn keep_identity(run: &mut LlmRun, earlier: &LlmRun) {
    run.name.clone_from(&earlier.name);
    run.agent_id.clone_from(&earlier.agent_id);
    run.session_id.clone_from(&earlier.session_id);
    run.end_user_id.clone_from(&earlier.end_user_id);
    run.tags.clone_from(&earlier.tags);
    run.operation.clone_from(&earlier.operation);
    run.correlation_id.clone_from(&earlier.correlation_id);
    run.actor_type = earlier.actor_type;
    run.actor_id.clone_from(&earlier.actor_id);
    run.source = earlier.source;
    run.is_synthetic = earlier.is_synthetic;
    run.synthetic_scenario_id.clone_from(&earlier.synthetic_scenario_id);
}

/// What the caller says goes first.
fn lay_over(run: &mut LlmRun, said: RunInput, own_tokens: bool) {
    if said.cost_micros.is_some() {
        run.price_version = None;
    } else if own_tokens {
        // The steps' cost belongs to the steps' tokens.
        run.cost_micros = None;
        run.price_version = None;
    }
    run.revision = said.supersedes_revision.map_or(run.revision, |revision| revision + 1);
    said.texts.lay_over(run);
    run.end_user_id = said.end_user_id.or(run.end_user_id.take());
    if !said.tags.is_empty() {
        run.tags = sorted_tags(said.tags);
    }
    run.provider = said.provider.unwrap_or(std::mem::take(&mut run.provider));
    run.model = said.model.unwrap_or(std::mem::take(&mut run.model));
    run.input_tokens = said.input_tokens.unwrap_or(run.input_tokens);
    run.output_tokens = said.output_tokens.unwrap_or(run.output_tokens);
    run.cached_input_tokens = said.cached_input_tokens.or(run.cached_input_tokens);
    run.reasoning_tokens = said.reasoning_tokens.or(run.reasoning_tokens);
    run.time_to_first_token_us = said.time_to_first_token_us.or(run.time_to_first_token_us);
    run.cost_micros = said.cost_micros.or(run.cost_micros);
    run.execution_status = said.execution_status.unwrap_or(run.execution_status);
    run.started_at = said.started_at.unwrap_or(run.started_at);
    run.completed_at = said.completed_at.or(run.completed_at);
    run.source = said.source.unwrap_or(run.source);
    if said.is_synthetic {
        run.is_synthetic = true;
        run.synthetic_scenario_id = said.synthetic_scenario_id;
    }
    run.actor_type = said.actor_type.or(run.actor_type);
    run.actor_id = said.actor_id.or(run.actor_id.take());
}
