//! What a database is called, and what would be lost with the newest changes of its schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use migration::{MigrationStatus, Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection, DbBackend, Statement};

use super::database::Database;
use super::error::database;
use crate::error::{Error, Result};

/// Rows that are counted of one table.
const COUNTED_MAX: i64 = 1_000;

/// A table that has rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The table.
    pub table: String,
    /// Its rows, counted to 1,001.
    pub rows: i64,
}

impl std::fmt::Display for Holding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rows {
            1 => write!(f, "{} (1 row)", self.table),
            rows if rows > COUNTED_MAX => write!(f, "{} (more than {COUNTED_MAX} rows)", self.table),
            rows => write!(f, "{} ({rows} rows)", self.table),
        }
    }
}

/// What taking changes back would do to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtStake {
    /// The database's name: the file's on SQLite, its own on PostgreSQL.
    pub name: String,
    /// Tables that would be dropped, or lose columns, and have rows.
    pub holdings: Vec<Holding>,
}

/// The file of a SQLite URL, where it does not exist.
///
/// # Errors
/// `BAD_USER_INPUT` when the URL does not parse.
pub fn missing_file(database_url: &str) -> Result<Option<PathBuf>> {
    if !database_url.starts_with("sqlite:") {
        return Ok(None);
    }
    let file = sqlite_file(database_url)?;
    Ok((!file.exists()).then_some(file))
}

fn sqlite_file(database_url: &str) -> Result<PathBuf> {
    let options = SqliteConnectOptions::from_str(database_url)
        .map_err(|cause| Error::input("database_url", format!("the SQLite URL does not parse: {cause}")))?;
    Ok(options.get_filename().to_owned())
}

/// What a database would lose if its newest `steps` changes were taken back. Nothing in it is changed.
///
/// # Errors
/// `UNAVAILABLE` when the database cannot be reached, `BAD_USER_INPUT` when the URL is wrong.
pub async fn at_stake(database_url: &str, steps: u32) -> Result<AtStake> {
    let db = Database::connect_reader(database_url, 1).await?;
    let found = async {
        let changes = Migrator::get_migration_with_status_read_only(&db.read).await.map_err(database)?;
        let applied = changes.iter().filter(|one| one.status() == MigrationStatus::Applied).count();
        let mut holdings = Vec::new();
        for table in lost_tables(applied, steps).await? {
            let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT {}) AS found", COUNTED_MAX + 1);
            let rows = number(&db.read, sql).await?;
            if rows > 0 {
                holdings.push(Holding { table, rows });
            }
        }
        Ok(AtStake { name: name(&db, database_url).await?, holdings })
    };
    let found = found.await;
    db.close().await;
    found
}

async fn name(db: &Database, database_url: &str) -> Result<String> {
    if db.backend == DbBackend::Sqlite {
        let file = sqlite_file(database_url)?;
        let name = file.file_name().unwrap_or(Path::new("").as_os_str());
        return Ok(name.to_string_lossy().into_owned());
    }
    let row = db.read.query_one_raw(Statement::from_string(db.backend, "SELECT current_database()::text")).await;
    let row = row.map_err(database)?.ok_or_else(|| Error::internal("current_database() gave nothing"))?;
    row.try_get_by_index(0).map_err(database)
}

async fn number(connection: &DatabaseConnection, sql: String) -> Result<i64> {
    let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql)).await;
    let row = row.map_err(database)?.ok_or_else(|| Error::internal("a count gave nothing"))?;
    row.try_get_by_index(0).map_err(database)
}

/// The tables that go, or lose a column, with the newest `steps` of the first `applied` changes. Tried on an empty database
/// in memory: so no list of them is kept that a later change could be missing from.
pub(super) async fn lost_tables(applied: usize, steps: u32) -> Result<BTreeSet<String>> {
    let mut options = ConnectOptions::new("sqlite::memory:");
    // Each connection would be a database of its own.
    options.max_connections(1).sqlx_logging(false);
    let scratch = Connector::connect(options).await.map_err(database)?;
    Migrator::up(&scratch, Some(u32::try_from(applied).unwrap_or(u32::MAX))).await.map_err(database)?;
    let before = columns(&scratch).await?;
    Migrator::down(&scratch, Some(steps)).await.map_err(database)?;
    let after = columns(&scratch).await?;
    scratch.close().await.map_err(database)?;
    Ok(before.difference(&after).map(|(table, _)| table.clone()).collect())
}

/// Every column with its table, without those of SQLite and of the list of changes itself.
async fn columns(scratch: &DatabaseConnection) -> Result<BTreeSet<(String, String)>> {
    let sql = "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> 'seaql_migrations'";
    let rows = scratch.query_all_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.map_err(database)?;
    let pair = |row: &sea_orm::QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    rows.iter().map(pair).collect::<Result<_, sea_orm::DbErr>>().map_err(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_each_step_takes_is_found_by_trying() {
        let all = Migrator::migrations().len();
        let newest = lost_tables(all, 1).await.expect("tried");
        assert!(newest.iter().all(|table| !table.starts_with("ledger_")), "{newest:?}");
        let whole = lost_tables(all, u32::MAX).await.expect("tried");
        for table in ["ledger_log", "ledger_entry", "llm_run", "trace_step", "payload", "audit_entry"] {
            assert!(whole.contains(table), "{table} is not in {whole:?}");
        }
        assert!(newest.is_subset(&whole) && !whole.contains("seaql_migrations"));
        assert_eq!(lost_tables(0, 1).await.expect("tried"), BTreeSet::new());
    }

    #[test]
    fn counts_are_said_plainly() {
        let text = |rows| Holding { table: "t".to_owned(), rows }.to_string();
        assert_eq!([text(1), text(2), text(1_001)], ["t (1 row)", "t (2 rows)", "t (more than 1000 rows)"]);
    }
}
