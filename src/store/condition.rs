//! Filters in SQL, each once.

pub(super) mod audit;

use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, DbBackend};

use super::scoped::{any_number, any_text};
use crate::domain::filter::{LlmRunFilter, NumberRange, TimeRange, TraceFilter};
use crate::domain::ids::{RunId, TenantId, TraceId};
use crate::domain::page::AsOf;
use crate::domain::system::SystemRecordFilter;
use crate::domain::vocabulary::{ActorType, SystemCausedBy, SystemComponent, SystemEventType, SystemSeverity};
use crate::domain::vocabulary::{ExecutionStatus, RecordSource, TraceStatus};
use crate::entity::{llm_run, llm_run_tag, system_record, trace, trace_seal, trace_state};
use crate::error::Result;

/// How long a run took; null while its end is unknown.
const DURATION: &str = "(\"llm_run\".\"completed_at\" - \"llm_run\".\"started_at\")";

/// Conditions that all must hold, on one database.
struct All {
    backend: DbBackend,
    condition: Condition,
}

impl All {
    fn new(backend: DbBackend) -> Self {
        Self { backend, condition: Condition::all() }
    }

    fn and(&mut self, condition: impl Into<SimpleExpr>) {
        self.condition = std::mem::replace(&mut self.condition, Condition::all()).add(condition.into());
    }

    /// The record was there as of a moment.
    fn seq_below(&mut self, column: impl ColumnTrait, as_of: AsOf) {
        self.and(column.lt(as_of.size));
    }

    /// The column has any of these words.
    fn any<T>(&mut self, column: impl ColumnTrait, values: Option<&Vec<T>>, word: impl Fn(&T) -> &str) -> Result<()> {
        if let Some(values) = values {
            self.and(any_text(self.backend, column.into_expr(), values.iter().map(word))?);
        }
        Ok(())
    }

    fn texts(&mut self, column: impl ColumnTrait, values: Option<&Vec<String>>) -> Result<()> {
        self.any(column, values, String::as_str)
    }

    fn time(&mut self, column: impl ColumnTrait, range: Option<TimeRange>) {
        let TimeRange { from, to } = range.unwrap_or_default();
        if let Some(from) = from {
            self.and(column.gte(from.as_micros()));
        }
        if let Some(to) = to {
            self.and(column.lt(to.as_micros()));
        }
    }

    fn number(&mut self, value: impl Into<SimpleExpr>, range: Option<NumberRange>) {
        let NumberRange { min, max } = range.unwrap_or_default();
        let value = value.into();
        if let Some(min) = min {
            self.and(value.clone().gte(min));
        }
        if let Some(max) = max {
            self.and(value.lte(max));
        }
    }
}

/// Which runs: the newest revision of each, as of a moment, that fit the filter.
pub(super) fn runs(
    backend: DbBackend,
    tenant: &TenantId,
    filter: &LlmRunFilter,
    as_of: Option<AsOf>,
) -> Result<Condition> {
    use llm_run::Column as C;
    let mut all = All::new(backend);
    if let Some(as_of) = as_of {
        all.and(C::Seq.lt(as_of.size));
    }
    all.and(newest_revision(tenant, as_of));
    all.any(C::RunId, filter.run_ids.as_ref(), RunId::as_str)?;
    all.any(C::TraceId, filter.trace_ids.as_ref(), TraceId::as_str)?;
    all.texts(C::Name, filter.names.as_ref())?;
    all.texts(C::AgentId, filter.agent_ids.as_ref())?;
    all.texts(C::SessionId, filter.session_ids.as_ref())?;
    all.texts(C::EndUserId, filter.end_user_ids.as_ref())?;
    all.texts(C::ServiceName, filter.service_names.as_ref())?;
    all.texts(C::Environment, filter.environments.as_ref())?;
    all.texts(C::Provider, filter.providers.as_ref())?;
    all.texts(C::Model, filter.models.as_ref())?;
    all.texts(C::CorrelationId, filter.correlation_ids.as_ref())?;
    all.any(C::ExecutionStatus, filter.execution_statuses.as_ref(), |word: &ExecutionStatus| word.as_str())?;
    all.any(C::Source, filter.sources.as_ref(), |word: &RecordSource| word.as_str())?;
    if let Some(tags) = &filter.tags {
        all.and(C::Seq.in_subquery(tagged(backend, tenant, tags)?));
    }
    if let Some(is_synthetic) = filter.is_synthetic {
        all.and(C::IsSynthetic.eq(is_synthetic));
    }
    all.time(C::StartedAt, filter.started_at);
    all.time(C::CompletedAt, filter.completed_at);
    all.number(C::InputTokens.into_expr(), filter.input_tokens);
    all.number(C::OutputTokens.into_expr(), filter.output_tokens);
    all.number(Expr::col((llm_run::Entity, "total_tokens")), filter.total_tokens);
    all.number(C::CostMicros.into_expr(), filter.cost_micros);
    all.number(Expr::cust(DURATION), filter.duration_us);
    Ok(all.condition)
}

