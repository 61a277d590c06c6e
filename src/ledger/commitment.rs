//! Commitments to payloads: a record binds its payload without holding it, so that the payload can be erased by law.

use sha2::{Digest as _, Sha256};

use crate::domain::ids::Digest;
use crate::domain::payload::{NewPayload, PayloadPart};

const DOMAIN: &[u8] = b"runledger/payload/v1";

/// `SHA-256("runledger/payload/v1" 0x00 part 0x00 salt text)`.
#[must_use]
pub fn commit(part: PayloadPart, salt: &[u8; 32], text: &str) -> Digest {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update([0]);
    hash.update(part.as_str().as_bytes());
    hash.update([0]);
    hash.update(salt);
    hash.update(text.as_bytes());
    Digest(hash.finalize().into())
}

/// A payload with its commitment. `text` is canonical JSON and is stored exactly as it is hashed here.
#[must_use]
pub fn payload(part: PayloadPart, salt: [u8; 32], text: String) -> NewPayload {
    let commitment = commit(part, &salt, &text);
    NewPayload { part, text, salt, commitment }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_part_salt_and_text() {
        let one = commit(PayloadPart::Plan, &[0; 32], "{}");
        // printf 'runledger/payload/v1\0plan\0' ; 32 zero bytes ; '{}' | sha256sum
        assert_eq!(one.to_hex(), "9f94d6300f3a50482c66d4eac7cf589889e3d2ed2f9429dac117163875f8cf42");
        assert_ne!(one, commit(PayloadPart::Metadata, &[0; 32], "{}"));
        assert_ne!(one, commit(PayloadPart::Plan, &[1; 32], "{}"));
        assert_ne!(one, commit(PayloadPart::Plan, &[0; 32], "[]"));
    }
}
