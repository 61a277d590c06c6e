//! Who uses a database: one process serves a SQLite file, several may share a database of PostgreSQL; and nobody takes tables
//! away from under them. On SQLite a lock on a file beside the database says so, on PostgreSQL a lock that each connection
//! that may write holds. Either is gone with its process, however that ends.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::super::error::database;
use super::sqlite;
use crate::error::{Code, Error, Result};

/// How the file that is locked ends.
const SUFFIX: &str = "-lock";
/// The most that is read of what it holds.
const HOLDER_BYTES_MAX: u64 = 512;
/// Held by each connection that may write, shared; and by whoever takes the schema back, alone.
const SHARED: &str = "SELECT pg_advisory_lock_shared(7824013550219)";
const ALONE: &str = "SELECT pg_try_advisory_lock(7824013550219)";
/// A connection that was closed holds it for a moment.
const TRIES: u32 = 20;
const TRY_EVERY: Duration = Duration::from_millis(100);
/// The connections that hold it. A role that may not know of others' sees their number alone.
const HOLDERS: &str = "SELECT COUNT(*), CAST(COALESCE(STRING_AGG(DISTINCT COALESCE(host(a.client_addr), 'this machine'), ', '), '') \
    AS TEXT) FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid() \
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    AND (CAST(l.classid AS BIGINT) << 32) + CAST(l.objid AS BIGINT) = 7824013550219";

/// A database that this process serves or changes, until this is dropped.
#[derive(Debug)]
pub struct Serving {
    file: Option<(File, PathBuf)>,
}

impl Serving {
    /// Takes a SQLite file for one process, which others are told of as `holder`. Of PostgreSQL it takes nothing: there each
    /// connection says for itself that it is used.
    ///
    /// # Errors
    /// `CONFLICT` that says who has the file; `UNAVAILABLE` where no lock can be had; `BAD_USER_INPUT` for a wrong URL.
    pub fn begin(database_url: &str, holder: &str) -> Result<Self> {
        if !database_url.starts_with("sqlite:") {
            return Ok(Self { file: None });
        }
        let database = sqlite::path(database_url)?;
        refuse_second_name(&database)?;
        let path = lock_path(&database);
        let trouble = |cause: std::io::Error| {
            let message = format!("{}: no lock can be had that keeps other servers away: {cause}", path.display());
            Error::unavailable(message, 1_000)
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(trouble)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(cause)) => return Err(trouble(cause)),
            Err(TryLockError::WouldBlock) => return Err(taken(&database, &file)),
        }
        // Whom to name is a courtesy: on a full disk the lock stands all the same.
        if let Err(cause) = file.set_len(0).and_then(|()| (&file).write_all(holder.as_bytes())) {
            tracing::warn!(%cause, path = %path.display(), "others are not told who has the database");
        }
        Ok(Self { file: Some((file, path)) })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The file stays: who waited for its lock would have one that is gone from the folder.
        if let Some((file, path)) = &self.file
            && let Err(cause) = file.set_len(0)
        {
            tracing::warn!(%cause, path = %path.display(), "a lock's file names a process that has ended");
        }
    }
}

/// A file with two names would have two locks, and two files that are written ahead.
///
/// # Errors
/// `CONFLICT` that says so.
fn refuse_second_name(database: &Path) -> Result<()> {
    #[cfg(unix)]
    if std::fs::metadata(database).is_ok_and(|found| std::os::unix::fs::MetadataExt::nlink(&found) > 1) {
        let message = format!(
            "SQLite file {} has a second name (a hard link), under which another process could write to it: remove that one, or \
             make the copy with cp",
            database.display()
        );
        return Err(Error::new(Code::Conflict, message));
    }
    Ok(())
}

/// Beside the file itself, whatever links lead to it.
fn lock_path(database: &Path) -> PathBuf {
    let real = std::fs::canonicalize(database).unwrap_or_else(|_| match (database.parent(), database.file_name()) {
        (Some(parent), Some(name)) if parent != Path::new("") => {
            std::fs::canonicalize(parent).map_or_else(|_| database.to_path_buf(), |parent| parent.join(name))
        }
        _ => database.to_path_buf(),
    });
    let mut path: OsString = real.into_os_string();
    path.push(SUFFIX);
    path.into()
}

fn taken(database: &Path, lock: &File) -> Error {
    let mut holder = String::new();
    // What cannot be read names nobody; that it is taken is known.
    let read = lock.take(HOLDER_BYTES_MAX).read_to_string(&mut holder);
    let holder: String = holder.chars().filter(|c| !c.is_control()).collect();
    let holder = if read.is_ok() && !holder.is_empty() { holder } else { "another process".to_owned() };
    let message = format!(
        "SQLite file {} is taken by {holder}. One process at a time serves it or takes its schema back: stop that one, or name \
         another database",
        database.display()
    );
    Error::new(Code::Conflict, message)
}

/// Has each connection of a pool say that the database is used. It waits while somebody takes the schema back.
pub(super) fn hold(options: &mut ConnectOptions) {
    options.map_sqlx_postgres_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move { sqlx::query(SHARED).execute(&mut *connection).await.map(drop) })
        })
    });
}

/// Makes sure that nobody else uses a database of PostgreSQL while this connection, the only one of its pool, is open.
///
/// # Errors
/// `CONFLICT` that says from where it is used.
pub(in crate::store) async fn claim(connection: &DatabaseConnection) -> Result<()> {
    if connection.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let ask = async |sql: &str| {
        let row = connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.map_err(database)?;
        row.ok_or_else(|| Error::internal("a lock without an answer"))
    };
    for tried in 0..TRIES {
        if tried > 0 {
            tokio::time::sleep(TRY_EVERY).await;
        }
        if ask(ALONE).await?.try_get_by_index(0).map_err(database)? {
            return Ok(());
        }
    }
    let holders = ask(HOLDERS).await?;
    let count: i64 = holders.try_get_by_index(0).map_err(database)?;
    let places: String = holders.try_get_by_index(1).map_err(database)?;
    let message = format!(
        "the database is in use: Runledger has {count} connections to it, from {places}. Stop every server and command that \
         uses it first; nothing was changed"
    );
    Err(Error::new(Code::Conflict, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_once_whatever_its_name_and_free_again_afterwards() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        std::fs::write(folder.path().join("x.db"), "").expect("a file");
        std::os::unix::fs::symlink("x.db", folder.path().join("link.db")).expect("a link");
        let first = Serving::begin(&url("x.db"), "runledger serve, process 7").expect("free");
        for name in ["x.db", "link.db"] {
            let refused = Serving::begin(&url(name), "another").expect_err("taken");
            assert_eq!(refused.code(), Code::Conflict);
            assert!(refused.message().contains("taken by runledger serve, process 7. One"), "{refused:?}");
        }
        let other = Serving::begin(&url("y.db"), "a third").expect("another file");
        drop((first, other));
        std::fs::hard_link(folder.path().join("x.db"), folder.path().join("second.db")).expect("a second name");
        let refused = Serving::begin(&url("second.db"), "another").expect_err("two names");
        assert!(refused.message().contains("hard link"), "{refused:?}");
        std::fs::remove_file(folder.path().join("second.db")).expect("removed");
        Serving::begin(&url("link.db"), "the next").expect("free again");
        assert!(Serving::begin("postgres://nowhere/x", "a server").expect("several may").file.is_none());
    }
}
