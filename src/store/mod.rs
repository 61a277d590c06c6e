//! The only place that talks to the databases. Returns domain types, never models. Every read takes a [`Scope`] first.
//!
//! [`Scope`]: crate::domain::scope::Scope

pub mod append;
pub mod keys;
pub mod runs;
pub mod seals;
pub mod steps;
pub mod traces;

use crate::clock::SharedClock;
use crate::domain::settle::SettlePolicy;
use crate::error::Result;

/// How to reach the database and how to write.
#[derive(Clone)]
pub struct StoreConfig {
    /// `sqlite://path` (made where it is missing) or `postgres://...`.
    pub database_url: String,
    /// Apply outstanding migrations on connect; else refuse a database that lacks some.
    pub migrate: bool,
    /// Connections of the PostgreSQL pool; 4 a core by default.
    pub pool_size: u32,
    /// When traces are sealed.
    pub settle: SettlePolicy,
    /// Records that may wait to be appended; a unit that does not fit is refused as UNAVAILABLE.
    pub queue_records: usize,
}

/// Both databases behind one face. Cheap to clone.
#[derive(Clone)]
pub struct Store {}

impl Store {
    /// Connects, checks durability settings, migrates where asked to, and starts the writer task.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database cannot be reached; `BAD_USER_INPUT` when the URL or the schema version is wrong.
    pub async fn connect(_config: StoreConfig, _clock: SharedClock) -> Result<Self> {
        unimplemented!()
    }

    /// One trivial query, for readiness.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn ping(&self) -> Result<()> {
        unimplemented!()
    }

    /// Whether the writer still takes units; false once it was closed or has stopped.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        unimplemented!()
    }

    /// Records waiting to be appended and the most that may wait.
    #[must_use]
    pub fn queue_depth(&self) -> (usize, usize) {
        unimplemented!()
    }

    /// Takes no more units, appends what waits, and closes the connections.
    pub async fn close(&self) {
        unimplemented!()
    }
}
