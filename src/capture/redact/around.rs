//! Secrets that stand before their name, or behind it with nothing but blanks between: `{"value": .., "name": ..}`,
//! `echo value | tool --password-stdin`, `expect 'password:'; send 'value'`, `PASSWORD 'value'` of SQL, netrc.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;
use super::members::{AROUND_BYTES_MAX, Name};
use super::placeholders::is_like_secret;
use super::scan::Scanner;
use super::tags::ends_with;
use super::values;

/// How far before its name a value may stand, in bytes.
const BEFORE_BYTES_MAX: usize = 2_048;

/// How far behind the question the answer of a script may stand, in bytes.
const ANSWER_BYTES_MAX: usize = 160;

/// What stands before a name that is a value itself.
const NAMES: &[&str] = &["name", "key", "header", "field", "variable", "parameter"];

/// What a name ends with, of which people say what it is without a colon.
const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "pwd"];

impl Scanner<'_> {
    /// `{"value": "..", "name": "password"}`, `- value: ..` and on the next line `name: password`, `value=".." key="password"`.
    pub(super) fn value_before(&mut self, name: &Name<'_>) -> Option<Range<usize>> {
        let near = name.start.saturating_sub(AROUND_BYTES_MAX / 2);
        let label = self.bytes[near..name.start].iter().rev();
        let marks = label.clone().take_while(|byte| b"\"'\\ ".contains(byte)).count();
        let (b':' | b'=') = label.clone().nth(marks)? else { return None };
        let marks = marks + 1 + label.skip(marks + 1).take_while(|byte| b"\"'\\ ".contains(byte)).count();
        spend(marks);
        let end = name.start - marks;
        let word = Alphabet::Word.start(self.bytes, near, end);
        if !NAMES.iter().any(|known| self.text[word..end].eq_ignore_ascii_case(known)) {
            return None;
        }
        let floor = self.backward_end.max(word.saturating_sub(BEFORE_BYTES_MAX)).min(word);
        self.backward_end = name.start;
        let is_line = !name.is_quoted();
        let from = self.opening_before(floor, word, is_line);
        spend(word - from);
        let value = (from..word).find_map(|at| {
            let may_begin = matches!(self.bytes[at] | 0x20, b'v' | b'c' | b's' | b'd') && self.begins(at);
            if may_begin { self.named_value(at).filter(|value| *value < word) } else { None }
        })?;
        self.value(&name.elsewhere(value), value).filter(|range| range.end <= name.start)
    }

    /// Where the object, the tag or the item begins that something stands in.
    fn opening_before(&self, floor: usize, at: usize, is_line: bool) -> usize {
        let before = &self.bytes[floor..at];
        let opening = before.iter().rposition(|byte| matches!(byte, b'{' | b'<'));
        let item = (0..before.len()).rev().find(|place| is_line && before[*place..].starts_with(b"- "));
        spend(before.len());
        floor + opening.max(item).unwrap_or(0)
    }

    /// `echo value | tool --password-stdin`, `tool --password-stdin <<< value`.
    pub(super) fn echoed(&mut self, name: &Name<'_>) -> Option<Range<usize>> {
        let reads = name.text.contains("stdin") || matches!(name.text, "with-token" | "chpasswd");
        if !reads {
            return None;
        }
        let behind = self.space_end(name.closed());
        if self.bytes[behind..].starts_with(b"<<<") {
            return self.value(name, self.space_end(behind + 3));
        }
        let floor = self.backward_end.max(name.start.saturating_sub(BEFORE_BYTES_MAX)).min(name.start);
        self.backward_end = name.start;
        spend(name.start - floor);
        let line =
            self.bytes[floor..name.start].iter().rposition(|byte| *byte == b'\n').map_or(floor, |at| floor + at + 1);
        let pipe = line + self.bytes[line..name.start].iter().rposition(|byte| *byte == b'|')?;
        let (word, length) = ["echo ", "printf "]
            .iter()
            .filter_map(|word| {
                Some((self.bytes[line..pipe].windows(word.len()).rposition(|at| at == word.as_bytes())?, word.len()))
            })
            .max()?;
        let mut from = self.space_end(line + word + length);
        while let [b'-', b'n' | b'e' | b'E', ..] = &self.bytes[from..] {
            from = self.space_end(Alphabet::Word.end(self.bytes, from + 1));
        }
        let range = from..from + self.text.get(from..pipe)?.trim_end().len();
        let inner = self.text[range.clone()].trim_matches(['"', '\'']);
        let start = range.start + usize::from(self.text[range.clone()].starts_with(['"', '\'']));
        let is_kept = inner.starts_with('$') || values::is_harmless(name.text, inner);
        (!is_kept).then(|| start..start + inner.len())
    }

    /// The end of a question that a script waits for, where what seems the value's first quotation mark is the question's
    /// last: `expect "Enter password: "`.
    pub(super) fn prompt_end(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        let marks = self.bytes[at..].iter().take(8).take_while(|byte| matches!(byte, b'\\' | b'*')).count();
        let quote = *self.bytes.get(at + marks).filter(|byte| matches!(byte, b'"' | b'\''))?;
        if name.is_quoted() {
            return None;
        }
        let is_end = |byte: &u8| Alphabet::Space.has(*byte) || b")];,}\\{".contains(byte);
        if !self.bytes.get(at + marks + 1).is_none_or(is_end) {
            return None;
        }
        let before = &self.bytes[name.start.saturating_sub(AROUND_BYTES_MAX)..name.start];
        let inside =
            before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b" _*?[]-".contains(byte)).count();
        spend(inside + marks + 1);
        let opening = before.len().checked_sub(inside + 1)?;
        let is_free = opening == 0 || b" \t\n(=\\{[".contains(&before[opening - 1]);
        (before[opening] == quote && is_free).then_some(at + marks + 1)
    }

    /// What a script sends behind a question: `send "value\r"`, `sendline('value')`.
    pub(super) fn sent(&mut self, name: &Name<'_>, from: usize) -> Option<Range<usize>> {
        let window = &self.bytes[from..self.bytes.len().min(from + ANSWER_BYTES_MAX)];
        let at = window.windows(4).position(|word| word.eq_ignore_ascii_case(b"send"));
        spend(at.unwrap_or(window.len()));
        let word = Alphabet::Dotted.end(self.bytes, from + at?);
        let skipped = self.bytes[word..].iter().take(16).take_while(|byte| b" (-\\".contains(byte)).count();
        let value = word + skipped;
        let range = match self.bytes.get(value)? {
            b'"' | b'\'' => self.quoted(value - usize::from(self.bytes[value - 1] == b'\\')),
            _ => self.bare(value),
        };
        let text = self.text[range.clone()].trim_end_matches(['\r', '\n']);
        let text = text.strip_suffix("\\r").or_else(|| text.strip_suffix("\\n")).unwrap_or(text);
        let is_kept = text.starts_with('$') || values::is_harmless(name.text, text);
        (!is_kept).then(|| range.start..range.start + text.len())
    }

    /// `PASSWORD 'value'`, `.. BY 'value'`, `PASSWORD FOR user = 'value'`, `machine h login u password value`; and of what
    /// people write, where the value looks like one: `password is value`, `password for joe: value`, `password (new): value`.
    pub(super) fn said_with_blanks(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        let is_password = PASSWORDS.iter().any(|known| ends_with(name.text, known));
        if name.is_quoted() || !is_password && !self.bytes[at..].starts_with(b"is ") {
            return None;
        }
        let is_quote = |at: usize| matches!(self.bytes.get(at), Some(b'\'' | b'"'));
        let window = &self.bytes[at..self.bytes.len().min(at + 2 * AROUND_BYTES_MAX)];
        spend(8);
        let begins = |word: &[u8]| window.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
        let stop = |marks: &[u8]| {
            let stop = window.iter().position(|byte| marks.contains(byte));
            spend(stop.unwrap_or(window.len()));
            stop.map(|stop| (window[stop], self.space_end(at + stop + 1)))
        };
        if is_quote(at) {
            return self.is_one_word(at).then_some(at);
        }
        if begins(b"by ") && is_quote(self.space_end(at + 3)) {
            return Some(self.space_end(at + 3));
        }
        if begins(b"for ") {
            let (mark, value) = stop(b"=:\n;")?;
            return (mark == b'=' && is_quote(value) || mark == b':' && self.is_shown(value)).then_some(value);
        }
        if begins(b"(") {
            let (_, colon) = stop(b")\n").filter(|stop| stop.0 == b')')?;
            let value = self.space_end(colon + 1);
            return (self.bytes.get(colon) == Some(&b':') && self.is_shown(value)).then_some(value);
        }
        if begins(b"is ") {
            let value = self.space_end(at + 3);
            return (is_quote(value) && self.is_one_word(value) || self.is_shown(value)).then_some(value);
        }
        let dash = [&b"- "[..], "\u{2013} ".as_bytes(), "\u{2014} ".as_bytes()].into_iter().find(|dash| begins(dash));
        let value = dash.map_or(at, |dash| self.space_end(at + dash.len()));
        (self.is_shown(value) || self.is_of_netrc(name)).then_some(value)
    }

    /// Whether a word, or one in quotation marks, looks so much like a secret that nothing else need say it.
    fn is_shown(&self, at: usize) -> bool {
        let is_quoted = matches!(self.bytes.get(at), Some(b'"' | b'\'' | b'`'));
        let word = &self.text[self.bare(at + usize::from(is_quoted))];
        let word = word.trim_end_matches(['.', '!', '?', ':']);
        let is_mixed =
            word.bytes().any(|byte| byte.is_ascii_uppercase()) && word.bytes().any(|byte| byte.is_ascii_lowercase());
        is_mixed && is_like_secret(word)
    }

    /// Whether what stands between quotation marks is one word.
    fn is_one_word(&self, open: usize) -> bool {
        let window = &self.bytes[open + 1..self.bytes.len().min(open + 1 + 2 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| *byte == self.bytes[open] || Alphabet::Space.has(*byte));
        spend(length.unwrap_or(window.len()));
        length.is_some_and(|length| length > 0 && window[length] == self.bytes[open])
    }

    /// `machine h login u password`, `default login u password`.
    fn is_of_netrc(&self, name: &Name<'_>) -> bool {
        if name.text != "password" {
            return false;
        }
        let mut from = name.start.saturating_sub(4 * AROUND_BYTES_MAX);
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        spend(name.start - from);
        let mut words = self.text[from..name.start].split_ascii_whitespace().rev().skip(1);
        words.next() == Some("login") && {
            let first = words.next();
            let is = |word: Option<&str>, known: &str| {
                let before = word.and_then(|word| word.strip_suffix(known));
                before.is_some_and(|before| !before.ends_with(|last: char| last.is_alphanumeric()))
            };
            is(first, "default") || is(words.next(), "machine")
        }
    }

    /// `variable "password" { default = "value" }` of Terraform.
    pub(super) fn default_of_variable(&self, name: &Name<'_>, from: usize) -> Option<usize> {
        let before = self.bytes[name.start.saturating_sub(AROUND_BYTES_MAX / 2)..name.start].trim_ascii_end();
        let before = before.strip_suffix(b"\"").unwrap_or(before).trim_ascii_end();
        if !before.ends_with(b"variable") {
            return None;
        }
        let length =
            self.bytes[from..].iter().position(|byte| matches!(byte, b'{' | b'}')).unwrap_or(self.bytes.len() - from);
        spend(length);
        let block = &self.text[from..from + length];
        let place = block.match_indices("default").find_map(|(place, word)| {
            let at = self.space_end(from + place + word.len());
            (self.begins(from + place) && self.bytes.get(at) == Some(&b'=')).then_some(at + 1)
        })?;
        Some(self.space_end(place))
    }
}
