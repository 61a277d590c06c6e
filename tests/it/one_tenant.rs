//! What the look at every statement's plan finds: it is made after each test on PostgreSQL, of whatever that sent.

use sea_orm::DbBackend;
use sea_orm::sqlx::Connection as _;

use crate::support::plans::{connect, problem};

db_test! {
    async fn a_statement_that_is_not_of_one_tenant_is_found(db: TestDb) {
        if db.backend != DbBackend::Postgres {
            return;
        }
        let mut connection = connect(&db.url).await;
        for (sql, expected) in [
            ("SELECT 1 FROM trace WHERE tenant_id = $1 AND trace_id = $2", None),
            ("SELECT 1 FROM trace WHERE tenant_id = 'platform' AND trace_id = $1", None),
            ("SELECT 1 FROM ledger_duty WHERE name = $1", None),
            ("SELECT 1 FROM trace WHERE trace_id = $1", Some("of no tenant in trace")),
            (
                "SELECT 1 FROM trace t JOIN trace_seal s ON s.trace_id = t.trace_id WHERE t.tenant_id = $1",
                Some("of no tenant in trace_seal"),
            ),
            (
                "SELECT 1 FROM unnest($1::text[]) AS k(t) CROSS JOIN trace WHERE tenant_id = k.t",
                Some("of no tenant in trace"),
            ),
            (
                "SELECT 1 FROM trace t WHERE t.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM trace_seal s \
                 WHERE s.tenant_id = t.tenant_id AND s.trace_id = t.trace_id LIMIT 1 OFFSET 0)",
                Some("of no tenant in trace_seal"),
            ),
            (
                "SELECT 1 FROM trace WHERE tenant_id = $1 UNION ALL SELECT 1 FROM trace WHERE tenant_id = 'platform'",
                Some("of several tenants"),
            ),
            ("SELECT 1 FROM trace WHERE tenant_id IN ($1, 'platform')", Some("of no tenant in trace")),
            ("UPDATE trace_state SET version = 1 WHERE trace_id = $1", Some("of no tenant in trace_state")),
            ("DELETE FROM payload WHERE record_id = $1", Some("of no tenant in payload")),
            ("INSERT INTO llm_run_tag SELECT $1, * FROM UNNEST($2::text[], $3::bigint[])", None),
            (
                "INSERT INTO llm_run_tag SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[])",
                Some("of no tenant in llm_run_tag"),
            ),
            ("/* every tenant: a test */ SELECT 1 FROM ledger_log WHERE size > 0", None),
            (
                "/* every tenant: a test */ SELECT 1 FROM ledger_log l JOIN ledger_checkpoint c \
                 ON c.tenant_id = l.tenant_id AND c.log_id = l.log_id",
                None,
            ),
            (
                "/* every tenant: a test */ SELECT 1 FROM ledger_log l JOIN ledger_checkpoint c ON c.log_id = l.log_id",
                Some("joins tables across tenants"),
            ),
            ("/* every tenant: a test */ SELECT 1 FROM trace_state FOR UPDATE", Some("locks rows of every tenant")),
        ] {
            let found = problem(&mut connection, sql, &[]).await;
            match expected {
                None => assert_eq!(found, None, "{sql}"),
                Some(words) => assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{found:?}: {sql}"),
            }
        }
        let two = "SELECT 1 FROM trace WHERE tenant_id = $1 UNION ALL SELECT 1 FROM trace WHERE tenant_id = $2";
        for (second, is_right) in [("acme", true), ("other", false)] {
            let values = ["acme", second].map(|tenant| Some(tenant.to_owned()));
            assert_eq!(problem(&mut connection, two, &values).await.is_none(), is_right, "{second}");
        }
        connection.close().await.expect("closes");
    }
}
