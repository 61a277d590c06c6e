//! The vocabularies of the audit ledger and of exports as GraphQL enums: same names, same values.

use async_graphql::resolver_utils::enum_value;
use async_graphql::{Context, Enum, Value};

use super::row::{Column, leaf};
use crate::domain::{audit, diff, vocabulary};

/// A view of the audit ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::AuditCategory")]
pub enum AuditCategory {
    /// Policies, limits, incidents, signals: what they decided and who changed them.
    Governance,
    /// Principals and their keys.
    Identity,
    /// Who was allowed, who was denied.
    Authorization,
    /// Who read which evidence. These entries stand in a log of their own.
    Access,
    /// Verification of the ledger and what it found.
    Integrity,
    /// Exports and downloads.
    Export,
}

/// What kind of thing an audit entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::AuditEntityType")]
pub enum AuditEntityType {
    /// A rule of a policy: a guardrail, a content filter.
    PolicyRule,
    /// A proposed policy.
    PolicyProposal,
    /// A limit.
    Limit,
    /// An incident.
    Incident,
    /// A signal.
    Signal,
    /// An API key of this server.
    ApiKey,
    /// A person or program that authenticates.
    Principal,
    /// A tenant.
    Tenant,
    /// An LLM run.
    LlmRun,
    /// A trace.
    Trace,
    /// A system record.
    SystemRecord,
    /// An entry of the audit ledger.
    AuditEntry,
    /// An export.
    LogExport,
    /// A log of the ledger.
    Ledger,
    /// A key that signs the ledger's checkpoints.
    SigningKey,
}

/// What a rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::Verdict")]
pub enum Verdict {
    /// Let it pass.
    Allow,
    /// Stop it.
    Deny,
    /// Let it pass, but tell somebody.
    Warn,
    /// Change it.
    Modify,
    /// Ask somebody.
    Escalate,
}

/// What was done, whatever the rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::AuditAction")]
pub enum AuditAction {
    /// It passed.
    Allowed,
    /// It was stopped.
    Blocked,
    /// It was changed.
    Modified,
    /// Somebody was asked.
    Escalated,
    /// The rule was set aside.
    Overridden,
    /// Nothing was done.
    None,
}

/// What came of a decision: what was done where the record says so, else what the rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "audit::Decision")]
pub enum Decision {
    /// It passed.
    Allow,
    /// It was stopped.
    Deny,
    /// It passed, and somebody was told.
    Warn,
    /// It was changed.
    Modify,
    /// Somebody was asked.
    Escalate,
    /// The rule was set aside.
    Override,
}

/// How a place of a state differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "diff::ChangeKind")]
pub enum AuditChangeKind {
    /// It is there now and was not.
    Added,
    /// It was there and is not now.
    Removed,
    /// It has another value.
    Changed,
}

macro_rules! columns {
    ($($value:ident),+ $(,)?) => {
        $(impl Column for $value {
            fn now(&self, _: &Context<'_>) -> Option<Value> {
                leaf(enum_value(*self))
            }
        })+
    };
}
columns!(AuditCategory, AuditEntityType, Verdict, AuditAction, Decision, AuditChangeKind,);

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::Name;
    use async_graphql::resolver_utils::EnumType;

    /// Every value of the vocabulary is shown by the very text that is stored and hashed, and there are no others.
    macro_rules! same_text {
        ($($name:ident),+) => { $(
            let shown: Vec<_> = vocabulary::$name::ALL.iter().map(|value| enum_value($name::from(*value))).collect();
            let stored: Vec<_> =
                vocabulary::$name::ALL.iter().map(|value| Value::Enum(Name::new(value.as_str()))).collect();
            assert_eq!(shown, stored);
            assert_eq!($name::items().len(), stored.len());
        )+ };
    }

    #[test]
    fn enums_show_the_stored_text() {
        same_text!(AuditCategory, AuditEntityType, Verdict, AuditAction);
    }
}
