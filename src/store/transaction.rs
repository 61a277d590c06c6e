//! The one way to open a transaction, for the writer and for everyone else.
//!
//! SQLite rolls a transaction back by itself when its disk is full or fails. A driver that counts transactions does not
//! notice: its next BEGIN becomes a SAVEPOINT inside a transaction that nobody commits, and everything acknowledged from
//! then on is lost. So BEGIN, COMMIT and ROLLBACK are plain statements here, which fail where they do not fit, and:
//! - a connection on which one of them failed is closed, never used again; so is one whose transaction was left open, and one
//!   that met trouble of the database, such as a server that has become a standby since;
//! - after a statement that failed nothing more is run, and nothing is committed: what SQLite has rolled back would go on
//!   in statements that each commit alone, and PostgreSQL answers such a COMMIT with a friendly ROLLBACK.

use std::sync::Arc;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres, Sqlite};
use sea_orm::{DbBackend, DbErr, QueryResult, Statement, Values};
use sea_query_sqlx::SqlxValues;

use super::database::{Database, sent};
use super::error::{database, of_driver, said, uncommitted};
use super::trouble::Trouble;
use crate::error::{Error, Result};

/// Connections that are tried for one transaction: one that waited in the pool may have broken there.
const TRIES: usize = 2;

/// How a write begins on PostgreSQL. Settings are the transaction's, so that a pooler cannot lose them. The writer looks keys
/// up, few in a flush, in tables that may have grown since they were last analyzed: always by index.
const BEGIN: &str = "BEGIN; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                     SET LOCAL enable_mergejoin = off";

enum Connection {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

/// Runs an expression with the connection of either database.
macro_rules! with {
    ($connection:expr, $inner:ident => $run:expr) => {
        match $connection {
            Connection::Postgres($inner) => $run,
            Connection::Sqlite($inner) => $run,
        }
    };
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    /// A statement failed: all that is left is to roll back.
    Failed,
    Ended,
}

/// A transaction. Dropped without an end, it ends with its connection, which is closed.
pub(super) struct Transaction {
    connection: Connection,
    state: State,
    /// The database was in trouble: whatever comes next goes over another connection.
    is_suspect: bool,
}

impl Transaction {
    /// Begins; on SQLite with the write lock, as a transaction that takes it later fails as busy. A connection that is inside
    /// a transaction already does not begin another: SQLite refuses, and it is closed.
    pub async fn begin(db: &Database) -> Result<Self> {
        let mut tries = 1;
        loop {
            let mut begun = Self { connection: acquire(db).await?, state: State::Failed, is_suspect: false };
            let begin = if db.backend == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { BEGIN };
            match begun.run(begin).await {
                Ok(()) => {
                    begun.state = State::Open;
                    return Ok(begun);
                }
                // Dropping it closes its connection.
                Err(cause) if tries < TRIES && Trouble::of(&cause) != Some(Trouble::Locked) => {
                    tracing::warn!(cause = %said(&cause), "a connection that begins no transaction is closed");
                    tries += 1;
                }
                Err(cause) => return Err(database(cause)),
            }
        }
    }

    pub const fn backend(&self) -> DbBackend {
        match self.connection {
            Connection::Postgres(_) => DbBackend::Postgres,
            Connection::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    /// What a statement selects.
    pub async fn rows(&mut self, statement: Statement) -> Result<Vec<QueryResult>> {
        self.check_open()?;
        sent::note(&statement);
        let (sql, values) = parts(statement);
        let rows = with!(&mut self.connection, connection => {
            let rows = sqlx::query_with(sql, values).fetch_all(&mut **connection).await;
            rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
        });
        self.note(rows)
    }

    /// Rows that a statement changed.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.check_open()?;
        sent::note(&statement);
        let (sql, values) = parts(statement);
        let done = with!(&mut self.connection, connection => {
            let done = sqlx::query_with(sql, values).execute(&mut **connection).await;
            done.map(|done| done.rows_affected())
        });
        self.note(done)
    }

    /// Writes rows that are bound as columns, which PostgreSQL alone takes.
    pub async fn execute_columns(&mut self, sql: Arc<str>, columns: PgArguments) -> Result<()> {
        self.check_open()?;
        sent::note_columns(&sql);
        let Connection::Postgres(connection) = &mut self.connection else {
            return Err(Error::internal("columns are bound on PostgreSQL only"));
        };
        let done = sqlx::query_with(AssertSqlSafe(sql), columns).execute(&mut **connection).await;
        self.note(done.map(drop))
    }

    /// Marks a place to come back to with [`Self::undo`].
    pub async fn mark(&mut self) -> Result<()> {
        self.check_open()?;
        self.run("SAVEPOINT mark").await.map_err(database)
    }

    /// Takes back everything since the mark, a statement that failed included. It fails where the database has rolled all of
    /// the transaction back by itself.
    pub async fn undo(&mut self) -> Result<()> {
        self.state = State::Failed;
        for sql in ["ROLLBACK TO SAVEPOINT mark", "RELEASE SAVEPOINT mark"] {
            self.run(sql).await.map_err(database)?;
        }
        self.state = State::Open;
        Ok(())
    }

    /// Commits; what failed to commit may be there or not.
    pub async fn commit(mut self) -> Result<()> {
        self.check_open()?;
        // Until it is known to have ended, dropping it closes the connection.
        self.state = State::Failed;
        self.run("COMMIT").await.map_err(uncommitted)?;
        self.state = State::Ended;
        Ok(())
    }

    /// Takes everything back. Where that fails, closing the connection does it.
    pub async fn rollback(mut self) {
        if self.is_suspect {
            return;
        }
        match self.run("ROLLBACK").await {
            Ok(()) => self.state = State::Ended,
            Err(cause) => tracing::warn!(cause = %said(&cause), "a connection that does not roll back is closed"),
        }
    }

    /// Commits what went well, and takes back what did not.
    pub async fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => self.commit().await.map(|()| value),
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), DbErr> {
        let done =
            with!(&mut self.connection, connection => sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop));
        done.map_err(of_driver)
    }

