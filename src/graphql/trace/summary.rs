//! Sums and counts over a trace's steps.

use async_graphql::{Context, Object};

use crate::domain::ids::TraceId;
use crate::domain::trace;
use crate::domain::vocabulary;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::enums::{StepKind, StepStatus};
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::scalars::{Decimal, SafeInt};

/// See [`trace::TraceTotals`].
pub struct TraceTotals(pub trace::TraceTotals);

/// Sums over the steps of a trace, each model call counted once, however many steps report it.
#[Object]
impl TraceTotals {
    /// Model calls.
    async fn calls(&self) -> SafeInt {
        SafeInt(self.0.calls)
    }

    /// Tokens sent to models; more than 4,503,599,627,370,495 are given as so many.
    async fn input_tokens(&self) -> SafeInt {
        SafeInt(self.0.input_tokens)
    }

    /// Tokens that models produced; more than 4,503,599,627,370,495 are given as so many.
    async fn output_tokens(&self) -> SafeInt {
        SafeInt(self.0.output_tokens)
    }

    /// Input and output tokens together.
    async fn total_tokens(&self) -> SafeInt {
        SafeInt::sum(self.0.input_tokens, self.0.output_tokens)
    }

    /// What the calls cost, in US dollars with six decimal places. Null when the cost of a call is unknown, and for more than
    /// 9,007,199,254.740991.
    async fn cost_usd(&self) -> Option<Decimal> {
        self.0.cost_micros.map(Decimal::usd)
    }

    /// What the calls cost, in US cents with four decimal places. Null when the cost of a call is unknown.
    async fn cost_cents(&self) -> Option<Decimal> {
        self.0.cost_micros.map(Decimal::cents)
    }
}

/// Steps of a trace by kind and status.
pub struct TraceSummary(Vec<trace::StepGroup>);

impl TraceSummary {
    /// Reads the summary of a trace.
    ///
    /// # Errors
    /// As the facade says.
    pub async fn load(ctx: &Context<'_>, trace_id: &TraceId) -> ApiResult<Self> {
        Ok(Self(ctx.facade()?.trace_step_groups(trace_id).await?))
    }

    fn with(&self, status: vocabulary::StepStatus) -> SafeInt {
        SafeInt(self.0.iter().filter(|group| group.status == status).map(|group| group.count).sum())
    }
}

/// How the steps of a trace ended, as of now; steps that came after the seal are included.
#[Object]
impl TraceSummary {
    /// Steps that ended without an error.
    async fn succeeded(&self) -> SafeInt {
        self.with(vocabulary::StepStatus::Success)
    }

    /// Steps that ended with an error.
    async fn failed(&self) -> SafeInt {
        self.with(vocabulary::StepStatus::Failure)
    }

    /// Steps that ended with an error and were tried again.
    async fn retried(&self) -> SafeInt {
        self.with(vocabulary::StepStatus::Retry)
    }

    /// Steps that were not run.
    async fn skipped(&self) -> SafeInt {
        self.with(vocabulary::StepStatus::Skipped)
    }

    /// Steps that arrived after the trace had been sealed.
    async fn late(&self) -> SafeInt {
        SafeInt(self.0.iter().map(|group| group.late).sum())
    }

    /// Steps by kind and status. Combinations that do not occur are left out.
    async fn groups(&self) -> Vec<StepGroup> {
        self.0.iter().copied().map(StepGroup).collect()
    }
}

/// See [`trace::StepGroup`].
pub struct StepGroup(trace::StepGroup);

/// The steps of one kind that ended in one way.
#[Object]
impl StepGroup {
    /// What the steps did.
    async fn kind(&self) -> StepKind {
        self.0.kind.into()
    }

    /// How they ended.
    async fn status(&self) -> StepStatus {
        self.0.status.into()
    }

    /// How many there are.
    async fn count(&self) -> SafeInt {
        SafeInt(self.0.count)
    }

    /// How many of them arrived after the trace had been sealed.
    async fn late(&self) -> SafeInt {
        SafeInt(self.0.late)
    }
}
