//! Connections: one writer and a few readers on SQLite, two pools on PostgreSQL; durability is checked, not assumed.

pub(super) mod sent;
pub(super) mod serving;
pub(super) mod sqlite;
pub(super) mod tables;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::sqlx::{self, AssertSqlSafe};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection, DbBackend, DbErr, QueryResult,
    Statement, Value,
};

use super::bulk::Bulk;
use super::error::{database, of_driver};
use super::finish::Finished;
use super::place::Place;
use super::transaction::{Transaction, parts};
use super::turns::Turns;
use crate::error::{Error, Result};
pub use sent::observe_statements;
pub use serving::Serving;

/// Connections of PostgreSQL for the sealer and keys, so that readers cannot starve them.
const POSTGRES_WRITERS: u32 = 2;
/// Statements prepared a connection: the reads, and on PostgreSQL the flushes.
const STATEMENT_CACHE: usize = 256;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const POSTGRES_IDLE_TEST: Duration = Duration::from_secs(30);
/// How a read begins on PostgreSQL. A setting that matters is the transaction's: a pooler between here and the server, which
/// hands sessions around by the transaction, drops those of a session. No plan of ours is worth compiling, and its estimates
/// err on tables without statistics. A read that takes longer than 15 s is cancelled by the server; the API's own time limit
/// is shorter.
const POSTGRES_READ: &str = "BEGIN READ ONLY; SET LOCAL jit = off; SET LOCAL statement_timeout = 15000";
/// For commands that go through everything and must not change anything.
const POSTGRES_READ_ALL: &str = "BEGIN READ ONLY; SET LOCAL jit = off";
/// For statistics, whose sample takes no longer than a read may.
const POSTGRES_ANALYZE: &str = "BEGIN; SET LOCAL statement_timeout = 15000";

/// Where the rows are.
#[derive(Clone)]
pub(super) struct Database {
    pub backend: DbBackend,
    pub read: DatabaseConnection,
    pub write: DatabaseConnection,
    place: Arc<Place>,
    /// How a read begins on PostgreSQL.
    reading: &'static str,
    /// Statements that were read with, since the start.
    reads: Arc<AtomicU64>,
    /// Rows that they gave.
    rows_read: Arc<AtomicU64>,
    /// Statements that are being read with now, those that wait for a connection among them.
    under_way: Arc<AtomicU32>,
    /// Whose turn it is to read.
    turns: Turns,
    /// Threads for what is computed of many rows.
    pub bulk: Arc<Bulk>,
}

/// A statement that is under way, until this is dropped.
struct UnderWay<'a>(&'a AtomicU32);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Database {
    /// Connects for reading and writing.
    pub async fn connect(url: &str, pool_size: u32) -> Result<Self> {
        let (backend, place) = (backend(url)?, Arc::new(Place::of(url)?));
        let (write, read) = if backend == DbBackend::Sqlite {
            sqlite::make_private(&sqlite::path(url)?, &place)?;
            (open(sqlite::options(url, false), &place).await?, open(sqlite::options(url, true), &place).await?)
        } else {
            let mut read = postgres(url, pool_size.max(1));
            let mut write = postgres(url, POSTGRES_WRITERS);
            serving::hold(&mut read);
            serving::hold(&mut write);
            (open(write, &place).await?, open(read, &place).await?)
        };
        let turns = Turns::at(if backend == DbBackend::Sqlite { sqlite::READERS } else { pool_size });
        let (reads, rows_read, under_way, bulk) = Default::default();
        let reading = POSTGRES_READ;
        let database = Self { backend, read, write, place, reading, reads, rows_read, under_way, turns, bulk };
        database.check_durability().await?;
        database.check_file()?;
        Ok(database)
    }

    /// Connects for reading only: nothing is made, migrated or written.
    pub async fn connect_reader(url: &str, pool_size: u32) -> Result<Self> {
        let (backend, place) = (backend(url)?, Arc::new(Place::of(url)?));
        let read = if backend == DbBackend::Sqlite {
            sqlite::open_reader(url, &sqlite::path(url)?, &place).await?
        } else {
            open(postgres(url, pool_size.max(1)), &place).await?
        };
        let turns = Turns::at(pool_size);
        let (reads, rows_read, under_way, bulk) = Default::default();
        let reading = POSTGRES_READ_ALL;
        Ok(Self { backend, write: read.clone(), read, place, reading, reads, rows_read, under_way, turns, bulk })
    }

