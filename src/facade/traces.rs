//! Reads of traces, steps, seals and payloads.

use std::collections::HashSet;
use std::sync::Arc;

use super::LogsFacade;
use super::loaders::{PayloadOf, SealMetadataOf, SealsOf, StepById, StepCountOf, StepGroupsOf, TraceById};
use crate::capture::{digest, seal};
use crate::domain::draft::SealSource;
use crate::domain::filter::{TraceFilter, TraceOrder};
use crate::domain::ids::{Digest, RecordId, TraceId, check_name};
use crate::domain::page::{AsOf, Count, Page, PageRequest};
use crate::domain::payload::PayloadPart;
use crate::domain::run::Stored;
use crate::domain::scope::Permission;
use crate::domain::trace::{
    Divergence, IdempotencyHit, StepFilter, StepGroup, StoredStep, StoredTrace, TraceComparison, TraceRef, TraceSeal,
    TraceTotals,
};
use crate::domain::vocabulary::RecordKind;
use crate::error::{Error, Result};
use crate::ledger::behaviour;

/// Steps of one trace that a comparison reads at a time.
const COMPARISON_PAGE: u32 = 2_000;
/// Most steps of a trace that a comparison reads.
const COMPARISON_STEPS_MAX: usize = 100_000;

impl LogsFacade {
    /// A trace; by name and by run batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`, as for every read below.
    pub async fn get_trace(&self, by: &TraceRef) -> Result<Option<StoredTrace>> {
        let granted = self.require(Permission::RunsRead)?;
        match by {
            TraceRef::TraceId(trace_id) => self.loaders.trace(trace_id).await,
            TraceRef::RunId(run_id) => match self.get_llm_run(run_id).await?.and_then(|run| run.trace_id.clone()) {
                Some(trace_id) => self.loaders.trace(&trace_id).await,
                // A run without a record of its own yet: its trace is still running.
                None => Ok(self.audit.open(granted, self.store().trace_by_run_id(&self.scope, run_id).await?)),
            },
            TraceRef::RootHash(root_hash) => {
                Ok(self.audit.open(granted, self.store().trace_by_root_hash(&self.scope, *root_hash).await?))
            }
        }
    }

