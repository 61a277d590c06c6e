//! Whether the triggers stand that keep evidence append-only. A missing one changes nothing by itself: a warning.

use sea_orm::{DbBackend, QueryResult};

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::kinds::Table;
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::error::Result;

/// Tables whose rows are never updated, and never deleted but for payloads that an erase or prune record names: those of
/// records and these.
const BESIDE_RECORDS: [&str; 7] = [
    "llm_run_tag",
    "payload",
    "ledger_entry",
    "ledger_node",
    "ledger_checkpoint",
    "ledger_verification",
    "ledger_anomaly",
];

/// All of them.
pub(super) fn append_only() -> impl Iterator<Item = &'static str> {
    Table::ALL.iter().map(|table| table.name()).chain(BESIDE_RECORDS)
}

/// What a trigger refuses.
#[derive(Clone, Copy, Default)]
struct Refuses {
    update: bool,
    delete: bool,
    truncate: bool,
}

/// Finds the tables that are not guarded.
pub(super) async fn check(db: &Database) -> Result<Vec<Anomaly>> {
    let rows = match db.backend {
        // O and A fire in ordinary sessions, D never and R only in those that replicate.
        DbBackend::Postgres => {
            let sql = "SELECT c.relname::text, t.tgtype::bigint, p.prosrc FROM pg_trigger t \
                       JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid \
                       WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND pg_table_is_visible(c.oid)";
            db.rows(db.statement(sql, [])).await?
        }
        _ => {
            let sql = "SELECT tbl_name, 0, sql FROM sqlite_master WHERE type = 'trigger'";
            db.rows(db.statement(sql, [])).await?
        }
    };
    let mut guards: Vec<(String, Refuses)> = Vec::new();
    for row in &rows {
        guards.push(decode(row, db.backend)?);
    }
    let is_postgres = db.backend == DbBackend::Postgres;
    let unguarded = append_only().filter_map(|table| {
        let of_table = || guards.iter().filter(|(name, _)| name == table).map(|(_, refuses)| refuses);
        let open: Vec<&str> = [
            ("UPDATE", of_table().any(|refuses| refuses.update)),
            ("DELETE", of_table().any(|refuses| refuses.delete)),
            ("TRUNCATE", !is_postgres || of_table().any(|refuses| refuses.truncate)),
        ]
        .into_iter()
        .filter_map(|(operation, is_refused)| (!is_refused).then_some(operation))
        .collect();
        (!open.is_empty()).then(|| {
            let detail = format!("nothing refuses {} on {table}", open.join(", "));
            Anomaly::new(AnomalyKind::GuardOff, detail).field(table)
        })
    });
    Ok(unguarded.collect())
}

/// The table of a trigger, and what it refuses there.
fn decode(row: &QueryResult, backend: DbBackend) -> Result<(String, Refuses)> {
    let mut columns = Columns::of(row, "trigger")?;
    let (table, bits, text): (String, i64, String) = (columns.take()?, columns.take()?, columns.take()?);
    // From the catalogue's header: BEFORE is 2, DELETE 8, UPDATE 16, TRUNCATE 32.
    let refuses = if backend == DbBackend::Postgres {
        let refuses = |bit: i64| bits & 2 != 0 && bits & bit != 0 && text.contains("RAISE EXCEPTION");
        Refuses { update: refuses(16), delete: refuses(8), truncate: refuses(32) }
    } else {
        let refuses =
            |operation: &str| text.contains(&format!("BEFORE {operation} ON {table}")) && text.contains("RAISE(ABORT");
        Refuses { update: refuses("UPDATE"), delete: refuses("DELETE"), truncate: true }
    };
    Ok((table, refuses))
}
