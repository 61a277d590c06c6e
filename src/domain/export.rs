//! Exports that were made: the record of each, written when it was done.

use super::ids::{Digest, RunId};
use super::vocabulary::{ExportFormat, ExportScope, ExportStatus, Origin};

/// An export that was made, or that failed. Written once, when it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogExport {
    /// Which part of the domain it covers.
    pub scope: ExportScope,
    /// The run, where it covers one.
    pub run_id: Option<RunId>,
    /// The incident, where it covers one.
    pub incident_id: Option<String>,
    /// The format of the file.
    pub format: ExportFormat,
    /// What it selects, as canonical JSON.
    pub filter: String,
    /// Who asked for it. An identifier: not redacted.
    pub requested_by: String,
    /// What kind of actor asked for it.
    pub origin: Origin,
    /// The writer.
    pub source_component: String,
    /// The caller's own id for cross-reference.
    pub correlation_id: Option<String>,
    /// Records in it.
    pub record_count: i64,
    /// Bytes of the file.
    pub byte_count: i64,
    /// SHA-256 of the file; `None` where it failed.
    pub checksum: Option<Digest>,
    /// The sizes of the logs that it was taken at, as canonical JSON.
    pub checkpoint_sizes: String,
    /// SHA-256 of the manifest inside it.
    pub manifest_hash: Option<Digest>,
    /// COMPLETED or FAILED.
    pub status: ExportStatus,
}
