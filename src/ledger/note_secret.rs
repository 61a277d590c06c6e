//! The secret half of a signing key as text, in the form of Go's `sumdb/note`:
//! `PRIVATE+KEY+name+hex(id)+base64(0x01 secret)`, the secret being the 32 bytes that RFC 8032 calls the private key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::note::{NoteError, NoteSigner};

const PREFIX: &str = "PRIVATE+KEY+";
/// The byte that stands for Ed25519.
const ED25519: u8 = 1;

/// The text of a secret.
///
/// # Errors
/// [`NoteError::Key`] when the name cannot stand in a note.
pub fn to_text(name: &str, secret: &[u8; 32]) -> Result<String, NoteError> {
    let id = NoteSigner::new(name, secret)?.key().id_hex();
    let key = STANDARD.encode([&[ED25519], secret.as_slice()].concat());
    Ok(format!("{PREFIX}{name}+{id}+{key}\n"))
}

/// The signer with this text; the white space around it does not matter.
///
/// # Errors
/// [`NoteError::Malformed`] or [`NoteError::Key`] when it is none, or its hash is not that of its name and key.
pub fn parse(text: &str) -> Result<NoteSigner, NoteError> {
    let form = NoteError::Malformed("a signing key is PRIVATE+KEY+name+hash+base64");
    let parts = text.trim().strip_prefix(PREFIX).and_then(|rest| rest.split_once('+'));
    let (name, (id, key)) = parts.and_then(|(name, rest)| Some((name, rest.split_once('+')?))).ok_or(form)?;
    let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key("the last part is not base64"))?;
    let secret = match bytes.split_first() {
        Some((&ED25519, secret)) => {
            <&[u8; 32]>::try_from(secret).map_err(|_| NoteError::Key("an Ed25519 secret has 32 bytes"))?
        }
        _ => return Err(NoteError::Key("only Ed25519 keys (type 1) are known")),
    };
    let signer = NoteSigner::new(name, secret)?;
    match signer.key().id_hex() == id {
        true => Ok(signer),
        false => Err(NoteError::Key("the hash is not that of the name and the key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example key of Go's package documentation.
    const GO: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn reads_and_writes_the_text_that_standard_tools_know() {
        let signer = parse(GO).expect("a key");
        assert_eq!(signer.key().vkey(), GO_PUBLIC);
        let text = to_text("example.com/log", &[7; 32]).expect("a name");
        let ours = parse(&text).expect("a key");
        assert!(signed_note::StandardSigner::new(text.trim_end()).is_ok());
        assert_eq!(ours.key(), NoteSigner::new("example.com/log", &[7; 32]).expect("a key").key());
    }

    #[test]
    fn refuses_what_is_no_key_of_its_name() {
        for bad in [
            "",
            "PRIVATE+KEY+",
            GO_PUBLIC,
            &GO.replace("Peter", "Pater"),
            &GO.replace("c74f20a3", "c74f20a4"),
            &GO.replace("+AYEK", "+AoEK"),
            &GO[..GO.len() - 4],
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(to_text("a b", &[7; 32]).is_err());
    }
}
