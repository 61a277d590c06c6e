//! The writer's transaction. On PostgreSQL it is the driver's own: a flush binds whole columns there, which SeaORM's values
//! cannot hold where nulls are among them, and would copy twice.

use std::sync::Arc;

use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, RuntimeErr, Statement, Values};
use sea_query_sqlx::SqlxValues;

use super::super::database::Database;
use super::super::error::database;
use crate::error::{Error, Result};

/// A transaction of one of the two.
pub(super) enum Txn {
    Postgres(sqlx::Transaction<'static, Postgres>),
    Sqlite(DatabaseTransaction),
}

impl Txn {
    /// Begins; on SQLite with the write lock.
    pub async fn begin(db: &Database) -> Result<Self> {
        match db.backend {
            DbBackend::Postgres => {
                let pool = db.write.get_postgres_connection_pool();
                pool.begin().await.map(Self::Postgres).map_err(refused)
            }
            _ => db.begin().await.map(Self::Sqlite),
        }
    }

    pub const fn backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    /// What a statement selects.
    pub async fn rows(&mut self, statement: Statement) -> Result<Vec<QueryResult>> {
        match self {
            Self::Postgres(txn) => {
                let rows = query(statement).fetch_all(&mut **txn).await.map_err(refused)?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Self::Sqlite(txn) => txn.query_all_raw(statement).await.map_err(database),
        }
    }

    /// Rows that a statement changed.
    pub async fn execute(&mut self, statement: Statement) -> Result<u64> {
        match self {
            Self::Postgres(txn) => {
                let done = query(statement).execute(&mut **txn).await.map_err(refused)?;
                Ok(done.rows_affected())
            }
            Self::Sqlite(txn) => txn.execute_raw(statement).await.map(|done| done.rows_affected()).map_err(database),
        }
    }

    /// A command without parameters.
    pub async fn command(&mut self, sql: &'static str) -> Result<()> {
        match self {
            Self::Postgres(txn) => {
                let done = sqlx::raw_sql(sql).execute(&mut **txn).await;
                done.map(drop).map_err(refused)
            }
            Self::Sqlite(txn) => txn.execute_unprepared(sql).await.map(drop).map_err(database),
        }
    }

    pub async fn commit(self) -> std::result::Result<(), DbErr> {
        match self {
            Self::Postgres(txn) => txn.commit().await.map_err(of_driver),
            Self::Sqlite(txn) => txn.commit().await,
        }
    }

    pub async fn rollback(self) -> std::result::Result<(), DbErr> {
        match self {
            Self::Postgres(txn) => txn.rollback().await.map_err(of_driver),
            Self::Sqlite(txn) => txn.rollback().await,
        }
    }
}

/// Writes rows that are bound as columns.
pub(super) async fn write_columns(
    txn: &mut sqlx::Transaction<'static, Postgres>,
    sql: Arc<str>,
    columns: PgArguments,
) -> Result<()> {
    let query = sqlx::query_with(AssertSqlSafe(sql), columns);
    query.execute(&mut **txn).await.map(drop).map_err(refused)
}

fn query(statement: Statement) -> sqlx::query::Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or(Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

fn refused(error: sqlx::Error) -> Error {
    database(of_driver(error))
}

/// As SeaORM reports what the driver says.
fn of_driver(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
