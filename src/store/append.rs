//! The one place that writes evidence.
//!
//! Units wait in a bounded queue; one task a process takes what waits and writes it in one transaction: the logs are
//! locked first, in order of their tenants and ids, so that processes that carry the same spans can never wait for each other in a
//! ring; what is on record is read under that lock; what is new gets its seq and step_index; then commit, then answers. A
//! statement is of one tenant: tenants may live on nodes of their own.

mod changes;
mod erase;
mod flush;
mod insert;
mod known;
mod lanes;
mod logs;
mod plan;
mod prepare;
mod probe;
mod queue;
mod records;
mod thread;

use std::sync::Arc;

use self::prepare::Prepared;
use super::Store;
use crate::domain::append::{AppendReceipt, AppendUnit};
use crate::error::Result;

pub use changes::ChangedLogs;
pub(super) use flush::Writer;
pub use queue::Appending;
pub(super) use queue::Queue;
pub(super) use thread::WriterThread;

/// Records that are hashed on the thread that serves: somewhat more than a millisecond.
const RECORDS_HERE_MAX: usize = 256;

impl Store {
    /// Hands a unit to the writer and waits until it is committed. A caller that stops waiting loses the answer, never
    /// the records.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when the queue is full or the database does not take it; `CONFLICT` when an
    /// atomic unit meets a record that exists or a used idempotency key; what is wrong with a record of an atomic unit;
    /// `LIMIT_EXCEEDED` for a unit that no queue can hold.
    pub async fn append(&self, unit: AppendUnit) -> Result<AppendReceipt> {
        self.begin_append(unit).await?.receipt().await
    }

    /// Hands a unit to the writer. Units that are handed over one after the other are written in that order. Many leaves are
    /// hashed beside the threads that serve.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the queue is full, `LIMIT_EXCEEDED` for a unit that no queue can hold; the others come with the
    /// answer.
    pub async fn begin_append(&self, unit: AppendUnit) -> Result<Appending> {
        let queue = self.queue();
        let (load, is_chained) = (queue.load_of(&unit)?, queue.is_chained());
        let (clock, is_large) = (Arc::clone(self.clock()), unit.records.len() > RECORDS_HERE_MAX);
        let prepare = move || Prepared::new(unit, clock.now(), is_chained);
        let prepared = if is_large { self.inner.hashing.run(prepare).await?? } else { prepare()? };
        queue.push(prepared, load)
    }
}
