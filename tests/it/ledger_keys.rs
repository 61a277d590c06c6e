//! The key that signs: its file, its registration, its rotation.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use runledger::app::{ledger_key_path, rotate_ledger_key, start_signing};
use runledger::clock::SharedClock;
use runledger::config::{BaseSettings, LogFormat};
use runledger::domain::vocabulary::Stream;
use runledger::error::Code;
use runledger::facade::access::{AccessAudit, AccessConfig};
use runledger::facade::{Logs, LogsConfig};
use runledger::ledger::checkpoint::Checkpoint;
use runledger::ledger::note::{NoteKey, NoteSigner};
use runledger::ledger::receipt::Receipt;
use runledger::store::Store;
use serde_json::Value;

use crate::support::app::signer;
use crate::support::db::TestDb;
use crate::support::seed::{self, Unit, scope};

fn base(db: &TestDb, folder: &Path) -> BaseSettings {
    BaseSettings {
        database_url: db.url.clone().into(),
        data_dir: folder.to_owned(),
        ledger_origin: "ledger.test".to_owned(),
        ledger_key: None,
        pool_size: 1,
        log_format: LogFormat::Text,
        log_level: "info".to_owned(),
    }
}

/// A process of its own on a store.
fn process(db: &TestDb, store: &Store) -> Logs {
    let prices = Arc::new(runledger::capture::pricing::PriceTable::embedded().expect("the embedded prices parse"));
    let config = LogsConfig {
        prices,
        content_capture: std::collections::HashSet::new(),
        settle_us: 15_000_000,
        access: AccessConfig { audit: AccessAudit::Strict, identifies_callers: true },
        idempotency_expiry_us: i64::MAX,
        telemetry_retention_us: i64::MAX,
    };
    Logs::new(store.clone(), db.clock.clone(), config)
}

async fn append(db: &TestDb, store: &Store, name: &str) -> runledger::domain::ids::RecordId {
    let unit = Unit::of("ours", &db.clock).run(seed::run(name));
    seed::all_new(store.append(unit.unit).await.expect("appended"))[0].id
}

/// Event, size of our log, number of logs, of every `key` record of a key.
async fn key_records(db: &TestDb, key_id: &str) -> Vec<(String, Vec<i64>)> {
    let rows = db
        .query(&format!("SELECT detail FROM ledger_event WHERE kind = 'key' AND subject = '{key_id}' ORDER BY seq"))
        .await;
    let details = rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("text"));
    details
        .map(|detail| {
            let detail: Value = serde_json::from_str(&detail).expect("JSON");
            let sizes = detail["sizes"].as_object().expect("sizes").values();
            let mut sizes: Vec<i64> = sizes.map(|size| size.as_str().expect("text").parse().expect("a size")).collect();
            sizes.sort_unstable();
            (detail["event"].as_str().expect("an event").to_owned(), sizes)
        })
        .collect()
}

async fn identity_entries(db: &TestDb) -> Vec<(String, String)> {
    let sql = "SELECT event_type, entity_id FROM audit_entry WHERE category = 'IDENTITY' AND tenant_id = 'platform' \
               AND entity_type = 'SIGNING_KEY' ORDER BY seq";
    db.query(sql).await.iter().map(|row| row.try_get_many_by_index().expect("text")).collect()
}

db_test! {
    async fn the_first_start_makes_the_key_and_every_other_one_needs_it(db: TestDb) {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let (store, clock) = (db.store().await, db.clock.clone() as SharedClock);
        let (base, elsewhere) = (base(&db, folder.path()), base(&db, other.path()));
        start_signing(&base, &process(&db, &store), &clock).await.expect("the first start");
        let path = ledger_key_path(&base);
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left there");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.starts_with("PRIVATE+KEY+ledger.test+"), "{text}");
        start_signing(&base, &process(&db, &store), &clock).await.expect("another process with the same file");
        let keys = process(&db, &store).list_ledger_keys().await.expect("read");
        assert_eq!(keys.len(), 1);
        assert_eq!(key_records(&db, &keys[0].key_id).await, [("announced".to_owned(), vec![])], "announced once");
        assert_eq!(identity_entries(&db).await, [("SigningKeyAdded".to_owned(), keys[0].key_id.clone())]);

        let error = start_signing(&elsewhere, &process(&db, &store), &clock).await.expect_err("no file").to_string();
        assert!(error.contains("no such file") && error.contains(&keys[0].key_id) && error.contains("copy"), "{error}");
        assert!(!ledger_key_path(&elsewhere).exists(), "none is made up");
        let foreign = runledger::ledger::note_secret::to_text("ledger.test", &[1; 32]).expect("text");
        std::fs::write(ledger_key_path(&elsewhere), foreign).expect("written");
        let error = start_signing(&elsewhere, &process(&db, &store), &clock).await.expect_err("another key").to_string();
        assert!(error.contains("copy the key file") && error.contains("rotate"), "{error}");
        for (broken, reason) in [("", "PRIVATE+KEY"), ("PRIVATE+KEY+x", "PRIVATE+KEY"), (&"x".repeat(5_000), "no file with")] {
            std::fs::write(ledger_key_path(&elsewhere), broken).expect("written");
            let error = start_signing(&elsewhere, &process(&db, &store), &clock).await.expect_err("broken").to_string();
            assert!(error.contains(reason), "{error}");
        }
        let renamed = BaseSettings { ledger_origin: "other.test".to_owned(), ..base };
        let error = start_signing(&renamed, &process(&db, &store), &clock).await.expect_err("renamed").to_string();
        assert!(error.contains("set ledger-origin to ledger.test"), "{error}");
        store.close().await;
    }
}

