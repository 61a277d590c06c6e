//! Values under names that say that they are secrets, in whatever form text has for it: `name: value`, `name=value`,
//! `"name" => "value"`, `name := Some("value")`, `--name value`, `<name>value</name>`, `"name": "name", "value": "value"`.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;
use super::scan::Scanner;
use super::{commands, is_sensitive_key, keys};

/// A name, as it stands in the text.
#[derive(Clone, Copy)]
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it begins with a dash, as options of commands do.
    pub(super) is_option: bool,
    /// Whether people write it as two words: `API key`.
    pub(super) is_of_two_words: bool,
    /// The end with the quotation mark and the bracket that close it.
    closed: usize,
}

impl Name<'_> {
    pub(super) fn is_quoted(&self) -> bool {
        self.closed > self.end
    }

    pub(super) fn closed(&self) -> usize {
        self.closed
    }

    /// The name, where it stands as a value itself and what follows it is no value of its own.
    pub(super) fn elsewhere(&self, start: usize) -> Self {
        Self { start, end: start, closed: start, is_of_two_words: false, is_option: false, ..*self }
    }
}

/// Names under which the value of a pair of name and value stands.
const VALUES: &[&str] = &["value", "val", "content", "stringvalue", "string_value", "data"];

/// How far a tag, or what stands around a value, may reach, in bytes.
pub(super) const AROUND_BYTES_MAX: usize = 64;

/// Kinds of values, behind which the value stands: `password: str = "value"`.
const KINDS: &[&str] = &[
    "null",
    "None",
    "string",
    "str",
    "String",
    "&str",
    "text",
    "Text",
    "bytes",
    "Optional",
    "Option",
    "SecretStr",
    "any",
    "Any",
    "object",
];

/// Words before `pass` that make it a turn.
const TURNS: &[&str] = &[
    "first", "second", "third", "last", "final", "next", "test", "tests", "single", "one", "two", "each", "every",
    "this", "forward", "backward", "render", "full",
];

impl<'t> Scanner<'t> {
    /// Judges the name that a word of secrets stands in.
    pub(super) fn name(&mut self, at: usize) -> Option<Range<usize>> {
        if at < self.names_end || at < self.done {
            return None;
        }
        let name = self.name_at(at);
        let value = self.place(&name).filter(|value| *value >= self.done);
        // Most words that names hold are no names: nothing is said of them.
        if value.is_none() && !self.has_escapes && !self.may_be_elsewhere(&name) {
            return None;
        }
        if !(is_sensitive_key(name.text) || self.is_signature(&name)) || self.is_turn(&name) {
            return None;
        }
        self.has_names = true;
        let Some(value) = value else { return self.without_value(&name) };
        self.suspect();
        if let Some(behind) = self.prompt_end(&name, value) {
            return self.sent(&name, behind);
        }
        match self.bytes.get(value.saturating_sub(1)) {
            Some(b'>') if !self.is_arrow(value - 1) => self.element(&name, value),
            _ => self.value(&name, value),
        }
    }

    /// Whether the value of a name may stand before it, or below it.
    fn may_be_elsewhere(&self, name: &Name<'_>) -> bool {
        let before = self.bytes[name.start.saturating_sub(8)..name.start].iter().rev();
        let label = before.copied().find(|byte| !b"\"'\\ ".contains(byte));
        let blanks = self.bytes[name.closed..].iter().take(8).take_while(|byte| b" *`".contains(byte)).count();
        let behind = self.bytes.get(name.closed + blanks);
        spend(16);
        matches!(label, Some(b':' | b'='))
            || behind.is_none_or(|byte| b",;|\t\n\r".contains(byte) || !byte.is_ascii())
            || name.is_option
            || name.text == "chpasswd"
    }

    /// A name behind which no value stands: it may stand before it, or below it.
    fn without_value(&mut self, name: &Name<'_>) -> Option<Range<usize>> {
        let found = self.value_before(name).or_else(|| self.echoed(name));
        if found.is_some() {
            self.suspect();
            return found;
        }
        self.columns(name);
        None
    }

