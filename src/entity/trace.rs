//! Traces: one row each, about their beginning.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trace")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub trace_id: String,
    pub run_id: String,
    pub agent_id: Option<String>,
    pub parent_run_id: Option<String>,
    pub correlation_id: Option<String>,
    pub plan_hash: Option<String>,
    pub seed: Option<i64>,
    pub frozen_at: Option<i64>,
    pub schema_version: String,
    pub replay_mode: Option<String>,
    pub is_synthetic: bool,
    pub synthetic_scenario_id: Option<String>,
    pub service_name: Option<String>,
    pub service_instance_id: Option<String>,
    pub service_version: Option<String>,
    pub environment: Option<String>,
    pub started_at: i64,
    pub plan_commitment: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