db_test! {
    async fn a_rotation_ends_one_key_where_the_next_begins(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, clock, base) = (db.store().await, db.clock.clone() as SharedClock, base(&db, folder.path()));
        let old_process = process(&db, &store);
        start_signing(&base, &old_process, &clock).await.expect("starts");
        let old_record = append(&db, &store, "before").await;
        old_process.sign_all().await.expect("signed");
        append(&db, &store, "between").await;
        db.clock.advance_us(1_000_000);
        let operator = process(&db, &store);
        let (old, new) = rotate_ledger_key(&base, &operator, &clock).await.expect("rotated");
        let keys = operator.list_ledger_keys().await.expect("read");
        assert_eq!(keys.iter().map(|key| key.key_id.as_str()).collect::<Vec<_>>(), [old.as_str(), new.as_str()]);
        assert_eq!((keys[0].retired_at.is_some(), keys[1].retired_at), (true, None));

        // The server that runs signs nothing more and says so; what is there can be had.
        old_process.ready().await.expect("it has not noticed");
        let new_record = append(&db, &store, "after").await;
        assert_eq!(old_process.sign_all().await.expect_err("retired").code(), Code::Unavailable);
        let error = old_process.ready().await.expect_err("told");
        assert!(error.message().contains(&old) && error.message().contains("restart"), "{error:?}");
        let facade = old_process.facade(scope("ours"));
        let both = async { tokio::join!(facade.receipt(old_record), facade.receipt(new_record)) };
        let (text, refused) = facade.loads().drive(both).await;
        assert!(refused.expect_err("not signed").message().contains("restart"), "what it cannot sign spoils no other");
        let text = text.expect("made").expect("one");

        let new_process = process(&db, &store);
        start_signing(&base, &new_process, &clock).await.expect("starts with the new file");
        new_process.sign_all().await.expect("signed");
        new_process.ready().await.expect("ready");
        let vkeys: Vec<NoteKey> =
            keys.iter().map(|key| NoteKey::parse(&key.vkey().expect("a vkey")).expect("a key")).collect();
        Receipt::parse(&text).expect("a receipt").verify(&vkeys[..1], None).expect("the old signature is good");
        let facade = new_process.facade(scope("ours"));
        let signed = facade.checkpoint(Stream::Evidence, None).await.expect("read").expect("one");
        assert_eq!(Checkpoint::open(&signed.note, &vkeys).expect("signed").1, &vkeys[1]);

        // Ranges: the platform's log had two records and ours one, then two.
        let announced = |sizes| ("announced".to_owned(), sizes);
        assert_eq!(key_records(&db, &old).await, [announced(vec![]), ("retired".to_owned(), vec![2, 2])]);
        assert_eq!(key_records(&db, &new).await, [announced(vec![2, 2])]);
        let events = [("SigningKeyAdded", &old), ("SigningKeyRetired", &old), ("SigningKeyAdded", &new)];
        assert_eq!(identity_entries(&db).await, events.map(|(event, key)| (event.to_owned(), key.clone())));
        assert_eq!(keys[0].to_sizes.as_ref(), Some(&keys[1].from_sizes));
        // A tenant sees the ranges of its own log and of the log of logs.
        let shown = new_process.facade(scope("stranger")).ledger_keys().await.expect("read");
        assert_eq!(shown[1].from_sizes.len(), 1);
        assert_eq!(facade.ledger_keys().await.expect("read"), keys);
        store.close().await;
    }
}

db_test! {
    async fn a_rotation_that_broke_off_is_finished_or_forgotten(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, clock, base) = (db.store().await, db.clock.clone() as SharedClock, base(&db, folder.path()));
        start_signing(&base, &process(&db, &store), &clock).await.expect("starts");
        let (path, next) = (ledger_key_path(&base), folder.path().join("ledger.key.new"));
        // Before it was registered: the new file never signed.
        let text = |byte| runledger::ledger::note_secret::to_text("ledger.test", &[byte; 32]).expect("text");
        std::fs::write(&next, text(5)).expect("written");
        start_signing(&base, &process(&db, &store), &clock).await.expect("the old key signs");
        let (_, new) = rotate_ledger_key(&base, &process(&db, &store), &clock).await.expect("rotated");
        assert!(!next.exists());
        // After it was registered: the new file takes its place at the next start.
        std::fs::write(&next, text(6)).expect("written");
        let successor = NoteSigner::new("ledger.test", &[6; 32]).expect("a key");
        process(&db, &store).rotate_ledger_key(&new, successor.key()).await.expect("registered");
        start_signing(&base, &process(&db, &store), &clock).await.expect("the new key signs");
        assert_eq!((std::fs::read_to_string(&path).expect("text"), next.exists()), (text(6), false));
        // What was not announced then is announced now.
        assert_eq!(key_records(&db, &successor.key().id_hex()).await.len(), 1);
        assert_eq!(key_records(&db, &new).await.len(), 2);
        let error = process(&db, &store).rotate_ledger_key(&new, signer().key()).await.expect_err("retired already");
        assert_eq!(error.code(), Code::Conflict);
        store.close().await;
    }
}

db_test! {
    async fn of_two_first_starts_one_key_is_registered(db: TestDb) {
        let (one, two) = (db.store().await, db.store().await);
        let (first, second) = (process(&db, &one), process(&db, &two));
        let other = NoteSigner::new("ledger.test", &[8; 32]).expect("a key");
        let (first, second) = tokio::join!(first.sign_with(signer()), second.sign_with(other));
        let refused: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].code(), Code::Conflict);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_key").await, 1);
        one.close().await;
        two.close().await;
    }
}
