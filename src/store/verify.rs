//! Reads for verification. Nothing is held open and nothing is locked: a log's size is read first, and what lies before it
//! never changes, so the rows of any later moment are right. Constant memory: windows of `WINDOW` entries, a few of them
//! at a time; payload texts in pieces; whatever is walked is walked in pages.

mod guards;
mod held;
mod landmarks;
mod lookups;
mod pass;
mod payloads;
mod places;
mod records;
mod strays;
mod window;

use std::sync::Arc;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

pub use self::landmarks::Keys;
use self::pass::Pass;
use self::records::Table;
pub use self::records::VERIFIER;
use self::window::Reader;
use super::Store;
use super::convert::Columns;
use super::database::Database;
use super::scoped::{EveryTenant, every_tenant, scoped_statement};
use crate::domain::ids::{Digest, TenantId};
use crate::domain::verification::{Anomaly, AnomalyKind, TrustedPosition, VerificationMode};
use crate::domain::vocabulary::Stream;
use crate::error::Result;
use crate::ledger::tree::CompactRange;
use crate::ledger::verify::originals::Original;
use crate::ledger::verify::{Ending, Outcome, range};

/// Entries that are read together.
const WINDOW: i64 = 4_096;

/// Called with the places that are done and those there are.
pub type Progress = Arc<dyn Fn(i64, i64) + Send + Sync>;

/// A log as its head says it. Columns that do not read are findings, so nothing here is an error.
#[derive(Clone, Debug)]
pub struct LogHead {
    /// The log.
    pub log_id: Uuid,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which of the tenant's two; `None` where the column holds neither.
    pub stream: Option<Stream>,
    /// The name that its checkpoints bear.
    pub origin: String,
    /// How many entries it says it has.
    pub size: i64,
    /// One past its last entry.
    pub end: i64,
    root: Option<Digest>,
    edge: Vec<u8>,
}

impl LogHead {
    /// Whether the log is what it was at a trusted position.
    #[must_use]
    pub fn is_at(&self, position: &TrustedPosition) -> bool {
        (self.size, self.end, self.root) == (position.size, position.size, Some(position.root))
    }

    fn ending(&self) -> Ending {
        Ending { size: self.size, root: self.root, edge: self.edge.clone() }
    }
}

/// What a pass over a log found.
#[derive(Debug)]
pub struct Checked {
    /// Entries before this place were taken on trust.
    pub from: i64,
    /// Findings, root, entries.
    pub outcome: Outcome,
    /// Payloads that are there and were checked.
    pub payloads: i64,
    /// Payloads that an erase or prune record names.
    pub erased: i64,
    /// Tags of runs that stand in the side table.
    pub tags: i64,
}

impl Store {
    /// The logs of a tenant, or of all of them, as their heads say them now. Each head is read together with its last
    /// entry, so the two agree unless somebody made them disagree.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer.
    pub async fn log_heads(&self, tenant: Option<&TenantId>) -> Result<Vec<LogHead>> {
        let heads = |tenant: &str| {
            format!(
                "SELECT l.tenant_id, l.log_id, l.stream, l.origin, l.size, l.root, l.edge, COALESCE((SELECT MAX(e.seq) + 1 \
                 FROM ledger_entry e WHERE e.tenant_id = {tenant} AND e.log_id = l.log_id), 0) FROM ledger_log l"
            )
        };
        let statement = match tenant {
            None => {
                let sql = format!("{} ORDER BY l.tenant_id, l.log_id", heads("l.tenant_id"));
                every_tenant(self.db(), EveryTenant::LogHeads, &sql, [])
            }
            Some(tenant) => {
                let sql = format!("{} WHERE l.tenant_id = $1 ORDER BY l.log_id", heads("$1"));
                scoped_statement(self.db(), tenant, sql, [])
            }
        };
        let rows = self.db().rows(statement).await?;
        let head = |row| {
            let mut columns = Columns::of(row, "ledger_log")?;
            let tenant = TenantId::trusted(columns.take::<&str>()?);
            Ok(LogHead {
                log_id: columns.take()?,
                tenant,
                stream: Stream::parse(columns.take::<&str>()?),
                origin: columns.take()?,
                size: columns.take()?,
                root: columns.field().ok().flatten(),
                edge: columns.take()?,
                end: columns.take()?,
            })
        };
        rows.iter().map(head).collect()
    }

