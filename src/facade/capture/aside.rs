//! Capture of large requests, beside the threads that serve everybody: reading ten megabytes of text takes a second, and a
//! thread that does so answers nobody else.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// The largest request that is captured on the thread that serves it, in bytes of text: a fraction of a millisecond.
const SERVED_BYTES_MAX: usize = 65_536;

/// Large requests that are captured at the same time; others wait for their turn.
const CAPTURES_MAX: usize = 2;

/// Places for the capture of large requests.
pub(in crate::facade) struct Aside(Arc<Semaphore>);

impl Default for Aside {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CAPTURES_MAX)))
    }
}

impl Aside {
    /// Does the work of capture for so many bytes: here, or for many of them on a thread of its own.
    ///
    /// # Errors
    /// `INTERNAL` when the work ended by a panic.
    pub(in crate::facade) async fn capture<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if bytes <= SERVED_BYTES_MAX {
            return Ok(work());
        }
        let permit = Arc::clone(&self.0).acquire_owned().await.map_err(Error::internal)?;
        // The permit goes with the work: a caller that hangs up does not end it.
        let worked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        worked.await.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn large_requests_are_captured_on_another_thread_a_few_at_a_time() {
        let aside = Aside::default();
        let here = std::thread::current().id();
        let thread = |bytes| aside.capture(bytes, || std::thread::current().id());
        assert_eq!(thread(SERVED_BYTES_MAX).await.expect("worked"), here);
        assert_ne!(thread(SERVED_BYTES_MAX + 1).await.expect("worked"), here);
        let places = u32::try_from(CAPTURES_MAX).expect("few");
        let places = Arc::clone(&aside.0).acquire_many_owned(places).await.expect("places");
        let mut waiting = std::pin::pin!(aside.capture(SERVED_BYTES_MAX + 1, || ()));
        assert!(waiting.as_mut().now_or_never().is_none(), "no place is left");
        drop(places);
        waiting.await.expect("worked");
        assert!(aside.capture(SERVED_BYTES_MAX + 1, || panic!("in the work")).await.is_err());
    }
}
