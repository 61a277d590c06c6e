//! How a kind of record is declared: once, in the file of its noun, as a macro that hands the declaration to whoever makes
//! something of it. [`record`] makes the type itself; `entity` makes the table's model of the same lines.
//!
//! ```text
//! macro_rules! llm_run { ($make:ident) => { $make! {
//!     /// One revision of a run.
//!     LlmRun in "llm_run": LlmRun {
//!         /// The name of the run.
//!         run_id: RunId,
//!         /// Commitment to the payload part `plan`.
//!         plan_commitment: Option<Digest> [commits Plan],
//!     }
//! } } }
//! ```
//!
//! What follows `in` is the table; behind the colon stands the kind of its entries (or `kind` where a field says it). A field
//! is a column of the same name, in the order of the table. `name as other` gives it another name in the leaf; `[commits
//! Part]` marks the commitment to a payload part; `[kind]` marks the field that is the entry's kind, which every leaf has
//! anyway. Columns that the ledger assigns stand before the fields: `tenant_id`, `id`, `seq` and `created_at` in every table,
//! and those that a declaration names behind `assigned`.

use super::field::{Cells, Datum, Kind};
use crate::domain::payload::PayloadPart;
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;

/// A field of a record of type `R`.
#[derive(Debug)]
pub struct FieldOf<R> {
    /// The name of the field, and of its column.
    pub name: &'static str,
    /// `,"name":` as the leaf says it; `None` for the field that is the entry's kind.
    pub leaf_key: Option<&'static str>,
    /// What the column holds.
    pub kind: Kind,
    /// The payload part that it commits to.
    pub commits: Option<PayloadPart>,
    /// The value in a record.
    pub of: fn(&R) -> Datum<'_>,
}

/// A kind of record that the ledger chains.
pub trait Record: Sized + 'static {
    /// The name of its table.
    const TABLE: &'static str;
    /// The kind of its entries; `None` where each record says it.
    const KIND: Option<RecordKind>;
    /// The columns that the ledger assigns to this kind beyond those that it assigns to every kind.
    const ASSIGNED: &'static [&'static str];
    /// Its fields, in the order of the table's columns, behind the assigned ones.
    const FIELDS: &'static [FieldOf<Self>];

    /// The kind of its entry.
    fn kind(&self) -> RecordKind;

    /// Reads the columns of a row that the declaration names.
    ///
    /// # Errors
    /// `INTERNAL` for a column that holds what nothing of ours writes.
    fn read<'r>(cells: &mut impl Cells<'r>) -> Result<Self>;

    /// Its commitments, as far as it has any.
    fn commitments(&self) -> impl Iterator<Item = (PayloadPart, crate::domain::ids::Digest)> {
        Self::FIELDS.iter().filter_map(|field| match (field.commits, (field.of)(self)) {
            (Some(part), Datum::Digest(commitment)) => Some((part, commitment)),
            _ => None,
        })
    }
}

/// Makes the type of a declaration.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident in $table:literal: $kind:ident $(, assigned $($assigned:ident: $assigned_type:ty),+)? {
            $($(#[$field_meta:meta])* $field:ident $(as $leaf:ident)?: $type:ty $([$($what:tt)+])?),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),+ }

        impl $crate::domain::record::Record for $name {
            const TABLE: &'static str = $table;
            const KIND: Option<$crate::domain::vocabulary::RecordKind> = $crate::domain::record::kind_of!($kind);
            const ASSIGNED: &'static [&'static str] = &[$($(stringify!($assigned)),+)?];
            const FIELDS: &'static [$crate::domain::record::FieldOf<Self>] = &[$(
                $crate::domain::record::FieldOf {
                    name: stringify!($field),
                    leaf_key: $crate::domain::record::leaf_key!($field $($leaf)? $([$($what)+])?),
                    kind: <$type as $crate::domain::record::Field>::KIND,
                    commits: $crate::domain::record::commits!($($($what)+)?),
                    of: |record| $crate::domain::record::Field::datum(&record.$field),
                }
            ),+];

            fn kind(&self) -> $crate::domain::vocabulary::RecordKind {
                $crate::domain::record::kind_of!($kind of self)
            }

            fn read<'r>(cells: &mut impl $crate::domain::record::Cells<'r>) -> $crate::error::Result<Self> {
                Ok(Self { $($field: <$type as $crate::domain::record::Field>::required(cells)?),+ })
            }
        }
    };
}

macro_rules! kind_of {
    (kind) => {
        None
    };
    ($kind:ident) => {
        Some($crate::domain::vocabulary::RecordKind::$kind)
    };
    (kind of $record:expr) => {
        $record.kind.record_kind()
    };
    ($kind:ident of $record:expr) => {
        $crate::domain::vocabulary::RecordKind::$kind
    };
}

macro_rules! leaf_key {
    ($field:ident [kind]) => {
        None
    };
    ($field:ident $([$($what:tt)+])?) => {
        Some(concat!(",\"", stringify!($field), "\":"))
    };
    ($field:ident $leaf:ident $([$($what:tt)+])?) => {
        Some(concat!(",\"", stringify!($leaf), "\":"))
    };
}

macro_rules! commits {
    (commits $part:ident) => {
        Some($crate::domain::payload::PayloadPart::$part)
    };
    ($($other:tt)*) => {
        None
    };
}

pub(crate) use {commits, kind_of, leaf_key, record};
