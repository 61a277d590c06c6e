//! Exports that were made.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "log_export")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    pub scope: String,
    pub run_id: Option<String>,
    pub incident_id: Option<String>,
    pub format: String,
    pub filter: String,
    pub requested_by: String,
    pub origin: String,
    pub source_component: String,
    pub correlation_id: Option<String>,
    pub record_count: i64,
    pub byte_count: i64,
    pub checksum: Option<Vec<u8>>,
    pub checkpoint_sizes: String,
    pub manifest_hash: Option<Vec<u8>>,
    pub status: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
