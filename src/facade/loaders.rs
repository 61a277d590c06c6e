//! Batched reads, per request: a shared loader would mix tenants. One key type, one permission and one store call each.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, HashMapCache};
use async_graphql::runtime::Timer;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::task::{FutureObj, Spawn, SpawnError};
use futures_util::{FutureExt, Stream};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::Logs;
use super::access::RequestAudit;
use super::allowance::{Allowance, Turn};
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::turns::{reading_for, reads_for};

mod ahead;
mod keys;
mod loads;

pub(super) use keys::*;

/// Most keys of one batch.
const BATCH_KEYS_MAX: usize = 500;

/// Reads one caller's records.
#[derive(Clone)]
pub(super) struct Reader {
    logs: Logs,
    store: Store,
    scope: Arc<Scope>,
    audit: RequestAudit,
    /// Bytes of payloads that the request has read.
    payload_bytes: Arc<AtomicU64>,
}

/// Starts a store call on a task of its own, so that rows are decoded while the request's task goes on with what it has.
/// It ends when the request does.
fn apart<T: Send + 'static>(
    call: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send + 'static {
    let tenant = reads_for();
    let call = async move {
        match tenant {
            Some(tenant) => reading_for(tenant, call).await,
            None => call.await,
        }
    };
    let task = AbortOnDropHandle::new(tokio::spawn(call.in_current_span()));
    async { task.await.map_err(Error::internal)? }
}

/// The loaders of one request.
pub(super) struct Loaders {
    pub loader: DataLoader<Reader, HashMapCache>,
    pub queue: LoadQueue,
    ahead: Mutex<Vec<ahead::Ahead>>,
}

impl Loaders {
    pub(super) fn new(logs: Logs, scope: Arc<Scope>, audit: RequestAudit) -> Self {
        let queue = LoadQueue::default();
        let reader = Reader { store: logs.0.store.clone(), logs, scope, audit, payload_bytes: Arc::default() };
        let loader = DataLoader::with_cache(reader, queue.clone(), NoWait, HashMapCache::default())
            .delay(Duration::ZERO)
            .max_batch_size(BATCH_KEYS_MAX);
        Self { loader, queue, ahead: Mutex::default() }
    }
}

/// What an execution came to.
pub struct Driven<T> {
    /// Its output.
    pub output: T,
    /// Bytes of the answer that were counted while it was made.
    pub bytes: u64,
}

/// Loads that were started and not yet polled. They begin and end on the request's own task, after its resolvers have all
/// been polled: a batch that began on another thread would start before the page has asked for all of its keys, and one
/// that ended there would wake some resolvers before others, whose next batch would split. What lies between is `apart`.
#[derive(Clone, Default)]
pub struct LoadQueue(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Spawn for LoadQueue {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> std::result::Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(future);
        Ok(())
    }
}

impl LoadQueue {
    /// Runs the execution of a request together with the loads that it starts, on one task: a batch is loaded only when
    /// every resolver that can run has asked for its keys, so batches never split.
    pub async fn drive<T>(&self, execution: impl Future<Output = T>) -> T {
        match self.drive_within(u64::MAX, execution).await {
            Ok(driven) => driven.output,
            // No answer has more bytes than that.
            Err(_) => std::future::pending().await,
        }
    }

    /// The same for an answer with at most so many bytes.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` when the answer would have more than `bytes_max` bytes: what was under way is given up.
    pub async fn drive_within<T>(&self, bytes_max: u64, execution: impl Future<Output = T>) -> Result<Driven<T>> {
        let mut execution = pin!(execution);
        let mut loads = FuturesUnordered::new();
        let mut allowance = Allowance::of(bytes_max);
        std::future::poll_fn(move |context| {
            allowance.begin();
            loop {
                match allowance.poll(execution.as_mut(), context) {
                    Turn::Done(output) => return Poll::Ready(Ok(Driven { output, bytes: allowance.used() })),
                    Turn::Spent(error) => return Poll::Ready(Err(error)),
                    // Resolvers that have not had their turn may still ask for keys of the next batch.
                    Turn::Pauses => return Poll::Pending,
                    Turn::Waits => {}
                }
                loads.extend(self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..));
                // A finished load has woken resolvers, so the execution goes on at once.
                match Pin::new(&mut loads).poll_next(context) {
                    Poll::Ready(Some(())) => {}
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

/// The queue already waits until all resolvers have asked; the loader need not.
struct NoWait;

impl Timer for NoWait {
    fn delay(&self, _duration: Duration) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}
