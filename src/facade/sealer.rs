//! How traces end: whatever is quiet for long enough is sealed, and its run recorded. Every process seals; a trace is claimed
//! in the database, so no two seal the same.

mod memory;
mod sources;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;

use self::memory::Memory;
use self::sources::Ready;
use super::Logs;
use super::access::{ServerUse, open_for_server};
use crate::capture::CaptureContext;
use crate::capture::contents::fill_source;
use crate::capture::digest::ContentHasher;
use crate::capture::seal::{self, SealOptions};
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, SealGuard};
use crate::domain::draft::{DueTrace, SealSource};
use crate::domain::ids::{Digest, RunId, TenantId, TraceId};
use crate::domain::run::StoredRun;
use crate::domain::scope::{Actor, Permissions, Scope};
use crate::domain::vocabulary::{ActorType, ExecutionStatus};
use crate::error::Result;
use crate::ledger::behaviour;
use crate::store::span_contents::SpanContents;

/// Traces that are claimed at a time.
const CLAIM_MAX: u32 = 256;
/// Traces whose steps are in memory together, and steps of them, unless one trace has more.
const SEAL_TOGETHER: usize = 64;
const STEPS_TOGETHER: i64 = 5_000;
/// After this time another process may take a claimed trace: its claimer has died.
const LEASE_US: i64 = 30_000_000;

/// What the process that seals remembers.
#[derive(Default)]
pub(super) struct Sealing {
    /// Rung when traces were touched, so that an idle sealer wakes up.
    pub touched: Notify,
    /// Steps of large traces that were sealed.
    remembered: Memory,
}

/// What became of the traces of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealRound {
    /// Traces that were due.
    pub due: usize,
    /// Traces that were sealed; the others changed in between and come again.
    pub sealed: usize,
    /// Steps that were read for it: of a trace that this process has sealed before, only those that came since.
    pub steps_read: usize,
}

impl SealRound {
    /// Whether as many traces were due as are claimed at a time: then there may be more.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.due == CLAIM_MAX as usize
    }
}

impl Logs {
    /// Waits until traces were touched by this process since somebody last waited.
    pub async fn touched(&self) {
        self.0.sealing.touched.notified().await;
    }

    /// How long until the next trace is due, `None` where none waits; an arrival meanwhile is due no earlier than its settle
    /// time.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn next_seal(&self) -> Result<Option<Duration>> {
        let wait = |us: i64| u64::try_from(us).map_or(Duration::ZERO, Duration::from_micros);
        let due = self.0.store.next_due_at().await?;
        Ok(due.map(|due| wait(due.since(self.0.clock.now())).min(wait(self.0.config.settle_us))))
    }

    /// Seals the traces that are due now, up to one round's worth.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn seal_due(&self) -> Result<SealRound> {
        let due = self.0.store.claim_due_traces(CLAIM_MAX, LEASE_US).await?;
        let mut round = SealRound { due: due.len(), ..SealRound::default() };
        let mut tenants: HashMap<TenantId, Vec<DueTrace>> = HashMap::new();
        for trace in due {
            tenants.entry(trace.tenant.clone()).or_default().push(trace);
        }
        for (tenant, due) in tenants {
            for due in together(&due) {
                let (sealed, read) = self.seal_of_tenant(&tenant, due).await?;
                (round.sealed, round.steps_read) = (round.sealed + sealed, round.steps_read + read);
            }
        }
        metrics::counter!("runledger_traces_sealed_total").increment(round.sealed as u64);
        Ok(round)
    }

    /// Seals due traces of a tenant; how many were sealed, and how many steps were read for it.
    async fn seal_of_tenant(&self, tenant: &TenantId, due: &[DueTrace]) -> Result<(usize, usize)> {
        let trace_ids: Vec<TraceId> = due.iter().map(|trace| trace.trace_id.clone()).collect();
        let silent = due.iter().filter(|trace| trace.is_silent).map(|trace| trace.trace_id.clone()).collect();
        let context = self.capture_context(tenant).await?;
        let sources = self.seal_sources(tenant, &trace_ids, |source, leaves| Judged {
            root_hash: behaviour::root_with(&source.steps, |(step, _)| step, leaves),
            wanted: wanted_or_default(source),
        });
        let mut ready = open_for_server(ServerUse::Sealing, sources.await?);
        ready.sort_by_key(|ready| ready.source.trace.seq);
        let read = ready.iter().map(|ready| ready.read).sum();
        let batch = Batch {
            logs: self.clone(),
            taken: self.taken_run_ids(tenant, ready.iter().map(|ready| ready.made.wanted.clone()).collect()).await?,
            contents: self.waiting_contents(tenant, &trace_ids).await?,
            context,
            silent,
        };
        let steps = ready.iter().map(|ready| ready.source.steps.len()).sum();
        let units = self.beside(steps, move || batch.units(ready)).await?;
        let mut sealed = 0;
        for receipt in join_all(units.into_iter().map(|unit| self.append(unit))).await {
            match receipt {
                Ok(AppendReceipt::Done(results)) => match results.into_iter().find_map(rejection) {
                    Some(error) => tracing::warn!(?error, %tenant, "a seal was refused; its trace comes again"),
                    None => sealed += 1,
                },
                // Spans arrived since: the trace is due again later.
                Ok(AppendReceipt::Stale | AppendReceipt::Replayed(_)) => {}
                Err(error) => tracing::warn!(?error, %tenant, "a seal was not taken; its trace comes again"),
            }
        }
        Ok((sealed, read))
    }

    /// The runs that exist under the names that traces want, by name.
    async fn taken_run_ids(&self, tenant: &TenantId, wanted: Vec<RunId>) -> Result<HashMap<RunId, Option<TraceId>>> {
        let found = self.0.store.runs_by_run_id(&sealer_scope(tenant), &wanted).await?;
        let found: HashMap<RunId, StoredRun> = open_for_server(ServerUse::Sealing, found);
        Ok(found.into_iter().map(|(run_id, run)| (run_id, run.trace_id.clone())).collect())
    }
}

