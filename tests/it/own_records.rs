//! What the server writes about itself.

use std::collections::BTreeSet;

use runledger::facade::own_records::Instance;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::ledger::system_records;

fn instance(id: &str, changed: Option<&[&str]>) -> Instance {
    Instance {
        id: id.to_owned(),
        version: "1.2.3".to_owned(),
        database: "sqlite".to_owned(),
        settings_digest: "00".repeat(32),
        changed_settings: changed.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>()),
    }
}

async fn events(db: &TestDb) -> Vec<(String, String, String)> {
    let records = system_records(db, "platform").await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    records
        .iter()
        .map(|record| (text(&record["component"]), text(&record["event"]), text(&record["severity"])))
        .collect()
}

fn event(component: &str, event: &str, severity: &str) -> (String, String, String) {
    (component.to_owned(), event.to_owned(), severity.to_owned())
}

db_test! {
    async fn starts_stops_and_crashes_are_on_record(db: TestDb) {
        let logs = TestApp::on(&db).await.logs;
        let (ours, beside) = (instance("a", None), instance("b", None));
        logs.record_startup(&ours).await.expect("recorded");
        logs.record_shutdown("a").await.expect("recorded");
        // A start after a stop in order finds nothing; one beside it is another server.
        logs.record_startup(&ours).await.expect("recorded");
        logs.record_startup(&beside).await.expect("recorded");
        let orderly = [event("API", "STARTUP", "INFO"), event("API", "SHUTDOWN", "INFO"), event("API", "STARTUP", "INFO"), event("API", "STARTUP", "INFO")];
        assert_eq!(events(&db).await, orderly);
        // No stop since: the next start finds the crash.
        logs.record_startup(&ours).await.expect("recorded");
        let after = events(&db).await;
        assert_eq!(after[4..], [event("API", "SHUTDOWN", "CRITICAL"), event("API", "STARTUP", "INFO")]);
        let records = system_records(&db, "platform").await;
        assert_eq!(records[4]["details"]["is_crash"], true);
        assert_eq!((&records[4]["instance"], &records[4]["causedBy"]), (&json!("a"), &json!("SYSTEM")));
        let details = json!({ "version": "1.2.3", "database": "sqlite", "settings_digest": "00".repeat(32) });
        assert_eq!(records[5]["details"], details);
    }

    async fn changed_settings_are_named_without_their_values(db: TestDb) {
        let logs = TestApp::on(&db).await.logs;
        logs.record_startup(&instance("a", Some(&["listen", "auth", "jwt_hs256_secret"]))).await.expect("recorded");
        let records = system_records(&db, "platform").await;
        assert_eq!(events(&db).await, [event("AUTH", "AUTH_CHANGE", "INFO"), event("API", "CONFIG_CHANGE", "INFO"), event("API", "STARTUP", "INFO")]);
        assert_eq!(records[0]["details"]["settings"], json!(["auth", "jwt_hs256_secret"]));
        assert_eq!(records[1]["details"]["settings"], json!(["listen"]));
    }

    async fn migrations_say_who_applied_them(db: TestDb) {
        let logs = TestApp::on(&db).await.logs;
        let names = ["m1".to_owned(), "m2".to_owned()];
        logs.record_migrations(&names, Some(runledger::facade::keys::operator())).await.expect("recorded");
        logs.record_migrations(&names[..1], None).await.expect("recorded");
        let records = system_records(&db, "platform").await;
        let said: Vec<_> = records.iter().map(|record| (&record["event"], &record["details"]["name"], &record["causedBy"])).collect();
        let (event, human) = (json!("MIGRATION"), json!("HUMAN"));
        assert_eq!(said, [(&event, &json!("m1"), &human), (&event, &json!("m2"), &human), (&event, &json!("m1"), &json!("SYSTEM"))]);
    }

    async fn errors_are_recorded_once_a_minute_with_their_number(db: TestDb) {
        let app = TestApp::on(&db).await;
        db.execute("ALTER TABLE llm_run RENAME TO llm_run_gone").await.expect("broken");
        for _ in 0..3 {
            let answer = app.raw_query("{ llmRuns { nodes { id } } }", json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL", "{answer}");
        }
        app.logs.flush_own_audit(false).await.expect("flushes");
        app.raw_query("{ llmRuns { nodes { id } } }", json!({})).await;
        app.logs.flush_own_audit(false).await.expect("flushes");
        let counts = async || {
            let records = system_records(&db, "platform").await;
            records.iter().map(|record| (record["event"].clone(), record["details"]["count"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(counts().await, [(json!("ERROR"), json!(3))]);
        app.clock.advance_us(60_000_000);
        app.logs.flush_own_audit(false).await.expect("flushes");
        assert_eq!(counts().await, [(json!("ERROR"), json!(3)), (json!("ERROR"), json!(1))]);
        db.execute("ALTER TABLE llm_run_gone RENAME TO llm_run").await.expect("mended");
    }
}
