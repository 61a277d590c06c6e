//! What the databases say, as our one [`Error`]: the only place that looks at a `DbErr`.

use std::sync::Arc;

use sea_orm::sqlx::Error as DriverError;
use sea_orm::sqlx::error::{DatabaseError, ErrorKind};
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use super::trouble::Trouble;
use crate::error::{Code, Error};

/// How long to wait before another try when the database does not take a statement, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// What a database or its driver said, without the line of its own source in which it did; of the database also its code.
#[derive(Debug)]
pub(super) struct Said(DbErr);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let driver = match &self.0 {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause,
            other => return other.fmt(f),
        };
        let Some(said) = driver.as_database_error() else { return driver.fmt(f) };
        f.write_str(said.message())?;
        said.code().map_or(Ok(()), |code| write!(f, ", code {code}"))
    }
}

impl std::error::Error for Said {}

/// What a cause said, for a line in the log.
pub(super) fn said(cause: &DbErr) -> Said {
    Said(cause.clone())
}

/// An error in words for the person who runs the server: what is wrong, what they can do, and what the database said.
#[must_use]
pub fn for_operator(error: &Error) -> String {
    let Some(cause) = error.cause() else { return error.message().to_owned() };
    match trouble_of(error) {
        Some(trouble) => format!("{}{} ({cause})", trouble.what(), trouble.remedy()),
        None => format!("{}: {cause}", error.message()),
    }
}

/// What ails the database, where an error comes from that.
pub(super) fn trouble_of(error: &Error) -> Option<Trouble> {
    error.cause().and_then(|cause| cause.downcast_ref::<Said>()).and_then(|said| Trouble::of(&said.0))
}

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
    if let Some(trouble) = Trouble::of(&error) {
        return troubled(trouble, error);
    }
    match &error {
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            match cause.as_ref() {
                DriverError::Database(cause) => refused(&error, cause.as_ref()),
                _ => Error::internal(Said(error)),
            }
        }
        _ => Error::internal(Said(error)),
    }
}

/// As SeaORM reports what the driver says.
pub(super) fn of_driver(error: DriverError) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// UNAVAILABLE in the words of the trouble, with what the database said as its cause. Whoever ends up with the error says
/// it, once: to a log, a caller or a person.
pub(super) fn troubled(trouble: Trouble, cause: DbErr) -> Error {
    let said = Said(cause);
    tracing::debug!(cause = %said, "the database is in trouble");
    Error::unavailable(trouble.words(), RETRY_AFTER_MS).because(said)
}

/// UNAVAILABLE for a commit without a good answer: whether it took place is unknown, so the same is to be sent again.
pub(super) fn uncommitted(cause: DbErr) -> Error {
    match Trouble::of(&cause) {
        Some(trouble) => troubled(trouble, cause),
        None => unavailable("the database did not commit; send it again", Said(cause)),
    }
}

/// UNAVAILABLE with the cause in the log.
pub(super) fn unavailable(message: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    tracing::warn!(cause = %cause, "the database is unavailable");
    Error::unavailable(message, RETRY_AFTER_MS).because(cause)
}

fn refused(error: &DbErr, cause: &dyn DatabaseError) -> Error {
    match cause.kind() {
        ErrorKind::CheckViolation | ErrorKind::NotNullViolation => value(error),
        _ => match Refusal::of(cause) {
            Some(Refusal::Value) => value(error),
            Some(Refusal::Cancelled) => Error::new(Code::Timeout, "the query took longer than allowed; narrow it"),
            None => Error::internal(Said(error.clone())),
        },
    }
}

/// BAD_USER_INPUT, with the cause in the log.
fn value(cause: &DbErr) -> Error {
    tracing::warn!(cause = %said(cause), "the schema refused a value");
    Error::input("", "a value lies outside what can be recorded")
}

/// What constraints do not tell, and what is no trouble of the database.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// A value that its column cannot hold.
    Value,
    /// The statement was cancelled, by its time limit or an operator.
    Cancelled,
}

impl Refusal {
    fn of(cause: &dyn DatabaseError) -> Option<Self> {
        let code = cause.code()?;
        if cause.try_downcast_ref::<SqliteError>().is_some() {
            Self::of_sqlite(code.parse().ok()?)
        } else {
            Self::of_postgres(&code)
        }
    }

    /// CONSTRAINT_DATATYPE; INTERRUPT.
    fn of_sqlite(code: i32) -> Option<Self> {
        match code {
            3091 => Some(Self::Value),
            _ if code & 0xff == 9 => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// Data exception; query cancelled.
    fn of_postgres(code: &str) -> Option<Self> {
        match code {
            "57014" => Some(Self::Cancelled),
            _ => code.starts_with("22").then_some(Self::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_time_limits_are_told_from_the_rest() {
        assert_eq!(Refusal::of_sqlite(1811), None, "a trigger's refusal");
        assert_eq!(Refusal::of_postgres("57014"), Some(Refusal::Cancelled));
        assert_eq!(Refusal::of_postgres("22003"), Some(Refusal::Value), "out of range");
        assert_eq!(Refusal::of_sqlite(3091), Some(Refusal::Value), "a REAL for an INTEGER");
        assert_eq!(Refusal::of_postgres("P0001"), None, "a trigger's refusal");
    }

    #[test]
    fn a_pool_that_gives_no_connection_is_unavailable() {
        let error = database(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout));
        assert_eq!(error.code(), Code::Unavailable);
        assert_eq!(error.detail(), &crate::error::Detail::RetryAfterMs(RETRY_AFTER_MS));
        assert_eq!(database(DbErr::Custom("x".to_owned())).code(), Code::Internal);
    }
}