    /// The registered keys, for receipts that were signed with them.
    ///
    /// # Errors
    /// As for [`Self::log_heads`].
    pub async fn note_keys(&self) -> Result<Keys> {
        Keys::load(self.db()).await
    }

    /// Checks one log, from the trusted position on or from the beginning, and against originals of it that receipts hold:
    /// they may be of any place, so where there are some, it is from the beginning.
    ///
    /// # Errors
    /// `UNAVAILABLE` or `TIMEOUT` when the database does not answer: then nothing is known.
    pub async fn verify_log(
        &self,
        head: &LogHead,
        mode: VerificationMode,
        trusted: Option<&TrustedPosition>,
        originals: &[&Original],
        progress: &Progress,
    ) -> Result<Checked> {
        let db = self.db();
        let keys = Keys::load(db).await?;
        let mode = if originals.is_empty() { mode } else { VerificationMode::Full };
        let (start, mut found) = start(db, head, mode, trusted).await?;
        found.extend(keys.findings.iter().cloned());
        let stream = head.stream.unwrap_or(Stream::Evidence);
        if head.stream.is_none() {
            let finding = Anomaly::new(AnomalyKind::Altered, "the log's stream is neither of the two");
            found.push(finding.field("ledger_log.stream"));
        }
        let from = start.size().cast_signed();
        let mut reader = Reader { db: db.clone(), head: head.clone(), stream, tables: Vec::new(), keys };
        for table in Table::ALL.iter().copied() {
            if has_rows(db, head, table, stream, from).await? {
                reader.tables.push(table);
            }
        }
        let mut pass = Pass::new(db, reader, &start, trusted, progress).await?;
        found.into_iter().for_each(|finding| pass.found(finding));
        pass.vouch(originals.iter().map(|original| original.landmark()));
        pass.run(from, head.size.min(head.end)).await?;
        pass.behind_the_end().await?;
        let mut checked = pass.finish(from).await?;
        for finding in held::compare(db, head, originals).await? {
            checked.outcome.findings.explain(finding);
        }
        checked.outcome.findings.sort();
        Ok(checked)
    }

    /// What can only be found looking at a whole tenant: payloads and tags that no record has. `payloads` and `tags` are
    /// how many were found with their records in the logs' full passes, which ended at `end` of the evidence log.
    ///
    /// # Errors
    /// As for [`Self::verify_log`].
    pub async fn stray_parts(&self, tenant: &TenantId, payloads: i64, tags: i64, end: i64) -> Result<Vec<Anomaly>> {
        let mut findings = Vec::new();
        if payloads::count(self.db(), tenant).await? > payloads {
            payloads::orphans(self.db(), tenant, |finding| findings.push(finding)).await?;
        }
        if places::count_tags(self.db(), tenant, end).await? > tags {
            places::stray_tags(self.db(), tenant, |finding| findings.push(finding)).await?;
        }
        Ok(findings)
    }

    /// Records of a tenant in one of its logs, where that log does not exist.
    ///
    /// # Errors
    /// As for [`Self::verify_log`].
    pub async fn unlogged_records(&self, tenant: &TenantId, stream: Stream) -> Result<Vec<Anomaly>> {
        strays::unlogged(self.db(), tenant, stream).await
    }

    /// What can only be found looking at the whole database: logs that the log of logs knows and that are gone, rows of
    /// logs and tenants that do not exist.
    ///
    /// # Errors
    /// As for [`Self::verify_log`].
    pub async fn stray_logs(&self) -> Result<Vec<Anomaly>> {
        let mut findings = landmarks::gone_logs(self.db()).await?;
        findings.extend(strays::check(self.db()).await?);
        Ok(findings)
    }

