//! The only place that talks to the databases. Returns domain types, never models. Every read takes a [`Scope`] first.
//!
//! [`Scope`]: crate::domain::scope::Scope

pub mod append;
pub mod audit;
mod audit_exports;
pub mod bulk;
pub mod checkpoints;
mod condition;
mod convert;
mod database;
mod error;
pub mod exports;
mod finish;
pub mod holdings;
mod idempotency;
pub mod incidents;
pub mod keys;
mod keytable;
mod kinds;
pub mod lease;
mod leaves;
pub mod ledger;
pub mod ledger_keys;
pub mod migrate;
mod own_records;
mod paginate;
mod place;
#[cfg(test)]
mod plans;
pub mod policies;
mod principals;
pub mod proofs;
pub mod runs;
mod scoped;
pub mod seals;
pub mod span_contents;
pub mod statistics;
pub mod steps;
pub mod system;
pub mod system_runs;
pub mod telemetry_series;
pub mod traces;
mod transaction;
mod trouble;
pub mod turns;
pub mod unread;
pub mod verifications;
pub mod verify;
pub mod vitals;
pub mod windows;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use self::append::{ChangedLogs, Queue, Writer, WriterThread};
use self::bulk::Bulk;
use self::database::{Database, tables};
pub use self::database::{Serving, observe_statements};
pub use self::error::for_operator;
use crate::clock::SharedClock;
use crate::domain::settle::SettlePolicy;
use crate::error::{Error, Result};

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
    /// How records are chained.
    pub ledger: LedgerConfig,
}

/// How records are chained.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// What the names of new logs begin with, on their checkpoints: a name that nobody else uses.
    pub origin: String,
    /// False writes records without leaves, entries and nodes, which nothing can ever verify: benchmarks measure by it what
    /// the ledger costs. Payloads are committed to all the same: commitments are columns of the records.
    pub is_chained: bool,
}

impl LedgerConfig {
    /// Chained, under this name.
    #[must_use]
    pub fn of(origin: &str) -> Self {
        Self { origin: origin.to_owned(), is_chained: true }
    }
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
    changed: Arc<ChangedLogs>,
    writer: Mutex<Option<(JoinHandle<()>, WriterThread)>>,
    migrations: Vec<String>,
    /// Threads that hash the leaves of large units.
    hashing: Bulk,
}

impl Store {
    /// Connects, checks durability settings, migrates where asked to, and starts the writer task.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database cannot be reached; `BAD_USER_INPUT` when the URL or the schema version is wrong.
    pub async fn connect(config: StoreConfig, clock: SharedClock) -> Result<Self> {
        let db = Database::connect(&config.database_url, config.pool_size).await?;
        let migrations = if config.migrate {
            migrate::up_on(&db.write).await.map_err(|error| db.for_operator(&error))?
        } else {
            migrate::check(&db.write).await.map_err(|error| db.for_operator(&error))?;
            Vec::new()
        };
        for name in &migrations {
            tracing::info!(name, "migration applied");
        }
        let queue = Arc::new(Queue::new(config.queue_records, config.ledger.is_chained));
        let thread = WriterThread::start()?;
        let appending = db.clone();
        let connected = thread.spawn(async move { appending.for_appending(&config.database_url).await });
        let appending = connected.await.map_err(Error::internal)??;
        let changed = Arc::<ChangedLogs>::default();
        let (own_clock, own_queue, news) = (Arc::clone(&clock), Arc::clone(&queue), Arc::clone(&changed));
        let writer = Writer::new(appending, own_clock, config.settle, config.ledger, own_queue, news);
        let writer = Mutex::new(Some((thread.spawn(writer.run()), thread)));
        Ok(Self { inner: Arc::new(Inner { db, clock, queue, changed, writer, migrations, hashing: Bulk::default() }) })
    }

    /// The changes of the schema that connecting applied, by name.
    #[must_use]
    pub fn migrations(&self) -> &[String] {
        &self.inner.migrations
    }

    /// Opens a database for reading only: nothing in it is changed, not even its schema.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it cannot be reached; `BAD_USER_INPUT` when the URL or the schema version is wrong.
    pub async fn open_reader(database_url: &str, pool_size: u32, clock: SharedClock) -> Result<Self> {
        let db = Database::connect_reader(database_url, pool_size).await?;
        migrate::check(&db.read).await?;
        let queue = Arc::new(Queue::new(0, true));
        queue.close();
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                clock,
                queue,
                changed: Arc::default(),
                writer: Mutex::new(None),
                migrations: Vec::new(),
                hashing: Bulk::default(),
            }),
        })
    }

    /// Whether the database answers and has its tables, for readiness.
    ///
    /// # Errors
    /// `UNAVAILABLE` when it does not, in words for the operator.
    pub async fn ping(&self) -> Result<()> {
        self.db().check_file().map_err(|error| self.db().for_operator(&error))?;
        tables::check(self.db()).await.map_err(|error| self.db().for_operator(&error))
    }

    /// Whether the writer takes units.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says why not: it was closed, it found a log that contradicts itself, or it has died.
    pub fn check_writable(&self) -> Result<()> {
        self.queue().check_open()
    }

    /// Whether the database takes what it is given, as far as the writer knows: it keeps trying while it does not.
    ///
    /// # Errors
    /// `UNAVAILABLE` in words for the operator: where the database is, what is wrong with it, and what it said.
    pub fn check_database(&self) -> Result<()> {
        self.queue().check_database()
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

    /// Rows that were read since the start.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.db().rows_read()
    }

    /// The logs that this process has appended to.
    #[must_use]
    pub fn changed_logs(&self) -> &ChangedLogs {
        &self.inner.changed
    }

    /// Takes no more units, appends what waits, and closes the connections.
    pub async fn close(&self) {
        self.drain().await;
        self.db().close().await;
    }

    /// Takes no more units and appends what waits; what is on record can still be read.
    pub async fn drain(&self) {
        self.queue().close();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((writer, _thread)) = writer
            && let Err(cause) = writer.await
        {
            tracing::error!(%cause, "the writer broke off");
        }
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
