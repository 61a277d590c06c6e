//! Requests a second a key.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::domain::ids::TenantId;
use crate::domain::scope::{Actor, Scope};
use crate::error::{Error, Result};

/// Requests after which keys that have been quiet are forgotten.
const SWEEP_EVERY: u32 = 4096;

/// A bucket a key: it holds one second's requests and fills steadily.
pub(super) struct RateLimit {
    limiter: DefaultKeyedRateLimiter<(TenantId, Actor)>,
    requests: AtomicU32,
}

impl RateLimit {
    /// `None` for 0.
    pub(super) fn new(requests_a_second: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(requests_a_second)?);
        Some(Self { limiter: RateLimiter::keyed(quota), requests: AtomicU32::new(0) })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `LIMIT_EXCEEDED` with the time until the next one is taken.
    pub(super) fn check(&self, scope: &Scope) -> Result<()> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let key = (scope.tenant.clone(), scope.actor.clone());
        self.limiter.check_key(&key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now()).max(Duration::from_millis(1));
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Error::rate_limited("this key asks too often: wait, or have --rate-limit raised", wait_ms)
        })
    }
}
