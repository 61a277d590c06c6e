//! The schema's version: `migrate up`, `down`, `status`, and the check at start.

use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};

use super::database::{Database, Serving, serving};
use super::error::{database, uncommitted};
use super::holdings::missing_file;
use super::place::Place;
use crate::error::{Error, Result};

/// Held while the schema changes, so that processes that start together do not apply a change twice.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7824013550218)";

/// Applies every change that is outstanding; gives the names of those it applied.
///
/// # Errors
/// `UNAVAILABLE` when the database cannot be reached, `BAD_USER_INPUT` when the URL is wrong.
pub async fn up(database_url: &str) -> Result<Vec<String>> {
    let connection = Database::connect_writer(database_url).await?;
    let applied = up_on(&connection).await;
    connection.close().await.map_err(database)?;
    let place = Place::of(database_url)?;
    applied.map_err(|error| place.at(&error))
}

/// Reverts the newest `steps` changes, with everything that is in their tables; gives their names, newest first.
///
/// # Errors
/// As for [`up`]; `CONFLICT` while somebody serves the database.
pub async fn down(database_url: &str, steps: u32) -> Result<Vec<String>> {
    let _alone = Serving::begin(database_url, "runledger migrate down")?;
    let connection = Database::connect_writer(database_url).await?;
    let reverted = async {
        serving::claim(&connection).await?;
        let mut names = names(&connection, MigrationStatus::Applied).await?;
        names.reverse();
        names.truncate(usize::try_from(steps).unwrap_or(usize::MAX));
        Migrator::down(&connection, Some(steps)).await.map_err(database)?;
        Ok(names)
    };
    let reverted: Result<Vec<String>> = reverted.await;
    connection.close().await.map_err(database)?;
    let place = Place::of(database_url)?;
    reverted.map_err(|error| place.at(&error))
}

/// Every change by name, oldest first, and whether it is applied. Nothing is changed or made: of a SQLite file that does
/// not exist no change is applied.
///
/// # Errors
/// As for [`up`].
pub async fn status(database_url: &str) -> Result<Vec<(String, bool)>> {
    if missing_file(database_url)?.is_some() {
        return Ok(Migrator::migrations().iter().map(|change| (change.name().to_owned(), false)).collect());
    }
    let db = Database::connect_reader(database_url, 1).await?;
    let status = Migrator::get_migration_with_status_read_only(&db.read).await.map_err(database);
    db.close().await;
    Ok(status?
        .iter()
        .map(|migration| (migration.name().to_owned(), migration.status() == MigrationStatus::Applied))
        .collect())
}

/// The changes, applied in one transaction: a disk that is full half-way leaves the schema as it was. On SQLite it holds the
/// write lock from its beginning. When it fails the process gives up, with the connection.
pub(super) async fn up_on(connection: &DatabaseConnection) -> Result<Vec<String>> {
    let is_postgres = connection.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        sqlite_transaction_mode: (!is_postgres).then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    if names(connection, MigrationStatus::Pending).await?.is_empty() {
        return Ok(Vec::new());
    }
    let txn = connection.begin_with_options(options).await.map_err(database)?;
    if is_postgres {
        txn.execute_raw(Statement::from_string(DbBackend::Postgres, ADVISORY_LOCK)).await.map_err(database)?;
    }
    let pending = names(&txn, MigrationStatus::Pending).await?;
    Migrator::up(&txn, None).await.map_err(database)?;
    txn.commit().await.map_err(uncommitted)?;
    Ok(pending)
}

/// Refuses a database that lacks changes.
pub(super) async fn check(connection: &DatabaseConnection) -> Result<()> {
    match names(connection, MigrationStatus::Pending).await?.as_slice() {
        [] => Ok(()),
        pending => {
            Err(Error::input("", format!("the database lacks {}; run `runledger migrate up`", pending.join(", "))))
        }
    }
}

async fn names<C: ConnectionTrait>(connection: &C, status: MigrationStatus) -> Result<Vec<String>> {
    let all = Migrator::get_migration_with_status_read_only(connection).await.map_err(database)?;
    Ok(all.iter().filter(|one| one.status() == status).map(|one| one.name().to_owned()).collect())
}
