//! The receipts that a database is compared with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Outcome, printable, prove, read, refusal};
use crate::app::AppError;
use crate::domain::ids::TenantId;
use crate::ledger::note::NoteKey;
use crate::ledger::receipt::Proven;
use crate::ledger::verify::originals::Original;
use crate::store::verify::Keys;

/// The most receipts of one run.
const RECEIPTS_MAX: usize = 1_000;
/// The most bytes of all of them.
const BYTES_MAX: usize = 64 << 20;
/// How a receipt's file ends.
const EXTENSION: &str = "tlog-proof";

/// Receipts, each checked by itself.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// Those that verify.
    pub originals: Vec<Original>,
    used: usize,
    /// The others, each with the reason.
    refused: Vec<(PathBuf, String)>,
}

/// The files that were named, and those in the folders that were.
///
/// # Errors
/// For a folder that cannot be read or has no receipt, and for too many receipts.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, AppError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else {
            files.push(path.clone());
        }
        if files.len() > RECEIPTS_MAX {
            return Err(AppError::new(format!("more than {RECEIPTS_MAX} receipts: compare with them in several runs")));
        }
    }
    Ok(files)
}

/// The receipts in a folder, in the order of their names; one more than are taken, where there are more.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, AppError> {
    let trouble = |cause: &dyn std::fmt::Display| AppError::new(format!("--receipt {}: {cause}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|cause| trouble(&cause))? {
        let path = entry.map_err(|cause| trouble(&cause))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
        if files.len() > RECEIPTS_MAX {
            break;
        }
    }
    files.sort_unstable();
    if files.is_empty() {
        return Err(trouble(&format!("there is no *.{EXTENSION} file in this folder")));
    }
    Ok(files)
}

impl Receipts {
    /// Reads receipts and checks each by itself, with the keys that were given and those that the database has.
    ///
    /// # Errors
    /// Where all of them together are too large.
    pub fn read(
        files: &[PathBuf],
        given: &[NoteKey],
        tenant: Option<&TenantId>,
        registered: &Keys,
    ) -> Result<Self, AppError> {
        let mut keys = given.to_vec();
        keys.extend(registered.known().iter().filter(|key| !given.iter().any(|one| one.vkey() == key.vkey())).cloned());
        let is_given = |key_id: &str| given.iter().any(|key| key.id_hex() == key_id);
        let (mut receipts, mut bytes_read) = (Self::default(), 0);
        for file in files {
            let original = match read(file, std::io::stdin()) {
                Ok(bytes) => {
                    bytes_read += bytes.len();
                    if bytes_read > BYTES_MAX {
                        let limit = BYTES_MAX >> 20;
                        let message = format!("receipts of more than {limit} MiB: compare with them in several runs");
                        return Err(AppError::new(message));
                    }
                    let proven = prove(bytes, &keys, None).map_err(|error| refusal(&error, &keys).1);
                    proven.and_then(|proven| original(file, &proven, tenant, registered, is_given(&proven.key_id)))
                }
                Err(cause) => Err(format!("UNKNOWN: it cannot be read: {cause}")),
            };
            match original {
                Ok(original) => receipts.originals.push(original),
                Err(reason) => receipts.refused.push((file.clone(), reason)),
            }
        }
        receipts.used = receipts.originals.len();
        Ok(receipts)
    }

    /// What is said of them; nothing where there are none.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (file, reason) in &self.refused {
            // Writing to a string does not fail.
            let _ = writeln!(text, "NOT USED: receipt {}: {}", printable(&name(file)), printable(reason));
        }
        if self.used + self.refused.len() > 0 {
            let _ = writeln!(text, "receipts: {} verified and compared, {} not used", self.used, self.refused.len());
        }
        text
    }

    /// What comes out with them: whoever names a receipt wants to know what it says, so VALID without it is not known.
    pub fn outcome(&self, of_logs: Outcome) -> Outcome {
        if of_logs == Outcome::Valid && !self.refused.is_empty() { Outcome::Unknown } else { of_logs }
    }
}

/// What a receipt that verifies holds; else why it is not used. A key that was given is trusted for what it was given.
fn original(
    file: &Path,
    proven: &Proven,
    tenant: Option<&TenantId>,
    registered: &Keys,
    is_given: bool,
) -> Result<Original, String> {
    let original = Original::new(name(file), proven).map_err(|problem| format!("INVALID: {problem}"))?;
    if !is_given && registered.had_retired(&proven.key_id, original.log_id, original.landmark().size) {
        return Err(format!("INVALID: the key {} had been retired before it signed this", proven.key_id));
    }
    match tenant {
        Some(tenant) if *tenant != original.tenant => {
            Err(format!("UNKNOWN: it is of the tenant {}, whose logs are not looked at", original.tenant))
        }
        _ => Ok(original),
    }
}

fn name(file: &Path) -> String {
    file.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::receipt::RECEIPT_BYTES_MAX;

    #[test]
    fn a_folder_gives_its_receipts_and_no_more_than_are_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = files(&[folder.path().to_path_buf()]).expect_err("there is none");
        assert!(refused.to_string().contains("no *.tlog-proof file"), "{refused}");
        for name in ["b.tlog-proof", "a.tlog-proof", "c.txt"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let named = PathBuf::from("named");
        let taken = files(&[named.clone(), folder.path().to_path_buf()]).expect("files");
        assert_eq!(taken, [named, folder.path().join("a.tlog-proof"), folder.path().join("b.tlog-proof")]);
        for at in 0..RECEIPTS_MAX {
            std::fs::write(folder.path().join(format!("{at}.tlog-proof")), "").expect("written");
        }
        let refused = files(&[folder.path().to_path_buf()]).expect_err("too many");
        assert!(refused.to_string().contains("1000 receipts"), "{refused}");
    }

    #[test]
    fn what_is_too_large_or_none_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let large = folder.path().join("large");
        let file = std::fs::File::create(&large).expect("made");
        file.set_len(RECEIPT_BYTES_MAX as u64 + 1).expect("long");
        let read = |count| Receipts::read(&vec![large.clone(); count], &[], None, &Keys::default());
        let receipts = read(1).expect("read");
        assert!(receipts.report().contains("INVALID: malformed: a receipt has at most 4 MiB"), "{}", receipts.report());
        let refused = read(BYTES_MAX / RECEIPT_BYTES_MAX).expect_err("together too large");
        assert!(refused.to_string().contains("more than 64 MiB"), "{refused}");
        let none = Receipts::read(&[PathBuf::from("no/such/file")], &[], None, &Keys::default()).expect("read");
        assert!(none.report().contains("no/such/file: UNKNOWN: it cannot be read"), "{}", none.report());
    }

    #[test]
    fn a_receipt_that_is_not_used_leaves_it_unknown() {
        let receipts = Receipts { refused: vec![(PathBuf::from("x"), "INVALID: no".to_owned())], ..Default::default() };
        assert_eq!(receipts.outcome(Outcome::Valid), Outcome::Unknown);
        assert_eq!(receipts.outcome(Outcome::Invalid), Outcome::Invalid);
        assert!(receipts.report().starts_with("NOT USED: receipt x: INVALID: no\nreceipts: 0 verified"));
        assert_eq!(Receipts::default().outcome(Outcome::Valid), Outcome::Valid);
        assert_eq!(Receipts::default().report(), "");
    }
}
