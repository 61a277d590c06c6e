//! The background work that ends traces: whatever is quiet for long enough is sealed, and its run recorded. Every process
//! runs one; a trace is claimed in the database, so no two seal the same.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::Logs;
use super::access::{ServerUse, open_for_server};
use crate::capture::CaptureContext;
use crate::capture::contents::fill_source;
use crate::capture::digest::ContentHasher;
use crate::capture::seal::{self, SealOptions};
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, SealGuard};
use crate::domain::draft::{DueTrace, SealSource};
use crate::domain::ids::{RunId, TenantId, TraceId};
use crate::domain::run::StoredRun;
use crate::domain::scope::{Actor, Permissions, Scope};
use crate::domain::vocabulary::{ActorType, ExecutionStatus};
use crate::error::Result;
use crate::ledger::behaviour;

/// Traces that are claimed at a time.
const CLAIM_MAX: u32 = 256;
/// Traces whose steps are in memory together.
const SEAL_TOGETHER: usize = 64;
/// After this time another process may take a claimed trace: its claimer has died.
const LEASE_US: i64 = 30_000_000;
/// The longest sleep: traces of a process that died are found within it.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// The shortest sleep, so that a stream of arrivals does not become a stream of queries.
const SLEEP_MIN: Duration = Duration::from_millis(20);

/// What became of the traces of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SealRound {
    /// Traces that were due.
    pub due: usize,
    /// Traces that were sealed; the others changed in between and come again.
    pub sealed: usize,
}

impl Logs {
    /// Seals due traces until `cancel`led. Errors are logged and the trace comes again.
    pub async fn run_sealer(&self, cancel: CancellationToken) {
        while !cancel.is_cancelled() {
            let sleep = match self.seal_due().await {
                Ok(round) if round.due == CLAIM_MAX as usize => continue,
                Ok(_) => self.sleep_until_due().await,
                Err(error) => {
                    tracing::error!(?error, "sealing failed; the traces come again");
                    Duration::from_secs(1)
                }
            };
            let quiet = async {
                match sleep {
                    // Nothing waits in the database: only an arrival, or another process's death, can change that.
                    SLEEP_MAX => {
                        let _ = tokio::time::timeout(SLEEP_MAX, self.0.touched.notified()).await;
                        tokio::time::sleep(SLEEP_MIN).await;
                    }
                    sleep => tokio::time::sleep(sleep).await,
                }
            };
            tokio::select! {
                () = quiet => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// How long until the next trace is due; an arrival meanwhile is due no earlier than its settle time.
    async fn sleep_until_due(&self) -> Duration {
        let settle = u64::try_from(self.0.config.settle_us).map_or(SLEEP_MAX, Duration::from_micros);
        match self.0.store.next_due_at().await {
            Ok(Some(due)) => {
                let wait = u64::try_from(due.since(self.0.clock.now())).map_or(Duration::ZERO, Duration::from_micros);
                wait.min(settle).clamp(SLEEP_MIN, SLEEP_MAX - SLEEP_MIN)
            }
            Ok(None) => SLEEP_MAX,
            Err(error) => {
                tracing::error!(?error, "cannot read when the next trace is due");
                Duration::from_secs(1)
            }
        }
    }

    /// Seals the traces that are due now, up to one round's worth.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn seal_due(&self) -> Result<SealRound> {
        let due = self.0.store.claim_due_traces(CLAIM_MAX, LEASE_US).await?;
        let mut round = SealRound { due: due.len(), sealed: 0 };
        let mut tenants: HashMap<TenantId, Vec<DueTrace>> = HashMap::new();
        for trace in due {
            tenants.entry(trace.tenant.clone()).or_default().push(trace);
        }
        for (tenant, due) in tenants {
            for due in due.chunks(SEAL_TOGETHER) {
                round.sealed += self.seal_of_tenant(&tenant, due).await?;
            }
        }
        metrics::counter!("runledger_traces_sealed_total").increment(round.sealed as u64);
        Ok(round)
    }

    async fn seal_of_tenant(&self, tenant: &TenantId, due: &[DueTrace]) -> Result<usize> {
        let silent: HashSet<&TraceId> =
            due.iter().filter(|trace| trace.is_silent).map(|trace| &trace.trace_id).collect();
        let trace_ids: Vec<TraceId> = due.iter().map(|trace| trace.trace_id.clone()).collect();
        let context = self.capture_context(tenant).await?;
        let mut sources = open_for_server(ServerUse::Sealing, self.0.store.seal_sources(tenant, &trace_ids).await?);
        sources.sort_by_key(|source| source.trace.seq);
        let mut taken = self.taken_run_ids(tenant, &sources).await?;
        let contents = self.waiting_contents(tenant, &trace_ids).await?;
        let hasher = ContentHasher::new(&context.content_key);
        let mut units = Vec::with_capacity(sources.len());
        for source in sources {
            let trace_id = source.trace.trace_id.clone();
            let is_silent = silent.contains(&trace_id);
            let filled = fill_source(&hasher, &source, &contents);
            match self.seal_unit(&context, &source, &filled, is_silent, &mut taken) {
                Ok(unit) => units.push(unit),
                Err(error) => tracing::error!(?error, %trace_id, %tenant, "this trace cannot be sealed"),
            }
        }
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
        Ok(sealed)
    }

    /// The runs that exist under the names that the traces want, by name.
    async fn taken_run_ids(
        &self,
        tenant: &TenantId,
        sources: &[SealSource],
    ) -> Result<HashMap<RunId, Option<TraceId>>> {
        let wanted: Vec<RunId> = sources.iter().map(wanted_or_default).collect();
        let found = self.0.store.runs_by_run_id(&sealer_scope(tenant), &wanted).await?;
        let found: HashMap<RunId, StoredRun> = open_for_server(ServerUse::Sealing, found);
        Ok(found.into_iter().map(|(run_id, run)| (run_id, run.trace_id.clone())).collect())
    }

    /// The seal of a trace as it is on record, and the run of the trace as it is with content that came as log events.
    fn seal_unit(
        &self,
        context: &CaptureContext,
        source: &SealSource,
        filled: &SealSource,
        is_silent: bool,
        taken: &mut HashMap<RunId, Option<TraceId>>,
    ) -> Result<AppendUnit> {
        let trace_id = source.trace.trace_id.clone();
        let wanted = wanted_or_default(source);
        let is_taken = taken.get(&wanted).is_some_and(|by| by.as_ref() != Some(&trace_id));
        let (run_id, conflicting_run_id) =
            if is_taken { (RunId::parse(trace_id.as_str())?, Some(wanted)) } else { (wanted, None) };
        taken.insert(run_id.clone(), Some(trace_id.clone()));
        let options = SealOptions {
            status: is_silent.then_some(ExecutionStatus::Timeout),
            reason: is_silent.then(|| "no step and no end for longer than trace.timeout".to_owned()),
            ended_at: None,
            metadata: None,
            run: None,
            run_id,
            conflicting_run_id,
        };
        let root_hash = behaviour::root(source.steps.iter().map(|(step, _)| step))?;
        let (records, _) = self.new_seal(seal::seal(context, filled, root_hash, options)?)?;
        Ok(AppendUnit {
            is_atomic: true,
            guard: Some(SealGuard { trace_id, version: source.version }),
            ..AppendUnit::evidence(source.trace.tenant_id.clone(), records)
        })
    }
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
