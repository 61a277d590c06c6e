//! What the transports need of the facade. A trait, so that they can be tested without a database.

use futures_util::future::BoxFuture;

use super::otlp::{ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest};
use crate::domain::scope::{Permission, Scope};
use crate::domain::source::Source;
use crate::error::Result;
use crate::facade::Logs;
use crate::facade::capture::{IngestReport, SignalReport};
use crate::facade::vitals::Vitals;

/// The use cases behind OTLP, authentication and readiness.
pub trait Backend: Send + Sync {
    /// The scope of an API key; `None` when it is not valid.
    fn authenticate_key<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Scope>>>;
    /// Decides whether a caller may use an operation, and records the decision.
    fn authorize<'a>(
        &'a self,
        scope: &'a Scope,
        operation: &'a str,
        permission: Permission,
    ) -> BoxFuture<'a, Result<()>>;
    /// Records that a caller was turned away, with its token where it sent one, and whence it came.
    fn turned_away<'a>(
        &'a self,
        token: Option<&'a str>,
        source: Option<Source>,
        operation: &'a str,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<()>>;
    /// Counts an answer that failed by our own fault.
    fn failed(&self);
    /// Records the spans of a request.
    fn ingest_otlp(&self, scope: Scope, request: ExportTraceServiceRequest) -> BoxFuture<'_, Result<IngestReport>>;
    /// Keeps the samples of a request.
    fn ingest_metrics(&self, scope: Scope, request: ExportMetricsServiceRequest)
    -> BoxFuture<'_, Result<SignalReport>>;
    /// Records what matters of a request of logs.
    fn ingest_logs(&self, scope: Scope, request: ExportLogsServiceRequest) -> BoxFuture<'_, Result<SignalReport>>;
    /// Whether requests can be served.
    fn ready(&self) -> BoxFuture<'_, Result<()>>;
    /// How the process and its logs stand.
    fn vitals(&self) -> BoxFuture<'_, Vitals>;
}

impl Backend for Logs {
    fn authenticate_key<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<Scope>>> {
        Box::pin(self.authenticate_key(token))
    }

    fn authorize<'a>(
        &'a self,
        scope: &'a Scope,
        operation: &'a str,
        permission: Permission,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.authorize(scope, operation, permission))
    }

    fn turned_away<'a>(
        &'a self,
        token: Option<&'a str>,
        source: Option<Source>,
        operation: &'a str,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.turned_away(token, source, operation, reason))
    }

    fn failed(&self) {
        self.failed();
    }

    fn ingest_otlp(&self, scope: Scope, request: ExportTraceServiceRequest) -> BoxFuture<'_, Result<IngestReport>> {
        Box::pin(async move { self.facade(scope).ingest_otlp(request).await })
    }

    fn ingest_metrics(
        &self,
        scope: Scope,
        request: ExportMetricsServiceRequest,
    ) -> BoxFuture<'_, Result<SignalReport>> {
        Box::pin(async move { self.facade(scope).ingest_otlp_metrics(request).await })
    }

    fn ingest_logs(&self, scope: Scope, request: ExportLogsServiceRequest) -> BoxFuture<'_, Result<SignalReport>> {
        Box::pin(async move { self.facade(scope).ingest_otlp_logs(request).await })
    }

    fn ready(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.ready())
    }

    fn vitals(&self) -> BoxFuture<'_, Vitals> {
        Box::pin(self.vitals())
    }
}