    /// The same database for the one task that appends. On PostgreSQL it gets a connection of its own, which belongs to the
    /// runtime that this is called on.
    pub async fn for_appending(mut self, url: &str) -> Result<Self> {
        if self.backend == DbBackend::Postgres {
            let mut write = postgres(url, 1);
            serving::hold(&mut write);
            self.write = open(write, &self.place).await?;
            self.check_durability().await?;
        }
        Ok(self)
    }

    /// Closes what [`Database::for_appending`] opened.
    pub async fn close_appending(&self) {
        if self.backend == DbBackend::Postgres
            && let Err(cause) = self.write.close_by_ref().await
        {
            tracing::warn!(%cause, "closing the writer's connection");
        }
    }

    /// Connects for changes of the schema only.
    pub async fn connect_writer(url: &str) -> Result<DatabaseConnection> {
        let (backend, place) = (backend(url)?, Place::of(url)?);
        if backend == DbBackend::Sqlite {
            sqlite::make_private(&sqlite::path(url)?, &place)?;
            return open(sqlite::options(url, false), &place).await;
        }
        open(postgres(url, 1), &place).await
    }

    /// A statement with numbered parameters (`$1`), which both databases read.
    pub fn statement(&self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    pub async fn rows(&self, statement: Statement) -> Result<Vec<QueryResult>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay::begin(&self.under_way);
        sent::note(&statement);
        // Who stops waiting gives its turn back when the database is done, and the connection is free: not before.
        let rows = match self.turns.turn().await? {
            None => self.read_rows(statement).await,
            Some(turn) => {
                let db = self.clone();
                let reading = async move {
                    let _turn = turn;
                    db.read_rows(statement).await
                };
                Finished::of(reading).await
            }
        };
        match rows {
            Ok(rows) => {
                self.rows_read.fetch_add(rows.len() as u64, Ordering::Relaxed);
                Ok(rows)
            }
            Err(cause) => Err(self.explain(cause).await),
        }
    }

