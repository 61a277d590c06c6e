//! Payloads against the commitments in their records, and payloads that no record commits to.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Value};

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::keytable::Keys;
use super::super::scoped::{any_id, scoped, scoped_statement};
use super::records::{RecordRow, Table};
use crate::domain::ids::{Digest, RecordId, TenantId};
use crate::domain::payload::PayloadPart;
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;
use crate::entity::payload;
use crate::error::Result;
use crate::ledger::commitment::commit;

/// Records whose payloads are read at a time: with [`TEXT_BYTES`], 8 MiB of text at most.
const TOGETHER: usize = 512;
/// Longer texts are read one by one.
const TEXT_BYTES: i64 = 16_384;
/// Payload keys that are looked at together when one belongs to no record.
const KEYS: u64 = 4_096;

/// A payload that a record commits to.
#[derive(Clone, Copy)]
struct Expected {
    seq: i64,
    kind: Option<RecordKind>,
    id: RecordId,
    part: PayloadPart,
    commitment: Digest,
}

impl Expected {
    fn finding(&self, kind: AnomalyKind, detail: String) -> Anomaly {
        let mut finding = Anomaly::new(kind, detail).at(self.seq).field(self.part.as_str());
        (finding.record_kind, finding.record_id) = (self.kind, Some(self.id));
        finding
    }
}

/// A payload's row.
struct PayloadRow {
    id: RecordId,
    part: String,
    salt: Option<[u8; 32]>,
    text: Option<String>,
}

/// What became of the payloads of some records.
#[derive(Default)]
pub(super) struct Payloads {
    pub findings: Vec<Anomaly>,
    /// Rows that a record commits to.
    pub present: i64,
    /// Payloads that an erase or prune record names.
    pub erased: i64,
}

/// Checks the payloads of records.
pub(super) async fn check(db: &Database, tenant: &TenantId, rows: &[RecordRow]) -> Result<Payloads> {
    let expected: Vec<Expected> = rows
        .iter()
        .filter_map(|row| Some((row, row.rebuilt.id?)))
        .flat_map(|(row, id)| {
            let (seq, kind) = (row.rebuilt.seq, row.rebuilt.kind);
            row.parts.iter().map(move |(part, commitment)| Expected {
                seq,
                kind,
                id,
                part: *part,
                commitment: *commitment,
            })
        })
        .collect();
    let mut payloads = Payloads::default();
    let mut missing = Vec::new();
    for expected in expected.chunk_by(|left, right| left.id == right.id).collect::<Vec<_>>().chunks(TOGETHER) {
        let expected: Vec<Expected> = expected.iter().copied().flatten().copied().collect();
        let mut ids: Vec<RecordId> = expected.iter().map(|one| one.id).collect();
        ids.dedup();
        let rows = read(db, tenant, &ids).await?;
        let long = read_long(db, tenant, &rows).await?;
        missing.extend(compare(&expected, rows, &long, &mut payloads));
    }
    let erased = erased(db, tenant, &missing).await?;
    for one in missing {
        if erased.contains(&subject(one.id, one.part.as_str())) {
            payloads.erased += 1;
        } else {
            let detail = format!("the payload {} is gone, and no erase or prune record names it", one.part.as_str());
            payloads.findings.push(one.finding(AnomalyKind::PayloadMissing, detail));
        }
    }
    Ok(payloads)
}

async fn read(db: &Database, tenant: &TenantId, ids: &[RecordId]) -> Result<Vec<PayloadRow>> {
    use payload::Column as C;
    let text = format!("CASE WHEN octet_length(text) <= {TEXT_BYTES} THEN text END");
    let select = scoped::<payload::Entity>(tenant)
        .filter(any_id(db.backend, C::RecordId.into_expr(), ids)?)
        .select_only()
        .columns([C::RecordId, C::Part, C::Salt])
        .expr(Expr::cust(text));
    let rows = db.rows(select.build(db.backend)).await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &sea_orm::QueryResult) -> Result<PayloadRow> {
    let mut columns = Columns::of(row, "payload")?;
    Ok(PayloadRow {
        id: columns.id()?,
        part: columns.take()?,
        salt: columns.take::<&[u8]>()?.try_into().ok(),
        text: columns.take()?,
    })
}

/// The digests of texts that were too long to come along, by record and part.
async fn read_long(
    db: &Database,
    tenant: &TenantId,
    rows: &[PayloadRow],
) -> Result<HashMap<(RecordId, PayloadPart), Digest>> {
    let mut digests = HashMap::new();
    for row in rows.iter().filter(|row| row.text.is_none()) {
        let (Some(part), Some(salt)) = (PayloadPart::parse(&row.part), row.salt) else { continue };
        let sql = "SELECT text FROM payload WHERE tenant_id = $1 AND record_id = $2 AND part = $3";
        let values = [row.id.0.into(), Value::from(part.as_str())];
        let texts = db.rows(scoped_statement(db, tenant, sql.to_owned(), values)).await?;
        if let Some(text) = texts.first() {
            let digest = commit(part, &salt, Columns::of(text, "payload")?.take()?);
            digests.insert((row.id, part), digest);
        }
    }
    Ok(digests)
}

