//! Threads for large requests: as many as there are cores, and of lower priority than those that serve, so that who asks for
//! little does not wait for who brings much.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, Result};

/// How much lower: a thread of it gets a tenth of the time that a serving thread gets, while both want it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// The threads; they begin with the first large request.
#[derive(Default)]
pub(super) struct Bulk(OnceLock<Option<Runtime>>);

impl Bulk {
    /// Does the work there. It ends with whoever waits for it.
    ///
    /// # Errors
    /// `INTERNAL` when there are no threads, or the work panics.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let runtime =
            self.0.get_or_init(start).as_ref().ok_or_else(|| Error::internal("no threads for large requests"))?;
        AbortOnDropHandle::new(runtime.spawn(work)).await.map_err(Error::internal)
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

fn start() -> Option<Runtime> {
    let threads = super::state::cores();
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("bulk")
        .on_thread_start(yield_to_others)
        .enable_all()
        .build();
    runtime.inspect_err(|error| tracing::error!(?error, "threads for large requests cannot be started")).ok()
}

fn yield_to_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "a thread for large requests keeps its priority");
    }
}
