//! One span to one step.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;

use super::content::Contents;
use super::wire::Wire;
use super::{document, governance, signals_of};
use crate::capture::CaptureContext;
use crate::capture::digest::ContentHasher;
use crate::capture::facts::Facts;
use crate::capture::genai::content::Side;
use crate::capture::genai::guardrail::{self, SpanFacts};
use crate::capture::genai::kind;
use crate::capture::genai::outcome::{self, Failure, Outcome};
use crate::capture::genai::provider;
use crate::capture::genai::table::Slot;
use crate::capture::genai::usage::{SpanUsage, is_cache_apart, said_cost_micros};
use crate::capture::genai::{Found, model_of_parameters, value};
use crate::capture::pricing::Usage;
use crate::capture::text::{label, sorted_tags};
use crate::domain::draft::{DraftAudit, DraftPayload, DraftStep};
use crate::domain::ids::{Digest, RunId, TraceId};
use crate::domain::payload::PayloadPart;
use crate::domain::settle::TraceSignals;
use crate::domain::time::Timestamp;
use crate::domain::trace::{TRACE_SCHEMA_VERSION, Trace, TraceStep};
use crate::domain::vocabulary::{ActorType, StepKind};

/// Flag bits of a span: whether the exporter knows if the parent is remote, and whether it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// What a resource says, read once for all its spans.
pub(super) struct ResourceContext {
    pub(super) digest: Digest,
    pub(super) json: String,
    pub(super) service_name: Option<String>,
    pub(super) service_instance_id: Option<String>,
    service_version: Option<String>,
    environment: Option<String>,
    region: Option<String>,
}

impl ResourceContext {
    pub(super) fn read(resource: Option<&Resource>, schema_url: &str) -> Self {
        let attributes = resource.map_or(&[][..], |resource| &resource.attributes);
        let text = |names: &[&str]| names.iter().find_map(|name| find(attributes, name)).and_then(|text| label(&text));
        Self {
            digest: Wire::resource(resource, schema_url),
            json: document::resource(attributes),
            service_name: text(&["service.name"]),
            service_instance_id: text(&["service.instance.id"]),
            service_version: text(&["service.version"]),
            environment: text(&["deployment.environment.name", "deployment.environment"]),
            region: text(&["cloud.region"]),
        }
    }
}

fn find<'a>(attributes: &'a [KeyValue], name: &str) -> Option<std::borrow::Cow<'a, str>> {
    value::text(attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?)
}

/// What an instrumentation scope says, read once for all its spans.
pub(super) struct ScopeContext {
    pub(super) digest: Digest,
    pub(super) json: String,
    pub(super) name: String,
}

impl ScopeContext {
    pub(super) fn read(scope: Option<&InstrumentationScope>, schema_url: &str) -> Self {
        Self {
            digest: Wire::scope(scope, schema_url),
            json: document::scope(scope),
            name: scope.and_then(|scope| label(&scope.name)).unwrap_or_default(),
        }
    }
}

/// Turns spans into steps.
pub(super) struct Mapper<'a> {
    ctx: &'a CaptureContext,
    hasher: ContentHasher,
    wire: Wire,
}

/// Ids and times of a span that can be recorded.
struct Frame {
    trace_id: TraceId,
    span_id: String,
    parent_span_id: Option<String>,
    started_at: Timestamp,
    duration_us: i64,
}

impl<'a> Mapper<'a> {
    pub(super) fn new(ctx: &'a CaptureContext) -> Self {
        Self { ctx, hasher: ContentHasher::new(&ctx.content_key), wire: Wire::default() }
    }

