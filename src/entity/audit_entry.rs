//! Entries of the audit ledger.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    pub category: String,
    pub event_type: String,
    pub entity_type: String,
    pub entity_id: String,
    pub actor_type: String,
    pub actor_id: Option<String>,
    pub verdict: Option<String>,
    pub action: Option<String>,
    pub policy_id: Option<String>,
    pub rule_id: Option<String>,
    pub run_id: Option<String>,
    pub correlation_id: Option<String>,
    pub source_component: String,
    pub occurred_at: i64,
    pub action_reason_commitment: Option<Vec<u8>>,
    pub before_state_commitment: Option<Vec<u8>>,
    pub after_state_commitment: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
