//! States of a log that somebody vouches for: signed checkpoints, and those that the log of logs has noted.

use std::collections::HashMap;

use sea_orm::QueryResult;
use sea_orm::sea_query::Value;
use serde::Deserialize;
use uuid::Uuid;

use super::super::convert::Columns;
use super::super::database::Database;
use super::super::scoped::{EveryTenant, every_tenant, scoped_statement};
use super::{LogHead, WINDOW, rows_of_log};
use crate::domain::ids::{Digest, RecordId, TenantId};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;
use crate::error::Result;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::note::NoteKey;
use crate::ledger::verify::tree::Landmark;

/// Events of the log of logs that are read at a time.
const EVENTS: i64 = 1_024;

/// The keys that may have signed, and what is wrong with their rows.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<NoteKey>,
    /// By the id of a key that was retired: the size that each log had then.
    retired: HashMap<String, HashMap<Uuid, i64>>,
    pub(super) findings: Vec<Anomaly>,
}

impl Keys {
    /// Those whose rows read.
    #[must_use]
    pub fn known(&self) -> &[NoteKey] {
        &self.keys
    }

    /// Whether a key had been retired before a log had this size.
    #[must_use]
    pub fn had_retired(&self, key_id: &str, log_id: Uuid, size: i64) -> bool {
        self.retired.get(key_id).is_some_and(|sizes| size > sizes.get(&log_id).copied().unwrap_or(0))
    }

    /// Reads the registered keys. A row whose id is not that of its name and key was altered.
    pub(super) async fn load(db: &Database) -> Result<Self> {
        let sql = "SELECT key_id, name, public_key, to_sizes FROM ledger_key ORDER BY key_id";
        let (mut keys, mut retired, mut findings) = (Vec::new(), HashMap::new(), Vec::new());
        for row in db.rows(db.statement(sql, [])).await? {
            let mut columns = Columns::of(&row, "ledger_key")?;
            let (key_id, name, public): (String, String, Option<Digest>) =
                (columns.take()?, columns.take()?, columns.field().ok().flatten());
            if let Some(sizes) = columns.take::<Option<&str>>()? {
                // Sizes that do not read are none: the key has signed nothing that counts.
                retired.insert(key_id.clone(), serde_json::from_str(sizes).unwrap_or_default());
            }
            match public.and_then(|public| NoteKey::new(&name, &public.0).ok()) {
                Some(key) if key.id_hex() == key_id => keys.push(key),
                _ => {
                    let detail = format!("the registered key {key_id} is not the key that has this id");
                    findings.push(Anomaly::new(AnomalyKind::Altered, detail).field("ledger_key"));
                }
            }
        }
        let mut keys = Self { keys, retired, findings };
        keys.check_announced(db).await?;
        Ok(keys)
    }

    /// Every key that the log of logs has announced is registered as it was announced. (One that is registered and not yet
    /// announced will be, by the next start of a server.)
    async fn check_announced(&mut self, db: &Database) -> Result<()> {
        let mut after = String::new();
        loop {
            let sql = "SELECT subject, detail FROM ledger_event WHERE tenant_id = $1 AND kind = 'key' AND subject > $2 \
                       ORDER BY subject, seq LIMIT 1";
            let values = [Value::from(after.as_str())];
            let rows = db.rows(scoped_statement(db, &TenantId::platform(), sql.to_owned(), values)).await?;
            let Some(row) = rows.first() else { return Ok(()) };
            let mut columns = Columns::of(row, "ledger_event")?;
            after = columns.take()?;
            // One that does not read is found where its own leaf is rebuilt.
            let Ok(Announced { vkey }) = serde_json::from_str(columns.take::<&str>()?) else { continue };
            if self.keys.iter().all(|key| key.vkey() != vkey) {
                let detail = format!("the key {after} was announced as {vkey}, and is not registered so");
                self.findings.push(Anomaly::new(AnomalyKind::Altered, detail).field("ledger_key"));
            }
        }
    }
}

