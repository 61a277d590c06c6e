//! What every record of the ledger says of itself, whatever its kind. Part of the objects of records.

use async_graphql::{Context, Object};

use super::error::Maybe;
use super::ledger_entries::LedgerEntry;
use super::row::{Row, columns};
use super::scalars::{BigInt, DateTime};
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::run::Stored;
use crate::domain::time::Timestamp;

/// Defines the object of a kind of record over what is stored, and how the one becomes the other.
macro_rules! record {
    ($(#[$doc:meta])* $object:ident($stored:ty)) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $object(pub $stored);

        impl From<$stored> for $crate::graphql::row::Row<$object> {
            fn from(stored: $stored) -> Self {
                Self($object(stored))
            }
        }
    };
}
pub(crate) use record;

/// Fields of every record.
pub struct RecordFields<'r> {
    tenant: &'r TenantId,
    id: RecordId,
    seq: i64,
    created_at: Timestamp,
}

impl<'r, T> From<&'r Stored<T>> for RecordFields<'r> {
    fn from(stored: &'r Stored<T>) -> Self {
        Self { tenant: &stored.tenant_id, id: stored.id, seq: stored.seq, created_at: stored.created_at }
    }
}

#[Object]
impl RecordFields<'_> {
    /// When this record was written to the ledger.
    fn created_at(&self) -> DateTime {
        DateTime(self.created_at)
    }

    /// The place of this record in its log, from 0: the order in which records were written. The log is the evidence log of
    /// the tenant, or of the platform for what concerns all of it; of an audit entry of category ACCESS it is the access log.
    fn sequence(&self) -> BigInt {
        BigInt(self.seq)
    }

    /// The place of this record in the ledger, with its leaf and its proofs. Null where the ledger has lost it:
    /// verification reports that as an anomaly.
    async fn ledger_entry(&self, ctx: &Context<'_>) -> Maybe<Row<LedgerEntry>> {
        Maybe::of(LedgerEntry::of(ctx, self.tenant, self.id).await)
    }
}

columns!(RecordFields<'_> { "createdAt" => created_at, "sequence" => sequence });
