//! Every column of every table of evidence, altered behind the server's back, is found and named.

use runledger::domain::verification::{Anomaly, AnomalyKind};
use sea_orm::DbBackend;

use crate::support::app::TestApp;
use crate::support::db::TestDb;
use crate::support::evidence::{RECORDS, drop_guards, every_kind, found, has, tamper};

/// A column as the catalogue has it.
struct Column {
    name: String,
    data_type: String,
}

/// The columns of a table that are not computed.
async fn columns(db: &TestDb, table: &str) -> Vec<Column> {
    let sql = match db.backend {
        DbBackend::Postgres => format!(
            "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = '{table}' \
             AND is_generated = 'NEVER' ORDER BY ordinal_position"
        ),
        _ => format!("SELECT name, type FROM pragma_table_xinfo('{table}') WHERE hidden = 0"),
    };
    let row = |row: &sea_orm::QueryResult| Column {
        name: row.try_get_by_index(0).expect("a name"),
        data_type: row.try_get_by_index::<String>(1).expect("a type").to_lowercase(),
    };
    db.query(&sql).await.iter().map(row).collect()
}

/// Another value of the column's type, for any value that it has.
fn changed(db: &TestDb, table: &str, column: &Column) -> String {
    let name = &column.name;
    let is_flag = name.starts_with("is_");
    match (db.backend, column.data_type.as_str()) {
        (DbBackend::Postgres, "boolean") => format!("NOT {name}"),
        (DbBackend::Postgres, "uuid") => "'01970000-0000-7000-8000-00000000ffff'".to_owned(),
        (DbBackend::Postgres, "bytea") => format!("sha256(COALESCE({name}, ''))"),
        (_, "bigint" | "integer") if is_flag => format!("1 - {name}"),
        // Far from what any other row has, so that no key refuses it.
        (_, "bigint" | "integer") => format!("COALESCE({name}, 0) + 1000"),
        (_, "blob") if name.ends_with("id") => "x'0197000000007000800000000000ffff'".to_owned(),
        (_, "blob") => format!("CASE WHEN {name} = zeroblob(32) THEN randomblob(32) ELSE zeroblob(32) END"),
        // The one word that the schema knows.
        _ if (table, name.as_str()) == ("log_export", "status") => "'FAILED'".to_owned(),
        _ => format!("COALESCE({name}, '') || 'x'"),
    }
}

/// Alters one column of one row after the other, and takes each back again.
async fn alter_each(db: &TestDb, app: &TestApp, table: &str, judge: impl Fn(&str, &[Anomaly], &Row)) {
    let columns = columns(db, table).await;
    assert!(columns.len() >= 3, "{table} has columns");
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let list = names.join(", ");
    db.execute(&format!("CREATE TABLE kept AS SELECT {list} FROM {table}")).await.expect("kept");
    let row = Row::of(db, table).await;
    for column in &columns {
        let (name, value, condition) = (&column.name, changed(db, table, column), &row.condition);
        db.execute(&format!("UPDATE {table} SET {name} = {value} WHERE {condition}"))
            .await
            .unwrap_or_else(|error| panic!("{table}.{name}: {error}"));
        let found = found(app, "ours").await;
        assert!(!found.is_empty(), "{table}.{name} was altered and nobody noticed");
        judge(name, &found, &row);
        db.execute(&format!("DELETE FROM {table}; INSERT INTO {table} ({list}) SELECT {list} FROM kept"))
            .await
            .expect("taken back");
    }
    assert_eq!(found(app, "ours").await, [], "{table} is as it was");
    db.execute("DROP TABLE kept").await.expect("dropped");
}

/// The row that is altered: the second one of the tenant, where there are several.
struct Row {
    condition: String,
    id: uuid::Uuid,
    seq: i64,
}

impl Row {
    async fn of(db: &TestDb, table: &str) -> Self {
        let sql = format!("SELECT id, seq FROM {table} WHERE tenant_id = 'ours' ORDER BY seq LIMIT 2");
        let rows = db.query(&sql).await;
        let row = rows.last().expect("a row");
        let seq: i64 = row.try_get_by_index(1).expect("a place");
        Self { condition: format!("tenant_id = 'ours' AND seq = {seq}"), id: row.try_get_by_index(0).expect("id"), seq }
    }
}

/// What an altered column of a record must lead to.
fn judge_record(table: &str, column: &str, found: &[Anomaly], row: &Row) {
    let of_record = |kind| found.iter().any(|one| one.kind == kind && one.record_id.is_some_and(|id| id.0 == row.id));
    let is_right = match column {
        "seq" => of_record(AnomalyKind::Reordered) || has(found, AnomalyKind::Deleted, row.seq),
        "step_index" | "is_late" => {
            found.iter().any(|one| one.kind == AnomalyKind::Reordered && one.field.as_deref() == Some(column))
        }
        // The record is another tenant's now.
        "tenant_id" => of_record(AnomalyKind::Deleted),
        _ => of_record(AnomalyKind::Altered),
    };
    assert!(is_right, "{table}.{column} of {} at {}: {found:?}", row.id, row.seq);
}

