//! Rows deleted, inserted, swapped, cut off and set back behind the server's back: what is found, and where.

use std::collections::BTreeMap;

use runledger::domain::verification::{Anomaly, AnomalyKind as Kind, VerificationMode};
use runledger::facade::verify::look::Look;
use runledger::facade::verify::trusted::TrustedLog;
use uuid::Uuid;

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::evidence::{
    GUARDED, LOG, anomalies, cut_off, drop_guards, every_kind, found, has, look, look_with, looker, more,
    remove_tenant, tamper,
};

async fn prepared(db: &TestDb) -> TestApp {
    let app = TestApp::on(db).await;
    every_kind(&app, "ours").await;
    more(&app, "ours", 600).await;
    app.logs.sign_all().await.expect("signed");
    drop_guards(db).await;
    app
}

/// Tampers, and gives what a look from the first entry on finds.
async fn after(db: &TestDb, app: &TestApp, sql: &str) -> Vec<Anomaly> {
    tamper(db, sql).await;
    found(app, "ours").await
}

fn kinds(found: &[Anomaly]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = found.iter().map(|one| one.kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn trusted(looks: &[Look]) -> BTreeMap<Uuid, TrustedLog> {
    looks.iter().filter_map(Look::trusted).map(|log| (log.log_id, log)).collect()
}

db_test! {
    async fn deleted_rows(db: TestDb) {
        let app = prepared(&db).await;
        let found_by = after(&db, &app, "DELETE FROM system_record WHERE tenant_id = 'ours' AND seq = 100").await;
        assert!(has(&found_by, Kind::Deleted, 100), "{found_by:?}");
        assert!(found_by.iter().any(|one| one.kind == Kind::Inserted && one.field.as_deref() == Some("details")), "its payload");
        let found_by = after(&db, &app, &format!("DELETE FROM ledger_entry WHERE log_id = {LOG} AND seq = 200")).await;
        assert!(has(&found_by, Kind::Deleted, 200), "{found_by:?}");
        let sql = format!(
            "DELETE FROM ledger_entry WHERE log_id = {LOG} AND seq BETWEEN 300 AND 309;
             DELETE FROM system_record WHERE tenant_id = 'ours' AND seq BETWEEN 300 AND 309"
        );
        let found_by = after(&db, &app, &sql).await;
        let range = found_by.iter().find(|one| one.kind == Kind::Deleted && one.seq == Some(300)).expect("the gap");
        assert_eq!(range.seq_end, Some(310));
        assert!(!kinds(&found_by).contains(&Kind::Tree), "the gap does not make the tree wrong: {found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn inserted_rows(db: TestDb) {
        let app = prepared(&db).await;
        let columns = "created_at, component, event_type, severity, summary, source_component, occurred_at";
        for (seq, tenant) in [(2_000_000, "ours"), (618, "ours")] {
            let id = if db.backend == sea_orm::DbBackend::Postgres { "gen_random_uuid()" } else { "randomblob(16)" };
            // The second one takes the place of a record that goes behind the end.
            let sql = format!(
                "UPDATE system_record SET seq = 3000000 WHERE tenant_id = '{tenant}' AND seq = {seq};
                 INSERT INTO system_record (tenant_id, id, seq, {columns}) SELECT '{tenant}', {id}, {seq}, {columns} \
                 FROM system_record WHERE tenant_id = 'ours' AND seq = 100"
            );
            let found_by = after(&db, &app, &sql).await;
            assert!(has(&found_by, Kind::Inserted, seq), "{seq}: {found_by:?}");
        }
        let found_by = found(&app, "ours").await;
        let moved = found_by.iter().find(|one| one.kind == Kind::Reordered).expect("the one that was moved");
        assert_eq!((moved.seq, moved.seq_end), (Some(618), Some(3_000_000)));
        let sql = "INSERT INTO payload (tenant_id, record_id, part, text, salt) SELECT tenant_id, record_id, 'plan', text, salt \
                   FROM payload WHERE tenant_id = 'ours' AND part = 'before_state'";
        let found_by = after(&db, &app, sql).await;
        assert!(found_by.iter().any(|one| one.kind == Kind::Inserted && one.field.as_deref() == Some("plan")), "{found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn an_entry_without_its_record_behind_the_end(db: TestDb) {
        let app = prepared(&db).await;
        let id = if db.backend == sea_orm::DbBackend::Postgres { "gen_random_uuid()" } else { "randomblob(16)" };
        let sql = format!(
            "INSERT INTO ledger_entry (tenant_id, log_id, seq, kind, record_id, leaf_hash) SELECT tenant_id, log_id, 618 + 1, kind, {id}, leaf_hash \
             FROM ledger_entry WHERE log_id = {LOG} AND seq = 0"
        );
        let found_by = after(&db, &app, &sql).await;
        assert!(has(&found_by, Kind::Inserted, 619), "{found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn swapped_rows(db: TestDb) {
        let app = prepared(&db).await;
        let swap = |table: &str, column: &str, condition: &str, left: i64, right: i64| {
            format!(
                "UPDATE {table} SET {column} = 5000000 WHERE {condition} AND {column} = {left};
                 UPDATE {table} SET {column} = {left} WHERE {condition} AND {column} = {right};
                 UPDATE {table} SET {column} = {right} WHERE {condition} AND {column} = 5000000"
            )
        };
        let pair = |found: &[Anomaly], left, right| {
            found.iter().any(|one| one.kind == Kind::Reordered && (one.seq, one.seq_end) == (Some(left), Some(right)))
        };
        let found_by = after(&db, &app, &swap("system_record", "seq", "tenant_id = 'ours'", 100, 500)).await;
        assert!(pair(&found_by, 100, 500) && kinds(&found_by) == [Kind::Reordered], "{found_by:?}");
        after(&db, &app, &swap("system_record", "seq", "tenant_id = 'ours'", 100, 500)).await;
        let found_by = after(&db, &app, &swap("ledger_entry", "seq", &format!("log_id = {LOG}"), 101, 501)).await;
        assert!(pair(&found_by, 101, 501) && kinds(&found_by).contains(&Kind::Tree), "{found_by:?}");
        let blocks: Vec<_> = found_by.iter().filter(|one| one.kind == Kind::Tree).map(|one| one.seq).collect();
        assert!(blocks.contains(&Some(0)) && blocks.contains(&Some(256)), "{found_by:?}");
        after(&db, &app, &swap("ledger_entry", "seq", &format!("log_id = {LOG}"), 101, 501)).await;
        // The steps of a trace: their numbers stand in no leaf.
        let steps = "tenant_id = 'ours' AND trace_id = 'one'";
        let found_by = after(&db, &app, &swap("trace_step", "step_index", steps, 0, 1)).await;
        assert_eq!(kinds(&found_by), [Kind::Reordered], "{found_by:?}");
        assert!(found_by.iter().all(|one| one.field.as_deref() == Some("step_index")), "{found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn cut_off_at_the_end(db: TestDb) {
        let app = prepared(&db).await;
        let before = trusted(&look(&app, "ours").await);
        // Only rows: the head still says how many there were.
        let sql = format!(
            "DELETE FROM payload WHERE record_id IN (SELECT record_id FROM ledger_entry WHERE log_id = {LOG} AND seq >= 610);
             DELETE FROM ledger_entry WHERE log_id = {LOG} AND seq >= 610;
             DELETE FROM system_record WHERE tenant_id = 'ours' AND seq >= 610"
        );
        let found_by = after(&db, &app, &sql).await;
        assert!(has(&found_by, Kind::Deleted, 610) && has(&found_by, Kind::Truncated, 610), "{found_by:?}");
        // Everything, so that the tree agrees with itself: the signed checkpoint remembers.
        cut_off(&db, 500).await;
        let found_by = found(&app, "ours").await;
        assert_eq!(kinds(&found_by), [Kind::Truncated], "{found_by:?}");
        assert_eq!((found_by[0].seq, found_by[0].seq_end), (Some(500), Some(619)));
        // The checkpoints too: what was verified before remembers.
        tamper(&db, "DELETE FROM ledger_checkpoint").await;
        assert_eq!(found(&app, "ours").await, [], "nothing in the database remembers");
        for mode in [VerificationMode::Incremental, VerificationMode::Full] {
            let found_by = anomalies(&look_with(&app, "ours", before.clone(), mode).await);
            assert_eq!(kinds(&found_by), [Kind::Rollback], "{found_by:?}");
            assert_eq!((found_by[0].seq, found_by[0].seq_end), (Some(500), Some(619)));
        }
        app.store.close().await;
    }
}

db_test! {
    async fn cut_off_where_only_the_log_of_logs_remembers(db: TestDb) {
        let app = prepared(&db).await;
        app.logs.note_checkpoints().await.expect("noted");
        more(&app, "ours", 10).await;
        app.logs.sign_all().await.expect("signed");
        app.logs.note_checkpoints().await.expect("noted");
        cut_off(&db, 500).await;
        tamper(&db, "DELETE FROM ledger_checkpoint").await;
        let found_by = found(&app, "ours").await;
        let ranges: Vec<_> = found_by.iter().map(|one| (one.kind, one.seq, one.seq_end)).collect();
        assert_eq!(ranges, [(Kind::Truncated, Some(500), Some(629))], "the newest of both: {found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn set_back_and_written_on(db: TestDb) {
        let app = prepared(&db).await;
        let before = trusted(&look(&app, "ours").await);
        let checkpoints = "SELECT * FROM ledger_checkpoint";
        db.execute(&format!("CREATE TABLE kept AS {checkpoints}")).await.expect("kept");
        cut_off(&db, 500).await;
        tamper(&db, "DELETE FROM ledger_checkpoint").await;
        more(&app, "ours", 150).await;
        for mode in [VerificationMode::Incremental, VerificationMode::Full] {
            let found_by = anomalies(&look_with(&app, "ours", before.clone(), mode).await);
            assert_eq!(kinds(&found_by), [Kind::Fork], "{found_by:?}");
            assert_eq!(found_by[0].seq, Some(619));
        }
        // The old checkpoint next to the new entries: it was rewritten.
        db.execute(&format!("INSERT INTO ledger_checkpoint {}", checkpoints.replace("ledger_checkpoint", "kept"))).await.expect("back");
        let found_by = found(&app, "ours").await;
        assert_eq!(kinds(&found_by), [Kind::Rewritten], "{found_by:?}");
        assert_eq!(found_by[0].seq, Some(619));
        app.store.close().await;
    }
}

db_test! {
    async fn a_removed_tenant(db: TestDb) {
        let app = prepared(&db).await;
        app.logs.note_checkpoints().await.expect("noted");
        app.logs.sign_all().await.expect("signed");
        let before = trusted(&look(&app, "ours").await);
        remove_tenant(&db).await;
        let looks = looker(&app, BTreeMap::new(), VerificationMode::Full).database().await.expect("a look");
        let found_by = anomalies(&looks);
        assert_eq!(kinds(&found_by), [Kind::Deleted], "{found_by:?}");
        assert!(found_by.iter().all(|one| one.field.as_deref() == Some("ledger_log") && one.record_id.is_some()));
        let found_by = anomalies(&look_with(&app, "ours", before, VerificationMode::Incremental).await);
        assert_eq!(kinds(&found_by), [Kind::Rollback], "{found_by:?}");
        assert!(found_by.iter().any(|one| (one.seq, one.seq_end) == (Some(0), Some(619))), "{found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn a_log_whose_head_is_gone(db: TestDb) {
        let app = prepared(&db).await;
        let before = trusted(&look(&app, "ours").await);
        let found_by = after(&db, &app, "DELETE FROM ledger_log WHERE tenant_id = 'ours' AND stream = 'evidence'").await;
        assert_eq!(kinds(&found_by), [Kind::Deleted], "{found_by:?}");
        assert!(found_by.iter().all(|one| one.field.as_deref() == Some("ledger_log")), "{found_by:?}");
        let found_by = anomalies(&look_with(&app, "ours", before, VerificationMode::Incremental).await);
        assert!(kinds(&found_by).contains(&Kind::Rollback), "{found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn a_checkpoint_by_a_key_that_was_retired(db: TestDb) {
        let app = prepared(&db).await;
        tamper(&db, "UPDATE ledger_key SET retired_at = 1, to_sizes = '{}'").await;
        let found_by = found(&app, "ours").await;
        assert!(found_by.iter().any(|one| one.kind == Kind::Altered && one.seq == Some(619)), "{found_by:?}");
        let rows = db.query(&format!("SELECT log_id FROM ledger_log WHERE log_id = {LOG}")).await;
        let log_id: Uuid = rows[0].try_get_by_index(0).expect("an id");
        let sizes = format!("{{\"{}\":619}}", log_id.simple());
        let found_by = after(&db, &app, &format!("UPDATE ledger_key SET to_sizes = '{sizes}'")).await;
        assert!(found_by.iter().all(|one| one.seq != Some(619)), "it signed that before: {found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn another_key_in_the_place_of_the_one_that_signs(db: TestDb) {
        let app = prepared(&db).await;
        app.logs.announce_keys().await.expect("announced");
        assert_eq!(found(&app, "ours").await, []);
        // Whoever holds the database alone signs everything anew with a key of their own.
        let key = runledger::ledger::note::NoteSigner::new("ledger.test", &[8; 32]).expect("a key");
        let rows = db.query(&format!("SELECT origin, root FROM ledger_log WHERE log_id = {LOG}")).await;
        let checkpoint = runledger::ledger::checkpoint::Checkpoint {
            origin: rows[0].try_get_by_index(0).expect("text"),
            size: 619,
            root: runledger::domain::ids::Digest::from_slice(&rows[0].try_get_by_index::<Vec<u8>>(1).expect("bytes")).expect("a root"),
        };
        let note = checkpoint.sign(&key).expect("a note");
        let public = hex::encode(key.key().public_key());
        let sql = format!(
            "UPDATE ledger_key SET key_id = '{}', public_key = x'{public}'; DELETE FROM ledger_checkpoint WHERE log_id <> {LOG}; \
             UPDATE ledger_checkpoint SET note = '{note}' WHERE log_id = {LOG}",
            key.key().id_hex()
        );
        let found_by = after(&db, &app, &sql).await;
        assert!(found_by.iter().any(|one| one.field.as_deref() == Some("ledger_key")), "{found_by:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn tags_keys_guards_and_clocks(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        app.logs.sign_all().await.expect("signed");
        assert!(look(&app, "ours").await.iter().all(|look| look.findings.is_empty()));
        let guarded = match db.backend {
            sea_orm::DbBackend::Postgres => {
                "SELECT DISTINCT relname::text FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal ORDER BY 1"
            }
            _ => "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY 1",
        };
        let guarded: Vec<String> =
            db.query(guarded).await.iter().map(|row| row.try_get_by_index(0).expect("a name")).collect();
        let mut watched = GUARDED;
        watched.sort_unstable();
        assert_eq!(guarded, watched, "every table that the migrations guard is watched");
        drop_guards(&db).await;
        let looks = look(&app, "ours").await;
        let tables: Vec<&str> = looks[0].findings.iter().filter_map(|one| one.field.as_deref()).collect();
        assert!(looks[0].findings.iter().all(|one| one.kind == Kind::GuardOff && one.is_warning));
        assert!(GUARDED.iter().all(|table| tables.contains(table)), "{tables:?}");
        let tags = after(&db, &app, "DELETE FROM llm_run_tag WHERE tag = 'blue'").await;
        assert_eq!((tags[0].kind, tags[0].field.as_deref()), (Kind::Deleted, Some("llm_run_tag")), "{tags:?}");
        let sql = "INSERT INTO llm_run_tag (tenant_id, tag, seq) SELECT tenant_id, 'blue', seq FROM llm_run_tag;
                   INSERT INTO llm_run_tag (tenant_id, tag, seq) VALUES ('ours', 'green', 0)";
        let tags = after(&db, &app, sql).await;
        assert_eq!((tags[0].kind, tags[0].field.as_deref(), tags.len()), (Kind::Inserted, Some("llm_run_tag"), 1), "{tags:?}");
        tamper(&db, "DELETE FROM llm_run_tag WHERE tag = 'green'").await;
        let keys = after(&db, &app, &format!("UPDATE ledger_key SET public_key = x'{}'", "09".repeat(32))).await;
        assert!(keys.iter().any(|one| one.field.as_deref() == Some("ledger_key")), "{keys:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn a_clock_that_goes_back_is_a_warning(db: TestDb) {
        let app = TestApp::on(&db).await;
        app.clock.advance_us(60_000_000);
        more(&app, "ours", 2).await;
        app.clock.advance_us(-30_000_000);
        more(&app, "ours", 2).await;
        let looks = look(&app, "ours").await;
        assert_eq!(anomalies(&looks), []);
        let warnings: Vec<_> = looks[0].findings.iter().map(|one| (one.kind, one.seq)).collect();
        assert_eq!(warnings, [(Kind::Clock, Some(2))]);
        assert_eq!(looks[0].verification.status, runledger::domain::verification::VerificationStatus::Valid);
        app.store.close().await;
    }
}
