//! Names and values between tags of XML and HTML, and behind the marks that Markdown has for them.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;
use super::members::{AROUND_BYTES_MAX, Name};
use super::placeholders::is_like_secret;
use super::scan::Scanner;
use super::values::is_harmless;

/// How many tags may stand between a name and its value, or marks of Markdown.
const MARKS_MAX: usize = 3;

impl Scanner<'_> {
    /// The end of `<name attribute="..">`, also of `<space:name ..>`.
    pub(super) fn tag_end(&self, name: &Name<'_>, at: usize) -> Option<usize> {
        let before = &self.bytes[name.start.saturating_sub(AROUND_BYTES_MAX)..name.start];
        let space = before.iter().rev().take_while(|byte| Alphabet::Dotted.has(**byte) || **byte == b':').count();
        spend(space + 1);
        if before.len() == space || before[before.len() - space - 1] != b'<' || at == name.end {
            return None;
        }
        let window = &self.bytes[at..self.bytes.len().min(at + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
        spend(length);
        (window[length] == b'>' && (length == 0 || window[length - 1] != b'/')).then_some(at + length + 1)
    }

    pub(super) fn is_arrow(&self, at: usize) -> bool {
        at > 0 && matches!(self.bytes[at - 1], b'=' | b'-')
    }

    /// Whether a tag ends here that has the name, or an attribute that says it.
    pub(super) fn is_element(&self, name: &Name<'_>, end: usize) -> bool {
        let floor = name.start.saturating_sub(AROUND_BYTES_MAX);
        spend(AROUND_BYTES_MAX);
        let before = &self.bytes[floor..name.start];
        let opens = before.iter().rposition(|byte| matches!(byte, b'<' | b'>'));
        opens.is_some_and(|at| before[at] == b'<' && before.get(at + 1) != Some(&b'/')) && self.bytes[end - 1] != b'/'
    }

    /// `<name>value</name>`. What no tag closes is a placeholder.
    pub(super) fn element(&mut self, name: &Name<'_>, from: usize) -> Option<Range<usize>> {
        let rest = &self.text[from..];
        let is_raw = rest.starts_with("<![CDATA[");
        let length = if is_raw { rest.find("]]>") } else { rest.find('<') };
        spend(length.unwrap_or(rest.len()));
        // Up to here no other tag begins.
        let length = length.unwrap_or(rest.len());
        let value = &rest[..length];
        let is_closed = is_raw
            || rest[length..].starts_with("</")
            || rest[length..].starts_with("<\\/")
            || (rest.len() == length && !value.contains(' '));
        self.done = self.done.max(from);
        let text = value.trim();
        if !is_closed || is_harmless(name.text, text) || !text.contains(|letter: char| letter.is_alphanumeric()) {
            return None;
        }
        let start = from + value.len() - value.trim_start().len();
        Some(start..start + text.len())
    }

    /// The end of what closes an emphasis here: stars of Markdown, `</b>`.
    pub(super) fn marks_end(&self, at: usize) -> usize {
        let stars = self.bytes[at..].iter().take(MARKS_MAX).take_while(|byte| matches!(byte, b'*' | b'~')).count();
        let mut end = at + stars;
        for _ in 0..MARKS_MAX {
            match self.closing_tag(end) {
                Some((_, behind)) => end = behind,
                None => break,
            }
        }
        spend(stars + 1);
        end
    }

    /// Behind the tags that open here: `<code>value</code>`.
    pub(super) fn opened(&self, at: usize) -> usize {
        let mut end = at;
        for _ in 0..MARKS_MAX {
            match self.opening_tag(end) {
                Some(behind) => end = behind,
                None => break,
            }
        }
        end
    }

    /// `<key>name</key><string>value</string>`: where the value begins. Between tags that do not say that they hold names, as
    /// in the cells of a table, only what looks like a secret is one.
    pub(super) fn next_element(&self, at: usize) -> Option<usize> {
        let (tag, mut end) = self.closing_tag(at)?;
        for _ in 1..MARKS_MAX {
            match self.closing_tag(self.space_end(end)) {
                Some((_, behind)) => end = behind,
                None => break,
            }
        }
        let from = self.space_end(end);
        let value = self.opened(from);
        if value == from {
            return None;
        }
        let says_names = ["key", "name"].iter().any(|known| ends_with(tag, known));
        let window = &self.bytes[value..self.bytes.len().min(value + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| *byte == b'<')?;
        spend(length);
        (says_names || is_like_secret(self.text[value..value + length].trim())).then_some(value)
    }

    /// The name of `</name>`, and its end.
    fn closing_tag(&self, at: usize) -> Option<(&str, usize)> {
        let from = match &self.bytes[at..] {
            [b'<', b'/', ..] => at + 2,
            [b'<', b'\\', b'/', ..] => at + 3,
            _ => return None,
        };
        let window = &self.bytes[from..self.bytes.len().min(from + AROUND_BYTES_MAX / 2)];
        let length = window.iter().take_while(|byte| Alphabet::Dotted.has(**byte) || **byte == b':').count();
        spend(length + 2);
        (window.get(length) == Some(&b'>')).then(|| (&self.text[from..from + length], from + length + 1))
    }

    /// The end of `<name attribute="..">`.
    fn opening_tag(&self, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'<') || !self.bytes.get(at + 1)?.is_ascii_alphabetic() {
            return None;
        }
        let window = &self.bytes[at + 1..self.bytes.len().min(at + 2 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b'<' | b'>' | b'\n'));
        spend(length.unwrap_or(window.len()));
        length.filter(|length| window[*length] == b'>' && window[length - 1] != b'/').map(|length| at + 2 + length)
    }
}

/// Whether a text ends with another, in any case.
pub(super) fn ends_with(text: &str, end: &str) -> bool {
    let from = text.len().checked_sub(end.len());
    from.and_then(|from| text.get(from..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}