async fn prepared(db: &TestDb) -> TestApp {
    let app = TestApp::on(db).await;
    every_kind(&app, "ours").await;
    app.logs.sign_all().await.expect("signed");
    drop_guards(db).await;
    assert_eq!(found(&app, "ours").await, []);
    app
}

db_test! {
    async fn of_runs_traces_and_seals(db: TestDb) {
        let app = prepared(&db).await;
        for table in ["llm_run", "trace", "trace_seal"] {
            alter_each(&db, &app, table, |column, found, row| judge_record(table, column, found, row)).await;
        }
        app.store.close().await;
    }
}

db_test! {
    async fn of_steps(db: TestDb) {
        let app = prepared(&db).await;
        alter_each(&db, &app, "trace_step", |column, found, row| judge_record("trace_step", column, found, row)).await;
        app.store.close().await;
    }
}

db_test! {
    async fn of_everything_else(db: TestDb) {
        let app = prepared(&db).await;
        for table in RECORDS.into_iter().skip(4) {
            alter_each(&db, &app, table, |column, found, row| judge_record(table, column, found, row)).await;
        }
        app.store.close().await;
    }
}

db_test! {
    async fn of_entries_nodes_heads_and_checkpoints(db: TestDb) {
        let app = prepared(&db).await;
        crate::support::evidence::more(&app, "ours", 600).await;
        app.logs.sign_all().await.expect("signed");
        let log = "(SELECT log_id FROM ledger_log WHERE tenant_id = 'ours' AND stream = 'evidence')";
        for (table, row, ignored) in [
            ("ledger_entry", "seq = 300", &[][..]),
            ("ledger_node", "idx = 1", &[]),
            // When it was signed stands in no note; nothing is decided by it.
            ("ledger_checkpoint", "size > 600", &["made_at"]),
            // When it was last appended to is operational.
            ("ledger_log", "size > 600", &["updated_at"]),
        ] {
            let columns = columns(&db, table).await;
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let list = names.join(", ");
            db.execute(&format!("CREATE TABLE kept AS SELECT {list} FROM {table}")).await.expect("kept");
            for column in columns.iter().filter(|column| !ignored.contains(&column.name.as_str())) {
                let (name, value) = (&column.name, changed(&db, table, column));
                let sql = format!("UPDATE {table} SET {name} = {value} WHERE log_id = {log} AND {row}");
                tamper(&db, &sql).await;
                let mode = runledger::domain::verification::VerificationMode::Full;
                let looks = crate::support::evidence::looker(&app, Default::default(), mode).database().await;
                let found = crate::support::evidence::anomalies(&looks.expect("a look"));
                assert!(!found.is_empty(), "{table}.{name} was altered and nobody noticed");
                db.execute(&format!("DELETE FROM {table}; INSERT INTO {table} ({list}) SELECT {list} FROM kept"))
                    .await
                    .expect("taken back");
            }
            db.execute("DROP TABLE kept").await.expect("dropped");
        }
        assert_eq!(found(&app, "ours").await, []);
        app.store.close().await;
    }
}

db_test! {
    async fn of_payloads(db: TestDb) {
        let app = prepared(&db).await;
        let condition = "tenant_id = 'ours' AND part = 'details'";
        let list = "tenant_id, record_id, part, text, salt";
        db.execute("CREATE TABLE kept AS SELECT * FROM payload").await.expect("kept");
        for column in columns(&db, "payload").await {
            let (name, value) = (&column.name, changed(&db, "payload", &column));
            let one = format!("record_id = (SELECT MIN(record_id::text)::uuid FROM payload WHERE {condition})");
            let one = if db.backend == DbBackend::Postgres { one } else { one.replace("::text)::uuid", ")") };
            tamper(&db, &format!("UPDATE payload SET {name} = {value} WHERE {one}")).await;
            let found = found(&app, "ours").await;
            let kinds: Vec<AnomalyKind> = found.iter().map(|one| one.kind).collect();
            let expected: &[AnomalyKind] = match name.as_str() {
                "text" | "salt" => &[AnomalyKind::PayloadAltered],
                "tenant_id" => &[AnomalyKind::PayloadMissing],
                _ => &[AnomalyKind::PayloadMissing, AnomalyKind::Inserted],
            };
            assert!(expected.iter().all(|kind| kinds.contains(kind)), "payload.{name}: {found:?}");
            assert!(found.iter().any(|one| one.field.as_deref() == Some("details") && one.record_id.is_some()), "{found:?}");
            db.execute(&format!("DELETE FROM payload; INSERT INTO payload ({list}) SELECT {list} FROM kept"))
                .await
                .expect("taken back");
        }
        assert_eq!(found(&app, "ours").await, []);
        app.store.close().await;
    }
}
