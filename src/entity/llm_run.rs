//! Runs: one row a revision.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "llm_run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub trace_id: Option<String>,
    pub name: Option<String>,
    pub agent_id: Option<String>,
    pub session_id: Option<String>,
    pub end_user_id: Option<String>,
    pub tags: String,
    pub provider: String,
    pub model: String,
    pub operation: Option<String>,
    pub service_name: Option<String>,
    pub service_instance_id: Option<String>,
    pub service_version: Option<String>,
    pub environment: Option<String>,
    pub prompt_hash: Option<Vec<u8>>,
    pub response_hash: Option<Vec<u8>>,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub cached_input_tokens: Option<i64>,
    pub reasoning_tokens: Option<i64>,
    pub time_to_first_token_us: Option<i64>,
    pub finish_reason: Option<String>,
    pub cost_micros: Option<i64>,
    pub price_version: Option<String>,
    pub execution_status: String,
    pub error_type: Option<String>,
    pub started_at: i64,
    pub completed_at: Option<i64>,
    pub source: String,
    pub is_synthetic: bool,
    pub synthetic_scenario_id: Option<String>,
    pub correlation_id: Option<String>,
    pub actor_type: Option<String>,
    pub actor_id: Option<String>,
    pub step_count: i64,
    pub trace_root_hash: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