/// What a `key` event says.
#[derive(Deserialize)]
struct Announced {
    vkey: String,
}

/// A stored checkpoint.
pub(super) struct StoredNote {
    /// The size that its row or event says.
    pub size: i64,
    root: Option<Digest>,
    note: String,
    /// For a noted checkpoint, the event's place in the log of logs.
    event: Option<i64>,
}

impl StoredNote {
    fn name(&self) -> String {
        match self.event {
            None => format!("the checkpoint of size {}", self.size),
            Some(seq) => format!("the checkpoint noted at {seq} of the log of logs"),
        }
    }

    /// What it vouches for, where its signature is right and its row says the same.
    pub fn judge(&self, keys: &Keys, head: &LogHead) -> std::result::Result<Landmark, Anomaly> {
        let wrong = |column: &str, problem: &str| {
            let detail = format!("{}: {problem}", self.name());
            Anomaly::new(AnomalyKind::Altered, detail).at(self.size).field(format!("ledger_checkpoint.{column}"))
        };
        let (checkpoint, key) =
            Checkpoint::open(&self.note, &keys.keys).map_err(|problem| wrong("note", &problem.to_string()))?;
        if checkpoint.origin != head.origin {
            return Err(wrong("note", &format!("it was signed for {}", checkpoint.origin)));
        }
        let size = checkpoint.size.cast_signed();
        if size != self.size {
            return Err(wrong("size", &format!("size {size} was signed")));
        }
        if keys.had_retired(&key.id_hex(), head.log_id, size) {
            return Err(wrong("note", &format!("the key {} had been retired before", key.id_hex())));
        }
        if self.root != Some(checkpoint.root) {
            return Err(wrong("root", &format!("the root {} was signed", checkpoint.root.to_hex())));
        }
        Ok(Landmark { size, root: checkpoint.root, kind: AnomalyKind::Rewritten, name: self.name() })
    }
}

fn decode(row: &QueryResult) -> Result<StoredNote> {
    let mut columns = Columns::of(row, "ledger_checkpoint")?;
    let size = columns.take()?;
    Ok(StoredNote { size, root: columns.field().ok().flatten(), note: columns.take()?, event: None })
}

/// Checkpoints whose size lies behind `from` and not behind `to`.
pub(super) async fn within(db: &Database, head: &LogHead, from: i64, to: i64) -> Result<Vec<StoredNote>> {
    let sql = format!(
        "SELECT size, root, note FROM ledger_checkpoint WHERE tenant_id = $1 AND log_id = $2 \
         AND size > $3 AND size <= $4 ORDER BY size LIMIT {}",
        2 * WINDOW
    );
    // The empty tree has a root too.
    let from = if from == 0 { -1 } else { from };
    rows_of_log(db, head, sql, [from.into(), to.into()]).await?.iter().map(decode).collect()
}

/// The largest checkpoint of more entries than the log has. One statement: what is written meanwhile is in all of it.
pub(super) async fn beyond(db: &Database, head: &LogHead) -> Result<Vec<StoredNote>> {
    let ends = [
        "(SELECT l.size FROM ledger_log l WHERE l.tenant_id = $1 AND l.log_id = $2)",
        "(SELECT MAX(e.seq) + 1 FROM ledger_entry e WHERE e.tenant_id = $1 AND e.log_id = $2)",
    ];
    let mut notes = Vec::new();
    for end in ends {
        let sql = format!(
            "SELECT size, root, note FROM ledger_checkpoint WHERE tenant_id = $1 AND log_id = $2 \
             AND size > COALESCE({end}, 0) ORDER BY size DESC LIMIT 100"
        );
        let rows = rows_of_log(db, head, sql, []).await?;
        let found: Vec<StoredNote> = rows.iter().map(decode).collect::<Result<_>>()?;
        notes.extend(found.into_iter().filter(|note| notes_lack(&notes, note)).collect::<Vec<_>>());
    }
    Ok(notes)
}

