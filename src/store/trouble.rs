//! What may be wrong with a database, in words for the person who can mend it.

use sea_orm::sqlx::Error as DriverError;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

/// What ails the database, apart from the statement it was given: another try may succeed once it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No room on its disk, or its own limit of size is reached.
    Full,
    /// It lets nobody write: a file without permission, a read-only disk, a standby.
    ReadOnly,
    /// Its disk fails.
    Io,
    /// It has no memory left.
    Memory,
    /// Another process or a long transaction holds what is needed.
    Locked,
    /// The file cannot be opened.
    Unopenable,
    /// The file is something else.
    NotADatabase,
    /// The file or a table's pages are damaged.
    Damaged,
    /// Nothing listens there.
    Refused,
    /// The name leads nowhere, or no answer comes.
    Unreachable,
    /// The connection broke while it was in use.
    Broken,
    /// No TLS could be agreed on.
    Tls,
    /// The password is wrong.
    Password,
    /// There is no such role, or it may not connect from here.
    Role,
    /// There is no database of this name.
    NoDatabase,
    /// The role lacks a right.
    Privilege,
    /// The server has as many connections as it takes.
    Connections,
    /// The server starts, stops, or ended the connection.
    Restarting,
    /// None of our own connections became free in time.
    Busy,
    /// Our own connections are closed: the process stops.
    Closed,
}

