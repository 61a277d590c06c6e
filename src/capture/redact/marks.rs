//! Secrets with a mark in their middle: mail addresses, users of URLs, PEM blocks.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;
use super::scan::Scanner;

/// The longest label of a PEM block.
const LABEL_BYTES_MAX: usize = 64;

/// What stands around a label.
const DASHES: &str = "-----";

/// Users of a host that everybody has: `git@github.com:owner/name` is an address of code.
const USERS: &[&str] = &["git", "hg", "svn", "ssh", "bzr"];

/// Endings of files that stand where a mail address has its country: `image@2x.png`, `lodash@4.17.21.tgz`.
const FILES: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "webp", "svg", "avif", "ico", "css", "js", "mjs", "cjs", "ts", "tsx", "jsx", "json",
    "html", "tgz", "zip", "whl", "jar", "md", "txt", "yaml", "yml", "xml", "csv", "pdf",
];

/// Kinds of units of systemd, which stand where a mail address has its country: `user@1000.service`.
const UNITS: &[&str] = &["service", "socket", "timer", "slice", "scope", "mount", "automount", "swap", "device"];

/// Words behind "bearer" and "basic" that a full stop or a comma ends.
pub(super) fn is_prose(credential: &[u8]) -> bool {
    let word = credential.strip_suffix(b".").unwrap_or(credential);
    let is_shouted = word.len() <= 8 && word.iter().all(u8::is_ascii_uppercase);
    is_shouted || word.len() < 16 && word.iter().skip(1).all(u8::is_ascii_lowercase)
}

impl Scanner<'_> {
    /// `name@host.tld`, of any letters.
    pub(super) fn mail(&mut self, at: usize) -> Option<Range<usize>> {
        let floor = self.mails_end.max(self.done);
        self.mails_end = at + 1;
        let start = Alphabet::Local.start(self.bytes, floor, at);
        // Bytes beyond ASCII may be letters or quotation marks.
        let is_quote = |first: char| first == '\'' || !(first.is_alphanumeric() || first.is_ascii());
        let local = self.text[start..at].trim_start_matches(is_quote);
        let start = at - local.len();
        if local.is_empty() || USERS.contains(&local) {
            return None;
        }
        let (end, last) = host(&self.text[at + 1..])?;
        if UNITS.contains(&last) {
            return None;
        }
        let host = &self.text[at + 1..at + 1 + end];
        let is_version = host.as_bytes()[0].is_ascii_digit() && {
            let rest = host.trim_start_matches(|digit: char| digit.is_ascii_digit());
            rest.as_bytes().first() == Some(&b'x') && FILES.contains(&last)
                || rest.len() > 1 && rest.starts_with('.') && rest.as_bytes()[1].is_ascii_digit()
        };
        (!is_version).then_some(start..at + 1 + end)
    }

    /// User and password of `scheme://user:password@host`, also without the scheme, and the password alone.
    pub(super) fn url(&mut self, at: usize) -> Option<Range<usize>> {
        // Behind a word, two strokes are only a way to write one.
        if at > 0 && (Alphabet::Word.has(self.bytes[at - 1]) || self.bytes[at - 1] == b'/') {
            return None;
        }
        let from = at + 2;
        let end = self.run_end(Alphabet::Authority, from);
        let authority = &self.bytes[from..end];
        spend(authority.len());
        let user = authority.iter().rposition(|byte| *byte == b'@')?;
        let colon = authority[..user].iter().position(|byte| *byte == b':')?;
        (colon + 1 < user && &authority[colon + 1..user] != super::REDACTED.as_bytes()).then(|| from..from + user)
    }

    /// A private key in PEM, or of PGP: with headers, with its line ends escaped, cut off.
    pub(super) fn pem(&mut self, at: usize) -> Option<Range<usize>> {
        let label = at + "-----BEGIN ".len();
        let window = &self.bytes[label..self.bytes.len().min(label + LABEL_BYTES_MAX)];
        spend(window.len());
        let length = window.windows(DASHES.len()).position(|dashes| dashes == DASHES.as_bytes())?;
        let name = &self.text[label..label + length];
        if !name.contains("PRIVATE KEY") {
            return None;
        }
        let body = label + length + DASHES.len();
        let stop = self.run_end(Alphabet::Pem, body);
        let block = &self.text[body..stop];
        // An end, or the beginning of the next block; else as far as it looks like one.
        let Some(next) = block.find(DASHES) else {
            spend(block.len());
            return Some(at..stop);
        };
        spend(next);
        let Some(rest) = block[next..].strip_prefix("-----END ") else { return Some(at..body + next) };
        let rest = &rest.as_bytes()[..rest.len().min(LABEL_BYTES_MAX)];
        let closed = rest.windows(DASHES.len()).position(|dashes| dashes == DASHES.as_bytes());
        Some(at..body + next + "-----END ".len() + closed.map_or(0, |length| length + DASHES.len()))
    }
}

/// The length of the host of a mail address at the beginning of a text, and its last label, of two letters at least.
fn host(text: &str) -> Option<(usize, &str)> {
    let (mut found, mut before, mut label) = (None, ' ', None);
    for (at, character) in text.char_indices() {
        spend(character.len_utf8());
        match character {
            '.' if before.is_alphanumeric() => label = Some((at + 1, 0)),
            _ if character.is_alphabetic() => {
                label = label.map(|(from, letters)| (from, letters + 1));
                if let Some((from, 2..)) = label {
                    let end = at + character.len_utf8();
                    found = Some((end, &text[from..end]));
                }
            }
            _ if character.is_numeric() => label = None,
            '-' | '.' if before != ' ' => label = None,
            _ => break,
        }
        before = character;
    }
    found
}
