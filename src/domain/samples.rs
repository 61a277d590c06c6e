//! Records with as little in them as may be, for tests: each test names what it is about and takes the rest from here.

use uuid::Uuid;

use super::ids::{RecordId, RunId, TenantId};
use super::run::{LlmRun, Stored};
use super::time::Timestamp;
use super::vocabulary::{ExecutionStatus, RecordSource};

/// A record of the tenant `t`, as it stands on record at time zero.
pub fn stored<T>(id: u128, seq: i64, record: T) -> Stored<T> {
    Stored {
        id: RecordId(Uuid::from_u128(id)),
        tenant_id: TenantId::trusted("t"),
        seq,
        created_at: Timestamp::default(),
        record,
    }
}

/// A run that began at time zero and says no more than it must.
pub fn run() -> LlmRun {
    LlmRun {
        run_id: RunId::trusted("r"),
        revision: 1,
        trace_id: None,
        name: None,
        agent_id: None,
        session_id: None,
        end_user_id: None,
        tags: Vec::new(),
        provider: "p".to_owned(),
        model: "m".to_owned(),
        operation: None,
        service_name: None,
        service_instance_id: None,
        service_version: None,
        environment: None,
        region: None,
        prompt_hash: None,
        response_hash: None,
        input_tokens: 0,
        output_tokens: 0,
        cached_input_tokens: None,
        reasoning_tokens: None,
        time_to_first_token_us: None,
        finish_reason: None,
        cost_micros: None,
        price_version: None,
        execution_status: ExecutionStatus::Succeeded,
        error_type: None,
        started_at: Timestamp::default(),
        completed_at: None,
        source: RecordSource::System,
        is_synthetic: false,
        synthetic_scenario_id: None,
        correlation_id: None,
        actor_type: None,
        actor_id: None,
        step_count: 0,
        trace_root_hash: None,
    }
}
