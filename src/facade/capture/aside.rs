//! Capture of large requests, beside the threads that serve everybody: reading ten megabytes of text takes a second, and a
//! thread that does so answers nobody else.

use std::time::Duration;

use super::super::bulk::{self, Bulk};
use super::super::fair::{FairPool, NoPermit};
use crate::domain::ids::TenantId;
use crate::error::{Error, Result};

/// The largest request that is captured on the thread that serves it, in bytes of text: a batch of the size that exporters
/// send, about two milliseconds of work. Changes of thread would add a thirtieth to what such a batch takes of a core.
const SERVED_BYTES_MAX: usize = 256 << 10;

/// Large requests that are captured at the same time, for each core; half of them of one tenant. Others wait for their turn.
const CAPTURES_A_CORE: usize = 2;
/// Those that may wait.
const WAITING_MAX: usize = 256;
/// How long they may: less than callers wait for their answer.
const PATIENCE: Duration = Duration::from_secs(5);
const RETRY_AFTER_MS: u64 = 1_000;

/// Places for the capture of large requests.
pub(in crate::facade) struct Aside {
    places: FairPool,
    patience: Duration,
    threads: Bulk,
}

impl Default for Aside {
    fn default() -> Self {
        Self::new(CAPTURES_A_CORE * bulk::cores(), PATIENCE)
    }
}

impl Aside {
    fn new(captures: usize, patience: Duration) -> Self {
        Self { places: FairPool::new(captures, captures / 2, WAITING_MAX), patience, threads: Bulk::default() }
    }

    /// Does the work of capture for so many bytes of a tenant: here, or for many of them on a thread of lower priority, when
    /// it is the tenant's turn.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when the turn does not come; `INTERNAL` when the work ended by a panic.
    pub(in crate::facade) async fn capture<T: Send + 'static>(
        &self,
        tenant: &TenantId,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if bytes <= SERVED_BYTES_MAX {
            return Ok(work());
        }
        let place = self.places.acquire(tenant, self.patience).await.map_err(|none| self.no_place(none))?;
        // The place goes with the work: a caller that hangs up does not end it.
        let worked = self.threads.run(move || {
            let _place = place;
            work()
        });
        worked.await
    }

    /// Its threads, for what the server computes of its own accord.
    pub(in crate::facade) const fn threads(&self) -> &Bulk {
        &self.threads
    }

    fn no_place(&self, none: NoPermit) -> Error {
        let message = match none {
            NoPermit::OwnShare => "this tenant has as many large requests under way and waiting as it may".to_owned(),
            NoPermit::Full => "the server has as many large requests under way and waiting as it can".to_owned(),
            NoPermit::Late => format!("this request waited {:?} for its turn among large ones", self.patience),
        };
        Error::unavailable(format!("{message}: send it again, or less at once"), RETRY_AFTER_MS)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::error::Code;

    const LARGE: usize = SERVED_BYTES_MAX + 1;

    fn aside(patience: Duration) -> (Aside, TenantId, TenantId) {
        (Aside::new(2, patience), TenantId::trusted("loud"), TenantId::trusted("calm"))
    }

    #[tokio::test]
    async fn large_requests_are_captured_on_another_thread_a_few_at_a_time() {
        let (aside, loud, _) = aside(PATIENCE);
        let here = std::thread::current().id();
        let thread = |bytes| aside.capture(&loud, bytes, || std::thread::current().id());
        assert_eq!(thread(SERVED_BYTES_MAX).await.expect("worked"), here);
        assert_ne!(thread(LARGE).await.expect("worked"), here);
        let place = aside.places.try_acquire(&loud).expect("a place");
        let mut waiting = std::pin::pin!(aside.capture(&loud, LARGE, || ()));
        assert!(waiting.as_mut().now_or_never().is_none(), "no place is left");
        drop(place);
        waiting.await.expect("worked");
        assert!(aside.capture(&loud, LARGE, || panic!("in the work")).await.is_err());
        assert_eq!(aside.places.held(), 0, "a panic gives its place back");
    }

    #[tokio::test]
    async fn one_tenant_with_all_it_may_have_leaves_a_place_to_another() {
        let (aside, loud, calm) = aside(PATIENCE);
        let _place = aside.places.try_acquire(&loud).expect("a place");
        let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(aside.capture(&loud, LARGE, || ()))).collect();
        for capture in &mut waiting {
            assert!(capture.now_or_never().is_none(), "it has its share");
        }
        aside.capture(&calm, LARGE, || ()).await.expect("a place of its own");
        assert_eq!(aside.places.waiting(), 20);
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_when_to_come_again() {
        let (aside, loud, _) = aside(Duration::ZERO);
        let place = aside.places.try_acquire(&loud).expect("a place");
        let late = aside.capture(&loud, LARGE, || ()).await.expect_err("no turn");
        assert_eq!(late.code(), Code::Unavailable);
        assert!(late.message().contains("its turn among large ones"), "{late:?}");
        assert_eq!(aside.places.waiting(), 0, "and waits no more");
        drop(place);
        aside.capture(&loud, LARGE, || ()).await.expect("a turn");
    }
}
