//! Who may use which root field. A test walks the schema: a root field that is not in the table fails it.

use crate::domain::scope::Permission;
use crate::domain::vocabulary::Stream;
use crate::error::{Error, Result};

/// What a root field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Credentials, but no particular permission.
    AnyCaller,
    /// This permission.
    Needs(Permission),
}

/// Every root field of queries and mutations with what it needs. Fields below a root are checked by the facade where
/// they need more (`payloads:read`).
pub const TABLE: &[(&str, Access)] = &[
    // Each type of entity needs its own permission, as records do that node finds.
    ("_entities", Access::AnyCaller),
    ("_service", Access::AnyCaller),
    ("abortTrace", Access::Needs(Permission::RunsWrite)),
    ("appendAuditEntries", Access::Needs(Permission::AuditWrite)),
    ("auditAccess", Access::Needs(Permission::AuditRead)),
    ("auditAuthorization", Access::Needs(Permission::AuditRead)),
    ("auditEntries", Access::Needs(Permission::AuditRead)),
    ("auditEntry", Access::Needs(Permission::AuditRead)),
    ("auditExports", Access::Needs(Permission::AuditRead)),
    ("auditIdentity", Access::Needs(Permission::AuditRead)),
    ("auditIntegrity", Access::Needs(Permission::AuditRead)),
    ("completeTrace", Access::Needs(Permission::RunsWrite)),
    ("contentDigest", Access::Needs(Permission::PayloadsRead)),
    ("createApiKey", Access::Needs(Permission::Admin)),
    ("erasePayload", Access::Needs(Permission::Admin)),
    ("idempotencyCheck", Access::Needs(Permission::RunsRead)),
    ("incidentEvidence", Access::Needs(Permission::RunsRead)),
    // Each of the two logs needs its own permission: of_stream.
    ("ledger", Access::AnyCaller),
    ("llmRun", Access::Needs(Permission::RunsRead)),
    ("llmRuns", Access::Needs(Permission::RunsRead)),
    // Each kind of record needs its own permission.
    ("node", Access::AnyCaller),
    ("policyActivations", Access::Needs(Permission::RunsRead)),
    ("recordIncidentEvidence", Access::Needs(Permission::AuditWrite)),
    ("recordLlmRun", Access::Needs(Permission::RunsWrite)),
    ("recordPolicyActivation", Access::Needs(Permission::AuditWrite)),
    ("recordSteps", Access::Needs(Permission::RunsWrite)),
    ("recordSystemRecords", Access::Needs(Permission::SystemWrite)),
    ("recordTrace", Access::Needs(Permission::RunsWrite)),
    ("revokeApiKey", Access::Needs(Permission::Admin)),
    ("startTrace", Access::Needs(Permission::RunsWrite)),
    ("systemAudit", Access::Needs(Permission::SystemRead)),
    ("systemRecord", Access::Needs(Permission::SystemRead)),
    ("systemRecords", Access::Needs(Permission::SystemRead)),
    ("trace", Access::Needs(Permission::RunsRead)),
    ("traceComparison", Access::Needs(Permission::RunsRead)),
    ("traces", Access::Needs(Permission::RunsRead)),
    ("verifyLedger", Access::Needs(Permission::LedgerVerify)),
    ("viewer", Access::AnyCaller),
];

/// What one must be allowed to read a log of the ledger.
#[must_use]
pub const fn of_stream(stream: Stream) -> Permission {
    match stream {
        Stream::Evidence => Permission::RunsRead,
        Stream::Access => Permission::AuditRead,
    }
}

/// The permission that a root field needs; `None` where credentials are enough.
///
/// # Errors
/// `INTERNAL` for a field that is not in the table: nothing is open by accident.
pub fn permission(root_field: &str) -> Result<Option<Permission>> {
    match TABLE.iter().find(|(name, _)| *name == root_field) {
        Some((_, Access::AnyCaller)) => Ok(None),
        Some((_, Access::Needs(permission))) => Ok(Some(*permission)),
        None => Err(Error::internal(format!("{root_field} is missing from the authorisation table"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn an_unlisted_field_is_closed() {
        assert_eq!(permission("llmRuns").expect("listed"), Some(Permission::RunsRead));
        assert_eq!(permission("viewer").expect("listed"), None);
        assert_eq!(permission("dropEverything").expect_err("unlisted").code(), Code::Internal);
    }

    #[test]
    fn the_table_is_sorted_and_names_each_field_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
