//! What can be computed before any lock: the leaf hash of every record.

use crate::domain::append::AppendUnit;
use crate::domain::audit::AuditEntry;
use crate::domain::ids::Digest;
use crate::domain::record::NewRecord;
use crate::domain::record::RecordHead;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::Stream;
use crate::error::{Error, Result};
use crate::ledger::{canonical, tree};

/// A unit whose leaves are hashed.
pub(in crate::store) struct Prepared {
    pub unit: AppendUnit,
    /// One instant for the whole unit; part of every leaf.
    pub created_at: Timestamp,
    /// One for each record; zeros where nothing is chained.
    pub leaf_hashes: Vec<Digest>,
}

impl Prepared {
    /// # Errors
    /// `INTERNAL` for a record that belongs into the tenant's other log: verification would find it there as INSERTED.
    pub fn new(unit: AppendUnit, created_at: Timestamp, is_chained: bool) -> Result<Self> {
        if let Some(stray) = unit.records.iter().find(|record| stream(record) != unit.stream) {
            let (kind, log) = (stray.as_ref().kind().as_str(), unit.stream.as_str());
            return Err(Error::internal(format!("the {kind} {} does not belong into the {log} log", stray.id())));
        }
        let hash = |record: &NewRecord| {
            if !is_chained {
                return Digest([0; 32]);
            }
            let head = RecordHead { id: record.id(), tenant_id: &unit.tenant, created_at };
            tree::leaf_hash(&canonical::leaf(head, record.as_ref()))
        };
        let leaf_hashes = unit.records.iter().map(hash).collect();
        Ok(Self { unit, created_at, leaf_hashes })
    }
}

/// The log that a record belongs into.
fn stream(record: &NewRecord) -> Stream {
    match record {
        NewRecord::Audit(new, _) => AuditEntry::stream(new.record.category),
        _ => Stream::Evidence,
    }
}
