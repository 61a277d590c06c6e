//! Batched reads, per request: a shared loader would mix tenants. One key type and one store call each.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, HashMapCache};
use async_graphql::runtime::Timer;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::task::{FutureObj, Spawn, SpawnError};
use futures_util::{FutureExt, Stream};

use super::Logs;
use super::access::Views;
use crate::domain::scope::Scope;
use crate::store::Store;

mod keys;
mod loads;

pub(super) use keys::*;

/// Most keys of one batch.
const BATCH_KEYS_MAX: usize = 500;

/// Reads one caller's records.
pub(super) struct Reader {
    logs: Logs,
    store: Store,
    scope: Arc<Scope>,
    views: Arc<Views>,
}

/// The loaders of one request.
pub(super) struct Loaders {
    pub loader: DataLoader<Reader, HashMapCache>,
    pub queue: LoadQueue,
}

impl Loaders {
    pub(super) fn new(logs: Logs, scope: Arc<Scope>, views: Arc<Views>) -> Self {
        let queue = LoadQueue::default();
        let reader = Reader { store: logs.0.store.clone(), logs, scope, views };
        let loader = DataLoader::with_cache(reader, queue.clone(), NoWait, HashMapCache::default())
            .delay(Duration::ZERO)
            .max_batch_size(BATCH_KEYS_MAX);
        Self { loader, queue }
    }
}

/// Loads that were started and not yet polled. They run on the request's own task, after its resolvers have all been
/// polled: a batch on another thread would start before the page has asked for all of its keys.
#[derive(Clone, Default)]
pub struct LoadQueue(Arc<Mutex<Vec<FutureObj<'static, ()>>>>);

impl Spawn for LoadQueue {
    fn spawn_obj(&self, future: FutureObj<'static, ()>) -> Result<(), SpawnError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(future);
        Ok(())
    }
}

impl LoadQueue {
    /// Runs the execution of a request together with the loads that it starts, on one task: a batch is loaded only when
    /// every resolver that can run has asked for its keys, so batches never split.
    pub async fn drive<T>(&self, execution: impl Future<Output = T>) -> T {
        let mut execution = pin!(execution);
        let mut loads = FuturesUnordered::new();
        std::future::poll_fn(move |context| {
            loop {
                if let Poll::Ready(output) = execution.as_mut().poll(context) {
                    return Poll::Ready(output);
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
