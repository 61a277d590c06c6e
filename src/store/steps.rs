//! Reads of steps and payloads.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Statement, Value};

use super::Store;
use super::convert::steps::decode_step;
use super::convert::{decode_all, decode_in_turns};
use super::keytable::Keys;
use super::paginate::ChildPages;
use super::scoped::{any_id, any_text, scoped};
use super::unread::Unread;
use crate::domain::ids::{RecordId, TenantId, TraceId};
use crate::domain::page::{Page, PageRequest, Position, Row};
use crate::domain::payload::PayloadPart;
use crate::domain::scope::Scope;
use crate::domain::trace::{IdempotencyHit, StepFilter, StepGroup, StoredStep};
use crate::entity::{payload, trace_state, trace_step};
use crate::error::Result;

const TABLE: &str = "trace_step";

/// Kinds and statuses as values for `$3` and `$4`, and the condition with them; the text has four shapes at most.
fn step_condition(store: &Store, filter: &StepFilter) -> Result<(String, [Value; 2])> {
    let backend = store.db().backend;
    let kinds = Keys::texts(filter.kinds.iter().map(|kind| kind.as_str()));
    let statuses = Keys::texts(filter.statuses.iter().map(|status| status.as_str()));
    let mut condition = String::new();
    let mut any = |column: &str, keys: &Keys, parameter: &str, is_wanted: bool| {
        if is_wanted {
            condition.push_str(&format!(" AND c.{column} {}", keys.among(backend, parameter)));
        } else if backend == sea_orm::DbBackend::Postgres {
            // PostgreSQL refuses a parameter whose type nothing tells.
            condition.push_str(&format!(" AND {parameter}::text[] IS NOT NULL"));
        }
    };
    any("kind", &kinds, "$3", !filter.kinds.is_empty());
    any("status", &statuses, "$4", !filter.statuses.is_empty());
    Ok((condition, [kinds.value(backend)?, statuses.value(backend)?]))
}

impl Store {
    /// A page of steps of each trace, in order of step_index; one statement for all traces. A position's key is the
    /// step_index. Every trace that was asked for is in the answer.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer, `INTERNAL` for a corrupt row.
    pub async fn steps_by_trace_id(
        &self,
        scope: &Scope,
        trace_ids: &[TraceId],
        filter: &StepFilter,
        page: &PageRequest,
    ) -> Result<Unread<HashMap<TraceId, Page<Arc<StoredStep>>>>> {
        let rows = self.db().rows(self.select_steps(&scope.tenant, trace_ids, filter, page)?).await?;
        let expected = (rows.len() / trace_ids.len().max(1)).saturating_add(1);
        let mut steps: HashMap<TraceId, Vec<Row<Arc<StoredStep>>>> =
            trace_ids.iter().map(|trace_id| (trace_id.clone(), Vec::with_capacity(expected))).collect();
        for step in decode_in_turns(rows, TABLE, |row| decode_step(row, &scope.tenant)).await? {
            if let Some(steps) = steps.get_mut(&step.trace_id) {
                let position = Position { key: step.step_index, seq: step.seq };
                // Shared from here on: a step is large, and lists hand it around.
                steps.push(Row { position, item: Arc::new(step) });
            }
        }
        Ok(Unread(steps.into_iter().map(|(trace_id, rows)| (trace_id, page.page(rows))).collect()))
    }

    /// The query of a page of steps of each trace.
    pub(super) fn select_steps(
        &self,
        tenant: &TenantId,
        trace_ids: &[TraceId],
        filter: &StepFilter,
        page: &PageRequest,
    ) -> Result<Statement> {
        let (condition, values) = step_condition(self, filter)?;
        let pages = ChildPages {
            table: TABLE,
            parent: "trace_id",
            order: "step_index",
            condition: &condition,
            values,
            is_descending: page.is_backward,
            from: page.after.map_or(0, |after| after.key.saturating_add(1)),
            to: page.before.map_or(i64::MAX, |before| before.key.saturating_sub(1)),
            limit: u64::from(page.size) + 1,
        };
        pages.statement::<trace_step::Entity>(self.db(), tenant, trace_ids.iter().map(TraceId::as_str))
    }