    /// A trace by record id; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn get_trace_by_id(&self, id: RecordId) -> Result<Option<StoredTrace>> {
        self.loaders.loader.load_one(TraceById(id)).await
    }

    /// A trace as it is now, past the loaders' cache: what a mutation has just changed.
    ///
    /// # Errors
    /// As above.
    pub async fn get_trace_now(&self, trace_id: &TraceId) -> Result<Option<StoredTrace>> {
        let granted = self.require(Permission::RunsRead)?;
        let found = self.store().traces_by_trace_id(&self.scope, std::slice::from_ref(trace_id)).await?;
        Ok(self.audit.open(granted, found.map(|mut found| found.remove(trace_id))))
    }

    /// A page of traces.
    ///
    /// # Errors
    /// As above.
    pub async fn list_traces(
        &self,
        filter: &TraceFilter,
        order: TraceOrder,
        page: &PageRequest,
        as_of: Option<AsOf>,
    ) -> Result<Page<StoredTrace>> {
        let granted = self.require(Permission::RunsRead)?;
        Ok(self.audit.open(granted, self.store().list_traces(&self.scope, filter, order, page, as_of).await?))
    }

    /// How many traces the filter selects, counted to `cap`.
    ///
    /// # Errors
    /// As above.
    pub async fn count_traces(&self, filter: &TraceFilter, as_of: Option<AsOf>, cap: u32) -> Result<Count> {
        let granted = self.require(Permission::RunsRead)?;
        let count = self.store().count_traces(&self.scope, filter, as_of, cap).await?;
        Ok(self.audit.open_made(granted, RecordKind::Trace, count))
    }

    /// Starts to read traces, and a page of steps of each, in one statement each, for the calls below to wait for.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`.
    pub fn prefetch_traces(&self, traces: HashSet<TraceId>, steps: Option<(StepFilter, PageRequest)>) -> Result<()> {
        let granted = self.require(Permission::RunsRead)?;
        self.loaders.read_ahead(granted, traces, steps);
        Ok(())
    }

    /// A page of a trace's steps; batched. A position's key is the step_index.
    ///
    /// # Errors
    /// As above.
    pub async fn list_trace_steps(
        &self,
        trace_id: &TraceId,
        filter: &StepFilter,
        page: &PageRequest,
    ) -> Result<Page<Arc<StoredStep>>> {
        self.require(Permission::RunsRead)?;
        self.loaders.steps(trace_id, (filter.clone(), page.clone())).await
    }

    /// How many steps of a trace the filter selects, exactly; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn count_trace_steps(&self, trace_id: &TraceId, filter: &StepFilter) -> Result<i64> {
        let key = StepCountOf(trace_id.clone(), filter.clone());
        Ok(self.loaders.loader.load_one(key).await?.unwrap_or_default())
    }

    /// A step by record id; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn get_trace_step_by_id(&self, id: RecordId) -> Result<Option<StoredStep>> {
        self.loaders.loader.load_one(StepById(id)).await
    }

    /// The span id of the step that this one repeats; batched. What the writer said, else what the newest seal found.
    ///
    /// # Errors
    /// As above.
    pub async fn step_duplicate_of(&self, step: &StoredStep) -> Result<Option<String>> {
        self.require(Permission::RunsRead)?;
        if step.duplicate_of.is_some() {
            return Ok(step.duplicate_of.clone());
        }
        let metadata = self.loaders.loader.load_one(SealMetadataOf(step.trace_id.clone())).await?;
        Ok(metadata.and_then(|metadata| metadata.1.get(&step.span_id).cloned()))
    }

    /// Every seal of a trace, newest first; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn list_trace_seals(&self, trace_id: &TraceId) -> Result<Vec<Stored<TraceSeal>>> {
        Ok(self.loaders.loader.load_one(SealsOf(trace_id.clone())).await?.unwrap_or_default())
    }

    /// Sums over the steps, each call counted once: from the newest seal, computed now while running.
    ///
    /// # Errors
    /// As above.
    pub async fn trace_totals(&self, trace: &StoredTrace) -> Result<TraceTotals> {
        let granted = self.require(Permission::RunsRead)?;
        if trace.seal.is_some() {
            let metadata = self.loaders.loader.load_one(SealMetadataOf(trace.trace.trace_id.clone())).await?;
            if let Some(metadata) = metadata {
                return Ok(metadata.0);
            }
        }
        let trace_ids = std::slice::from_ref(&trace.trace.trace_id);
        let sum = |source: &SealSource, _: &mut Vec<Digest>| seal::totals(&source.steps);
        let sources = self.logs.seal_sources(&self.scope.tenant, trace_ids, sum).await?;
        let totals = sources.map(|sources| sources.into_iter().next().map(|ready| self.logs.remember(ready)));
        Ok(self.audit.open_made(granted, RecordKind::TraceStep, totals).unwrap_or_default())
    }

    /// Steps grouped by kind and status; batched.
    ///
    /// # Errors
    /// As above.
    pub async fn trace_step_groups(&self, trace_id: &TraceId) -> Result<Vec<StepGroup>> {
        Ok(self.loaders.loader.load_one(StepGroupsOf(trace_id.clone())).await?.unwrap_or_default())
    }

    /// A payload's JSON text; `None` where there is none or it was erased; batched.
    ///
    /// # Errors
    /// `FORBIDDEN` without `payloads:read`.
    pub async fn payload(&self, record: RecordId, part: PayloadPart) -> Result<Option<String>> {
        self.loaders.loader.load_one(PayloadOf(part, record)).await
    }

    /// Whether two traces behaved alike, and where they part.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` that names `left` or `right` when there is no such trace; `LIMIT_EXCEEDED` beyond 100,000 steps.
    pub async fn compare_traces(&self, left: &TraceRef, right: &TraceRef) -> Result<TraceComparison> {
        let (left, mut left_steps) = self.comparand("left", left).await?;
        let (right, mut right_steps) = self.comparand("right", right).await?;
        let compare = move || {
            for steps in [&mut left_steps, &mut right_steps] {
                behaviour::sort(steps, |step| &step.step.record);
            }
            let found = behaviour::divergence(&left_steps, &right_steps, |step| &step.step.record)?;
            let divergence = found.map(|(place, reason)| Divergence {
                position: i64::try_from(place).unwrap_or(i64::MAX),
                reason,
                left: left_steps.get(place).map(|step| StoredStep::clone(step)),
                right: right_steps.get(place).map(|step| StoredStep::clone(step)),
            });
            let root = |steps: &[Arc<StoredStep>]| behaviour::root(steps.iter().map(|step| &step.step.record));
            Ok::<_, Error>((divergence, root(&left_steps)?, root(&right_steps)?))
        };
        let (divergence, left_root_hash, right_root_hash) = self.logs.beside(usize::MAX, compare).await??;
        Ok(TraceComparison { left_root_hash, right_root_hash, left, right, divergence })
    }

    /// A trace with all of its steps.
    async fn comparand(&self, field: &str, by: &TraceRef) -> Result<(StoredTrace, Vec<Arc<StoredStep>>)> {
        let missing = || Error::input(field, format!("{field} names no trace of this tenant"));
        let granted = self.require(Permission::RunsRead)?;
        let view = self.get_trace(by).await?.ok_or_else(missing)?;
        let trace_ids = std::slice::from_ref(&view.trace.trace_id);
        let mut steps: Vec<Arc<StoredStep>> = Vec::new();
        let mut request = PageRequest::first(COMPARISON_PAGE);
        loop {
            let pages =
                self.store().steps_by_trace_id(&self.scope, trace_ids, &StepFilter::default(), &request).await?;
            let page = pages.map(|mut pages| pages.remove(&view.trace.trace_id).unwrap_or_default());
            let page = self.audit.open(granted, page);
            request.after = page.rows.last().map(|row| row.position);
            steps.extend(page.rows.into_iter().map(|row| row.item));
            if steps.len() > COMPARISON_STEPS_MAX {
                let message = format!("a comparison reads at most {COMPARISON_STEPS_MAX} steps; compare root hashes");
                return Err(Error::limit(message, COMPARISON_STEPS_MAX as u64, None));
            }
            if !page.has_next_page {
                break;
            }
        }
        Ok((view, steps))
    }

    /// The step that was recorded under an idempotency key.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when the key is no name.
    pub async fn idempotency_check(&self, key: &str) -> Result<Option<IdempotencyHit>> {
        let granted = self.require(Permission::RunsRead)?;
        check_name("key", key)?;
        Ok(self.audit.open(granted, self.store().idempotency_hit(&self.scope, key).await?))
    }

    /// The tenant's keyed digest of a text, to compare with prompt and step hashes.
    ///
    /// # Errors
    /// `FORBIDDEN` without `payloads:read`: whoever may test guesses may learn content.
    pub async fn content_digest(&self, text: &str) -> Result<Digest> {
        self.require(Permission::PayloadsRead)?;
        let context = self.logs.capture_context(&self.scope.tenant).await?;
        Ok(digest::content_digest(&context.content_key, text))
    }
}
