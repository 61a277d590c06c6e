//! How keys are loaded: one store call for a batch, and a note of what was read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_graphql::dataloader::Loader;

use super::{Reader, apart, keys::*};
use crate::capture::seal;
use crate::domain::audit::{AccessDetail, AuditEntry, GovernanceSummary};
use crate::domain::export::{LogExport, RunExportFacts};
use crate::domain::ids::{RecordId, TraceId};
use crate::domain::incident::{INCIDENTS_OF_RUN_MAX, IncidentEvidence};
use crate::domain::ledger::LedgerEntry;
use crate::domain::page::{AsOf, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::policy::PolicyActivation;
use crate::domain::record::StoredRecord;
use crate::domain::replay::{InflectionFacts, ReplayStep};
use crate::domain::run::{Stored, StoredRun};
use crate::domain::scope::Permission;
use crate::domain::system::{StoredSystemRecord, SystemRecord};
use crate::domain::telemetry_series::{MetricPoint, MetricSeries, SeriesWindow};
use crate::domain::time::Timestamp;
use crate::domain::trace::{StepGroup, StoredStep, StoredTrace, TraceSeal};
use crate::domain::vocabulary::RecordKind;
use crate::error::Error;
use crate::facade::access::needed;
use crate::facade::audit::{RunNames, StoredAuditEntry, merged};

/// Bytes of payloads that one request may read.
const PAYLOAD_BYTES_MAX: u64 = 32 << 20;
/// Most revisions of a run that are shown.
const REVISIONS_MAX: u32 = 200;

/// A loader whose store call takes a list and gives a map, for callers with one of the permissions. It notes what was read.
macro_rules! by_list {
    // What is made of records of a kind, and holds none of them.
    ($key:ident => $value:ty, $($permission:ident)|+, of $kind:ident, |$reader:ident, $names:ident| $call:expr) => {
        by_list!(@ $key => $value, [$(Permission::$permission),+], |$reader, $names| $call,
            |audit, granted, found| audit.open_made(granted, RecordKind::$kind, found));
    };
    // The same of records of another kind than the permission is for, as a part of what it reads.
    ($key:ident => $value:ty, $($permission:ident)|+, showing of $kind:ident, |$reader:ident, $names:ident| $call:expr) => {
        by_list!(@ $key => $value, [$(Permission::$permission),+], |$reader, $names| $call, |audit, granted, found|
            audit.open_made(granted.showing(RecordKind::$kind), RecordKind::$kind, found));
    };
    // Such records themselves.
    ($key:ident => $value:ty, $($permission:ident)|+, showing $kind:ident, |$reader:ident, $names:ident| $call:expr) => {
        by_list!(@ $key => $value, [$(Permission::$permission),+], |$reader, $names| $call,
            |audit, granted, found| audit.open(granted.showing(RecordKind::$kind), found));
    };
    ($key:ident => $value:ty, $($permission:ident)|+, |$reader:ident, $names:ident| $call:expr) => {
        by_list!(@ $key => $value, [$(Permission::$permission),+], |$reader, $names| $call,
            |audit, granted, found| audit.open(granted, found));
    };
    (@ $key:ident => $value:ty, $permissions:expr, |$reader:ident, $names:ident| $call:expr,
        |$audit:ident, $granted:ident, $found:ident| $open:expr) => {
        impl Loader<$key> for Reader {
            type Value = $value;
            type Error = Error;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, $value>, Error> {
                let $audit = &self.audit;
                let $granted = $audit.require_any(&$permissions)?;
                let $reader = self.clone();
                let $names: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
                let $found = apart(async move { $call.await }).await?;
                Ok($open?.into_iter().map(|(name, value)| ($key(name), value)).collect())
            }
        }
    };
}

by_list!(RunById => StoredRun, RunsRead, |reader, ids| reader.store.runs_by_id(&reader.scope, &ids));
by_list!(RunNamed => StoredRun, RunsRead, |reader, ids| reader.store.runs_by_run_id(&reader.scope, &ids));
by_list!(RunOfTrace => StoredRun, RunsRead, |reader, ids| reader.store.runs_by_trace_id(&reader.scope, &ids));
by_list!(RevisionsOf => Vec<StoredRun>, RunsRead, |reader, ids| reader.store.revisions_by_run_id(&reader.scope, &ids, REVISIONS_MAX));
by_list!(TraceById => StoredTrace, RunsRead, |reader, ids| reader.store.traces_by_id(&reader.scope, &ids));
by_list!(TraceNamed => StoredTrace, RunsRead, |reader, ids| reader.store.traces_by_trace_id(&reader.scope, &ids));
by_list!(StepById => StoredStep, RunsRead, |reader, ids| reader.store.steps_by_id(&reader.scope, &ids));
by_list!(SealsOf => Vec<Stored<TraceSeal>>, RunsRead, |reader, ids| reader.store.seals_by_trace_id(&reader.scope, &ids));
by_list!(AuditEntryById => StoredAuditEntry, AuditRead, |reader, ids| reader.store.audit_entries_by_id(&reader.scope, &ids));
by_list!(StepGroupsOf => Vec<StepGroup>, RunsRead, |reader, ids| reader.store.step_groups_by_trace_id(&reader.scope, &ids));
by_list!(IncidentNamed => Stored<IncidentEvidence>, RunsRead, |reader, ids| reader.store.incident_evidence_by_incident_id(&reader.scope, &ids));
by_list!(IncidentById => Stored<IncidentEvidence>, RunsRead, |reader, ids| reader.store.incident_evidence_by_id(&reader.scope, &ids));
by_list!(IncidentRevisionsOf => Vec<Stored<IncidentEvidence>>, RunsRead, |reader, ids| reader.store.incident_revisions(&reader.scope, &ids, REVISIONS_MAX));
by_list!(IncidentsOfRun => Vec<Stored<IncidentEvidence>>, RunsRead, |reader, ids| reader.store.incidents_by_run_id(&reader.scope, &ids, INCIDENTS_OF_RUN_MAX));
by_list!(ActivationById => Stored<PolicyActivation>, RunsRead, |reader, ids| reader.store.policy_activations_by_id(&reader.scope, &ids));
by_list!(ExportById => Stored<LogExport>, RunsRead, |reader, ids| reader.store.exports_by_id(&reader.scope, &ids));
by_list!(ExportsOfRun => Vec<Stored<LogExport>>, RunsRead, |reader, ids| reader.store.exports_by_run_id(&reader.scope, &ids));
by_list!(DeliveryOf => Timestamp, RunsRead | AuditRead, showing of AuditEntry, |reader, ids| reader.store.export_deliveries(&reader.scope, &ids));
by_list!(ExportFactsOf => RunExportFacts, RunsRead, of LlmRun, |reader, runs| reader.store.run_export_facts(&reader.scope, &runs));
by_list!(InflectionFactsOf => InflectionFacts, RunsRead, of LlmRun, |reader, runs| reader.store.inflection_facts(&reader.scope, &runs));
by_list!(StepsIn => Vec<Arc<ReplayStep>>, RunsRead, |reader, windows| reader.store.steps_in_windows(&reader.scope, &windows));
by_list!(SystemRecordsIn => Vec<Arc<Stored<SystemRecord>>>, RunsRead, showing SystemRecord, |reader, windows| reader.store.system_records_in_windows(&reader.scope, &windows));
by_list!(GovernanceIn => Vec<Arc<Stored<AuditEntry>>>, RunsRead, showing AuditEntry, |reader, windows| reader.store.governance_in_windows(&reader.scope, &windows));
by_list!(SystemRecordById => StoredSystemRecord, SystemRead, |reader, ids| reader.store.system_records_by_id(&reader.scope, &ids));
by_list!(SystemBaselineOf => Vec<StoredSystemRecord>, SystemRead, |reader, keys| reader.store.run_baselines(&reader.scope, &keys));
by_list!(SystemEventsOf => Vec<StoredSystemRecord>, SystemRead, |reader, keys| reader.store.run_events(&reader.scope, &keys));
by_list!(SeriesOf => Vec<MetricSeries>, SystemRead, showing of LlmRun, |reader, keys| reader.store.series_of_runs(&reader.scope, &keys));
by_list!(PointCountOf => i64, SystemRead, showing of LlmRun, |reader, keys| reader.store.count_points_of_series(&reader.scope, &keys));

/// A receipt is asked for of an entry or of a record just written: which it was is noted there.
impl Loader<ReceiptOf> for Reader {
    type Value = Result<String, Error>;
    type Error = Error;

    async fn load(&self, keys: &[ReceiptOf]) -> Result<HashMap<ReceiptOf, Self::Value>, Error> {
        let ids: Vec<RecordId> = keys.iter().map(|key| key.0).collect();
        let receipts = self.logs.receipts(&self.audit, &ids).await?;
        Ok(receipts.into_iter().map(|(id, receipt)| (ReceiptOf(id), receipt)).collect())
    }
}

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
        let granted = self.audit.require(Permission::RunsRead)?;
        let mut found = HashMap::with_capacity(keys.len());
        for ((filter, page), traces) in grouped(keys, |StepsOf(trace, filter, page)| ((filter, page), trace)) {
            let pages = self.store.steps_by_trace_id(&self.scope, &traces, filter, page).await?;
            for (trace, steps) in self.audit.open(granted, pages)? {
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
        let granted = self.audit.require(Permission::RunsRead)?;
        let mut found = HashMap::with_capacity(keys.len());
        for (filter, traces) in grouped(keys, |StepCountOf(trace, filter)| (filter, trace)) {
            let counts = self.store.count_steps_by_trace_id(&self.scope, &traces, filter).await?;
            for (trace, count) in self.audit.open_made(granted, RecordKind::TraceStep, counts)? {
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
        let granted = self.audit.require(Permission::RunsRead)?;
        let mut groups: HashMap<(&PageRequest, Option<AsOf>), Vec<String>> = HashMap::new();
        for ActivationsOf(policy_id, page, as_of) in keys {
            groups.entry((page, *as_of)).or_default().push(policy_id.clone());
        }
        let mut found = HashMap::with_capacity(keys.len());
        for ((page, as_of), policies) in groups {
            let pages = self.store.activations_by_policy_id(&self.scope, &policies, page, as_of).await?;
            for (policy, rows) in self.audit.open(granted, pages)? {
                found.insert(ActivationsOf(policy, page.clone(), as_of), rows);
            }
        }
        Ok(found)
    }
}

/// Payloads that are read in one statement: at most [`PAYLOAD_BYTES_MAX`] bytes of the largest ones.
const fn payloads_at_once(part: PayloadPart) -> usize {
    match part {
        PayloadPart::Content | PayloadPart::Plan => 128,
        _ => 512,
    }
}

impl Reader {
    /// Counts what was read of payloads, before more is.
    fn count_payloads(&self, bytes: usize) -> Result<(), Error> {
        let read = self.payload_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if read > PAYLOAD_BYTES_MAX {
            let message = format!(
                "the payloads that are asked for have more than {PAYLOAD_BYTES_MAX} bytes: ask for fewer rows at once"
            );
            return Err(Error::limit(message, PAYLOAD_BYTES_MAX, Some(read)));
        }
        Ok(())
    }
}

impl Loader<PayloadOf> for Reader {
    type Value = String;
    type Error = Error;

    async fn load(&self, keys: &[PayloadOf]) -> Result<HashMap<PayloadOf, String>, Error> {
        let granted = self.audit.require(Permission::PayloadsRead)?;
        let mut found = HashMap::with_capacity(keys.len());
        for part in PayloadPart::ALL {
            let ids: Vec<RecordId> = keys.iter().filter(|key| key.0 == *part).map(|key| key.1).collect();
            if ids.is_empty() {
                continue;
            }
            for ids in ids.chunks(payloads_at_once(*part)) {
                let texts = self.store.payloads_by_record_id(&self.scope, *part, ids).await?;
                let mut bytes = 0;
                for (id, text) in self.audit.open_payloads(granted, *part, texts)? {
                    bytes += text.len();
                    found.insert(PayloadOf(*part, id), text);
                }
                self.count_payloads(bytes)?;
            }
        }
        Ok(found)
    }
}

impl Loader<AccessDetailOf> for Reader {
    type Value = AccessDetail;
    type Error = Error;

    async fn load(&self, keys: &[AccessDetailOf]) -> Result<HashMap<AccessDetailOf, AccessDetail>, Error> {
        // Only the server writes them and they name records only: no permission beyond reading the entry is needed.
        let granted = self.audit.require(Permission::AuditRead)?.showing(RecordKind::AuditEntry);
        let ids: Vec<RecordId> = keys.iter().map(|key| key.0).collect();
        let texts = self.store.payloads_by_record_id(&self.scope, PayloadPart::AfterState, &ids).await?;
        let texts = self.audit.open_payloads(granted, PayloadPart::AfterState, texts)?;
        Ok(texts.into_iter().map(|(id, text)| (AccessDetailOf(id), AccessDetail::parse(&text))).collect())
    }
}

impl Loader<SystemDetailsOf> for Reader {
    type Value = String;
    type Error = Error;

    async fn load(&self, keys: &[SystemDetailsOf]) -> Result<HashMap<SystemDetailsOf, String>, Error> {
        self.audit.require(Permission::SystemRead)?;
        let granted = self.audit.require(Permission::PayloadsRead)?;
        let ids: Vec<RecordId> = keys.iter().map(|key| key.0).collect();
        let texts = self.store.system_details_by_id(&self.scope, &ids).await?;
        let texts = self.audit.open_payloads(granted, PayloadPart::Details, texts)?;
        Ok(texts.into_iter().map(|(id, text)| (SystemDetailsOf(id), text)).collect())
    }
}

impl Loader<SealMetadataOf> for Reader {
    type Value = SealMetadata;
    type Error = Error;

    async fn load(&self, keys: &[SealMetadataOf]) -> Result<HashMap<SealMetadataOf, SealMetadata>, Error> {
        let granted = self.audit.require(Permission::RunsRead)?;
        let traces: Vec<TraceId> = keys.iter().map(|key| key.0.clone()).collect();
        let views = self.audit.open(granted, self.store.traces_by_trace_id(&self.scope, &traces).await?)?;
        let seals: HashMap<RecordId, TraceId> =
            views.into_iter().filter_map(|(trace, view)| Some((view.seal.as_ref()?.id, trace))).collect();
        let ids: Vec<RecordId> = seals.keys().copied().collect();
        let texts = self.store.payloads_by_record_id(&self.scope, PayloadPart::Metadata, &ids).await?;
        let parsed = texts.map(|texts| {
            let parsed = texts.into_iter().filter_map(|(id, text)| {
                Some((SealMetadataOf(seals.get(&id)?.clone()), Arc::new(seal::parse_seal_metadata(&text)?)))
            });
            parsed.collect::<HashMap<_, _>>()
        });
        self.audit.open_made(granted, RecordKind::TraceSeal, parsed)
    }
}

impl Loader<GovernanceOf> for Reader {
    type Value = Page<StoredAuditEntry>;
    type Error = Error;

    async fn load(&self, keys: &[GovernanceOf]) -> Result<HashMap<GovernanceOf, Self::Value>, Error> {
        // A run's governance is a part of the run.
        let granted = self.audit.require(Permission::RunsRead)?.showing(RecordKind::AuditEntry);
        let mut pages: HashMap<&PageRequest, Vec<&RunNames>> = HashMap::new();
        for GovernanceOf(run, page) in keys {
            pages.entry(page).or_default().push(run);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (page, runs) in pages {
            let names: Vec<&str> = runs.iter().flat_map(|run| run.each()).collect();
            let entries = self.store.governance_by_run_name(&self.scope, &names, page).await?;
            let of_run =
                |run: &RunNames, entries: &_| (GovernanceOf(run.clone(), page.clone()), merged(run, entries, page));
            let entries = entries.map(|entries| runs.into_iter().map(|run| of_run(run, &entries)).collect::<Vec<_>>());
            found.extend(self.audit.open(granted, entries)?);
        }
        Ok(found)
    }
}

impl Loader<EntryOf> for Reader {
    /// Each, or why it is refused.
    type Value = Result<LedgerEntry, Error>;
    type Error = Error;

    async fn load(&self, keys: &[EntryOf]) -> Result<HashMap<EntryOf, Self::Value>, Error> {
        let readers = [Permission::RunsRead, Permission::AuditRead, Permission::SystemRead];
        let granted = self.audit.require_any(&readers)?;
        let mut found = HashMap::with_capacity(keys.len());
        for (tenant, ids) in grouped(keys, |EntryOf(tenant, id)| (tenant, id)) {
            let allowed = |entry: LedgerEntry| self.audit.require_entry(entry.kind).map(|_| entry);
            let keyed = |(id, entry)| (EntryOf(tenant.clone(), id), allowed(entry));
            let entries = self.store.entries_of_records(tenant, &ids).await?;
            let entries = entries.map(|entries| entries.into_iter().map(keyed).collect::<Vec<_>>());
            found.extend(self.audit.open(granted, entries)?);
        }
        Ok(found)
    }
}

impl Loader<GovernanceSummaryOf> for Reader {
    type Value = GovernanceSummary;
    type Error = Error;

    async fn load(&self, keys: &[GovernanceSummaryOf]) -> Result<HashMap<GovernanceSummaryOf, Self::Value>, Error> {
        let granted = self.audit.require(Permission::RunsRead)?.showing(RecordKind::AuditEntry);
        let names: Vec<&str> = keys.iter().flat_map(|key| key.0.each()).collect();
        let summaries = self.store.governance_summaries(&self.scope, &names).await?;
        let summaries = self.audit.open_sum(granted, RecordKind::AuditEntry, summaries)?;
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
            // Whoever asks was let in to this kind, else there is no such key.
            let granted = self.audit.require(needed(kind))?;
            let records = self.audit.open(granted, self.store.records_by_id(tenant, kind, &ids).await?)?;
            let keyed = records.into_iter().map(|(id, record)| (RecordOf(tenant.clone(), kind, id), Arc::new(record)));
            found.extend(keyed);
        }
        Ok(found)
    }
}

impl Loader<PointsOf> for Reader {
    type Value = Vec<MetricPoint>;
    type Error = Error;

    async fn load(&self, keys: &[PointsOf]) -> Result<HashMap<PointsOf, Self::Value>, Error> {
        let granted = self.audit.require(Permission::SystemRead)?.showing(RecordKind::LlmRun);
        let mut by_limit: BTreeMap<u32, Vec<SeriesWindow>> = BTreeMap::new();
        for PointsOf(series, limit) in keys {
            by_limit.entry(*limit).or_default().push(series.clone());
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (limit, series) in by_limit {
            let reader = self.clone();
            let points = async move { reader.store.points_of_series(&reader.scope, &series, limit).await };
            let points = self.audit.open_made(granted, RecordKind::LlmRun, apart(points).await?)?;
            found.extend(points.into_iter().map(|(series, points)| (PointsOf(series, limit), points)));
        }
        Ok(found)
    }
}
