//! A fresh, migrated database for each test, with production settings.
//!
//! PostgreSQL is the server of `TEST_POSTGRES_URL`, else a private cluster made from the server binaries of this
//! machine; where there is neither, the variant says `skipped`, and fails if `REQUIRE_POSTGRES=1`.

use std::future::Future;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use runledger::clock::Clock;
use runledger::domain::ids::RecordId;
use runledger::domain::settle::SettlePolicy;
use runledger::domain::time::Timestamp;
use runledger::error::Result;
use runledger::store::{Store, StoreConfig, migrate};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};

/// A clock that tests set; ids and entropy count up.
pub struct TestClock {
    micros: AtomicI64,
    ids: AtomicU64,
    entropy: AtomicU64,
}

impl TestClock {
    /// Where every test begins: 2026-11-21T08:00:00Z.
    pub const START: i64 = 1_795_248_000_000_000;

    fn new() -> Self {
        Self { micros: AtomicI64::new(Self::START), ids: AtomicU64::new(0), entropy: AtomicU64::new(0) }
    }

    /// Moves the clock on.
    pub fn advance_us(&self, micros: i64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros_clamped(self.micros.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> RecordId {
        let count = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&count.to_be_bytes());
        let millis = u64::try_from(Self::START / 1_000).unwrap_or(0);
        RecordId(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }

    fn entropy(&self) -> Result<[u8; 32]> {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&(self.entropy.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes());
        Ok(bytes)
    }
}

/// A database of a test's own.
pub struct TestDb {
    pub url: String,
    pub backend: DbBackend,
    pub clock: Arc<TestClock>,
}

impl TestDb {
    /// A SQLite file in a folder.
    pub fn in_folder(folder: &Path) -> Self {
        let url = format!("sqlite://{}", folder.join("test.db").display());
        Self { url, backend: DbBackend::Sqlite, clock: Arc::new(TestClock::new()) }
    }

    /// The settings that every test has unless it says otherwise: settle after 15 s, 60 s, 1 h.
    pub fn config(&self) -> StoreConfig {
        StoreConfig {
            database_url: self.url.clone(),
            migrate: true,
            pool_size: 4,
            settle: SettlePolicy { settle_us: 15_000_000, settle_remote_us: 60_000_000, timeout_us: 3_600_000_000 },
            queue_records: 10_000,
            ledger: runledger::store::LedgerConfig::of("ledger.test"),
        }
    }

    /// A store on this database; several stand for several processes.
    pub async fn store(&self) -> Store {
        self.store_with(self.config()).await
    }

    pub async fn store_with(&self, config: StoreConfig) -> Store {
        Store::connect(config, self.clock.clone()).await.expect("connects")
    }

    /// A connection past the store, for tampering and counting.
    pub async fn raw(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.expect("connects")
    }

    pub async fn execute(&self, sql: &str) -> Result<(), DbErr> {
        let connection = self.raw().await;
        let outcome = connection.execute_unprepared(sql).await.map(drop);
        connection.close().await?;
        outcome
    }

    pub async fn query(&self, sql: &str) -> Vec<QueryResult> {
        let connection = self.raw().await;
        let rows = connection.query_all_raw(Statement::from_string(self.backend, sql)).await.expect("query");
        connection.close().await.expect("closes");
        rows
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.query(sql).await[0].try_get_by_index(0).expect("a number")
    }
}

fn block_on<F: Future<Output = ()> + Send + 'static>(body: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime
        .block_on(async { tokio::spawn(body).await })
        .unwrap_or_else(|cause| std::panic::resume_unwind(cause.into_panic()));
}

/// Runs a body on a fresh SQLite file.
pub fn on_sqlite<F: Future<Output = ()> + Send + 'static>(body: fn(TestDb) -> F) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    block_on(body(TestDb::in_folder(folder.path())));
}

/// Runs a body on a fresh PostgreSQL database.
pub fn on_postgres<F: Future<Output = ()> + Send + 'static>(body: fn(TestDb) -> F) {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let server = match SERVER.get_or_init(Server::start) {
        Ok(server) => server,
        Err(cause) if std::env::var_os("REQUIRE_POSTGRES").is_some_and(|value| value == "1") => {
            panic!("REQUIRE_POSTGRES=1, but: {cause}")
        }
        Err(cause) => return println!("skipped: {cause}"),
    };
    let name = format!("{}_{}", server.prefix, COUNT.fetch_add(1, Ordering::Relaxed));
    server.admin(&format!("CREATE DATABASE {name} TEMPLATE {}", server.prefix));
    let db = TestDb { url: server.url(&name), backend: DbBackend::Postgres, clock: Arc::new(TestClock::new()) };
    let outcome = std::panic::catch_unwind(|| block_on(body(db)));
    server.admin(&format!("DROP DATABASE {name} WITH (FORCE)"));
    outcome.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
    let plans = server.plans();
    block_on(async move { super::plans::check_sent(&plans).await });
}

