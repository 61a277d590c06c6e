//! A write that leaves nothing behind: whether a database that was in trouble takes records again.

use super::super::database::Database;
use super::super::transaction::Transaction;
use crate::error::Result;

/// Rows that are written, and taken away again in the same transaction: some pages, so that a database with room for nothing
/// but itself still says that it is full.
const ROWS: u32 = 16;
/// Their names' length in words of eight digits: as long as the index of any page size takes.
const NAME_WORDS: usize = 128;

/// Writes, commits, and reports what keeps it from it.
pub(super) async fn write(db: &Database) -> Result<()> {
    db.check_file()?;
    let mut txn = Transaction::begin(db).await?;
    let written = fill(db, &mut txn).await;
    txn.finish(written).await
}

async fn fill(db: &Database, txn: &mut Transaction) -> Result<()> {
    for row in 0..ROWS {
        let name = format!("probe/{}", format!("{row:08x}").repeat(NAME_WORDS));
        let sql = "INSERT INTO ledger_duty (name, holder, held_until) VALUES ($1, '', 0) ON CONFLICT DO NOTHING";
        txn.execute(db.statement(sql, [name.into()])).await?;
    }
    txn.execute(db.statement("DELETE FROM ledger_duty WHERE name LIKE 'probe/%'", [])).await.map(drop)
}
