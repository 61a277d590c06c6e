//! Seals: the ends of traces, one row a revision.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trace_seal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    pub id: Uuid,
    pub seq: i64,
    pub created_at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub trace_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision: i64,
    pub status: String,
    pub reason: Option<String>,
    pub step_count: i64,
    pub root_hash: Vec<u8>,
    pub ended_at: i64,
    pub metadata_commitment: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
