//! The keys that sign checkpoints: registered in the database, announced and retired in the platform's log. The secret
//! half never comes here but to sign.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::own_audit::{OwnEntry, SERVER};
use super::{Logs, LogsFacade};
use crate::domain::append::{AppendUnit, IdempotencyClaim, New};
use crate::domain::checkpoint::{LedgerKey, LogSizes};
use crate::domain::ids::{Digest, TenantId};
use crate::domain::ledger::LedgerEvent;
use crate::domain::record::NewRecord;
use crate::domain::scope::Actor;
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::{ActorType, AuditCategory, AuditEntityType, LedgerEventKind, Stream};
use crate::error::{Code, Error, Result};
use crate::ledger::note::{NoteKey, NoteSigner};

/// Logs whose sizes stand in one `key` record; a record for each so many. Keeps the leaf within 64 KiB.
const LOGS_PER_RECORD: usize = 500;

/// Most keys that are shown: the newest.
pub const LEDGER_KEYS_MAX: u32 = 200;

/// What happens to a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyEvent {
    Announced,
    Retired,
}

impl KeyEvent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Retired => "retired",
        }
    }

    const fn audit_type(self) -> &'static str {
        match self {
            Self::Announced => "SigningKeyAdded",
            Self::Retired => "SigningKeyRetired",
        }
    }
}

impl LedgerKey {
    /// The key as verifiers take it: `name+id+base64`.
    ///
    /// # Errors
    /// `INTERNAL` when what is stored is no key.
    pub fn vkey(&self) -> Result<String> {
        NoteKey::new(&self.name, &self.public_key).map(|key| key.vkey()).map_err(Error::internal)
    }
}

impl Logs {
    /// Signs with this key from now on. The first key of a database is registered; afterwards only that one is taken.
    ///
    /// # Errors
    /// `CONFLICT` for another key than the one that is registered; `UNAVAILABLE` when the database does not answer.
    pub async fn sign_with(&self, signer: NoteSigner) -> Result<()> {
        let key = signer.key();
        let active = self.0.store.register_ledger_key(&key.id_hex(), key.name(), key.public_key()).await?;
        if active.public_key != key.public_key() || active.name != key.name() {
            let message = format!(
                "the key {} of {} signs this ledger, not {} of {}: copy the key file that signs to every process, or \
                 rotate it with `runledger keys ledger rotate`",
                active.key_id,
                active.name,
                key.id_hex(),
                key.name()
            );
            return Err(Error::new(Code::Conflict, message));
        }
        self.0.signing.key.set(signer).map_err(|_| Error::internal("a process signs with one key"))
    }

    /// The key that signs now, if any was ever registered.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn active_ledger_key(&self) -> Result<Option<LedgerKey>> {
        let keys = self.0.store.list_ledger_keys().await?;
        Ok(keys.into_iter().find(|key| key.retired_at.is_none()))
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database does not answer.
    pub async fn list_ledger_keys(&self) -> Result<Vec<LedgerKey>> {
        self.0.store.list_ledger_keys().await
    }

    /// Retires the key that signs and registers its successor. What the old key has signed stays good, up to the sizes that
    /// the logs have now.
    ///
    /// # Errors
    /// `CONFLICT` when another key signs by now; `UNAVAILABLE` when the database does not answer.
    pub async fn rotate_ledger_key(&self, old_key_id: &str, new: &NoteKey) -> Result<()> {
        self.0.store.replace_ledger_key(old_key_id, &new.id_hex(), new.name(), new.public_key()).await
    }

    /// Appends what the platform's log does not yet say of the keys: that each was announced and retired, and at which
    /// sizes, each once whichever process comes first.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the database or the queue does not take them.
    pub async fn announce_keys(&self) -> Result<()> {
        for key in self.0.store.list_ledger_keys().await? {
            let announced = self.key_unit(&key, KeyEvent::Announced, key.created_at, &key.from_sizes)?;
            self.append(announced).await?;
            if let (Some(at), Some(sizes)) = (key.retired_at, &key.to_sizes) {
                self.append(self.key_unit(&key, KeyEvent::Retired, at, sizes)?).await?;
            }
        }
        Ok(())
    }