    fn check_open(&self) -> Result<()> {
        if self.state == State::Open {
            return Ok(());
        }
        Err(Error::internal("a statement of this transaction failed: nothing more is done in it"))
    }

    fn note<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T> {
        done.map_err(|cause| {
            self.state = State::Failed;
            self.is_suspect |= Trouble::of_driver(&cause).is_some();
            database(of_driver(cause))
        })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.state != State::Ended {
            with!(&mut self.connection, connection => connection.close_on_drop());
        }
    }
}

async fn acquire(db: &Database) -> Result<Connection> {
    let acquired = if db.backend == DbBackend::Postgres {
        db.write.get_postgres_connection_pool().acquire().await.map(Connection::Postgres)
    } else {
        db.write.get_sqlite_connection_pool().acquire().await.map(Connection::Sqlite)
    };
    match acquired {
        Ok(connection) => Ok(connection),
        Err(cause) => Err(db.explain(of_driver(cause)).await),
    }
}

/// A statement's text and values, as the driver takes them.
pub(super) fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    (AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or(Values(Vec::new()))))
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;
    use crate::error::Code;

    /// A fresh SQLite database with a table, in production settings.
    async fn fresh(folder: &tempfile::TempDir) -> Database {
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let db = Database::connect(&url, 1).await.expect("connects");
        db.write.execute_unprepared("CREATE TABLE t (name TEXT NOT NULL)").await.expect("a table");
        db
    }

    async fn write(txn: &mut Transaction, name: &str) -> Result<u64> {
        txn.execute(Statement::from_sql_and_values(DbBackend::Sqlite, "INSERT INTO t VALUES ($1)", [name.into()])).await
    }

    /// What another connection sees.
    async fn seen(db: &Database) -> i64 {
        let rows = db.rows(db.statement("SELECT COUNT(*) FROM t", [])).await.expect("read");
        rows[0].try_get_by_index(0).expect("a number")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_committed_after_a_full_database_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = fresh(&folder).await;
        for round in 1..=2 {
            db.write.execute_unprepared("PRAGMA max_page_count = 8").await.expect("a limit");
            let mut txn = Transaction::begin(&db).await.expect("begun");
            write(&mut txn, "small").await.expect("room for one");
            let full = write(&mut txn, &"large".repeat(100_000)).await.expect_err("no room");
            assert_eq!((full.code(), full.message()), (Code::Unavailable, Trouble::Full.words().as_str()));
            // SQLite has rolled back: a statement would commit alone, and a commit would commit nothing.
            assert!(write(&mut txn, "alone").await.is_err());
            assert!(txn.commit().await.is_err());
            // The limit was the connection's, which is gone.
            let mut txn = Transaction::begin(&db).await.expect("begun");
            write(&mut txn, "after").await.expect("written");
            txn.commit().await.expect("committed");
            assert_eq!(seen(&db).await, round, "round {round}");
        }
        db.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_inside_a_transaction_begins_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = fresh(&folder).await;
        // As a driver leaves it that has lost count.
        db.write.execute_unprepared("BEGIN").await.expect("begun");
        let mut txn = Transaction::begin(&db).await.expect("begun on another");
        write(&mut txn, "kept").await.expect("written");
        txn.commit().await.expect("committed");
        assert_eq!(seen(&db).await, 1);
        db.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_left_open_is_undone() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = fresh(&folder).await;
        let mut txn = Transaction::begin(&db).await.expect("begun");
        write(&mut txn, "left").await.expect("written");
        drop(txn);
        let mut txn = Transaction::begin(&db).await.expect("begun");
        txn.mark().await.expect("marked");
        write(&mut txn, "undone").await.expect("written");
        assert!(txn.execute(db.statement("INSERT INTO t VALUES (NULL)", [])).await.is_err());
        txn.undo().await.expect("undone");
        write(&mut txn, "kept").await.expect("written");
        txn.commit().await.expect("committed");
        assert_eq!(seen(&db).await, 1);
        db.close().await;
    }
}
