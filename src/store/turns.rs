//! Whose turn it is to read: one tenant never has every connection, and who waits takes turns by tenant.
//!
//! The driver's own pool gives connections in the order in which they were asked for, so that a tenant who asks a hundred
//! times puts off everybody else a hundred times. What reads for a request says so with [`reading_for`]; what the server
//! reads for itself has no tenant and waits for no turn.

use std::future::Future;
use std::time::Duration;

use crate::domain::fair::{FairPermit, FairPool, NoPermit};
use crate::domain::ids::TenantId;
use crate::error::{Error, Result};

/// Statements that wait for a connection.
const WAITING_MAX: usize = 4_096;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_AFTER_MS: u64 = 1_000;

tokio::task_local! {
    static READS_FOR: TenantId;
}

/// Runs what reads for a tenant's request.
pub async fn reading_for<T>(tenant: TenantId, reading: impl Future<Output = T>) -> T {
    READS_FOR.scope(tenant, reading).await
}

/// Whom the current task reads for; `None` for the server itself.
#[must_use]
pub fn reads_for() -> Option<TenantId> {
    READS_FOR.try_with(Clone::clone).ok()
}

/// Turns at the connections of one pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns(FairPool);

impl Turns {
    /// Turns at so many connections, of which one tenant has at most three quarters.
    pub fn at(connections: u32) -> Self {
        let total = usize::try_from(connections).unwrap_or(usize::MAX).max(1);
        Self(FairPool::new(total, (total - total.div_ceil(4)).max(1), WAITING_MAX))
    }

    /// A turn, where the current task reads for a tenant.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait.
    pub async fn turn(&self) -> Result<Option<FairPermit>> {
        let Some(tenant) = reads_for() else { return Ok(None) };
        self.0.acquire(&tenant, PATIENCE).await.map(Some).map_err(|none| {
            let message = match none {
                NoPermit::OwnShare => "this tenant's requests read as much at a time as they may",
                NoPermit::Full | NoPermit::Late => "the database has more to read than it can",
            };
            Error::unavailable(format!("{message}: send the request again, and ask for less at once"), RETRY_AFTER_MS)
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_tenant_who_asks_a_hundred_times_leaves_a_connection_to_others() {
        for (connections, share) in [(1, 1), (2, 1), (4, 3), (8, 6)] {
            let turns = Turns::at(connections);
            let ask = |tenant: &'static str| {
                let turns = turns.clone();
                Box::pin(reading_for(TenantId::trusted(tenant), async move { turns.turn().await }))
            };
            let mut waiting: Vec<_> = (0..100).map(|_| ask("loud")).collect();
            let held: Vec<_> = waiting.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
            assert_eq!(held.len(), share, "{connections}");
            let mut quiet = ask("quiet");
            let at_once = (&mut quiet).now_or_never();
            assert_eq!(at_once.is_some(), connections > 1, "{connections}");
            assert!(matches!(turns.turn().now_or_never(), Some(Ok(None))), "the server itself waits for no turn");
            drop(held);
            if at_once.is_none() {
                assert!(quiet.now_or_never().is_some(), "the next turn is the other's");
            }
        }
    }
}