/// Compares what is there with what is committed to; gives what is not there.
fn compare(
    expected: &[Expected],
    rows: Vec<PayloadRow>,
    long: &HashMap<(RecordId, PayloadPart), Digest>,
    payloads: &mut Payloads,
) -> Vec<Expected> {
    let mut left: HashMap<(RecordId, PayloadPart), &Expected> =
        expected.iter().map(|one| ((one.id, one.part), one)).collect();
    for row in rows {
        let Some(one) = PayloadPart::parse(&row.part).and_then(|part| left.remove(&(row.id, part))) else {
            payloads.findings.push(uncommitted(row.id, &row.part));
            continue;
        };
        payloads.present += 1;
        let digest = match (&row.text, &row.salt) {
            (Some(text), Some(salt)) => Some(commit(one.part, salt, text)),
            _ => long.get(&(row.id, one.part)).copied(),
        };
        if digest != Some(one.commitment) {
            let detail = format!("text or salt of the payload {} is not what was committed to", one.part.as_str());
            payloads.findings.push(one.finding(AnomalyKind::PayloadAltered, detail));
        }
    }
    let mut missing: Vec<Expected> = left.into_values().copied().collect();
    missing.sort_by_key(|one| one.seq);
    missing
}

fn uncommitted(id: RecordId, part: &str) -> Anomaly {
    let mut finding =
        Anomaly::new(AnomalyKind::Inserted, format!("a payload {part:?} of {id} that no record commits to"))
            .field(part);
    finding.record_id = Some(id);
    finding
}

/// How erase and prune records name a payload.
fn subject(id: RecordId, part: &str) -> String {
    format!("{id}/{part}")
}

/// Which of them an erase or prune record names.
async fn erased(db: &Database, tenant: &TenantId, missing: &[Expected]) -> Result<HashSet<String>> {
    let mut erased = HashSet::new();
    for missing in missing.chunks(TOGETHER) {
        let subjects: Vec<String> = missing.iter().map(|one| subject(one.id, one.part.as_str())).collect();
        let keys = Keys::texts(subjects.iter().map(String::as_str));
        let sql = format!(
            "SELECT subject FROM ledger_event WHERE tenant_id = $1 AND kind IN ('erase', 'prune') AND subject {}",
            keys.among(db.backend, "$2")
        );
        for row in db.rows(scoped_statement(db, tenant, sql, [keys.value(db.backend)?])).await? {
            erased.insert(Columns::of(&row, "ledger_event")?.take()?);
        }
    }
    Ok(erased)
}

/// How many payloads the tenant has.
pub(super) async fn count(db: &Database, tenant: &TenantId) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM payload WHERE tenant_id = $1".to_owned();
    let rows = db.rows(scoped_statement(db, tenant, sql, [])).await?;
    rows.first().map_or(Ok(0), |row| Columns::of(row, "payload")?.take())
}

/// Payloads whose record is gone, or never was. Walks every payload's key, so it is asked for only where there are more
/// payloads than commitments.
pub(super) async fn orphans(db: &Database, tenant: &TenantId, mut found: impl FnMut(Anomaly)) -> Result<()> {
    use payload::Column as C;
    let mut after: Option<(RecordId, String)> = None;
    loop {
        let mut select = scoped::<payload::Entity>(tenant)
            .order_by_asc(C::RecordId)
            .order_by_asc(C::Part)
            .select_only()
            .columns([C::RecordId, C::Part])
            .limit(KEYS);
        if let Some((id, part)) = &after {
            let keys = Expr::tuple([C::RecordId.into_expr(), C::Part.into_expr()]);
            select = select.filter(keys.gt(Expr::tuple([Expr::val(id.0), Expr::val(part.as_str())])));
        }
        let rows = db.rows(select.build(db.backend)).await?;
        let mut keys: Vec<(RecordId, String)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut columns = Columns::of(row, "payload")?;
            keys.push((columns.id()?, columns.take()?));
        }
        let Some(last) = keys.last() else { return Ok(()) };
        after = Some(last.clone());
        let committed = committed(db, tenant, &keys).await?;
        for (id, part) in keys.iter().filter(|key| !committed.contains(*key)) {
            found(uncommitted(*id, part));
        }
    }
}

/// Which of these some record commits to, whatever its place.
async fn committed(
    db: &Database,
    tenant: &TenantId,
    keys: &[(RecordId, String)],
) -> Result<HashSet<(RecordId, String)>> {
    let mut ids: Vec<RecordId> = keys.iter().map(|(id, _)| *id).collect();
    ids.dedup();
    let mut committed = HashSet::new();
    for table in Table::ALL.iter().copied() {
        if table.commitments().is_empty() {
            continue;
        }
        let columns: Vec<String> =
            table.commitments().iter().map(|(column, _)| format!("{column} IS NOT NULL")).collect();
        let sql = format!("SELECT id, {} FROM {} WHERE tenant_id = $1 AND ", columns.join(", "), table.name());
        for row in super::lookups::by_ids(db, tenant, &sql, "id", &ids).await? {
            let mut columns = Columns::of(&row, table.name())?;
            let id = columns.id()?;
            for (_, part) in table.commitments() {
                if columns.take::<bool>()? {
                    committed.insert((id, part.as_str().to_owned()));
                }
            }
        }
    }
    Ok(committed)
}
