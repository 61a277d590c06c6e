//! The canonical bytes of every record: what a leaf is made of. Version 1.
//!
//! A leaf is the RFC 8785 canonical JSON of one flat object. Its members are
//! - `v`, the number 1;
//! - `kind`, the record's kind (`llm_run`, `trace_step`, `checkpoint` ...);
//! - `id`, the record's UUID in its plain hyphenated form, without the prefix of the public id; `tenant_id`; `created_at`;
//! - every column of the record by its name, except those that the ledger assigns when it appends (`seq`, `step_index`,
//!   `is_late`) and those that the database computes from others.
//!
//! A column that is null is left out, so a column that is added later changes no leaf that is older. The one column that is
//! not called by its own name is a step's `kind`, which is `step_kind` here; a ledger event's `kind` is the record's kind.
//!
//! | column | JSON |
//! |---|---|
//! | text, a name, a word of a vocabulary | string |
//! | integer | string of its decimal digits: no number in a leaf needs more care than `v` |
//! | boolean | `true` or `false` |
//! | instant | string, RFC 3339 in UTC with exactly six fraction digits and `Z` |
//! | hash, digest, commitment | string of 64 lower-case hex digits |
//! | `tags` of a run | array of strings, in bytewise order |
//! | JSON text: `filter` and `checkpoint_sizes` of an export, `detail` of a ledger event | string that holds the text |

mod writer;

use self::writer::{id, text, write};
use crate::domain::ids::{RecordId, TenantId};
use crate::domain::record::{Datum, Record, RecordHead, RecordRef, each_record};
use crate::domain::time::Timestamp;
use crate::domain::vocabulary::RecordKind;

/// The leaf of a record: canonical JSON of its columns.
#[must_use]
pub fn leaf(head: RecordHead<'_>, record: RecordRef<'_>) -> Vec<u8> {
    let RecordHead { id, tenant_id, created_at } = head;
    let envelope = Envelope { kind: record.kind(), id, tenant_id, created_at };
    // Most leaves have 600 to 1,000 bytes; a second allocation costs more than the unused rest.
    let mut out = Vec::with_capacity(1_024);
    write_any(&mut out, &envelope, record);
    // Every member begins with a comma; the first one's becomes the brace.
    if let Some(comma) = out.first_mut() {
        *comma = b'{';
    }
    out.push(b'}');
    out
}

macro_rules! of_any_kind {
    ($($variant:ident($record:ty) in $table:ident $(, read $read:ty)? $(, with $with:ty)?;)+) => {
        fn write_any(out: &mut Vec<u8>, envelope: &Envelope<'_>, record: RecordRef<'_>) {
            match record { $(RecordRef::$variant(record) => write_members(out, envelope, record)),+ }
        }
    };
}
each_record!(of_any_kind);

/// The members that every leaf has, besides the version and its record's columns.
struct Envelope<'r> {
    kind: RecordKind,
    id: RecordId,
    tenant_id: &'r TenantId,
    created_at: Timestamp,
}

/// Their keys, in the order of [`Envelope::write`].
const ENVELOPE: [&str; 5] = [",\"created_at\":", ",\"id\":", ",\"kind\":", ",\"tenant_id\":", ",\"v\":"];

impl Envelope<'_> {
    fn write(&self, member: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(ENVELOPE[member].as_bytes());
        match member {
            0 => write(out, Datum::Instant(self.created_at)),
            1 => id(out, self.id),
            2 => text(out, self.kind.as_str()),
            3 => text(out, self.tenant_id.as_str()),
            // The version of the leaf's form, and the only JSON number in a leaf.
            _ => out.push(b'1'),
        }
    }
}

/// Writes the members of the envelope and of a record, each behind a comma, in the order of their names.
fn write_members<R: Record>(out: &mut Vec<u8>, envelope: &Envelope<'_>, record: &R) {
    let order = const { Order::of::<R>() };
    for &member in &order.members[..order.count] {
        let Some(field) = member.checked_sub(ENVELOPE.len()) else {
            envelope.write(member, out);
            continue;
        };
        let field = &R::FIELDS[field];
        let value = (field.of)(record);
        if let Some(key) = field.leaf_key.filter(|_| value != Datum::Null) {
            out.extend_from_slice(key.as_bytes());
            write(out, value);
        }
    }
}

/// Most members of a leaf.
const MEMBERS_MAX: usize = 96;

/// The members of a kind's leaf in the order of their names: first those of the envelope by their number, then the fields.
struct Order {
    members: [usize; MEMBERS_MAX],
    count: usize,
}

impl Order {
    /// Found when we compile; two members of one name do not compile.
    const fn of<R: Record>() -> Self {
        let mut order = Self { members: [0; MEMBERS_MAX], count: 0 };
        let mut next = 0;
        while next < ENVELOPE.len() + R::FIELDS.len() {
            if let Some(key) = key::<R>(next) {
                let mut place = order.count;
                while place > 0 && is_before::<R>(key, order.members[place - 1]) {
                    order.members[place] = order.members[place - 1];
                    place -= 1;
                }
                order.members[place] = next;
                order.count += 1;
            }
            next += 1;
        }
        order
    }
}

/// The key of a member; `None` for the field that is the kind, which the envelope has.
const fn key<R: Record>(member: usize) -> Option<&'static str> {
    if member < ENVELOPE.len() { Some(ENVELOPE[member]) } else { R::FIELDS[member - ENVELOPE.len()].leaf_key }
}

/// Whether a key of plain ASCII stands before that of a member, in the order of their UTF-16 units. A name that begins
/// another is the smaller one, since its quotation mark is smaller than any letter or underscore.
const fn is_before<R: Record>(key_of_one: &str, other: usize) -> bool {
    let Some(other) = key::<R>(other) else { return false };
    let (one, other) = (key_of_one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    assert!(at < one.len() && at < other.len(), "two members of a leaf have one name");
    one[at] < other[at]
}

#[cfg(test)]
mod tests;
