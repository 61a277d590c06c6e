//! What is told of verifications: on demand, in the background, in GraphQL, in the audit ledger, on the command line.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::evidence::{drop_guards, every_kind, more, tamper};

const VERIFY: &str = "mutation($mode: VerificationMode!) { verifyLedger(input: { mode: $mode }) { verifications {
    stream mode status reason trustedSize size root entryCount payloadCount anomalyCount warningCount
    anomalies(first: 5) { totalCount { value } nodes { kind isWarning sequence sequenceEnd recordKind recordId field } } } } }";
const INTEGRITY: &str =
    "{ auditIntegrity { integrity { status reason lastVerified anomaliesDetected hashChainValid mode
    trustLevel } metadata { occurredAt sourceComponent } } }";

async fn verify(app: &TestApp, mode: &str) -> Vec<Value> {
    let mut answer = app.query_with(VERIFY, json!({ "mode": mode })).await;
    let mut all = answer["verifyLedger"]["verifications"].take();
    all.as_array_mut().map(std::mem::take).expect("a list")
}

async fn integrity(app: &TestApp) -> Value {
    app.query(INTEGRITY).await["auditIntegrity"]["integrity"].take()
}

/// Audit entries of verifications in a tenant's log.
async fn entries(db: &TestDb) -> Vec<String> {
    let sql = "SELECT event_type FROM audit_entry WHERE tenant_id = 'ours' AND category = 'INTEGRITY' ORDER BY seq";
    db.query(sql).await.iter().map(|row| row.try_get_by_index(0).expect("text")).collect()
}

db_test! {
    async fn on_demand_it_is_kept_and_is_an_audit_entry(db: TestDb) {
        let app = TestApp::on(&db).await;
        assert_eq!(verify(&app, "FULL").await, Vec::<Value>::new(), "there is no log, and none is made");
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_log").await, 0);
        every_kind(&app, "ours").await;
        app.logs.sign_all().await.expect("signed");
        let made = verify(&app, "FULL").await;
        assert_eq!(made.len(), 2);
        let evidence = made.iter().find(|one| one["stream"] == "EVIDENCE").expect("the evidence log");
        assert_eq!((&evidence["status"], &evidence["size"], &evidence["trustedSize"]), (&json!("VALID"), &json!("19"), &json!("0")));
        assert_eq!(evidence["anomalies"]["totalCount"]["value"], 0);
        assert_eq!(entries(&db).await, ["IntegrityVerified", "IntegrityVerified"]);
        let told = integrity(&app).await;
        assert_eq!((&told["status"], &told["hashChainValid"], &told["trustLevel"]), (&json!("VALID"), &json!(true), &json!("SIGNED")));
        drop_guards(&db).await;
        tamper(&db, "UPDATE llm_run SET input_tokens = 99 WHERE tenant_id = 'ours' AND run_id = 'run'").await;
        let made = verify(&app, "FULL").await;
        let evidence = made.iter().find(|one| one["stream"] == "EVIDENCE").expect("the evidence log");
        assert_eq!((&evidence["status"], &evidence["anomalyCount"]), (&json!("INVALID"), &json!(1)));
        let findings = evidence["anomalies"]["nodes"].as_array().expect("a list");
        let altered = findings.iter().find(|one| one["isWarning"] == false).expect("a finding");
        assert_eq!((&altered["kind"], &altered["recordKind"]), (&json!("ALTERED"), &json!("LLM_RUN")));
        assert!(altered["recordId"].as_str().is_some_and(|id| id.starts_with("run_")), "{altered}");
        assert_eq!(entries(&db).await.iter().filter(|one| *one == "AnomalyDetected").count(), 1);
        let ledger = app
            .query(
                "{ ledger { status { status anomaliesDetected trustLevel } anomalies(first: 3) { kind field isWarning }
                   verifications(first: 1) { totalCount { value } nodes { status mode } pageInfo { hasNextPage } } } }",
            )
            .await["ledger"]
            .take();
        assert_eq!((&ledger["status"]["status"], &ledger["status"]["anomaliesDetected"]), (&json!("INVALID"), &json!(1)));
        assert_eq!(ledger["anomalies"].as_array().map(Vec::len), Some(3));
        assert_eq!(ledger["verifications"]["nodes"], json!([{ "status": "INVALID", "mode": "FULL" }]));
        assert_eq!((&ledger["verifications"]["totalCount"]["value"], &ledger["verifications"]["pageInfo"]["hasNextPage"]), (&json!(2), &json!(true)));
        // A look at the newest entries does not take it back; a whole look at what was set right does.
        assert_eq!(integrity(&app).await["status"], "INVALID");
        verify(&app, "INCREMENTAL").await;
        assert_eq!(integrity(&app).await["status"], "INVALID");
        tamper(&db, "UPDATE llm_run SET input_tokens = 10 WHERE tenant_id = 'ours' AND run_id = 'run'").await;
        verify(&app, "FULL").await;
        assert_eq!(integrity(&app).await["status"], "VALID");
        app.clock.advance_us(301_000_000);
        let stale = integrity(&app).await;
        assert_eq!((&stale["status"], &stale["hashChainValid"]), (&json!("UNKNOWN"), &json!(true)), "{stale}");
        app.store.close().await;
    }
}

