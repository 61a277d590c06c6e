//! Batched reads, per request: a shared loader would mix tenants. One key type and one store call each.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader};
use async_graphql::runtime::Timer;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::task::{FutureObj, Spawn, SpawnError};
use futures_util::{FutureExt, Stream};

use crate::capture::seal;
use crate::domain::ids::{RecordId, RunId, TraceId};
use crate::domain::page::{Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::run::{LlmRun, Stored};
use crate::domain::scope::Scope;
use crate::domain::system::{RunBaseline, RunEvents, StoredSystemRecord, SystemWindow};
use crate::domain::telemetry_series::{MetricPoint, MetricSeries, RunTelemetry, SeriesWindow};
use crate::domain::trace::{StepFilter, StepGroup, StoredStep, TraceSeal, TraceTotals, TraceView};
use crate::error::Error;
use crate::store::Store;

/// Most keys of one batch.
const BATCH_KEYS_MAX: usize = 500;
/// Most revisions of a run that are shown.
const REVISIONS_MAX: u32 = 200;

/// A run by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RunById(pub RecordId);
/// The newest revision of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RunNamed(pub RunId);
/// The newest run made from a trace.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RunOfTrace(pub TraceId);
/// Every revision of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RevisionsOf(pub RunId);
/// A trace by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TraceById(pub RecordId);
/// A trace by name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TraceNamed(pub TraceId);
/// A page of a trace's steps; the page arguments are part of the key because aliases differ in them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct StepsOf(pub TraceId, pub StepFilter, pub PageRequest);
/// How many steps a filter selects.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct StepCountOf(pub TraceId, pub StepFilter);
/// A step by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct StepById(pub RecordId);
/// A trace's seals.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SealsOf(pub TraceId);
/// What a trace's newest seal says of its sums and duplicates.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SealMetadataOf(pub TraceId);
/// A trace's steps by kind and status.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct StepGroupsOf(pub TraceId);
/// One payload.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PayloadOf(pub PayloadPart, pub RecordId);
/// A system record by record id, the platform's too.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SystemRecordById(pub RecordId);
/// Details of a system record.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SystemDetailsOf(pub RecordId);
/// The environment that a run began in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SystemBaselineOf(pub RunBaseline);
/// What affected a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SystemEventsOf(pub RunEvents);
/// What happened in a window of time.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SystemWindowOf(pub SystemWindow);
/// The metric series of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SeriesOf(pub RunTelemetry);
/// The first points of a series.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PointsOf(pub SeriesWindow, pub u32);
/// How many points a series has.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PointCountOf(pub SeriesWindow);

/// The sums of a seal and its duplicates: span id to the span id that counts.
pub(super) type SealMetadata = Arc<(TraceTotals, BTreeMap<String, String>)>;

/// Reads one caller's records.
pub(super) struct Reader {
    store: Store,
    scope: Arc<Scope>,
}

/// The loaders of one request.
pub(super) struct Loaders {
    pub loader: DataLoader<Reader, HashMapCache>,
    pub queue: LoadQueue,
}

impl Loaders {
    pub(super) fn new(store: Store, scope: Arc<Scope>) -> Self {
        let queue = LoadQueue::default();
        let loader = DataLoader::with_cache(Reader { store, scope }, queue.clone(), NoWait, HashMapCache::default())
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

/// A loader whose store call takes a list and gives a map.
macro_rules! by_list {
    ($key:ident => $value:ty, |$reader:ident, $names:ident| $call:expr) => {
        impl Loader<$key> for Reader {
            type Value = $value;
            type Error = Error;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Error> {
                let $reader = self;
                let $names: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
                Ok($call.await?.into_iter().map(|(name, value)| ($key(name), value)).collect())
            }
        }
    };
}

by_list!(RunById => Stored<LlmRun>, |reader, ids| reader.store.runs_by_id(&reader.scope, &ids));
by_list!(RunNamed => Stored<LlmRun>, |reader, ids| reader.store.runs_by_run_id(&reader.scope, &ids));
by_list!(RunOfTrace => Stored<LlmRun>, |reader, ids| reader.store.runs_by_trace_id(&reader.scope, &ids));
by_list!(RevisionsOf => Vec<Stored<LlmRun>>, |reader, ids| reader.store.revisions_by_run_id(&reader.scope, &ids, REVISIONS_MAX));
by_list!(TraceById => TraceView, |reader, ids| reader.store.traces_by_id(&reader.scope, &ids));
by_list!(TraceNamed => TraceView, |reader, ids| reader.store.traces_by_trace_id(&reader.scope, &ids));
by_list!(StepById => StoredStep, |reader, ids| reader.store.steps_by_id(&reader.scope, &ids));
by_list!(SealsOf => Vec<Stored<TraceSeal>>, |reader, ids| reader.store.seals_by_trace_id(&reader.scope, &ids));
by_list!(StepGroupsOf => Vec<StepGroup>, |reader, ids| reader.store.step_groups_by_trace_id(&reader.scope, &ids));
by_list!(SystemRecordById => StoredSystemRecord, |reader, ids| reader.store.system_records_by_id(&reader.scope, &ids));
by_list!(SystemDetailsOf => String, |reader, ids| reader.store.system_details_by_id(&reader.scope, &ids));
by_list!(SystemBaselineOf => Vec<StoredSystemRecord>, |reader, keys| reader.store.run_baselines(&reader.scope, &keys));
by_list!(SystemEventsOf => Vec<StoredSystemRecord>, |reader, keys| reader.store.run_events(&reader.scope, &keys));
by_list!(SystemWindowOf => Vec<StoredSystemRecord>, |reader, keys| reader.store.system_windows(&reader.scope, &keys));
by_list!(SeriesOf => Vec<MetricSeries>, |reader, keys| reader.store.series_of_runs(&reader.scope, &keys));
by_list!(PointCountOf => i64, |reader, keys| reader.store.count_points_of_series(&reader.scope, &keys));

impl Loader<PointsOf> for Reader {
    type Value = Vec<MetricPoint>;
    type Error = Error;

    async fn load(&self, keys: &[PointsOf]) -> Result<HashMap<PointsOf, Self::Value>, Error> {
        let mut by_limit: BTreeMap<u32, Vec<SeriesWindow>> = BTreeMap::new();
        for PointsOf(series, limit) in keys {
            by_limit.entry(*limit).or_default().push(series.clone());
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (limit, series) in by_limit {
            let points = self.store.points_of_series(&self.scope, &series, limit).await?;
            found.extend(points.into_iter().map(|(series, points)| (PointsOf(series, limit), points)));
        }
        Ok(found)
    }
}

/// Keys that share everything but the trace go into one store call.
fn grouped<'a, K, G: std::hash::Hash + Eq>(
    keys: &'a [K],
    split: impl Fn(&'a K) -> (G, &'a TraceId),
) -> HashMap<G, Vec<TraceId>> {
    let mut groups: HashMap<G, Vec<TraceId>> = HashMap::new();
    for key in keys {
        let (group, trace_id) = split(key);
        groups.entry(group).or_default().push(trace_id.clone());
    }
    groups
}

impl Loader<StepsOf> for Reader {
    type Value = Page<Arc<StoredStep>>;
    type Error = Error;

    async fn load(&self, keys: &[StepsOf]) -> Result<HashMap<StepsOf, Self::Value>, Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((filter, page), traces) in grouped(keys, |StepsOf(trace, filter, page)| ((filter, page), trace)) {
            for (trace, steps) in self.store.steps_by_trace_id(&self.scope, &traces, filter, page).await? {
                found.insert(StepsOf(trace, filter.clone(), page.clone()), steps);
            }
        }
        Ok(found)
    }
}

impl Loader<StepCountOf> for Reader {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[StepCountOf]) -> Result<HashMap<StepCountOf, i64>, Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for (filter, traces) in grouped(keys, |StepCountOf(trace, filter)| (filter, trace)) {
            for (trace, count) in self.store.count_steps_by_trace_id(&self.scope, &traces, filter).await? {
                found.insert(StepCountOf(trace, filter.clone()), count);
            }
        }
        Ok(found)
    }
}

