//! SQLite's files: how they are opened, made and looked at.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection, DbBackend, Statement};

use super::super::place::Place;
use super::super::trouble::Trouble;
use super::{ACQUIRE_TIMEOUT, STATEMENT_CACHE, open};
use crate::error::{Error, Result};

/// Readers: SQLite reads from memory-mapped pages, so a few keep the cores busy.
pub(super) const READERS: u32 = 4;
/// Bytes of the file that each connection maps, 64 MiB: each counts them as memory of its own, though the pages are shared.
const MAPPED_BYTES: &str = "67108864";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows that the driver hands over at once; its default of 50 wakes the reader too often.
const ROW_BUFFER: usize = 1_024;
/// Texts prepared by the writer. Each holds the statements of a whole flush, so they are large: after requests of 1 to
/// 900 spans in fifteen sizes the process held 274 MB of its own memory with 256 of them, and 184 MB with 64.
const WRITER_CACHE: usize = 64;
/// A statement that reads the file.
const LOOK: &str = "SELECT COUNT(*) FROM sqlite_schema";
/// How long to wait before another try, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// Opens SQLite for reading. Its write-ahead log needs files beside the database; where none can be made, because the folder
/// or the disk takes no writes, a database without one is read as a file that nobody changes.
pub(super) async fn open_reader(url: &str, file: &Path, place: &Place) -> Result<DatabaseConnection> {
    let tried = async {
        let connection = Connector::connect(options(url, true)).await?;
        // The file is read with the first statement, not before.
        let looked = connection.query_one_raw(Statement::from_string(DbBackend::Sqlite, LOOK)).await;
        looked.map(|_| connection)
    };
    let cause = match tried.await {
        Ok(connection) => return Ok(connection),
        Err(cause) => cause,
    };
    if !matches!(Trouble::of(&cause), Some(Trouble::Unopenable | Trouble::ReadOnly)) || !file.is_file() {
        return Err(place.cannot_open(cause).await);
    }
    if has_log(file) {
        let message = "what was written last stands in a -wal file, which is read with files that cannot be made beside it: \
                       copy the database and its -wal to a folder that can be written to, and look there";
        return Err(Error::unavailable(format!("{place}: {message}"), RETRY_AFTER_MS));
    }
    let mut options = options(url, true);
    options.map_sqlx_sqlite_opts(|options| reading(options).immutable(true));
    open(options, place).await
}

/// Whether something was written that stands in no other file.
fn has_log(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Makes a SQLite file that is missing, for its owner alone; the files that SQLite puts beside it are made alike.
pub(super) fn make_private(file: &Path, place: &Place) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(Error::unavailable(format!("{place}: it cannot be made: {cause}"), RETRY_AFTER_MS)),
    }
}

/// Refuses what would only fail later or lose data at exit; gives the file.
pub(in crate::store) fn path(url: &str) -> Result<PathBuf> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        let message =
            "an in-memory database keeps no evidence and has one connection; name a file: sqlite://runledger.db";
        return Err(Error::input("database_url", message));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|cause| Error::input("database_url", format!("the SQLite URL does not parse: {cause}")))?;
    let file = options.get_filename().to_path_buf();
    if file.is_dir() {
        let message = format!("SQLite file {} cannot be opened: it is a folder; name a file in it", file.display());
        return Err(Error::input("database_url", message));
    }
    match file.parent() {
        Some(parent) if parent != Path::new("") && !parent.is_dir() => {
            let parent = parent.display();
            Err(Error::input("database_url", format!("the folder {parent} does not exist; create it first")))
        }
        _ => Ok(file),
    }
}

/// What readers and the writer of SQLite have in common.
fn common(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .row_buffer_size(ROW_BUFFER)
        .pragma("mmap_size", MAPPED_BYTES)
        .pragma("temp_store", "MEMORY")
}

fn reading(options: SqliteConnectOptions) -> SqliteConnectOptions {
    common(options).statement_cache_capacity(STATEMENT_CACHE).read_only(true)
}

/// Connections of a reader or of the one writer.
pub(super) fn options(url: &str, is_reader: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(if is_reader { READERS } else { 1 })
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| {
            if is_reader {
                return reading(options);
            }
            common(options)
                .statement_cache_capacity(WRITER_CACHE)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .pragma("cache_size", "-16384")
                // What is erased is overwritten, not only unlinked.
                .pragma("secure_delete", "ON")
                // Each checkpoint syncs and writes every changed page once: less often is less work.
                .pragma("wal_autocheckpoint", "8000")
                .pragma("journal_size_limit", "67108864")
        });
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_keep_evidence() {
        for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite://x?mode=memory", "sqlite:///no/such/folder/x.db"] {
            assert!(path(url).is_err(), "{url}");
        }
        assert!(path("sqlite://x.db").is_ok());
    }

    #[test]
    fn a_file_is_made_for_its_owner_alone_and_never_made_anew() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.db");
        let place = Place::of(&format!("sqlite://{}", file.display())).expect("parses");
        make_private(&file, &place).expect("made");
        assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "text").expect("written");
        make_private(&file, &place).expect("there");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "text");
        let refused = make_private(&folder.path().join("no/x.db"), &place).expect_err("no such folder");
        assert!(refused.message().contains("x.db: it cannot be made"), "{refused:?}");
    }
}
