//! Root fields about traces, and the comparison of two.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::domain::trace;
use crate::domain::vocabulary;
use crate::graphql::shared::connection::{Connection, PageArgs};
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{DivergenceReason, OutcomeCategory, StepStatus};
use crate::graphql::shared::error::{ApiResult, Maybe};
use crate::graphql::shared::filters::{TraceFilter, TraceOrder};
use crate::graphql::shared::row::Row;
use crate::graphql::shared::scalars::{SafeInt, Sha256};
use crate::graphql::trace::steps::TraceStep;
use crate::graphql::trace::{Trace, TraceList, TraceRef};

/// The field that gives traces: of the root and of a tenant.
pub struct TracesField;

#[Object]
impl TracesField {
    /// Traces, running ones included, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments, one by one")]
    async fn traces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which traces. All when it is not given.")] filter: Option<TraceFilter>,
        #[graphql(desc = "In which order. Newest first when it is not given.")] order_by: Option<TraceOrder>,
        #[graphql(desc = "How many traces to take from the start, 0 to 200. 50 when neither first nor last is given.")]
        first: Option<i32>,
        #[graphql(desc = "Take only traces behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many traces to take from the end, 0 to 200. Not together with first.")] last: Option<i32>,
        #[graphql(desc = "Take only traces before this cursor.")] before: Option<String>,
        #[graphql(desc = "A token from ledger.now: leave out what was recorded after it. Everything when it is not \
                          given.")]
        as_of: Option<String>,
    ) -> ApiResult<Row<Connection<TraceList>>> {
        let list = TraceList::of(filter.as_ref(), order_by.as_ref(), as_of.as_deref())?;
        list.connect(ctx, PageArgs { first, after, last, before }).await
    }
}

/// Root fields about traces.
#[derive(Default)]
pub struct TraceQueries;

#[Object]
impl TraceQueries {
    /// One trace, running or sealed. Null when there is no such trace.
    async fn trace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which trace, in one of three ways.")] by: TraceRef,
    ) -> Maybe<Row<Trace>> {
        Maybe::of(load_trace(ctx, &by).await)
    }

    #[graphql(flatten)]
    fn lists(&self) -> TracesField {
        TracesField
    }

    /// Whether two traces behaved alike: the same work with the same outcomes on the same inputs, whatever the time and
    /// the cost; and if not, where they first part.
    async fn trace_comparison(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "One trace. It is an error when there is no such trace.")] left: TraceRef,
        #[graphql(desc = "The other trace. It is an error when there is no such trace.")] right: TraceRef,
    ) -> ApiResult<TraceComparison> {
        let left = left.to_domain().map_err(|error| error.at_field("left"))?;
        let right = right.to_domain().map_err(|error| error.at_field("right"))?;
        Ok(ctx.facade()?.compare_traces(&left, &right).await?.into())
    }

    /// The step that was recorded under an idempotency key: ask before you run a step that must not run twice. Null when
    /// no step was recorded under it.
    async fn idempotency_check(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key that the step would be recorded under, 1 to 128 bytes.")] key: String,
    ) -> Maybe<IdempotencyResult> {
        Maybe::of(check_idempotency(ctx, &key).await)
    }
}

async fn load_trace(ctx: &Context<'_>, by: &TraceRef) -> ApiResult<Option<trace::StoredTrace>> {
    let facade = ctx.facade()?;
    match by.to_domain() {
        Ok(by) => Ok(facade.get_trace(&by).await?),
        Err(_) => Ok(None),
    }
}

async fn check_idempotency(ctx: &Context<'_>, key: &str) -> ApiResult<Option<IdempotencyResult>> {
    let facade = ctx.facade()?;
    crate::domain::ids::check_name("key", key)?;
    Ok(facade.idempotency_check(key).await?.map(IdempotencyResult))
}

/// How two traces compare, step by step in the order of their starts.
#[derive(SimpleObject)]
pub struct TraceComparison {
    /// Whether both behaved alike.
    parity: bool,
    /// The one trace.
    left: Row<Trace>,
    /// The other trace.
    right: Row<Trace>,
    /// Merkle root over the behaviour of the one trace's steps, as of now.
    left_root_hash: Sha256,
    /// Merkle root over the behaviour of the other trace's steps, as of now.
    right_root_hash: Sha256,
    /// Where they first part. Null when they behaved alike.
    divergence: Option<TraceDivergence>,
}

/// The first place where two traces part.
#[derive(SimpleObject)]
pub struct TraceDivergence {
    /// The place, from 0, in the order of the steps' starts.
    position: SafeInt,
    /// Why they part there.
    reason: DivergenceReason,
    /// The step of the one trace at that place. Null where that trace has ended.
    left: Option<Row<TraceStep>>,
    /// The step of the other trace at that place. Null where that trace has ended.
    right: Option<Row<TraceStep>>,
}

impl From<trace::TraceComparison> for TraceComparison {
    fn from(comparison: trace::TraceComparison) -> Self {
        Self {
            parity: comparison.divergence.is_none(),
            left: comparison.left.into(),
            right: comparison.right.into(),
            left_root_hash: comparison.left_root_hash.into(),
            right_root_hash: comparison.right_root_hash.into(),
            divergence: comparison.divergence.map(|divergence| TraceDivergence {
                position: divergence.position.into(),
                reason: divergence.reason.into(),
                left: divergence.left.map(Into::into),
                right: divergence.right.map(Into::into),
            }),
        }
    }
}

/// See [`trace::IdempotencyHit`].
pub struct IdempotencyResult(trace::IdempotencyHit);

/// What is on record under an idempotency key.
#[Object]
impl IdempotencyResult {
    /// Whether the step was run. False when it was recorded as skipped.
    async fn executed(&self) -> bool {
        self.0.status != vocabulary::StepStatus::Skipped
    }

    /// The trace that the step belongs to.
    async fn trace_id(&self) -> ID {
        ID(self.0.trace_id.to_string())
    }

    /// The step's place in its trace, from 0.
    async fn step_index(&self) -> SafeInt {
        SafeInt(self.0.step_index)
    }

    /// How the step ended.
    async fn status(&self) -> StepStatus {
        self.0.status.into()
    }

    /// Keyed digest of what came out. Null when it was not seen.
    async fn output_hash(&self) -> Option<Sha256> {
        self.0.output_hash.map(Sha256)
    }

    /// The kind of the step's outcome.
    async fn outcome(&self) -> OutcomeCategory {
        self.0.outcome.into()
    }
}
