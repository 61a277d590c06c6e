//! Every kind of evidence record under one name: what the ledger chains, verifies and feeds.

mod declare;
mod field;
mod texts;
pub mod types;

pub use self::declare::{FieldOf, Record};
pub(crate) use self::declare::{commits, kind_of, leaf_key, record};
pub use self::field::{Cell, Cells, Datum, Field, Kind};
pub(crate) use self::texts::{pick_texts, texts, texts_type};
use super::append::{New, StepFacts};
use super::ids::{Digest, IdKind, RecordId, TenantId};
use super::payload::{NewPayload, PayloadPart};
use super::run::Stored;
use super::time::Timestamp;
use super::trace::{StoredStep, StoredTrace, TraceView};
use super::vocabulary::RecordKind;

/// The list of kinds: hands it to a macro, behind what else that needs. Each line names the variant, the record's type, the
/// module of its table's entity, what a read gives where that is more than the record, and what goes to the ledger with a new
/// one.
macro_rules! each_record {
    ($make:ident $(, $($with:tt)*)?) => { $make! {
        $($($with)*)?
        Run($crate::domain::run::LlmRun) in llm_run;
        Trace($crate::domain::trace::Trace) in trace, read StoredTrace;
        Step($crate::domain::trace::TraceStep) in trace_step, read Box<StoredStep>, with StepFacts;
        Seal($crate::domain::trace::TraceSeal) in trace_seal;
        System($crate::domain::system::SystemRecord) in system_record;
        Audit($crate::domain::audit::AuditEntry) in audit_entry, with Option<usize>;
        Policy($crate::domain::policy::PolicyActivation) in policy_activation;
        Incident($crate::domain::incident::IncidentEvidence) in incident_evidence;
        Export($crate::domain::export::LogExport) in log_export;
        Event($crate::domain::ledger::LedgerEvent) in ledger_event;
    } };
}
pub(crate) use each_record;

/// What a read of a kind gives.
macro_rules! read_type {
    ($record:ty) => { Box<Stored<$record>> };
    ($record:ty, $read:ty) => { $read };
}

macro_rules! kinds {
    ($($variant:ident($record:ty) in $table:ident $(, read $read:ty)? $(, with $with:ty)?;)+) => {
        /// A record of any kind.
        #[derive(Clone, Copy, Debug)]
        pub enum RecordRef<'r> { $(
            #[doc = concat!("Of `", stringify!($table), "`.")]
            $variant(&'r $record)
        ),+ }

        impl RecordRef<'_> {
            /// Its kind.
            #[must_use]
            pub fn kind(&self) -> RecordKind {
                match self { $(Self::$variant(record) => record.kind()),+ }
            }

            /// The payload parts that it commits to, and how.
            #[must_use]
            pub fn commitments(&self) -> Vec<(PayloadPart, Digest)> {
                match self { $(Self::$variant(record) => record.commitments().collect()),+ }
            }

            /// The commitment to a payload part; `None` where the record has no such part.
            #[must_use]
            pub fn commitment(&self, part: PayloadPart) -> Option<Digest> {
                self.commitments().into_iter().find_map(|(of, commitment)| (of == part).then_some(commitment))
            }
        }

        $(impl<'r> From<&'r $record> for RecordRef<'r> {
            fn from(record: &'r $record) -> Self {
                Self::$variant(record)
            }
        })+

        /// A record of any kind as it stands in the log.
        #[derive(Clone, Debug)]
        pub enum StoredRecord { $(
            #[doc = concat!("Of `", stringify!($table), "`.")]
            $variant(read_type!($record $(, $read)?))
        ),+ }

        impl StoredRecord {
            /// What identifies it.
            #[must_use]
            pub fn head(&self) -> RecordHead<'_> {
                match self { $(Self::$variant(read) => head(read.stored())),+ }
            }

            /// Its place in the log.
            #[must_use]
            pub fn seq(&self) -> i64 {
                match self { $(Self::$variant(read) => read.stored().seq),+ }
            }

            /// What was written.
            #[must_use]
            pub fn record(&self) -> RecordRef<'_> {
                match self { $(Self::$variant(read) => RecordRef::$variant(&read.stored().record)),+ }
            }
        }

        /// A record to be appended, with what goes to the ledger beside it: of a step what sealing needs to know, of an audit
        /// entry the place in the unit of the step that gives rise to it. Such an entry is written where the step is new, and
        /// is EXISTING with it otherwise, so that a re-export does not repeat it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum NewRecord { $(
            #[doc = concat!("Into `", stringify!($table), "`.")]
            $variant(Box<New<$record>> $(, $with)?)
        ),+ }

        impl NewRecord {
            /// The record's id.
            #[must_use]
            pub fn id(&self) -> RecordId {
                match self { $(Self::$variant(new, ..) => new.id),+ }
            }

            /// Its payload parts.
            #[must_use]
            pub fn payloads(&self) -> &[NewPayload] {
                match self { $(Self::$variant(new, ..) => &new.payloads),+ }
            }

            /// The record itself.
            #[must_use]
            pub fn as_ref(&self) -> RecordRef<'_> {
                match self { $(Self::$variant(new, ..) => RecordRef::$variant(&new.record)),+ }
            }
        }
    };
}
each_record!(kinds);

/// What a read gives of a kind: the record as it is stored, perhaps with more.
trait Holds {
    type Record;
    fn stored(&self) -> &Stored<Self::Record>;
}

impl<T> Holds for Stored<T> {
    type Record = T;
    fn stored(&self) -> &Self {
        self
    }
}

impl Holds for TraceView {
    type Record = super::trace::Trace;
    fn stored(&self) -> &Stored<Self::Record> {
        &self.trace
    }
}

impl Holds for StoredStep {
    type Record = super::trace::TraceStep;
    fn stored(&self) -> &Stored<Self::Record> {
        &self.step
    }
}

impl RecordKind {
    /// The kind of its public id.
    #[must_use]
    pub const fn id_kind(self) -> IdKind {
        match self {
            Self::LlmRun => IdKind::Run,
            Self::Trace => IdKind::Trace,
            Self::TraceStep => IdKind::Step,
            Self::TraceSeal | Self::Checkpoint | Self::Key | Self::Erase | Self::Hold | Self::Prune => IdKind::Ledger,
            Self::SystemRecord => IdKind::System,
            Self::AuditEntry => IdKind::Audit,
            Self::PolicyActivation => IdKind::Policy,
            Self::IncidentEvidence => IdKind::Incident,
            Self::LogExport => IdKind::Export,
        }
    }
}

/// The columns that every leaf begins with: what identifies a record, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub struct RecordHead<'r> {
    /// The record's id.
    pub id: RecordId,
    /// The tenant it belongs to.
    pub tenant_id: &'r TenantId,
    /// When it was handed to the ledger.
    pub created_at: Timestamp,
}

const fn head<T>(stored: &Stored<T>) -> RecordHead<'_> {
    RecordHead { id: stored.id, tenant_id: &stored.tenant_id, created_at: stored.created_at }
}
