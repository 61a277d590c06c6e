//! The trusted positions: of each log the last state that was found VALID from here, in a file outside of the database, so
//! that a database that was set back is noticed. Whoever sets a database back on purpose takes the log out of the file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::{Digest, TenantId};
use crate::domain::time::Timestamp;
use crate::domain::verification::TrustedPosition;
use crate::domain::vocabulary::Stream;
use crate::error::{Error, Result};

/// The file's name in the data folder.
pub const TRUSTED_FILE: &str = "trusted.json";

/// A trusted position with the log that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedLog {
    /// The log.
    pub log_id: Uuid,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which of the tenant's two.
    pub stream: Option<Stream>,
    /// Where it stood.
    pub position: TrustedPosition,
}

/// A log in the file. Numbers are text, as they are everywhere in the ledger.
#[derive(Serialize, Deserialize)]
struct Line {
    tenant: String,
    stream: Option<String>,
    size: String,
    root: String,
    verified_at: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Document {
    logs: BTreeMap<Uuid, Line>,
}

/// The file of trusted positions.
#[derive(Clone, Debug)]
pub struct TrustedFile {
    path: PathBuf,
    /// Held while the file is written: verifications of several tenants end at the same time.
    writing: Arc<Mutex<()>>,
}

impl TrustedFile {
    /// The file in a data folder; it need not be there yet.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(TRUSTED_FILE), writing: Arc::default() }
    }

    /// Reads every position. No file is no position.
    ///
    /// # Errors
    /// `INTERNAL` that names the file when it does not read: a file that was damaged must not count as none.
    pub fn load(&self) -> Result<BTreeMap<Uuid, TrustedLog>> {
        self.read()?.logs.into_iter().map(|(log_id, line)| Ok((log_id, self.parse(log_id, line)?))).collect()
    }

    /// Writes positions over those of the same logs, unless the file has them further on already: several processes may
    /// share it. The file is replaced as a whole, and is on disk before this returns.
    ///
    /// # Errors
    /// `INTERNAL` that names the file when it cannot be written.
    pub fn advance(&self, logs: &[TrustedLog]) -> Result<()> {
        if logs.is_empty() {
            return Ok(());
        }
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut document = self.read()?;
        for log in logs {
            let known = document.logs.get(&log.log_id).and_then(|line| line.size.parse::<i64>().ok());
            if known.is_none_or(|known| known <= log.position.size) {
                document.logs.insert(log.log_id, line(log));
            }
        }
        self.write(&document).map_err(|cause| self.trouble(&cause))
    }

    fn read(&self) -> Result<Document> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|cause| self.trouble(&cause)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Document::default()),
            Err(cause) => Err(self.trouble(&cause)),
        }
    }

    fn write(&self, document: &Document) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(document)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        fs::File::open(folder)?.sync_all()
    }

    fn parse(&self, log_id: Uuid, line: Line) -> Result<TrustedLog> {
        let position = || {
            let verified_at = Timestamp::parse(&line.verified_at).ok()?;
            Some(TrustedPosition { size: line.size.parse().ok()?, root: Digest::parse(&line.root)?, verified_at })
        };
        let position =
            position().ok_or_else(|| self.trouble(&format!("the position of log {log_id} does not read")))?;
        let stream = line.stream.as_deref().and_then(Stream::parse);
        Ok(TrustedLog { log_id, tenant: TenantId::trusted(line.tenant), stream, position })
    }

    fn trouble(&self, cause: &dyn std::fmt::Display) -> Error {
        Error::internal(format!("{}: {cause}", self.path.display()))
    }
}

fn line(log: &TrustedLog) -> Line {
    Line {
        tenant: log.tenant.as_str().to_owned(),
        stream: log.stream.map(|stream| stream.as_str().to_owned()),
        size: log.position.size.to_string(),
        root: log.position.root.to_hex(),
        verified_at: log.position.verified_at.to_rfc3339(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(id: u128, size: i64) -> TrustedLog {
        TrustedLog {
            log_id: Uuid::from_u128(id),
            tenant: TenantId::trusted("acme"),
            stream: Some(Stream::Evidence),
            position: TrustedPosition {
                size,
                root: Digest([7; 32]),
                verified_at: Timestamp::from_micros_clamped(1_795_248_000_123_456),
            },
        }
    }

    #[test]
    fn positions_come_back_and_never_go_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TrustedFile::in_folder(&folder.path().join("data"));
        assert!(file.load().expect("no file").is_empty());
        file.advance(&[log(1, 5), log(2, 9)]).expect("written");
        file.advance(&[log(1, 7), log(2, 3)]).expect("written");
        let logs = file.load().expect("read");
        assert_eq!(logs.into_values().collect::<Vec<_>>(), [log(1, 7), log(2, 9)]);
    }

    #[test]
    fn writers_at_the_same_time_keep_each_others_positions() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TrustedFile::in_folder(folder.path());
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    (1..=8).for_each(|size| file.advance(&[log(writer, size)]).expect("written"));
                });
            }
        });
        let logs: Vec<TrustedLog> = file.load().expect("whole").into_values().collect();
        assert_eq!(logs, (0..8).map(|writer| log(writer, 8)).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_file_is_trouble_and_not_no_position() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TrustedFile::in_folder(folder.path());
        fs::write(folder.path().join(TRUSTED_FILE), "{").expect("written");
        assert!(file.load().is_err() && file.advance(&[log(1, 5)]).is_err());
    }
}
