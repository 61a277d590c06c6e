//! What receipts hold against a log: the leaf of a record as it was acknowledged, the place it had, and the checkpoint that
//! was signed over it.
//!
//! The checkpoint is a [`Landmark`] like a stored one, so a log that was set back, cut off or written anew is found although
//! it agrees with itself. The leaf says what the record was: where the columns give another leaf now, each member of the
//! two that differs is a column that was altered, whether the entry, the nodes and the root were altered with it or not.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::EntryRow;
use super::tree::Landmark;
use crate::domain::ids::{Digest, RecordId, TenantId};
use crate::domain::verification::{Anomaly, AnomalyKind};
use crate::domain::vocabulary::RecordKind;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::receipt::Proven;

/// Characters of a value that a finding shows.
const SHOWN_MAX: usize = 80;

/// The members of a leaf.
type Leaf = BTreeMap<String, Value>;

/// A record as a receipt that verifies holds it.
#[derive(Clone, Debug)]
pub struct Original {
    /// The receipt, for people.
    pub name: String,
    /// The log, as the checkpoint's origin names it.
    pub log_id: Uuid,
    /// Whose record it is.
    pub tenant: TenantId,
    seq: i64,
    kind: RecordKind,
    id: RecordId,
    leaf: Leaf,
    leaf_hash: Digest,
    checkpoint: Checkpoint,
}

/// What the database has of an original.
#[derive(Debug, Default)]
pub struct Held {
    /// The entry at its place.
    pub entry: Option<EntryRow>,
    /// The record that has its id: the place that it says, and the leaf that its columns give, where they read.
    pub record: Option<(i64, Option<Vec<u8>>)>,
}

impl Original {
    /// The original that a receipt has proven.
    ///
    /// # Errors
    /// Why it is of no record, or of no log, of ours.
    pub fn new(name: impl Into<String>, proven: &Proven) -> Result<Self, &'static str> {
        let origin = &proven.checkpoint.origin;
        let log_id = origin.rsplit_once('/').and_then(|(_, log_id)| Uuid::try_parse(log_id).ok());
        let leaf: Leaf = serde_json::from_slice(&proven.leaf).map_err(|_| "its leaf is no JSON object")?;
        let text = |member: &str| leaf.get(member).and_then(Value::as_str);
        let id = text("id").and_then(|id| Uuid::try_parse(id).ok()).ok_or("its leaf has no id of a record")?;
        let kind = text("kind").and_then(RecordKind::parse).ok_or("its leaf has no kind of record that is known")?;
        let tenant = TenantId::trusted(text("tenant_id").ok_or("its leaf has no tenant_id")?);
        Ok(Self {
            name: name.into(),
            log_id: log_id.ok_or("its origin does not end in the id of a log")?,
            tenant,
            // A place lies below 2^63, or the receipt had not been read.
            seq: proven.index.cast_signed(),
            kind,
            id: RecordId(id),
            leaf_hash: proven.leaf_hash,
            checkpoint: proven.checkpoint.clone(),
            leaf,
        })
    }

    /// The place of the record in the log.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// The record.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        self.id
    }

    /// The origin that was signed.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// The state of the log that was signed.
    #[must_use]
    pub fn landmark(&self) -> Landmark {
        let Checkpoint { size, root, .. } = self.checkpoint;
        let name = format!("the checkpoint in the receipt {}", self.name);
        Landmark { size: size.cast_signed(), root, kind: AnomalyKind::Rewritten, name }
    }

    /// What became of the record, in a log of `end` entries; `None` where nothing did, or where the pass over the log says
    /// it without a receipt: a gap, an entry whose record is gone, a column that does not read, an end that came too early.
    #[must_use]
    pub fn compare(&self, held: &Held, end: i64) -> Option<Anomaly> {
        let names_it = held.entry.as_ref().is_some_and(|entry| entry.record_id == Some(self.id));
        let entry_hash = held.entry.as_ref().and_then(|entry| entry.leaf_hash);
        let Some((seq, leaf)) = &held.record else {
            let is_replaced = held.entry.is_some() && !names_it && self.seq < end;
            let detail = || format!("the receipt {} proves this record here; another has its place", self.name);
            return is_replaced.then(|| self.finding(AnomalyKind::Deleted, detail()));
        };
        let now: Leaf = serde_json::from_slice(leaf.as_ref()?).ok()?;
        let altered = self.differences(&now);
        if !altered.is_empty() {
            return Some(self.altered(&altered, entry_hash));
        }
        if *seq != self.seq {
            let detail = format!("the receipt {} proves this record at {}, it says {seq}", self.name, self.seq);
            let finding = self.finding(AnomalyKind::Reordered, detail).field("seq");
            return Some(finding.within(self.seq.min(*seq), self.seq.max(*seq)));
        }
        (names_it && entry_hash != Some(self.leaf_hash)).then(|| {
            let detail = format!("the record is what the receipt {} proves, its entry is not", self.name);
            self.finding(AnomalyKind::Altered, detail).field("ledger_entry.leaf_hash")
        })
    }

    fn finding(&self, kind: AnomalyKind, detail: String) -> Anomaly {
        Anomaly::new(kind, detail).at(self.seq).of(self.kind, self.id)
    }

    fn altered(&self, altered: &[Difference<'_>], entry_hash: Option<Digest>) -> Anomaly {
        let columns: Vec<&str> = altered.iter().map(|one| one.column).collect();
        let values: Vec<String> = altered.iter().map(Difference::to_string).collect();
        let mut detail = format!("by the receipt {} {}", self.name, values.join(", "));
        if entry_hash != Some(self.leaf_hash) {
            detail.push_str("; its entry was altered too");
        }
        self.finding(AnomalyKind::Altered, detail).field(columns.join(", "))
    }

    /// The columns that differ, in the order of their names in the leaf.
    fn differences<'l>(&'l self, now: &'l Leaf) -> Vec<Difference<'l>> {
        let lost = self.leaf.iter().map(|(member, was)| (member, Some(was), now.get(member)));
        let added = now.iter().filter(|(member, _)| !self.leaf.contains_key(*member));
        let mut all: Vec<_> = lost.chain(added.map(|(member, is)| (member, None, Some(is)))).collect();
        all.sort_by_key(|(member, ..)| *member);
        let differing = all.into_iter().filter(|(_, was, is)| was != is);
        differing.map(|(member, was, is)| Difference { column: column(member), was, is }).collect()
    }
}

