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
mod open;
mod request;
mod state;
mod views;

pub use denials::{ENTRIES_A_MINUTE, ENTRIES_OF_UNKNOWN_A_MINUTE};
pub use open::Granted;
pub use request::{AuditedRequest, RequestAudit};
pub use state::{AccessAudit, AccessConfig};

pub(super) use denials::Denial;
pub(super) use open::{ServerUse, needed, open_for_server};
pub(super) use state::AccessState;

use super::{LogsFacade, authorize};
use crate::domain::scope::Permission;
use crate::domain::vocabulary::Stream;
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

    /// Lets the caller in at the root field `ledger`, whose need depends on the log that it names.
    ///
    /// # Errors
    /// `FORBIDDEN` without `runs:read`; for the access log without `audit:read`.
    pub fn enter_ledger(&self, stream: Stream) -> Result<()> {
        self.audit.enter("ledger", Some(authorize::of_stream(stream)))
    }

    /// Refuses a caller without the permission, and notes the refusal for the audit: not so
    /// [`Scope::require`](crate::domain::scope::Scope::require). What it gives opens what is read.
    ///
    /// # Errors
    /// `FORBIDDEN` that names the permission.
    pub fn require(&self, permission: Permission) -> Result<Granted> {
        self.audit.require(permission)
    }
}
