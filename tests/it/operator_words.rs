//! What the commands say to a person, and the exit codes that `docs/operate.md` promises: 0 done, 1 could not be done, 2 a
//! setting or an argument that cannot be used; of `verify` 0 valid, 1 invalid, 2 unknown.

use crate::commands::run;
use crate::support::db::{self, TestDb};
use crate::support::writer::hold;

#[test]
fn exit_codes_are_those_of_the_page_for_operators() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bad.toml"), "prices = 7").expect("a file");
    std::fs::write(folder.path().join("no.db"), "no database, but long enough for a header".repeat(100))
        .expect("a file");
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("bound").to_string();
    let cases: [(&[&str], i32, &str); 23] = [
        (&["schema"], 0, "type Query"),
        (&["migrate", "status"], 0, "pending"),
        (&["nonsense"], 2, "unrecognized"),
        (&["serve", "--auth", "off", "--listen", "0.0.0.0:1"], 2, "loopback"),
        (&["serve", "--prices", "bad.toml"], 2, "prices"),
        (&["serve", "--tls-cert", "file", "--tls-key", "file"], 2, "PEM"),
        (&["serve", "--log-level", "nonsense"], 2, "is no level"),
        (&["serve", "--log-level", "inof"], 2, "did you mean info?"),
        (&["serve", "--log-level", ""], 2, "a level is missing"),
        (&["keys", "list", "--tenant", "a", "--log-level", "loud"], 2, "is no level"),
        (&["serve", "--pool-size", "x"], 2, "whole number in 0..=1000"),
        (&["serve", "--no-migrate=maybe"], 2, "neither true nor false"),
        (&["keys", "create", "--tenant", "a", "--expires", "soon"], 2, "90d"),
        (&["keys", "create", "--tenant", "a", "--database-url", "mysql://x"], 2, "database-url"),
        (&["keys", "create", "--tenant", "a", "--database-url", "sqlite::memory:"], 2, "in-memory"),
        (&["migrate", "up", "--database-url", "sqlite://nowhere/x.db"], 2, "nowhere does not exist"),
        (&["migrate", "down"], 2, "--steps 1"),
        (&["load", "--url", "nonsense"], 2, "--url"),
        (&["keys", "list", "--tenant", "a", "--database-url", "sqlite://none.db"], 1, "no file none.db"),
        (&["migrate", "up", "--database-url", "sqlite://no.db"], 1, "not a SQLite database"),
        (&["serve", "--data-dir", "file"], 1, "data-dir"),
        (&["serve", "--listen", &taken], 1, "choose another"),
        (&["load", "--runs", "1", "--retries", "0", "--url", "http://127.0.0.1:1"], 1, "no answer"),
    ];
    for (arguments, code, said) in cases {
        let is_server = arguments[0] == "serve" && !arguments.contains(&"--listen");
        let ports = ["--listen", "127.0.0.1:0", "--otlp-grpc-listen", ""];
        let arguments = if is_server { [arguments, &ports].concat() } else { arguments.to_vec() };
        let (status, text) = run(folder.path(), &[], &arguments);
        assert_eq!(status, Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said) && !text.contains("send it again"), "{arguments:?}: {text}");
    }
    let create = ["keys", "create", "--tenant", "a", "--database-url", "sqlite://none.db"];
    let (status, text) = run(folder.path(), &[("RUNLEDGER_NO_MIGRATE", "yes")], &create);
    assert!(status == Some(1) && text.contains("no file none.db"), "yes is read as true: {text}");
}

