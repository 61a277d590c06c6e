//! Values of names: between quotation marks, in brackets, in the lines of a block, or bare.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;
use super::members::{AROUND_BYTES_MAX, Name};
use super::scan::Scanner;
use super::{REDACTED, commands, is_kept_text, keys, placeholders};

impl Scanner<'_> {
    /// What is to be removed of the value that begins here.
    pub(super) fn value(&mut self, name: &Name<'_>, at: usize) -> Option<Range<usize>> {
        if matches!(self.bytes.get(at), Some(b'|' | b'>'))
            && let Some(block) = self.block(name, at)
        {
            return (!is_harmless(name.text, &self.text[block.clone()])).then_some(block);
        }
        if self.bytes[at..].starts_with(b"- ") {
            let items = self.items(at);
            return (!is_harmless(name.text, self.text[items.clone()].trim_start_matches("- "))).then_some(items);
        }
        if self.bytes[at..].starts_with(b"${") {
            return self.default_value(name, at);
        }
        let range = match self.unwrapped(at) {
            Some(quote) => {
                let range = self.quoted(quote);
                // `os.environ.get("NAME")`: where the value is.
                let is_asked = self.text[at..quote].to_ascii_lowercase().contains("env")
                    && placeholders::is_variable(&self.text[range.clone()]);
                if is_asked {
                    return None;
                }
                range
            }
            None if matches!(self.bytes.get(at), Some(b'[' | b'{')) && (name.is_quoted() || self.is_list(at)) => {
                self.nested(at)
            }
            None => return self.word(name, at),
        };
        (!is_harmless(name.text, &self.text[range.clone()])).then_some(range)
    }

    /// What is to be removed of a value without quotation marks.
    fn word(&self, name: &Name<'_>, at: usize) -> Option<Range<usize>> {
        let word = self.bare(at);
        let text = &self.text[word.clone()];
        if is_harmless(name.text, text) || self.is_reference(word.start) {
            return None;
        }
        let is_index = self.bytes.get(word.end) == Some(&b'[');
        if is_environment(text, is_index) {
            return None;
        }
        let is_below = self.text[name.closed()..at].contains('\n');
        if is_below && is_name(text) {
            return None;
        }
        // The first word of a sentence is no value.
        if (is_below || name.is_of_two_words) && !self.ends_line(word.end) && !placeholders::is_like_secret(text) {
            return None;
        }
        if keys::is_header(name.text) {
            return Some(word.start..self.header_end(word.end));
        }
        let end = match self.bytes.get(word.end) {
            Some(b'(') => self.call_end(text, word.end)?,
            Some(b',') if name.text.ends_with(['s', 'S']) => self.list_end(word.end),
            _ => word.end,
        };
        Some(word.start..end)
    }

    /// The end of a list of secrets: `passwords: one, another`.
    fn list_end(&self, from: usize) -> usize {
        let mut end = from;
        while self.bytes.get(end) == Some(&b',') {
            let next = self.bare(self.space_end(end + 1));
            if !placeholders::is_like_secret(&self.text[next.clone()]) {
                break;
            }
            end = next.end;
        }
        end
    }

    /// The end of `name(value)`; `None` of a call that is given no value, or only the name of a variable.
    fn call_end(&self, function: &str, open: usize) -> Option<usize> {
        let window = &self.bytes[open..self.bytes.len().min(open + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b')' | b'\n'));
        spend(length.unwrap_or(window.len()));
        let Some(length) = length.filter(|length| window[*length] == b')') else { return Some(open) };
        let given = self.text[open + 1..open + length].trim();
        let is_asked = function.to_ascii_lowercase().ends_with("env") && placeholders::is_variable(given);
        (!given.is_empty() && !is_asked).then_some(open + length + 1)
    }

    /// `${NAME:-value}`: the value for want of another.
    fn default_value(&self, name: &Name<'_>, at: usize) -> Option<Range<usize>> {
        let window = &self.bytes[at..self.bytes.len().min(at + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b'}' | b'\n')).unwrap_or(window.len());
        spend(length);
        let inner = self.bytes[at + 2..at + length.max(2)].iter();
        let mark = at + 2 + inner.take_while(|byte| Alphabet::Dotted.has(**byte) && **byte != b'-').count();
        let from = match &self.bytes[mark..at + length.max(2)] {
            [b':', b'-' | b'=', ..] => mark + 2,
            [b':', b'?' | b'+', ..] => return None,
            [b':' | b'-' | b'=', ..] => mark + 1,
            _ => return None,
        };
        let range = from..at + length;
        (!is_harmless(name.text, &self.text[range.clone()])).then_some(range)
    }

    /// Whether a list begins here whose items are texts, with quotation marks or as YAML has them.
    fn is_list(&self, at: usize) -> bool {
        if self.bytes[at] != b'[' || self.bytes[at..].starts_with(REDACTED.as_bytes()) {
            return false;
        }
        let first = self.space_end(at + 1);
        if matches!(self.bytes.get(first), Some(b'"' | b'\'' | b'\\')) {
            return true;
        }
        let window = &self.bytes[first..self.bytes.len().min(first + 4 * AROUND_BYTES_MAX)];
        let length = window.iter().position(|byte| matches!(byte, b']' | b'\n' | b'['));
        spend(length.unwrap_or(window.len()));
        let Some(length) = length.filter(|length| window[*length] == b']') else { return false };
        self.text[first..first + length].split(',').any(|item| placeholders::is_like_secret(item.trim()))
    }

    /// Whether nothing follows on the line, or in the cell.
    fn ends_line(&self, at: usize) -> bool {
        let rest = &self.bytes[at..self.bytes.len().min(at + AROUND_BYTES_MAX)];
        let marks = rest.iter().take_while(|byte| b" \t\r*_`\"').".contains(byte)).count();
        spend(marks + 1);
        rest.get(marks).is_none_or(|byte| b"\n|,;<}]\\".contains(byte))
    }

    /// The quotation mark that a value begins with, also within `Some(..)`, `SecretStr(..)`, `String::from(..)`, `b".."`.
    fn unwrapped(&self, at: usize) -> Option<usize> {
        let mut at = at;
        for _ in 0..4 {
            let marks = self.bytes[at..].iter().take(AROUND_BYTES_MAX).take_while(|byte| **byte == b'\\').count();
            if matches!(self.bytes.get(at + marks), Some(b'"' | b'\'' | b'`')) {
                return Some(at);
            }
            let word = self.bytes[at..]
                .iter()
                .take(AROUND_BYTES_MAX)
                .take_while(|byte| Alphabet::Word.has(**byte) || b":.&!@$*".contains(byte));
            let length = word.count();
            spend(length + marks + 1);
            let word = &self.text[at..at + length];
            at += length;
            match self.bytes.get(at) {
                Some(b'(') if length > 0 => at = self.space_end(at + 1),
                // A mark before a string, as of bytes: `b"value"`.
                Some(b'"' | b'\'') if word.len() < 3 && word.bytes().all(|byte| b"bBrRfFuUcL@$&*".contains(&byte)) => {
                    return Some(at);
                }
                Some(b' ') if word == "new" => at += 1,
                _ => return None,
            }
        }
        None
    }

    /// What stands between quotation marks; `at` is before the first, with the backslashes that it bears where it stands in
    /// a string itself. Without an end, everything: cut-off text is no way around.
    pub(super) fn quoted(&self, at: usize) -> Range<usize> {
        let marks = self.bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
        let open = at + marks;
        let quote = self.bytes[open];
        let is_triple = marks == 0 && self.bytes[open..].starts_with(&[quote; 3]);
        let from = open + if is_triple { 3 } else { 1 };
        let mut backslashes = 0;
        for (length, byte) in self.bytes[from..].iter().enumerate() {
            spend(1);
            if *byte == b'\\' {
                backslashes += 1;
                continue;
            }
            let is_end = if marks == 0 { backslashes % 2 == 0 } else { backslashes <= marks };
            let end = from + length;
            if *byte == quote && is_end && (!is_triple || self.bytes[end..].starts_with(&[quote; 3])) {
                return from..end - if marks == 0 { 0 } else { backslashes };
            }
            backslashes = 0;
        }
        from..self.bytes.len()
    }

    /// A word without quotation marks.
    pub(super) fn bare(&self, at: usize) -> Range<usize> {
        let mut end = at;
        while let Some(byte) = self.bytes.get(end) {
            if self.bytes[end..].starts_with(REDACTED.as_bytes()) {
                end += REDACTED.len();
            } else if *byte == b'\\' && self.bytes.get(end + 1).is_some_and(|next| b"/$!#&*@~%^".contains(next)) {
                end += 2;
            } else if commands::ends_word(*byte) {
                break;
            } else {
                end += 1;
            }
        }
        spend(end - at + 1);
        at..end
    }

    /// A list or an object, up to the bracket that closes it.
    fn nested(&self, at: usize) -> Range<usize> {
        let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
        for (length, byte) in self.bytes[at..].iter().enumerate() {
            spend(1);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = is_text,
                b'"' => is_text = !is_text,
                _ if is_text => {}
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at..at + length + 1;
            }
        }
        at..self.bytes.len()
    }

    /// The lines of a block of YAML: `name: |`, and lines that are further in than the name's.
    fn block(&self, name: &Name<'_>, at: usize) -> Option<Range<usize>> {
        let mark = self.bytes[at..].iter().take(4).take_while(|byte| b"|>+-0123456789".contains(byte)).count();
        // Only blanks are read: the rest of a long line would be read again for every name in it.
        let rest = self.text[at + mark..].chars();
        let blanks: usize = rest.take_while(|it| *it != '\n' && it.is_whitespace()).map(char::len_utf8).sum();
        spend(mark + blanks + 1);
        let line_end = at + mark + blanks;
        if self.bytes.get(line_end) != Some(&b'\n') {
            return None;
        }
        let floor = name.start.saturating_sub(AROUND_BYTES_MAX);
        let indent = self.bytes[floor..name.start].iter().rev().take_while(|byte| b" \"'-".contains(byte)).count();
        let from = line_end + 1;
        let (mut end, mut next) = (from, from);
        while next < self.bytes.len() {
            let stop = self.line_end(next);
            let line = &self.text[next..stop];
            let inner = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() {
                if inner <= indent {
                    break;
                }
                end = stop;
            }
            next = stop + 1;
        }
        let start = from + (self.text[from..end].len() - self.text[from..end].trim_start().len());
        (start < end).then_some(start..end)
    }

    /// The items of a list of YAML: lines that begin with a dash.
    fn items(&self, at: usize) -> Range<usize> {
        let mut end = self.line_end(at);
        while end < self.bytes.len() {
            let next = self.space_end(end);
            if !self.bytes[next..].starts_with(b"- ") {
                break;
            }
            end = self.line_end(next);
        }
        at + 2..end
    }

    pub(super) fn line_end(&self, at: usize) -> usize {
        let length = self.bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(self.bytes.len() - at);
        spend(length + 1);
        at + length
    }

    /// Headers hold several words: `Authorization: Token abc`.
    fn header_end(&self, from: usize) -> usize {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'"' | b'\'' | b'\\' | b'}');
        let length = self.bytes[from..].iter().position(is_end).unwrap_or(self.bytes.len() - from);
        spend(length + 1);
        from + length
    }

    /// `${NAME}`, `$(command)`, `{{ name }}`: where the value is, not what it is.
    pub(super) fn is_reference(&self, at: usize) -> bool {
        let rest = &self.bytes[at..];
        if rest.starts_with(b"$(") || rest.starts_with(b"{{") || rest.starts_with(b"<") {
            return true;
        }
        let is_variable = |byte: &&u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b'_';
        let length = rest.iter().skip(1).take_while(is_variable).count();
        rest.first() == Some(&b'$') && length > 0 && rest.get(length + 1).is_none_or(|byte| commands::ends_word(*byte))
    }
}

/// `os.environ[..]`, `process.env.NAME`: where the value is.
fn is_environment(word: &str, is_index: bool) -> bool {
    let is_env = |text: &str| ["env", "environ", "ENV"].iter().any(|known| text.ends_with(known));
    let is_member = || word.rsplit_once('.').is_some_and(|(of, name)| is_env(of) && placeholders::is_variable(name));
    is_index && is_env(word) || is_member()
}

/// Whether a word on the next line is a name of its own: `password:` and below it `user: joe`.
fn is_name(word: &str) -> bool {
    let length = word.bytes().take_while(|byte| Alphabet::Dotted.has(*byte)).count();
    let rest = &word[length..];
    length > 0 && (rest == ":" || rest.strip_prefix('=').is_some_and(|value| !value.trim_matches('=').is_empty()))
}

/// Whether what stands under the name may stay: nothing, a number, a count, a word that says what would stand there.
pub(super) fn is_harmless(name: &str, value: &str) -> bool {
    value.len() <= 512 && value.parse::<f64>().is_ok() || is_kept_text(name, value) || keys::is_status(name, value)
}
