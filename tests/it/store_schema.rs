//! The schema: up, down, up; append-only triggers; settings that durability needs.

use runledger::error::Code;
use runledger::store::{Store, migrate};
use sea_orm::DbBackend;

use crate::support::db::TestDb;
use crate::support::seed::{self, Unit};

const EVIDENCE: [&str; 6] = ["llm_run", "llm_run_tag", "trace", "trace_step", "trace_seal", "payload"];

async fn tables(db: &TestDb) -> i64 {
    db.number(match db.backend {
        DbBackend::Postgres => {
            "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'seaql%'"
        }
        _ => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'seaql%'",
    })
    .await
}

db_test! {
    async fn goes_up_down_and_up_again(db: TestDb) {
        db.store().await.close().await;
        let count = tables(&db).await;
        assert_eq!(count, 30);
        let changes = migrate::status(&db.url).await.expect("status");
        assert!(changes.iter().all(|(_, is_applied)| *is_applied));
        let reverted = migrate::down(&db.url, 1).await.expect("down one");
        assert_eq!(reverted, [changes.last().expect("some").0.clone()]);

        let error = Store::connect(runledger::store::StoreConfig { migrate: false, ..db.config() }, db.clock.clone()).await;
        let error = error.err().expect("a database that lacks a change is refused");
        assert_eq!(error.code(), Code::BadUserInput);
        assert!(error.message().contains("migrate up"), "{error:?}");

        migrate::down(&db.url, 100).await.expect("down");
        assert_eq!(tables(&db).await, 0);
        assert_eq!(migrate::up(&db.url).await.expect("up").len(), changes.len());
        assert_eq!(tables(&db).await, count);
        assert!(migrate::up(&db.url).await.expect("up again").is_empty());
    }
}

db_test! {
    async fn a_change_that_ends_half_way_leaves_the_schema_as_it_was(db: TestDb) {
        db.store().await.close().await;
        let newest = migrate::status(&db.url).await.expect("status").last().expect("some").0.clone();
        assert!(newest.ends_with("telemetry"), "{newest}: its last statement makes the index that is in the way below");
        let is_applied = async || migrate::status(&db.url).await.expect("status").last().expect("some").1;
        let count = tables(&db).await;
        assert_eq!(migrate::down(&db.url, 1).await.expect("down"), std::slice::from_ref(&newest));
        let left = tables(&db).await;
        // The last statement finds its name taken.
        db.execute("CREATE INDEX span_content_age ON ledger_log (tenant_id)").await.expect("in the way");
        migrate::up(&db.url).await.expect_err("the index is there already");
        assert!(!is_applied().await);
        assert_eq!(tables(&db).await, left, "nothing is left of the attempt");
        db.execute("DROP INDEX span_content_age").await.expect("out of the way");
        assert_eq!(migrate::up(&db.url).await.expect("up"), std::slice::from_ref(&newest));
        assert_eq!(tables(&db).await, count);

        // And the other way: a table that is to be dropped is gone.
        db.execute("DROP TABLE metric_series").await.expect("in the way");
        migrate::down(&db.url, 1).await.expect_err("there is no such table");
        assert!(is_applied().await);
        assert_eq!(db.number("SELECT COUNT(*) FROM span_content").await, 0, "it was dropped first, and is back");
    }
}

db_test! {
    async fn evidence_is_append_only(db: TestDb) {
        let store = db.store().await;
        let attributes = runledger::domain::append::StepFacts { digest: seed::digest(1), text: "{}".to_owned() };
        let unit = Unit::of("acme", &db.clock)
            .run(runledger::domain::run::LlmRun { tags: vec!["x".to_owned()], ..seed::run("r") })
            .trace(seed::trace("t"))
            .step_with(seed::step("t", "s"), attributes, Some("{}"))
            .seal(seed::seal("t", 1));
        seed::all_new(store.append(unit.unit).await.expect("appended"));
        for table in EVIDENCE {
            assert_eq!(db.number(&format!("SELECT COUNT(*) FROM {table}")).await, 1, "{table}");
            let mut refused = vec![format!("UPDATE {table} SET tenant_id = 'x'"), format!("DELETE FROM {table}")];
            if db.backend == DbBackend::Postgres {
                refused.push(format!("TRUNCATE {table}"));
            }
            for statement in refused {
                let error = db.execute(&statement).await.expect_err(&statement).to_string();
                let operation = statement.split(' ').next().expect("a word");
                assert!(error.contains(&format!("{table} is append-only: {operation} is refused")), "{error}");
            }
        }
        store.close().await;
    }
}