/// What is computed of a trace before its name is looked for.
struct Judged {
    root_hash: Result<Digest>,
    wanted: RunId,
}

/// What the traces that are sealed together have in common.
struct Batch {
    logs: Logs,
    context: CaptureContext,
    silent: HashSet<TraceId>,
    contents: SpanContents,
    taken: HashMap<RunId, Option<TraceId>>,
}

impl Batch {
    /// What is to be appended for each trace.
    fn units(mut self, ready: Vec<Ready<Judged>>) -> Vec<AppendUnit> {
        let mut units = Vec::with_capacity(ready.len());
        for ready in ready {
            let (trace_id, tenant) = (&ready.source.trace.trace_id, &ready.source.trace.tenant_id);
            let root_hash = ready.made.root_hash.clone();
            match root_hash.and_then(|root_hash| self.unit(&ready.source, root_hash, &ready.made.wanted)) {
                Ok(unit) => units.push(unit),
                Err(error) => tracing::error!(?error, %trace_id, %tenant, "this trace cannot be sealed"),
            }
            self.logs.remember(ready);
        }
        units
    }

    /// The seal of a trace as it is on record, and the run of the trace as it is with content that came as log events.
    fn unit(&mut self, source: &SealSource, root_hash: Digest, wanted: &RunId) -> Result<AppendUnit> {
        let trace_id = source.trace.trace_id.clone();
        let hasher = ContentHasher::new(&self.context.content_key);
        let filled = fill_source(&hasher, source, &self.contents);
        let is_silent = self.silent.contains(&trace_id);
        let is_taken = self.taken.get(wanted).is_some_and(|by| by.as_ref() != Some(&trace_id));
        let (run_id, conflicting_run_id) =
            if is_taken { (RunId::parse(trace_id.as_str())?, Some(wanted.clone())) } else { (wanted.clone(), None) };
        self.taken.insert(run_id.clone(), Some(trace_id.clone()));
        let options = SealOptions {
            status: is_silent.then_some(ExecutionStatus::Timeout),
            reason: is_silent.then(|| "no step and no end for longer than trace.timeout".to_owned()),
            ended_at: None,
            metadata: None,
            run: None,
            run_id,
            conflicting_run_id,
        };
        let (records, _) = self.logs.new_seal(seal::seal(&self.context, &filled, root_hash, options)?)?;
        Ok(AppendUnit {
            is_atomic: true,
            guard: Some(SealGuard { trace_id, version: source.version }),
            ..AppendUnit::evidence(source.trace.tenant_id.clone(), records)
        })
    }
}

/// Due traces in groups that fit into memory.
fn together(due: &[DueTrace]) -> Vec<&[DueTrace]> {
    let (mut groups, mut rest) = (Vec::new(), due);
    while !rest.is_empty() {
        let mut steps = 0;
        let fits = |trace: &&DueTrace| {
            steps += trace.step_count;
            steps <= STEPS_TOGETHER
        };
        let count = rest.iter().take(SEAL_TOGETHER).take_while(fits).count().max(1);
        let (group, others) = rest.split_at(count);
        groups.push(group);
        rest = others;
    }
    groups
}

/// A trace that has a run keeps its name; else what its spans ask for, else what the trace was begun with.
fn wanted_or_default(source: &SealSource) -> RunId {
    match &source.run {
        Some(run) => run.run_id.clone(),
        None => seal::wanted_run_id(source).unwrap_or_else(|| source.trace.run_id.clone()),
    }
}

fn rejection(result: AppendResult) -> Option<crate::error::Error> {
    match result {
        AppendResult::Rejected(error) => Some(error),
        AppendResult::New(_) | AppendResult::Existing { .. } => None,
    }
}

/// The server itself, for one tenant.
fn sealer_scope(tenant: &TenantId) -> Scope {
    Scope {
        tenant: tenant.clone(),
        actor: Actor { actor_type: ActorType::System, id: "sealer".to_owned() },
        permissions: Permissions::all_of_tenant(),
    }
}
