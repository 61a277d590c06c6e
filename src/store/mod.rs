//! The only place that talks to the databases. Returns domain types, never models. Every read takes a [`Scope`] first.
//!
//! [`Scope`]: crate::domain::scope::Scope

pub mod append;
mod condition;
mod convert;
mod database;
mod error;
mod idempotency;
pub mod keys;
pub mod migrate;
mod paginate;
#[cfg(test)]
mod plans;
pub mod runs;
mod scoped;
pub mod seals;
pub mod span_contents;
pub mod steps;
pub mod system;
pub mod system_runs;
pub mod telemetry_series;
pub mod traces;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use self::append::{Queue, Writer};
use self::database::Database;
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
    /// Connections of the PostgreSQL pool that reads; 4 a core by default. The writer has a few of its own.
    pub pool_size: u32,
    /// When traces are sealed.
    pub settle: SettlePolicy,
    /// Records that may wait to be appended; a unit that does not fit is refused as UNAVAILABLE.
    pub queue_records: usize,
    /// What the names of new logs begin with, on their checkpoints: a name that nobody else uses.
    pub ledger_origin: String,
}

/// Both databases behind one face. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    clock: SharedClock,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Connects, checks durability settings, migrates where asked to, and starts the writer task.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database cannot be reached; `BAD_USER_INPUT` when the URL or the schema version is wrong.
    pub async fn connect(config: StoreConfig, clock: SharedClock) -> Result<Self> {
        let db = Database::connect(&config.database_url, config.pool_size).await?;
        if config.migrate {
            for name in migrate::up_on(&db.write).await? {
                tracing::info!(name, "migration applied");
            }
        } else {
            migrate::check(&db.write).await?;
        }
        let queue = Arc::new(Queue::new(config.queue_records));
        let writer =
            Writer::new(db.clone(), Arc::clone(&clock), config.settle, &config.ledger_origin, Arc::clone(&queue));
        let writer = tokio::spawn(writer.run());
        Ok(Self { inner: Arc::new(Inner { db, clock, queue, writer: Mutex::new(Some(writer)) }) })
    }

    /// One trivial query, for readiness.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn ping(&self) -> Result<()> {
        self.db().rows(self.db().statement("SELECT 1", [])).await.map(drop)
    }

    /// Whether the writer takes units.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says why not: it was closed, or it found a log that contradicts itself.
    pub fn check_writable(&self) -> Result<()> {
        self.queue().check_open()
    }

    /// Records waiting to be appended and the most that may wait.
    #[must_use]
    pub fn queue_depth(&self) -> (usize, usize) {
        self.queue().depth()
    }

    /// Statements that rows were read with since the start: what a request costs is the difference.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.db().reads()
    }

    /// Takes no more units, appends what waits, and closes the connections.
    pub async fn close(&self) {
        self.queue().close();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && let Err(cause) = writer.await
        {
            tracing::error!(%cause, "the writer broke off");
        }
        self.db().close().await;
    }

    fn db(&self) -> &Database {
        &self.inner.db
    }

    fn clock(&self) -> &SharedClock {
        &self.inner.clock
    }

    fn queue(&self) -> &Queue {
        &self.inner.queue
    }
}
