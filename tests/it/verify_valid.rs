//! Honest logs are VALID: every kind of record, real requests, erasures, growth under the look, empty ones UNKNOWN.

use std::collections::BTreeMap;

use runledger::domain::verification::{AnomalyKind, VerificationMode, VerificationStatus};
use runledger::facade::verify::look::Look;

use crate::support::app::{Encoding, TestApp};
use crate::support::evidence::{anomalies, every_kind, look, look_with, looker, more};
use crate::support::fixtures::fixtures;

fn statuses(looks: &[Look]) -> Vec<VerificationStatus> {
    looks.iter().map(|look| look.verification.status).collect()
}

db_test! {
    async fn every_kind_of_record_is_valid(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        more(&app, "ours", 700).await;
        app.logs.sign_all().await.expect("signed");
        every_kind(&app, "theirs").await;
        let looks = look(&app, "ours").await;
        assert_eq!(anomalies(&looks), []);
        assert_eq!(statuses(&looks), [VerificationStatus::Valid; 2]);
        assert!(looks.iter().all(|look| look.findings.is_empty() && look.has_news), "{looks:?}");
        let evidence = &looks.iter().find(|look| look.verification.size > 2).expect("the evidence log").verification;
        assert_eq!((evidence.entry_count, evidence.size, evidence.from_size), (719, 719, 0));
        // 3 of steps, 3 each of two audit entries, 702 of system records; the access log has 6 of its own.
        assert_eq!((evidence.payload_count, evidence.erased_count), (3 + 6 + 702, 0));
        let head = db.query("SELECT root FROM ledger_log WHERE size = 719").await;
        assert_eq!(evidence.root.expect("a root").0.to_vec(), head[0].try_get_by_index::<Vec<u8>>(0).expect("bytes"));
        app.store.close().await;
    }
}

db_test! {
    async fn real_requests_are_valid(db: TestDb) {
        let app = TestApp::on(&db).await;
        for fixture in fixtures().into_iter().step_by(3) {
            let answer = app.post_otlp(Encoding::Protobuf, fixture.protobuf).await;
            assert!(answer.status < 500, "{}: {}", fixture.name, answer.text());
        }
        app.seal_all().await;
        app.logs.sign_all().await.expect("signed");
        app.logs.note_checkpoints().await.expect("noted");
        app.logs.sign_all().await.expect("signed");
        let looks = looker(&app, BTreeMap::new(), VerificationMode::Full).database().await.expect("a look");
        assert_eq!(anomalies(&looks), []);
        assert!(looks.iter().any(|look| look.verification.entry_count > 100), "{looks:?}");
        assert!(statuses(&looks).iter().all(|status| *status == VerificationStatus::Valid), "{looks:?}");
        app.store.close().await;
    }
}

db_test! {
    async fn an_empty_log_is_unknown_and_so_is_none(db: TestDb) {
        let app = TestApp::on(&db).await;
        assert!(look(&app, "nobody").await.is_empty());
        every_kind(&app, "ours").await;
        db.execute("INSERT INTO ledger_log SELECT 'empty', log_id, 'evidence', 'x', 0, root, edge, 0 FROM ledger_log WHERE 1 = 0")
            .await
            .expect("nothing");
        let answer = app.query("{ auditIntegrity { integrity { status lastVerified hashChainValid trustLevel } } }").await;
        let integrity = &answer["auditIntegrity"]["integrity"];
        assert_eq!(integrity["status"], "UNKNOWN", "{answer}");
        assert!(integrity["lastVerified"].is_null() && integrity["hashChainValid"].is_null(), "{answer}");
        app.store.close().await;
    }
}

db_test! {
    async fn erased_payloads_are_counted_and_valid(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        let rows = db.query("SELECT record_id FROM payload WHERE part = 'details' AND tenant_id = 'ours' ORDER BY 1").await;
        let id: uuid::Uuid = rows[0].try_get_by_index(0).expect("an id");
        crate::support::evidence::drop_guards(&db).await;
        let id_text = match db.backend {
            sea_orm::DbBackend::Postgres => format!("'{id}'"),
            _ => format!("x'{}'", id.simple()),
        };
        db.execute(&format!("DELETE FROM payload WHERE record_id = {id_text}")).await.expect("deleted");
        let missing = anomalies(&look(&app, "ours").await);
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert_eq!((missing[0].kind, missing[0].field.as_deref()), (AnomalyKind::PayloadMissing, Some("details")));
        assert_eq!(missing[0].record_id.expect("a record").0, id);
        let erase = crate::support::evidence::event(
            &app.clock,
            runledger::domain::vocabulary::LedgerEventKind::Erase,
            &format!("{id}/details"),
        );
        let unit = runledger::domain::append::AppendUnit::evidence(crate::support::seed::tenant("ours"), vec![erase]);
        app.store.append(unit).await.expect("written");
        let looks = look(&app, "ours").await;
        assert_eq!(anomalies(&looks), []);
        assert_eq!(looks.iter().map(|look| look.verification.erased_count).sum::<i64>(), 1);
        app.store.close().await;
    }
}

db_test! {
    async fn a_log_that_grows_meanwhile_is_valid(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        more(&app, "ours", 300).await;
        let writing = tokio::spawn({
            let app = app.clone();
            async move {
                for _ in 0..30 {
                    more(&app, "ours", 20).await;
                    app.logs.sign_all().await.expect("signed");
                    app.logs.note_checkpoints().await.expect("noted");
                }
            }
        });
        let mut looks = 0;
        while !writing.is_finished() || looks < 3 {
            assert_eq!(anomalies(&look(&app, "ours").await), [], "while it grows");
            looks += 1;
        }
        writing.await.expect("written");
        assert_eq!(anomalies(&look(&app, "ours").await), []);
        app.store.close().await;
    }
}

db_test! {
    async fn an_incremental_look_begins_where_the_last_one_ended(db: TestDb) {
        let app = TestApp::on(&db).await;
        every_kind(&app, "ours").await;
        more(&app, "ours", 600).await;
        let trusted = |looks: &[Look]| -> BTreeMap<_, _> {
            looks.iter().filter_map(Look::trusted).map(|log| (log.log_id, log)).collect()
        };
        let first = trusted(&look(&app, "ours").await);
        assert_eq!(first.len(), 2);
        more(&app, "ours", 5).await;
        let looks = look_with(&app, "ours", first, VerificationMode::Incremental).await;
        assert_eq!(anomalies(&looks), []);
        let counts: Vec<_> =
            looks.iter().map(|look| (look.verification.from_size, look.verification.entry_count)).collect();
        assert!(counts.contains(&(619, 5)) && counts.contains(&(2, 0)), "{counts:?}");
        assert!(trusted(&looks).values().any(|log| log.position.size == 624));
        app.store.close().await;
    }
}
