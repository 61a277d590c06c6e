//! Who may use which root field. A test walks the schema: a root field that is not in the table fails it.

use crate::domain::scope::{Permission, Scope};
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
    ("_entities", Access::Needs(Permission::RunsRead)),
    ("_service", Access::AnyCaller),
    ("abortTrace", Access::Needs(Permission::RunsWrite)),
    ("appendAuditEntries", Access::Needs(Permission::AuditWrite)),
    ("auditAccess", Access::Needs(Permission::AuditRead)),
    ("auditAuthorization", Access::Needs(Permission::AuditRead)),
    ("auditEntries", Access::Needs(Permission::AuditRead)),
    ("auditEntry", Access::Needs(Permission::AuditRead)),
    ("auditExports", Access::Needs(Permission::AuditRead)),
    ("auditIdentity", Access::Needs(Permission::AuditRead)),
    ("completeTrace", Access::Needs(Permission::RunsWrite)),
    ("contentDigest", Access::Needs(Permission::PayloadsRead)),
    ("erasePayload", Access::Needs(Permission::Admin)),
    ("idempotencyCheck", Access::Needs(Permission::RunsRead)),
    ("incidentEvidence", Access::Needs(Permission::RunsRead)),
    ("ledger", Access::Needs(Permission::RunsRead)),
    ("llmRun", Access::Needs(Permission::RunsRead)),
    ("llmRuns", Access::Needs(Permission::RunsRead)),
    ("node", Access::Needs(Permission::RunsRead)),
    ("policyActivations", Access::Needs(Permission::RunsRead)),
    ("recordIncidentEvidence", Access::Needs(Permission::AuditWrite)),
    ("recordLlmRun", Access::Needs(Permission::RunsWrite)),
    ("recordPolicyActivation", Access::Needs(Permission::AuditWrite)),
    ("recordSteps", Access::Needs(Permission::RunsWrite)),
    ("recordTrace", Access::Needs(Permission::RunsWrite)),
    ("startTrace", Access::Needs(Permission::RunsWrite)),
    ("trace", Access::Needs(Permission::RunsRead)),
    ("traceComparison", Access::Needs(Permission::RunsRead)),
    ("traces", Access::Needs(Permission::RunsRead)),
    ("viewer", Access::AnyCaller),
];

/// Refuses a caller who may not use a root field.
///
/// # Errors
/// `FORBIDDEN` that names the permission; `INTERNAL` for a field that is not in the table: nothing is open by accident.
pub fn require(scope: &Scope, root_field: &str) -> Result<()> {
    match TABLE.iter().find(|(name, _)| *name == root_field) {
        Some((_, Access::AnyCaller)) => Ok(()),
        Some((_, Access::Needs(permission))) => scope.require(*permission),
        None => Err(Error::internal(format!("{root_field} is missing from the authorisation table"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TenantId;
    use crate::domain::scope::Actor;
    use crate::domain::vocabulary::ActorType;
    use crate::error::Code;

    fn reader() -> Scope {
        Scope {
            tenant: TenantId::trusted("t"),
            actor: Actor { actor_type: ActorType::System, id: "key".to_owned() },
            permissions: [Permission::RunsRead].into_iter().collect(),
        }
    }

    #[test]
    fn a_reader_may_read_and_nothing_else() {
        assert!(require(&reader(), "llmRuns").is_ok() && require(&reader(), "viewer").is_ok());
        assert_eq!(require(&reader(), "recordTrace").expect_err("writes").code(), Code::Forbidden);
        assert_eq!(require(&reader(), "contentDigest").expect_err("payloads").code(), Code::Forbidden);
    }

    #[test]
    fn an_unlisted_field_is_closed() {
        assert_eq!(require(&reader(), "dropEverything").expect_err("unlisted").code(), Code::Internal);
    }

    #[test]
    fn the_table_is_sorted_and_names_each_field_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
