//! The root of all writes. Each mutation has one input and a payload.

mod results;

pub use results::{RecordError, RecordOutcome, RecordStepResult};

use async_graphql::{Context, ID, InputObject, MergedObject, Object, SimpleObject};

use crate::domain::input;
use crate::domain::trace::TraceView;
use crate::error::{Error, Result};
use crate::facade::capture::Recorded;
use crate::graphql::audit::inputs::{AppendAuditEntriesInput, AppendAuditEntriesPayload};
use crate::graphql::incident::IncidentMutations;
use crate::graphql::key::KeyMutations;
use crate::graphql::ledger::erasure::LedgerMutations;
use crate::graphql::ledger::proofs::Receipt;
use crate::graphql::ledger::verification::{Verification, VerifyLedgerInput, VerifyLedgerPayload};
use crate::graphql::policy::PolicyMutations;
use crate::graphql::root::inputs::{
    LlmRunInput, TraceInput, TraceSealInput, TraceStepInput, idempotency, steps, trace_id, whole_steps,
};
use crate::graphql::run::LlmRun;
use crate::graphql::shared::context::ContextExt;
use crate::graphql::shared::error::ApiResult;
use crate::graphql::shared::row::Row;
use crate::graphql::system::inputs::{RecordSystemRecordsInput, RecordSystemRecordsPayload, system_records};
use crate::graphql::trace::{Trace, TraceNow};

