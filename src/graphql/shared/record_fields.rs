//! What every record of the ledger says of itself, whatever its kind. Part of the objects of records.

use async_graphql::Object;

use crate::domain::run::Stored;
use crate::domain::time::Timestamp;
use crate::graphql::shared::row::columns;
use crate::graphql::shared::scalars::{BigInt, DateTime};

/// Defines the object of a kind of record over what is stored, and how the one becomes the other.
macro_rules! record {
    ($(#[$doc:meta])* $object:ident($stored:ty)) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $object(pub $stored);

        impl From<$stored> for $crate::graphql::shared::row::Row<$object> {
            fn from(stored: $stored) -> Self {
                Self($object(stored))
            }
        }
    };
}
pub(crate) use record;

/// Fields of every record. They are leaves: an object below that led back to a record would be described to the schema
/// before the fields here are known, and would lack them.
pub struct RecordFields {
    seq: i64,
    created_at: Timestamp,
}

impl<T> From<&Stored<T>> for RecordFields {
    fn from(stored: &Stored<T>) -> Self {
        Self { seq: stored.seq, created_at: stored.created_at }
    }
}

#[Object]
impl RecordFields {
    /// When this record was written to the ledger.
    fn created_at(&self) -> DateTime {
        DateTime(self.created_at)
    }

    /// The place of this record in its log, from 0: the order in which records were written. The log is the evidence log of
    /// the tenant, or of the platform for what concerns all of it; of an audit entry of category ACCESS it is the access log.
    fn sequence(&self) -> BigInt {
        BigInt(self.seq)
    }
}

columns!(RecordFields { "createdAt" => created_at, "sequence" => sequence });
