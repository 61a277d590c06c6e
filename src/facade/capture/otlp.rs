//! OTLP requests. Acknowledged means that the spans are committed; the run may be sealed later.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

use super::super::{Logs, LogsFacade};
use crate::capture::otlp;
use crate::domain::append::{AppendReceipt, AppendResult, AppendUnit, TraceTouch};
use crate::domain::draft::DraftTrace;
use crate::domain::ids::TenantId;
use crate::domain::record::NewRecord;
use crate::domain::scope::Permission;
use crate::error::{Code, Error, Result};

/// Steps that are handed to the writer together.
const STEPS_OF_A_UNIT: usize = 256;
/// Reasons that an answer names.
const REASONS_SHOWN: usize = 3;

/// Bodies of OTLP's signals, as [`decode_otlp`] reads them.
pub use crate::capture::otlp::Signal;

/// How an OTLP/HTTP body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OtlpEncoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// Reads an OTLP/HTTP body.
///
/// # Errors
/// `BAD_USER_INPUT` when it is not a message of that encoding; `LIMIT_EXCEEDED` when it holds more than one request may.
pub fn decode_otlp<S: Signal>(encoding: OtlpEncoding, body: &[u8]) -> Result<S> {
    decode_otlp_if(encoding, body, |_| Ok(()))
}

/// The same; `admit` is asked first whether there is room for so many bytes of memory.
///
/// # Errors
/// Those, and the one that `admit` gives.
pub fn decode_otlp_if<S: Signal>(
    encoding: OtlpEncoding,
    body: &[u8],
    admit: impl FnOnce(u64) -> Result<()>,
) -> Result<S> {
    match encoding {
        OtlpEncoding::Protobuf => otlp::decode_protobuf_if(body, admit),
        OtlpEncoding::Json => otlp::decode_json_if(body, admit),
    }
}

/// What became of an OTLP request. All accepted spans are committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// Spans that are now on record, re-exports included.
    pub accepted: i64,
    /// Of them, those that were on record before.
    pub existing: i64,
    /// Of those, the ones that differ from what is on record; the first truth stands.
    pub differing: i64,
    /// Spans that cannot be recorded.
    pub rejected: i64,
    /// Why, for the exporter's log: the first few reasons.
    pub message: Option<String>,
}

impl LogsFacade {
    /// Records the spans of an OTLP request.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `UNAVAILABLE` with a time to wait: some spans are not on record, so send the
    /// whole request again, which changes nothing for those that are.
    pub async fn ingest_otlp(&self, request: ExportTraceServiceRequest) -> Result<IngestReport> {
        self.require(Permission::RunsWrite)?;
        let context = self.capture_context().await?;
        let (mapping, bytes) = (context.clone(), request.encoded_len());
        let aside = &self.logs.0.capturing.aside;
        let mut draft = aside.capture(&self.scope.tenant, bytes, move || otlp::map_spans(&mapping, request)).await?;
        self.logs.fill_steps(&self.scope.tenant, &context, &mut draft.traces).await?;
        let mut report = IngestReport::default();
        let mut reasons = Vec::new();
        for reason in draft.rejected {
            report.reject(&mut reasons, reason);
        }
        let (logs, scope, traces) = (self.logs.clone(), Arc::clone(&self.scope), draft.traces);
        let units = aside.capture(&self.scope.tenant, bytes, move || logs.units(&scope.tenant, traces)).await??;
        let is_step = |unit: &AppendUnit| unit.records.iter().map(|new| matches!(new, NewRecord::Step(..))).collect();
        let are_steps: Vec<Vec<bool>> = units.iter().map(is_step).collect();
        for (is_step, receipt) in are_steps.iter().zip(self.logs.append_in_order(units).await) {
            report.add(is_step, receipt?, &mut reasons)?;
        }
        if !reasons.is_empty() {
            report.message = Some(reasons.join("; "));
        }
        Ok(report)
    }
}

impl Logs {
    /// Units of a bounded number of steps. Steps of one trace that are split over units each bring the trace's
    /// beginning: whichever is written first begins it.
    fn units(&self, tenant: &TenantId, traces: Vec<DraftTrace>) -> Result<Vec<AppendUnit>> {
        let empty_unit = || AppendUnit::evidence(tenant.clone(), Vec::new());
        let mut units = Vec::new();
        let mut unit = empty_unit();
        let mut steps_in_unit = 0;
        for draft in traces {
            let mut steps = draft.steps.into_iter().peekable();
            let touch = TraceTouch { trace_id: draft.trace.trace_id.clone(), signals: draft.signals };
            while steps.peek().is_some() {
                unit.records.push(self.new_trace(draft.trace.clone(), draft.payloads.clone())?);
                unit.touches.push(touch.clone());
                for mut step in steps.by_ref().take(STEPS_OF_A_UNIT - steps_in_unit) {
                    let (place, audits) = (unit.records.len(), std::mem::take(&mut step.audits));
                    unit.records.push(self.new_step(step)?);
                    for mut audit in audits {
                        // The run's name as far as it is known now; a name that comes later is found by the trace's.
                        audit.entry.run_id = Some(draft.trace.run_id.clone());
                        unit.records.push(NewRecord::Audit(self.new_audit(audit)?, Some(place)));
                    }
                    steps_in_unit += 1;
                }
                if steps_in_unit == STEPS_OF_A_UNIT {
                    units.push(std::mem::replace(&mut unit, empty_unit()));
                    steps_in_unit = 0;
                }
            }
        }
        if !unit.records.is_empty() {
            units.push(unit);
        }
        Ok(units)
    }
}

impl IngestReport {
    /// Counts the steps of a unit; a trace that exists already is the normal case.
    fn add(&mut self, is_step: &[bool], receipt: AppendReceipt, reasons: &mut Vec<String>) -> Result<()> {
        let AppendReceipt::Done(results) = receipt else {
            return Err(Error::internal("a unit without guard and idempotency key was neither written nor refused"));
        };
        for (is_step, result) in is_step.iter().zip(results) {
            match result {
                AppendResult::Rejected(error) if error.code() == Code::Unavailable => return Err(error),
                AppendResult::Rejected(error) => self.reject(reasons, error.message().to_owned()),
                _ if !is_step => {}
                AppendResult::New(_) => self.accepted += 1,
                AppendResult::Existing { differs, .. } => {
                    self.accepted += 1;
                    self.existing += 1;
                    self.differing += i64::from(differs);
                }
            }
        }
        Ok(())
    }

    fn reject(&mut self, reasons: &mut Vec<String>, reason: String) {
        self.rejected += 1;
        if reasons.len() < REASONS_SHOWN && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
}
