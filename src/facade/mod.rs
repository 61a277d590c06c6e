//! Use cases: authorisation, evidence, loaders. One [`LogsFacade`] a request; one [`Logs`] a process.

pub mod authorize;
pub mod capture;
pub mod keys;
pub mod runs;
pub mod traces;

use crate::domain::scope::Scope;

/// The process's own: store, clock, capture settings. Cheap to clone.
#[derive(Clone)]
pub struct Logs {}

impl Logs {
    /// The use cases of one request.
    #[must_use]
    pub fn facade(&self, _scope: Scope) -> LogsFacade {
        unimplemented!()
    }

    /// Whether requests can be served: the database answers and the writer takes records.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says what is wrong.
    pub async fn ready(&self) -> crate::error::Result<()> {
        unimplemented!()
    }

    /// Records that wait to be appended, and how many may.
    #[must_use]
    pub fn queue_depth(&self) -> (usize, usize) {
        unimplemented!()
    }
}

/// What one caller may do, for one request: its loaders and its scope are never shared.
pub struct LogsFacade {}

impl LogsFacade {
    /// Who asks.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        unimplemented!()
    }
}
