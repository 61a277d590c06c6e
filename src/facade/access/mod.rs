//! Who looked, who was allowed, who was denied: written into the audit ledger before the answer leaves.
//!
//! A [`LogsFacade`] notes what it reads and what it refuses while a request runs; [`RequestAudit::close`] then writes it
//! down, and only then may the answer leave. It appends at most one unit to each of the tenant's logs, both in one flush:
//! to `access` one LogViewed for everything that was read; to `evidence` the denials, and what was allowed once per
//! caller, operation, minute and process. The append of these entries reads nothing, so there is no recursion.
//!
//! A download that is no GraphQL does the same in two calls: [`Logs::authorize`](super::Logs::authorize) before it reads,
//! and `facade.audit().close(&AuditedRequest::new(Some(operation), path, b""))` before its answer leaves.
//!
//! An identical look (same actor, operation, query, variables and records) within a minute of the one on record is counted
//! in memory, and the count appended when the minute ends or the server stops. Nothing is counted while appends fail:
//! then each look must get its own entry, or is refused.

mod denials;
mod look;
mod request;
mod state;
mod views;

pub use denials::ENTRIES_A_MINUTE;
pub use request::{AuditedRequest, RequestAudit};
pub use state::{AccessAudit, AccessConfig};
pub use views::{Viewable, Views};

pub(super) use denials::Denial;
pub(super) use state::AccessState;

use super::{LogsFacade, authorize};
use crate::domain::ids::RecordId;
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;

impl LogsFacade {
    /// What this request has read and asked for; whoever runs the request must [close](RequestAudit::close) it before the
    /// answer leaves.
    #[must_use]
    pub fn audit(&self) -> RequestAudit {
        self.audit.clone()
    }

    /// Lets the caller in at a root field, by [`authorize::TABLE`].
    ///
    /// # Errors
    /// `FORBIDDEN` without the permission that the field needs.
    pub fn enter(&self, root_field: &str) -> Result<()> {
        self.audit.enter(root_field, authorize::permission(root_field)?)
    }

    /// Notes what a read gave, and passes it on.
    pub(super) fn seen<V: Viewable>(&self, value: V) -> V {
        self.views.note(&value);
        value
    }

    /// Notes a read of records by id; of none for a count, a sum, or a look that found nothing.
    pub(super) fn viewed(&self, kind: RecordKind, ids: impl IntoIterator<Item = RecordId>) {
        self.views.viewed(kind, ids);
    }
}
