//! Filters and orders as arguments, and their way into the domain. Each list of values and each text is bounded.

mod ranges;

pub(in crate::graphql) use ranges::range;
pub use ranges::{DecimalRange, SafeIntRange, TimeRange};

use async_graphql::{ID, InputObject};

use crate::domain::filter;
use crate::domain::ids::{RunId, TraceId};
use crate::domain::page::Direction;
use crate::error::{Error, Result};
use crate::graphql::shared::enums::{
    ExecutionStatus, LlmRunOrderField, OrderDirection, RecordSource, TraceOrderField, TraceStatus, Word,
};
use crate::graphql::shared::scalars::BigInt;

/// Most values of one list.
pub const VALUES_MAX: usize = 200;
/// Most bytes of one text.
pub const TEXT_BYTES_MAX: usize = 512;

/// Which LLM runs. Every field that is given must fit; a list fits when any of its values does, and an empty list fits
/// nothing. Lists hold at most 200 values.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct LlmRunFilter {
    /// Runs with any of these names within the tenant.
    run_id: Option<Vec<ID>>,
    /// Runs made from any of these traces.
    trace_id: Option<Vec<ID>>,
    /// Runs with any of these readable names.
    name: Option<Vec<String>>,
    /// Runs of any of these agents.
    agent_id: Option<Vec<String>>,
    /// Runs of any of these conversations or sessions.
    session_id: Option<Vec<String>>,
    /// Runs that served any of these end users.
    end_user_id: Option<Vec<String>>,
    /// Runs that carry at least one of these labels.
    tags: Option<Vec<String>>,
    /// Runs of any of these services (OpenTelemetry service.name).
    service_name: Option<Vec<String>>,
    /// Runs in any of these environments, for example "production".
    environment: Option<Vec<String>>,
    /// Runs with any of these providers, for example "openai".
    provider: Option<Vec<String>>,
    /// Runs with any of these models, for example "gpt-4o".
    model: Option<Vec<String>>,
    /// Runs that ended in any of these ways.
    execution_status: Option<Vec<ExecutionStatus>>,
    /// Runs that any of these brought to the ledger.
    source: Option<Vec<RecordSource>>,
    /// True for test data only, false for real runs only.
    is_synthetic: Option<bool>,
    /// Runs with any of these ids for cross-reference.
    correlation_id: Option<Vec<String>>,
    /// Runs that began in this range.
    started_at: Option<TimeRange>,
    /// Runs that ended in this range.
    completed_at: Option<TimeRange>,
    /// Runs whose number of input tokens lies in this range.
    input_tokens: Option<SafeIntRange>,
    /// Runs whose number of output tokens lies in this range.
    output_tokens: Option<SafeIntRange>,
    /// Runs whose input and output tokens together lie in this range.
    total_tokens: Option<SafeIntRange>,
    /// Runs whose known cost in US dollars lies in this range; at most six decimal places.
    cost_usd: Option<DecimalRange>,
    /// Runs whose duration in whole milliseconds lies in this range.
    duration_ms: Option<SafeIntRange>,
}

/// An order of LLM runs. Without one they come newest first, by sequence.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct LlmRunOrder {
    /// What to order by.
    #[graphql(default_with = "Word(filter::LlmRunSort::Seq)")]
    field: LlmRunOrderField,
    /// Which way round.
    #[graphql(default_with = "Word(Direction::Desc)")]
    direction: OrderDirection,
}

/// Which traces. Every field that is given must fit; a list fits when any of its values does, and an empty list fits
/// nothing. Lists hold at most 200 values.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct TraceFilter {
    /// Traces with any of these names within the tenant.
    trace_id: Option<Vec<ID>>,
    /// Traces that stand in any of these ways; RUNNING finds work that is under way.
    status: Option<Vec<TraceStatus>>,
    /// Traces of any of these agents.
    agent_id: Option<Vec<String>>,
    /// Traces that carry out any of these plans, by the caller's hash of the plan.
    plan_hash: Option<Vec<String>>,
    /// Traces that ran with any of these random seeds.
    seed: Option<Vec<BigInt>>,
    /// Traces that began in this range.
    started_at: Option<TimeRange>,
    /// Traces of any of these services (OpenTelemetry service.name).
    service_name: Option<Vec<String>>,
}

/// An order of traces. Without one they come newest first, by sequence.
#[derive(Clone, Debug, PartialEq, Eq, InputObject)]
pub struct TraceOrder {
    /// What to order by.
    #[graphql(default_with = "Word(filter::TraceSort::Seq)")]
    field: TraceOrderField,
    /// Which way round.
    #[graphql(default_with = "Word(Direction::Desc)")]
    direction: OrderDirection,
}