/// A column that is not what it was; a value that is absent was null.
struct Difference<'l> {
    column: &'l str,
    was: Option<&'l Value>,
    is: Option<&'l Value>,
}

impl std::fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} was {} and is {}", self.column, shown(self.was), shown(self.is))
    }
}

/// The column of a leaf's member.
fn column(member: &str) -> &str {
    if member == "step_kind" { "kind" } else { member }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "null".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tree::leaf_hash;

    const ID: &str = "01970000-0000-7000-8000-000000000001";

    fn leaf(members: &str) -> Vec<u8> {
        format!("{{\"id\":\"{ID}\",\"kind\":\"trace_step\",\"tenant_id\":\"ours\",{members}\"v\":1}}").into_bytes()
    }

    fn original(members: &str) -> Original {
        let (leaf, origin) = (leaf(members), "example.com/log/01970000000070008000000000000002".to_owned());
        let checkpoint = Checkpoint { origin, size: 9, root: Digest([7; 32]) };
        let (leaf_hash, signer) = (leaf_hash(&leaf), "example.com/log".to_owned());
        let proven = Proven { leaf, leaf_hash, index: 5, checkpoint, signer, key_id: String::new() };
        Original::new("a", &proven).expect("an original")
    }

    fn held(entry: Option<(Option<RecordId>, Digest)>, record: Option<(i64, &str)>) -> Held {
        let entry = entry.map(|(record_id, hash)| EntryRow {
            seq: 5,
            kind: Some(RecordKind::TraceStep),
            record_id,
            leaf_hash: Some(hash),
        });
        Held { entry, record: record.map(|(seq, members)| (seq, Some(leaf(members)))) }
    }

    fn found(original: &Original, held: &Held) -> Option<(AnomalyKind, Option<String>)> {
        original.compare(held, 9).map(|finding| (finding.kind, finding.field))
    }

    #[test]
    fn each_differing_column_is_named() {
        let original = original("\"model\":\"a\",\"step_kind\":\"LLM\",");
        let own = Some((Some(original.id), original.leaf_hash));
        assert_eq!(found(&original, &held(own, Some((5, "\"model\":\"a\",\"step_kind\":\"LLM\",")))), None);
        let altered = held(own, Some((5, "\"provider\":\"x\",\"step_kind\":\"TOOL\",")));
        let finding = original.compare(&altered, 9).expect("altered");
        assert_eq!(finding.field.as_deref(), Some("model, provider, kind"));
        assert_eq!((finding.seq, finding.record_id), (Some(5), Some(original.id)));
        let says = "by the receipt a model was \"a\" and is null, provider was null and is \"x\", kind was \"LLM\" and is \"TOOL\"";
        assert_eq!(finding.detail, says);
        let with_its_entry = held(Some((Some(original.id), Digest([1; 32]))), Some((5, "")));
        assert!(original.compare(&with_its_entry, 9).expect("altered").detail.ends_with("; its entry was altered too"));
    }

    #[test]
    fn what_else_can_become_of_a_record() {
        let original = original("");
        let other = Some((Some(RecordId(Uuid::nil())), Digest([1; 32])));
        assert_eq!(found(&original, &held(other, None)), Some((AnomalyKind::Deleted, None)));
        assert_eq!(original.compare(&held(other, None), 5), None, "the checkpoint says that the log is too short");
        assert_eq!(found(&original, &held(None, None)), None, "the pass finds the gap");
        let own = Some((Some(original.id), original.leaf_hash));
        assert_eq!(found(&original, &held(own, None)), None, "the pass finds the entry without a record");
        let moved = (AnomalyKind::Reordered, Some("seq".to_owned()));
        assert_eq!(found(&original, &held(other, Some((3, "")))), Some(moved));
        let entry = (AnomalyKind::Altered, Some("ledger_entry.leaf_hash".to_owned()));
        assert_eq!(found(&original, &held(Some((Some(original.id), Digest([1; 32]))), Some((5, "")))), Some(entry));
    }

    #[test]
    fn what_names_no_record_of_ours_is_refused() {
        let proven = |leaf: &[u8], origin: &str| Proven {
            leaf: leaf.to_vec(),
            leaf_hash: leaf_hash(leaf),
            index: 0,
            checkpoint: Checkpoint { origin: origin.to_owned(), size: 1, root: Digest([7; 32]) },
            signer: String::new(),
            key_id: String::new(),
        };
        let log = "example.com/log/01970000000070008000000000000002";
        assert!(Original::new("a", &proven(&leaf(""), log)).is_ok());
        for (leaf, origin) in
            [(leaf(""), "example.com/log"), (b"[]".to_vec(), log), (b"{\"kind\":\"trace\"}".to_vec(), log)]
        {
            assert!(Original::new("a", &proven(&leaf, origin)).is_err());
        }
    }

    #[test]
    fn long_values_are_cut() {
        let long = Value::from("é".repeat(200));
        assert_eq!(shown(Some(&long)).chars().count(), SHOWN_MAX + 3);
    }
}
