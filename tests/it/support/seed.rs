//! Records to write, made from as few words as a test needs.

use runledger::clock::Clock;
use runledger::domain::append::{
    AppendReceipt, AppendResult, AppendUnit, Appended, New, SealGuard, StepFacts, TraceTouch,
};
use runledger::domain::ids::{Digest, RunId, TenantId, TraceId};
use runledger::domain::payload::PayloadPart;
use runledger::domain::record::NewRecord;
use runledger::domain::run::LlmRun;
use runledger::domain::scope::{Actor, Permissions, Scope};
use runledger::domain::settle::TraceSignals;
use runledger::domain::time::Timestamp;
use runledger::domain::trace::{TRACE_SCHEMA_VERSION, Trace, TraceSeal, TraceStep};
use runledger::domain::vocabulary::{ActorType, ExecutionStatus, OutcomeCategory, RecordSource, StepKind, StepStatus};
use runledger::ledger::commitment::payload;

use super::db::TestClock;

pub fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).expect("a tenant")
}

pub fn run_id(name: &str) -> RunId {
    RunId::parse(name).expect("a run id")
}

pub fn trace_id(name: &str) -> TraceId {
    TraceId::parse(name).expect("a trace id")
}

/// A scope that may everything within its tenant.
pub fn scope(name: &str) -> Scope {
    Scope {
        tenant: tenant(name),
        actor: Actor { actor_type: ActorType::System, id: "test".to_owned() },
        permissions: Permissions::all_of_tenant(),
    }
}

/// `seconds` after the test clock's start.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros_clamped(TestClock::START + seconds * 1_000_000)
}

pub fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

/// A run with nothing optional in it.
pub fn run(name: &str) -> LlmRun {
    LlmRun {
        run_id: run_id(name),
        revision: 1,
        trace_id: None,
        name: None,
        agent_id: None,
        session_id: None,
        end_user_id: None,
        tags: Vec::new(),
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        operation: None,
        service_name: None,
        service_instance_id: None,
        service_version: None,
        environment: None,
        region: None,
        prompt_hash: None,
        response_hash: None,
        input_tokens: 10,
        output_tokens: 5,
        cached_input_tokens: None,
        reasoning_tokens: None,
        time_to_first_token_us: None,
        finish_reason: None,
        cost_micros: None,
        price_version: None,
        execution_status: ExecutionStatus::Succeeded,
        error_type: None,
        started_at: at(0),
        completed_at: None,
        source: RecordSource::Otlp,
        is_synthetic: false,
        synthetic_scenario_id: None,
        correlation_id: None,
        actor_type: None,
        actor_id: None,
        step_count: 0,
        trace_root_hash: None,
    }
}

/// A trace with nothing optional in it.
pub fn trace(name: &str) -> Trace {
    Trace {
        trace_id: trace_id(name),
        run_id: run_id(name),
        agent_id: None,
        parent_run_id: None,
        correlation_id: None,
        plan_hash: None,
        seed: None,
        frozen_at: None,
        schema_version: TRACE_SCHEMA_VERSION.to_owned(),
        replay_mode: None,
        is_synthetic: false,
        synthetic_scenario_id: None,
        service_name: None,
        service_instance_id: None,
        service_version: None,
        environment: None,
        started_at: at(0),
        plan_commitment: None,
    }
}

/// A step with nothing optional in it.
pub fn step(trace: &str, span: &str) -> TraceStep {
    TraceStep {
        trace_id: trace_id(trace),
        caller_index: None,
        span_id: span.to_owned(),
        parent_span_id: None,
        attempt: 1,
        kind: StepKind::Llm,
        skill_name: "chat".to_owned(),
        status: StepStatus::Success,
        outcome_category: OutcomeCategory::Success,
        outcome_code: None,
        provider: None,
        model: None,
        response_id: None,
        input_tokens: None,
        output_tokens: None,
        cost_micros: None,
        started_at: at(0),
        duration_us: 1_000,
        input_hash: None,
        output_hash: None,
        idempotency_key: None,
        duplicate_of: None,
        attributes_commitment: None,
        content_commitment: None,
    }
}

/// A seal.
pub fn seal(trace: &str, revision: i64) -> TraceSeal {
    TraceSeal {
        trace_id: trace_id(trace),
        revision,
        status: ExecutionStatus::Succeeded,
        reason: None,
        step_count: 1,
        root_hash: digest(7),
        ended_at: at(1),
        metadata_commitment: None,
    }
}

/// Signals of a request with the root and LLM work.
pub const ROOT: TraceSignals =
    TraceSignals { has_root: true, has_remote_parent: false, has_llm_work: true, is_open: false };

/// A unit under construction.
#[derive(Clone)]
pub struct Unit<'c> {
    clock: &'c TestClock,
    pub unit: AppendUnit,
}

impl<'c> Unit<'c> {
    /// A unit of a tenant in which each record stands for itself.
    pub fn of(tenant_name: &str, clock: &'c TestClock) -> Self {
        let unit = AppendUnit::evidence(tenant(tenant_name), Vec::new());
        Self { clock, unit }
    }

    /// All or nothing.
    pub fn atomic(mut self) -> Self {
        self.unit.is_atomic = true;
        self
    }

    fn wrap<T>(&self, record: T) -> Box<New<T>> {
        Box::new(New { id: self.clock.new_id(), record, payloads: Vec::new() })
    }

    pub fn run(mut self, run: LlmRun) -> Self {
        self.unit.records.push(NewRecord::Run(self.wrap(run)));
        self
    }

    pub fn trace(mut self, trace: Trace) -> Self {
        self.unit.records.push(NewRecord::Trace(self.wrap(trace)));
        self
    }

    pub fn step(self, step: TraceStep) -> Self {
        let sent = Digest(<sha2::Sha256 as sha2::Digest>::digest(format!("{step:?}")).into());
        self.step_with(step, StepFacts { digest: sent, text: "{}".to_owned() }, None)
    }

    /// A step with facts of its own and a payload.
    pub fn step_with(mut self, mut step: TraceStep, facts: StepFacts, attributes: Option<&str>) -> Self {
        let salt = self.clock.entropy().expect("entropy");
        let payloads: Vec<_> =
            attributes.map(|text| payload(PayloadPart::Attributes, salt, text.to_owned())).into_iter().collect();
        step.attributes_commitment = payloads.first().map(|payload| payload.commitment);
        let mut new = self.wrap(step);
        new.payloads = payloads;
        self.unit.records.push(NewRecord::Step(new, facts));
        self
    }

    pub fn seal(mut self, seal: TraceSeal) -> Self {
        self.unit.records.push(NewRecord::Seal(self.wrap(seal)));
        self
    }

    pub fn touch(mut self, trace: &str, signals: TraceSignals) -> Self {
        self.unit.touches.push(TraceTouch { trace_id: trace_id(trace), signals });
        self
    }

    pub fn guard(mut self, trace: &str, version: i64) -> Self {
        self.unit.guard = Some(SealGuard { trace_id: trace_id(trace), version });
        self
    }
}

/// The results of a unit that was done.
pub fn done(receipt: AppendReceipt) -> Vec<AppendResult> {
    match receipt {
        AppendReceipt::Done(results) => results,
        other => panic!("not done: {other:?}"),
    }
}

/// What was assigned to records that must all be new.
pub fn all_new(receipt: AppendReceipt) -> Vec<Appended> {
    let one = |result| match result {
        AppendResult::New(appended) => appended,
        other => panic!("not new: {other:?}"),
    };
    done(receipt).into_iter().map(one).collect()
}
