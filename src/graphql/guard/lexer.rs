//! Counts tokens and nesting of a document's text without building anything.

use super::{Limits, within};
use crate::error::Result;

/// Holds the text against the limits of tokens and nesting; stops at the first token beyond.
pub fn check(text: &str, limits: &Limits) -> Result<()> {
    let mut rest = text.as_bytes();
    let (mut tokens, mut nesting) = (0_u64, 0_u64);
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
        rest = &rest[length..];
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
