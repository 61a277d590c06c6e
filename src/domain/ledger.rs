//! Events of the ledger itself: checkpoints of other logs, signing keys, erasures.

use uuid::Uuid;

use super::ids::{Digest, RecordId, TenantId};
use super::record::record;
use super::vocabulary::{ActorType, LedgerEventKind, RecordKind, Stream};

macro_rules! ledger_event {
    ($make:ident $($then:tt)*) => { $make! {
        $($then)*
        /// Something that happened to the ledger itself.
        LedgerEvent in "ledger_event": kind {
            /// What happened; also the kind of the entry.
            kind: LedgerEventKind [kind],
            /// What it happened to: a log, a key, a record.
            subject: String,
            /// Why, in the words of who did it; redacted.
            reason: Option<String>,
            /// Canonical JSON (RFC 8785), whose members depend on the kind. Sizes are strings.
            /// - checkpoint (of the log that `subject` names): `log_id`, `origin`, `size`, `root` (hex), `note`;
            /// - key (of the id that `subject` is): `event` (`announced` or `retired`), `key_id`, `name`, `vkey`, `sizes` (log id to
            ///   size: a key signs each log from its size when it was announced, 0 where there is none, to that when it was
            ///   retired), `part` and `parts` (an event with many logs is several records).
            detail: String,
            /// What kind of actor did it.
            actor_type: ActorType,
            /// Who did it. An identifier: not redacted.
            actor_id: Option<String>,
        }
    } };
}
pub(crate) use ledger_event;
ledger_event!(record);

/// Which log, and whose: where a log is found depends on its tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName {
    /// Whose it is.
    pub tenant: TenantId,
    /// The log's opaque id.
    pub log_id: Uuid,
}

/// A log: the tenant's evidence, or who read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerLog {
    /// The log's opaque id.
    pub log_id: Uuid,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Which of the tenant's two.
    pub stream: Stream,
    /// The name that its checkpoints bear: `<ledger.origin>/<log id>`.
    pub origin: String,
    /// How many entries it has.
    pub size: i64,
    /// The root of its tree.
    pub root: Digest,
    /// Its compact range: the roots of its complete subtrees, largest first.
    pub edge: Vec<u8>,
}

/// One entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place, from 0.
    pub seq: i64,
    /// The kind of its record.
    pub kind: RecordKind,
    /// Its record.
    pub record_id: RecordId,
    /// `SHA-256(0x00 leaf)`.
    pub leaf_hash: Digest,
}