/// No later revision of the tenant's run is on record, as of a moment.
pub(super) fn newest_revision(tenant: &TenantId, as_of: Option<AsOf>) -> SimpleExpr {
    newer_run(tenant, "revision", "run_id", as_of).not()
}

/// No later run of the same trace is on record.
pub(super) fn newest_of_trace(tenant: &TenantId) -> SimpleExpr {
    newer_run(tenant, "seq", "trace_id", None).not()
}

/// Another run of the tenant shares `key` and has a larger `order`.
fn newer_run(tenant: &TenantId, order: &'static str, key: &'static str, as_of: Option<AsOf>) -> SimpleExpr {
    let newer = |column: &'static str| Expr::col(("newer", column));
    let this = |column: &'static str| Expr::col((llm_run::Entity, Alias::new(column)));
    let mut select = Query::select()
        .expr(Expr::cust("1"))
        .from_as(llm_run::Entity, "newer")
        .and_where(newer("tenant_id").eq(tenant.as_str()))
        .and_where(newer(key).eq(this(key)))
        .and_where(newer(order).gt(this(order)))
        // The offset keeps PostgreSQL from making this a join, which it does badly without statistics: it is one look
        // into an index for each row that is read.
        .limit(1)
        .offset(0)
        .take();
    if let Some(as_of) = as_of {
        select.and_where(newer("seq").lt(as_of.size));
    }
    Expr::exists(select)
}

/// The seqs of runs that carry one of the tags.
fn tagged(backend: DbBackend, tenant: &TenantId, tags: &[String]) -> Result<SelectStatement> {
    use llm_run_tag::Column as C;
    let tags = any_text(backend, C::Tag.into_expr(), tags.iter().map(String::as_str))?;
    Ok(Query::select()
        .column(C::Seq)
        .from(llm_run_tag::Entity)
        .and_where(C::TenantId.eq(tenant.as_str()))
        .and_where(tags)
        .take())
}

/// Which traces, as of a moment.
pub(super) fn traces(
    backend: DbBackend,
    tenant: &TenantId,
    filter: &TraceFilter,
    as_of: Option<AsOf>,
) -> Result<Condition> {
    use trace::Column as C;
    let mut all = All::new(backend);
    if let Some(as_of) = as_of {
        all.and(C::Seq.lt(as_of.size));
    }
    all.any(C::TraceId, filter.trace_ids.as_ref(), TraceId::as_str)?;
    all.texts(C::AgentId, filter.agent_ids.as_ref())?;
    all.texts(C::PlanHash, filter.plan_hashes.as_ref())?;
    all.texts(C::ServiceName, filter.service_names.as_ref())?;
    if let Some(seeds) = &filter.seeds {
        all.and(any_number(backend, C::Seed.into_expr(), seeds)?);
    }
    all.time(C::StartedAt, filter.started_at);
    if selects_running(filter, as_of) {
        all.and(C::TraceId.in_subquery(unsealed(tenant)));
    } else if let Some(statuses) = &filter.statuses {
        all.condition = all.condition.add(any_status(backend, tenant, statuses, as_of)?);
    }
    Ok(all.condition)
}