    /// `?sig=..`, `&Signature=..`: only in addresses.
    fn is_signature(&self, name: &Name<'_>) -> bool {
        (name.text.eq_ignore_ascii_case("sig") || name.text.eq_ignore_ascii_case("signature"))
            && self.bytes.get(name.end) == Some(&b'=')
            && name.start > 0
            && matches!(self.bytes[name.start - 1], b'?' | b'&' | b';')
    }

    fn name_at(&mut self, at: usize) -> Name<'t> {
        let floor = self.names_end.max(self.done);
        let mut start = Alphabet::Dotted.start(self.bytes, floor, at);
        let end = self.run_end(Alphabet::Dotted, at);
        self.names_end = end;
        if start < at && start > 0 && self.bytes[start - 1] == b'\\' && b"nrtbf".contains(&self.bytes[start]) {
            start += 1;
        }
        let is_option = self.bytes[start] == b'-';
        let mut text = self.text[start..end].trim_matches(['-', '.']);
        start += self.text[start..end].len() - self.text[start..end].trim_start_matches(['-', '.']).len();
        let end = start + text.len();
        let mut is_of_two_words = false;
        if keys::is_key(text)
            && self.is_said(end)
            && let Some(first) = self.first_word(start)
            && is_sensitive_key(&self.text[first..end])
        {
            (start, text, is_of_two_words) = (first, &self.text[first..end], true);
        }
        let mut closed = end + self.bytes[end..].iter().take(16).take_while(|byte| **byte == b'\\').count();
        if self.bytes.get(closed).is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`')) {
            closed += 1;
            closed += usize::from(matches!(self.bytes.get(closed), Some(b']')));
        } else {
            closed = end;
        }
        Name { text, start, end, is_option, is_of_two_words, closed }
    }

    /// Whether something is said of the name that ends here.
    fn is_said(&self, at: usize) -> bool {
        let rest = &self.bytes[self.space_end(at)..];
        matches!(rest.first(), Some(b':' | b'=' | b'*' | b'|' | b'`' | b'"' | b'\'' | b'<' | b'\\'))
            || rest.starts_with(b"is ")
    }

    /// Where the word begins that stands before another, a blank between them.
    fn first_word(&self, at: usize) -> Option<usize> {
        let before = &self.bytes[at.saturating_sub(AROUND_BYTES_MAX / 4)..at];
        let (b' ', before) = before.split_last()? else { return None };
        let length = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        spend(length + 1);
        (length > 0).then(|| at - 1 - length)
    }

    /// `first pass: done`: what is passed is no word.
    fn is_turn(&self, name: &Name<'_>) -> bool {
        let before = &self.bytes[name.start.saturating_sub(12)..name.start];
        let Some((b' ', before)) = before.split_last() else { return false };
        let from = before.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        name.text.eq_ignore_ascii_case("pass")
            && TURNS.iter().any(|turn| before[from..].eq_ignore_ascii_case(turn.as_bytes()))
    }

    /// Where the value of a name begins, if the text gives it one.
    fn place(&self, name: &Name<'_>) -> Option<usize> {
        let at = self.space_end(name.closed);
        // `**name**: value`, `<b>name</b>: value`.
        let marked = self.space_end(self.marks_end(name.closed));
        let at = if matches!(self.bytes.get(marked), Some(b':' | b'=' | b'|')) { marked } else { at };
        let rest = &self.bytes[at..];
        let skipped = match rest {
            [b':', b':', ..] | [b':', b'/', b'/', ..] => return None,
            // `${NAME:?what to say when it is not set}`
            [b':', b'?' | b'+', ..] if self.text[..name.start].ends_with("${") => return None,
            [b':' | b'?' | b'+', b'=', ..] | [b'=', b'>', ..] | [b'-', b'>', ..] | [b'?', b':', ..] => 2,
            [b'=', b'=', b'=', ..] => 3,
            [b'=', b'=', ..] => 2,
            [b':' | b'=', ..] => 1,
            [b'>', ..] if at == name.end || name.is_quoted() => return self.is_element(name, at).then_some(at + 1),
            [b'(', b'"' | b'\'', ..] if at == name.end && !keys::is_question(name.text) => 1,
            [b',', ..] if name.is_quoted() => return self.second(name, at + 1),
            [b'|', ..] => return self.next_cell(name, at + 1),
            [b'<', b'/' | b'\\', ..] => return self.next_element(at),
            [b'{', ..] if name.is_quoted() => return self.default_of_variable(name, at + 1),
            _ => return self.tag_end(name, at).or_else(|| self.next_word(name, at)),
        };
        // `**name:** value`, `<b>name:</b> value`.
        let behind = self.marks_end(at + skipped);
        let is_free = self.bytes.get(behind).is_none_or(|byte| Alphabet::Space.has(*byte) || *byte == b'<');
        let value = self.space_end(if is_free { behind } else { at + skipped });
        Some(self.opened(self.typed(value)))
    }

    /// `: str = "value"`: behind the kind of value stands the value.
    fn typed(&self, at: usize) -> usize {
        let kind = self.bytes[at..]
            .iter()
            .take(AROUND_BYTES_MAX)
            .take_while(|byte| Alphabet::Word.has(**byte) || b"&<>[].:|? ".contains(byte));
        let end = at + kind.count();
        spend(end - at + 1);
        let is_kind = KINDS.iter().any(|kind| self.text[at..end].trim_start_matches(['&', ' ']).starts_with(kind));
        if is_kind && self.bytes.get(end) == Some(&b'=') { self.space_end(end + 1) } else { at }
    }

    /// The second of two: `("name", "value")`, `["--name", "value"]`, `"name", "value": "value"`.
    fn second(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        let at = self.space_end(at);
        if let Some(value) = self.named_value(at) {
            return Some(value);
        }
        let opening = name.start.checked_sub(2 + usize::from(name.is_option)).and_then(|at| self.bytes.get(at));
        let is_pair = matches!(opening, Some(b'(')) || (matches!(opening, Some(b'[')) && keys::is_header(name.text));
        let is_quoted = matches!(self.bytes.get(at), Some(b'"' | b'\''));
        ((is_pair || name.is_option) && is_quoted).then_some(at)
    }

    /// `--name value`, `name="name" value="value"`, `- name: name` and on the next line `value: value`.
    fn next_word(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        if at == name.closed {
            return None;
        }
        if let Some(value) = self.named_value(at) {
            let label = self.text[..name.start].trim_end_matches(['"', '\'', '\\', ' ']);
            return (name.is_quoted() || label.ends_with("name:") || label.ends_with("key:")).then_some(value);
        }
        if !name.is_option {
            return self.said_with_blanks(name, at);
        }
        if name.is_quoted() || self.bytes.get(at) == Some(&b'-') || !commands::takes_value(name.text) {
            return None;
        }
        (!commands::is_prose(&self.text[self.bare(at)])).then_some(at)
    }

    /// The value behind `"value": `, `value=` and the like.
    pub(super) fn named_value(&self, at: usize) -> Option<usize> {
        let mark = |at: usize| self.bytes[at..].iter().take(16).take_while(|byte| b"\\\"'".contains(byte)).count();
        let from = at + mark(at);
        let window = &self.bytes[from..self.bytes.len().min(from + 16)];
        let end = from + window.iter().take_while(|byte| Alphabet::Word.has(**byte)).count();
        spend(end - at + 1);
        let word = &self.text[from..end];
        if !VALUES.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            return None;
        }
        let at = self.space_end(end + mark(end));
        matches!(self.bytes.get(at), Some(b':' | b'=')).then(|| self.space_end(at + 1))
    }

    pub(super) fn space_end(&self, at: usize) -> usize {
        Alphabet::Space.end(self.bytes, at)
    }
}