fn notes_lack(notes: &[StoredNote], note: &StoredNote) -> bool {
    notes.iter().all(|other| other.size != note.size)
}

/// What a `checkpoint` event says.
#[derive(Deserialize)]
pub(super) struct Noted {
    pub origin: String,
    pub size: String,
    pub root: String,
    pub note: String,
}

/// Checkpoints of a log that the log of logs has noted, in the order in which they were: ascending sizes.
pub(super) struct NotedCheckpoints<'d> {
    db: &'d Database,
    subject: String,
    after: i64,
    from: i64,
    waiting: std::collections::VecDeque<StoredNote>,
    is_done: bool,
}

impl<'d> NotedCheckpoints<'d> {
    /// Those of sizes behind `from`.
    pub async fn behind(db: &'d Database, head: &LogHead, from: i64) -> Result<Self> {
        let subject = head.log_id.simple().to_string();
        let mut noted = Self { db, subject, after: -1, from, waiting: Default::default(), is_done: false };
        if from > 0 {
            noted.after = noted.last_not_behind().await?;
        }
        Ok(noted)
    }

    /// Walks back from the newest event to the last one that is not wanted.
    async fn last_not_behind(&self) -> Result<i64> {
        let mut before = i64::MAX;
        loop {
            let rows = self.rows("<", "DESC", before).await?;
            for row in &rows {
                let (seq, note) = decode_event(row)?;
                if note.is_some_and(|note| note.size <= self.from) {
                    return Ok(seq);
                }
                before = seq;
            }
            if rows.len() < usize::try_from(EVENTS).unwrap_or(0) {
                return Ok(-1);
            }
        }
    }

    async fn rows(&self, sign: &str, order: &str, seq: i64) -> Result<Vec<QueryResult>> {
        let sql = format!(
            "SELECT seq, detail FROM ledger_event WHERE tenant_id = $1 AND kind = 'checkpoint' AND subject = $2 \
             AND seq {sign} $3 ORDER BY seq {order} LIMIT {EVENTS}"
        );
        let values = [Value::from(self.subject.as_str()), seq.into()];
        self.db.rows(scoped_statement(self.db, &TenantId::platform(), sql, values)).await
    }

    /// Those of sizes up to `to`.
    pub async fn up_to(&mut self, to: i64) -> Result<Vec<StoredNote>> {
        let mut notes = Vec::new();
        loop {
            while self.waiting.front().is_some_and(|note| note.size <= to) {
                notes.extend(self.waiting.pop_front());
            }
            if !self.waiting.is_empty() || self.is_done {
                return Ok(notes);
            }
            self.read().await?;
        }
    }

    /// The next of those that are left; none where there are no more.
    pub async fn next_page(&mut self) -> Result<Vec<StoredNote>> {
        while self.waiting.is_empty() && !self.is_done {
            self.read().await?;
        }
        Ok(std::mem::take(&mut self.waiting).into())
    }

    async fn read(&mut self) -> Result<()> {
        let rows = self.rows(">", "ASC", self.after).await?;
        self.is_done = rows.is_empty();
        for row in &rows {
            let (seq, note) = decode_event(row)?;
            self.after = seq;
            self.waiting.extend(note.filter(|note| note.size > self.from || self.from == 0));
        }
        Ok(())
    }
}

/// An event's place and what it says; one that says nothing that reads is found where its own leaf is rebuilt.
fn decode_event(row: &QueryResult) -> Result<(i64, Option<StoredNote>)> {
    let mut columns = Columns::of(row, "ledger_event")?;
    let seq = columns.take()?;
    let noted: Option<Noted> = serde_json::from_str(columns.take::<&str>()?).ok();
    let note = noted.and_then(|noted| {
        Some(StoredNote {
            size: noted.size.parse().ok()?,
            root: Digest::parse(&noted.root),
            note: noted.note,
            event: Some(seq),
        })
    });
    Ok((seq, note))
}

