//! Writes: OTLP requests and the six mutations. Everything goes through `capture` (pure) to the one append.

mod aside;
mod audit;
mod batch;
mod contents;
mod contradictions;
mod incidents;
mod once;
mod otlp;
mod otlp_logs;
mod otlp_metrics;
mod policies;
mod runs;
mod steps;
mod system;
mod traces;

pub use audit::{AuditResult, RecordedAudit};
pub use incidents::RecordedIncident;
pub use otlp::{IngestReport, OtlpEncoding, Signal, decode_otlp, decode_otlp_if};
pub use otlp_metrics::SignalReport;
pub use policies::RecordedActivation;
pub use steps::{RecordedSteps, StepResult};
pub use system::{RecordedSystemRecords, SystemRecordResult};

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use moka::sync::Cache;
use tokio::sync::Semaphore;

use self::aside::Aside;
use self::once::{Answer, KeyedRequest};
use super::{Logs, LogsFacade};
use crate::capture::CaptureContext;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, New, TraceTouch};
use crate::domain::audit::AuditEntry;
use crate::domain::draft::{DraftAudit, DraftPayload, DraftSeal, DraftStep};
use crate::domain::ids::{Digest, RecordId, TenantId, TraceId};
use crate::domain::payload::{NewPayload, PayloadPart};
use crate::domain::record::NewRecord;
use crate::domain::run::{LlmRun, StoredRun};
use crate::domain::system::{DraftSystemRecord, SystemRecord};
use crate::domain::trace::{StoredTrace, Trace};
use crate::error::{Code, Error, Result};
use crate::ledger::commitment;
use crate::store::unread::Unread;

/// The answer of an atomic write, and whether it is that of an earlier request.
type Atomic = (Answer, bool);

/// The answer of `recordLlmRun`, `recordTrace`, `startTrace`, `completeTrace` and `abortTrace`: what was written, and what of
/// it was written before under the same idempotency key. A trace that was begun by an earlier call is not among it: it is
/// read by [`LogsFacade::get_trace_now`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The run, where one was written.
    pub run: Option<StoredRun>,
    /// The trace, where one was begun.
    pub trace: Option<StoredTrace>,
    /// The record of the trace's end, where one was written.
    pub seal: Option<RecordId>,
    /// The idempotency key had been used: this is the first answer again.
    pub is_replayed: bool,
}

/// Requests of metrics that are written at a time; more are told to come again.
const METRIC_WRITES_MAX: usize = 8;

/// What the process keeps for capture.
pub(super) struct Capturing {
    content_keys: Cache<TenantId, [u8; 32]>,
    /// Tenants for whom digests of content may wait; what other processes keep is noticed within the cache's time.
    content_tenants: Cache<TenantId, bool>,
    metric_writes: Semaphore,
    /// Where large requests are captured.
    pub aside: Aside,
}

impl Default for Capturing {
    fn default() -> Self {
        Self {
            content_keys: Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(60)).build(),
            content_tenants: Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(5)).build(),
            metric_writes: Semaphore::new(METRIC_WRITES_MAX),
            aside: Aside::default(),
        }
    }
}

/// Idempotency keys that one statement forgets.
const FORGET_MAX: u32 = 1_000;

impl Logs {
    /// What capture needs for a tenant.
    pub(super) async fn capture_context(&self, tenant: &TenantId) -> Result<CaptureContext> {
        let content_key = match self.0.capturing.content_keys.get(tenant) {
            Some(key) => key,
            None => {
                let key = self.0.store.content_key(tenant).await?;
                self.0.capturing.content_keys.insert(tenant.clone(), key);
                key
            }
        };
        Ok(CaptureContext {
            content_key,
            keeps_content: self.0.config.content_capture.contains(tenant),
            prices: Arc::clone(&self.0.config.prices),
        })
    }