    /// The draft of a span's step, and what it says about its trace; or why it cannot be recorded.
    pub(super) fn step(
        &mut self,
        resource: &ResourceContext,
        scope: &ScopeContext,
        span: &Span,
    ) -> Result<(DraftStep, TraceSignals), String> {
        let frame = frame(span)?;
        // Keyed like the digests of content, which it covers: whoever guesses a prompt must not be able to confirm it.
        let digest = self.hasher.digest_bytes(&self.wire.span(resource.digest, scope.digest, span).0);
        let found = Found::read(&span.attributes);
        let kind = kind::kind(&found, &span.name);
        let status = span.status.as_ref();
        let failure = Failure {
            message: status.map_or("", |status| &status.message),
            exception_type: span.events.iter().rev().find_map(exception_type),
        };
        let outcome = outcome::outcome(&found, status.is_some_and(|status| status.code == 2), failure);
        let contents = Contents::read(span, &self.hasher);
        let call = self.call(&found, &span.attributes, kind, &scope.name);
        let span_name = label(&span.name).unwrap_or_else(|| "unnamed".to_owned());
        let facts = facts(&found, resource, scope, span, &outcome, &call, &span_name);
        let step = TraceStep {
            trace_id: frame.trace_id,
            caller_index: found.integer(Slot::CallerIndex),
            span_id: frame.span_id,
            parent_span_id: frame.parent_span_id,
            attempt: attempt(&found),
            kind,
            skill_name: kind::skill(&found, kind).unwrap_or(span_name),
            status: outcome.status,
            outcome_category: outcome.category,
            outcome_code: outcome.code,
            provider: call.provider,
            model: call.model,
            response_id: found.label(Slot::ResponseId),
            input_tokens: call.usage.input,
            output_tokens: call.usage.output,
            cost_micros: call.cost_micros,
            started_at: frame.started_at,
            duration_us: frame.duration_us,
            input_hash: contents.hash(Side::Input),
            output_hash: contents.hash(Side::Output),
            idempotency_key: found.identifier(Slot::IdempotencyKey),
            duplicate_of: None,
            attributes_commitment: None,
            content_commitment: None,
        };
        let mut payloads = vec![DraftPayload {
            part: PayloadPart::Attributes,
            text: document::attributes(span, resource, scope, &contents),
        }];
        if self.ctx.keeps_content && !contents.is_empty() {
            payloads.push(DraftPayload { part: PayloadPart::Content, text: contents.stored() });
        }
        let signals = signals_of(&step, &facts);
        let audits = audits(span, &found, &step, &facts);
        Ok((DraftStep { step, payloads, facts: facts.store(digest), audits }, signals))
    }

    /// What a span says about the call to a model, with its cost.
    fn call(&self, found: &Found<'_>, attributes: &[KeyValue], kind: StepKind, scope: &str) -> Call {
        let provider = found.label(Slot::Provider).and_then(|name| provider::of_span(&name));
        let request_model = found.label(Slot::RequestModel).or_else(|| {
            let has_answered = found.get(Slot::ResponseModel).is_some();
            if has_answered { None } else { model_of_parameters(attributes) }
        });
        // The model that answered is what was paid for; an alias in the request is not.
        let model = found.label(Slot::ResponseModel).or_else(|| request_model.clone());
        let usage = SpanUsage::read(found, kind);
        let said = said_cost_micros(found);
        let bears_usage = usage.input.is_some() || usage.output.is_some();
        let priced = model.as_deref().filter(|_| said.is_none() && bears_usage).and_then(|model| {
            let tokens = Usage {
                input_tokens: usage.input.unwrap_or(0),
                output_tokens: usage.output.unwrap_or(0),
                cached_input_tokens: usage.cached.unwrap_or(0),
                cache_write_tokens: usage.cache_write.unwrap_or(0),
                is_cache_apart: is_cache_apart(provider.as_deref(), Some(model), scope),
            };
            self.ctx.prices.cost_micros(provider.as_deref(), model, &tokens)
        });
        Call {
            price_version: priced.map(|_| self.ctx.prices.version().to_owned()),
            request_model: request_model.filter(|name| Some(name) != model.as_ref()),
            provider,
            model,
            usage,
            cost_micros: said.or(priced),
        }
    }
}