    /// Tables that nothing keeps append-only: warnings.
    ///
    /// # Errors
    /// As for [`Self::verify_log`].
    pub async fn open_guards(&self) -> Result<Vec<Anomaly>> {
        guards::check(self.db()).await
    }

    /// Whether a tenant's log has a signed checkpoint.
    ///
    /// # Errors
    /// As for [`Self::verify_log`].
    pub async fn is_signed(&self, tenant: &TenantId, log_id: Uuid) -> Result<bool> {
        let sql = "SELECT 1 FROM ledger_checkpoint WHERE tenant_id = $1 AND log_id = $2 LIMIT 1".to_owned();
        Ok(!self.db().rows(scoped_statement(self.db(), tenant, sql, [log_id.into()])).await?.is_empty())
    }
}

/// The tree that is taken on trust, and what is wrong with the trusted position.
async fn start(
    db: &Database,
    head: &LogHead,
    mode: VerificationMode,
    trusted: Option<&TrustedPosition>,
) -> Result<(CompactRange, Vec<Anomaly>)> {
    let Some(trusted) = trusted else { return Ok((CompactRange::empty(), Vec::new())) };
    let end = head.size.min(head.end);
    if trusted.size > end {
        let detail = format!("the log had {} entries when it was last verified from here, and has {end}", trusted.size);
        let finding = Anomaly::new(AnomalyKind::Rollback, detail).within(end, trusted.size);
        return Ok((CompactRange::empty(), vec![finding]));
    }
    if mode == VerificationMode::Full {
        return Ok((CompactRange::empty(), Vec::new()));
    }
    // A tree that does not begin with the trusted one is gone through from its first entry, to say where it differs.
    let range = stored_range(db, head, trusted.size).await?.filter(|range| range.root() == trusted.root);
    Ok((range.unwrap_or_else(CompactRange::empty), Vec::new()))
}

/// The tree of a size, as nodes and entries have it.
async fn stored_range(db: &Database, head: &LogHead, size: i64) -> Result<Option<CompactRange>> {
    let mut hashes = Vec::new();
    for (level, first, count) in range::parts(size.cast_unsigned()) {
        let sql = if level == 0 {
            "SELECT leaf_hash FROM ledger_entry WHERE tenant_id = $1 AND log_id = $2 AND seq >= $3 AND seq < $4 \
             ORDER BY seq"
                .to_owned()
        } else {
            format!(
                "SELECT hash FROM ledger_node WHERE tenant_id = $1 AND log_id = $2 AND level = {level} \
                 AND idx >= $3 AND idx < $4 ORDER BY idx"
            )
        };
        let rows = rows_of_log(db, head, sql, [first.into(), Value::from(first + count)]).await?;
        let part: Vec<Digest> =
            rows.iter().filter_map(|row| Columns::of(row, "ledger_node").ok()?.field().ok()).collect();
        if i64::try_from(part.len()).ok() != Some(count) {
            return Ok(None);
        }
        hashes.push(part);
    }
    Ok(range::assemble(size.cast_unsigned(), &hashes))
}

/// Rows of a statement that is of one log: its tenant is `$1`, its id `$2`.
async fn rows_of_log(
    db: &Database,
    head: &LogHead,
    sql: String,
    values: impl IntoIterator<Item = Value> + Send,
) -> Result<Vec<QueryResult>> {
    let values: Vec<Value> = std::iter::once(head.log_id.into()).chain(values).collect();
    db.rows(scoped_statement(db, &head.tenant, sql, values)).await
}

async fn has_rows(db: &Database, head: &LogHead, table: Table, stream: Stream, from: i64) -> Result<bool> {
    let Some(condition) = table.condition(stream) else { return Ok(false) };
    let sql = format!("SELECT 1 FROM {} WHERE tenant_id = $1 AND seq >= $2{condition} LIMIT 1", table.name());
    Ok(!db.rows(scoped_statement(db, &head.tenant, sql, [from.into()])).await?.is_empty())
}
