//! Runs of verification.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_verification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub number: i64,
    pub log_id: Uuid,
    pub stream: Option<String>,
    pub mode: String,
    pub status: String,
    pub reason: Option<String>,
    pub from_size: i64,
    pub size: i64,
    pub root: Option<Vec<u8>>,
    pub entry_count: i64,
    pub payload_count: i64,
    pub erased_count: i64,
    pub anomaly_count: i64,
    pub warning_count: i64,
    pub is_chain_valid: bool,
    pub started_at: i64,
    pub finished_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
