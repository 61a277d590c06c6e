//! What is signed and when, what is not, and what a signature proves.

use runledger::domain::checkpoint::SignedCheckpoint;
use runledger::domain::ids::{RecordId, TenantId};
use runledger::domain::scope::{Permission, Scope};
use runledger::domain::vocabulary::Stream;
use runledger::error::Code;
use runledger::ledger::checkpoint::Checkpoint;
use runledger::ledger::proof;
use runledger::ledger::receipt::Receipt;
use runledger::ledger::tree::{self, CompactRange};
use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};

use crate::support::app::{TestApp, signer};
use crate::support::seed::{self, Unit, scope};

/// Appends runs of a tenant with these numbers; their ids.
async fn append(app: &TestApp, tenant: &str, numbers: std::ops::Range<usize>) -> Vec<RecordId> {
    let unit = numbers.fold(Unit::of(tenant, &app.clock), |unit, number| unit.run(seed::run(&number.to_string())));
    let appended = seed::all_new(app.store.append(unit.unit).await.expect("appended"));
    appended.iter().map(|one| one.id).collect()
}

async fn newest(app: &TestApp, tenant: &str) -> SignedCheckpoint {
    let found = app.logs.facade(scope(tenant)).checkpoint(Stream::Evidence, None).await.expect("read");
    found.expect("a checkpoint")
}

async fn receipt(app: &TestApp, scope: Scope, id: RecordId) -> runledger::error::Result<Option<String>> {
    let facade = app.logs.facade(scope);
    facade.loads().drive(facade.receipt(id)).await
}

/// Checks a receipt as somebody would who has nothing but the vkey.
fn verify(receipt: &str) -> runledger::ledger::receipt::Proven {
    let keys = [signer().key().clone()];
    Receipt::parse(receipt).expect("a receipt").verify(&keys, None).expect("verifies")
}

db_test! {
    async fn a_changed_log_is_signed_and_an_idle_one_costs_nothing(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, "ours", 0..3).await;
        append(&app, "theirs", 0..2).await;
        assert_eq!(app.logs.sign_changed().await.expect("signed"), 2);
        let signed = newest(&app, "ours").await;
        let keys = [signer().key().clone()];
        let (checkpoint, key) = Checkpoint::open(&signed.note, &keys).expect("signed");
        assert_eq!((checkpoint.size, checkpoint.root), (3, signed.root));
        assert_eq!((checkpoint.origin, key.name()), (format!("ledger.test/{}", signed.log_id.simple()), "ledger.test"));
        // Nothing has changed since: nothing is read, nothing written.
        let before = app.store.statements();
        assert_eq!(app.logs.sign_changed().await.expect("signed"), 0);
        assert_eq!(app.store.statements(), before);
        assert_eq!(app.logs.sign_all().await.expect("signed"), 0);
        append(&app, "ours", 3..4).await;
        assert_eq!(app.logs.sign_changed().await.expect("signed"), 1);
        assert_eq!(newest(&app, "ours").await.size, 4);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_checkpoint").await, 3);
        app.store.close().await;
    }
}

db_test! {
    async fn two_processes_sign_the_same_note_once(db: TestDb) {
        let (one, two) = (TestApp::on(&db).await, TestApp::on(&db).await);
        append(&one, "ours", 0..5).await;
        let (first, second) = tokio::join!(one.logs.sign_all(), two.logs.sign_all());
        assert!(first.expect("signed") + second.expect("signed") >= 1);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_checkpoint").await, 1);
        // What one process has changed and not signed, the other one finds when it looks.
        append(&one, "ours", 5..6).await;
        assert_eq!(two.logs.sign_changed().await.expect("signed"), 0);
        assert_eq!(two.logs.sign_all().await.expect("signed"), 1);
        one.store.close().await;
        two.store.close().await;
    }
}

db_test! {
    async fn nothing_is_signed_before_it_is_committed(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, "ours", 0..2).await;
        app.logs.sign_all().await.expect("signed");
        let raw = db.raw().await;
        let txn = raw.begin().await.expect("begun");
        txn.execute_unprepared("UPDATE ledger_log SET size = 3").await.expect("not committed");
        assert_eq!(app.logs.sign_all().await.expect("nothing to sign"), 0);
        txn.rollback().await.expect("undone");
        assert_eq!(newest(&app, "ours").await.size, 2);
        app.logs.ready().await.expect("nothing was seen of it");
        raw.close().await.expect("closed");
        app.store.close().await;
    }
}

/// The digest as the database writes it in SQL.
fn literal(backend: DbBackend, bytes: &[u8]) -> String {
    let hex = hex::encode(bytes);
    if backend == DbBackend::Postgres { format!("'\\x{hex}'::bytea") } else { format!("x'{hex}'") }
}

