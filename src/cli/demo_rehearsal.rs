//! The demo's rehearsal, recorded through the API like an application's own work: a scenario replayed as test data after a
//! plan, with a write that is done once, and a correction of what it cost.

use serde_json::json;

use crate::app::AppError;
use crate::domain::ids::{RunId, TraceId};
use crate::domain::input::{ContentInput, IdempotencyKey, RunInput, StepInput, TraceInput};
use crate::domain::run::RunTexts;
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};
use crate::domain::vocabulary::{ActorType, StepKind, StepStatus};
use crate::facade::LogsFacade;

use super::demo_story::{MINUTE_US, OPERATOR};

const NAME: &str = "rehearsal-7";
const SCENARIO: &str = "refund-after-cancellation";
/// Before the first of the real runs.
const AGO_US: i64 = 8 * 60 * MINUTE_US;
/// How much later than the application the gateway sees a request, and how much earlier the response.
const GATEWAY_US: i64 = 4_000;

/// Records the rehearsal, then the correction of its cost as a second revision.
pub(super) async fn record(demo: &LogsFacade, now: Timestamp) -> Result<(), AppError> {
    let start = now.plus_micros(-AGO_US);
    let run = run(start)?;
    let key = IdempotencyKey { key: NAME.to_owned(), sent: json!({ "runId": NAME, "startedAt": start.to_rfc3339() }) };
    let first = demo.record_llm_run(run.clone(), Some((trace(start)?, steps(start))), Some(key));
    Box::pin(demo.loads().drive(first)).await?;
    let corrected = RunInput { supersedes_revision: Some(1), cost_micros: Some(2_140), ..run };
    Box::pin(demo.loads().drive(demo.record_llm_run(corrected, None, None))).await?;
    Ok(())
}

fn content(text: &str) -> ContentInput {
    ContentInput { text: Some(text.to_owned()), hash: None }
}

fn run(start: Timestamp) -> Result<RunInput, AppError> {
    Ok(RunInput {
        run_id: Some(RunId::parse(NAME)?),
        texts: RunTexts {
            name: Some("refund rehearsal".to_owned()),
            agent_id: Some("refund-agent".to_owned()),
            session_id: Some("rehearsal".to_owned()),
            operation: Some("chat".to_owned()),
            service_name: Some("refunds".to_owned()),
            service_instance_id: Some("refunds-0".to_owned()),
            service_version: Some("1.4.0".to_owned()),
            environment: Some("staging".to_owned()),
            region: Some("eu-central-1".to_owned()),
            finish_reason: Some("stop".to_owned()),
            correlation_id: Some("release-1.4.0".to_owned()),
            ..RunTexts::default()
        },
        end_user_id: Some("customer-0".to_owned()),
        tags: vec!["refunds".to_owned(), "rehearsal".to_owned()],
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o-mini".to_owned()),
        prompt: content("The order was cancelled. Refund it."),
        response: content("Refunded."),
        input_tokens: Some(180),
        output_tokens: Some(42),
        cached_input_tokens: Some(128),
        reasoning_tokens: Some(12),
        time_to_first_token_us: Some(310_000),
        started_at: Some(start),
        completed_at: Some(start.plus_micros(3 * MICROS_PER_SECOND)),
        is_synthetic: true,
        synthetic_scenario_id: Some(SCENARIO.to_owned()),
        actor_type: Some(ActorType::Human),
        actor_id: Some(OPERATOR.id.to_owned()),
        ..RunInput::default()
    })
}

fn trace(start: Timestamp) -> Result<TraceInput, AppError> {
    Ok(TraceInput {
        trace_id: Some(TraceId::parse(NAME)?),
        run_id: Some(RunId::parse(NAME)?),
        agent_id: Some("refund-agent".to_owned()),
        parent_run_id: Some("rehearsals".to_owned()),
        correlation_id: Some("release-1.4.0".to_owned()),
        plan_hash: Some("plan-12".to_owned()),
        seed: Some(7),
        frozen_at: Some(start),
        replay_mode: Some("effects are simulated".to_owned()),
        is_synthetic: true,
        synthetic_scenario_id: Some(SCENARIO.to_owned()),
        service_name: Some("refunds".to_owned()),
        service_instance_id: Some("refunds-0".to_owned()),
        service_version: Some("1.4.0".to_owned()),
        environment: Some("staging".to_owned()),
        started_at: Some(start),
        plan: Some(json!({ "goal": "refund a cancelled order", "steps": ["ask the model", "refund"] })),
    })
}

/// A call to the model, which the gateway reports as well, and the refund that it asks for, which is done once.
fn steps(start: Timestamp) -> Vec<StepInput> {
    let call = StepInput {
        caller_index: Some(0),
        span_id: Some("ask".to_owned()),
        parent_span_id: None,
        attempt: Some(1),
        kind: StepKind::Llm,
        skill_name: "chat".to_owned(),
        status: StepStatus::Success,
        outcome_category: None,
        outcome_code: None,
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o-mini".to_owned()),
        response_id: Some("resp-1".to_owned()),
        input_tokens: Some(180),
        output_tokens: Some(42),
        cost_micros: None,
        started_at: start,
        duration_us: 2 * MICROS_PER_SECOND,
        input: content("The order was cancelled. Refund it."),
        output: content("Refunded."),
        idempotency_key: None,
        duplicate_of: None,
        attributes: Some(json!({ "temperature": 0 })),
    };
    let refund = StepInput {
        caller_index: Some(1),
        span_id: Some("refund".to_owned()),
        parent_span_id: Some("ask".to_owned()),
        kind: StepKind::Tool,
        skill_name: "refund_order".to_owned(),
        outcome_code: Some("200".to_owned()),
        provider: None,
        model: None,
        response_id: None,
        input_tokens: None,
        output_tokens: None,
        started_at: start.plus_micros(2 * MICROS_PER_SECOND),
        duration_us: MICROS_PER_SECOND / 2,
        input: content("order 4711"),
        output: content("done"),
        idempotency_key: Some("refund-4711".to_owned()),
        attributes: Some(json!({ "order": "4711" })),
        ..call.clone()
    };
    let gateway = StepInput {
        caller_index: Some(2),
        span_id: Some("ask-gateway".to_owned()),
        skill_name: "POST /v1/chat/completions".to_owned(),
        started_at: start.plus_micros(GATEWAY_US),
        duration_us: 2 * MICROS_PER_SECOND - 2 * GATEWAY_US,
        parent_span_id: Some("ask".to_owned()),
        duplicate_of: Some("ask".to_owned()),
        attributes: None,
        ..call.clone()
    };
    vec![call, refund, gateway]
}
