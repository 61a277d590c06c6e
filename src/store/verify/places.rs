//! What no leaf covers: the assigned columns of steps, and the side table of tags.

use std::collections::{HashMap, HashSet};

use sea_orm::{DbBackend, Value};

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::keytable::{KeyTable, Keys};
use super::super::scoped::scoped_statement;
use super::records::RecordRow;
use crate::domain::ids::{TenantId, TraceId};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;
use crate::ledger::verify::steps::{self, Known, StepPlace};

/// Tags that are looked at together when one belongs to no run.
const TAGS: i64 = 4_096;

/// Checks the assigned columns of the steps among some rows, which come in the order of `seq`.
pub(super) async fn check_steps(db: &Database, tenant: &TenantId, rows: &[RecordRow]) -> Result<Vec<Anomaly>> {
    let places: Vec<StepPlace> = rows.iter().filter_map(|row| row.step.clone()).collect();
    let wanted = steps::wanted(&places);
    let mut known = Known::default();
    if !wanted.seals.is_empty() {
        let keys = Keys::texts(wanted.seals.iter().map(TraceId::as_str));
        let sql = format!(
            "SELECT trace_id, MIN(seq) FROM trace_seal WHERE tenant_id = $1 AND trace_id {} GROUP BY trace_id",
            keys.among(db.backend, "$2")
        );
        let keys = keys.value(db.backend)?;
        for row in db.rows(scoped_statement(db, tenant, sql, [keys])).await? {
            let mut columns = Columns::of(&row, "trace_seal")?;
            known.seals.insert(TraceId::trusted(columns.take::<&str>()?), columns.take()?);
        }
    }
    if !wanted.before.is_empty() {
        let keys = wanted.before.iter().map(|(trace_id, index)| (trace_id.as_str(), *index));
        let (source, values) = pairs(db.backend, keys)?;
        let sql = format!(
            "SELECT t.trace_id, t.step_index, t.seq FROM {source} CROSS JOIN trace_step t \
             WHERE t.tenant_id = $1 AND t.trace_id = k.a AND t.step_index = k.b"
        );
        for row in db.rows(scoped_statement(db, tenant, sql, values)).await? {
            let mut columns = Columns::of(&row, "trace_step")?;
            let key = (TraceId::trusted(columns.take::<&str>()?), columns.take()?);
            known.before.insert(key, columns.take()?);
        }
    }
    Ok(steps::check(&places, &known))
}

/// Pairs of text and number as rows `k(a, b)`, from `$2` on.
fn pairs<'k>(backend: DbBackend, keys: impl Iterator<Item = (&'k str, i64)>) -> Result<(String, Vec<Value>)> {
    let (texts, numbers): (Vec<&str>, Vec<i64>) = keys.unzip();
    let keys = KeyTable::new().texts("a", texts.into_iter()).numbers("b", numbers.into_iter());
    Ok((keys.table(backend, "k", 2), keys.values(backend)?))
}

/// Tags of runs that have no row of their own; how many have one.
pub(super) async fn check_tags(db: &Database, tenant: &TenantId, rows: &[RecordRow]) -> Result<(Vec<Anomaly>, i64)> {
    let tagged: Vec<(&RecordRow, &str)> =
        rows.iter().flat_map(|row| row.tags.iter().map(move |tag| (row, tag.as_str()))).collect();
    if tagged.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let (source, values) = pairs(db.backend, tagged.iter().map(|(row, tag)| (*tag, row.rebuilt.seq)))?;
    let sql = format!(
        "SELECT t.tag, t.seq FROM {source} CROSS JOIN llm_run_tag t \
         WHERE t.tenant_id = $1 AND t.tag = k.a AND t.seq = k.b"
    );
    let mut there: HashSet<(String, i64)> = HashSet::new();
    for row in db.rows(scoped_statement(db, tenant, sql, values)).await? {
        let mut columns = Columns::of(&row, "llm_run_tag")?;
        there.insert((columns.take()?, columns.take()?));
    }
    let missing = tagged.iter().filter(|(row, tag)| !there.contains(&((*tag).to_owned(), row.rebuilt.seq)));
    let findings = missing.map(|(row, tag)| {
        let detail = format!("the run's tag {tag:?} is gone from the side table of tags");
        let mut finding = Anomaly::new(AnomalyKind::Deleted, detail).at(row.rebuilt.seq).field("llm_run_tag");
        (finding.record_kind, finding.record_id) = (row.rebuilt.kind, row.rebuilt.id);
        finding
    });
    Ok((findings.collect(), i64::try_from(there.len()).unwrap_or(i64::MAX)))
}

/// How many tags the tenant's runs before a place have.
pub(super) async fn count_tags(db: &Database, tenant: &TenantId, end: i64) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM llm_run_tag WHERE tenant_id = $1 AND seq < $2".to_owned();
    let rows = db.rows(scoped_statement(db, tenant, sql, [end.into()])).await?;
    rows.first().map_or(Ok(0), |row| Columns::of(row, "llm_run_tag")?.take())
}

/// Tags that no run has. Walks the side table, so it is asked for only where it has more rows than runs have tags.
pub(super) async fn stray_tags(db: &Database, tenant: &TenantId, mut found: impl FnMut(Anomaly)) -> Result<()> {
    let (mut tag, mut seq) = (String::new(), i64::MIN);
    loop {
        let sql = format!(
            "SELECT tag, seq FROM llm_run_tag WHERE tenant_id = $1 AND (tag, seq) > ($2, $3) ORDER BY tag, seq LIMIT {TAGS}"
        );
        let rows = db.rows(scoped_statement(db, tenant, sql, [tag.as_str().into(), Value::from(seq)])).await?;
        let mut keys: Vec<(String, i64)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut columns = Columns::of(row, "llm_run_tag")?;
            keys.push((columns.take()?, columns.take()?));
        }
        let Some(last) = keys.last() else { return Ok(()) };
        (tag, seq) = last.clone();
        let tags = tags_at(db, tenant, &keys).await?;
        for (tag, seq) in keys.iter().filter(|(tag, seq)| !tags.get(seq).is_some_and(|tags| tags.contains(tag))) {
            let detail = format!("the side table of tags has {tag:?} at {seq}, which no run there has");
            let mut finding = Anomaly::new(AnomalyKind::Inserted, detail).at(*seq).field("llm_run_tag");
            finding.record_kind = Some(RecordKind::LlmRun);
            found(finding);
        }
    }
}

/// The tags of the runs at these places.
async fn tags_at(db: &Database, tenant: &TenantId, keys: &[(String, i64)]) -> Result<HashMap<i64, Vec<String>>> {
    let mut seqs: Vec<i64> = keys.iter().map(|(_, seq)| *seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let keys = KeyTable::new().numbers("seq", seqs.into_iter());
    let (source, values) = (keys.table(db.backend, "k", 2), keys.values(db.backend)?);
    let sql =
        format!("SELECT t.seq, t.tags FROM {source} CROSS JOIN llm_run t WHERE t.tenant_id = $1 AND t.seq = k.seq");
    let mut tags = HashMap::new();
    for row in db.rows(scoped_statement(db, tenant, sql, values)).await? {
        let mut columns = Columns::of(&row, "llm_run")?;
        let seq = columns.take()?;
        // Tags that do not read are found where the run is rebuilt.
        tags.insert(seq, serde_json::from_str(columns.take::<&str>()?).unwrap_or_default());
    }
    Ok(tags)
}
