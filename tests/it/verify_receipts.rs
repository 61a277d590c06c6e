//! Databases beside the receipts that others kept: which columns were altered, and histories that were written anew.

use std::collections::BTreeMap;
use std::path::Path;

use runledger::domain::verification::{Anomaly, AnomalyKind as Kind, VerificationMode};
use runledger::domain::vocabulary::Stream;
use runledger::facade::verify::look::Looker;
use runledger::ledger::note::NoteSigner;
use runledger::ledger::receipt::Receipt;
use runledger::ledger::tree;
use runledger::ledger::verify::originals::Original;
use serde_json::json;

use crate::support::app::{TestApp, signer};
use crate::support::db::TestDb;
use crate::support::evidence::{
    LOG, anomalies, cut_off, drop_guards, every_kind, found, has, looker, more, rechain, remove_tenant, tamper,
};
use crate::support::opened::Opened;
use crate::support::seed::tenant;
use crate::verify_history::run;

/// The size of the log when the receipts are given: 19 records of every kind and 300 small ones.
const SIZE: i64 = 319;

async fn prepared(db: &TestDb) -> TestApp {
    let app = TestApp::on(db).await;
    every_kind(&app, "ours").await;
    more(&app, "ours", 300).await;
    app.logs.sign_all().await.expect("signed");
    drop_guards(db).await;
    app
}

/// The receipt of an entry, as a client has it.
async fn receipt(app: &TestApp, stream: &str, seq: i64) -> String {
    let query =
        "query($at: BigInt!, $log: LedgerStream!) { ledger(stream: $log) { entry(sequence: $at) { receipt } } }";
    let asked = app.other_tenant("ours").query_with(query, json!({ "at": seq.to_string(), "log": stream })).await;
    asked["ledger"]["entry"]["receipt"].as_str().unwrap_or_else(|| panic!("no receipt of {seq}: {asked}")).to_owned()
}

fn original(receipt: &str) -> Original {
    let proven = Receipt::parse(receipt).expect("a receipt").verify(&[signer().key().clone()], None);
    Original::new("kept", &proven.expect("verifies")).expect("an original")
}

/// What a look finds that has these receipts, whatever its mode.
async fn compared(app: &TestApp, originals: &[Original]) -> Vec<Anomaly> {
    let mode = VerificationMode::Incremental;
    let looker = Looker { originals: originals.to_vec(), ..looker(app, BTreeMap::new(), mode) };
    anomalies(&looker.tenant(&tenant("ours")).await.expect("a look"))
}

/// Where the first record of a table stands in the evidence log, or the access log.
async fn first(db: &TestDb, table: &str, condition: &str) -> i64 {
    db.number(&format!("SELECT MIN(seq) FROM {table} WHERE tenant_id = 'ours' AND {condition}")).await
}

/// Makes a record's entry, and all that lies above it, what its columns give now.
async fn rewrite(db: &TestDb, app: &TestApp, seq: i64) {
    let logs = app.store.ledger_logs(&tenant("ours")).await.expect("logs");
    let log = logs.into_iter().find(|log| log.stream == Stream::Evidence).expect("a log");
    let entries = app.store.entries_between(&log, seq, seq + 1).await.expect("an entry").opened();
    let leaves = app.store.leaves(&log, &entries).await.expect("a leaf").opened();
    let hash = tree::leaf_hash(&leaves[&entries[0].record_id]).to_hex();
    tamper(db, &format!("UPDATE ledger_entry SET leaf_hash = x'{hash}' WHERE log_id = {LOG} AND seq = {seq}")).await;
    rechain(db, SIZE).await;
    tamper(db, "DELETE FROM ledger_checkpoint").await;
}

/// Keeps a receipt as a file.
fn keep(folder: &Path, name: &str, receipt: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, receipt).expect("kept");
    path.display().to_string()
}

