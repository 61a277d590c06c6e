//! What handlers share, and the one door that every request for data goes through.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::HeaderMap;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::auth::{self, AuthSettings, Authenticator};
use super::backend::Backend;
use super::body::Budget;
use super::bulk::Bulk;
use super::current;
use super::fair::{FairPermit, FairPool, NoPermit};
use super::held::ANSWER_BYTES;
use super::rate::RateLimit;
use crate::domain::ids::TenantId;
use crate::domain::scope::Scope;
use crate::error::{Code, Error, Result};
use crate::work::pulse::Pulses;

/// Admitted requests that are open at a time, their bodies still on the way or already worked on, and those of one tenant.
/// More are told to come again.
const PLACES: usize = 2048;
pub(super) const PLACES_OF_A_TENANT: usize = 512;
/// OTLP requests that are worked on at a time, when they have arrived. The others wait for their turn.
const TURNS: usize = 128;
const TURNS_OF_A_TENANT: usize = 32;
/// Large ones among them, for each core; half of them for one tenant.
const BULK_TURNS_A_CORE: usize = 4;
/// Those that may wait.
const WAITING_MAX: usize = PLACES;
/// How long they may: exporters give up after 10 s.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that OTLP and GraphQL requests hold at a time, as bodies and as the messages made of them, by tenant at least. One's
/// share has room for the largest OTLP request: 16 MiB unpacked, from which messages of 48 MiB are made. With less, such a
/// request would be told to come again for ever.
const BYTES_OF_A_TENANT_MIN: usize = 64 << 20;
/// Shares that there are at a time.
const SHARES_OF_BYTES: usize = 3;

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
    /// Whether each request gets a line in the log.
    pub access_log: bool,
    /// Bytes of the body of a GraphQL request after decompression, at most.
    pub graphql_body_bytes: usize,
    /// Bytes of the answer to one, at most.
    pub graphql_answer_bytes: usize,
}

impl HttpSettings {
    /// Bytes that one tenant's requests may hold: what any one request needs that the settings allow, or it would be told
    /// to come again for ever. A GraphQL request holds its body packed and unpacked, then unpacked with its answer.
    #[must_use]
    pub fn bytes_of_a_tenant(&self) -> usize {
        let Self { graphql_body_bytes: body, graphql_answer_bytes: answer, .. } = self;
        let graphql = body.saturating_add(*body.max(answer));
        graphql.saturating_add(ANSWER_BYTES).max(BYTES_OF_A_TENANT_MIN)
    }
}

struct Inner {
    backend: Arc<dyn Backend>,
    auth: Authenticator,
    rate: Option<RateLimit>,
    settings: HttpSettings,
    metrics: PrometheusHandle,
    /// How the workers of this process do; not set where none run.
    pulses: OnceLock<Pulses>,
    shutdown: CancellationToken,
    places: FairPool,
    turns: FairPool,
    bulk_turns: FairPool,
    bytes: FairPool,
    bulk: Bulk,
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
        let bulk_turns = BULK_TURNS_A_CORE * cores();
        let share_of_bytes = settings.bytes_of_a_tenant();
        Ok(Self(Arc::new(Inner {
            backend,
            auth,
            rate: RateLimit::new(settings.rate_limit),
            settings,
            metrics,
            pulses: OnceLock::new(),
            shutdown,
            places: FairPool::new(PLACES, PLACES_OF_A_TENANT, 0),
            turns: FairPool::new(TURNS, TURNS_OF_A_TENANT, WAITING_MAX),
            bulk_turns: FairPool::new(bulk_turns, bulk_turns / 2, WAITING_MAX),
            bytes: FairPool::new(share_of_bytes.saturating_mul(SHARES_OF_BYTES), share_of_bytes, 0),
            bulk: Bulk::default(),
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
                    let token = auth::bearer(headers).ok();
                    self.0.backend.turned_away(token, current::source(), operation, error.message()).await?;
                }
                return Err(error);
            }
        };
        current::set_tenant(&scope.tenant);
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

    /// Tells from now on how these workers do.
    pub fn watch(&self, pulses: Pulses) {
        // A process has one list of workers: the first stays.
        let _ = self.0.pulses.set(pulses);
    }

    pub(super) fn pulses(&self) -> Option<&Pulses> {
        self.0.pulses.get()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.0.shutdown.is_cancelled()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.0.settings.auth, AuthSettings::Off)
    }

    /// A place for a request of a tenant, to be held until its answer.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when there is none.
    pub(super) fn place(&self, tenant: &TenantId) -> Result<FairPermit> {
        self.0.places.try_acquire(tenant).map_err(no_permit)
    }

    /// The tenant's turn for a request that has arrived, to be held while it is worked on; `is_bulk` for a large one.
    ///
    /// # Errors
    /// `UNAVAILABLE` with a time to wait when the turn does not come.
    pub(super) async fn turn(&self, tenant: &TenantId, is_bulk: bool) -> Result<FairPermit> {
        let turns = if is_bulk { &self.0.bulk_turns } else { &self.0.turns };
        turns.acquire(tenant, PATIENCE).await.map_err(no_permit)
    }

    /// The budget that a tenant's bodies are charged to.
    pub(super) fn budget(&self, tenant: &TenantId) -> Budget {
        Budget { pool: self.0.bytes.clone(), tenant: tenant.clone() }
    }

    /// Threads for large requests.
    pub(super) fn bulk(&self) -> &Bulk {
        &self.0.bulk
    }
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn no_permit(none: NoPermit) -> Error {
    match none {
        NoPermit::OwnShare => {
            Error::unavailable("this tenant has as many requests open as it may: send the request again", 1_000)
        }
        NoPermit::Full | NoPermit::Late => busy(),
    }
}

/// The server has as much to do as it can.
pub(super) fn busy() -> Error {
    Error::unavailable("the server is busy: send the request again", 1_000)
}
