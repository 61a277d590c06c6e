//! `runledger keys ledger`: the keys that sign checkpoints.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Subcommand;
use uuid::Uuid;

use super::init_logs;
use super::said::say;
use crate::app::{AppError, ledger_key_path, open_for_command, open_to_look, rotate_ledger_key};
use crate::clock::{SharedClock, SystemClock};
use crate::config::{BaseSettings, ChangeSettings};
use crate::domain::checkpoint::LedgerKey;
use crate::domain::time::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum LedgerAction {
    /// List the keys with their public halves, and the sizes of the logs that each signs.
    Show {
        #[command(flatten)]
        base: BaseSettings,
    },
    /// Make a new key in place of the one that signs. Servers that run sign nothing more until they are started again with
    /// the new file; what the old key has signed stays good.
    Rotate {
        #[command(flatten)]
        base: BaseSettings,
        #[command(flatten)]
        changes: ChangeSettings,
    },
}

pub(super) async fn run(action: LedgerAction) -> Result<(), AppError> {
    let clock: SharedClock = Arc::new(SystemClock);
    match action {
        LedgerAction::Show { base } => {
            init_logs(&base)?;
            let (logs, store) = open_to_look(&base, clock).await?;
            let keys = logs.list_ledger_keys().await;
            store.close().await;
            say(table(&keys?)?.trim_end_matches('\n'))?;
        }
        LedgerAction::Rotate { base, changes } => {
            init_logs(&base)?;
            let (logs, store) = open_for_command(&base, &changes, Arc::clone(&clock)).await?;
            let rotated = rotate_ledger_key(&base, &logs, &clock).await;
            store.close().await;
            let (old, new) = rotated?;
            eprintln!(
                "key {new} signs in place of {old}; its file is {}. Copy it to every process and start them again; hand \
                 the new vkey to those who verify (runledger keys ledger show), beside the old one.",
                ledger_key_path(&base).display()
            );
        }
    }
    Ok(())
}

/// Every key with its public half and what it may have signed.
fn table(keys: &[LedgerKey]) -> Result<String, AppError> {
    if keys.is_empty() {
        return Ok("no key was made yet; runledger serve makes it on its first start\n".to_owned());
    }
    let mut text = format!("{:<10}{:<10}{:<28}UNTIL\n", "ID", "STATE", "SINCE");
    for key in keys {
        let state = if key.retired_at.is_some() { "retired" } else { "signs" };
        let until = key.retired_at.map_or_else(|| "-".to_owned(), Timestamp::to_rfc3339);
        let (id, since, vkey) = (&key.key_id, key.created_at.to_rfc3339(), key.vkey()?);
        text.push_str(&format!("{id:<10}{state:<10}{since:<28}{until}\n  vkey {vkey}\n"));
        for (log_id, range) in ranges(key) {
            text.push_str(&format!("  log {}/{} {range}\n", key.name, log_id.simple()));
        }
    }
    Ok(text)
}

/// The sizes of each log that a key may have signed. A log that is newer than the key is signed from the beginning.
fn ranges(key: &LedgerKey) -> Vec<(Uuid, String)> {
    let logs: BTreeSet<Uuid> =
        key.from_sizes.keys().chain(key.to_sizes.iter().flatten().map(|log| log.0)).copied().collect();
    let range = |log_id: Uuid| {
        let from = key.from_sizes.get(&log_id).copied().unwrap_or_default();
        match key.to_sizes.as_ref().map(|sizes| sizes.get(&log_id).copied().unwrap_or_default()) {
            Some(to) => format!("from size {from} to {to}"),
            None => format!("from size {from}"),
        }
    };
    logs.into_iter().map(|log_id| (log_id, range(log_id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_each_key_signs() {
        let log = |number: u128| Uuid::from_u128(number);
        let old = LedgerKey {
            key_id: "0a0b0c0d".to_owned(),
            name: "example.com".to_owned(),
            public_key: crate::ledger::note::NoteSigner::new("example.com", &[7; 32])
                .expect("a key")
                .key()
                .public_key(),
            created_at: Timestamp::default(),
            retired_at: Timestamp::from_micros(1),
            from_sizes: [(log(1), 3)].into(),
            to_sizes: Some([(log(1), 9), (log(2), 4)].into()),
        };
        let new = LedgerKey { retired_at: None, from_sizes: [(log(1), 9)].into(), to_sizes: None, ..old.clone() };
        let text = table(&[old, new]).expect("keys");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("0a0b0c0d  retired   1970-01-01T00:00:00.000000Z"), "{text}");
        assert!(lines[2].starts_with("  vkey example.com+"), "{text}");
        assert_eq!(lines[3], "  log example.com/00000000000000000000000000000001 from size 3 to 9");
        assert_eq!(lines[4], "  log example.com/00000000000000000000000000000002 from size 0 to 4");
        assert_eq!(lines[7], "  log example.com/00000000000000000000000000000001 from size 9");
        assert!(table(&[]).expect("none").contains("no key"));
    }
}
