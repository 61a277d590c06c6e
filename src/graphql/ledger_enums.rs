//! The vocabularies of the ledger.

use async_graphql::Enum;

use crate::domain::{payload, vocabulary};

/// One of a tenant's two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::Stream")]
pub enum LedgerStream {
    /// Every record of what happened.
    Evidence,
    /// Who read it: kept apart, so that watching does not outgrow what is watched.
    Access,
}

/// The kind of a record in a log. A leaf says it in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::RecordKind")]
pub enum RecordKind {
    /// A run, or a further revision of one.
    LlmRun,
    /// The beginning of a trace.
    Trace,
    /// A step of a trace.
    TraceStep,
    /// The end of a trace.
    TraceSeal,
    /// Something that happened to the platform.
    SystemRecord,
    /// An entry of the audit ledger.
    AuditEntry,
    /// A policy that came into force.
    PolicyActivation,
    /// A snapshot of an incident.
    IncidentEvidence,
    /// An export that was made.
    LogExport,
    /// A signed checkpoint of another log was noted.
    Checkpoint,
    /// A key that signs checkpoints was announced or retired.
    Key,
    /// A payload was erased.
    Erase,
    /// Erasure was forbidden, or allowed again.
    Hold,
    /// Payloads were removed because their time was over.
    Prune,
}

/// What happened to the ledger itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "vocabulary::LedgerEventKind")]
pub enum LedgerEventKind {
    /// A signed checkpoint of another log was noted.
    Checkpoint,
    /// A key that signs checkpoints was announced or retired.
    Key,
    /// A payload was erased.
    Erase,
    /// Erasure was forbidden, or allowed again.
    Hold,
    /// Payloads were removed because their time was over.
    Prune,
}

/// A part of a record that is kept apart from it and can be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "payload::PayloadPart")]
pub enum PayloadPart {
    /// TraceStep.attributes.
    Attributes,
    /// TraceStep.content.
    Content,
    /// Trace.plan.
    Plan,
    /// TraceSeal.metadata.
    Metadata,
    /// The details of a system record.
    Details,
    /// Why an audited action was taken.
    ActionReason,
    /// The state of an audited thing before.
    BeforeState,
    /// The state of an audited thing after.
    AfterState,
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::resolver_utils::{EnumType, enum_value};

    /// The texts are those that are stored and hashed, in capitals, and there are no others.
    macro_rules! same_text {
        ($($name:ident of $domain:path),+) => {
            $(
                let shown: Vec<String> =
                    <$domain>::ALL.iter().map(|value| enum_value($name::from(*value)).to_string().to_lowercase()).collect();
                let stored: Vec<&str> = <$domain>::ALL.iter().map(|value| value.as_str()).collect();
                assert_eq!(shown, stored);
                assert_eq!($name::items().len(), stored.len());
            )+
        };
    }

    #[test]
    fn enums_show_the_stored_text_in_capitals() {
        same_text!(
            LedgerStream of vocabulary::Stream,
            RecordKind of vocabulary::RecordKind,
            LedgerEventKind of vocabulary::LedgerEventKind,
            PayloadPart of payload::PayloadPart
        );
    }
}