impl LlmRunFilter {
    /// The domain's filter.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` for a list or text that is too long, `BAD_USER_INPUT` for a value that cannot be; both name it.
    pub fn to_domain(&self) -> Result<filter::LlmRunFilter> {
        Ok(filter::LlmRunFilter {
            run_ids: ids("filter.runId", self.run_id.as_deref(), RunId::parse)?,
            trace_ids: ids("filter.traceId", self.trace_id.as_deref(), TraceId::parse)?,
            names: texts("filter.name", self.name.as_ref())?,
            agent_ids: texts("filter.agentId", self.agent_id.as_ref())?,
            session_ids: texts("filter.sessionId", self.session_id.as_ref())?,
            end_user_ids: texts("filter.endUserId", self.end_user_id.as_ref())?,
            tags: texts("filter.tags", self.tags.as_ref())?,
            service_names: texts("filter.serviceName", self.service_name.as_ref())?,
            environments: texts("filter.environment", self.environment.as_ref())?,
            providers: texts("filter.provider", self.provider.as_ref())?,
            models: texts("filter.model", self.model.as_ref())?,
            execution_statuses: values("filter.executionStatus", self.execution_status.as_ref())?,
            sources: values("filter.source", self.source.as_ref())?,
            is_synthetic: self.is_synthetic,
            correlation_ids: texts("filter.correlationId", self.correlation_id.as_ref())?,
            started_at: range("filter.startedAt", self.started_at.as_ref(), TimeRange::to_domain)?,
            completed_at: range("filter.completedAt", self.completed_at.as_ref(), TimeRange::to_domain)?,
            input_tokens: range("filter.inputTokens", self.input_tokens.as_ref(), SafeIntRange::to_domain)?,
            output_tokens: range("filter.outputTokens", self.output_tokens.as_ref(), SafeIntRange::to_domain)?,
            total_tokens: range("filter.totalTokens", self.total_tokens.as_ref(), SafeIntRange::to_domain)?,
            cost_micros: range("filter.costUsd", self.cost_usd.as_ref(), DecimalRange::to_micros)?,
            duration_us: range("filter.durationMs", self.duration_ms.as_ref(), SafeIntRange::millis_to_micros)?,
        })
    }
}

impl TraceFilter {
    /// The domain's filter.
    ///
    /// # Errors
    /// As [`LlmRunFilter::to_domain`].
    pub fn to_domain(&self) -> Result<filter::TraceFilter> {
        Ok(filter::TraceFilter {
            trace_ids: ids("filter.traceId", self.trace_id.as_deref(), TraceId::parse)?,
            statuses: values("filter.status", self.status.as_ref())?,
            agent_ids: texts("filter.agentId", self.agent_id.as_ref())?,
            plan_hashes: texts("filter.planHash", self.plan_hash.as_ref())?,
            seeds: self
                .seed
                .as_ref()
                .map(|seeds| checked("filter.seed", seeds))
                .transpose()?
                .map(|seeds| seeds.iter().map(|seed| seed.0).collect()),
            started_at: range("filter.startedAt", self.started_at.as_ref(), TimeRange::to_domain)?,
            service_names: texts("filter.serviceName", self.service_name.as_ref())?,
        })
    }
}

impl LlmRunOrder {
    /// The domain's order; newest first where none is given.
    #[must_use]
    pub fn to_domain(order: Option<&Self>) -> filter::LlmRunOrder {
        order.map_or_else(filter::LlmRunOrder::default, |order| filter::LlmRunOrder {
            sort: order.field.into(),
            direction: order.direction.into(),
        })
    }
}

impl TraceOrder {
    /// The domain's order; newest first where none is given.
    #[must_use]
    pub fn to_domain(order: Option<&Self>) -> filter::TraceOrder {
        order.map_or_else(filter::TraceOrder::default, |order| filter::TraceOrder {
            sort: order.field.into(),
            direction: order.direction.into(),
        })
    }
}

/// Checks the length of a list of values.
///
/// # Errors
/// `LIMIT_EXCEEDED` beyond [`VALUES_MAX`].
pub fn checked<'a, T>(field: &str, values: &'a [T]) -> Result<&'a [T]> {
    if values.len() > VALUES_MAX {
        let message = format!("{field} holds at most {VALUES_MAX} values, got {}", values.len());
        return Err(Error::limit(message, VALUES_MAX as u64, Some(values.len() as u64)));
    }
    Ok(values)
}

