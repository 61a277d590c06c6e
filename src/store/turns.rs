//! Whose turn it is to read: one tenant never has every connection, and who waits takes turns by tenant.
//!
//! The driver's own pool gives connections in the order in which they were asked for, so that a tenant who asks a hundred
//! times puts off everybody else a hundred times. What reads for a request says so with [`reading_for`]; what the server
//! reads for itself has no tenant and waits for no turn.

use std::future::Future;
use std::time::Duration;

use super::bulk::cores;
use crate::domain::fair::{FairPermit, FairPool, NoPermit};
use crate::domain::ids::TenantId;
use crate::error::{Error, Result};

/// Statements that wait for a connection.
const WAITING_MAX: usize = 4_096;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one of a dear request waits, mostly for others of the same request, whose own time limit comes first.
const DEAR_PATIENCE: Duration = Duration::from_secs(60);
const RETRY_AFTER_MS: u64 = 1_000;

/// Whom a task reads for.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The tenant of the request.
    pub tenant: TenantId,
    /// Whether the request asks for much: its statements take a core of the database each, for long.
    pub is_dear: bool,
}

tokio::task_local! {
    static READING: Reading;
}

/// Runs what reads for a tenant's request.
pub async fn reading_for<T>(reading: Reading, work: impl Future<Output = T>) -> T {
    READING.scope(reading, work).await
}

/// Whom the current task reads for; `None` for the server itself.
#[must_use]
pub fn reads_for() -> Option<Reading> {
    READING.try_with(Clone::clone).ok()
}

/// Turns at the connections of one pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct Turns {
    all: FairPool,
    /// For statements of dear requests, which take theirs here first: connections are many, and cores that would work for
    /// them are few.
    dear: FairPool,
}

/// A turn, for as long as it is kept.
pub(super) struct Turn {
    _dear: Option<FairPermit>,
    _any: FairPermit,
}

impl Turns {
    /// Turns at so many connections, of which one tenant has at most three quarters; dear requests have no more of them than
    /// there are cores, and those of one tenant half of these.
    pub fn at(connections: u32) -> Self {
        Self::with(connections, cores())
    }

    fn with(connections: u32, cores: usize) -> Self {
        let total = usize::try_from(connections).unwrap_or(usize::MAX).max(1);
        Self {
            all: FairPool::new(total, (total - total.div_ceil(4)).max(1), WAITING_MAX),
            dear: FairPool::new(cores.min(total), cores / 2, WAITING_MAX),
        }
    }

    /// A turn, where the current task reads for a tenant.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait.
    pub async fn turn(&self) -> Result<Option<Turn>> {
        let Some(Reading { tenant, is_dear }) = reads_for() else { return Ok(None) };
        let dear = if is_dear { Some(turn_at(&self.dear, &tenant, DEAR_PATIENCE).await?) } else { None };
        Ok(Some(Turn { _dear: dear, _any: turn_at(&self.all, &tenant, PATIENCE).await? }))
    }
}

async fn turn_at(pool: &FairPool, tenant: &TenantId, patience: Duration) -> Result<FairPermit> {
    pool.acquire(tenant, patience).await.map_err(|none| {
        let message = match none {
            NoPermit::OwnShare => "this tenant's requests read as much at a time as they may",
            NoPermit::Full | NoPermit::Late => "the database has more to read than it can",
        };
        Error::unavailable(format!("{message}: send the request again, and ask for less at once"), RETRY_AFTER_MS)
    })
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
                let reading = Reading { tenant: TenantId::trusted(tenant), is_dear: false };
                Box::pin(reading_for(reading, async move { turns.turn().await }))
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

    #[tokio::test]
    async fn dear_requests_leave_cores_to_others_and_connections_to_whoever_asks_for_little() {
        for (cores, total, share) in [(1, 1, 1), (2, 2, 1), (8, 8, 4)] {
            let turns = Turns::with(16, cores);
            let ask = |tenant: &'static str, is_dear| {
                let turns = turns.clone();
                let reading = Reading { tenant: TenantId::trusted(tenant), is_dear };
                Box::pin(reading_for(reading, async move { turns.turn().await }))
            };
            let mut loud: Vec<_> = (0..50).map(|_| ask("loud", true)).collect();
            let mut held: Vec<_> = loud.iter_mut().filter_map(|turn| turn.now_or_never()).collect();
            assert_eq!(held.len(), share, "{cores}");
            let mut other: Vec<_> = (0..50).map(|_| ask("other", true)).collect();
            held.extend(other.iter_mut().filter_map(|turn| turn.now_or_never()));
            assert_eq!(held.len(), total, "{cores}");
            assert!(
                matches!(ask("loud", false).now_or_never(), Some(Ok(Some(_)))),
                "what is cheap does not wait for them"
            );
        }
    }
}
