//! Steps.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trace_step")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub trace_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub step_index: i64,
    pub is_late: bool,
    pub caller_index: Option<i64>,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    pub attempt: i64,
    pub kind: String,
    pub skill_name: String,
    pub status: String,
    pub outcome_category: String,
    pub outcome_code: Option<String>,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub response_id: Option<String>,
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cost_micros: Option<i64>,
    pub started_at: i64,
    pub duration_us: i64,
    pub input_hash: Option<Vec<u8>>,
    pub output_hash: Option<Vec<u8>>,
    pub idempotency_key: Option<String>,
    pub duplicate_of: Option<String>,
    pub attributes_commitment: Option<Vec<u8>>,
    pub content_commitment: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
