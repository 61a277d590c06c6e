//! The one place that writes evidence.

use super::Store;
use crate::domain::append::{AppendReceipt, AppendUnit};
use crate::error::Result;

impl Store {
    /// Hands a unit to the writer and waits until it is committed.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when the queue is full or the database does not take it; `CONFLICT` when an
    /// atomic unit meets a record that exists or a used idempotency key; what is wrong with a record of an atomic unit.
    pub async fn append(&self, _unit: AppendUnit) -> Result<AppendReceipt> {
        unimplemented!()
    }
}
