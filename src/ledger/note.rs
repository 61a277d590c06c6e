//! Signed notes: text with Ed25519 signatures under it, as C2SP signed-note v1 has them.
//!
//! ```text
//! some text, of one or more lines
//!
//! — name base64(key id, signature)
//! ```
//!
//! The signature is over the text up to and with its last newline, without the empty line. A key's id is the first four
//! bytes of `SHA-256(name 0x0a 0x01 public key)`; a key is handed on as its vkey, `name+hex(id)+base64(0x01 public key)`.
//!
//! Choices where the specification leaves one: a note has at most 1,000,000 bytes and 100 signatures (the limits of Go's
//! `note.Open`); base64 has its padding and nothing but zero bits behind the data; a signature from a known key is verified
//! wherever it stands, and one that is wrong refuses the whole note; keys of small order are no keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// The most bytes of a note.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// The most signatures of a note.
pub const NOTE_SIGNATURES_MAX: usize = 100;

/// The byte that stands for Ed25519 in key ids and vkeys.
const ED25519: u8 = 1;
const KEY_ID_BYTES: usize = 4;

/// Why a note, a key or a checkpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text is no note, or no checkpoint.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The text is no verifier key.
    #[error("not a verifier key (name+hash+base64): {0}")]
    Key(&'static str),
    /// None of the keys that are known has signed it: nothing is shown, nor disproven.
    #[error("no known key has signed it")]
    Unsigned,
    /// A key that is known is named, but the signature is not by it.
    #[error("the signature that names {0} is wrong")]
    Signature(String),
}

/// A key that verifies signatures of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    id: [u8; KEY_ID_BYTES],
    public: VerifyingKey,
}

impl NoteKey {
    /// The key of a name.
    ///
    /// # Errors
    /// [`NoteError::Key`] when the name is empty or has a space, a control character or a plus, or the bytes are no key.
    pub fn new(name: &str, public_key: &[u8; 32]) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Key("a name has no spaces, control characters or plus signs, and is not empty"));
        }
        let public = VerifyingKey::from_bytes(public_key).ok().filter(|key| !key.is_weak());
        let public = public.ok_or(NoteError::Key("the bytes are no Ed25519 public key"))?;
        Ok(Self { name: name.to_owned(), id: key_id(name, public_key), public })
    }

    /// Reads a vkey.
    ///
    /// # Errors
    /// [`NoteError::Key`] when it is none, or its hash is not that of its name and key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let form = NoteError::Key("it has three parts, joined by plus signs");
        let (name, rest) = vkey.split_once('+').ok_or_else(|| form.clone())?;
        let (id, key) = rest.split_once('+').ok_or(form)?;
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("the third part is not base64"))?;
        let key = match key.split_first() {
            Some((&ED25519, key)) => {
                <&[u8; 32]>::try_from(key).map_err(|_| NoteError::Key("an Ed25519 key has 32 bytes"))?
            }
            _ => return Err(NoteError::Key("only Ed25519 keys (type 1) are known")),
        };
        let key = Self::new(name, key)?;
        if hex::encode(key.id) != id {
            return Err(NoteError::Key("the hash is not that of the name and the key"));
        }
        Ok(key)
    }

    /// `name+hash+base64`: what to hand to those who verify.
    #[must_use]
    pub fn vkey(&self) -> String {
        let key = STANDARD.encode([&[ED25519], self.public.as_bytes().as_slice()].concat());
        format!("{}+{}+{key}", self.name, self.id_hex())
    }

    /// The name that signs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id as eight hex digits.
    #[must_use]
    pub fn id_hex(&self) -> String {
        hex::encode(self.id)
    }

    /// The 32 bytes of the Ed25519 public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    fn has_made(&self, text: &str, signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.public.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

/// A key that signs. Its secret is wiped from memory when it is dropped.
pub struct NoteSigner {
    key: NoteKey,
    secret: SigningKey,
}

