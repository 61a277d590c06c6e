//! Receipts: proof, in one text and without a server, that a record is in a log; as C2SP tlog-proof has them.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra eyJhY3Rvcl9pZCI6...      the leaf, base64
//! index 73894                    the record's place in the log, from 0
//! gSKyXoYZUgZ6jduWYrkDOARi...    the inclusion proof from the leaf's sibling up, base64, a hash a line
//!
//! example.com/log/0197...        the checkpoint, as it was signed
//! 109482
//! sFodV/vSp5O8n9a8QpW6PRY9...
//!
//! — example.com/log hI2DJw...
//! ```
//!
//! The format's `extra` is data that nothing vouches for. Here it is what the proof is about: the leaf is believed because
//! its hash, `SHA-256(0x00 leaf)`, is the one that the proof leads from. So a receipt without it is not one of ours and is
//! refused. Size and root are the checkpoint's; the proof's own idea of them is never asked for. A receipt has at most
//! 4 MiB and 63 hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, decimal, digest};
use super::note::{Note, NoteError, NoteKey};
use super::{proof, tree};
use crate::domain::ids::Digest;

/// The most bytes of a receipt.
pub const RECEIPT_BYTES_MAX: usize = 4 << 20;
/// The most hashes of a receipt: the height of the largest tree.
pub const RECEIPT_HASHES_MAX: usize = 63;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A receipt as it is written and read: nothing of it is to be believed before [`Receipt::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The canonical bytes of the record.
    pub leaf: Vec<u8>,
    /// The record's place in the log, from 0.
    pub index: u64,
    /// The inclusion proof in the checkpoint's tree, from the leaf's sibling up.
    pub proof: Vec<Digest>,
    /// The signed note of the checkpoint.
    pub checkpoint: String,
}

/// What a receipt has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The canonical bytes of the record.
    pub leaf: Vec<u8>,
    /// `SHA-256(0x00 leaf)`.
    pub leaf_hash: Digest,
    /// The record's place in the log, from 0.
    pub index: u64,
    /// The checkpoint that the proof leads to.
    pub checkpoint: Checkpoint,
    /// The name of the key that has signed the checkpoint.
    pub signer: String,
    /// The id of that key, eight hex digits.
    pub key_id: String,
}

/// Why a receipt shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text is no receipt.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is none, or is not signed as it must be.
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// It is of another log than the one that was asked about.
    #[error("it is of the log {0}")]
    Origin(String),
    /// The proof does not lead from the leaf to the checkpoint's root.
    #[error("the proof does not lead from the leaf at index {index} to the root of size {size}")]
    NotIncluded {
        /// The place that it claims.
        index: u64,
        /// The size of the checkpoint's tree.
        size: u64,
    },
}

impl ReceiptError {
    /// Whether it may be a good receipt to somebody who has another key: nothing was shown, and nothing disproven.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Checkpoint(NoteError::Unsigned))
    }
}

impl Receipt {
    /// The text of it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let hashes: String = self.proof.iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
        let Self { leaf, index, checkpoint, .. } = self;
        format!("{FIRST_LINE}\nextra {}\nindex {index}\n{hashes}\n{checkpoint}", STANDARD.encode(leaf))
    }

    /// Reads the text of a receipt.
    ///
    /// # Errors
    /// [`ReceiptError::Malformed`] or [`ReceiptError::Checkpoint`] when it is none, or over a limit.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        use ReceiptError::Malformed;
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(Malformed("a receipt has at most 4 MiB"));
        }
        if let Some(problem) = something_else(text) {
            return Err(Malformed(problem));
        }
        let mut rest = text;
        let mut line = || {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            Some(line)
        };
        match line() {
            Some(FIRST_LINE) => {}
            first => return Err(Malformed(not_first(first.unwrap_or(text)))),
        }
        let extra = line().and_then(|line| line.strip_prefix("extra "));
        let leaf = extra.and_then(|extra| STANDARD.decode(extra).ok()).filter(|leaf| !leaf.is_empty());
        let leaf = leaf.ok_or(Malformed("no line `extra` with the leaf in base64"))?;
        let index = line().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(Malformed("no line `index` with a decimal number"))?;
        let mut proof = Vec::new();
        loop {
            match line() {
                None => return Err(Malformed("no empty line before the checkpoint")),
                Some("") => break,
                Some(_) if proof.len() == RECEIPT_HASHES_MAX => return Err(Malformed("a proof has at most 63 hashes")),
                Some(hash) => proof.push(digest(hash).ok_or(Malformed("a line that is no hash in base64"))?),
            }
        }
        Note::parse(rest)?;
        Ok(Self { leaf, index, proof, checkpoint: rest.to_owned() })
    }

    /// Whose signatures its checkpoint says it has, each a name and a key's id. Nothing vouches for them before
    /// [`Receipt::verify`] has.
    #[must_use]
    pub fn signers(&self) -> Vec<String> {
        Note::parse(&self.checkpoint).map(|note| note.signers()).unwrap_or_default()
    }

    /// Shows what it shows, by one of the keys, of the log with this origin; `None` takes any log that the key has signed.
    ///
    /// # Errors
    /// Any [`ReceiptError`].
    pub fn verify(self, keys: &[NoteKey], origin: Option<&str>) -> Result<Proven, ReceiptError> {
        let (checkpoint, key) = Checkpoint::open(&self.checkpoint, keys)?;
        if origin.is_some_and(|origin| origin != checkpoint.origin) {
            return Err(ReceiptError::Origin(checkpoint.origin));
        }
        let leaf_hash = tree::leaf_hash(&self.leaf);
        if !proof::is_included(leaf_hash, self.index, checkpoint.size, checkpoint.root, &self.proof) {
            return Err(ReceiptError::NotIncluded { index: self.index, size: checkpoint.size });
        }
        let (signer, key_id) = (key.name().to_owned(), key.id_hex());
        Ok(Proven { leaf: self.leaf, leaf_hash, index: self.index, checkpoint, signer, key_id })
    }
}

/// What a text is that was taken for a receipt, or was one before somebody changed its lines. None of it is shown.
fn something_else(text: &str) -> Option<&'static str> {
    let begin = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if begin.starts_with("PRIVATE+KEY+") {
        return Some(
            "it is the file of a key that signs, which nobody but the server may have; name the file of a receipt. What is in \
             it is not shown",
        );
    }
    if begin.starts_with(['"', '{', '[']) {
        return Some(
            "it is JSON; a receipt is the text in it: take it out with its line ends, as jq -r does, and without quotes",
        );
    }
    let is_ours = begin.starts_with(FIRST_LINE);
    if is_ours && text.starts_with([' ', '\t', '\n']) {
        return Some("spaces or empty lines stand before it; a receipt's bytes are signed: take them out");
    }
    if is_ours && (text.ends_with("\n\n") || text.contains("\n\n\n")) {
        return Some(
            "it has an empty line too many: one stands before its checkpoint and one before the signatures, and none at its \
             end. Its bytes are signed: take the others out",
        );
    }
    None
}

/// What is wrong with a first line that is not ours. Its bytes are signed, so nothing is put right here.
fn not_first(line: &str) -> &'static str {
    if line.trim_start_matches('\u{feff}').trim_end() != FIRST_LINE {
        "the first line is not c2sp.org/tlog-proof@v1"
    } else if line.ends_with('\r') {
        "its lines end in CRLF: a program has changed the line ends. A receipt's bytes are signed: get it again, as it \
         was sent, or take every CR out"
    } else if line.starts_with('\u{feff}') {
        "a byte order mark stands before it: a program has put it there. A receipt's bytes are signed: get it again, as \
         it was sent, or take the mark out"
    } else {
        "the first line has spaces behind it; a receipt's bytes are signed: get it again, as it was sent"
    }
}

#[cfg(test)]
mod tests;