/// What rules said of the span.
fn audits(span: &Span, found: &Found<'_>, step: &TraceStep, facts: &Facts) -> Vec<DraftAudit> {
    let evaluations = guardrail::evaluations(SpanFacts {
        found,
        attributes: &span.attributes,
        events: &span.events,
        kind: step.kind,
        name: &facts.span_name,
        outcome: step.outcome_category,
        code: step.outcome_code.as_deref(),
        provider: step.provider.as_deref(),
    });
    evaluations.into_iter().map(|evaluation| governance::entry(evaluation, step, facts)).collect()
}

struct Call {
    provider: Option<String>,
    model: Option<String>,
    request_model: Option<String>,
    usage: SpanUsage,
    cost_micros: Option<i64>,
    price_version: Option<String>,
}

/// An id of OpenTelemetry in hex.
pub(super) fn id(bytes: &[u8], length: usize, name: &str) -> Result<String, String> {
    if bytes.len() != length {
        return Err(format!("{name} has {} bytes, not {length}", bytes.len()));
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(format!("{name} is all zeros"));
    }
    Ok(hex::encode(bytes))
}

fn frame(span: &Span) -> Result<Frame, String> {
    let trace_id = id(&span.trace_id, 16, "trace_id")?;
    let span_id = id(&span.span_id, 8, "span_id")?;
    // An all-zero parent is how some exporters write that there is none.
    let has_parent = span.parent_span_id.iter().any(|byte| *byte != 0);
    let parent_span_id = if has_parent { Some(id(&span.parent_span_id, 8, "parent_span_id")?) } else { None };
    let started_at = Timestamp::from_unix_nanos(span.start_time_unix_nano)
        .ok_or("start_time_unix_nano lies beyond the year 9999")?;
    let ended_at =
        Timestamp::from_unix_nanos(span.end_time_unix_nano).ok_or("end_time_unix_nano lies beyond the year 9999")?;
    Ok(Frame {
        trace_id: TraceId::trusted(trace_id),
        span_id,
        parent_span_id,
        started_at,
        // A clock that was set back, or an end that was never written.
        duration_us: ended_at.since(started_at).max(0),
    })
}

fn facts(
    found: &Found<'_>,
    resource: &ResourceContext,
    scope: &ScopeContext,
    span: &Span,
    outcome: &Outcome,
    call: &Call,
    span_name: &str,
) -> Facts {
    Facts {
        is_otlp: true,
        scope: scope.name.clone(),
        span_name: span_name.to_owned(),
        has_remote_parent: span.flags & HAS_IS_REMOTE == 0 || span.flags & IS_REMOTE != 0,
        run_id: found.identifier(Slot::RunId),
        run_name: found.label(Slot::RunName),
        session_id: found.label(Slot::SessionId),
        end_user_id: found.identifier(Slot::EndUserId),
        tags: sorted_tags(
            found.get(Slot::Tags).map(value::texts).unwrap_or_default().iter().filter_map(|tag| label(tag)),
        ),
        agent_id: found.label(Slot::AgentName).or_else(|| found.label(Slot::AgentId)),
        service_name: resource.service_name.clone(),
        service_instance_id: resource.service_instance_id.clone(),
        service_version: resource.service_version.clone(),
        environment: resource.environment.clone().or_else(|| found.label(Slot::Environment)),
        region: resource.region.clone(),
        operation: found.label(Slot::Operation),
        request_model: call.request_model.clone(),
        cached_tokens: call.usage.cached,
        reasoning_tokens: call.usage.reasoning,
        first_token_us: first_token_us(found, span),
        finish_reason: found.label(Slot::FinishReason),
        price_version: call.price_version.clone(),
        error_type: outcome.error_type.clone(),
        is_timeout: outcome.is_timeout,
        is_synthetic: found
            .text(Slot::IsSynthetic)
            .is_some_and(|flag| flag.eq_ignore_ascii_case("true") || flag == "1"),
        scenario_id: found.label(Slot::ScenarioId),
        correlation_id: found.label(Slot::CorrelationId),
        actor_type: found.text(Slot::ActorType).and_then(|text| {
            ActorType::parse(&text.to_ascii_uppercase()).map(|actor_type| actor_type.as_str().to_owned())
        }),
        actor_id: found.identifier(Slot::ActorId),
    }
}

