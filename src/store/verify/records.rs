//! The tables of evidence, and what their rows give: leaves rebuilt from the columns that everything else reads too.

use sea_orm::{QueryResult, Value};

use super::super::Database;
use super::super::convert::Columns;
use super::super::error::CorruptRow;
pub(super) use super::super::kinds::Table;
use super::super::scoped::scoped_statement;
use super::WINDOW;
use crate::domain::ids::{Digest, TenantId};
use crate::domain::payload::PayloadPart;
use crate::domain::record::{RecordRef, StoredRecord};
use crate::domain::run::Stored;
use crate::domain::trace::StoredStep;
use crate::domain::vocabulary::{AuditCategory, LedgerEventKind, Stream};
use crate::error::{Error, Result};
use crate::ledger::canonical;
use crate::ledger::tree::leaf_hash;
use crate::ledger::verify::steps::StepPlace;
use crate::ledger::verify::{Rebuilt, Unreadable};

/// The source component of what verification itself records.
pub const VERIFIER: &str = "verifier";

impl Table {
    /// Its rows of a log in a range of places. An honest range has no more rows than places; a forged one may.
    pub(super) async fn rows(
        self,
        db: &Database,
        tenant: &TenantId,
        stream: Stream,
        from: i64,
        to: i64,
    ) -> Result<Vec<QueryResult>> {
        let Some(condition) = self.condition(stream) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT {} FROM {} t WHERE tenant_id = $1 AND seq >= $2 AND seq < $3{condition} ORDER BY seq LIMIT {}",
            self.columns("t"),
            self.name(),
            2 * WINDOW
        );
        db.rows(scoped_statement(db, tenant, sql, [from.into(), Value::from(to)])).await
    }

    /// What a row gives. A row that does not read is a finding, not an error.
    pub(super) fn rebuild(self, row: &QueryResult, tenant: &TenantId) -> Result<RecordRow> {
        match self.read(row, tenant) {
            Ok(record) => Ok(RecordRow::of(record)),
            Err(error) => self.unreadable(row, &error),
        }
    }

    fn unreadable(self, row: &QueryResult, error: &Error) -> Result<RecordRow> {
        let corrupt = error.cause().and_then(|cause| cause.downcast_ref::<CorruptRow>());
        let Some(CorruptRow { column, problem, .. }) = corrupt else { return Err(error.clone()) };
        let mut columns = Columns::of(row, self.name())?;
        columns.skip(1);
        let id = columns.id().ok();
        // Rows were chosen and ordered by it: it reads.
        let seq = columns.take()?;
        let leaf_hash = Err(Unreadable { column: column.clone(), problem: problem.clone() });
        let rebuilt = Rebuilt { seq, kind: self.kind(), id, created_at: None, leaf_hash, is_own: false };
        Ok(RecordRow { rebuilt, leaf: None, parts: Vec::new(), step: None, tags: Vec::new() })
    }
}

/// What a row of a record gives.
pub(super) struct RecordRow {
    pub rebuilt: Rebuilt,
    /// Its leaf, where its columns read.
    pub leaf: Option<Vec<u8>>,
    /// The parts that it commits to.
    pub parts: Vec<(PayloadPart, Digest)>,
    /// For a step, its assigned columns.
    pub step: Option<StepPlace>,
    /// For a run, its tags.
    pub tags: Vec<String>,
}

impl RecordRow {
    fn of(record: StoredRecord) -> Self {
        let head = record.head();
        let leaf = canonical::leaf(head, record.record());
        let rebuilt = Rebuilt {
            seq: record.seq(),
            kind: Some(record.record().kind()),
            id: Some(head.id),
            created_at: Some(head.created_at),
            leaf_hash: Ok(leaf_hash(&leaf)),
            is_own: is_own(record.record()),
        };
        let parts = record.record().commitments();
        let (step, tags) = match record {
            StoredRecord::Run(run) => (None, run.record.tags),
            StoredRecord::Step(step) => (Some(place(*step)), Vec::new()),
            _ => (None, Vec::new()),
        };
        Self { rebuilt, leaf: Some(leaf), parts, step, tags }
    }
}

/// Whether verification and signing themselves write such records.
fn is_own(record: RecordRef<'_>) -> bool {
    match record {
        RecordRef::Audit(audit) => audit.category == AuditCategory::Integrity && audit.source_component == VERIFIER,
        RecordRef::Event(event) => event.kind == LedgerEventKind::Checkpoint,
        _ => false,
    }
}

fn place(stored: StoredStep) -> StepPlace {
    let StoredStep { step_index, is_late, step: Stored { id, seq, record, .. } } = stored;
    StepPlace { id, seq, trace_id: record.trace_id, step_index, is_late }
}
