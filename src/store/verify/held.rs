//! What the database has of the originals that receipts hold: their entries by place, their records by id.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, QueryFilter, QuerySelect, QueryTrait};

use super::super::database::Database;
use super::super::scoped::{any_number, scoped};
use super::records::Table;
use super::window::decode_entry;
use super::{LogHead, lookups};
use crate::domain::ids::RecordId;
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::entity::ledger_entry;
use crate::error::Result;
use crate::ledger::verify::EntryRow;
use crate::ledger::verify::originals::{Held, Original};

/// Originals whose rows are read together.
const TOGETHER: usize = 256;

/// What became of the originals of a log.
pub(super) async fn compare(db: &Database, head: &LogHead, originals: &[&Original]) -> Result<Vec<Anomaly>> {
    let end = head.size.min(head.end);
    let mut findings = Vec::new();
    for originals in originals.chunks(TOGETHER) {
        let entries = entries(db, head, originals).await?;
        let records = records(db, head, originals).await?;
        for original in originals {
            let held =
                Held { entry: entries.get(&original.seq()).cloned(), record: records.get(&original.id()).cloned() };
            findings.extend(original.compare(&held, end));
            if original.origin() != head.origin {
                let detail = format!("the receipt {} was signed for {}", original.name, original.origin());
                findings.push(Anomaly::new(AnomalyKind::Altered, detail).field("ledger_log.origin"));
            }
        }
    }
    Ok(findings)
}

async fn entries(db: &Database, head: &LogHead, originals: &[&Original]) -> Result<HashMap<i64, EntryRow>> {
    use ledger_entry::Column as C;
    let places: Vec<i64> = originals.iter().map(|original| original.seq()).collect();
    let select = scoped::<ledger_entry::Entity>(&head.tenant)
        .select_only()
        .columns([C::Seq, C::Kind, C::RecordId, C::LeafHash])
        .filter(C::LogId.eq(head.log_id))
        .filter(any_number(db.backend, sea_orm::sea_query::Expr::col(C::Seq), &places)?);
    let rows = db.rows(select.build(db.backend)).await?;
    let entries: Vec<EntryRow> = rows.iter().map(decode_entry).collect::<Result<_>>()?;
    Ok(entries.into_iter().map(|entry| (entry.seq, entry)).collect())
}

/// By id, whatever their table: the place that a record says, and its leaf, where its columns read.
async fn records(
    db: &Database,
    head: &LogHead,
    originals: &[&Original],
) -> Result<HashMap<RecordId, (i64, Option<Vec<u8>>)>> {
    let ids: Vec<RecordId> = originals.iter().map(|original| original.id()).collect();
    let mut records = HashMap::new();
    for table in Table::ALL.iter().copied() {
        let sql = format!("SELECT {} FROM {} t WHERE tenant_id = $1 AND ", table.columns("t"), table.name());
        for row in lookups::by_ids(db, &head.tenant, &sql, "id", &ids).await? {
            let record = table.rebuild(&row, &head.tenant)?;
            records.extend(record.rebuilt.id.map(|id| (id, (record.rebuilt.seq, record.leaf))));
        }
    }
    Ok(records)
}