impl NoteSigner {
    /// The signer of a name, from the 32 bytes that RFC 8032 calls the private key.
    ///
    /// # Errors
    /// As [`NoteKey::new`].
    pub fn new(name: &str, secret: &[u8; 32]) -> Result<Self, NoteError> {
        let secret = SigningKey::from_bytes(secret);
        Ok(Self { key: NoteKey::new(name, &secret.verifying_key().to_bytes())?, secret })
    }

    /// The public half.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.key
    }

    /// The note of this text. Ed25519 has no randomness: the same text gives the same note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when the text does not end in a newline, has other control characters, or is too long.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        let signature = [self.key.id.as_slice(), &self.secret.sign(text.as_bytes()).to_bytes()].concat();
        let note = format!("{text}\n\u{2014} {} {}\n", self.key.name, STANDARD.encode(signature));
        // What does not read back as this text would be signed for another one.
        if Note::parse(&note)?.text != text {
            return Err(NoteError::Malformed("the text does not end in a newline"));
        }
        Ok(note)
    }
}

impl std::fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NoteSigner").field(&self.key).finish()
    }
}

/// A note as it is read: nothing of it is to be believed before [`Note::signed_by`] has named a key.
#[derive(Clone, Debug)]
pub struct Note<'n> {
    text: &'n str,
    signatures: Vec<NoteSignature<'n>>,
}

#[derive(Clone, Debug)]
struct NoteSignature<'n> {
    name: &'n str,
    key_id: [u8; KEY_ID_BYTES],
    signature: Vec<u8>,
}

impl<'n> Note<'n> {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when it is none, or over a limit.
    pub fn parse(note: &'n str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("a note has at most 1,000,000 bytes"));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::Malformed("a note has no control characters beside newlines"));
        }
        let empty_line = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, rest) = note.split_at(empty_line + 1);
        let lines = rest.get(1..).and_then(|rest| rest.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("the last line does not end in a newline"))?;
        let signatures: Option<Vec<_>> = lines.split('\n').take(NOTE_SIGNATURES_MAX + 1).map(signature).collect();
        let signatures = signatures.ok_or(NoteError::Malformed("a line that is no signature"))?;
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::Malformed("a note has at most 100 signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &'n str {
        self.text
    }

    /// Whose signatures it says it has: each a name and the id of a key. Nothing vouches for them before
    /// [`Note::signed_by`] has.
    #[must_use]
    pub fn signers(&self) -> Vec<String> {
        self.signatures.iter().map(|one| format!("{} {}", one.name, hex::encode(one.key_id))).collect()
    }

    /// The first of the keys that has signed it, after every signature that names one of the keys was verified. Signatures
    /// by others are ignored.
    ///
    /// # Errors
    /// [`NoteError::Signature`] when one of the keys is named but did not make the signature; [`NoteError::Unsigned`] when
    /// none of them is named.
    pub fn signed_by<'k>(&self, keys: &'k [NoteKey]) -> Result<&'k NoteKey, NoteError> {
        let mut signer = None;
        for signature in &self.signatures {
            let named = |key: &&NoteKey| key.name == signature.name && key.id == signature.key_id;
            for key in keys.iter().filter(named) {
                if !key.has_made(self.text, &signature.signature) {
                    return Err(NoteError::Signature(key.name.clone()));
                }
                signer = signer.or(Some(key));
            }
        }
        signer.ok_or(NoteError::Unsigned)
    }
}

/// Reads `— name base64`.
fn signature(line: &str) -> Option<NoteSignature<'_>> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(signature).ok()?;
    let (key_id, signature) = bytes.split_first_chunk::<KEY_ID_BYTES>()?;
    let is_whole = is_name(name) && !signature.is_empty();
    is_whole.then(|| NoteSignature { name, key_id: *key_id, signature: signature.to_vec() })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control())
}

fn key_id(name: &str, public_key: &[u8; 32]) -> [u8; KEY_ID_BYTES] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', ED25519]);
    hash.update(public_key);
    let [first, second, third, fourth, ..]: [u8; 32] = hash.finalize().into();
    [first, second, third, fourth]
}

#[cfg(test)]
mod tests;