db_test! {
    async fn each_altered_column_is_named(db: TestDb) {
        let app = prepared(&db).await;
        let commitment = format!("details_commitment = x'{}'", "09".repeat(32));
        let cases = [
            ("llm_run", "1 = 1", "model = 'gpt-5', cost_micros = 7", "cost_micros, model", "EVIDENCE"),
            ("trace_step", "1 = 1", "skill_name = 'other', kind = 'RETRIEVER'", "skill_name, kind", "EVIDENCE"),
            ("trace_seal", "1 = 1", "reason = NULL", "reason", "EVIDENCE"),
            ("system_record", "1 = 1", &commitment, "details_commitment", "EVIDENCE"),
            ("audit_entry", "category <> 'ACCESS'", "actor_id = 'john', verdict = 'ALLOW'", "actor_id, verdict", "EVIDENCE"),
            ("audit_entry", "category = 'ACCESS'", "occurred_at = occurred_at + 1", "occurred_at", "ACCESS"),
            ("ledger_event", "1 = 1", "reason = 'other', subject = 'nothing'", "reason, subject", "EVIDENCE"),
        ];
        let mut originals = Vec::new();
        let mut places = Vec::new();
        for (table, condition, .., stream) in &cases {
            let seq = first(&db, table, condition).await;
            originals.push(original(&receipt(&app, stream, seq).await));
            places.push(seq);
        }
        assert_eq!(compared(&app, &originals).await, [], "nothing was altered yet");
        for ((table, condition, change, ..), seq) in cases.iter().zip(&places) {
            tamper(&db, &format!("UPDATE {table} SET {change} WHERE tenant_id = 'ours' AND {condition} AND seq = {seq}")).await;
        }
        let without = found(&app, "ours").await;
        let with = compared(&app, &originals).await;
        assert_eq!(without.len(), with.len(), "a receipt explains, it finds nothing twice: {with:?}");
        for (case, original) in cases.iter().zip(&originals) {
            let of_record = |found: &[Anomaly]| {
                let altered = found.iter().find(|one| one.kind == Kind::Altered && one.record_id == Some(original.id()));
                altered.unwrap_or_else(|| panic!("{case:?}: {found:?}")).field.clone()
            };
            assert_eq!(of_record(&without), None, "{case:?}");
            assert_eq!(of_record(&with).as_deref(), Some(case.3), "{case:?}");
        }
        assert!(with.iter().any(|one| one.kind == Kind::PayloadAltered && one.field.as_deref() == Some("details")));
        app.store.close().await;
    }
}

db_test! {
    async fn a_record_that_was_written_anew_with_everything_above_it(db: TestDb) {
        let app = prepared(&db).await;
        let seq = first(&db, "llm_run", "1 = 1").await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = receipt(&app, "EVIDENCE", seq).await;
        let file = keep(folder.path(), "run.tlog-proof", &text);
        let (status, said) = run(&db.url, folder.path(), &["--receipt", &file]);
        assert!(status == Some(0) && said.contains("receipts: 1 verified and compared, 0 not used"), "{said}");
        tamper(&db, &format!("UPDATE llm_run SET model = 'gpt-5' WHERE tenant_id = 'ours' AND seq = {seq}")).await;
        rewrite(&db, &app, seq).await;
        assert_eq!(found(&app, "ours").await, [], "the database agrees with itself");
        let found_by = compared(&app, &[original(&text)]).await;
        assert!(has(&found_by, Kind::Rewritten, SIZE), "{found_by:?}");
        let altered = found_by.iter().find(|one| one.kind == Kind::Altered).expect("the record");
        assert_eq!((altered.seq, altered.field.as_deref()), (Some(seq), Some("model")));
        assert!(altered.detail.ends_with("and is \"gpt-5\"; its entry was altered too"), "{altered:?}");
        assert_eq!(found_by.len(), 2, "{found_by:?}");
        app.store.close().await;
        // A folder; from the first entry, although an earlier run remembers where it was.
        let (status, said) = run(&db.url, folder.path(), &["--receipt", &folder.path().display().to_string()]);
        assert!(status == Some(1) && said.contains("[model]: by the receipt ") && said.contains("REWRITTEN at 319"), "{said}");
    }
}

db_test! {
    async fn a_log_that_is_shorter_or_was_written_on(db: TestDb) {
        let app = prepared(&db).await;
        let kept = [original(&receipt(&app, "EVIDENCE", 310).await), original(&receipt(&app, "EVIDENCE", 20).await)];
        cut_off(&db, 300).await;
        tamper(&db, "DELETE FROM ledger_checkpoint").await;
        assert_eq!(found(&app, "ours").await, [], "nothing in the database remembers");
        let found_by = compared(&app, &kept).await;
        let ranges: Vec<_> = found_by.iter().map(|one| (one.kind, one.seq, one.seq_end)).collect();
        assert_eq!(ranges, [(Kind::Truncated, Some(300), Some(SIZE))], "{found_by:?}");
        more(&app, "ours", 100).await;
        assert_eq!(found(&app, "ours").await, []);
        let found_by = compared(&app, &kept).await;
        assert!(has(&found_by, Kind::Rewritten, SIZE) && has(&found_by, Kind::Deleted, 310), "{found_by:?}");
        assert_eq!(found_by.len(), 2, "the other one is where it was: {found_by:?}");
        // Signed again at the size of the receipt's checkpoint: two histories.
        cut_off(&db, SIZE).await;
        app.logs.sign_all().await.expect("signed");
        assert!(has(&compared(&app, &kept).await, Kind::Fork, SIZE));
        app.store.close().await;
    }
}

