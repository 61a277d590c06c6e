//! Series of OTLP metrics; operational.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metric_series")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub series_id: Uuid,
    pub service_name: String,
    pub service_instance_id: String,
    pub name: String,
    pub unit: String,
    pub kind: String,
    pub is_monotonic: bool,
    pub temporality: Option<String>,
    pub scope: String,
    pub attributes: String,
    pub last_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
