//! Secrets in forms that have no name of a secret: `IDENTIFIED BY ..` of SQL, lines of `.pgpass`, codes for wireless
//! networks, keys of PuTTY, private members of JSON Web Keys.

use std::ops::Range;

use super::REDACTED;
use super::alphabet::Alphabet;
use super::cost::spend;
use super::pairs::PRIVATE_OF_JWK;
use super::placeholders::{is_like_secret, is_placeholder};
use super::scan::Scanner;

/// A form that a word of its own tells.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// `IDENTIFIED BY 'value'`
    IdentifiedBy,
    /// `host:5432:database:user:value`
    PgPass,
    /// `WIFI:S:name;T:WPA;P:value;;`
    Wifi,
    /// `Private-Lines: 8` and so many lines
    Putty,
    /// `{"kty": "EC", "d": "value"}`
    Jwk,
}

/// The forms, by the words that tell them. Of ports those that servers and poolers of PostgreSQL are found at.
pub(super) const FORMS: &[(&str, Form)] = &[
    ("identified by", Form::IdentifiedBy),
    (":5432:", Form::PgPass),
    (":5433:", Form::PgPass),
    (":6432:", Form::PgPass),
    ("*:*:", Form::PgPass),
    ("wifi:", Form::Wifi),
    ("private-lines:", Form::Putty),
    ("kty", Form::Jwk),
];

/// The longest line or object of a form, in bytes.
const FORM_BYTES_MAX: usize = 2_048;

/// The most lines of a key.
const LINES_MAX: usize = 1_024;

impl Scanner<'_> {
    pub(super) fn form(&mut self, form: Form, word: &str, at: usize) -> Option<Range<usize>> {
        let from = at + word.len();
        self.has_names = true;
        match form {
            Form::IdentifiedBy => self.identified_by(from),
            Form::PgPass => self.line_of_pgpass(at),
            Form::Wifi => self.wifi(at, from),
            Form::Putty => self.lines_of_putty(from),
            Form::Jwk => {
                self.jwk(at);
                None
            }
        }
    }

    fn identified_by(&mut self, from: usize) -> Option<Range<usize>> {
        let mut at = self.space_end(from);
        for word in ["password ", "values "] {
            if self.bytes.get(at..at + word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word.as_bytes())) {
                at = self.space_end(at + word.len());
            }
        }
        if at == from {
            return None;
        }
        let is_quoted = matches!(self.bytes.get(at), Some(b'\'' | b'"'));
        let range = if is_quoted { self.quoted(at) } else { self.bare(at) };
        let text = &self.text[range.clone()];
        let is_secret = if is_quoted { !text.is_empty() && !is_placeholder(text) } else { is_like_secret(text) };
        (is_secret && text != REDACTED).then_some(range)
    }

    /// Five parts with colons between, the last of which is the password.
    fn line_of_pgpass(&self, at: usize) -> Option<Range<usize>> {
        let floor = self.done.max(at.saturating_sub(256)).min(at);
        let is_part = |byte: &&u8| byte.is_ascii_graphic() && !b"\"'`,;()<>{}/".contains(byte);
        let start = at - self.bytes[floor..at].iter().rev().take_while(is_part).count();
        let end = at + self.bytes[at..].iter().take(256).take_while(|byte| byte.is_ascii_graphic()).count();
        spend(end - start);
        let mut ends = Vec::with_capacity(5);
        for place in start..end {
            if self.bytes[place] == b':' && self.bytes[place - usize::from(place > start)] != b'\\' {
                ends.push(place);
            }
        }
        let [host, port, database, user] = ends[..] else { return None };
        let is_free = start == 0 || !matches!(self.bytes[start - 1], b'/');
        let parts = [start..host, host + 1..port, port + 1..database, database + 1..user];
        let is_port = matches!(&self.bytes[parts[1].clone()], b"*")
            || parts[1].len() > 1 && self.bytes[parts[1].clone()].iter().all(u8::is_ascii_digit);
        let last = self.text[user + 1..end].trim_end_matches(['"', '\'', '`', ',', ';']);
        let range = user + 1..user + 1 + last.len();
        let is_line = is_free && is_port && parts.iter().all(|part| !part.is_empty());
        (is_line && !last.is_empty() && last != REDACTED && !is_placeholder(last)).then_some(range)
    }

    fn wifi(&self, at: usize, from: usize) -> Option<Range<usize>> {
        if !self.begins(at) {
            return None;
        }
        let window = &self.bytes[from..self.bytes.len().min(from + 256)];
        let mut field = 0;
        let (mut found, mut is_network) = (None, false);
        for (place, byte) in window.iter().enumerate() {
            spend(1);
            let is_end = *byte == b';' && window[place.saturating_sub(1)] != b'\\';
            if is_end || *byte == b'\n' {
                match &window[field..place] {
                    [b'P', b':', secret @ ..] if !secret.is_empty() => found = Some(from + field + 2..from + place),
                    [b'S' | b'T', b':', ..] => is_network = true,
                    [] => break,
                    _ => {}
                }
                field = place + 1;
            }
            if *byte == b'\n' {
                break;
            }
        }
        found.filter(|range| is_network && &self.text[range.clone()] != REDACTED)
    }

    /// So many lines of base64 as the number says.
    fn lines_of_putty(&self, from: usize) -> Option<Range<usize>> {
        let at = self.space_end(from);
        let digits = Alphabet::Digit.end(&self.bytes[..self.bytes.len().min(at + 6)], at);
        let lines: usize = self.text[at..digits].parse().ok()?;
        let start = self.space_end(digits);
        let (mut end, mut next) = (start, start);
        for _ in 0..lines.min(LINES_MAX) {
            let stop = Alphabet::Base64.end(self.bytes, next);
            let padded = stop + self.bytes[stop..].iter().take(2).take_while(|byte| **byte == b'=').count();
            if stop == next {
                break;
            }
            end = padded;
            next = self.space_end(padded);
            if next == padded {
                break;
            }
        }
        (start < end).then_some(start..end)
    }

    /// The private members of the object that holds this member, as text has it.
    fn jwk(&mut self, at: usize) {
        let is_quote = |byte: Option<&u8>| matches!(byte, Some(b'"' | b'\''));
        if at == 0 || at < self.backward_end || !is_quote(self.bytes.get(at - 1)) {
            return;
        }
        self.suspect();
        let floor = self.backward_end.max(at.saturating_sub(FORM_BYTES_MAX)).min(at);
        let from = self.bytes[floor..at].iter().rposition(|byte| *byte == b'{').map_or(floor, |place| floor + place);
        let window = &self.bytes[at..self.bytes.len().min(at + 2 * FORM_BYTES_MAX)];
        let end = at + window.iter().position(|byte| *byte == b'}').unwrap_or(window.len());
        spend(end - from);
        self.backward_end = end;
        let mut place = from;
        while place < end {
            let opens = is_quote(self.bytes.get(place));
            let word = Alphabet::Word.end(&self.bytes[..end], place + 1);
            let is_private = opens
                && is_quote(self.bytes.get(word))
                && PRIVATE_OF_JWK.contains(&self.text.get(place + 1..word).unwrap_or_default());
            place = if opens { word } else { place + 1 };
            if !is_private {
                continue;
            }
            let colon = self.space_end(word + 1);
            let value = self.space_end(colon + 1);
            if self.bytes.get(colon) == Some(&b':') && is_quote(self.bytes.get(value)) {
                let range = self.quoted(value);
                place = range.end + 1;
                if &self.text[range.clone()] != REDACTED {
                    self.ranges.push(range);
                }
            }
        }
    }
}
