//! What the databases say, as our one [`Error`]: the only place that looks at a `DbErr`.

use sea_orm::sqlx::Error as DriverError;
use sea_orm::sqlx::error::{DatabaseError, ErrorKind};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::error::{Code, Error};

/// How long to wait before another try when the database does not take a statement, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// A row that holds what nothing of ours writes.
#[derive(Debug, thiserror::Error)]
#[error("corrupt row: {table}.{column} of row {row}: {problem}")]
pub(super) struct CorruptRow {
    pub table: &'static str,
    pub column: String,
    pub row: String,
    pub problem: String,
}

/// CONFLICT for a taken key, UNAVAILABLE for what may pass by itself, TIMEOUT for a cancelled statement, BAD_USER_INPUT
/// for a value that the schema refuses, INTERNAL for anything else.
pub(super) fn database(error: DbErr) -> Error {
    if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
        return Error::new(Code::Conflict, "a record with this key is on record already");
    }
    match &error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => unavailable(&error),
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            match cause.as_ref() {
                DriverError::Database(cause) => refused(&error, cause.as_ref()),
                DriverError::Io(_)
                | DriverError::Tls(_)
                | DriverError::Protocol(_)
                | DriverError::PoolTimedOut
                | DriverError::PoolClosed
                | DriverError::WorkerCrashed => unavailable(&error),
                _ => Error::internal(error),
            }
        }
        _ => Error::internal(error),
    }
}

/// UNAVAILABLE, with the cause in the log.
pub(super) fn unavailable(cause: &dyn std::fmt::Display) -> Error {
    tracing::warn!(%cause, "the database is unavailable");
    Error::unavailable("the database does not take this now; try again", RETRY_AFTER_MS)
}

fn refused(error: &DbErr, cause: &dyn DatabaseError) -> Error {
    match cause.kind() {
        ErrorKind::CheckViolation | ErrorKind::NotNullViolation => value(error),
        _ => match Trouble::of(cause) {
            Some(Trouble::Value) => value(error),
            Some(Trouble::Passing) => unavailable(error),
            Some(Trouble::Cancelled) => Error::new(Code::Timeout, "the query took longer than allowed; narrow it"),
            None => Error::internal(error.clone()),
        },
    }
}

/// BAD_USER_INPUT, with the cause in the log.
fn value(cause: &DbErr) -> Error {
    tracing::warn!(%cause, "the schema refused a value");
    Error::input("", "a value lies outside what can be recorded")
}

/// What constraints do not tell.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// A value that its column cannot hold.
    Value,
    /// Busy, locked, full, read-only, restarting, out of connections, or a lost race: another try may succeed.
    Passing,
    /// The statement was cancelled, by its time limit or an operator.
    Cancelled,
}

impl Trouble {
    /// From the driver's own classification. `sql_err()` and `kind()` know constraints only, so this needs the code.
    fn of(cause: &dyn DatabaseError) -> Option<Self> {
        let code = cause.code()?;
        if cause.try_downcast_ref::<sea_orm::sqlx::sqlite::SqliteError>().is_some() {
            Self::of_sqlite(code.parse().ok()?)
        } else {
            Self::of_postgres(&code)
        }
    }

    /// Primary result codes: BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN; INTERRUPT. 3091 is CONSTRAINT_DATATYPE.
    fn of_sqlite(code: i32) -> Option<Self> {
        match code & 0xff {
            _ if code == 3091 => Some(Self::Value),
            5 | 6 | 8 | 10 | 13 | 14 => Some(Self::Passing),
            9 => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// Classes: connection, rollback, resources, operator, system; lock not available, read-only as a standby is; data
    /// exception.
    fn of_postgres(code: &str) -> Option<Self> {
        match code {
            "57014" => Some(Self::Cancelled),
            "55P03" | "25006" => Some(Self::Passing),
            _ if code.starts_with("22") => Some(Self::Value),
            _ => matches!(code.get(..2), Some("08" | "40" | "53" | "57" | "58")).then_some(Self::Passing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_trouble_is_told_from_refusals() {
        assert_eq!(Trouble::of_sqlite(517), Some(Trouble::Passing), "BUSY_SNAPSHOT");
        assert_eq!(Trouble::of_sqlite(1811), None, "a trigger's refusal");
        assert_eq!(Trouble::of_postgres("40P01"), Some(Trouble::Passing), "deadlock");
        assert_eq!(Trouble::of_postgres("25006"), Some(Trouble::Passing), "read-only");
        assert_eq!(Trouble::of_sqlite(8), Some(Trouble::Passing), "READONLY");
        assert_eq!(Trouble::of_postgres("57014"), Some(Trouble::Cancelled));
        assert_eq!(Trouble::of_postgres("22003"), Some(Trouble::Value), "out of range");
        assert_eq!(Trouble::of_sqlite(3091), Some(Trouble::Value), "a REAL for an INTEGER");
        assert_eq!(Trouble::of_postgres("P0001"), None, "a trigger's refusal");
    }

    #[test]
    fn a_pool_that_gives_no_connection_is_unavailable() {
        let error = database(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout));
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(error.detail(), &crate::error::Detail::RetryAfterMs(RETRY_AFTER_MS));
        assert_eq!(database(DbErr::Custom("x".to_owned())).code(), Code::Internal);
    }
}
