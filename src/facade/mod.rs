//! Use cases: authorisation, evidence, loaders. One [`LogsFacade`] a request; one [`Logs`] a process.

pub mod audit;
pub mod authorize;
pub mod capture;
pub mod checkpoints;
pub mod exports;
pub mod incidents;
pub mod keys;
pub mod ledger;
pub mod ledger_keys;
pub mod loaders;
pub mod policies;
pub mod proofs;
pub mod replay;
pub mod runs;
pub mod sealer;
pub mod tiles;
pub mod traces;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Notify;

use crate::capture::CaptureContext;
use crate::capture::pricing::PriceTable;
use crate::clock::SharedClock;
use crate::domain::ids::TenantId;
use crate::domain::scope::{Permission, Scope};
use crate::error::Result;
use crate::store::Store;
use loaders::{LoadQueue, Loaders};

/// How records are captured.
#[derive(Clone)]
pub struct LogsConfig {
    /// The price table in force.
    pub prices: Arc<PriceTable>,
    /// Tenants whose message content is kept (redacted) as payloads; all others keep digests only.
    pub content_capture: HashSet<TenantId>,
    /// How long a trace is quiet before it is sealed, in microseconds; the sealer looks no more often than this.
    pub settle_us: i64,
}

struct Inner {
    store: Store,
    clock: SharedClock,
    config: LogsConfig,
    content_keys: Cache<TenantId, [u8; 32]>,
    api_keys: Cache<String, Option<Arc<crate::store::keys::ApiKey>>>,
    /// Rung when traces were touched, so that an idle sealer wakes up.
    touched: Notify,
    signing: checkpoints::Signing,
}

/// The process's own: store, clock, capture settings. Cheap to clone.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

impl Logs {
    /// Puts the parts together.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, config: LogsConfig) -> Self {
        let content_keys = Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(60)).build();
        // A revoked key stops working within this time, in every process.
        let api_keys = Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(5)).build();
        Self(Arc::new(Inner {
            store,
            clock,
            config,
            content_keys,
            api_keys,
            touched: Notify::new(),
            signing: checkpoints::Signing::default(),
        }))
    }

    /// The use cases of one request.
    #[must_use]
    pub fn facade(&self, scope: Scope) -> LogsFacade {
        let scope = Arc::new(scope);
        let loaders = Loaders::new(self.clone(), Arc::clone(&scope));
        LogsFacade { logs: self.clone(), scope, loaders }
    }

    /// Whether requests can be served: the database answers, the writer takes records, and what it writes is signed.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says what is wrong.
    pub async fn ready(&self) -> Result<()> {
        self.0.store.check_writable()?;
        self.0.signing.check()?;
        self.0.store.ping().await
    }

    /// Records that wait to be appended, and how many may.
    #[must_use]
    pub fn queue_depth(&self) -> (usize, usize) {
        self.0.store.queue_depth()
    }

    /// What capture needs for a tenant.
    async fn capture_context(&self, tenant: &TenantId) -> Result<CaptureContext> {
        let content_key = match self.0.content_keys.get(tenant) {
            Some(key) => key,
            None => {
                let key = self.0.store.content_key(tenant).await?;
                self.0.content_keys.insert(tenant.clone(), key);
                key
            }
        };
        Ok(CaptureContext {
            content_key,
            keeps_content: self.0.config.content_capture.contains(tenant),
            prices: Arc::clone(&self.0.config.prices),
        })
    }
}

/// What one caller may do, for one request: its loaders and its scope are never shared.
pub struct LogsFacade {
    logs: Logs,
    scope: Arc<Scope>,
    loaders: Loaders,
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

    fn require(&self, permission: Permission) -> Result<()> {
        self.scope.require(permission)
    }
}