db_test! {
    async fn text_sorts_bytewise_and_every_index_starts_with_the_tenant(db: TestDb) {
        db.store().await.close().await;
        let odd = match db.backend {
            DbBackend::Postgres => {
                assert_eq!(
                    db.number(
                        "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'public' \
                         AND table_name NOT LIKE 'seaql%' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
                    ).await,
                    0
                );
                "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'seaql%' \
                 AND indexdef NOT LIKE '%(tenant_id%' ORDER BY indexname"
            }
            _ => "SELECT name FROM sqlite_master WHERE type = 'index' AND sql NOT LIKE '%(tenant_id%' ORDER BY name",
        };
        let names: Vec<String> = db.query(odd).await.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
        // Reference tables, and operational look-ups across tenants; PostgreSQL lists keys among its indexes.
        let expected: &[&str] = match db.backend {
            DbBackend::Postgres => &[
                "api_key_pkey",
                "idempotency_created",
                "ledger_duty_pkey",
                "ledger_key_active",
                "ledger_key_pkey",
                "trace_state_due",
            ],
            _ => &["idempotency_created", "ledger_key_active", "trace_state_due"],
        };
        assert_eq!(names, expected);
    }

    async fn every_table_key_and_unique_index_begins_with_the_tenant(db: TestDb) {
        db.store().await.close().await;
        let tables = match db.backend {
            DbBackend::Postgres => {
                "SELECT CAST(table_name AS TEXT) FROM information_schema.columns WHERE table_schema = 'public' \
                 AND table_name NOT LIKE 'seaql%' AND ordinal_position = 1 AND column_name <> 'tenant_id' ORDER BY 1"
            }
            _ => {
                "SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c ON c.cid = 0 WHERE t.type = 'table' \
                 AND t.name NOT LIKE 'seaql%' AND c.name <> 'tenant_id' ORDER BY 1"
            }
        };
        let keys = match db.backend {
            DbBackend::Postgres => {
                "SELECT DISTINCT CAST(r.relname AS TEXT) FROM pg_index i JOIN pg_class r ON r.oid = i.indrelid \
                 LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = i.indkey[0] \
                 WHERE i.indisunique AND r.relnamespace = CAST('public' AS regnamespace) AND r.relname NOT LIKE 'seaql%' \
                 AND a.attname IS DISTINCT FROM 'tenant_id' ORDER BY 1"
            }
            _ => {
                "SELECT DISTINCT t.name FROM sqlite_master t JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c \
                 ON c.seqno = 0 WHERE t.type = 'table' AND t.name NOT LIKE 'seaql%' AND i.\"unique\" = 1 \
                 AND c.name IS NOT 'tenant_id' ORDER BY 1"
            }
        };
        for sql in [tables, keys] {
            let found: Vec<String> = db.query(sql).await.iter().map(|row| row.try_get_by_index(0).expect("text")).collect();
            assert_eq!(found, migration::REFERENCE_TABLES);
        }
    }
}

#[tokio::test]
async fn a_wrong_url_is_refused_with_its_reason() {
    let clock = std::sync::Arc::new(runledger::clock::SystemClock);
    let settle = runledger::domain::settle::SettlePolicy { settle_us: 0, settle_remote_us: 0, timeout_us: 0 };
    for (url, reason) in [
        ("sqlite::memory:", "in-memory"),
        ("sqlite:///no/such/folder/x.db", "/no/such/folder does not exist"),
        ("mysql://localhost/x", "sqlite://path or postgres://"),
    ] {
        let config = runledger::store::StoreConfig {
            database_url: url.to_owned(),
            migrate: true,
            pool_size: 1,
            settle,
            queue_records: 1,
            ledger: runledger::store::LedgerConfig::of("runledger"),
        };
        let error = Store::connect(config, clock.clone()).await.err().expect(url);
        assert_eq!(error.code(), Code::BadUserInput, "{error:?}");
        assert!(error.message().contains(reason), "{error:?}");
    }
}