/// 1 unless the span counts its attempts (from 1) or its retries (from 0).
fn attempt(found: &Found<'_>) -> i64 {
    let retries = || found.integer(Slot::Retry).map(|retry| retry.saturating_add(1));
    found.integer(Slot::Attempt).or_else(retries).unwrap_or(1).clamp(1, i64::from(i32::MAX))
}

fn exception_type(event: &Event) -> Option<&str> {
    let attribute =
        event.attributes.iter().find(|attribute| event.name == "exception" && attribute.key == "exception.type")?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// Microseconds to the first token: as the span says, else the first event that marks a chunk of the answer.
fn first_token_us(found: &Found<'_>, span: &Span) -> Option<i64> {
    const EVENTS: &[&str] = &[
        "First Token Stream Event",
        "gen_ai.content.completion.chunk",
        "ai.stream.firstChunk",
        "gen_ai.first_token",
        "first_token",
    ];
    let of_seconds = |seconds: f64| {
        let micros = (seconds * 1e6).round();
        (0.0..1e15).contains(&micros).then(|| value::whole(micros)).flatten()
    };
    let by_instant = || {
        let instant = Timestamp::parse(&found.text(Slot::FirstTokenAt)?).ok()?;
        Some(instant.since(Timestamp::from_unix_nanos(span.start_time_unix_nano)?))
    };
    let by_event = || {
        let first = span
            .events
            .iter()
            .filter(|event| EVENTS.contains(&event.name.as_str()))
            .map(|event| event.time_unix_nano)
            .min()?;
        i64::try_from(first.checked_sub(span.start_time_unix_nano)? / 1_000).ok()
    };
    (found.number(Slot::FirstTokenSeconds).and_then(of_seconds))
        .or_else(|| found.number(Slot::FirstTokenMillis).and_then(|millis| of_seconds(millis / 1e3)))
        .or_else(by_instant)
        .or_else(by_event)
        .filter(|micros| *micros >= 0)
}

/// The record of a trace's beginning, from its first or topmost span.
pub(super) fn trace(span: &Span, resource: &ResourceContext, draft: &DraftStep) -> Trace {
    let found = Found::read(&span.attributes);
    let facts = Facts::parse(&draft.facts.text);
    let step = &draft.step;
    let run_id = facts.run_id.and_then(|name| RunId::parse(name).ok());
    let scenario = facts
        .is_synthetic
        .then(|| facts.scenario_id.unwrap_or_else(|| crate::capture::seal::UNNAMED_SCENARIO.to_owned()));
    Trace {
        trace_id: step.trace_id.clone(),
        run_id: run_id.unwrap_or_else(|| RunId::trusted(step.trace_id.as_str())),
        agent_id: facts.agent_id,
        parent_run_id: found.identifier(Slot::ParentRunId),
        correlation_id: facts.correlation_id,
        plan_hash: found.label(Slot::PlanHash),
        seed: found.integer(Slot::Seed),
        frozen_at: None,
        schema_version: TRACE_SCHEMA_VERSION.to_owned(),
        replay_mode: found.label(Slot::ReplayMode),
        is_synthetic: facts.is_synthetic,
        synthetic_scenario_id: scenario,
        service_name: resource.service_name.clone(),
        service_instance_id: resource.service_instance_id.clone(),
        service_version: resource.service_version.clone(),
        environment: facts.environment,
        started_at: step.started_at,
        plan_commitment: None,
    }
}
