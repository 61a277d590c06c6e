//! Where the other half of a lonely entry or record stands, and what stands behind a log's end.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::keytable::Keys;
use super::super::scoped::scoped_statement;
use super::LogHead;
use super::records::Table;
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::{RecordKind, Stream};
use crate::error::Result;
use crate::ledger::verify::matching::Lonely;

/// Keys of one statement.
const TOGETHER: usize = 1_024;
/// Rows behind the end that are looked at.
const BEYOND_MAX: i64 = 1_000;

/// Rows of a statement that ends where its condition on a column of ids is wanted; the tenant is `$1`.
pub(super) async fn by_ids(
    db: &Database,
    tenant: &TenantId,
    sql: &str,
    column: &str,
    ids: &[RecordId],
) -> Result<Vec<QueryResult>> {
    let mut rows = Vec::new();
    for ids in ids.chunks(TOGETHER) {
        let keys = Keys::records(ids);
        let sql = format!("{sql}{column} {}", keys.among(db.backend, "$2"));
        rows.extend(db.rows(scoped_statement(db, tenant, sql, [keys.value(db.backend)?])).await?);
    }
    Ok(rows)
}

/// Looks for the other halves.
pub(super) async fn locate(db: &Database, head: &LogHead, lonely: Vec<Lonely>) -> Result<Vec<Lonely>> {
    let of = |is_entry| -> Vec<RecordId> {
        lonely.iter().filter(|one| one.is_entry == is_entry).filter_map(|one| one.id).collect()
    };
    let (entries, records) = (of(true), of(false));
    let (records, entries) = (records_at(db, &head.tenant, &entries).await?, entries_at(db, head, &records).await?);
    let elsewhere = |one: &Lonely| if one.is_entry { records.get(&one.id?) } else { entries.get(&one.id?) }.copied();
    Ok(lonely.into_iter().map(|one| Lonely { elsewhere: elsewhere(&one), ..one }).collect())
}

/// The `seq` of records, whatever their table and log.
async fn records_at(db: &Database, tenant: &TenantId, ids: &[RecordId]) -> Result<HashMap<RecordId, i64>> {
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    for table in Table::ALL.iter().copied() {
        let sql = format!("SELECT id, seq FROM {} WHERE tenant_id = $1 AND ", table.name());
        for row in by_ids(db, tenant, &sql, "id", ids).await? {
            let mut columns = Columns::of(&row, table.name())?;
            found.insert(columns.id()?, columns.take()?);
        }
    }
    Ok(found)
}

/// The places of records' entries.
async fn entries_at(db: &Database, head: &LogHead, ids: &[RecordId]) -> Result<HashMap<RecordId, i64>> {
    let mut found = HashMap::new();
    for ids in ids.chunks(TOGETHER) {
        let keys = Keys::records(ids);
        let sql = format!(
            "SELECT record_id, seq FROM ledger_entry WHERE tenant_id = $1 AND log_id = $2 AND record_id {}",
            keys.among(db.backend, "$3")
        );
        let values = [head.log_id.into(), keys.value(db.backend)?];
        for row in db.rows(scoped_statement(db, &head.tenant, sql, values)).await? {
            let mut columns = Columns::of(&row, "ledger_entry")?;
            found.insert(columns.id()?, columns.take()?);
        }
    }
    Ok(found)
}

/// Entries and records that stand behind the end, or before the beginning. Each statement compares with the end as it is
/// at that moment, so what is being written meanwhile is none of them.
pub(super) async fn beyond(db: &Database, head: &LogHead, stream: Stream) -> Result<Vec<Anomaly>> {
    let mut findings = Vec::new();
    let sql = format!(
        "SELECT e.seq, e.kind, e.record_id FROM ledger_entry e WHERE e.tenant_id = $1 AND e.log_id = $2 AND e.seq >= \
         (SELECT l.size FROM ledger_log l WHERE l.tenant_id = $1 AND l.log_id = $2) ORDER BY e.seq LIMIT {BEYOND_MAX}"
    );
    let mut entries = Vec::new();
    for row in db.rows(scoped_statement(db, &head.tenant, sql, [head.log_id.into()])).await? {
        let mut columns = Columns::of(&row, "ledger_entry")?;
        let (seq, kind): (i64, String) = (columns.take()?, columns.take()?);
        entries.push((seq, RecordKind::parse(&kind), columns.id().ok()));
    }
    let ids: Vec<RecordId> = entries.iter().filter_map(|(_, _, id)| *id).collect();
    let places = records_at(db, &head.tenant, &ids).await?;
    for (seq, kind, id) in &entries {
        let mut finding = match id.and_then(|id| places.get(&id)) {
            Some(place) if place < seq => {
                let detail = format!("the entry stands at {seq}, its record says {place}");
                Anomaly::new(AnomalyKind::Reordered, detail).within(*place, *seq).field("seq")
            }
            _ => Anomaly::new(AnomalyKind::Inserted, format!("an entry at {seq}, behind the log's end")).at(*seq),
        };
        (finding.record_kind, finding.record_id) = (*kind, *id);
        findings.push(finding);
    }
    let taken: Vec<i64> = entries.iter().map(|(seq, ..)| *seq).collect();
    for table in Table::ALL.iter().copied() {
        findings.extend(records_beyond(db, head, stream, table, &taken).await?);
    }
    Ok(findings)
}

async fn records_beyond(
    db: &Database,
    head: &LogHead,
    stream: Stream,
    table: Table,
    taken: &[i64],
) -> Result<Vec<Anomaly>> {
    let Some(condition) = table.condition(stream) else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    let ranges: [(&str, Vec<Value>); 2] = [
        ("seq < 0", Vec::new()),
        (
            "seq >= COALESCE((SELECT l.size FROM ledger_log l WHERE l.tenant_id = $1 AND l.log_id = $2), 0)",
            vec![head.log_id.into()],
        ),
    ];
    for (range, values) in ranges {
        let name = table.name();
        let sql = format!(
            "SELECT id, seq FROM {name} WHERE tenant_id = $1 AND {range}{condition} ORDER BY seq LIMIT {BEYOND_MAX}"
        );
        rows.extend(db.rows(scoped_statement(db, &head.tenant, sql, values)).await?);
    }
    let mut records: Vec<(Option<RecordId>, i64)> = Vec::new();
    for row in &rows {
        let mut columns = Columns::of(row, table.name())?;
        records.push((columns.id().ok(), columns.take()?));
    }
    let ids: Vec<RecordId> = records.iter().filter_map(|(id, _)| *id).collect();
    let entries = entries_at(db, head, &ids).await?;
    let mut findings = Vec::new();
    for (id, seq) in records.into_iter().filter(|(_, seq)| !taken.contains(seq)) {
        let place = id.and_then(|id| entries.get(&id));
        let mut finding = match place {
            // The entry is in the log and was found without its record there.
            Some(_) => continue,
            None => {
                let detail = format!("a record of {} at {seq} that no entry names", table.name());
                Anomaly::new(AnomalyKind::Inserted, detail).at(seq).field(table.name())
            }
        };
        finding.record_id = id;
        findings.push(finding);
    }
    Ok(findings)
}