db_test! {
    async fn the_background_speaks_only_of_news(db: TestDb) {
        let app = TestApp::on(&db).await;
        let folder = tempfile::tempdir().expect("a folder");
        app.logs.trust_in(folder.path());
        every_kind(&app, "ours").await;
        let rounds = async |count: usize| {
            let mut looked = Vec::new();
            for _ in 0..count {
                app.clock.advance_us(60_000_000);
                looked.push(app.logs.verify_changed().await.expect("a round"));
            }
            looked
        };
        // The first round looks at both logs and says so; the second sees its own two entries; then there is nothing.
        assert_eq!(rounds(5).await, [2, 2, 0, 0, 0]);
        assert_eq!(entries(&db).await.len(), 2);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_verification").await, 2);
        assert_eq!(integrity(&app).await["status"], "VALID", "it was looked at a moment ago");
        more(&app, "ours", 3).await;
        assert_eq!(rounds(4).await, [2, 2, 0, 0]);
        assert_eq!(entries(&db).await.len(), 3, "one for the log that had news");
        // Set back: the file remembers, every round finds it, and it is told once.
        drop_guards(&db).await;
        tamper(&db, "DELETE FROM system_record WHERE summary = 'event 2'").await;
        tamper(&db, "UPDATE ledger_log SET size = size - 1 WHERE tenant_id = 'ours' AND stream = 'evidence'").await;
        rounds(3).await;
        assert_eq!(integrity(&app).await["status"], "INVALID");
        let kinds = db.query("SELECT DISTINCT kind FROM ledger_anomaly ORDER BY kind").await;
        let kinds: Vec<String> = kinds.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        assert!(kinds.contains(&"ROLLBACK".to_owned()) && kinds.contains(&"DELETED".to_owned()), "{kinds:?}");
        assert!(db.number("SELECT COUNT(*) FROM ledger_verification WHERE status = 'INVALID'").await <= 2);
        app.store.close().await;
    }
}

db_test! {
    async fn a_verification_needs_its_scope_and_belongs_to_its_tenant(db: TestDb) {
        let app = TestApp::set_up(&db, crate::support::app::AppSettings {
            auth: runledger::http::auth::AuthSettings::Required(None),
            ..Default::default()
        })
        .await;
        let key = async |tenant: &str, scope| {
            let permissions = [scope].into_iter().collect();
            let tenant = crate::support::seed::tenant(tenant);
            app.logs.create_api_key(tenant, None, permissions, None).await.expect("a key").1
        };
        use runledger::domain::scope::Permission;
        every_kind(&app, "ours").await;
        let reader = app.with_key(&key("ours", Permission::RunsRead).await);
        let refused = reader.raw_query(VERIFY, json!({ "mode": "FULL" })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
        let verifier = app.with_key(&key("ours", Permission::LedgerVerify).await);
        assert_eq!(verify(&verifier, "FULL").await.len(), 2);
        let actor = db.query("SELECT actor_id, source_component FROM audit_entry WHERE category = 'INTEGRITY'").await;
        assert!(actor[0].try_get_by_index::<String>(0).expect("text").starts_with("key:"));
        let auditor = app.with_key(&key("theirs", Permission::AuditRead).await);
        assert_eq!(integrity(&auditor).await["status"], "UNKNOWN");
        app.store.close().await;
    }
}

/// Runs the program, and gives its exit status and what it says.
pub fn run(url: &str, data: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runledger"))
        .args(["verify", "database", "--database-url", url, "--data-dir"])
        .arg(data)
        .args(arguments)
        .current_dir(data)
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

db_test! {
    async fn the_command_needs_no_server_and_changes_nothing(db: TestDb) {
        let folder = tempfile::tempdir().expect("a folder");
        let app = TestApp::on(&db).await;
        let (status, text) = run(&db.url, folder.path(), &["--full"]);
        assert_eq!(status, Some(2), "there is nothing: {text}");
        every_kind(&app, "ours").await;
        app.logs.sign_all().await.expect("signed");
        app.logs.note_checkpoints().await.expect("noted");
        app.store.close().await;
        let before = db.number("SELECT COUNT(*) FROM ledger_entry").await;
        let (status, text) = run(&db.url, folder.path(), &["--full"]);
        assert_eq!(status, Some(0), "{text}");
        assert!(text.contains("VALID: evidence log of ours") && text.contains("VALID: evidence log of platform"), "{text}");
        let (status, text) = run(&db.url, folder.path(), &["--tenant", "ours"]);
        assert!(status == Some(0) && text.contains("0 entries behind 19"), "{text}");
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_entry").await, before);
        assert_eq!(db.number("SELECT COUNT(*) FROM ledger_verification").await, 0);
        drop_guards(&db).await;
        tamper(&db, "UPDATE llm_run SET model = 'gpt-5' WHERE tenant_id = 'ours' AND run_id = 'run'").await;
        let (status, text) = run(&db.url, folder.path(), &["--full", "--tenant", "ours"]);
        assert!(status == Some(1) && text.contains("INVALID") && text.contains("ALTERED at 9 llm_run"), "{text}");
        let (status, text) = run("sqlite://no-such-file.db", folder.path(), &[]);
        assert!(status == Some(2) && text.contains("UNKNOWN"), "{text}");
        assert!(!folder.path().join("no-such-file.db").exists());
    }
}
