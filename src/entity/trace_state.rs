//! What is known of traces beyond their evidence; mutable.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trace_state")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub trace_id: String,
    pub step_count: i64,
    pub has_root: bool,
    pub has_remote_parent: bool,
    pub has_llm_work: bool,
    pub is_open: bool,
    pub sealed_revision: i64,
    pub last_seen_at: i64,
    pub due_at: Option<i64>,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