/// What recordLlmRun takes.
#[derive(InputObject)]
pub struct RecordLlmRunInput {
    #[graphql(flatten)]
    run: LlmRunInput,
    /// The trace of the run. Follows from the run when only steps are given.
    trace: Option<TraceInput>,
    /// The steps of the run, at most 1,000. More can be recorded with startTrace and recordSteps.
    steps: Option<Vec<TraceStepInput>>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// What recordTrace takes.
#[derive(InputObject)]
pub struct RecordTraceInput {
    #[graphql(flatten)]
    trace: TraceInput,
    /// The steps of the trace, at most 1,000.
    steps: Vec<TraceStepInput>,
    /// How the trace ended. Follows from the steps when it is not given.
    seal: Option<TraceSealInput>,
    /// What you know about the run. Without it there is a run only if a step is the work of a language model.
    run: Option<LlmRunInput>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// What startTrace takes.
#[derive(InputObject)]
pub struct StartTraceInput {
    #[graphql(flatten)]
    trace: TraceInput,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// What recordSteps takes.
#[derive(InputObject)]
pub struct RecordStepsInput {
    /// The trace to add to, as traceId of a trace that was begun. An identifier: it is not redacted.
    trace_id: ID,
    /// The steps, at most 1,000. Each stands for itself: good ones are recorded, bad ones are named in the results. Only a
    /// value of another type than the schema says refuses them all, as GraphQL demands.
    steps: Vec<TraceStepInput>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// What completeTrace takes.
#[derive(InputObject)]
pub struct CompleteTraceInput {
    /// The trace to complete. An identifier: it is not redacted.
    trace_id: ID,
    #[graphql(flatten)]
    seal: TraceSealInput,
    /// What you know about the run. Without it there is a run only if a step is the work of a language model.
    run: Option<LlmRunInput>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// What abortTrace takes.
#[derive(InputObject)]
pub struct AbortTraceInput {
    /// The trace to abort. An identifier: it is not redacted.
    trace_id: ID,
    /// Why, in words. Redacted.
    reason: Option<String>,
    /// A key of your own, 1 to 128 bytes: the same input under the same key is recorded once, and gives the first answer
    /// again; any other input under it, of whatever mutation, is a CONFLICT. An identifier: it is not redacted.
    idempotency_key: Option<String>,
}

/// What recordLlmRun gives.
#[derive(SimpleObject)]
pub struct RecordLlmRunPayload {
    /// The run as it was recorded. Null with an error where something that is selected of it is not yours to read: it is on
    /// record either way.
    run: Option<Row<LlmRun>>,
    /// Its trace. Null when the run was recorded without steps.
    trace: Option<Row<Trace>>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
    /// The receipt of the run's record, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
}

/// What recordTrace gives.
#[derive(SimpleObject)]
pub struct RecordTracePayload {
    /// The trace as it was recorded. Null with an error where something that is selected of it is not yours to read: it is on
    /// record either way.
    trace: Option<Row<Trace>>,
    /// The run that was made from it. Null when it holds no work of a language model.
    run: Option<Row<LlmRun>>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
    /// The receipt of the trace's seal, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
}

/// What startTrace gives.
#[derive(SimpleObject)]
pub struct StartTracePayload {
    /// The trace as it was begun. Null with an error where something that is selected of it is not yours to read: it is on
    /// record either way.
    trace: Option<Row<Trace>>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
    /// The receipt of the trace's beginning, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
}

/// What recordSteps gives.
#[derive(SimpleObject)]
pub struct RecordStepsPayload {
    /// The trace, with its new steps. An earlier call began it, so to select it is to read it: it needs the scope runs:read,
    /// and is null with an error without it. The steps are recorded either way.
    trace: TraceNow,
    /// One result for each step, in the order of the input.
    results: Vec<RecordStepResult>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
}

/// What completeTrace gives.
#[derive(SimpleObject)]
pub struct CompleteTracePayload {
    /// The trace with its seal. An earlier call began it, so to select it is to read it: it needs the scope runs:read, and is
    /// null with an error without it. The trace is completed either way.
    trace: TraceNow,
    /// The run that was made from it. Null when it holds no work of a language model.
    run: Option<Row<LlmRun>>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
    /// The receipt of the trace's seal, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
}

/// What abortTrace gives.
#[derive(SimpleObject)]
pub struct AbortTracePayload {
    /// The trace with its seal. An earlier call began it, so to select it is to read it: it needs the scope runs:read, and is
    /// null with an error without it. The trace is aborted either way.
    trace: TraceNow,
    /// The run that was made from it. Null when it holds no work of a language model.
    run: Option<Row<LlmRun>>,
    /// Whether the idempotency key had been used before, so that this is the first answer again.
    is_replayed: bool,
    /// The receipt of the trace's seal, made when it is selected: see LedgerEntry.receipt.
    receipt: Receipt,
}

/// The trace of a write that always has one.
fn trace(recorded: &Recorded) -> Result<Row<Trace>> {
    recorded.trace.clone().map(Into::into).ok_or_else(|| Error::internal("a write of a trace gave no trace"))
}

/// The receipt of a trace's seal; of its beginning while it has none.
fn receipt(trace: &Row<Trace>) -> Receipt {
    let TraceView { trace, seal, .. } = &*trace.0.0;
    Receipt(Some(seal.as_ref().map_or(trace.id, |seal| seal.id)))
}

/// Writes. A payload is given only after its records are durable. Those that take an idempotencyKey can safely be sent
/// again.
#[derive(Default, MergedObject)]
pub struct Mutation(CaptureMutations, IncidentMutations, PolicyMutations, LedgerMutations, KeyMutations);

/// Writes of runs, traces and steps.
#[derive(Default)]
pub struct CaptureMutations;

#[Object]
impl CaptureMutations {
    /// Records a whole LLM run that has ended, with its trace and steps where there are any. Needs the scope runs:write.
    async fn record_llm_run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The run.")] input: RecordLlmRunInput,
    ) -> ApiResult<RecordLlmRunPayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let has_trace = input.trace.is_some() || input.steps.is_some();
        let trace = input.trace.map(TraceInput::into_domain).transpose().map_err(|error| error.below("trace"))?;
        let trace = trace.unwrap_or_default();
        let steps = whole_steps(input.steps.unwrap_or_default())?;
        let run = input.run.into_domain()?;
        let recorded = facade.record_llm_run(run, has_trace.then_some((trace, steps)), key).await?;
        let run = recorded.run.ok_or_else(|| Error::internal("a write of a run gave no run"))?;
        let trace = recorded.trace.map(Into::into);
        let receipt = Receipt(Some(run.id));
        Ok(RecordLlmRunPayload { run: Some(run.into()), trace, is_replayed: recorded.is_replayed, receipt })
    }

    /// Records a whole trace that has ended, and with work of a language model in it a run. Needs the scope runs:write.
    async fn record_trace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The trace.")] input: RecordTraceInput,
    ) -> ApiResult<RecordTracePayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let seal = input.seal.map_or_else(|| Ok(input::SealInput::default()), TraceSealInput::into_domain);
        let seal = seal.map_err(|error| error.below("seal"))?;
        let run = input.run.map(LlmRunInput::into_domain).transpose().map_err(|error| error.below("run"))?;
        let (begin, steps) = (input.trace.into_domain()?, whole_steps(input.steps)?);
        let recorded = facade.record_trace(begin, steps, seal, run, key).await?;
        let trace = trace(&recorded)?;
        let (receipt, run) = (receipt(&trace), recorded.run.map(Into::into));
        Ok(RecordTracePayload { trace: Some(trace), run, is_replayed: recorded.is_replayed, receipt })
    }