db_test! {
    async fn a_log_that_contradicts_itself_or_its_past_is_not_signed(db: TestDb) {
        let app = TestApp::on(&db).await;
        append(&app, "ours", 0..300).await;
        app.logs.sign_all().await.expect("signed");
        append(&app, "ours", 300..301).await;
        let log = app.logs.facade(scope("ours")).ledger_log(Stream::Evidence).await.expect("read").expect("a log");
        let set = |size: i64, root: &[u8], edge: &[u8]| {
            let (root, edge) = (literal(db.backend, root), literal(db.backend, edge));
            format!("UPDATE ledger_log SET size = {size}, root = {root}, edge = {edge}")
        };
        let honest = set(log.size, &log.root.0, &log.edge);
        // Another history of the same length, complete in itself.
        let mut other = CompactRange::empty();
        (0..301_u32).for_each(|leaf| other.append(tree::leaf_hash(&leaf.to_be_bytes()), |_| {}));
        let mut shorter = CompactRange::empty();
        (0..7_u32).for_each(|leaf| shorter.append(tree::leaf_hash(&leaf.to_be_bytes()), |_| {}));
        for (forged, reason) in [
            (set(log.size, &[9; 32], &log.edge), "root and edge"),
            (set(7, &shorter.root().0, &shorter.edge()), "has 7 entries, but a checkpoint of 300"),
            (set(301, &other.root().0, &other.edge()), "does not extend its checkpoint of 300 entries"),
        ] {
            db.execute(&forged).await.expect("forged");
            assert_eq!(app.logs.sign_all().await.expect("looked"), 0, "{reason}");
            let error = app.logs.ready().await.expect_err("told");
            assert!(error.message().contains(reason) && error.message().contains("verify database"), "{error:?}");
            let answer = app.get("/readyz").await;
            assert!(answer.status == 503 && answer.text().contains(reason), "{}", answer.text());
        }
        db.execute(&honest).await.expect("mended");
        assert_eq!(app.logs.sign_all().await.expect("signed"), 1);
        app.logs.ready().await.expect("it is signed again");
        app.store.close().await;
    }
}

db_test! {
    async fn every_changed_log_is_noted_in_the_log_of_logs_once(db: TestDb) {
        let (one, two) = (TestApp::on(&db).await, TestApp::on(&db).await);
        append(&one, "ours", 0..3).await;
        append(&one, "theirs", 0..1).await;
        one.logs.sign_changed().await.expect("signed");
        assert_eq!(one.logs.note_checkpoints().await.expect("noted"), 2);
        append(&two, "ours", 3..4).await;
        two.logs.sign_changed().await.expect("signed");
        assert_eq!(two.logs.note_checkpoints().await.expect("noted"), 1);
        // The log of logs has grown by that, and is signed; it is not noted in itself.
        assert!(one.logs.sign_all().await.expect("signed") == 1);
        assert_eq!(one.logs.note_checkpoints().await.expect("noted"), 0);
        let events = db.query("SELECT subject, detail FROM ledger_event WHERE kind = 'checkpoint' ORDER BY seq").await;
        assert_eq!(events.len(), 3);
        let (subject, detail): (String, String) = events[2].try_get_many_by_index().expect("text");
        let detail: serde_json::Value = serde_json::from_str(&detail).expect("JSON");
        let signed = newest(&one, "ours").await;
        assert_eq!((detail["log_id"].as_str(), detail["size"].as_str()), (Some(subject.as_str()), Some("4")));
        assert_eq!((detail["note"].as_str(), subject), (Some(signed.note.as_str()), signed.log_id.simple().to_string()));
        assert_eq!(detail["root"], signed.root.to_hex());
        one.store.close().await;
        two.store.close().await;
    }
}

db_test! {
    async fn receipts_verify_offline_and_cost_the_same_for_a_page(db: TestDb) {
        let app = TestApp::on(&db).await;
        let first = append(&app, "ours", 0..1).await;
        // Signed on demand: the record is on record, no round has come by.
        let text = receipt(&app, scope("ours"), first[0]).await.expect("made").expect("one");
        assert_eq!((verify(&text).index, verify(&text).checkpoint.size), (0, 1));
        let page = append(&app, "ours", 1..600).await;
        app.logs.sign_changed().await.expect("signed");
        let more = append(&app, "ours", 600..610).await;
        app.logs.sign_changed().await.expect("signed");
        assert_eq!(receipt(&app, scope("ours"), first[0]).await.expect("made"), Some(text), "the same for ever");
        let ids = [&page[250..299], &more[..1]].concat();
        let before = app.store.statements();
        let facade = app.logs.facade(scope("ours"));
        let asked = futures_util::future::join_all(ids.iter().map(|id| facade.receipt(*id)));
        let receipts = facade.loads().drive(asked).await;
        // Logs, the platform's, entries, checkpoints, leaf hashes, nodes, leaves.
        assert_eq!(app.store.statements() - before, 7);
        for (id, receipt) in ids.iter().zip(receipts) {
            let proven = verify(&receipt.expect("made").expect("one"));
            let leaf: serde_json::Value = serde_json::from_slice(&proven.leaf).expect("JSON");
            assert_eq!(leaf["id"], id.0.to_string());
            assert_eq!(proven.checkpoint.size, if *id == more[0] { 610 } else { 600 });
        }
        app.store.close().await;
    }
}

