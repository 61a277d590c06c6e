//! Which server this is, over its restarts: a file in the data folder, locked while the server runs. It also holds a keyed
//! digest of each setting of the last start, so that the next one can tell which changed; no value can be read from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::AppError;
use crate::capture::digest::{content_digest, sha256};
use crate::clock::Clock;
use crate::config::Secret;
use crate::facade::own_records::Instance;

/// Servers that may run over one data folder.
const INSTANCES_MAX: usize = 64;
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
struct Saved {
    id: String,
    /// The key of the digests, in hex.
    key: String,
    settings: BTreeMap<String, String>,
}

/// The file of this server; its lock ends with it.
pub struct InstanceFile {
    file: File,
    path: PathBuf,
    saved: Saved,
    instance: Instance,
}

impl InstanceFile {
    /// Takes the first file that no running server has, and compares the settings with those it was left with. The demo
    /// has files of its own: it begins anew each time.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open(
        data_dir: &Path,
        is_demo: bool,
        database: &str,
        settings: &BTreeMap<String, Secret>,
        clock: &dyn Clock,
    ) -> Result<Self, AppError> {
        let (file, path) = lock(data_dir, if is_demo { "demo-instance" } else { "instance" })?;
        let before = read(&file, &path)?;
        let is_known = before.is_some();
        let mut saved = match before {
            Some(saved) => saved,
            None => {
                let (id, key) = (clock.entropy()?, clock.entropy()?);
                Saved { id: hex::encode(&id[..8]), key: hex::encode(key), settings: BTreeMap::new() }
            }
        };
        let key = sha256(saved.key.as_bytes()).0;
        let digests: BTreeMap<String, String> = settings
            .iter()
            .map(|(name, value)| (name.clone(), content_digest(&key, value.expose()).to_hex()))
            .collect();
        let differs = |name: &&String| digests.get(*name) != saved.settings.get(*name);
        let changed: BTreeSet<String> = digests.keys().chain(saved.settings.keys()).filter(differs).cloned().collect();
        let text = serde_json::to_vec(&digests).map_err(|error| refuse(&path, &error))?;
        let instance = Instance {
            id: saved.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            database: database.to_owned(),
            settings_digest: sha256(&text).to_hex(),
            changed_settings: is_known.then_some(changed),
        };
        saved.settings = digests;
        Ok(Self { file, path, saved, instance })
    }

    /// This server, as its records describe it.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Leaves the settings of this start for the next one; to be called when what changed is on record.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&mut self) -> Result<(), AppError> {
        let text = serde_json::to_vec(&self.saved).map_err(|error| refuse(&self.path, &error))?;
        // In place: a new file under the name would be without the lock.
        let written = self.file.rewind().and_then(|()| self.file.write_all(&text));
        let written = written.and_then(|()| self.file.set_len(text.len() as u64)).and_then(|()| self.file.sync_all());
        written.map_err(|error| refuse(&self.path, &error))
    }
}

fn lock(data_dir: &Path, name: &str) -> Result<(File, PathBuf), AppError> {
    for number in 1..=INSTANCES_MAX {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = data_dir.join(format!("{name}{suffix}.json"));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(|error| refuse(&path, &error))?;
        match file.try_lock() {
            Ok(()) => return Ok((file, path)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(refuse(&path, &error)),
        }
    }
    Err(AppError::new(format!("data-dir: {INSTANCES_MAX} servers run over {}; take another", data_dir.display())))
}

/// What the last start left; `None` at the first start, and where the file was damaged.
fn read(file: &File, path: &Path) -> Result<Option<Saved>, AppError> {
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(|error| refuse(path, &error))?;
    let saved = serde_json::from_slice::<Saved>(&text).ok().filter(|saved| !saved.id.is_empty());
    if saved.is_none() && !text.is_empty() {
        tracing::warn!(path = %path.display(), "the file cannot be read; this server counts as a new one");
    }
    Ok(saved)
}

fn refuse(path: &Path, error: &dyn std::fmt::Display) -> AppError {
    AppError::new(format!("data-dir: {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn settings(listen: &str, secret: &str) -> BTreeMap<String, Secret> {
        [("listen", listen), ("jwt_hs256_secret", secret)]
            .map(|(name, value)| (name.to_owned(), Secret::from(value.to_owned())))
            .into()
    }

    fn open(folder: &Path, settings: &BTreeMap<String, Secret>) -> InstanceFile {
        InstanceFile::open(folder, false, "sqlite", settings, &SystemClock).expect("opens")
    }

    #[test]
    fn a_server_is_the_same_after_its_restart_and_knows_which_settings_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = open(folder.path(), &settings("a", "hunter2"));
        assert_eq!(first.instance().changed_settings, None);
        first.save().expect("saves");
        let (id, digest) = (first.instance().id.clone(), first.instance().settings_digest.clone());
        drop(first);
        let text = std::fs::read_to_string(folder.path().join("instance.json")).expect("text");
        assert!(!text.contains("hunter2"), "{text}");

        let same = open(folder.path(), &settings("a", "hunter2"));
        assert_eq!((&same.instance().id, &same.instance().settings_digest), (&id, &digest));
        assert_eq!(same.instance().changed_settings, Some(BTreeSet::new()));
        // Another server beside it is another one.
        let beside = open(folder.path(), &settings("a", "hunter2"));
        assert_ne!(beside.instance().id, id);
        drop((same, beside));

        let changed = open(folder.path(), &settings("a", "hunter3"));
        assert_eq!(changed.instance().changed_settings, Some([String::from("jwt_hs256_secret")].into()));
        assert_ne!(changed.instance().settings_digest, digest);
    }

    #[test]
    fn a_damaged_file_makes_a_new_server() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("instance.json"), "{\"id\":").expect("writes");
        let server = open(folder.path(), &settings("a", "b"));
        assert_eq!((server.instance().id.len(), &server.instance().changed_settings), (16, &None));
    }
}
