//! Incident evidence, one row a revision.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "incident_evidence")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub incident_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub severity: String,
    pub status: String,
    pub title: String,
    pub source_run_id: Option<String>,
    pub policy_id: Option<String>,
    pub violation_type: Option<String>,
    pub violation_at: Option<i64>,
    pub violation_step_index: Option<i64>,
    pub threshold: Option<String>,
    pub actual: Option<String>,
    pub inflection_at: Option<i64>,
    pub inflection_step_index: Option<i64>,
    pub opened_at: i64,
    pub resolved_at: Option<i64>,
    pub correlation_id: Option<String>,
    pub source_component: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