    async fn read_rows(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if self.backend != DbBackend::Postgres {
            return self.read.query_all_raw(statement).await;
        }
        let pool = self.read.get_postgres_connection_pool();
        let mut txn = pool.begin_with(self.reading).await.map_err(of_driver)?;
        let (sql, values) = parts(statement);
        // Nobody waits for its end: the rollback goes out when the connection is given back.
        let rows = sqlx::query_with(sql, values).fetch_all(&mut *txn).await.map_err(of_driver)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// Gives the planner of PostgreSQL statistics of a table.
    pub async fn analyze(&self, table: &str) -> Result<()> {
        let analyzed = async {
            let mut txn = self.read.get_postgres_connection_pool().begin_with(POSTGRES_ANALYZE).await?;
            sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE \"{table}\""))).execute(&mut *txn).await?;
            txn.commit().await
        };
        analyzed.await.map_err(of_driver).map_err(database)
    }

    /// Rows of a statement on the connections that write: what it changes, or what was written a moment ago.
    pub async fn written(&self, statement: Statement) -> Result<Vec<QueryResult>> {
        if self.backend != DbBackend::Postgres {
            return self.write.query_all_raw(statement).await.map_err(database);
        }
        let mut txn = Transaction::begin(self).await?;
        let rows = txn.rows(statement).await;
        txn.finish(rows).await
    }

    /// Rows that a statement changed, in a transaction of its own.
    pub async fn change(&self, statement: Statement) -> Result<u64> {
        if self.backend != DbBackend::Postgres {
            return self.write.execute_raw(statement).await.map(|done| done.rows_affected()).map_err(database);
        }
        let mut txn = Transaction::begin(self).await?;
        let changed = txn.execute(statement).await;
        txn.finish(changed).await
    }

    /// What an error means; where the pool says only that it waited in vain, after a look at the server.
    pub async fn explain(&self, cause: DbErr) -> Error {
        database(self.place.look_into(cause).await)
    }

    /// The same trouble in words for who runs the server: where the database is, and what it said.
    pub fn for_operator(&self, error: &Error) -> Error {
        self.place.at(error)
    }

    /// Whether what is open is still what stands under its name.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says so.
    pub fn check_file(&self) -> Result<()> {
        self.place.check_file()
    }

    /// Whether what an open transaction writes ahead is still under its name.
    pub fn check_ahead(&self) -> Result<()> {
        self.place.check_ahead()
    }

    /// Closes the connection that is written with, so that the next write has a new one.
    pub async fn renew_writer(&self) {
        let closed = if self.backend == DbBackend::Postgres {
            match self.write.get_postgres_connection_pool().acquire().await {
                Ok(connection) => connection.close().await,
                Err(cause) => Err(cause),
            }
        } else {
            match self.write.get_sqlite_connection_pool().acquire().await {
                Ok(connection) => connection.close().await,
                Err(cause) => Err(cause),
            }
        };
        if let Err(cause) = closed {
            tracing::warn!(%cause, "closing the writer's connection");
        }
    }

    /// Statements that were read with, since the start.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Rows that were read since the start.
    pub fn rows_read(&self) -> u64 {
        self.rows_read.load(Ordering::Relaxed)
    }

    /// Statements that are being read with now, those that wait for a connection among them.
    pub fn reads_under_way(&self) -> u32 {
        self.under_way.load(Ordering::Relaxed)
    }

    pub async fn close(&self) {
        for pool in [&self.read, &self.write] {
            if let Err(cause) = pool.close_by_ref().await {
                tracing::warn!(%cause, "closing the database");
            }
        }
    }

    /// Acknowledged means durable only where the database flushes at commit.
    async fn check_durability(&self) -> Result<()> {
        if self.backend == DbBackend::Sqlite {
            self.check_setting("PRAGMA synchronous", "synchronous", &["2", "3"]).await?;
            return self.check_setting("PRAGMA journal_mode", "journal_mode", &["wal"]).await;
        }
        if self.setting("SHOW fsync").await? != "on" {
            tracing::warn!("PostgreSQL runs with fsync=off: a power failure can lose acknowledged records");
        }
        self.check_setting("SHOW synchronous_commit", "synchronous_commit", &["on", "remote_apply"]).await?;
        self.check_setting("SHOW server_encoding", "server_encoding", &["UTF8"]).await
    }

    async fn check_setting(&self, query: &str, name: &str, allowed: &[&str]) -> Result<()> {
        let value = self.setting(query).await?;
        if allowed.contains(&value.as_str()) {
            return Ok(());
        }
        let allowed = allowed.join(" or ");
        Err(Error::input("", format!("the database runs with {name} = {value}; Runledger needs {allowed}")))
    }

    /// A setting of the writer's connection, as text.
    async fn setting(&self, query: &str) -> Result<String> {
        let row = self.write.query_one_raw(Statement::from_string(self.backend, query)).await.map_err(database)?;
        let row = row.ok_or_else(|| Error::internal(format!("{query} gave nothing")))?;
        let text = row.try_get_by_index::<String>(0);
        text.or_else(|_| row.try_get_by_index::<i64>(0).map(|number| number.to_string())).map_err(database)
    }
}

/// Which database a URL means.
fn backend(url: &str) -> Result<DbBackend> {
    if url.starts_with("sqlite:") {
        Ok(DbBackend::Sqlite)
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(DbBackend::Postgres)
    } else {
        Err(Error::input("database_url", "the database URL is sqlite://path or postgres://user@host/name"))
    }
}

async fn open(options: ConnectOptions, place: &Place) -> Result<DatabaseConnection> {
    match Connector::connect(options).await {
        Ok(connection) => Ok(connection),
        Err(cause) => Err(place.cannot_open(cause).await),
    }
}

fn postgres(url: &str, size: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire_if_idle_for(POSTGRES_IDLE_TEST)
        .set_application_name("runledger")
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_postgres_opts(|options| options.statement_cache_capacity(STATEMENT_CACHE));
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_databases_are_refused() {
        assert!(backend("mysql://x").is_err());
    }
}