db_test! {
    async fn a_receipt_is_for_who_may_read_the_record(db: TestDb) {
        let app = TestApp::on(&db).await;
        let ids = append(&app, "ours", 0..2).await;
        append(&app, "theirs", 0..2).await;
        assert_eq!(receipt(&app, scope("theirs"), ids[0]).await.expect("read"), None);
        assert_eq!(app.logs.facade(scope("theirs")).inclusion_proof(ids[0], None).await.expect("read"), None);
        let blind = Scope { permissions: [Permission::RunsWrite].into_iter().collect(), ..scope("ours") };
        assert_eq!(receipt(&app, blind, ids[0]).await.expect_err("refused").code(), Code::Forbidden);
        // The platform's records are for everyone with the scope that their kind needs; other tenants' checkpoints are not.
        app.logs.announce_keys().await.expect("announced");
        app.logs.sign_all().await.expect("signed");
        app.logs.note_checkpoints().await.expect("noted");
        let record = async |kind: &str| {
            let rows = db.query(&format!("SELECT record_id FROM ledger_entry WHERE kind = '{kind}' ORDER BY seq LIMIT 1")).await;
            RecordId(rows[0].try_get_by_index(0).expect("an id"))
        };
        let (key, audit, checkpoint) = (record("key").await, record("audit_entry").await, record("checkpoint").await);
        verify(&receipt(&app, scope("ours"), key).await.expect("made").expect("one"));
        verify(&receipt(&app, scope("ours"), audit).await.expect("made").expect("one"));
        assert_eq!(receipt(&app, scope("ours"), checkpoint).await.expect("read"), None);
        let reader = Scope { permissions: [Permission::RunsRead].into_iter().collect(), ..scope("ours") };
        assert_eq!(receipt(&app, reader, audit).await.expect_err("refused").code(), Code::Forbidden);
        app.store.close().await;
    }
}

db_test! {
    async fn no_receipt_is_made_for_a_record_that_was_altered(db: TestDb) {
        let app = TestApp::on(&db).await;
        let ids = append(&app, "ours", 0..3).await;
        app.logs.sign_all().await.expect("signed");
        let trigger = match db.backend {
            DbBackend::Postgres => "ALTER TABLE llm_run DISABLE TRIGGER ALL",
            _ => "DROP TRIGGER llm_run_no_update",
        };
        db.execute(trigger).await.expect("the guard is off");
        db.execute("UPDATE llm_run SET model = 'gpt-2' WHERE run_id = '1'").await.expect("altered");
        assert_eq!(receipt(&app, scope("ours"), ids[1]).await.expect_err("altered").code(), Code::Conflict);
        verify(&receipt(&app, scope("ours"), ids[2]).await.expect("made").expect("one"));
        app.store.close().await;
    }
}

db_test! {
    async fn proofs_of_any_sizes_lead_to_their_roots(db: TestDb) {
        let app = TestApp::on(&db).await;
        let ids = append(&app, "ours", 0..520).await;
        let facade = app.logs.facade(scope("ours"));
        let hashes: Vec<_> = {
            let rows = db.query("SELECT leaf_hash FROM ledger_entry ORDER BY seq").await;
            let bytes = rows.iter().map(|row| row.try_get_by_index::<Vec<u8>>(0).expect("bytes"));
            bytes.map(|bytes| runledger::domain::ids::Digest::from_slice(&bytes).expect("32")).collect()
        };
        for (seq, size) in [(0, 1), (0, 520), (255, 256), (256, 257), (300, 511), (519, 520), (7, 513)] {
            let proof = facade.inclusion_proof(ids[seq], i64::try_from(size).ok()).await.expect("proven").expect("one");
            assert_eq!(proof.root, tree::root(hashes[..size].iter().copied()), "{seq} in {size}");
            assert!(proof::is_included(hashes[seq], seq as u64, size as u64, proof.root, &proof.hashes));
        }
        for (from, to) in [(0, 0), (0, 520), (1, 520), (256, 512), (300, 519), (520, 520)] {
            let proof = facade.consistency_proof(Stream::Evidence, from, to).await.expect("proven").expect("one");
            let (from, to) = (usize::try_from(from).expect("small"), usize::try_from(to).expect("small"));
            assert_eq!(proof.from_root, tree::root(hashes[..from].iter().copied()));
            assert_eq!(proof.to_root, tree::root(hashes[..to].iter().copied()), "{from} to {to}");
        }
        for (id, size) in [(ids[5], 5), (ids[5], 521), (ids[5], -1)] {
            assert_eq!(facade.inclusion_proof(id, Some(size)).await.expect_err("no size").code(), Code::BadUserInput);
        }
        for (from, to) in [(3, 2), (-1, 2), (0, 521)] {
            let error = facade.consistency_proof(Stream::Evidence, from, to).await.expect_err("no sizes");
            assert_eq!(error.code(), Code::BadUserInput);
        }
        assert_eq!(app.logs.facade(scope("nobody")).consistency_proof(Stream::Evidence, 0, 0).await.expect("read"), None);
        assert_eq!(facade.checkpoint(Stream::Access, None).await.expect("read"), None);
        assert!(app.store.ledger_log(&TenantId::platform(), Stream::Evidence).await.expect("read").is_none());
        app.store.close().await;
    }
}
