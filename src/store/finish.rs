//! Statements whose caller went away: the database works on them all the same, so what they hold is held until they end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Work that is finished by a task of its own where whoever waits for it stops waiting.
pub(super) struct Finished<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Finished<T> {
    pub fn of(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for Finished<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.0.as_mut() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Finished<T> {
    fn drop(&mut self) {
        // Without a runtime the process is about to end.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use tokio::sync::{Notify, Semaphore};

    use super::*;

    #[tokio::test]
    async fn what_a_statement_holds_is_held_until_it_ends() {
        let (places, ends) = (Arc::new(Semaphore::new(1)), Arc::new(Notify::new()));
        let place = Arc::clone(&places).try_acquire_owned().expect("a place");
        let end = Arc::clone(&ends);
        let mut statement = Box::pin(Finished::of(async move {
            let _place = place;
            end.notified().await;
        }));
        assert!((&mut statement).now_or_never().is_none());
        drop(statement);
        tokio::task::yield_now().await;
        assert_eq!(places.available_permits(), 0, "the database is still at it");
        ends.notify_one();
        drop(places.acquire().await.expect("its place, when it has ended"));
    }

    #[tokio::test]
    async fn what_has_ended_is_not_run_again() {
        let mut statement = Finished::of(async { 1 });
        assert_eq!((&mut statement).await, 1);
        drop(statement);
    }
}