impl Trouble {
    /// What is wrong. Names no host, no path and no user, so that everybody may read it.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Full => {
                "the database has no room: its disk, or its limit of size, is full. Nothing is recorded until there is room"
            }
            Self::ReadOnly => {
                "the database is read-only: its file, its disk or its server takes no writes. Nothing is recorded until it \
                 does"
            }
            Self::Io => "the disk of the database gives I/O errors. Nothing is recorded until it works",
            Self::Memory => "the database is out of memory",
            Self::Locked => "another process or a long transaction holds a lock on the database",
            Self::Unopenable => {
                "the database file cannot be opened: it is missing or on a read-only disk, or permissions or the limit of open \
                 files keep it shut"
            }
            Self::NotADatabase => "the file is not a SQLite database (or is encrypted)",
            Self::Damaged => "the database is damaged",
            Self::Refused => "the database server refuses connections: nothing listens at its address",
            Self::Unreachable => "the database server cannot be reached: its name is unknown or it does not answer",
            Self::Broken => "the connection to the database broke",
            Self::Tls => "no TLS connection to the database could be made",
            Self::Password => "the database server refuses the password",
            Self::Role => {
                "the database server does not let this user in: there is no such role, or pg_hba.conf excludes it"
            }
            Self::NoDatabase => "the database server has no database of this name",
            Self::Privilege => "the database user lacks a right",
            Self::Connections => "the database server takes no more connections",
            Self::Restarting => "the database server is starting, stopping or ended the connection",
            Self::Busy => "no connection to the database became free in time: it is busy",
            Self::Closed => "the connections to the database are closed: the server stops",
        }
    }

    /// When a caller may come again, behind what is wrong; empty where that would not help.
    const fn again(self) -> &'static str {
        match self {
            Self::Full | Self::ReadOnly | Self::Io => "; send it again then",
            Self::Memory | Self::Locked | Self::Refused | Self::Unreachable | Self::Connections | Self::Busy => {
                "; send it again later"
            }
            Self::Broken | Self::Restarting => "; send it again",
            _ => "",
        }
    }

    /// What who runs the server can do, behind what is wrong.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Full => "; it goes on by itself then",
            Self::ReadOnly => {
                "; see the permissions of the file and of its folder, how its disk is mounted, or whether the server is a \
                 standby"
            }
            Self::Io => "; see the disk and the log of the system",
            Self::Memory => "; give it more",
            Self::Locked => "; end it or wait for it: pg_stat_activity shows it on PostgreSQL, fuser FILE on SQLite",
            Self::NotADatabase => ": name another file with --database-url",
            Self::Damaged => ": stop the server, keep a copy of its files, and restore a backup beside them",
            Self::Refused => "; start it, or correct host and port in --database-url",
            Self::Unreachable => "; see host and port in --database-url, and the network",
            Self::Broken | Self::Restarting => "; its log says why",
            Self::Tls => ": see sslmode in --database-url, and the certificate",
            Self::Password => " in --database-url, PGPASSWORD or ~/.pgpass",
            Self::Role => "; docs/operate.md has the lines that make one",
            Self::NoDatabase => ": create it first; docs/operate.md has the lines",
            Self::Privilege => {
                ": let it own the database, or grant it USAGE and CREATE on the schema and all on its tables; docs/operate.md \
                 has the lines"
            }
            Self::Connections => ": raise max_connections or lower --pool-size",
            Self::Busy => ": long queries or transactions hold the others, or --pool-size is too small",
            Self::Unopenable | Self::Closed => "",
        }
    }

    /// For callers: what is wrong, and when to come again.
    pub fn words(self) -> String {
        format!("{}{}", self.what(), self.again())
    }

    /// From any error of SeaORM; `None` where it is the statement's own fault.
    pub fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Some(Self::Busy),
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Some(Self::Closed),
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::of_driver(cause),
            DbErr::Conn(_) => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// From any error of the driver; `None` where it is the statement's own fault.
    pub fn of_driver(error: &DriverError) -> Option<Self> {
        match error {
            DriverError::Database(cause) => Self::of_database(cause.as_ref()),
            DriverError::Io(cause) => Some(Self::of_io(cause.kind())),
            DriverError::Tls(_) => Some(Self::Tls),
            DriverError::Protocol(_) | DriverError::WorkerCrashed => Some(Self::Broken),
            DriverError::PoolTimedOut => Some(Self::Busy),
            DriverError::PoolClosed => Some(Self::Closed),
            _ => None,
        }
    }

    fn of_io(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind as E;
        match kind {
            E::ConnectionRefused => Self::Refused,
            // A socket of PostgreSQL is a file: without a server it is not there.
            E::NotFound => Self::Refused,
            E::ConnectionReset | E::ConnectionAborted | E::BrokenPipe | E::UnexpectedEof | E::NotConnected => {
                Self::Broken
            }
            _ => Self::Unreachable,
        }
    }

    /// `sql_err()` and `kind()` know constraints only, so this needs the code.
    fn of_database(cause: &dyn DatabaseError) -> Option<Self> {
        let code = cause.code()?;
        if cause.try_downcast_ref::<SqliteError>().is_some() {
            Self::of_sqlite(code.parse().ok()?)
        } else {
            Self::of_postgres(&code)
        }
    }

    /// From the primary result code.
    pub fn of_sqlite(code: i32) -> Option<Self> {
        match code & 0xff {
            5 | 6 | 15 => Some(Self::Locked),
            7 => Some(Self::Memory),
            3 | 8 => Some(Self::ReadOnly),
            10 => Some(Self::Io),
            11 => Some(Self::Damaged),
            13 => Some(Self::Full),
            14 => Some(Self::Unopenable),
            26 => Some(Self::NotADatabase),
            _ => None,
        }
    }

    /// From the SQLSTATE: the codes that say more, then the classes connection, rollback (a lost race), resources, operator
    /// and system.
    pub fn of_postgres(code: &str) -> Option<Self> {
        match code {
            "53100" => Some(Self::Full),
            "53200" => Some(Self::Memory),
            "53300" | "53400" => Some(Self::Connections),
            "25006" => Some(Self::ReadOnly),
            "55P03" => Some(Self::Locked),
            "58030" => Some(Self::Io),
            "28P01" => Some(Self::Password),
            "28000" => Some(Self::Role),
            "3D000" => Some(Self::NoDatabase),
            "42501" => Some(Self::Privilege),
            "XX001" | "XX002" => Some(Self::Damaged),
            // The statement was cancelled: by its time limit or an operator, not by trouble.
            "57014" => None,
            _ => match code.get(..2)? {
                "08" => Some(Self::Broken),
                "40" => Some(Self::Locked),
                "53" => Some(Self::Memory),
                "57" => Some(Self::Restarting),
                "58" => Some(Self::Io),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_trouble_is_told_from_refusals() {
        for (code, trouble) in [
            (517, Some(Trouble::Locked)),
            (1811, None),
            (8, Some(Trouble::ReadOnly)),
            (1032, Some(Trouble::ReadOnly)),
            (13, Some(Trouble::Full)),
            (778, Some(Trouble::Io)),
            (7, Some(Trouble::Memory)),
            (14, Some(Trouble::Unopenable)),
            (26, Some(Trouble::NotADatabase)),
            (11, Some(Trouble::Damaged)),
            (1, None),
            (9, None),
        ] {
            assert_eq!(Trouble::of_sqlite(code), trouble, "SQLite's {code}");
        }
        for (code, trouble) in [
            ("40P01", Some(Trouble::Locked)),
            ("25006", Some(Trouble::ReadOnly)),
            ("53100", Some(Trouble::Full)),
            ("57P01", Some(Trouble::Restarting)),
            ("28P01", Some(Trouble::Password)),
            ("3D000", Some(Trouble::NoDatabase)),
            ("42P01", None),
            ("42703", None),
            ("57014", None),
            ("22003", None),
            ("P0001", None),
        ] {
            assert_eq!(Trouble::of_postgres(code), trouble, "PostgreSQL's {code}");
        }
    }

    #[test]
    fn a_person_is_not_told_to_send_anything_again() {
        for trouble in [Trouble::Full, Trouble::Locked, Trouble::Refused, Trouble::Broken, Trouble::Busy] {
            assert!(trouble.words().contains("send it again"), "{trouble:?}");
            assert!(!format!("{}{}", trouble.what(), trouble.remedy()).contains("send"), "{trouble:?}");
        }
    }
}