db_test! {
    async fn a_record_that_moved_and_a_tenant_that_is_gone(db: TestDb) {
        let app = prepared(&db).await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = receipt(&app, "EVIDENCE", 100).await;
        let file = keep(folder.path(), "a.tlog-proof", &text);
        for table in ["system_record", "ledger_entry"] {
            let rows = if table == "ledger_entry" { format!("log_id = {LOG}") } else { "tenant_id = 'ours'".to_owned() };
            for (from, to) in [(100, 5_000), (200, 100), (5_000, 200)] {
                tamper(&db, &format!("UPDATE {table} SET seq = {to} WHERE {rows} AND seq = {from}")).await;
            }
        }
        rechain(&db, SIZE).await;
        tamper(&db, "DELETE FROM ledger_checkpoint").await;
        assert_eq!(found(&app, "ours").await, []);
        let found_by = compared(&app, &[original(&text)]).await;
        let moved = found_by.iter().find(|one| one.kind == Kind::Reordered).expect("moved");
        assert_eq!((moved.seq, moved.seq_end), (Some(100), Some(200)));
        assert!(has(&found_by, Kind::Rewritten, SIZE), "{found_by:?}");
        remove_tenant(&db).await;
        app.store.close().await;
        let (status, said) = run(&db.url, folder.path(), &["--receipt", &file]);
        assert!(status == Some(1) && said.contains("DELETED at 0..319 [ledger_log]: the checkpoint in the receipt"), "{said}");
    }
}

db_test! {
    async fn a_receipt_that_does_not_verify_is_not_used(db: TestDb) {
        let app = prepared(&db).await;
        let text = receipt(&app, "EVIDENCE", 100).await;
        app.store.close().await;
        let folder = tempfile::tempdir().expect("a folder");
        let good = keep(folder.path(), "good.tlog-proof", &text);
        let forged = |leaf: &str, secret: u8| {
            let parsed = Receipt::parse(&text).expect("a receipt");
            let proven = parsed.clone().verify(&[signer().key().clone()], None).expect("verifies");
            let leaf = String::from_utf8(proven.leaf).expect("text").replace("\"INFO\"", leaf).into_bytes();
            let key = NoteSigner::new("ledger.test", &[secret; 32]).expect("a key");
            Receipt { leaf, checkpoint: proven.checkpoint.sign(&key).expect("signed"), ..parsed }.to_text()
        };
        let other_leaf = keep(folder.path(), "leaf.forged", &forged("\"ERROR\"", 7));
        let other_key = keep(folder.path(), "key.forged", &forged("\"INFO\"", 8));
        let (status, said) = run(&db.url, folder.path(), &["--receipt", &good, "--receipt", &other_leaf, "--receipt", &other_key]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains("leaf.forged: INVALID: the proof does not lead from the leaf at index 100"), "{said}");
        assert!(said.contains("key.forged: UNKNOWN: ") && said.contains("receipts: 1 verified and compared, 2 not used"), "{said}");
        assert!(said.contains("\nVALID: evidence log of ours") && !said.contains("ALTERED"), "never used: {said}");
        let (status, said) = run(&db.url, folder.path(), &["--tenant", "theirs", "--receipt", &good]);
        assert!(status == Some(2) && said.contains("it is of the tenant ours, whose logs are not looked at"), "{said}");
        let (status, said) = run(&db.url, folder.path(), &["--key", &signer().key().vkey()]);
        assert!(status == Some(2) && said.contains("--receipt"), "a key is for receipts: {said}");
        // Retired before it signed: what it signed later is nobody's, unless it is vouched for.
        tamper(&db, "UPDATE ledger_key SET retired_at = 1, to_sizes = '{}'").await;
        let (_, said) = run(&db.url, folder.path(), &["--receipt", &good]);
        assert!(said.contains("had been retired before it signed this"), "{said}");
        // Who alters the database may take the key away; whoever has it still can say so.
        tamper(&db, "DELETE FROM ledger_key").await;
        tamper(&db, "DELETE FROM ledger_checkpoint").await;
        let (status, said) = run(&db.url, folder.path(), &["--receipt", &good]);
        assert!(status == Some(2) && said.contains("UNKNOWN: "), "{said}");
        let (status, said) = run(&db.url, folder.path(), &["--receipt", &good, "--key", &signer().key().vkey()]);
        assert!(status == Some(0) && said.contains("receipts: 1 verified"), "{said}");
    }
}
