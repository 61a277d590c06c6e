//! The tables of evidence records, one a kind; events of the ledger share one.

use sea_orm::QueryResult;

use super::convert::{Columns, decode, record_columns, steps::decode_step};
use crate::domain::ids::TenantId;
use crate::domain::payload::PayloadPart;
use crate::domain::record::{Record, StoredRecord, each_record};
use crate::domain::run::Stored;
use crate::domain::trace::{StoredStep, StoredTrace, TraceView};
use crate::domain::vocabulary::{RecordKind, Stream};
use crate::error::Result;

macro_rules! tables {
    ($($variant:ident($record:ty) in $table:ident $(, read $read:ty)? $(, with $with:ty)?;)+) => {
        /// A table of evidence records.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Table { $($variant),+ }

        impl Table {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => <$record>::TABLE),+ }
            }

            /// The kind of its records, where they are all of one.
            pub const fn kind(self) -> Option<RecordKind> {
                match self { $(Self::$variant => <$record>::KIND),+ }
            }

            /// Its columns for a SELECT, each behind `alias`.
            pub fn columns(self, alias: &str) -> String {
                match self { $(Self::$variant => record_columns::<$record>(alias)),+ }
            }

            /// Columns that hold commitments, and the parts that they commit to.
            pub fn commitments(self) -> Vec<(&'static str, PayloadPart)> {
                match self { $(Self::$variant => commitments::<$record>()),+ }
            }

            /// Reads a row.
            pub fn read(self, row: &QueryResult, tenant: &TenantId) -> Result<StoredRecord> {
                let columns = &mut Columns::of(row, self.name())?;
                match self { $(Self::$variant => FromRow::from_row(columns, tenant).map(StoredRecord::$variant)),+ }
            }
        }
    };
}
each_record!(tables);

/// What a row of a kind's table gives.
trait FromRow: Sized {
    fn from_row(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Self>;
}

impl<R: Record> FromRow for Box<Stored<R>> {
    fn from_row(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Self> {
        decode(columns, tenant).map(Self::new)
    }
}

impl FromRow for Box<StoredStep> {
    fn from_row(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Self> {
        decode_step(columns, tenant).map(Self::new)
    }
}

/// Its seals and steps are not in the row.
impl FromRow for StoredTrace {
    fn from_row(columns: &mut Columns<'_>, tenant: &TenantId) -> Result<Self> {
        Ok(Self::new(TraceView { trace: decode(columns, tenant)?, seal: None, step_count: 0 }))
    }
}

fn commitments<R: Record>() -> Vec<(&'static str, PayloadPart)> {
    R::FIELDS.iter().filter_map(|field| Some((field.name, field.commits?))).collect()
}

impl Table {
    /// The table of a kind.
    pub fn of(kind: RecordKind) -> Self {
        Self::ALL.iter().copied().find(|table| table.kind() == Some(kind)).unwrap_or(Self::Event)
    }

    /// Which of its rows stand in a log; `None` where none do.
    pub const fn condition(self, stream: Stream) -> Option<&'static str> {
        match (self, stream) {
            (Self::Audit, Stream::Access) => Some(" AND category = 'ACCESS'"),
            (Self::Audit, Stream::Evidence) => Some(" AND category <> 'ACCESS'"),
            (_, Stream::Access) => None,
            (_, Stream::Evidence) => Some(""),
        }
    }
}
