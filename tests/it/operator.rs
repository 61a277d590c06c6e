//! Who may use a database beside whom, and how a server says that its database is gone.

use std::process::{Command, Stdio};

use crate::commands::{name_of, run};
use crate::metrics::get;
use crate::support::disk::SmallDisk;
use crate::support::server::Server;

const NO_GRPC: [&str; 4] = ["--listen", "127.0.0.1:0", "--otlp-grpc-listen", ""];

fn serve<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["serve"], &NO_GRPC[..], arguments].concat()
}

db_test! {
    async fn tables_are_not_taken_from_under_a_server_and_it_says_when_they_are_gone(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = db.url.as_str();
        let down = ["migrate", "down", "--steps", "100", "--destroy", name_of(&db), "--database-url", url];
        let server = Server::start(folder.path(), &["--auth", "off", "--database-url", url], "http=");
        let entries = db.number("SELECT COUNT(*) FROM ledger_entry").await;
        let (status, text) = run(folder.path(), &[], &down);
        assert_eq!(status, Some(1), "{text}");
        let who = if url.starts_with("sqlite") { "taken by runledger serve, process" } else { "connections to it, from" };
        assert!(text.contains(who) && !text.contains("send it again"), "{text}");
        assert!(db.number("SELECT COUNT(*) FROM ledger_entry").await >= entries);
        assert_eq!(get(&server.address, "/readyz"), r#"{"status":"ok"}"#);

        // Past all of this, as with another program.
        db.execute("ALTER TABLE idempotency RENAME TO idempotency_away").await.expect("away");
        let said = get(&server.address, "/readyz");
        assert!(said.contains("unavailable") && said.contains("lacks tables") && said.contains("idempotency"), "{said}");
        db.execute("ALTER TABLE idempotency_away RENAME TO idempotency").await.expect("back");
        assert_eq!(get(&server.address, "/readyz"), r#"{"status":"ok"}"#);
        db.execute("DELETE FROM seaql_migrations WHERE version = (SELECT MAX(version) FROM seaql_migrations)").await.expect("gone");
        let said = get(&server.address, "/readyz");
        assert!(said.contains("lacks changes of its schema") && said.contains("Stop the server"), "{said}");
        drop(server);

        // A server that was killed holds nothing.
        let (status, text) = run(folder.path(), &[], &["migrate", "status", "--database-url", url]);
        assert!(status == Some(0) && text.contains("pending"), "{text}");
        db.execute("DROP TABLE seaql_migrations").await.expect("gone");
        let (status, text) = run(folder.path(), &[], &down);
        assert!(status == Some(0) && text.contains("nothing to do"), "{text}");
    }
}

db_test! {
    async fn what_looks_and_what_makes_keys_works_beside_a_server(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = db.url.as_str();
        let at = |arguments: &[&str]| run(folder.path(), &[], &[arguments, &["--database-url", url]].concat());
        let server = Server::start(folder.path(), &["--auth", "off", "--database-url", url], "http=");
        for arguments in [
            &["keys", "create", "--tenant", "acme"][..],
            &["keys", "list", "--tenant", "acme"],
            &["keys", "ledger", "show"],
            &["migrate", "status"],
            &["migrate", "up"],
            &["verify", "database", "--tenant", "acme"],
        ] {
            let (status, text) = at(arguments);
            assert_eq!(status, Some(0), "{arguments:?}: {text}");
        }
        assert_eq!(server.stop().code(), Some(0));
        let (status, text) = at(&["migrate", "down", "--steps", "1", "--destroy", name_of(&db)]);
        assert!(status == Some(0) && text.contains("taken back"), "who serves no more is not in the way: {text}");
    }
}

#[test]
fn a_sqlite_file_has_one_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--auth", "off"], "http=");
    std::os::unix::fs::symlink("runledger.db", folder.path().join("link.db")).expect("a link");
    for url in ["sqlite://runledger.db", "sqlite://./runledger.db", "sqlite://link.db"] {
        let (status, text) = run(folder.path(), &[], &serve(&["--database-url", url, "--data-dir", "other"]));
        assert_eq!(status, Some(1), "{url}: {text}");
        let holder = format!("process {}, which listens at {}", server.process.id(), server.address);
        assert!(text.contains(&holder) && text.contains("stop that one"), "{text}");
    }
    assert_eq!(get(&server.address, "/readyz"), r#"{"status":"ok"}"#);
    drop(server);
    let next = Server::start(folder.path(), &["--auth", "off"], "http=");
    assert_eq!(next.stop().code(), Some(0));
}

#[test]
fn a_second_demo_leaves_the_first_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let demo = ["--demo", "--data-dir", "data"];
    let server = Server::start(folder.path(), &demo, "GraphQL     http://");
    let (status, text) = run(folder.path(), &[], &serve(&demo));
    assert!(status == Some(1) && text.contains("--data-dir DIR") && text.contains(&server.address), "{text}");
    assert_eq!(get(&server.address, "/readyz"), r#"{"status":"ok"}"#);
    let runs = server.query("{ llmRuns(first: 1) { nodes { runId } } }", &serde_json::json!({}));
    assert_eq!(runs["llmRuns"]["nodes"].as_array().map(Vec::len), Some(1));
    for name in ["demo.db", "demo.db-lock", "demo.key", "demo-instance.json"] {
        let mode = std::fs::metadata(folder.path().join("data").join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn the_demo_refuses_what_it_would_not_heed() {
    let folder = tempfile::tempdir().expect("a folder");
    for (variables, arguments, setting) in [
        (&[][..], &["--auth", "required"][..], "--auth"),
        (&[], &["--database-url", "sqlite://mine.db"], "--database-url"),
        (&[], &["--ledger-key", "my.key"], "--ledger-key"),
        (&[], &["--trace-settle", "5s"], "--trace-settle"),
        (&[("RUNLEDGER_DATABASE_URL", "postgres://app:hunter2@db/x")], &[], "--database-url"),
        (&[("RUNLEDGER_AUTH", "required")], &[], "RUNLEDGER_AUTH"),
    ] {
        let (status, text) = run(folder.path(), variables, &[&["serve", "--demo"], arguments].concat());
        assert_eq!(status, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(setting) && text.contains("leave that out") && !text.contains("hunter2"), "{text}");
    }
    std::fs::write(folder.path().join("runledger.toml"), "database-url = 'sqlite://mine.db'").expect("a file");
    let (status, text) = run(folder.path(), &[], &["serve", "--demo"]);
    assert!(status == Some(2) && text.contains("settings file"), "{text}");
    assert!(!folder.path().join("runledger-data").exists() && !folder.path().join("mine.db").exists());
}

#[test]
fn who_looks_reads_from_a_medium_that_takes_no_writes() {
    let (folder, medium) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let at = |arguments: &[&str], name: &str| {
        let url = format!("sqlite://{}", medium.path().join(name).display());
        run(folder.path(), &[], &[arguments, &["--database-url", &url]].concat())
    };
    let Some(disk) = SmallDisk::mount(medium.path()) else { return };
    let (status, text) = at(&["keys", "create", "--tenant", "acme"], "x.db");
    assert_eq!(status, Some(0), "{text}");
    std::fs::copy(medium.path().join("x.db"), medium.path().join("y.db")).expect("copied");
    std::fs::write(medium.path().join("y.db-wal"), "what was written last").expect("written");
    disk.close();
    for (arguments, said) in [
        (&["verify", "database", "--tenant", "acme"][..], "VALID: evidence log of acme"),
        (&["keys", "list", "--tenant", "acme"], "valid"),
        (&["keys", "ledger", "show"], "no key was made yet"),
        (&["migrate", "status"], "applied"),
    ] {
        let (status, text) = at(arguments, "x.db");
        assert!(status == Some(0) && text.contains(said), "{arguments:?}: {text}");
        let (status, text) = at(arguments, "y.db");
        assert!(status != Some(0) && text.contains("copy the database and its -wal"), "{arguments:?}: {text}");
    }
    let (status, text) = at(&["keys", "create", "--tenant", "acme"], "x.db");
    assert!(status == Some(1) && !text.contains("send it again"), "{text}");
}

#[test]
fn who_reads_no_further_has_read_enough_and_a_full_disk_is_said() {
    let program = env!("CARGO_BIN_EXE_runledger");
    let mut schema =
        Command::new(program).arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    drop(schema.stdout.take());
    let ended = schema.wait_with_output().expect("ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    let Ok(full) = std::fs::File::create("/dev/full") else { return };
    let ended = Command::new(program).arg("schema").stdout(full).output().expect("ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(1) && said.starts_with("error: standard output takes nothing"), "{said}");
}
