//! What is particular to traces, metrics and logs: which use case takes them, and how its outcome is told.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
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

impl Exported for ExportTraceServiceRequest {
    type Response = ExportTraceServiceResponse;
    const REJECTED: &'static str = "rejectedSpans";

    fn ingest(backend: &dyn Backend, scope: Scope, request: Self) -> BoxFuture<'_, Result<Option<Partial>>> {
        async move {
            let report = backend.ingest_otlp(scope, request).await?;
            metrics::count_spans(&report);
            Ok(of_spans(&report))
        }
        .boxed()
    }

    fn response(partial: Option<Partial>) -> ExportTraceServiceResponse {
        let told = |partial: Partial| ExportTracePartialSuccess {
            rejected_spans: partial.rejected,
            error_message: partial.message,
        };
        ExportTraceServiceResponse { partial_success: partial.map(told) }
    }
}

impl Exported for ExportMetricsServiceRequest {
    type Response = ExportMetricsServiceResponse;
    const REJECTED: &'static str = "rejectedDataPoints";

    fn ingest(backend: &dyn Backend, scope: Scope, request: Self) -> BoxFuture<'_, Result<Option<Partial>>> {
        async move {
            let report = backend.ingest_metrics(scope, request).await?;
            metrics::count_signal("runledger_otlp_points_total", &report);
            Ok(of_signal(report))
        }
        .boxed()
    }

    fn response(partial: Option<Partial>) -> ExportMetricsServiceResponse {
        let told = |partial: Partial| ExportMetricsPartialSuccess {
            rejected_data_points: partial.rejected,
            error_message: partial.message,
        };
        ExportMetricsServiceResponse { partial_success: partial.map(told) }
    }
}

impl Exported for ExportLogsServiceRequest {
    type Response = ExportLogsServiceResponse;
    const REJECTED: &'static str = "rejectedLogRecords";

    fn ingest(backend: &dyn Backend, scope: Scope, request: Self) -> BoxFuture<'_, Result<Option<Partial>>> {
        async move {
            let report = backend.ingest_logs(scope, request).await?;
            metrics::count_signal("runledger_otlp_log_records_total", &report);
            Ok(of_signal(report))
        }
        .boxed()
    }

    fn response(partial: Option<Partial>) -> ExportLogsServiceResponse {
        let told = |partial: Partial| ExportLogsPartialSuccess {
            rejected_log_records: partial.rejected,
            error_message: partial.message,
        };
        ExportLogsServiceResponse { partial_success: partial.map(told) }
    }
}

fn of_spans(report: &IngestReport) -> Option<Partial> {
    let differing = (report.differing > 0).then(|| {
        format!("{} spans were on record already and differ from what was sent; the first stands", report.differing)
    });
    let messages: Vec<String> = report.message.iter().cloned().chain(differing).collect();
    (report.rejected > 0 || !messages.is_empty())
        .then(|| Partial { rejected: report.rejected, message: messages.join("; ") })
}

fn of_signal(report: SignalReport) -> Option<Partial> {
    (report.rejected > 0).then(|| Partial { rejected: report.rejected, message: report.message.unwrap_or_default() })
}
