//! The file of the key that signs checkpoints: kept outside the database, so that who can write the one cannot forge the
//! other. Readable by its owner alone, made whole or not at all, never overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::AppError;
use crate::clock::SharedClock;
use crate::config::BaseSettings;
use crate::domain::checkpoint::LedgerKey;
use crate::error::Code;
use crate::facade::Logs;
use crate::ledger::note::NoteSigner;
use crate::ledger::note_secret;

const FILE_NAME: &str = "ledger.key";
const OWNER_ONLY: u32 = 0o600;
/// More than any key has.
const KEY_BYTES_MAX: u64 = 4_096;

/// Where the key is.
#[must_use]
pub fn ledger_key_path(base: &BaseSettings) -> PathBuf {
    base.ledger_key.clone().unwrap_or_else(|| base.data_dir.join(FILE_NAME))
}

/// Signs with the key of the file from now on. On the first start there is neither file nor registered key, and both are
/// made; afterwards a file that is missing or another one is refused.
///
/// # Errors
/// What to do about the file.
pub async fn start_signing(base: &BaseSettings, logs: &Logs, clock: &SharedClock) -> Result<(), AppError> {
    let path = ledger_key_path(base);
    let active = logs.active_ledger_key().await?;
    if let Some(active) = &active {
        finish_rotation(&path, active)?;
    }
    let signer = match (read(&path)?, active) {
        (Some(signer), _) => signer,
        (None, None) => create(&path, &base.ledger_origin, clock)?,
        (None, Some(active)) => {
            return Err(wrong(
                &path,
                format!(
                    "there is no such file, but key {} signs this ledger: copy its file here from another process or a backup",
                    active.key_id
                ),
            ));
        }
    };
    let name = signer.key().name();
    if name != base.ledger_origin {
        let message = format!("the key is of {name}, not of {}: set ledger-origin to {name}", base.ledger_origin);
        return Err(wrong(&path, message));
    }
    logs.sign_with(signer).await.map_err(|error| match error.code() {
        // Anything else is no fault of the file.
        Code::Conflict => wrong(&path, error.message().to_owned()),
        _ => AppError::from(error),
    })?;
    Ok(logs.announce_keys().await?)
}

/// Makes a new key, registers it in place of the one that signs, and puts its file there; gives both keys' ids.
///
/// # Errors
/// What to do about the file; `CONFLICT` when the key was rotated by somebody else.
pub async fn rotate_ledger_key(
    base: &BaseSettings,
    logs: &Logs,
    clock: &SharedClock,
) -> Result<(String, String), AppError> {
    let path = ledger_key_path(base);
    let active = logs.active_ledger_key().await?;
    let active =
        active.ok_or_else(|| AppError::new("no key was made yet; runledger serve makes it on its first start"))?;
    finish_rotation(&path, &active)?;
    let is_active = |signer: &NoteSigner| signer.key().public_key() == active.public_key;
    if !read(&path)?.is_some_and(|signer| is_active(&signer)) {
        let message =
            format!("it does not hold key {}, which signs this ledger; rotate where its file is", active.key_id);
        return Err(wrong(&path, message));
    }
    let next = next_path(&path);
    // One that a rotation left which did not come to pass: it never signed.
    remove(&next)?;
    let signer = create(&next, &active.name, clock)?;
    logs.rotate_ledger_key(&active.key_id, signer.key()).await?;
    replace(&next, &path)?;
    logs.announce_keys().await?;
    Ok((active.key_id, signer.key().id_hex()))
}

/// Puts the new key's file in place where a rotation was registered and then broke off.
fn finish_rotation(path: &Path, active: &LedgerKey) -> Result<(), AppError> {
    let next = next_path(path);
    match read(&next)? {
        Some(signer) if signer.key().public_key() == active.public_key => replace(&next, path),
        _ => Ok(()),
    }
}

fn next_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn read(path: &Path) -> Result<Option<NoteSigner>, AppError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(|error| wrong(path, error.to_string()))?,
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others than its owner can read the signing key; chmod 600 it");
    }
    if !metadata.is_file() || metadata.len() > KEY_BYTES_MAX {
        return Err(wrong(path, "it is no file with a signing key".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(path, error.to_string()))?;
    note_secret::parse(&text).map(Some).map_err(|error| wrong(path, error.to_string()))
}

/// Makes a key and its file.
fn create(path: &Path, name: &str, clock: &SharedClock) -> Result<NoteSigner, AppError> {
    let text = note_secret::to_text(name, &clock.entropy()?).map_err(|error| AppError::new(error.to_string()))?;
    let written = write_new(path, &text).map_err(|error| wrong(path, error.to_string()));
    written.and_then(|()| read(path)?.ok_or_else(|| wrong(path, "it was made and is gone".to_owned())))
}

/// A file with this text, or none: it gets its name when it is whole. One that is there already stays.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let unnamed = PathBuf::from(name);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&unnamed).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    let linked = written.and_then(|()| match fs::hard_link(&unnamed, path) {
        // Another process was faster: its key is the key.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&unnamed)?;
    linked?;
    sync_folder(path)
}

fn replace(from: &Path, to: &Path) -> Result<(), AppError> {
    fs::rename(from, to).and_then(|()| sync_folder(to)).map_err(|error| wrong(to, error.to_string()))
}

fn remove(path: &Path) -> Result<(), AppError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(wrong(path, error.to_string())),
        _ => Ok(()),
    }
}

/// The name is on disk, not only the file.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

fn wrong(path: &Path, problem: String) -> AppError {
    AppError::new(format!("ledger-key: {}: {problem}", path.display()))
}
