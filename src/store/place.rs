//! Where the database is, in words that hold no secret; and a look at it when the pool cannot say what is wrong.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sea_orm::DbErr;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use super::error::{database, for_operator, of_driver, trouble_of};
use super::trouble::Trouble;
use crate::error::{Code, Error, Result};

/// How long a look at a server may take.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// How long what was seen is believed: those who wait for one server make one look at it together.
const LOOK_KEPT: Duration = Duration::from_secs(1);
/// How long to wait before another try, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// A server asks for a password, and there is none to give.
const NO_PASSWORD: &str = "the database server asks for a password, and none was given: write it into --database-url \
                           (postgres://USER:PASSWORD@HOST/NAME), or set PGPASSWORD or ~/.pgpass";

/// Device and number of a file: another one under the same name has others.
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Elsewhere an open file can be neither removed nor replaced.
#[cfg(not(unix))]
fn file_id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().map(|_| (0, 0))
}

/// Where the database is.
pub(super) struct Place {
    name: String,
    server: Option<PgConnectOptions>,
    /// Whether a password was given for the server, wherever it was taken from.
    has_password: bool,
    /// SQLite's file, and which one it was when it was opened.
    file: Option<(PathBuf, OnceLock<FileId>)>,
    seen: Mutex<Option<(Instant, Option<DbErr>)>>,
}

impl Place {
    /// # Errors
    /// `BAD_USER_INPUT` for a URL that does not parse.
    pub fn of(url: &str) -> Result<Self> {
        // What the driver says of a bad URL may repeat its password.
        let refused =
            || Error::input("database_url", "the database URL does not parse: see postgres://user@host:5432/name");
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)
                .map_err(|cause| Error::input("database_url", format!("the SQLite URL does not parse: {cause}")))?;
            let file = options.get_filename().to_path_buf();
            let name = format!("SQLite file {}", file.display());
            let file = Some((file, OnceLock::new()));
            return Ok(Self { name, server: None, has_password: false, file, seen: Mutex::default() });
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| refused())?;
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let user = options.get_username();
        let database = options.get_database().unwrap_or(user);
        let name = format!("PostgreSQL at {host}, database {database}, user {user}");
        let has_password = options.to_url_lossy().password().is_some();
        let server = Some(options.disable_statement_logging());
        Ok(Self { name, server, has_password, file: None, seen: Mutex::default() })
    }

    /// Whether what is open is still what stands under its name: SQLite goes on writing to a file that was removed or
    /// replaced, and all of it is gone when the process ends.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says so.
    pub fn check_file(&self) -> Result<()> {
        let Some((path, opened)) = &self.file else { return Ok(()) };
        let now = file_id(path);
        match now {
            Some(now) if *opened.get_or_init(|| now) == now => Ok(()),
            _ => {
                let message = "the database's file was removed or replaced while it is open; put the file back, with its \
                               -wal, and start the server again";
                Err(Error::unavailable(message, RETRY_AFTER_MS))
            }
        }
    }

    /// The same of the file that SQLite writes ahead, while a transaction is open and it must be there: what is in it stands
    /// in no other file yet.
    ///
    /// # Errors
    /// `UNAVAILABLE` that says so.
    pub fn check_ahead(&self) -> Result<()> {
        let Some((path, _)) = &self.file else { return Ok(()) };
        let mut ahead = path.clone().into_os_string();
        ahead.push("-wal");
        if file_id(Path::new(&ahead)).is_some() {
            return Ok(());
        }
        let message = "the database's -wal was removed while it is open: no more is written; end the server with SIGTERM, never \
                       with SIGKILL, so that it can still put what was in it into the database, and start it again";
        Err(Error::unavailable(message, RETRY_AFTER_MS))
    }

    /// The real cause, where the pool knows only that it waited in vain: it tries again, in silence, while a server refuses.
    pub async fn look_into(&self, cause: DbErr) -> DbErr {
        match (&self.server, Trouble::of(&cause)) {
            (Some(server), Some(Trouble::Busy)) => self.look(server).await.unwrap_or(cause),
            _ => cause,
        }
    }

    /// What keeps a connection from being made; `None` where one can be made.
    async fn look(&self, server: &PgConnectOptions) -> Option<DbErr> {
        let mut seen = self.seen.lock().await;
        if let Some((at, found)) = &*seen
            && at.elapsed() < LOOK_KEPT
        {
            return found.clone();
        }
        let found = match tokio::time::timeout(LOOK_MAX, server.connect()).await {
            Ok(Ok(connection)) => {
                drop(tokio::time::timeout(LOOK_MAX, connection.close()).await);
                None
            }
            Ok(Err(cause)) => Some(of_driver(cause)),
            Err(_) => Some(of_driver(std::io::Error::from(std::io::ErrorKind::TimedOut).into())),
        };
        *seen = Some((Instant::now(), found.clone()));
        found
    }

    /// Why the database cannot be opened, for the person who started the process.
    pub async fn cannot_open(&self, cause: DbErr) -> Error {
        let cause = self.look_into(cause).await;
        self.at(&database(cause))
    }

    /// The trouble of a database with its place and in words for who runs the server. An error that is the caller's own is
    /// left as it is.
    pub fn at(&self, error: &Error) -> Error {
        if !matches!(error.code(), Code::Unavailable | Code::Timeout | Code::Internal) {
            return error.clone();
        }
        let told = match (trouble_of(error), error.cause()) {
            (Some(Trouble::Password), Some(cause)) if !self.has_password => format!("{NO_PASSWORD} ({cause})"),
            _ => for_operator(error),
        };
        Error::unavailable(format!("{self}: {told}"), RETRY_AFTER_MS)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_password() {
        for (url, name) in [
            ("postgres://app:hunter2@db.example:5433/logs", "PostgreSQL at db.example:5433, database logs, user app"),
            ("postgres://app@db.example", "PostgreSQL at db.example:5432, database app, user app"),
            ("postgres://app@h/logs?host=/run/pg&password=hunter2", "PostgreSQL at /run/pg, database logs, user app"),
            ("sqlite:///var/lib/x.db?mode=rwc", "SQLite file /var/lib/x.db"),
        ] {
            assert_eq!(Place::of(url).expect("parses").to_string(), name);
        }
        let error = Place::of("postgres://app:hunter2@db:port/logs").err().expect("no port");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn a_file_that_is_not_the_one_that_was_opened_is_told() {
        let folder = tempfile::tempdir().expect("folder");
        let (path, away) = (folder.path().join("x.db"), folder.path().join("away.db"));
        std::fs::write(&path, "one").expect("written");
        let place = Place::of(&format!("sqlite://{}", path.display())).expect("parses");
        place.check_file().expect("the first look");
        std::fs::rename(&path, &away).expect("moved");
        assert_eq!(place.check_file().expect_err("gone").code(), Code::Unavailable);
        std::fs::write(&path, "two").expect("written");
        place.check_file().expect_err("another file");
        std::fs::rename(&away, &path).expect("moved back");
        place.check_file().expect("the first again");
        place.check_ahead().expect_err("nothing was written ahead");
        std::fs::write(folder.path().join("x.db-wal"), "").expect("written");
        place.check_ahead().expect("it is there");
    }
}