/// A PostgreSQL server, and a migrated template in it.
struct Server {
    /// A URL of a database of it, and that database's name.
    base: (String, String),
    prefix: String,
    /// The supervisor of a private cluster: it ends the cluster when this process ends, however it does.
    _supervisor: Option<Child>,
}

impl Server {
    fn start() -> Result<Self, String> {
        let prefix = format!("runledger_test_{}", std::process::id());
        let server = match std::env::var("TEST_POSTGRES_URL") {
            Ok(url) => {
                let (rest, _) = url.split_once('?').unwrap_or((&url, ""));
                let name = rest.rsplit('/').next().unwrap_or_default().to_owned();
                Self { base: (url, name), prefix, _supervisor: None }
            }
            Err(_) => {
                let (supervisor, folder) = start_cluster()?;
                let base = (format!("postgres://postgres@localhost/postgres?host={folder}"), "postgres".to_owned());
                Self { base, prefix, _supervisor: Some(supervisor) }
            }
        };
        server.admin(&format!("CREATE DATABASE {}", server.prefix));
        super::plans::observe();
        let template = server.url(&server.prefix);
        std::thread::spawn(|| block_on(async move { drop(migrate::up(&template).await.expect("migrates")) }))
            .join()
            .map_err(|_| "the template does not migrate".to_owned())?;
        Ok(server)
    }

    /// A database that no test touches: statements are explained in it.
    fn plans(&self) -> String {
        static MADE: OnceLock<String> = OnceLock::new();
        let name = MADE.get_or_init(|| {
            let name = format!("{}_plans", self.prefix);
            self.admin(&format!("CREATE DATABASE {name} TEMPLATE {}", self.prefix));
            name
        });
        self.url(name)
    }

    fn url(&self, name: &str) -> String {
        let (url, base) = &self.base;
        let (rest, query) =
            url.split_once('?').map_or((url.as_str(), String::new()), |(rest, query)| (rest, format!("?{query}")));
        let host = rest.strip_suffix(base).unwrap_or(rest);
        format!("{host}{name}{query}")
    }

    fn admin(&self, sql: &str) {
        let (url, sql) = (self.base.0.clone(), sql.to_owned());
        let run = async move {
            let connection = Database::connect(url).await.expect("the server answers");
            connection.execute_unprepared(&sql).await.expect(&sql);
            connection.close().await.expect("closes");
        };
        std::thread::spawn(|| block_on(run)).join().expect("the server does it");
    }
}

/// Starts a cluster of our own on a socket in a folder of its own.
fn start_cluster() -> Result<(Child, String), String> {
    let bin = server_binaries().ok_or("no PostgreSQL server binaries and no TEST_POSTGRES_URL")?;
    let fsync = if std::env::var_os("TEST_POSTGRES_FSYNC").is_some() { "on" } else { "off" };
    // The folder belongs to whom the server runs as: it refuses root. Reading stdin ends when this process does.
    let script = format!(
        "set -e; dir=$(mktemp -d /tmp/runledger-test-XXXXXX); trap 'rm -rf $dir' EXIT; cd $dir; \
         {bin}/initdb -D $dir/data -A trust -U postgres --encoding=UTF8 --locale=C.UTF-8 >$dir/log 2>&1; \
         {bin}/postgres -D $dir/data -k $dir -c listen_addresses= -c fsync={fsync} -c max_connections=200 \
         -c shared_buffers=128MB -c max_wal_size=4GB >>$dir/log 2>&1 & pid=$!; \
         until {bin}/pg_isready -q -h $dir; do kill -0 $pid; sleep 0.1; done; \
         echo $dir; read end || true; kill -INT $pid; wait $pid || true",
        bin = bin.display()
    );
    let mut command = if is_root() { Command::new("runuser") } else { Command::new("sh") };
    if is_root() {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    let mut supervisor = command
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|cause| format!("the supervisor of PostgreSQL does not start: {cause}"))?;
    let mut folder = String::new();
    let mut byte = [0];
    let stdout = supervisor.stdout.as_mut().ok_or("no stdout")?;
    while stdout.read(&mut byte).unwrap_or(0) == 1 && byte[0] != b'\n' {
        folder.push(char::from(byte[0]));
    }
    if folder.is_empty() {
        return Err("PostgreSQL does not start from its binaries".to_owned());
    }
    Ok((supervisor, folder))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// The folder with `initdb` and `postgres`: on PATH or where Debian keeps them, the newest version first.
fn server_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    debian.reverse();
    let all = ["initdb", "postgres", "pg_isready"];
    debian
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| all.iter().all(|binary| folder.join(binary).is_file()))
}
