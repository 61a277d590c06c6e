//! Digests of content: keyed, so that they cannot be linked or guessed once the tenant's key is destroyed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::Digest;

/// HMAC-SHA-256 of a text under the tenant's content key: the value of `input_hash`, `output_hash`, `prompt_hash`,
/// `response_hash`, and of `contentDigest`.
#[must_use]
pub fn content_digest(key: &[u8; 32], text: &str) -> Digest {
    ContentHasher::new(key).digest(text)
}

/// The same for many texts under one key: the key is set up once.
#[derive(Clone)]
pub struct ContentHasher(Hmac<Sha256>);

impl ContentHasher {
    /// A hasher under `key`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("any key length is valid"))
    }

    /// The digest of a text.
    #[must_use]
    pub fn digest(&self, text: &str) -> Digest {
        self.digest_bytes(text.as_bytes())
    }

    /// The digest of bytes.
    #[must_use]
    pub fn digest_bytes(&self, bytes: &[u8]) -> Digest {
        let mut mac = self.0.clone();
        mac.update(bytes);
        Digest(mac.finalize().into_bytes().into())
    }
}

/// Plain SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_hmac_sha_256() {
        // python3 -c "import hmac;print(hmac.new(bytes(32),b'What is retention?','sha256').hexdigest())"
        let digest = content_digest(&[0; 32], "What is retention?");
        assert_eq!(digest.to_hex(), "cfdbaaab84da62c60b13ebe55fd43c81f2aac39cdc6402ed0d5ec35e96d03dd4");
        assert_ne!(digest, content_digest(&[1; 32], "What is retention?"));
    }
}
