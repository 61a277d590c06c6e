//! Caps on text, and what becomes of text that exceeds them.

use std::borrow::Cow;

use super::digest::sha256;
use super::redact::redact_text;

/// The longest name taken from OTLP, in bytes; the same as the domain's cap on names.
pub const NAME_BYTES_MAX: usize = crate::domain::ids::NAME_BYTES_MAX;

/// How many labels a run has at most; each is as long as a name at most.
pub const TAGS_MAX: usize = 64;

/// The largest index not above `at` where `text` may be cut.
#[must_use]
pub fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A name of at most `max` bytes. A longer one keeps its beginning and ends in `~` and 16 hex digits of its SHA-256, so
/// that names which differ only behind the cut stay distinct.
#[must_use]
pub fn cut_name(name: &str, max: usize) -> Cow<'_, str> {
    if name.len() <= max {
        return Cow::Borrowed(name);
    }
    let kept = floor_char_boundary(name, max.saturating_sub(17));
    Cow::Owned(format!("{}~{}", &name[..kept], short_hash(name)))
}

/// 16 hex digits of a text's SHA-256: they keep texts apart whose difference was cut off.
#[must_use]
pub fn short_hash(text: &str) -> String {
    let mut hash = sha256(text.as_bytes()).to_hex();
    hash.truncate(16);
    hash
}

/// U+0000 becomes U+FFFD: neither database stores it in text.
#[must_use]
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// A name or label from OTLP as it is stored: without U+0000, redacted, cut to [`NAME_BYTES_MAX`]. `None` when empty.
#[must_use]
pub fn label(text: &str) -> Option<String> {
    let redacted = redact_text(text.trim());
    let clean = without_nul(&redacted);
    (!clean.is_empty()).then(|| cut_name(&clean, NAME_BYTES_MAX).into_owned())
}

/// An identifier from OTLP as it is stored: like [`label`], but not redacted, as those that come by mutation are not. For who
/// acted and who was served, and for names by which records are found again and requests told from their repetitions: two
/// that were redacted would be one.
#[must_use]
pub fn identifier(text: &str) -> Option<String> {
    let clean = without_nul(text.trim());
    (!clean.is_empty()).then(|| cut_name(&clean, NAME_BYTES_MAX).into_owned())
}

/// The text itself up to `max` bytes; a longer one is cut, says by how many bytes, and bears 16 hex digits of the SHA-256
/// of the whole, so that texts which differ only behind the cut stay distinct.
#[must_use]
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let kept = floor_char_boundary(text, max);
    Cow::Owned(format!("{}…[{} bytes cut, {}]", &text[..kept], text.len() - kept, short_hash(text)))
}

/// Labels sorted bytewise, without repeats and empty ones, at most [`TAGS_MAX`].
#[must_use]
pub fn sorted_tags(tags: impl IntoIterator<Item = String>) -> Vec<String> {
    let sorted: std::collections::BTreeSet<String> = tags.into_iter().filter(|tag| !tag.is_empty()).collect();
    sorted.into_iter().take(TAGS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_distinct_and_end_on_a_character() {
        let one = "é".repeat(100);
        let two = format!("{}x", "é".repeat(100));
        let (cut_one, cut_two) = (cut_name(&one, 128), cut_name(&two, 128));
        assert!(cut_one.len() <= 128 && cut_two.len() <= 128);
        assert_ne!(cut_one, cut_two);
        assert_eq!(cut_name("short", 128), "short");
    }

    #[test]
    fn labels_lose_nul_and_secrets() {
        assert_eq!(label(" a\0b ").as_deref(), Some("a\u{FFFD}b"));
        assert_eq!(label("for jane.doe@example.test").as_deref(), Some("for [REDACTED]"));
        assert_eq!(label("  "), None);
        assert_eq!(identifier("jane.doe@example.test").as_deref(), Some("jane.doe@example.test"));
    }

    #[test]
    fn clipping_says_how_much_is_missing() {
        assert_eq!(clip("abc", 3), "abc");
        // printf 'aéb' | sha256sum
        assert_eq!(clip("aéb", 2), "a…[3 bytes cut, 987a4acf961d5fb9]");
        assert_ne!(clip("aéb", 2), clip("aéc", 2));
    }

    #[test]
    fn tags_are_a_sorted_set_with_a_cap() {
        let tags = sorted_tags(["b", "a", "", "b"].map(str::to_owned));
        assert_eq!(tags, ["a", "b"]);
        assert_eq!(sorted_tags((0..100).map(|n| format!("{n:03}"))).len(), TAGS_MAX);
    }
}
