//! The vocabularies of verification.

use async_graphql::resolver_utils::enum_value;
use async_graphql::{Context, Enum, Value};

use super::ledger_enums::{LedgerStream, RecordKind};
use super::row::{Column, leaf};
use crate::domain::verification;

/// Whether a log is what was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "verification::VerificationStatus")]
pub enum VerificationStatus {
    /// Everything that was covered was checked and agrees. There may be warnings.
    Valid,
    /// Something disagrees. The anomalies say what and where.
    Invalid,
    /// Nobody knows: it was never checked, too long ago, the check broke off, or there was nothing to check.
    Unknown,
}

/// How much a verification covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "verification::VerificationMode")]
pub enum VerificationMode {
    /// What was written since the last verification, and that the log still continues what was verified then.
    Incremental,
    /// Everything, from the first entry.
    Full,
}

/// What outside of the database and its signing key would notice if both were rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "verification::TrustLevel")]
pub enum TrustLevel {
    /// Checkpoints are signed. Whoever holds the database and the signing key can still rewrite both; receipts that are
    /// held by others would show it.
    Signed,
    /// Checkpoints are also kept where they cannot be changed.
    Anchored,
    /// Checkpoints are also signed by witnesses.
    Witnessed,
}

/// What kind of thing is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "verification::AnomalyKind")]
pub enum AnomalyKind {
    /// A record, or a stored checkpoint, is not what was written.
    Altered,
    /// A payload is not the one that its record commits to.
    PayloadAltered,
    /// A payload is gone, and no record says that it was erased.
    PayloadMissing,
    /// A record, an entry or a whole log is gone.
    Deleted,
    /// There is a record, a payload or an entry that was never acknowledged.
    Inserted,
    /// Records or entries stand at other places than they were given.
    Reordered,
    /// The tree's nodes, root, edge or size are not what the entries give.
    Tree,
    /// The log is shorter than a signed checkpoint of it.
    Truncated,
    /// The log is shorter than it was when this server last verified it.
    Rollback,
    /// There are two histories: two signed states that exclude each other, or a verified state that this log does not
    /// continue.
    Fork,
    /// The log agrees with itself, but a signed checkpoint disagrees with it.
    Rewritten,
    /// A record's createdAt falls more than 5 seconds behind that of the record before it. A warning.
    Clock,
    /// A guard that keeps a table from being changed is missing or off. A warning.
    GuardOff,
}

/// Columns of findings and verifications hold them.
macro_rules! columns {
    ($($value:ident),+) => {
        $(impl Column for $value {
            fn now(&self, _ctx: &Context<'_>) -> Option<Value> {
                leaf(enum_value(*self))
            }
        })+
    };
}

columns!(AnomalyKind, LedgerStream, RecordKind, VerificationMode, VerificationStatus);

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::resolver_utils::EnumType;

    /// The texts are those that are stored, and there are no others.
    macro_rules! same_text {
        ($($name:ident),+) => { $(
            let shown: Vec<String> =
                verification::$name::ALL.iter().map(|value| enum_value($name::from(*value)).to_string()).collect();
            let stored: Vec<&str> = verification::$name::ALL.iter().map(|value| value.as_str()).collect();
            assert_eq!(shown, stored);
            assert_eq!($name::items().len(), stored.len());
        )+ };
    }

    #[test]
    fn enums_show_the_stored_text() {
        same_text!(AnomalyKind, TrustLevel, VerificationMode, VerificationStatus);
    }
}
