//! Erasure of payloads, in the transaction of the event that names them. A trigger refuses any other.

use sea_orm::{ConnectionTrait, DbBackend};

use super::super::convert::{id_value, text_value};
use super::super::database::Database;
use super::super::transaction::Transaction;
use super::prepare::Prepared;
use crate::domain::append::AppendReceipt;
use crate::error::{Code, Error, Result};

/// Deletes what the units erase that are written; their events are in place already.
pub(super) async fn payloads(
    txn: &mut Transaction,
    db: &Database,
    units: &[&Prepared],
    outcomes: &[Result<AppendReceipt>],
) -> Result<()> {
    for (prepared, outcome) in units.iter().zip(outcomes) {
        if !matches!(outcome, Ok(AppendReceipt::Done(_))) {
            continue;
        }
        for (record, part) in &prepared.unit.erasures {
            let tenant = text_value(prepared.unit.tenant.as_str());
            let sql = "DELETE FROM payload WHERE tenant_id = $1 AND record_id = $2 AND part = $3";
            let statement = db.statement(sql, [tenant, id_value(*record), text_value(part.as_str())]);
            if txn.execute(statement).await? == 0 {
                let message = format!("the payload {} of this record was erased before", part.as_str());
                return Err(Error::new(Code::Conflict, message));
            }
        }
    }
    Ok(())
}

/// Whether a unit erases anything.
pub(super) fn erases(units: &[&Prepared]) -> bool {
    units.iter().any(|prepared| !prepared.unit.erasures.is_empty())
}

/// Takes erased bytes out of SQLite's write-ahead log too; true when they are gone. Deleting overwrote them in the pages
/// that the log now brings into the database. PostgreSQL does the same in its own time, by vacuum and by recycling its log.
pub(super) async fn scrub(db: &Database) -> bool {
    if db.backend != DbBackend::Sqlite {
        return true;
    }
    match db.write.query_one_raw(db.statement("PRAGMA wal_checkpoint(TRUNCATE)", [])).await {
        Ok(Some(row)) if row.try_get_by_index::<i64>(0).is_ok_and(|is_busy| is_busy == 0) => true,
        outcome => {
            tracing::warn!(
                ?outcome,
                "erased bytes stay in the write-ahead log until the next flush: a reader holds it"
            );
            false
        }
    }
}
