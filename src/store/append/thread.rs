//! The thread that the writer has to itself.

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// The thread that the writer has to itself. A flush is a handful of short waits for the database; among the requests it
/// would stand behind their computing at each of them.
pub(in crate::store) struct WriterThread {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl WriterThread {
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("writer").enable_all().build();
        let runtime = runtime.map_err(Error::internal)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        // A runtime that is dropped by a task of another one must not wait for its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
