//! Which traces are due, and everything that sealing one needs. Operational: works across tenants.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, QueryFilter, QueryTrait, Value};

use super::Store;
use super::convert::steps::decode_step;
use super::convert::{Columns, column_list, decode_all, decode_in_turns};
use super::keytable::{KeyTable, Keys};
use super::scoped::{EveryTenant, any_text, every_tenant, scoped, scoped_statement};
use super::unread::Unread;
use crate::domain::draft::{DueTrace, SealSource};
use crate::domain::ids::{TenantId, TraceId};
use crate::domain::settle::TraceSignals;
use crate::domain::time::Timestamp;
use crate::domain::trace::TraceStep;
use crate::entity::{trace_state, trace_step};
use crate::error::Result;

/// Looks for due traces that no other process has claimed meanwhile.
const CLAIM_TRIES: usize = 4;

/// What is known of a trace for sealing, beside its evidence.
struct State {
    step_count: i64,
    signals: TraceSignals,
    seal_revision: i64,
    version: i64,
}

/// A trace that is due, and since when.
struct Due {
    tenant: TenantId,
    trace_id: String,
    due_at: i64,
}

impl Store {
    /// Claims up to `limit` due traces for this process until a lease of `lease_us` ends; no two processes get the same.
    /// A trace that is not sealed by then, or gains steps before, becomes due again.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn claim_due_traces(&self, limit: u32, lease_us: i64) -> Result<Vec<DueTrace>> {
        for _ in 0..CLAIM_TRIES {
            let due = self.due_traces(limit).await?;
            let lease_until = self.clock().now().plus_micros(lease_us);
            let mut claimed = Vec::with_capacity(due.len());
            for of_tenant in due.chunk_by(|left, right| left.tenant == right.tenant) {
                claimed.extend(self.claim(of_tenant, lease_until).await?);
            }
            // Where another process was faster with each of them, others may wait behind them.
            if !claimed.is_empty() || due.is_empty() {
                return Ok(claimed);
            }
        }
        Ok(Vec::new())
    }

    /// Traces that are due, in the order of tenants and names. Nothing is locked: whoever changes the instant first has a
    /// trace.
    async fn due_traces(&self, limit: u32) -> Result<Vec<Due>> {
        let sql = "SELECT tenant_id, trace_id, due_at FROM trace_state WHERE due_at <= $1 \
                   ORDER BY due_at, tenant_id, trace_id LIMIT $2";
        let values = [self.clock().now().as_micros().into(), i64::from(limit).into()];
        let rows = self.db().written(every_tenant(self.db(), EveryTenant::DueTraces, sql, values)).await?;
        let mut due = decode_all(&rows, "trace_state", |columns| {
            let tenant = TenantId::trusted(columns.take::<&str>()?);
            Ok(Due { tenant, trace_id: columns.take()?, due_at: columns.take()? })
        })?;
        due.sort_by(|left, right| (&left.tenant, &left.trace_id).cmp(&(&right.tenant, &right.trace_id)));
        Ok(due)
    }

    /// Claims those traces of one tenant that are still due as they were read. Rows are met in the order of their names, as
    /// the writer meets them, so that nobody waits in a ring.
    async fn claim(&self, due: &[Due], lease_until: Timestamp) -> Result<Vec<DueTrace>> {
        let Some(Due { tenant, .. }) = due.first() else { return Ok(Vec::new()) };
        let backend = self.db().backend;
        let keys = KeyTable::new()
            .texts("trace_id", due.iter().map(|one| one.trace_id.as_str()))
            .numbers("due_at", due.iter().map(|one| one.due_at));
        let sql = format!(
            "UPDATE trace_state SET due_at = $2 FROM {} WHERE trace_state.tenant_id = $1 \
             AND trace_state.trace_id = k.trace_id AND trace_state.due_at = k.due_at \
             RETURNING trace_state.trace_id, has_root, has_remote_parent, is_open, step_count",
            keys.table(backend, "k", 3)
        );
        let values = std::iter::once(lease_until.as_micros().into()).chain(keys.values(backend)?);
        let rows = self.db().written(scoped_statement(self.db(), tenant, sql, values)).await?;
        let mut claimed = decode_all(&rows, "trace_state", |columns| {
            let trace_id = TraceId::trusted(columns.take::<&str>()?);
            let (has_root, has_remote_parent): (bool, bool) = (columns.take()?, columns.take()?);
            let is_open: bool = columns.take()?;
            let is_silent = is_open || !(has_root || has_remote_parent);
            Ok(DueTrace { tenant: tenant.clone(), trace_id, is_silent, step_count: columns.take()? })
        })?;
        claimed.sort_by(|left, right| left.trace_id.cmp(&right.trace_id));
        Ok(claimed)
    }

    /// When the next trace is due, or the next claim ends; `None` when none waits. For the sealer's sleep.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn next_due_at(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT due_at FROM trace_state WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1";
        let rows = self.db().rows(every_tenant(self.db(), EveryTenant::NextDue, sql, [])).await?;
        rows.first().map(|row| Columns::of(row, "trace_state")?.field()).transpose()
    }

    /// Everything known of these traces of one tenant; a trace that does not exist is absent.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn seal_sources(&self, tenant: &TenantId, trace_ids: &[TraceId]) -> Result<Unread<Vec<SealSource>>> {
        let whole: Vec<(TraceId, usize)> = trace_ids.iter().map(|trace_id| (trace_id.clone(), 0)).collect();
        self.seal_sources_from(tenant, &whole).await
    }

    /// The same, of each trace without its first steps, which whoever asks knows already; with them where there are not as
    /// many steps as there were.
    ///
    /// # Errors
    /// As for [`Self::seal_sources`].
    pub async fn seal_sources_from(
        &self,
        tenant: &TenantId,
        traces: &[(TraceId, usize)],
    ) -> Result<Unread<Vec<SealSource>>> {
        let trace_ids: Vec<TraceId> = traces.iter().map(|(trace_id, _)| trace_id.clone()).collect();
        // The version first: steps that come while the rest is read make the guard fail, and never go unseen.
        let mut states = self.seal_states(tenant, &trace_ids).await?;
        let whole: Vec<TraceId> = traces.iter().filter(|(_, known)| *known == 0).map(|(id, _)| id.clone()).collect();
        let mut steps = self.steps_with_facts(tenant, &whole).await?;
        let runs = self.newest_runs_of_traces(tenant, &trace_ids).await?;
        let mut runs: HashMap<TraceId, _> =
            runs.into_iter().filter_map(|run| Some((run.trace_id.clone()?, run))).collect();
        let known: HashMap<&TraceId, usize> = traces.iter().map(|(trace_id, known)| (trace_id, *known)).collect();
        let mut sources = Vec::new();
        for view in self.traces_named(tenant, &trace_ids).await? {
            let trace_id = &view.trace.trace_id;
            let Some(State { step_count, signals, seal_revision, version }) = states.remove(trace_id) else { continue };
            let (first, steps) = match known.get(trace_id).copied().unwrap_or_default() {
                0 => (0, steps.remove(trace_id).unwrap_or_default()),
                known => self.steps_behind(tenant, trace_id, known, step_count).await?,
            };
            sources.push(SealSource {
                steps,
                first,
                seal_revision,
                run: runs.remove(trace_id),
                signals,
                version,
                trace: view.trace.clone(),
            });
        }
        Ok(Unread(sources))
    }

    /// The steps of a trace behind its first ones, and how many those are; all of them where that does not give as many as
    /// there are.
    async fn steps_behind(
        &self,
        tenant: &TenantId,
        trace_id: &TraceId,
        known: usize,
        step_count: i64,
    ) -> Result<(usize, Vec<(TraceStep, String)>)> {
        let from = i64::try_from(known).unwrap_or(i64::MAX);
        let values = [Value::from(trace_id.as_str()), from.into()];
        let mut steps = self.read_steps(tenant, "= $2 AND s.step_index >= $3", values.into()).await?;
        let steps = steps.remove(trace_id).unwrap_or_default();
        if i64::try_from(known + steps.len()).is_ok_and(|count| count >= step_count) {
            return Ok((known, steps));
        }
        let mut steps = self.steps_with_facts(tenant, std::slice::from_ref(trace_id)).await?;
        Ok((0, steps.remove(trace_id).unwrap_or_default()))
    }

    async fn seal_states(&self, tenant: &TenantId, trace_ids: &[TraceId]) -> Result<HashMap<TraceId, State>> {
        use trace_state::Column as C;
        let names = trace_ids.iter().map(TraceId::as_str);
        let select =
            scoped::<trace_state::Entity>(tenant).filter(any_text(self.db().backend, C::TraceId.into_expr(), names)?);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let states = decode_all(&rows, "trace_state", |columns| {
            columns.skip(1);
            let trace_id = TraceId::trusted(columns.take::<&str>()?);
            let step_count = columns.take()?;
            let signals = TraceSignals {
                has_root: columns.take()?,
                has_remote_parent: columns.take()?,
                has_llm_work: columns.take()?,
                is_open: columns.take()?,
            };
            let seal_revision = columns.take()?;
            columns.skip(2);
            Ok((trace_id, State { step_count, signals, seal_revision, version: columns.take()? }))
        })?;
        Ok(states.into_iter().collect())
    }

    async fn steps_with_facts(
        &self,
        tenant: &TenantId,
        trace_ids: &[TraceId],
    ) -> Result<HashMap<TraceId, Vec<(TraceStep, String)>>> {
        if trace_ids.is_empty() {
            return Ok(HashMap::new());
        }
        let backend = self.db().backend;
        let names = Keys::texts(trace_ids.iter().map(TraceId::as_str));
        self.read_steps(tenant, &names.among(backend, "$2"), vec![names.value(backend)?]).await
    }

    /// Steps with their facts, trace by trace, of the traces whose name fits `wanted`.
    async fn read_steps(
        &self,
        tenant: &TenantId,
        wanted: &str,
        values: Vec<Value>,
    ) -> Result<HashMap<TraceId, Vec<(TraceStep, String)>>> {
        let sql = format!(
            "SELECT {}, f.facts FROM trace_step s LEFT JOIN step_fact f \
             ON f.tenant_id = $1 AND f.trace_id = s.trace_id AND f.span_id = s.span_id \
             WHERE s.tenant_id = $1 AND s.trace_id {wanted} ORDER BY s.trace_id, s.step_index",
            column_list::<trace_step::Entity>("s")
        );
        let rows = self.db().rows(scoped_statement(self.db(), tenant, sql, values)).await?;
        let decoded = decode_in_turns(rows, "trace_step", |columns| {
            let step = decode_step(columns, tenant)?.step.record;
            Ok((step, columns.take::<Option<String>>()?.unwrap_or_default()))
        });
        let mut steps: HashMap<TraceId, Vec<(TraceStep, String)>> = HashMap::new();
        for (step, facts) in decoded.await? {
            steps.entry(step.trace_id.clone()).or_default().push((step, facts));
        }
        Ok(steps)
    }
}
