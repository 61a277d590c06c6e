//! API keys: made, listed, revoked, and checked.

use super::Logs;
use crate::domain::scope::Scope;
use crate::error::Result;

impl Logs {
    /// The scope of a bearer API key `rl_<id>_<secret>`; `None` when it is unknown, wrong, expired or revoked. Cached for
    /// a few seconds.
    ///
    /// # Errors
    /// `UNAVAILABLE` when keys cannot be read.
    pub async fn authenticate_key(&self, _token: &str) -> Result<Option<Scope>> {
        unimplemented!()
    }
}