/// The finding for a state that the log does not reach any more.
pub(super) fn truncated(landmark: &Landmark, end: i64) -> Anomaly {
    let Landmark { size, name, .. } = landmark;
    let detail = format!("{name} is of {size} entries, and there are {end}");
    Anomaly::new(AnomalyKind::Truncated, detail).within(end, *size)
}

/// Logs that the log of logs knows, with the newest state that it noted of each: those that are gone, or shorter. What is
/// signed and noted is committed before, so the logs are read after their checkpoints.
pub(super) async fn gone_logs(db: &Database) -> Result<Vec<Anomaly>> {
    let mut noted = Vec::new();
    let mut after = String::new();
    loop {
        let sql = "SELECT MIN(subject) FROM ledger_event WHERE tenant_id = $1 AND kind = 'checkpoint' AND subject > $2";
        let platform = TenantId::platform();
        let rows = db.rows(scoped_statement(db, &platform, sql.to_owned(), [after.as_str().into()])).await?;
        let subject: Option<String> = rows.first().map_or(Ok(None), |row| Columns::of(row, "ledger_event")?.take())?;
        let Some(subject) = subject else { break };
        let sql = "SELECT seq, id, detail FROM ledger_event WHERE tenant_id = $1 AND kind = 'checkpoint' \
                   AND subject = $2 ORDER BY seq DESC LIMIT 1";
        let rows = db.rows(scoped_statement(db, &platform, sql.to_owned(), [subject.as_str().into()])).await?;
        if let Some(row) = rows.first() {
            noted.extend(NotedLog::of(&subject, row)?);
        }
        after = subject;
    }
    // A note does not say whose log it is of.
    let sizes = every_tenant(db, EveryTenant::LogSizes, "SELECT log_id, size FROM ledger_log", []);
    let mut now: HashMap<Uuid, i64> = HashMap::new();
    for row in &db.rows(sizes).await? {
        let mut columns = Columns::of(row, "ledger_log")?;
        // An id that does not read is no log's that was noted.
        if let (Ok(log_id), Ok(size)) = (columns.take(), columns.take()) {
            now.insert(log_id, size);
        }
    }
    Ok(noted.iter().filter_map(|noted| noted.compare(now.get(&noted.log_id).copied())).collect())
}

/// The newest state of a log that the log of logs has noted.
struct NotedLog {
    log_id: Uuid,
    origin: String,
    size: i64,
    seq: i64,
    id: RecordId,
}

impl NotedLog {
    /// What an event says; `None` where that does not read.
    fn of(subject: &str, event: &QueryResult) -> Result<Option<Self>> {
        let mut columns = Columns::of(event, "ledger_event")?;
        let (seq, id) = (columns.take()?, columns.id()?);
        let Ok(Noted { origin, size, .. }) = serde_json::from_str(columns.take::<&str>()?) else { return Ok(None) };
        let (Ok(log_id), Ok(size)) = (Uuid::parse_str(subject), size.parse()) else { return Ok(None) };
        Ok(Some(Self { log_id, origin, size, seq, id }))
    }

    /// The finding where the log has become shorter, or is gone.
    fn compare(&self, now: Option<i64>) -> Option<Anomaly> {
        let Self { origin, size, .. } = self;
        let finding = match now {
            Some(now) if now >= *size => return None,
            Some(now) => {
                let detail = format!("the log {origin} had {size} entries when it was noted here, and has {now}");
                Anomaly::new(AnomalyKind::Truncated, detail)
            }
            None => {
                let detail =
                    format!("the log {origin} had {size} entries when it was noted here, and is gone with them");
                Anomaly::new(AnomalyKind::Deleted, detail)
            }
        };
        Some(finding.at(self.seq).of(RecordKind::Checkpoint, self.id).field("ledger_log"))
    }
}
