//! The tables of evidence records: what the ledger assigns, and the columns of each declaration.

use crate::domain::record::each_record;

/// The model of a declaration.
macro_rules! model {
    (
        $(#[$meta:meta])*
        $name:ident in $table:literal: $kind:ident $(, assigned $($assigned:ident: $assigned_type:ty),+)? {
            $($(#[$field_meta:meta])* $field:ident $(as $leaf:ident)?: $type:ty $([$($what:tt)+])?),+ $(,)?
        }
    ) => {
        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = $table)]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub tenant_id: String,
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Uuid,
            pub seq: i64,
            pub created_at: i64,
            $($(pub $assigned: $assigned_type,)+)?
            $(pub $field: Cell<$type>,)+
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    };
}

macro_rules! models {
    ($($variant:ident($record:ty) in $table:ident $(, read $read:ty)? $(, with $with:ty)?;)+) => { $(
        pub mod $table {
            use sea_orm::entity::prelude::*;

            use crate::domain::record::Cell;
            use crate::domain::record::types::*;

            $table!(model);
        }
    )+ };
}
each_record!(models);