    /// How many steps of each trace the filter selects; exact. A trace without any is absent.
    ///
    /// # Errors
    /// As for [`Self::steps_by_trace_id`].
    pub async fn count_steps_by_trace_id(
        &self,
        scope: &Scope,
        trace_ids: &[TraceId],
        filter: &StepFilter,
    ) -> Result<Unread<HashMap<TraceId, i64>>> {
        let backend = self.db().backend;
        let names = || trace_ids.iter().map(TraceId::as_str);
        let statement = if filter == &StepFilter::default() {
            use trace_state::Column as C;
            let select = scoped::<trace_state::Entity>(&scope.tenant).filter(any_text(
                backend,
                C::TraceId.into_expr(),
                names(),
            )?);
            select.select_only().columns([C::TraceId, C::StepCount]).build(backend)
        } else {
            use trace_step::Column as C;
            let mut select =
                scoped::<trace_step::Entity>(&scope.tenant).filter(any_text(backend, C::TraceId.into_expr(), names())?);
            if !filter.kinds.is_empty() {
                let kinds = filter.kinds.iter().map(|kind| kind.as_str());
                select = select.filter(any_text(backend, C::Kind.into_expr(), kinds)?);
            }
            if !filter.statuses.is_empty() {
                let statuses = filter.statuses.iter().map(|status| status.as_str());
                select = select.filter(any_text(backend, C::Status.into_expr(), statuses)?);
            }
            select.select_only().column(C::TraceId).expr(Expr::cust("COUNT(*)")).group_by(C::TraceId).build(backend)
        };
        let counts = decode_all(&self.db().rows(statement).await?, TABLE, |columns| {
            Ok((TraceId::trusted(columns.take::<&str>()?), columns.take()?))
        })?;
        Ok(Unread(counts.into_iter().collect()))
    }

    /// Steps by record id.
    ///
    /// # Errors
    /// As for [`Self::steps_by_trace_id`].
    pub async fn steps_by_id(&self, scope: &Scope, ids: &[RecordId]) -> Result<Unread<HashMap<RecordId, StoredStep>>> {
        let wanted = any_id(self.db().backend, trace_step::Column::Id.into_expr(), ids)?;
        let select = scoped::<trace_step::Entity>(&scope.tenant).filter(wanted);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let steps = decode_in_turns(rows, TABLE, |columns| decode_step(columns, &scope.tenant)).await?;
        Ok(Unread(steps.into_iter().map(|step| (step.id, step)).collect()))
    }

    /// Steps of each trace, grouped by kind and status, in the order of their texts.
    ///
    /// # Errors
    /// As for [`Self::steps_by_trace_id`].
    pub async fn step_groups_by_trace_id(
        &self,
        scope: &Scope,
        trace_ids: &[TraceId],
    ) -> Result<Unread<HashMap<TraceId, Vec<StepGroup>>>> {
        use trace_step::Column as C;
        let names = trace_ids.iter().map(TraceId::as_str);
        let select = scoped::<trace_step::Entity>(&scope.tenant)
            .filter(any_text(self.db().backend, C::TraceId.into_expr(), names)?)
            .select_only()
            .columns([C::TraceId, C::Kind, C::Status])
            .expr(Expr::cust("COUNT(*)"))
            .expr(Expr::cust("COUNT(CASE WHEN is_late THEN 1 END)"))
            .group_by(C::TraceId)
            .group_by(C::Kind)
            .group_by(C::Status)
            .order_by_asc(C::Kind)
            .order_by_asc(C::Status);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let groups = decode_all(&rows, TABLE, |columns| {
            let trace_id = TraceId::trusted(columns.take::<&str>()?);
            let (kind, status) = (columns.field()?, columns.field()?);
            Ok((trace_id, StepGroup { kind, status, count: columns.take()?, late: columns.take()? }))
        })?;
        let mut by_trace: HashMap<TraceId, Vec<StepGroup>> = HashMap::new();
        for (trace_id, group) in groups {
            by_trace.entry(trace_id).or_default().push(group);
        }
        Ok(Unread(by_trace))
    }

    /// The newest step with this idempotency key.
    ///
    /// # Errors
    /// As for [`Self::steps_by_trace_id`].
    pub async fn idempotency_hit(&self, scope: &Scope, key: &str) -> Result<Unread<Option<IdempotencyHit>>> {
        use trace_step::Column as C;
        let select = scoped::<trace_step::Entity>(&scope.tenant)
            .filter(any_text(self.db().backend, C::IdempotencyKey.into_expr(), [key])?)
            .order_by_desc(C::Seq)
            .limit(1);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let steps = decode_all(&rows, TABLE, |columns| decode_step(columns, &scope.tenant))?;
        Ok(Unread(steps.into_iter().next().map(|step| IdempotencyHit {
            id: step.id,
            trace_id: step.trace_id.clone(),
            step_index: step.step_index,
            status: step.status,
            output_hash: step.output_hash,
            outcome: step.outcome_category,
        })))
    }

    /// Payload texts of one part by record id; erased and absent ones are absent.
    ///
    /// # Errors
    /// As for [`Self::steps_by_trace_id`].
    pub async fn payloads_by_record_id(
        &self,
        scope: &Scope,
        part: PayloadPart,
        ids: &[RecordId],
    ) -> Result<Unread<HashMap<RecordId, String>>> {
        use payload::Column as C;
        let select = scoped::<payload::Entity>(&scope.tenant)
            .filter(any_id(self.db().backend, C::RecordId.into_expr(), ids)?)
            .filter(C::Part.eq(part.as_str()))
            .select_only()
            .columns([C::RecordId, C::Text]);
        let rows = self.db().rows(select.build(self.db().backend)).await?;
        let texts = decode_in_turns(rows, "payload", |columns| Ok((columns.id()?, columns.take()?))).await?;
        Ok(Unread(texts.into_iter().collect()))
    }
}
