//! Large pieces of work of GraphQL requests: unpacking and reading a body, measuring a document, writing an answer. They are
//! done on threads of lower priority than those that serve requests, a few at a time, and tenants take turns at them.

use std::sync::Arc;
use std::time::Duration;

use super::bulk::Bulk;
use super::fair::FairPool;
use super::state::{busy, cores};
use crate::domain::ids::TenantId;
use crate::error::Error;

/// Bytes on which work is done where it is asked for: half a millisecond.
pub(super) const HERE_BYTES_MAX: usize = 64 << 10;
/// Pieces that are under way at a time, for each core; half of them of one tenant.
const PIECES_A_CORE: usize = 2;
/// Those that may wait.
const WAITING_MAX: usize = 1_024;
/// How long they may.
const PATIENCE: Duration = Duration::from_secs(5);

/// Threads and turns. Cheap to clone.
#[derive(Clone)]
pub(super) struct Apart {
    turns: FairPool,
    threads: Arc<Bulk>,
}

impl Default for Apart {
    fn default() -> Self {
        Self::new(PIECES_A_CORE * cores())
    }
}

impl Apart {
    fn new(pieces: usize) -> Self {
        Self { turns: FairPool::new(pieces, pieces / 2, WAITING_MAX), threads: Arc::default() }
    }

    /// Does some work on so many bytes.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when the turn does not come; `INTERNAL` when the work ended by a panic.
    pub async fn run<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= HERE_BYTES_MAX {
            return Ok(work());
        }
        let turn = self.turns.acquire(tenant, PATIENCE).await.map_err(|_| busy())?;
        // The turn goes with the work: a caller that hangs up does not end it.
        let worked = self.threads.run(move || {
            let _turn = turn;
            work()
        });
        worked.await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn large_work_is_done_on_other_threads_and_tenants_take_turns() {
        let apart = Apart::new(2);
        let (loud, quiet) = (TenantId::trusted("loud"), TenantId::trusted("quiet"));
        let here = std::thread::current().id();
        let thread = |bytes| apart.run(&loud, bytes, || std::thread::current().id());
        assert_eq!(thread(HERE_BYTES_MAX).await.expect("worked"), here);
        assert_ne!(thread(HERE_BYTES_MAX + 1).await.expect("worked"), here);
        let gate = Arc::new(std::sync::Barrier::new(2));
        let (waits, opens) = (Arc::clone(&gate), gate);
        let mut under_way = Box::pin(apart.run(&loud, usize::MAX, move || waits.wait().is_leader()));
        assert!((&mut under_way).now_or_never().is_none());
        let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(apart.run(&loud, usize::MAX, || ()))).collect();
        assert!(waiting.iter_mut().all(|work| work.now_or_never().is_none()), "it has its share");
        apart.run(&quiet, usize::MAX, || ()).await.expect("a turn of its own");
        opens.wait();
        under_way.await.expect("worked");
        futures_util::future::join_all(waiting).await.into_iter().for_each(|work| work.expect("worked"));
        assert_eq!(apart.turns.held(), 0);
    }
}