#[test]
fn the_exit_code_of_verify_is_its_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    std::fs::write(folder.path().join("x.tlog-proof"), "x").expect("a file");
    let cases: [(&[&str], &str); 3] = [
        (&["verify", "database"], "UNKNOWN: database-url: there is no file runledger.db"),
        (&["verify", "database", "--database-url", "sqlite://nowhere/x.db"], "there is no file nowhere/x.db"),
        (&["verify", "database", "--receipt", "empty"], "UNKNOWN: --receipt empty: there is no *.tlog-proof file"),
    ];
    for (arguments, said) in cases {
        let (status, text) = run(folder.path(), &[], arguments);
        assert!(status == Some(2) && text.contains(said), "{arguments:?}: {text}");
    }
    let (status, text) = run(folder.path(), &[], &["keys", "create", "--tenant", "acme"]);
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = run(folder.path(), &[], &["verify", "database", "--database-url", "sqlite://empty"]);
    assert!(status == Some(2) && text.contains("it is a folder"), "{text}");
    let (status, text) = run(folder.path(), &[], &["verify", "database", "--tenant", "nope"]);
    assert!(status == Some(2) && text.contains("UNKNOWN: tenant nope has no log in this database"), "{text}");
    let (status, text) = run(folder.path(), &[], &["verify", "database", "--receipt", "x.tlog-proof"]);
    assert!(
        status == Some(2) && text.trim_end().lines().any(|line| line.starts_with("UNKNOWN: a receipt was not used")),
        "{text}"
    );
    let (status, text) = run(folder.path(), &[], &["keys", "list", "--tenant", "nobody"]);
    assert!(status == Some(0) && text.contains("tenant nobody has no keys"), "{text}");
    let (_, help) = run(folder.path(), &[], &["verify", "database", "--help"]);
    assert!(!help.contains("made where it is missing"), "{help}");
}

#[test]
fn a_lock_that_keeps_a_server_from_starting_is_named_once_and_no_file_is_blamed() {
    db::on_sqlite(|db: TestDb| async move {
        db.store().await.close().await;
        let held = hold(&db).await;
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--otlp-grpc-listen", "", "--database-url", &db.url];
        let (status, text) = run(folder.path(), &[], &arguments);
        assert_eq!(status, Some(1), "{text}");
        assert_eq!(text.matches("holds a lock on the database").count(), 1, "{text}");
        assert!(!text.contains("ledger-key") && !text.contains("send it again"), "{text}");
        held.rollback().await.expect("released");
    });
}

#[test]
fn a_role_without_its_rights_is_told_which_and_the_page_has_them() {
    db::on_postgres(|db: TestDb| async move {
        let folder = tempfile::tempdir().expect("a folder");
        runledger::store::migrate::down(&db.url, 100).await.expect("emptied");
        db.execute("DROP TABLE seaql_migrations").await.expect("emptied");
        let role = format!("role_{}", std::process::id());
        db.execute(&format!("CREATE ROLE {role} LOGIN")).await.expect("a role");
        let user = db.url.split_once("//").and_then(|(_, rest)| rest.split_once('@')).expect("a user").0.to_owned();
        let url = db.url.replace(&format!("//{user}@"), &format!("//{role}@"));
        for command in [&["migrate", "up"][..], &["keys", "create", "--tenant", "acme"]] {
            let (status, text) = run(folder.path(), &[], &[command, &["--database-url", &url]].concat());
            assert_eq!(status, Some(1), "{text}");
            for said in
                ["lacks a right", "CREATE on the schema", "docs/operate.md", "permission denied for schema", &role]
            {
                assert!(text.contains(said), "{said} is not in {text}");
            }
            assert_eq!(text.matches("permission denied").count(), 1, "said once: {text}");
            assert!(!text.contains("at line") && !text.contains("send it again"), "{text}");
        }
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operate.md")).expect("the page");
        let grant =
            page.lines().find(|line| line.starts_with("GRANT USAGE, CREATE ON SCHEMA public")).expect("the line");
        db.execute(&grant.replace("TO runledger", &format!("TO {role}"))).await.expect("granted");
        let (status, text) = run(folder.path(), &[], &["migrate", "up", "--database-url", &url]);
        assert!(status == Some(0) && text.contains("applied"), "{text}");
        db.execute(&format!("DROP OWNED BY {role} CASCADE")).await.expect("tidied");
        db.execute(&format!("DROP ROLE {role}")).await.expect("tidied");
    });
}
