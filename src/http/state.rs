//! What handlers share, and the one door that every request for data goes through.

use std::sync::Arc;

use axum::http::HeaderMap;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::auth::{self, AuthSettings, Authenticator};
use super::backend::Backend;
use super::rate::RateLimit;
use crate::domain::scope::Scope;
use crate::error::{Code, Error, Result};

/// Requests for data that are worked on at a time; more are told to come again.
const IN_FLIGHT_MAX: usize = 1024;
/// The same for OTLP/gRPC, whose messages are held whole before their size counts in the budget.
const GRPC_IN_FLIGHT_MAX: usize = 64;
/// Bytes of OTLP/HTTP bodies, after decompression, that are held at a time.
const BODY_BUDGET_BYTES: usize = 64 << 20;

/// Settings of the HTTP and gRPC faces.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How callers prove who they are.
    pub auth: AuthSettings,
    /// Requests a second that one key may make; 0 is no limit.
    pub rate_limit: u32,
    /// Origins whose pages may call the API; `*` is any.
    pub cors_origins: Vec<String>,
    /// Host names beside loopback under which the server may be asked.
    pub allowed_hosts: Vec<String>,
    /// Whether the listeners speak TLS.
    pub has_tls: bool,
}

struct Inner {
    backend: Arc<dyn Backend>,
    auth: Authenticator,
    rate: Option<RateLimit>,
    settings: HttpSettings,
    metrics: PrometheusHandle,
    shutdown: CancellationToken,
    in_flight: Semaphore,
    grpc_in_flight: Semaphore,
    body_budget: Arc<Semaphore>,
}

/// State of the handlers. Cheap to clone.
#[derive(Clone)]
pub struct HttpState(Arc<Inner>);

impl HttpState {
    /// Puts the parts together. `shutdown` is cancelled when the server begins to stop.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` when the JWT keys cannot be used.
    pub fn new(
        backend: Arc<dyn Backend>,
        settings: HttpSettings,
        metrics: PrometheusHandle,
        shutdown: CancellationToken,
    ) -> Result<Self> {
        let auth = Authenticator::new(&settings.auth, Arc::clone(&backend))?;
        Ok(Self(Arc::new(Inner {
            backend,
            auth,
            rate: RateLimit::new(settings.rate_limit),
            settings,
            metrics,
            shutdown,
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            grpc_in_flight: Semaphore::new(GRPC_IN_FLIGHT_MAX),
            body_budget: Arc::new(Semaphore::new(BODY_BUDGET_BYTES)),
        })))
    }

    /// Who asks, by the request's headers; counts the request against the rate limit of its key. Who is turned away is in
    /// the audit ledger before they are told.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without valid credentials; `LIMIT_EXCEEDED` with a time to wait when the key asks too often;
    /// `UNAVAILABLE` when credentials cannot be checked, or a refusal cannot be recorded, now.
    pub async fn admit(&self, headers: &HeaderMap, operation: &str) -> Result<Scope> {
        let scope = match self.0.auth.authenticate(headers).await {
            Ok(scope) => scope,
            Err(error) => {
                if error.code() == Code::Unauthenticated {
                    self.0.backend.turned_away(auth::bearer(headers).ok(), operation, error.message()).await?;
                }
                return Err(error);
            }
        };
        match &self.0.rate {
            Some(rate) => rate.check(&scope).map(|()| scope),
            None => Ok(scope),
        }
    }

    /// Settings of the HTTP and gRPC faces.
    #[must_use]
    pub fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.0.backend
    }

    pub(super) fn metrics(&self) -> &PrometheusHandle {
        &self.0.metrics
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.0.settings.auth, AuthSettings::Off)
    }

    pub(super) fn body_budget(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.body_budget)
    }

    pub(super) fn in_flight(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.0.in_flight.try_acquire().map_err(|_| busy())
    }

    pub(super) fn grpc_in_flight(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        self.0.grpc_in_flight.try_acquire().map_err(|_| busy())
    }
}

/// The server has as much to do as it can.
pub(super) fn busy() -> Error {
    Error::unavailable("the server is busy: send the request again", 1_000)
}