/// Whether the filter selects traces that run now, and no others.
pub(super) fn selects_running(filter: &TraceFilter, as_of: Option<AsOf>) -> bool {
    as_of.is_none() && filter.statuses.as_deref() == Some(&[TraceStatus::Running])
}

/// Traces without a seal, found by their own index however few they are.
fn unsealed(tenant: &TenantId) -> SelectStatement {
    use trace_state::Column as C;
    Query::select()
        .column(C::TraceId)
        .from(trace_state::Entity)
        .and_where(C::TenantId.eq(tenant.as_str()))
        // Written out, not bound: the index holds these rows only.
        .and_where(Expr::cust("\"trace_state\".\"sealed_revision\" = 0"))
        .take()
}

/// The newest seal says one of these, or there is none and RUNNING is among them.
fn any_status(
    backend: DbBackend,
    tenant: &TenantId,
    statuses: &[TraceStatus],
    as_of: Option<AsOf>,
) -> Result<Condition> {
    let sealed = ExecutionStatus::ALL.iter().filter(|status| statuses.contains(&TraceStatus::from(**status)));
    let words = sealed.map(|status| status.as_str());
    let mut any = Condition::any().add(any_text(backend, newest_seal(tenant, "status", as_of), words)?);
    if statuses.contains(&TraceStatus::Running) {
        any = any.add(newest_seal(tenant, "status", as_of).is_null());
    }
    Ok(any)
}

/// A column of the trace's newest seal as of a moment; null without a seal.
pub(super) fn newest_seal(tenant: &TenantId, column: &'static str, as_of: Option<AsOf>) -> SimpleExpr {
    let newest = |column: &'static str| Expr::col(("newest", column));
    let mut select = Query::select()
        .expr(newest(column))
        .from_as(trace_seal::Entity, "newest")
        .and_where(newest("tenant_id").eq(tenant.as_str()))
        .and_where(newest("trace_id").equals((trace::Entity, trace::Column::TraceId)))
        .order_by_expr(newest("revision"), Order::Desc)
        .limit(1)
        .take();
    if let Some(as_of) = as_of {
        select.and_where(newest("seq").lt(as_of.size));
    }
    SimpleExpr::SubQuery(None, Box::new(select.into()))
}

/// Which system records of one log, as of a moment.
pub(super) fn system_records(
    backend: DbBackend,
    filter: &SystemRecordFilter,
    as_of: Option<AsOf>,
) -> Result<Condition> {
    use system_record::Column as C;
    let mut all = All::new(backend);
    if let Some(as_of) = as_of {
        all.and(C::Seq.lt(as_of.size));
    }
    all.any(C::Component, filter.components.as_ref(), |word: &SystemComponent| word.as_str())?;
    all.any(C::EventType, filter.event_types.as_ref(), |word: &SystemEventType| word.as_str())?;
    all.any(C::Severity, filter.severities.as_ref(), |word: &SystemSeverity| word.as_str())?;
    all.any(C::CausedBy, filter.caused_by.as_ref(), |word: &SystemCausedBy| word.as_str())?;
    all.any(C::ActorType, filter.actor_types.as_ref(), |word: &ActorType| word.as_str())?;
    all.texts(C::ActorId, filter.actor_ids.as_ref())?;
    all.texts(C::CorrelationId, filter.correlation_ids.as_ref())?;
    all.texts(C::ServiceName, filter.service_names.as_ref())?;
    all.texts(C::ServiceInstanceId, filter.service_instance_ids.as_ref())?;
    all.texts(C::SourceComponent, filter.source_components.as_ref())?;
    all.time(C::OccurredAt, filter.occurred_at);
    Ok(all.condition)
}
