//! Checkpoints: what a log signs of itself, as C2SP tlog-checkpoint has them.
//!
//! ```text
//! example.com/log/0197...     the origin: which log
//! 20852163                    how many entries it has
//! CsUYapGGPo4dkMgI...         the root of its tree, base64
//! ```
//!
//! That text is a signed [note](super::note). Choices where the specification leaves one: there are no extension lines, and
//! a checkpoint that has some is refused; one key signs the checkpoints of all logs of an installation, so the name that
//! signs is that of the installation and not the origin, and who verifies checks the origin besides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::note::{Note, NoteError, NoteKey, NoteSigner};
use crate::domain::ids::Digest;

/// The head of a log's tree at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: `<ledger.origin>/<log id>`.
    pub origin: String,
    /// How many entries the log has.
    pub size: u64,
    /// The root of its tree.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads the text of a note whose signature was verified.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when it is no checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let lines: Vec<&str> = text.splitn(4, '\n').collect();
        let [origin, size, root, ""] = lines.as_slice() else {
            return Err(NoteError::Malformed("a checkpoint has three lines: origin, size and root"));
        };
        if origin.is_empty() {
            return Err(NoteError::Malformed("a checkpoint names its log's origin"));
        }
        let size = decimal(size)
            .ok_or(NoteError::Malformed("a size is a decimal number below 2^63, without zeros before it"))?;
        let root = digest(root).ok_or(NoteError::Malformed("a root is 32 bytes in base64"))?;
        Ok(Self { origin: (*origin).to_owned(), size, root })
    }

    /// The signed note of it.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when the origin is no line of text.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, NoteError> {
        let text = self.text();
        if Self::parse(&text)? != *self {
            return Err(NoteError::Malformed("an origin is one line of text"));
        }
        signer.sign(&text)
    }

    /// Reads a signed note: the checkpoint, and the key that has signed it.
    ///
    /// # Errors
    /// As [`Note::parse`], [`Note::signed_by`] and [`Checkpoint::parse`].
    pub fn open<'k>(note: &str, keys: &'k [NoteKey]) -> Result<(Self, &'k NoteKey), NoteError> {
        let note = Note::parse(note)?;
        let key = note.signed_by(keys)?;
        Ok((Self::parse(note.text())?, key))
    }
}

/// A number below 2^63 in plain decimal digits, without zeros before it.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| is_plain && *number <= i64::MAX.cast_unsigned())
}

/// 32 bytes in base64.
pub(super) fn digest(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok().and_then(|bytes| Digest::from_slice(&bytes))
}

#[cfg(test)]
mod tests;
