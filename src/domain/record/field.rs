//! What a column of a record can hold, and how it goes to a database, to a leaf and back.

use std::sync::Arc;

use crate::domain::ids::Digest;
use crate::domain::time::Timestamp;
use crate::error::Result;

/// What kind of value a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text: free, a name, or a word of a vocabulary.
    Text,
    /// A 64-bit integer.
    Number,
    /// True or false.
    Flag,
    /// 32 bytes.
    Digest,
    /// Microseconds since the Unix epoch.
    Instant,
    /// Several texts, kept as a JSON array.
    Texts,
}

/// The value of a column, whatever the type of its field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Datum<'r> {
    /// Nothing: null in the database, absent in the leaf.
    Null,
    /// Text.
    Text(&'r str),
    /// An integer.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A hash, a keyed digest or a commitment.
    Digest(Digest),
    /// An instant.
    Instant(Timestamp),
    /// Several texts.
    Texts(&'r [String]),
}

/// The columns of a row, from left to right. Each method takes the next one; `None` is null.
///
/// Their errors are `INTERNAL`, and name table, column and row.
pub trait Cells<'r> {
    /// Text.
    fn text(&mut self) -> Result<Option<&'r str>>;
    /// A name, which may be shared with the row before.
    fn name(&mut self) -> Result<Option<Arc<str>>>;
    /// An integer.
    fn number(&mut self) -> Result<Option<i64>>;
    /// True or false.
    fn flag(&mut self) -> Result<Option<bool>>;
    /// 32 bytes.
    fn digest(&mut self) -> Result<Option<Digest>>;
    /// An instant.
    fn instant(&mut self) -> Result<Option<Timestamp>>;
    /// Several texts.
    fn texts(&mut self) -> Result<Option<Vec<String>>>;
    /// What to say where the column that was just taken holds what nothing of ours writes.
    fn corrupt(&self, problem: &dyn std::fmt::Display) -> crate::error::Error;
}

/// A type that a field of a record can have.
pub trait Field: Sized {
    /// What its column holds.
    const KIND: Kind;
    /// The column's type to the database's library.
    type Cell;

    /// The value.
    fn datum(&self) -> Datum<'_>;

    /// Takes the next column; `None` for null.
    ///
    /// # Errors
    /// `INTERNAL` for what is no such value.
    fn take<'r>(cells: &mut impl Cells<'r>) -> Result<Option<Self>>;

    /// Takes the next column, in which a value must stand.
    ///
    /// # Errors
    /// As for [`Self::take`], and for null.
    fn required<'r>(cells: &mut impl Cells<'r>) -> Result<Self> {
        Self::take(cells)?.ok_or_else(|| cells.corrupt(&"null where a value must stand"))
    }
}

/// The type of a field's column, by a name that a derive can read.
pub type Cell<T> = <T as Field>::Cell;

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;
    type Cell = Option<T::Cell>;

    fn datum(&self) -> Datum<'_> {
        self.as_ref().map_or(Datum::Null, T::datum)
    }

    fn take<'r>(cells: &mut impl Cells<'r>) -> Result<Option<Self>> {
        T::take(cells).map(Some)
    }
}

/// Types that are what one of the methods of [`Cells`] gives.
macro_rules! fields {
    ($($type:ty: $kind:ident in $cell:ty, |$value:ident| $datum:expr, |$cells:ident| $take:expr;)+) => { $(
        impl Field for $type {
            const KIND: Kind = Kind::$kind;
            type Cell = $cell;

            fn datum(&self) -> Datum<'_> {
                let $value = self;
                Datum::$kind($datum)
            }

            fn take<'r>($cells: &mut impl Cells<'r>) -> Result<Option<Self>> {
                $take
            }
        }
    )+ };
}

fields! {
    String: Text in String, |text| text, |cells| Ok(cells.text()?.map(str::to_owned));
    i64: Number in i64, |number| *number, |cells| cells.number();
    bool: Flag in bool, |flag| *flag, |cells| cells.flag();
    Digest: Digest in Vec<u8>, |digest| *digest, |cells| cells.digest();
    Timestamp: Instant in i64, |instant| *instant, |cells| cells.instant();
    Vec<String>: Texts in String, |texts| texts, |cells| cells.texts();
}
