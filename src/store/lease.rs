//! Leases: work that one process does at a time, of all that share the database. A lease ends by itself some time after its
//! holder was last heard of, so a process that is killed keeps its work from the others no longer than that.
//!
//! The time is each process's own: clocks that differ by more than a lease lasts make two processes take turns, and a round
//! that finds that out breaks off. What is done under a lease may be done twice without harm; it is only a waste.

use std::time::Duration;

use super::Store;
use super::convert::decode_all;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// What became of a lease that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This process has it.
    Mine,
    /// Another process has it, for so long unless it renews it.
    Elsewhere(Duration),
}

/// The leases of one process.
pub struct Leases {
    store: Store,
    holder: String,
}

impl Store {
    /// The leases of a process, under a name that it has alone. One that has the same name after its restart still has those
    /// that it did not give back.
    #[must_use]
    pub fn leases(&self, holder: &str) -> Leases {
        Leases { store: self.clone(), holder: holder.to_owned() }
    }
}

impl Leases {
    /// Takes a lease, or renews it: it is this process's for so long from now on.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer.
    pub async fn take(&self, name: &str, time: Duration) -> Result<Lease> {
        let (db, now) = (self.store.db(), self.store.clock().now());
        let until = now.plus_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
        let sql = "INSERT INTO ledger_duty (name, holder, held_until) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until \
                   WHERE ledger_duty.holder = excluded.holder OR ledger_duty.held_until <= $4";
        let values = [name.into(), self.holder.as_str().into(), until.as_micros().into(), now.as_micros().into()];
        if db.change(db.statement(sql, values)).await? > 0 {
            return Ok(Lease::Mine);
        }
        let sql = "SELECT held_until FROM ledger_duty WHERE name = $1";
        let rows = db.rows(db.statement(sql, [name.into()])).await?;
        let until: Option<Timestamp> = decode_all(&rows, "ledger_duty", |columns| columns.field())?.pop();
        let left = until.map_or(0, |until| until.since(now));
        Ok(Lease::Elsewhere(u64::try_from(left).map_or(Duration::ZERO, Duration::from_micros)))
    }

    /// Gives a lease back, so that another process need not wait for its end. Nothing happens where this process has none.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer.
    pub async fn give_back(&self, name: &str) -> Result<()> {
        let db = self.store.db();
        let sql = "DELETE FROM ledger_duty WHERE name = $1 AND holder = $2";
        let statement = db.statement(sql, [name.into(), self.holder.as_str().into()]);
        db.change(statement).await.map(drop)
    }
}
