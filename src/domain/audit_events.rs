//! The known event types of the audit ledger. The vocabulary is open, because other services write to it too; what is known
//! has one category, and what the server says of itself nobody else may say.

use super::vocabulary::AuditCategory;
use crate::error::{Error, Result};

/// Fewest letters and digits of an event type.
pub const EVENT_TYPE_MIN: usize = 2;
/// Most letters and digits of an event type.
pub const EVENT_TYPE_MAX: usize = 64;

/// Event types that anybody with `audit:write` may write, with the category that each belongs to.
const OPEN: &[(&str, AuditCategory)] = &[
    ("PolicyRuleCreated", AuditCategory::Governance),
    ("PolicyRuleModified", AuditCategory::Governance),
    ("PolicyRuleRetired", AuditCategory::Governance),
    ("PolicyProposalApproved", AuditCategory::Governance),
    ("PolicyProposalRejected", AuditCategory::Governance),
    ("LimitCreated", AuditCategory::Governance),
    ("LimitUpdated", AuditCategory::Governance),
    ("LimitBreached", AuditCategory::Governance),
    ("LimitOverrideGranted", AuditCategory::Governance),
    ("LimitOverrideRevoked", AuditCategory::Governance),
    ("IncidentAcknowledged", AuditCategory::Governance),
    ("IncidentResolved", AuditCategory::Governance),
    ("IncidentManuallyClosed", AuditCategory::Governance),
    ("EmergencyOverrideActivated", AuditCategory::Governance),
    ("EmergencyOverrideDeactivated", AuditCategory::Governance),
    ("SignalAcknowledged", AuditCategory::Governance),
    ("SignalSuppressed", AuditCategory::Governance),
    ("SignalEscalated", AuditCategory::Governance),
    (POLICY_EVALUATED, AuditCategory::Governance),
    (POLICY_ACTIVATED, AuditCategory::Governance),
];

/// Event types that the server writes about itself, with their categories. A caller who could write them could forge what
/// the server did.
const RESERVED: &[(&str, AuditCategory)] = &[
    ("ApiKeyCreated", AuditCategory::Identity),
    ("ApiKeyRevoked", AuditCategory::Identity),
    ("PrincipalFirstSeen", AuditCategory::Identity),
    ("SigningKeyAdded", AuditCategory::Identity),
    ("SigningKeyRetired", AuditCategory::Identity),
    ("AccessAllowed", AuditCategory::Authorization),
    ("AccessDenied", AuditCategory::Authorization),
    (LOG_VIEWED, AuditCategory::Access),
    ("LogExported", AuditCategory::Export),
    (BUNDLE_DOWNLOADED, AuditCategory::Export),
    ("IntegrityVerified", AuditCategory::Integrity),
    ("AnomalyDetected", AuditCategory::Integrity),
];

/// Families of event types that are the server's own, whatever follows.
const RESERVED_FAMILIES: &[&str] = &["ApiKey", "SigningKey"];

/// A rule was applied: by a guardrail, a moderation, a content filter, a policy engine.
pub const POLICY_EVALUATED: &str = "PolicyEvaluated";
/// A policy came into force.
pub const POLICY_ACTIVATED: &str = "PolicyActivated";
/// Evidence was read.
pub const LOG_VIEWED: &str = "LogViewed";
/// An export was downloaded; its entity is the export, by its typed id.
pub const BUNDLE_DOWNLOADED: &str = "BundleDownloaded";

/// Components whose names a caller cannot take: who wrote an entry must not be forged either.
pub const RESERVED_COMPONENTS: &[&str] = &["otlp", "graphql", "server", "export", "verifier"];

/// The category of a known event type.
#[must_use]
pub fn category_of(event_type: &str) -> Option<AuditCategory> {
    let known = OPEN.iter().chain(RESERVED).find(|(name, _)| *name == event_type);
    known.map(|(_, category)| *category)
}

/// Whether only the server may write it.
#[must_use]
pub fn is_reserved(event_type: &str) -> bool {
    RESERVED.iter().any(|(name, _)| *name == event_type)
        || RESERVED_FAMILIES.iter().any(|family| event_type.starts_with(family))
}

/// Checks an event type that a caller gives.
///
/// # Errors
/// `BAD_USER_INPUT` when it is no PascalCase name of 2 to 64 letters and digits, or one of the server's own.
pub fn check(event_type: &str) -> Result<()> {
    let is_name = (EVENT_TYPE_MIN..=EVENT_TYPE_MAX).contains(&event_type.len())
        && event_type.starts_with(|first: char| first.is_ascii_uppercase())
        && event_type.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_name {
        let message = format!(
            "an eventType is PascalCase, {EVENT_TYPE_MIN} to {EVENT_TYPE_MAX} letters and digits, like LimitBreached, got \
             {event_type:.64?} of {} bytes",
            event_type.len()
        );
        return Err(Error::input("eventType", message));
    }
    if is_reserved(event_type) {
        let message = format!("{event_type} is written by the server itself and by nobody else; take another name");
        return Err(Error::input("eventType", message));
    }
    Ok(())
}

/// The category of an entry: what the caller gave, else what its event type is known for.
///
/// # Errors
/// `BAD_USER_INPUT` when the two contradict each other, and for an unknown event type without a category.
pub fn category(event_type: &str, given: Option<AuditCategory>) -> Result<AuditCategory> {
    match (category_of(event_type), given) {
        (Some(known), Some(given)) if known != given => {
            let (known, given) = (known.as_str(), given.as_str());
            let message = format!("{event_type} belongs to category {known}, not {given}; leave category out");
            Err(Error::input("category", message))
        }
        (Some(known), _) => Ok(known),
        (None, Some(given)) => Ok(given),
        (None, None) => {
            let message = format!("{event_type} is no known event type, so that category must be given");
            Err(Error::input("category", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Detail;

    fn field(result: Result<impl std::fmt::Debug>) -> Detail {
        result.expect_err("refused").detail().clone()
    }

    #[test]
    fn event_types_are_pascal_case_names_of_2_to_64() {
        assert!(check("Ab").is_ok() && check(&format!("A{}", "b".repeat(63))).is_ok() && check("X509Renewed").is_ok());
        for bad in ["", "A", "lower", "Snake_Case", "With Space", "\u{c9}t\u{e9}", &format!("A{}", "b".repeat(64))] {
            assert_eq!(field(check(bad)), Detail::Field("eventType".to_owned()), "{bad}");
        }
    }

    #[test]
    fn what_the_server_says_of_itself_cannot_be_forged() {
        for (name, _) in RESERVED {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check("ApiKeyRotated").is_err() && check("SigningKeyStolen").is_err());
        assert!(OPEN.iter().all(|(name, _)| check(name).is_ok()));
    }

    #[test]
    fn a_known_type_has_one_category_and_an_unknown_one_needs_it() {
        assert_eq!(category("LimitBreached", None).expect("known"), AuditCategory::Governance);
        assert_eq!(category("RoleGranted", Some(AuditCategory::Identity)).expect("given"), AuditCategory::Identity);
        let of = |given| category("LimitBreached", given);
        assert_eq!(field(of(Some(AuditCategory::Export))), Detail::Field("category".to_owned()));
        assert_eq!(field(category("RoleGranted", None)), Detail::Field("category".to_owned()));
    }

    #[test]
    fn no_type_is_listed_twice() {
        let mut names: Vec<_> = OPEN.iter().chain(RESERVED).map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