impl Loader<PayloadOf> for Reader {
    type Value = String;
    type Error = Error;

    async fn load(&self, keys: &[PayloadOf]) -> Result<HashMap<PayloadOf, String>, Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for part in PayloadPart::ALL {
            let ids: Vec<RecordId> = keys.iter().filter(|key| key.0 == *part).map(|key| key.1).collect();
            if ids.is_empty() {
                continue;
            }
            for (id, text) in self.store.payloads_by_record_id(&self.scope, *part, &ids).await? {
                found.insert(PayloadOf(*part, id), text);
            }
        }
        Ok(found)
    }
}

impl Loader<SealMetadataOf> for Reader {
    type Value = SealMetadata;
    type Error = Error;

    async fn load(&self, keys: &[SealMetadataOf]) -> Result<HashMap<SealMetadataOf, SealMetadata>, Error> {
        let traces: Vec<TraceId> = keys.iter().map(|key| key.0.clone()).collect();
        let views = self.store.traces_by_trace_id(&self.scope, &traces).await?;
        let seals: HashMap<RecordId, TraceId> =
            views.into_iter().filter_map(|(trace, view)| Some((view.seal?.id, trace))).collect();
        let ids: Vec<RecordId> = seals.keys().copied().collect();
        let texts = self.store.payloads_by_record_id(&self.scope, PayloadPart::Metadata, &ids).await?;
        let parsed = texts.into_iter().filter_map(|(id, text)| {
            Some((SealMetadataOf(seals.get(&id)?.clone()), Arc::new(seal::parse_seal_metadata(&text)?)))
        });
        Ok(parsed.collect())
    }
}