    fn key_unit(&self, key: &LedgerKey, event: KeyEvent, at: Timestamp, sizes: &LogSizes) -> Result<AppendUnit> {
        let sizes: Vec<(String, Value)> =
            sizes.iter().map(|(log_id, size)| (log_id.simple().to_string(), size.to_string().into())).collect();
        let parts = sizes.len().div_ceil(LOGS_PER_RECORD).max(1);
        let mut records = Vec::with_capacity(parts + 1);
        for part in 0..parts {
            let sizes: Map<String, Value> =
                sizes.iter().skip(part * LOGS_PER_RECORD).take(LOGS_PER_RECORD).cloned().collect();
            records.push(self.key_record(key, event, sizes, part, parts)?);
        }
        records.push(self.key_audit(key, event, at)?);
        let claim = format!("{}/{}", key.key_id, event.as_str());
        let idempotency = IdempotencyClaim {
            space: "ledgerKey",
            operation: "ledgerKey",
            request_hash: Digest(Sha256::digest(claim.as_bytes()).into()),
            key: claim,
            answer: String::new(),
        };
        let unit = AppendUnit::evidence(TenantId::platform(), records);
        Ok(AppendUnit { is_atomic: true, idempotency: Some(idempotency), ..unit })
    }

    fn key_record(
        &self,
        key: &LedgerKey,
        event: KeyEvent,
        sizes: Map<String, Value>,
        part: usize,
        parts: usize,
    ) -> Result<NewRecord> {
        let detail = json!({
            "event": event.as_str(),
            "key_id": key.key_id,
            "name": key.name,
            "vkey": key.vkey()?,
            "part": (part + 1).to_string(),
            "parts": parts.to_string(),
            "sizes": sizes,
        });
        let record = LedgerEvent {
            kind: LedgerEventKind::Key,
            subject: key.key_id.clone(),
            reason: None,
            detail: serde_json_canonicalizer::to_string(&detail).map_err(Error::internal)?,
            actor_type: ActorType::System,
            actor_id: Some(SERVER.to_owned()),
        };
        Ok(NewRecord::Event(Box::new(New { id: self.0.clock.new_id(), record, payloads: Vec::new() })))
    }

    fn key_audit(&self, key: &LedgerKey, event: KeyEvent, at: Timestamp) -> Result<NewRecord> {
        self.own_entry(OwnEntry {
            actor: Some(Actor { actor_type: ActorType::System, id: SERVER.to_owned() }),
            occurred_at: Some(at),
            ..OwnEntry::new(AuditCategory::Identity, event.audit_type(), AuditEntityType::SigningKey, &key.key_id)
        })
    }
}

impl LogsFacade {
    /// The keys that sign or have signed, oldest first, the newest [`LEDGER_KEYS_MAX`] at most, with the sizes of the caller's logs and of the log of logs.
    ///
    /// # Errors
    /// `FORBIDDEN` to those who read neither log, `UNAVAILABLE` when the database does not answer.
    pub async fn ledger_keys(&self) -> Result<Vec<LedgerKey>> {
        self.require_any_log()?;
        let mut logs = self.store().ledger_logs(&self.scope.tenant).await?;
        logs.extend(self.store().ledger_log(&TenantId::platform(), Stream::Evidence).await?);
        let mut keys = self.store().newest_ledger_keys(LEDGER_KEYS_MAX).await?;
        for sizes in keys.iter_mut().flat_map(|key| std::iter::once(&mut key.from_sizes).chain(&mut key.to_sizes)) {
            sizes.retain(|log_id, _| logs.iter().any(|log| log.log_id == *log_id));
        }
        Ok(keys)
    }
}