    /// Forgets idempotency keys that were used too long ago; gives how many.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn forget_idempotency_keys(&self) -> Result<u64> {
        let before = self.0.clock.now().plus_micros(-self.0.config.idempotency_expiry_us);
        let mut forgotten = 0;
        loop {
            let some = self.0.store.forget_idempotency_keys(before, FORGET_MAX).await?;
            forgotten += some;
            if some < u64::from(FORGET_MAX) {
                return Ok(forgotten);
            }
        }
    }

    /// Gives a record its id and its payloads their salts; `bind` puts a commitment into the record.
    pub(in crate::facade) fn new_record<T>(
        &self,
        mut record: T,
        payloads: Vec<DraftPayload>,
        bind: impl Fn(&mut T, PayloadPart, Digest),
    ) -> Result<New<T>> {
        let mut committed: Vec<NewPayload> = Vec::with_capacity(payloads.len());
        for draft in payloads {
            let payload = commitment::payload(draft.part, self.0.clock.entropy()?, draft.text);
            bind(&mut record, payload.part, payload.commitment);
            committed.push(payload);
        }
        Ok(New { id: self.0.clock.new_id(), record, payloads: committed })
    }

    fn new_trace(&self, trace: Trace, payloads: Vec<DraftPayload>) -> Result<NewRecord> {
        let bind = |trace: &mut Trace, _, commitment| trace.plan_commitment = Some(commitment);
        Ok(NewRecord::Trace(Box::new(self.new_record(trace, payloads, bind)?)))
    }

    fn new_step(&self, draft: DraftStep) -> Result<NewRecord> {
        let new = self.new_record(draft.step, draft.payloads, |step, part, commitment| match part {
            PayloadPart::Content => step.content_commitment = Some(commitment),
            _ => step.attributes_commitment = Some(commitment),
        })?;
        Ok(NewRecord::Step(Box::new(new), draft.facts))
    }

    /// An audit entry as a record of its own.
    pub(super) fn new_audit(&self, draft: DraftAudit) -> Result<Box<New<AuditEntry>>> {
        let new = self.new_record(draft.entry, draft.payloads, |entry, part, commitment| match part {
            PayloadPart::ActionReason => entry.action_reason_commitment = Some(commitment),
            PayloadPart::BeforeState => entry.before_state_commitment = Some(commitment),
            _ => entry.after_state_commitment = Some(commitment),
        })?;
        Ok(Box::new(new))
    }

    /// A system record as a record of its own.
    pub(super) fn new_system_record(&self, draft: DraftSystemRecord) -> Result<NewRecord> {
        let bind = |record: &mut SystemRecord, _, commitment| record.details_commitment = Some(commitment);
        Ok(NewRecord::System(Box::new(self.new_record(draft.record, draft.payloads, bind)?)))
    }

    /// A seal and its run as records, the seal first; and the run's id.
    pub(super) fn new_seal(&self, draft: DraftSeal) -> Result<(Vec<NewRecord>, Option<RecordId>)> {
        let seal = self.new_record(draft.seal, draft.payloads, |seal, _, commitment| {
            seal.metadata_commitment = Some(commitment);
        })?;
        let mut records = vec![NewRecord::Seal(Box::new(seal))];
        let mut run_record = None;
        if let Some(run) = draft.run {
            let run = self.new_run(run);
            run_record = Some(run.id);
            records.push(NewRecord::Run(Box::new(run)));
        }
        Ok((records, run_record))
    }

    fn new_run(&self, run: LlmRun) -> New<LlmRun> {
        New { id: self.0.clock.new_id(), record: run, payloads: Vec::new() }
    }

    /// Appends, and wakes the sealer where traces were touched.
    pub(super) async fn append(&self, unit: AppendUnit) -> Result<AppendReceipt> {
        let touches = !unit.touches.is_empty();
        let receipt = self.0.store.append(unit).await?;
        if touches {
            self.0.sealing.touched.notify_one();
        }
        Ok(receipt)
    }

    /// Hands units to the writer, one after the other, and waits for all. What comes of each, in their order.
    async fn append_in_order(&self, units: Vec<AppendUnit>) -> Vec<Result<AppendReceipt>> {
        let touches = units.iter().any(|unit| !unit.touches.is_empty());
        let mut begun = Vec::with_capacity(units.len());
        for unit in units {
            begun.push(self.0.store.begin_append(unit).await);
        }
        let receipts = join_all(begun.into_iter().map(|begun| async { begun?.receipt().await })).await;
        if touches && receipts.iter().any(Result::is_ok) {
            self.0.sealing.touched.notify_one();
        }
        receipts
    }
}

impl LogsFacade {
    async fn capture_context(&self) -> Result<CaptureContext> {
        self.logs.capture_context(&self.scope.tenant).await
    }

    /// Appends an atomic unit and reads back what it wrote, once under its key.
    async fn record_once(
        &self,
        keyed: Option<&KeyedRequest>,
        write: impl Future<Output = Result<Atomic>>,
    ) -> Result<Recorded> {
        let (mut answer, is_replayed) = self.once(keyed, |first| Ok((first.answer, true)), write).await?;
        if keyed.is_some_and(KeyedRequest::begins_trace) {
            self.complete_answer(&mut answer).await?;
        }
        self.recorded(answer, is_replayed).await
    }

