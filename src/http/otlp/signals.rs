//! What is particular to traces, metrics and logs: which use case takes them, and how its outcome is told.

use futures_util::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

use super::super::backend::Backend;
use super::super::metrics;
use crate::domain::scope::Scope;
use crate::error::Result;
use crate::facade::capture::{IngestReport, Signal, SignalReport};

/// What an exporter is told beside "taken".
pub struct Partial {
    /// How much was rejected.
    pub rejected: i64,
    /// Why, or what else there is to say.
    pub message: String,
}

/// A request that is exported to us.
pub trait Exported: Signal + Send + 'static {
    /// Its answer.
    type Response: Message;
    /// The name of the number of rejected items in JSON.
    const REJECTED: &'static str;
    /// Hands it to its use case and counts the outcome; `None` when there is nothing to say.
    fn ingest(backend: &dyn Backend, scope: Scope, request: Self) -> BoxFuture<'_, Result<Option<Partial>>>;
    /// The answer.
    fn response(partial: Option<Partial>) -> Self::Response;
}

/// What the protocol repeats for each signal, under names of its own.
macro_rules! exported {
    ($request:ty, $response:ident, $partial:ident, $rejected:ident as $rejected_in_json:literal, $ingest:ident, $tell:expr) => {
        impl Exported for $request {
            type Response = $response;
            const REJECTED: &'static str = $rejected_in_json;

            fn ingest(backend: &dyn Backend, scope: Scope, request: Self) -> BoxFuture<'_, Result<Option<Partial>>> {
                backend.$ingest(scope, request).map_ok($tell).boxed()
            }

            fn response(partial: Option<Partial>) -> $response {
                let told = |Partial { rejected, message }| $partial { $rejected: rejected, error_message: message };
                $response { partial_success: partial.map(told) }
            }
        }
    };
}

exported!(
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    ExportTracePartialSuccess,
    rejected_spans as "rejectedSpans",
    ingest_otlp,
    |report| tell_spans(&report)
);
exported!(
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    ExportMetricsPartialSuccess,
    rejected_data_points as "rejectedDataPoints",
    ingest_metrics,
    |report| tell_signal("runledger_otlp_points_total", report)
);
exported!(
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    ExportLogsPartialSuccess,
    rejected_log_records as "rejectedLogRecords",
    ingest_logs,
    |report| tell_signal("runledger_otlp_log_records_total", report)
);

/// Counts what became of spans; what there is to say of it.
fn tell_spans(report: &IngestReport) -> Option<Partial> {
    metrics::count_spans(report);
    let differing = (report.differing > 0).then(|| {
        format!("{} spans were on record already and differ from what was sent; the first stands", report.differing)
    });
    let messages: Vec<String> = report.message.iter().cloned().chain(differing).collect();
    (report.rejected > 0 || !messages.is_empty())
        .then(|| Partial { rejected: report.rejected, message: messages.join("; ") })
}

/// The same for points and log records.
fn tell_signal(counter: &'static str, report: SignalReport) -> Option<Partial> {
    metrics::count_signal(counter, &report);
    (report.rejected > 0).then(|| Partial { rejected: report.rejected, message: report.message.unwrap_or_default() })
}
