//! What tests of the writer share.

use sea_orm::TransactionTrait;

use super::db::TestDb;

/// Checks that seq, over every table, and step_index have no gap and no repeat.
pub async fn assert_gap_free(db: &TestDb) {
    let all = "SELECT tenant_id, seq FROM llm_run UNION ALL SELECT tenant_id, seq FROM trace \
               UNION ALL SELECT tenant_id, seq FROM trace_step UNION ALL SELECT tenant_id, seq FROM trace_seal";
    let bad = format!(
        "SELECT COUNT(*) FROM (SELECT l.tenant_id FROM ledger_log l LEFT JOIN ({all}) a ON a.tenant_id = l.tenant_id \
         GROUP BY l.tenant_id, l.size HAVING COUNT(a.seq) <> l.size OR COUNT(DISTINCT a.seq) <> l.size \
         OR COALESCE(MAX(a.seq) + 1, 0) <> l.size) bad"
    );
    assert_eq!(db.number(&bad).await, 0, "a log with gaps");
    let bad = "SELECT COUNT(*) FROM (SELECT t.trace_id FROM trace_state t LEFT JOIN trace_step s \
               ON s.tenant_id = t.tenant_id AND s.trace_id = t.trace_id GROUP BY t.tenant_id, t.trace_id, t.step_count \
               HAVING COUNT(s.step_index) <> t.step_count OR COALESCE(MAX(s.step_index) + 1, 0) <> t.step_count) bad";
    assert_eq!(db.number(bad).await, 0, "a trace with gaps");
    let bad =
        "SELECT COUNT(*) FROM (SELECT 1 FROM trace_step GROUP BY tenant_id, trace_id, span_id HAVING COUNT(*) > 1) bad";
    assert_eq!(db.number(bad).await, 0, "a span that is there twice");
}

/// Holds the database so that no flush can begin.
pub async fn hold(db: &TestDb) -> sea_orm::DatabaseTransaction {
    let options = sea_orm::TransactionOptions {
        sqlite_transaction_mode: (db.backend == sea_orm::DbBackend::Sqlite)
            .then_some(sea_orm::SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let txn = db.raw().await.begin_with_options(options).await.expect("begun");
    if db.backend == sea_orm::DbBackend::Postgres {
        use sea_orm::ConnectionTrait;
        txn.execute_unprepared("LOCK TABLE ledger_log IN ACCESS EXCLUSIVE MODE").await.expect("locked");
    }
    txn
}
