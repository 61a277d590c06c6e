//! OTLP metrics. Acknowledged means that the samples are committed.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use prost::Message as _;

use super::super::LogsFacade;
use crate::capture::otlp::metrics::{PointTimes, map_metrics};
use crate::domain::scope::Permission;
use crate::domain::time::MICROS_PER_SECOND;
use crate::error::{Error, Result};

/// How far the clocks of services may run ahead, in microseconds.
const AHEAD_US: i64 = 3_600 * MICROS_PER_SECOND;
/// Reasons that an answer names.
const REASONS_SHOWN: usize = 3;

/// What became of an OTLP request of metrics or logs. Everything accepted is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalReport {
    /// What is on record now.
    pub accepted: i64,
    /// What is not kept, by design.
    pub dropped: i64,
    /// What was digested and not kept itself: message content.
    pub digested: i64,
    /// What cannot be recorded.
    pub rejected: i64,
    /// Why, for the exporter's log: the first few reasons.
    pub message: Option<String>,
}

impl SignalReport {
    /// Counts what was rejected; the most frequent reasons are named.
    pub(super) fn reject(&mut self, rejected: HashMap<String, i64>) {
        let mut reasons: Vec<(String, i64)> = rejected.into_iter().collect();
        reasons.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        self.rejected += reasons.iter().map(|(_, count)| count).sum::<i64>();
        let shown: Vec<String> = reasons.into_iter().take(REASONS_SHOWN).map(|(reason, _)| reason).collect();
        if !shown.is_empty() {
            self.message = Some(shown.join("; "));
        }
    }
}

impl LogsFacade {
    /// Keeps the samples of an OTLP request, beside the ledger.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:write`; `UNAVAILABLE` with a time to wait while as many requests as may be are written.
    pub async fn ingest_otlp_metrics(&self, request: ExportMetricsServiceRequest) -> Result<SignalReport> {
        self.require(Permission::RunsWrite)?;
        let now = self.logs.0.clock.now();
        let times = PointTimes {
            from: now.plus_micros(-self.logs.0.config.telemetry_retention_us),
            to: now.plus_micros(AHEAD_US),
        };
        let bytes = request.encoded_len();
        let draft = self
            .logs
            .0
            .capturing
            .aside
            .capture(&self.scope.tenant, bytes, move || map_metrics(&request, times))
            .await?;
        let busy = |_| Error::unavailable("other metrics are being written; send them again", 1_000);
        let _permit = self.logs.0.capturing.metric_writes.try_acquire().map_err(busy)?;
        if !draft.samples.is_empty() {
            self.store().write_metric_samples(&self.scope.tenant, &draft.samples).await?;
        }
        let accepted = i64::try_from(draft.samples.len()).unwrap_or(i64::MAX);
        let mut report = SignalReport { accepted, dropped: draft.empty, ..SignalReport::default() };
        report.reject(draft.rejected);
        Ok(report)
    }
}
