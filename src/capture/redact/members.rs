//! Values under names that say that they are secrets, in whatever form text has for it: `name: value`, `name=value`,
//! `"name" => "value"`, `name := Some("value")`, `--name value`, `<name>value</name>`, `"name": "name", "value": "value"`.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;
use super::scan::Scanner;
use super::values::is_harmless;
use super::{commands, is_sensitive_key, keys};

/// A name, as it stands in the text.
#[derive(Clone, Copy)]
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
    end: usize,
    /// Whether it begins with a dash, as options of commands do.
    is_option: bool,
    /// The end with the quotation mark and the bracket that close it.
    closed: usize,
}

impl Name<'_> {
    pub(super) fn is_quoted(&self) -> bool {
        self.closed > self.end
    }
}

/// Names under which the value of a pair of name and value stands.
const VALUES: &[&str] = &["value", "val", "content", "stringvalue", "string_value", "data"];

/// How far a tag, or what stands around a value, may reach, in bytes.
pub(super) const AROUND_BYTES_MAX: usize = 64;

/// Values that say only what kind of value there would be: `password: string` is a type, no password.
pub(super) const KINDS: &[&str] = &[
    "null",
    "None",
    "none",
    "undefined",
    "nil",
    "string",
    "str",
    "String",
    "&str",
    "text",
    "Text",
    "bytes",
    "number",
    "int",
    "bool",
    "boolean",
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
        let value = self.place(&name)?;
        if value < self.done || !is_sensitive_key(name.text) || self.is_turn(&name) {
            return None;
        }
        self.suspect();
        match self.bytes.get(value.saturating_sub(1)) {
            Some(b'>') if !self.is_arrow(value - 1) => self.element(&name, value),
            _ => self.value(&name, value),
        }
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
        let text = self.text[start..end].trim_matches(['-', '.']);
        let start = start + (self.text[start..end].len() - self.text[start..end].trim_start_matches(['-', '.']).len());
        let end = start + text.len();
        let mut closed = end + self.bytes[end..].iter().take(16).take_while(|byte| **byte == b'\\').count();
        if self.bytes.get(closed).is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`')) {
            closed += 1;
            closed += usize::from(matches!(self.bytes.get(closed), Some(b']')));
        } else {
            closed = end;
        }
        Name { text, start, end, is_option, closed }
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
        let rest = &self.bytes[at..];
        let skipped = match rest {
            [b':', b':', ..] | [b':', b'/', b'/', ..] => return None,
            [b':' | b'?' | b'+', b'=', ..] | [b'=', b'>', ..] | [b'-', b'>', ..] | [b'?', b':', ..] => 2,
            [b'=', b'=', b'=', ..] => 3,
            [b'=', b'=', ..] => 2,
            [b':' | b'=', ..] => 1,
            [b'>', ..] if at == name.end || name.is_quoted() => return self.is_element(name, at).then_some(at + 1),
            [b'(', b'"' | b'\'', ..] if at == name.end && !keys::is_question(name.text) => 1,
            [b',', ..] if name.is_quoted() => return self.second(name, at + 1),
            _ => return self.tag_end(name, at).or_else(|| self.next_word(name, at)),
        };
        Some(self.typed(self.space_end(at + skipped)))
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

    /// The end of `<name attribute="..">`.
    fn tag_end(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        if name.start == 0 || self.bytes[name.start - 1] != b'<' || at == name.end {
            return None;
        }
        let window = &self.bytes[at..self.bytes.len().min(at + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
        spend(length);
        (window[length] == b'>' && (length == 0 || window[length - 1] != b'/')).then_some(at + length + 1)
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
        if !name.is_option || name.is_quoted() || self.bytes.get(at) == Some(&b'-') || !commands::takes_value(name.text)
        {
            return None;
        }
        (!commands::is_prose(&self.text[self.bare(at)])).then_some(at)
    }

    /// The value behind `"value": `, `value=` and the like.
    fn named_value(&self, at: usize) -> Option<usize> {
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

    fn is_arrow(&self, at: usize) -> bool {
        at > 0 && matches!(self.bytes[at - 1], b'=' | b'-')
    }

    /// Whether a tag ends here that has the name, or an attribute that says it.
    fn is_element(&self, name: &Name<'_>, end: usize) -> bool {
        let floor = name.start.saturating_sub(AROUND_BYTES_MAX);
        spend(AROUND_BYTES_MAX);
        let before = &self.bytes[floor..name.start];
        let opens = before.iter().rposition(|byte| matches!(byte, b'<' | b'>'));
        opens.is_some_and(|at| before[at] == b'<' && before.get(at + 1) != Some(&b'/')) && self.bytes[end - 1] != b'/'
    }

    /// `<name>value</name>`. What no tag closes is a placeholder.
    fn element(&mut self, name: &Name<'_>, from: usize) -> Option<Range<usize>> {
        let rest = &self.text[from..];
        let is_raw = rest.starts_with("<![CDATA[");
        let length = if is_raw { rest.find("]]>") } else { rest.find('<') };
        spend(length.unwrap_or(rest.len()));
        // Up to here no other tag begins.
        let length = length.unwrap_or(rest.len());
        let value = &rest[..length];
        let is_closed = is_raw || rest[length..].starts_with("</") || (rest.len() == length && !value.contains(' '));
        self.done = self.done.max(from);
        let text = value.trim();
        if !is_closed || is_harmless(name.text, text) {
            return None;
        }
        let start = from + value.len() - value.trim_start().len();
        Some(start..start + text.len())
    }

    pub(super) fn space_end(&self, at: usize) -> usize {
        Alphabet::Space.end(self.bytes, at)
    }
}
