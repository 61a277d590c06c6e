//! System records.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "system_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    pub component: String,
    pub event_type: String,
    pub severity: String,
    pub summary: String,
    pub caused_by: Option<String>,
    pub actor_type: Option<String>,
    pub actor_id: Option<String>,
    pub correlation_id: Option<String>,
    pub service_name: Option<String>,
    pub service_instance_id: Option<String>,
    pub source_component: String,
    pub occurred_at: i64,
    pub details_commitment: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