/// The domain's values of a list.
pub(in crate::graphql) fn values<T: Copy + Into<U>, U>(field: &str, values: Option<&Vec<T>>) -> Result<Option<Vec<U>>> {
    values.map(|values| Ok(checked(field, values)?.iter().map(|value| (*value).into()).collect())).transpose()
}

/// The texts of a list.
pub(in crate::graphql) fn texts(field: &str, texts: Option<&Vec<String>>) -> Result<Option<Vec<String>>> {
    let Some(texts) = texts else { return Ok(None) };
    for text in checked(field, texts)? {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("a text of {field} has at most {TEXT_BYTES_MAX} bytes");
            return Err(Error::limit(message, TEXT_BYTES_MAX as u64, Some(text.len() as u64)));
        }
    }
    Ok(Some(texts.clone()))
}

/// The names of a list.
pub(in crate::graphql) fn ids<T>(
    field: &str,
    ids: Option<&[ID]>,
    parse: impl Fn(String) -> Result<T>,
) -> Result<Option<Vec<T>>> {
    let Some(ids) = ids else { return Ok(None) };
    checked(field, ids)?
        .iter()
        .map(|id| parse(id.0.clone()).map_err(|error| error.at_field(field)))
        .collect::<Result<_>>()
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Detail};
    use async_graphql::{InputType, Value, value};

    fn runs(value: Value) -> LlmRunFilter {
        LlmRunFilter::parse(Some(value)).map_err(|_| ()).expect("a filter")
    }

    #[test]
    fn a_single_value_stands_for_a_list_and_ranges_keep_their_units() {
        let filter = runs(value!({
            "runId": "r1", "executionStatus": "FAILED", "costUsd": {"min": "0.5"}, "durationMs": {"min": 2, "max": 3}
        }));
        let filter = filter.to_domain().expect("valid");
        assert_eq!(filter.run_ids, Some(vec![RunId::trusted("r1")]));
        assert_eq!(filter.cost_micros, Some(filter::NumberRange { min: Some(500_000), max: None }));
        assert_eq!(filter.duration_us, Some(filter::NumberRange { min: Some(2_000), max: Some(3_999) }));
    }

    #[test]
    fn lists_and_texts_are_bounded() {
        let many: Vec<_> = (0..201).map(|i| Value::from(i.to_string())).collect();
        let error = runs(value!({"model": many})).to_domain().expect_err("too many");
        assert_eq!(
            (error.code(), error.detail()),
            (Code::LimitExceeded, &Detail::Limit { limit: 200, value: Some(201) })
        );
        let error = runs(value!({"model": ["x".repeat(513)]})).to_domain().expect_err("too long");
        assert_eq!(error.detail(), &Detail::Limit { limit: 512, value: Some(513) });
        let error = runs(value!({"runId": [""]})).to_domain().expect_err("no name");
        assert_eq!(error.detail(), &Detail::Field("filter.runId".to_owned()));
    }

    #[test]
    fn a_range_the_wrong_way_round_is_refused() {
        for (given, field, said) in [
            (
                value!({"startedAt": {"from": "2026-11-22T00:00:00Z", "to": "2026-11-21T00:00:00Z"}}),
                "filter.startedAt.to",
                "2026-11-22",
            ),
            (value!({"totalTokens": {"min": 5, "max": 4}}), "filter.totalTokens.max", "is 5"),
            (value!({"costUsd": {"min": "0.5", "max": "0.25"}}), "filter.costUsd.max", "is 0.5"),
            (value!({"durationMs": {"min": 2, "max": 1}}), "filter.durationMs.max", "is 2"),
        ] {
            let error = runs(given).to_domain().expect_err("the wrong way round");
            assert_eq!(error.detail(), &Detail::Field(field.to_owned()));
            assert!(error.message().contains(said), "{error:?}");
        }
        let instant = "2026-11-22T00:00:00Z";
        let empty = runs(value!({"startedAt": {"from": instant, "to": instant}, "inputTokens": {"min": 5, "max": 5}}));
        empty.to_domain().expect("an instant and a number");
    }

    #[test]
    fn without_an_order_the_newest_come_first() {
        assert_eq!(LlmRunOrder::to_domain(None), filter::LlmRunOrder::default());
        let order = LlmRunOrder::parse(Some(value!({}))).map_err(|_| ()).expect("defaults");
        assert_eq!(LlmRunOrder::to_domain(Some(&order)), filter::LlmRunOrder::default());
    }
}
