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

use super::Logs;
use super::audit::{RunNames, StoredAuditEntry, merged};
use crate::capture::seal;
use crate::domain::audit::{AuditEntry, GovernanceSummary};
use crate::domain::export::{LogExport, RunExportFacts};
use crate::domain::ids::{RecordId, RunId, TenantId, TraceId};
use crate::domain::incident::{INCIDENTS_OF_RUN_MAX, IncidentEvidence};
use crate::domain::ledger::LedgerEntry;
use crate::domain::page::{AsOf, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::policy::PolicyActivation;
use crate::domain::record::StoredRecord;
use crate::domain::replay::{InflectionFacts, Window};
use crate::domain::run::{LlmRun, Stored};
use crate::domain::scope::Scope;
use crate::domain::system::SystemRecord;
use crate::domain::time::Timestamp;
use crate::domain::trace::{StepFilter, StepGroup, StoredStep, TraceSeal, TraceTotals, TraceView};
use crate::domain::vocabulary::RecordKind;
use crate::error::Error;
use crate::store::Store;
use crate::store::exports::RunKey;
use crate::store::windows::{InflectionKey, RunWindow};

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

/// The ledger entry of a tenant's record.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct EntryOf(pub TenantId, pub RecordId);
/// A tenant's record of any kind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RecordOf(pub TenantId, pub RecordKind, pub RecordId);
/// A record's receipt.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ReceiptOf(pub RecordId);
/// An audit entry by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct AuditEntryById(pub RecordId);
/// A page of a run's governance entries.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct GovernanceOf(pub RunNames, pub PageRequest);
/// What a run's governance entries come to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct GovernanceSummaryOf(pub RunNames);
/// An export by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ExportById(pub RecordId);
/// When an export was first downloaded.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct DeliveryOf(pub RecordId);
/// The newest revision of an incident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct IncidentNamed(pub String);
/// Incident evidence by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct IncidentById(pub RecordId);
/// Every revision of an incident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct IncidentRevisionsOf(pub String);
/// The incidents that a run caused.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct IncidentsOfRun(pub RunId);
/// A policy activation by record id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ActivationById(pub RecordId);
/// A page of a policy's activations.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ActivationsOf(pub String, pub PageRequest, pub Option<AsOf>);
/// The exports of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ExportsOfRun(pub RunId);
/// What is on record about a run, for its compliance tags.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ExportFactsOf(pub RunKey);
/// What decides the inflection of a run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct InflectionFactsOf(pub InflectionKey);
/// The steps of a trace in a window.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct StepsIn(pub (TraceId, Window));
/// The system records in a window.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct SystemRecordsIn(pub Window);
/// The governance entries of a run, and of no run, in a window.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct GovernanceIn(pub RunWindow);

/// The sums of a seal and its duplicates: span id to the span id that counts.
pub(super) type SealMetadata = Arc<(TraceTotals, BTreeMap<String, String>)>;

/// Reads one caller's records.
pub(super) struct Reader {
    logs: Logs,
    store: Store,
    scope: Arc<Scope>,
}

/// The loaders of one request.
pub(super) struct Loaders {
    pub loader: DataLoader<Reader, HashMapCache>,
    pub queue: LoadQueue,
}

impl Loaders {
    pub(super) fn new(logs: Logs, scope: Arc<Scope>) -> Self {
        let queue = LoadQueue::default();
        let reader = Reader { store: logs.0.store.clone(), logs, scope };
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
by_list!(ReceiptOf => Result<String, Error>, |reader, ids| reader.logs.receipts(&reader.scope, &ids));
by_list!(AuditEntryById => StoredAuditEntry, |reader, ids| reader.store.audit_entries_by_id(&reader.scope, &ids));
by_list!(StepGroupsOf => Vec<StepGroup>, |reader, ids| reader.store.step_groups_by_trace_id(&reader.scope, &ids));
by_list!(IncidentNamed => Stored<IncidentEvidence>, |reader, ids| reader.store.incident_evidence_by_incident_id(&reader.scope, &ids));
by_list!(IncidentById => Stored<IncidentEvidence>, |reader, ids| reader.store.incident_evidence_by_id(&reader.scope, &ids));
by_list!(IncidentRevisionsOf => Vec<Stored<IncidentEvidence>>, |reader, ids| reader.store.incident_revisions(&reader.scope, &ids, REVISIONS_MAX));
by_list!(IncidentsOfRun => Vec<Stored<IncidentEvidence>>, |reader, ids| reader.store.incidents_by_run_id(&reader.scope, &ids, INCIDENTS_OF_RUN_MAX));
by_list!(ActivationById => Stored<PolicyActivation>, |reader, ids| reader.store.policy_activations_by_id(&reader.scope, &ids));
by_list!(ExportById => Stored<LogExport>, |reader, ids| reader.store.exports_by_id(&reader.scope, &ids));
by_list!(ExportsOfRun => Vec<Stored<LogExport>>, |reader, ids| reader.store.exports_by_run_id(&reader.scope, &ids));
by_list!(DeliveryOf => Timestamp, |reader, ids| reader.store.export_deliveries(&reader.scope, &ids));
by_list!(ExportFactsOf => RunExportFacts, |reader, runs| reader.store.run_export_facts(&reader.scope, &runs));
by_list!(InflectionFactsOf => InflectionFacts, |reader, runs| reader.store.inflection_facts(&reader.scope, &runs));
by_list!(StepsIn => Vec<Arc<StoredStep>>, |reader, windows| reader.store.steps_in_windows(&reader.scope, &windows));
by_list!(SystemRecordsIn => Vec<Arc<Stored<SystemRecord>>>, |reader, windows| reader.store.system_records_in_windows(&reader.scope, &windows));
by_list!(GovernanceIn => Vec<Arc<Stored<AuditEntry>>>, |reader, windows| reader.store.governance_in_windows(&reader.scope, &windows));

/// Keys that share everything but one part (the trace, the record) go into one store call.
fn grouped<'a, K, G: std::hash::Hash + Eq, V: Clone + 'a>(
    keys: &'a [K],
    split: impl Fn(&'a K) -> (G, &'a V),
) -> HashMap<G, Vec<V>> {
    let mut groups: HashMap<G, Vec<V>> = HashMap::new();
    for key in keys {
        let (group, part) = split(key);
        groups.entry(group).or_default().push(part.clone());
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

impl Loader<ActivationsOf> for Reader {
    type Value = Page<Stored<PolicyActivation>>;
    type Error = Error;

    async fn load(&self, keys: &[ActivationsOf]) -> Result<HashMap<ActivationsOf, Self::Value>, Error> {
        let mut groups: HashMap<(&PageRequest, Option<AsOf>), Vec<String>> = HashMap::new();
        for ActivationsOf(policy_id, page, as_of) in keys {
            groups.entry((page, *as_of)).or_default().push(policy_id.clone());
        }
        let mut found = HashMap::with_capacity(keys.len());
        for ((page, as_of), policies) in groups {
            for (policy, rows) in self.store.activations_by_policy_id(&self.scope, &policies, page, as_of).await? {
                found.insert(ActivationsOf(policy, page.clone(), as_of), rows);
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

impl Loader<GovernanceOf> for Reader {
    type Value = Page<StoredAuditEntry>;
    type Error = Error;

    async fn load(&self, keys: &[GovernanceOf]) -> Result<HashMap<GovernanceOf, Self::Value>, Error> {
        let mut pages: HashMap<&PageRequest, Vec<&RunNames>> = HashMap::new();
        for GovernanceOf(run, page) in keys {
            pages.entry(page).or_default().push(run);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (page, runs) in pages {
            let names: Vec<&str> = runs.iter().flat_map(|run| run.each()).collect();
            let entries = self.store.governance_by_run_name(&self.scope, &names, page).await?;
            for run in runs {
                found.insert(GovernanceOf(run.clone(), page.clone()), merged(run, &entries, page));
            }
        }
        Ok(found)
    }
}

impl Loader<EntryOf> for Reader {
    type Value = LedgerEntry;
    type Error = Error;

    async fn load(&self, keys: &[EntryOf]) -> Result<HashMap<EntryOf, LedgerEntry>, Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for (tenant, ids) in grouped(keys, |EntryOf(tenant, id)| (tenant, id)) {
            let entries = self.store.entries_of_records(tenant, &ids).await?;
            found.extend(entries.into_iter().map(|(id, entry)| (EntryOf(tenant.clone(), id), entry)));
        }
        Ok(found)
    }
}

impl Loader<GovernanceSummaryOf> for Reader {
    type Value = GovernanceSummary;
    type Error = Error;

    async fn load(&self, keys: &[GovernanceSummaryOf]) -> Result<HashMap<GovernanceSummaryOf, Self::Value>, Error> {
        let names: Vec<&str> = keys.iter().flat_map(|key| key.0.each()).collect();
        let summaries = self.store.governance_summaries(&self.scope, &names).await?;
        let sum = |run: &RunNames| {
            let of_each = run.each().filter_map(|name| summaries.get(name));
            of_each.fold(GovernanceSummary::default(), GovernanceSummary::with)
        };
        Ok(keys.iter().map(|key| (key.clone(), sum(&key.0))).collect())
    }
}

impl Loader<RecordOf> for Reader {
    type Value = Arc<StoredRecord>;
    type Error = Error;

    async fn load(&self, keys: &[RecordOf]) -> Result<HashMap<RecordOf, Self::Value>, Error> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((tenant, kind), ids) in grouped(keys, |RecordOf(tenant, kind, id)| ((tenant, *kind), id)) {
            let records = self.store.records_by_id(tenant, kind, &ids).await?;
            let keyed = records.into_iter().map(|(id, record)| (RecordOf(tenant.clone(), kind, id), Arc::new(record)));
            found.extend(keyed);
        }
        Ok(found)
    }
}
