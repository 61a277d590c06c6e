//! The request that is served now: its id, whence it came, and whose it is once that is known.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use crate::domain::ids::TenantId;
use crate::domain::source::Source;

/// What is known of a request.
pub(super) struct Current {
    id: String,
    source: Option<Source>,
    tenant: OnceLock<TenantId>,
}

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

impl Current {
    pub(super) fn new(id: String, peer: Option<IpAddr>) -> Arc<Self> {
        Arc::new(Self { id, source: peer.map(Source::from), tenant: OnceLock::new() })
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is; empty where nobody was admitted.
    pub(super) fn tenant(&self) -> &str {
        self.tenant.get().map_or("", TenantId::as_str)
    }

    /// Serves it.
    pub(super) async fn serve<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}

/// The id of the request that is served now, the caller's own where it is sane; `None` outside of requests.
#[must_use]
pub fn request_id() -> Option<String> {
    CURRENT.try_with(|current| current.id.clone()).ok()
}

/// Where it comes from; `None` where that is not known.
pub(super) fn source() -> Option<Source> {
    CURRENT.try_with(|current| current.source).ok().flatten()
}

/// Notes whose it is.
pub(super) fn set_tenant(tenant: &TenantId) {
    // Outside of a request there is nobody to tell; a request has one tenant.
    let _ = CURRENT.try_with(|current| current.tenant.set(tenant.clone()));
}
