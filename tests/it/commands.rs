//! What the commands do to a database, and what they refuse to do.

use std::path::Path;
use std::process::Command;

use runledger::store::migrate;
use sea_orm::DbBackend;

use crate::support::db::TestDb;

/// Runs the program in a folder, with these variables and no others of ours; its exit status and what it says.
pub fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runledger"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RUNLEDGER_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).envs(variables.iter().copied()).current_dir(folder).output();
    let output = output.expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

pub fn name_of(db: &TestDb) -> &str {
    db.url.split('?').next().and_then(|url| url.rsplit('/').next()).expect("a name")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

db_test! {
    async fn evidence_is_dropped_only_by_the_name_of_its_database(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let (url, name) = (db.url.as_str(), name_of(&db));
        let down = |arguments: &[&str]| {
            run(folder.path(), &[], &[&["migrate", "down", "--database-url", url], arguments].concat())
        };
        let (status, text) = run(folder.path(), &[], &["keys", "create", "--tenant", "acme", "--database-url", url]);
        assert_eq!(status, Some(0), "{text}");
        let entries = db.number("SELECT COUNT(*) FROM ledger_entry").await;
        assert!(entries > 0);

        // What holds nothing goes by itself: here the newest change, once its one sample is forgotten.
        let zeros = "00".repeat(16);
        let id = if db.backend == DbBackend::Postgres { format!("'{zeros}'") } else { format!("x'{zeros}'") };
        let sample = format!("INSERT INTO metric_point (tenant_id, series_id, at, value) VALUES ('acme', {id}, 0, '1')");
        db.execute(&sample).await.expect("a sample");
        let (status, text) = down(&["--steps", "1"]);
        assert!(status == Some(1) && text.contains("metric_point (1 row)"), "{text}");
        db.execute("DELETE FROM metric_point").await.expect("forgotten");
        let (status, text) = down(&["--steps", "1"]);
        assert!(status == Some(0) && text.contains("taken back"), "{text}");
        let (status, text) = down(&["--steps", "100"]);
        assert_eq!(status, Some(1), "{text}");
        for said in ["ledger_entry (", "ledger_log (", "audit_entry (1 row)", "Nothing was changed", &format!("--destroy {name}")] {
            assert!(text.contains(said), "{said} is not in {text}");
        }
        assert!(!text.contains("llm_run"), "an empty table is nothing to lose: {text}");
        let (status, text) = down(&["--steps", "100", "--destroy", "production"]);
        assert!(status == Some(1) && text.contains("production") && text.contains(name), "{text}");
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_entry").await, entries);

        let (status, text) = down(&["--steps", "100", "--destroy", name]);
        assert_eq!(status, Some(0), "{text}");
        assert!(migrate::status(url).await.expect("status").iter().all(|(_, is_applied)| !is_applied));
    }
}

db_test! {
    async fn a_schema_is_left_alone_when_told_so_and_by_those_who_look(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = db.url.as_str();
        migrate::up(url).await.expect("migrates");
        migrate::down(url, 1).await.expect("one down");
        let pending = migrate::status(url).await.expect("status");
        type Command<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
        let no = [("RUNLEDGER_NO_MIGRATE", "true")];
        let commands: [Command<'_>; 7] = [
            (&[], &["keys", "list", "--tenant", "acme"]),
            (&[], &["keys", "ledger", "show"]),
            (&[], &["verify", "database"]),
            (&[], &["keys", "create", "--tenant", "acme", "--no-migrate"]),
            (&no, &["keys", "revoke", "--tenant", "acme", "0123456789abcdef"]),
            (&no, &["keys", "ledger", "rotate"]),
            (&no, &["serve", "--listen", "127.0.0.1:0", "--otlp-grpc-listen", ""]),
        ];
        for (variables, arguments) in commands {
            let (status, text) = run(folder.path(), variables, &[arguments, &["--database-url", url]].concat());
            assert!(status != Some(0) && text.contains("runledger migrate up"), "{arguments:?}: {text}");
            assert_eq!(migrate::status(url).await.expect("status"), pending, "{arguments:?}");
        }
        let (status, text) = run(folder.path(), &[], &["migrate", "status", "--database-url", url]);
        assert!(status == Some(0) && text.contains("pending   m2"), "{text}");
        assert_eq!(migrate::status(url).await.expect("status"), pending);
        // Whoever says `migrate up` has said so.
        let (status, text) = run(folder.path(), &no, &["migrate", "up", "--database-url", url]);
        assert!(status == Some(0) && text.contains("applied"), "{text}");
        assert!(migrate::status(url).await.expect("status").iter().all(|(_, is_applied)| *is_applied));
        let (status, text) = run(folder.path(), &no, &["keys", "create", "--tenant", "acme", "--database-url", url]);
        assert_eq!(status, Some(0), "{text}");
    }
}

#[test]
fn who_looks_makes_no_file() {
    let commands: [&[&str]; 7] = [
        &["migrate", "status"],
        &["migrate", "down", "--steps", "1"],
        &["keys", "list", "--tenant", "acme"],
        &["keys", "ledger", "show"],
        &["keys", "create", "--tenant", "acme", "--no-migrate"],
        &["verify", "database"],
        &["serve", "--no-migrate", "--listen", "127.0.0.1:0", "--otlp-grpc-listen", ""],
    ];
    for arguments in commands {
        let folder = tempfile::tempdir().expect("a folder");
        let (status, text) = run(folder.path(), &[], arguments);
        assert_eq!(status == Some(0), arguments[1] == "status", "{arguments:?}: {text}");
        if arguments[0] != "verify" {
            assert!(text.contains("no file runledger.db"), "{arguments:?}: {text}");
        }
        let made: Vec<String> = files(folder.path()).into_iter().filter(|name| name.contains("db")).collect();
        assert!(made.is_empty(), "{arguments:?} made {made:?}");
    }
}

#[test]
fn a_variable_that_is_no_setting_is_refused_by_every_command_that_reads_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let misspelt = [("RUNLEDGER_DATABSE_URL", "postgres://app:hunter2@db/x")];
    let commands: [&[&str]; 5] =
        [&["serve"], &["migrate", "up"], &["keys", "list", "--tenant", "acme"], &["verify", "database"], &["load"]];
    for arguments in commands {
        let (status, text) = run(folder.path(), &misspelt, arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {text}");
        assert!(text.contains("did you mean RUNLEDGER_DATABASE_URL?") && !text.contains("hunter2"), "{text}");
    }
    assert_eq!(files(folder.path()), Vec::<String>::new());
    let (status, text) = run(folder.path(), &misspelt, &["schema"]);
    assert_eq!(status, Some(0), "the schema asks for no setting: {text}");
    let kubernetes = [("RUNLEDGER_PORT", "tcp://10.0.0.1:8080"), ("RUNLEDGER_SERVICE_HOST", "10.0.0.1")];
    let (status, text) = run(folder.path(), &kubernetes, &["migrate", "status"]);
    assert_eq!(status, Some(0), "{text}");
}

db_test! {
    async fn a_revoked_keys_secret_is_not_said_again(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = ["--database-url", db.url.as_str()];
        let (_, text) = run(folder.path(), &[], &[&["keys", "create", "--tenant", "acme"], &at[..]].concat());
        let token = text.lines().find(|line| line.starts_with("rl_")).expect("a token").to_owned();
        let secret = token.rsplit('_').next().expect("a secret");
        let revoke = || run(folder.path(), &[], &[&["keys", "revoke", "--tenant", "acme", &token], &at[..]].concat());
        let (status, text) = revoke();
        assert!(status == Some(0) && !text.contains(secret), "{text}");
        let (status, text) = run(folder.path(), &[], &[&["keys", "revoke", "--tenant", "acme", "rl_00_hunter2"], &at[..]].concat());
        assert!(status == Some(1) && text.contains("no key 00") && !text.contains("hunter2"), "{text}");
    }
}
