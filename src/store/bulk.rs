//! Threads for large work: as many as there are cores, and of lower priority than those that serve, so that who asks for
//! little does not wait for who brings much. Only work that waits for nothing is done there: a connection to the database
//! that was opened by these threads would make those that serve wait for them.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

/// How much lower: a thread of it gets a tenth of the time that a serving thread gets, while both want it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The threads; they begin with the first large work.
#[derive(Default)]
pub struct Bulk(OnceLock<Option<Runtime>>);

impl Bulk {
    /// Does the work there, and logs as whoever waits for it would. Work that has not begun ends with whoever waits.
    ///
    /// # Errors
    /// `INTERNAL` when there are no threads, or the work panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let runtime = self.0.get_or_init(start).as_ref().ok_or_else(|| Error::internal("no threads for large work"))?;
        let span = tracing::Span::current();
        let worked = runtime.spawn(async move { span.in_scope(work) });
        AbortOnDropHandle::new(worked).await.map_err(Error::internal)
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        if let Some(Some(runtime)) = self.0.take() {
            // Waiting for it is not allowed where this may be dropped.
            runtime.shutdown_background();
        }
    }
}

/// Cores that this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn start() -> Option<Runtime> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(cores())
        .thread_name("bulk")
        .on_thread_start(yield_to_others)
        .build();
    runtime.inspect_err(|error| tracing::error!(?error, "threads for large work cannot be started")).ok()
}

fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "a thread for large work keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use tracing::{Dispatch, Instrument as _, Span, dispatcher};

    use super::*;

    #[tokio::test]
    async fn work_is_done_on_other_threads_and_a_panic_is_its_own() {
        let bulk = Bulk::default();
        let here = std::thread::current().id();
        assert_ne!(bulk.run(|| std::thread::current().id()).await.expect("worked"), here);
        assert!(bulk.run(|| panic!("in the work")).await.is_err());
        assert_eq!(bulk.run(|| 1).await.expect("worked"), 1);
    }

    #[tokio::test]
    async fn what_is_logged_there_is_the_requests() {
        let dispatch = Dispatch::new(tracing_subscriber::registry());
        let _logging = dispatcher::set_default(&dispatch);
        let span = tracing::info_span!("request");
        let asked = span.id();
        assert!(asked.is_some());
        let there = dispatch.clone();
        let work = move || dispatcher::with_default(&there, || Span::current().id());
        let seen = Bulk::default().run(work).instrument(span).await.expect("worked");
        assert_eq!(seen, asked);
    }
}