    /// Begins a trace that stays open for recordSteps until it is completed, aborted, or silent for too long. Needs the scope
    /// runs:write.
    async fn start_trace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The beginning of the trace.")] input: StartTraceInput,
    ) -> ApiResult<StartTracePayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let recorded = facade.start_trace(input.trace.into_domain()?, key).await?;
        let trace = trace(&recorded)?;
        Ok(StartTracePayload { receipt: receipt(&trace), trace: Some(trace), is_replayed: recorded.is_replayed })
    }

    /// Adds steps to a trace. Good ones are recorded even when others are rejected. Needs the scope runs:write.
    async fn record_steps(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The trace and its new steps.")] input: RecordStepsInput,
    ) -> ApiResult<RecordStepsPayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let trace_id = trace_id(&input.trace_id)?;
        let recorded = facade.record_steps(trace_id.clone(), steps(input.steps)?, key).await?;
        let results = recorded.results.into_iter().map(Into::into).collect();
        Ok(RecordStepsPayload { trace: TraceNow(trace_id), results, is_replayed: recorded.is_replayed })
    }

    /// Seals a trace, and with work of a language model in it records its run. Needs the scope runs:write.
    async fn complete_trace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The trace and how it ended.")] input: CompleteTraceInput,
    ) -> ApiResult<CompleteTracePayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let run = input.run.map(LlmRunInput::into_domain).transpose().map_err(|error| error.below("run"))?;
        let (trace_id, seal) = (trace_id(&input.trace_id)?, input.seal.into_domain()?);
        let recorded = facade.complete_trace(trace_id.clone(), seal, run, key).await?;
        let (receipt, run) = (Receipt(recorded.seal), recorded.run.map(Into::into));
        Ok(CompleteTracePayload { trace: TraceNow(trace_id), run, is_replayed: recorded.is_replayed, receipt })
    }

    /// Records what happened to the platform around the runs: starts, deploys, changes, errors. Good records are kept even
    /// when others are rejected. Needs the scope system:write.
    async fn record_system_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The records.")] input: RecordSystemRecordsInput,
    ) -> ApiResult<RecordSystemRecordsPayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let records = system_records(input.records)?;
        Ok(facade.record_system_records(records, input.is_platform_wide, key).await?.into())
    }

    /// Seals a trace as aborted. Needs the scope runs:write.
    async fn abort_trace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The trace and why it is aborted.")] input: AbortTraceInput,
    ) -> ApiResult<AbortTracePayload> {
        let facade = ctx.facade()?;
        let key = idempotency(&input, input.idempotency_key.as_ref())?;
        let trace_id = trace_id(&input.trace_id)?;
        let recorded = facade.abort_trace(trace_id.clone(), input.reason, key).await?;
        let (receipt, run) = (Receipt(recorded.seal), recorded.run.map(Into::into));
        Ok(AbortTracePayload { trace: TraceNow(trace_id), run, is_replayed: recorded.is_replayed, receipt })
    }

    /// Verify the tenant's logs now: every record against its entry, the tree, the signed checkpoints, the payloads. The
    /// result is kept and is an entry of the audit ledger. It goes on where this request runs out of time: look into
    /// auditIntegrity and the ledger's verifications then. Needs the scope ledger:verify.
    async fn verify_ledger(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much.")] input: VerifyLedgerInput,
    ) -> ApiResult<VerifyLedgerPayload> {
        let verifications = ctx.facade()?.verify_ledger(input.mode.into()).await?;
        let verifications = verifications.into_iter().map(|one| Some(Row(Verification(one)))).collect();
        Ok(VerifyLedgerPayload { verifications })
    }

    /// Appends entries to the audit ledger. Good ones are recorded even when others are rejected. Needs the scope
    /// audit:write.
    async fn append_audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The entries.")] input: AppendAuditEntriesInput,
    ) -> ApiResult<AppendAuditEntriesPayload> {
        AppendAuditEntriesPayload::append(ctx.facade()?, input).await
    }
}