    /// Appends an atomic unit. The answer to give, and whether it is that of an earlier request; `None` when the unit's
    /// guard was stale.
    async fn append_whole(
        &self,
        unit: AppendUnit,
        keyed: Option<&KeyedRequest>,
        answer: Answer,
    ) -> Result<Option<Atomic>> {
        let idempotency = keyed.cloned().map(|keyed| keyed.claim(&answer)).transpose()?;
        match self.append(AppendUnit { is_atomic: true, idempotency, ..unit }).await? {
            AppendReceipt::Stale => Ok(None),
            AppendReceipt::Replayed(first) => Ok(Some((self.first_answer(&first)?.answer, true))),
            AppendReceipt::Done(results) => {
                for result in results {
                    match result {
                        AppendResult::New(_) => {}
                        AppendResult::Existing { .. } => return Err(Error::new(Code::Conflict, "it exists already")),
                        AppendResult::Rejected(error) => return Err(error),
                    }
                }
                Ok(Some((answer, false)))
            }
        }
    }

    /// Appends records of one tenant, all or none, under the caller's idempotency key where there is one.
    async fn append_atomically(
        &self,
        records: Vec<NewRecord>,
        touches: Vec<TraceTouch>,
        keyed: Option<&KeyedRequest>,
        answer: Answer,
    ) -> Result<Atomic> {
        let unit = AppendUnit { touches, ..AppendUnit::evidence(self.scope.tenant.clone(), records) };
        let appended = self.append_whole(unit, keyed, answer).await?;
        appended.ok_or_else(|| Error::internal("a unit without guard was called stale"))
    }

    /// Appends the records that `made` makes, all or none, once under the key. The id of the first record, and whether it is
    /// that of an earlier request.
    async fn append_keyed(
        &self,
        keyed: Option<&KeyedRequest>,
        made: impl Future<Output = Result<Vec<NewRecord>>>,
    ) -> Result<(RecordId, bool)> {
        let append = async {
            let records = made.await?;
            let answer = Answer { records: records.iter().map(|record| record.id().0).collect(), ..Answer::default() };
            self.append_atomically(records, Vec::new(), keyed, answer).await
        };
        // On the heap, here and wherever else a write is handed on: a request's future must fit a thread's stack.
        let append = Box::pin(append);
        let (answer, is_replayed) = self.once(keyed, |first| Ok((first.answer, true)), append).await?;
        let first = answer.records.first().copied().map(RecordId);
        first.map(|id| (id, is_replayed)).ok_or_else(|| Error::internal("an answer without a record"))
    }

    async fn recorded(&self, answer: Answer, is_replayed: bool) -> Result<Recorded> {
        let mut recorded = Recorded { run: None, trace: None, seal: answer.seal.map(RecordId), is_replayed };
        if let Some(id) = answer.run.map(RecordId) {
            let found = self.store().runs_by_id(&self.scope, &[id]).await?;
            recorded.run = self.audit.told(found.map(|mut found| found.remove(&id)))?;
        }
        if let (Some(trace_id), Some(_)) = (answer.trace_id, answer.trace) {
            recorded.trace = self.audit.told_trace(self.find_trace(&TraceId::trusted(trace_id)).await?)?;
        }
        Ok(recorded)
    }

    /// A trace as it is now, past the loaders' cache.
    async fn find_trace(&self, trace_id: &TraceId) -> Result<Unread<Option<StoredTrace>>> {
        let found = self.store().traces_by_trace_id(&self.scope, std::slice::from_ref(trace_id)).await?;
        Ok(found.map(|mut found| found.remove(trace_id)))
    }

    /// A name for what the caller left unnamed.
    fn fresh_name(&self) -> String {
        self.logs.0.clock.new_id().0.simple().to_string()
    }

    /// Span ids for steps of one call that have none, 16 hex digits each. They rise in the order of the steps, because steps
    /// that began at one instant are ordered by them: equal input must give an equal trace.
    fn fresh_span_ids(&self) -> Result<impl Iterator<Item = String>> {
        let entropy = self.logs.0.clock.entropy()?;
        let call = hex::encode(&entropy[26..]);
        Ok((0..=u16::MAX).map(move |at| format!("{call}{at:04x}")))
    }
}
