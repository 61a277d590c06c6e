//! What verifications found.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_anomaly")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub verification_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub idx: i64,
    pub kind: String,
    pub is_warning: bool,
    pub seq: Option<i64>,
    pub seq_end: Option<i64>,
    pub record_kind: Option<String>,
    pub record_id: Option<Uuid>,
    pub field: Option<String>,
    pub detail: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
