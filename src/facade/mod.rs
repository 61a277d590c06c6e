//! Use cases: authorisation, evidence, loaders. One [`LogsFacade`] a request; one [`Logs`] a process.
pub mod access;
pub mod allowance;
pub mod audit;
pub mod authorize;
pub mod capture;
pub mod checkpoints;
pub mod exports;
pub use crate::domain::fair;
pub mod incidents;
pub mod keys;
pub mod ledger;
pub mod ledger_keys;
pub mod loaders;
mod own_audit;
pub mod own_records;
pub mod policies;
mod principals;
pub mod proofs;
pub mod replay;
pub mod runs;
pub mod sealer;
pub mod statistics;
pub mod system;
pub mod telemetry_series;
pub mod tiles;
pub mod traces;
pub mod verify;
pub mod vitals;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::pricing::PriceTable;
use crate::clock::SharedClock;
use crate::domain::append::{AppendReceipt, AppendUnit};
use crate::domain::ids::TenantId;
use crate::domain::record::NewRecord;
use crate::domain::scope::Scope;
use crate::error::{Error, Result};
use crate::store::Store;
pub use crate::store::bulk;
pub use crate::store::turns::reading_for;
use access::{AccessConfig, AccessState, RequestAudit};
use loaders::{LoadQueue, Loaders};
use own_records::Failures;

/// How records are captured.
#[derive(Clone)]
pub struct LogsConfig {
    /// The price table in force.
    pub prices: Arc<PriceTable>,
    /// Tenants whose message content is kept (redacted) as payloads; all others keep digests only.
    pub content_capture: HashSet<TenantId>,
    /// How long a trace is quiet before it is sealed, in microseconds; the sealer looks no more often than this.
    pub settle_us: i64,
    /// How access is audited.
    pub access: AccessConfig,
    /// How long an idempotency key stands for its first request, in microseconds.
    pub idempotency_expiry_us: i64,
    /// How long samples of metrics, and digests that wait for their span, are kept, in microseconds.
    pub telemetry_retention_us: i64,
}

/// How long the database may take to answer who asks whether the server is ready: probes wait a second.
const PING_MAX: Duration = Duration::from_millis(900);
const PING_AGAIN_MS: u64 = 1_000;

struct Inner {
    store: Store,
    clock: SharedClock,
    config: LogsConfig,
    api_keys: keys::KnownKeys,
    sealing: sealer::Sealing,
    /// Where verified states are remembered outside the database.
    trust: verify::Trust,
    signing: checkpoints::Signing,
    access: AccessState,
    failures: Failures,
    /// What the watchers of this process were told last.
    observed: vitals::Observed,
    capturing: capture::Capturing,
}

/// The process's own: store, clock, capture settings. Cheap to clone.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

impl Logs {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, config: LogsConfig) -> Self {
        let access = AccessState::new(config.access);
        Self(Arc::new(Inner {
            store,
            clock,
            config,
            api_keys: keys::known_keys(),
            sealing: sealer::Sealing::default(),
            trust: verify::Trust::default(),
            signing: checkpoints::Signing::default(),
            access,
            failures: Failures::default(),
            observed: vitals::Observed::default(),
            capturing: capture::Capturing::default(),
        }))
    }

    /// The use cases of one request.
    #[must_use]
    pub fn facade(&self, scope: Scope) -> LogsFacade {
        let scope = Arc::new(scope);
        let audit = RequestAudit::new(self.clone(), Arc::clone(&scope));
        let loaders = Loaders::new(self.clone(), Arc::clone(&scope), audit.clone());
        LogsFacade { logs: self.clone(), scope, loaders, audit }
    }

    /// Whether requests can be served: the database answers, the writer takes records, and what it writes is signed.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says what is wrong.
    pub async fn ready(&self) -> Result<()> {
        self.writable().await?;
        self.0.signing.check()
    }

    /// Whether the database answers and the writer takes records.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says what is wrong.
    async fn writable(&self) -> Result<()> {
        self.0.store.check_writable()?;
        self.0.store.check_database()?;
        // Who asks waits a second at most; a pool that cannot connect waits longer.
        tokio::time::timeout(PING_MAX, self.0.store.ping()).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("the database did not answer within {PING_MAX:?}"), PING_AGAIN_MS))
        })
    }

    /// Records that wait to be appended, and how many may.
    #[must_use]
    pub fn queue_depth(&self) -> (usize, usize) {
        self.0.store.queue_depth()
    }
}

/// What one caller may do, for one request: its loaders and its scope are never shared.
pub struct LogsFacade {
    logs: Logs,
    scope: Arc<Scope>,
    loaders: Loaders,
    audit: RequestAudit,
}

impl LogsFacade {
    /// Who asks.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What this request's loaders start; whoever runs the request must [drive](LoadQueue::drive) it.
    #[must_use]
    pub fn loads(&self) -> LoadQueue {
        self.loaders.queue.clone()
    }

    fn store(&self) -> &Store {
        &self.logs.0.store
    }

    /// Appends what this request writes; to be told of that is no read.
    async fn append(&self, unit: AppendUnit) -> Result<AppendReceipt> {
        self.audit.wrote(unit.records.iter().map(NewRecord::id));
        Box::pin(self.logs.append(unit)).await
    }
}
