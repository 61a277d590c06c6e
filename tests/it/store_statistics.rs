//! Reads by keys on a database that nothing has analyzed: the store has it done, and each read takes the index of its keys.

use runledger::domain::ids::RecordId;
use runledger::domain::payload::PayloadPart;
use runledger::store::Store;
use sea_orm::DbBackend;
use uuid::Uuid;

use crate::support::db::TestDb;
use crate::support::opened::Opened;
use crate::support::seed::{scope, trace_id};

const TABLES: [&str; 3] = ["payload", "trace", "trace_step"];

/// Ten steps with attributes of each of `count` traces from `first` on, and ten times as many traces, written past the store.
async fn seed(db: &TestDb, first: u32, count: u32) {
    let last = first + count - 1;
    let steps = format!("generate_series({first}, {last}) AS t(t), generate_series(0, 9) AS s(s)");
    let id = "CAST(lpad(to_hex(t * 16 + s), 32, '0') AS uuid)";
    for sql in [
        format!(
            "INSERT INTO trace (tenant_id, id, seq, created_at, trace_id, run_id, schema_version, is_synthetic, started_at) \
             SELECT 'acme', gen_random_uuid(), t, 0, 't' || t, 'r' || t, '1', FALSE, t FROM \
             generate_series({first} * 10, {last} * 10 + 9) AS t(t)"
        ),
        format!(
            "INSERT INTO trace_step (tenant_id, id, seq, created_at, trace_id, step_index, is_late, span_id, attempt, \
             kind, skill_name, status, outcome_category, started_at, duration_us) \
             SELECT 'acme', {id}, t * 10 + s, 0, 't' || t, s, FALSE, 's' || s, 1, 'LLM', 'x', 'SUCCESS', 'SUCCESS', 0, 1 \
             FROM {steps}"
        ),
        format!(
            "INSERT INTO payload (tenant_id, record_id, part, text, salt) \
             SELECT 'acme', {id}, 'attributes', '{{}}', decode(repeat('00', 32), 'hex') FROM {steps}"
        ),
    ] {
        db.execute(&sql).await.expect("seeded");
    }
}

/// Rows that the look-ups of a page read, by table. A connection tells its counters when it is closed.
async fn rows_read(db: &TestDb, store: Store) -> [i64; 3] {
    let ids: Vec<RecordId> = (100..150).map(|trace| RecordId(Uuid::from_u128(trace * 16))).collect();
    let traces: Vec<_> = (100..150).map(|trace| trace_id(&format!("t{trace}"))).collect();
    let before = counters(db).await;
    let texts =
        store.payloads_by_record_id(&scope("acme"), PayloadPart::Attributes, &ids).await.expect("payloads").opened();
    let found = store.traces_by_trace_id(&scope("acme"), &traces).await.expect("traces").opened();
    let steps = store.steps_by_id(&scope("acme"), &ids).await.expect("steps").opened();
    assert_eq!((texts.len(), found.len(), steps.len()), (50, 50, 50));
    store.close().await;
    let after = counters(db).await;
    std::array::from_fn(|at| after[at] - before[at])
}

async fn counters(db: &TestDb) -> [i64; 3] {
    let mut counters = [0; 3];
    for (counter, table) in counters.iter_mut().zip(TABLES) {
        let sql = "SELECT (COALESCE(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname";
        *counter = db.number(&format!("{sql} = '{table}'")).await;
    }
    counters
}

db_test! {
    async fn tables_that_nothing_analyzed_are_read_by_their_keys(db: TestDb) {
        let store = db.store().await;
        if db.backend != DbBackend::Postgres {
            assert!(store.tables_without_statistics().await.expect("none").is_empty());
            return store.close().await;
        }
        for table in TABLES {
            db.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = FALSE)")).await.expect("no help");
        }
        assert!(store.tables_without_statistics().await.expect("asked").is_empty(), "small ones need none");
        seed(&db, 0, 2_000).await;
        let missing = store.tables_without_statistics().await.expect("asked");
        assert_eq!(missing, TABLES);
        store.analyze(&missing).await.expect("analyzed");
        assert!(store.tables_without_statistics().await.expect("asked").is_empty());
        let read = rows_read(&db, store).await;
        assert!(read.iter().all(|rows| (50..200).contains(rows)), "50 keys each read {read:?} rows of {TABLES:?}");

        let store = db.store().await;
        seed(&db, 2_000, 1_000).await;
        assert!(store.tables_without_statistics().await.expect("asked").is_empty(), "half as much again is known enough");
        seed(&db, 3_000, 1_500).await;
        assert_eq!(store.tables_without_statistics().await.expect("asked"), TABLES, "twice the size is not");
        store.close().await;
    }
}
