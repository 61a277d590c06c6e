//! Counts tokens and nesting of a document's text without building anything, and refuses what the parser would lose:
//! input objects that name a field twice.

use std::collections::HashSet;

use super::{Limits, within};
use crate::error::{Code, Error, Result};

/// What brackets enclose.
enum Enclosed<'t> {
    /// Arguments or variable definitions.
    Arguments,
    /// An object within these, with the names of its fields so far.
    Object(HashSet<&'t [u8]>),
    /// Selections, a list.
    Other,
}

/// Holds the text against the limits of tokens and nesting; stops at the first token beyond.
pub fn check(text: &str, limits: &Limits) -> Result<()> {
    let mut rest = text.as_bytes();
    let (mut tokens, mut nesting) = (0_u64, 0_u64);
    let mut open: Vec<Enclosed<'_>> = Vec::new();
    let mut latest: &[u8] = b"";
    while let Some(&byte) = rest.first() {
        let length = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                rest = &rest[1..];
                continue;
            }
            b'#' => {
                rest = &rest[rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count()..];
                continue;
            }
            b'"' => string(rest),
            b'.' => rest.iter().take(3).take_while(|byte| **byte == b'.').count(),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => word(rest, |byte| byte == b'_' || byte.is_ascii_alphanumeric()),
            b'-' | b'0'..=b'9' => word(rest, |byte| matches!(byte, b'+' | b'-' | b'.') || byte.is_ascii_alphanumeric()),
            // A byte that starts no token: for the parser to refuse. A byte order mark is one such.
            _ => 1,
        };
        match byte {
            b'{' | b'[' | b'(' => nesting += 1,
            b'}' | b']' | b')' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        tokens += 1;
        within("tokens", tokens, limits.tokens)?;
        within("nested brackets", nesting, limits.nesting)?;
        check_fields(&mut open, byte, latest)?;
        latest = &rest[..length];
        rest = &rest[length..];
    }
    Ok(())
}

/// Follows the brackets, and refuses a name that stands before a colon twice in one input object.
fn check_fields<'t>(open: &mut Vec<Enclosed<'t>>, byte: u8, latest: &'t [u8]) -> Result<()> {
    match byte {
        b'(' => open.push(Enclosed::Arguments),
        // Arguments hold no selections: a brace within them is an object.
        b'{' if open.iter().any(|enclosed| matches!(enclosed, Enclosed::Arguments)) => {
            open.push(Enclosed::Object(HashSet::new()));
        }
        b'{' | b'[' => open.push(Enclosed::Other),
        b'}' | b']' | b')' => drop(open.pop()),
        b':' => {
            if let Some(Enclosed::Object(names)) = open.last_mut()
                && !names.insert(latest)
            {
                let message = format!("an input object names the field {} twice", String::from_utf8_lossy(latest));
                return Err(Error::new(Code::GraphqlValidationFailed, message));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Length of the word at the start.
fn word(text: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    text.iter().skip(1).take_while(|byte| is_part(**byte)).count() + 1
}

/// Length of the string at the start, quotes included; to the end of the text where it is not closed.
fn string(text: &[u8]) -> usize {
    if text.starts_with(b"\"\"\"") {
        let mut at = 3;
        while at < text.len() {
            match &text[at..] {
                rest if rest.starts_with(b"\\\"\"\"") => at += 4,
                rest if rest.starts_with(b"\"\"\"") => return at + 3,
                _ => at += 1,
            }
        }
        return text.len();
    }
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            // A plain string cannot go over a line's end: the parser refuses it, and counting goes on behind it.
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    text.len()
}
