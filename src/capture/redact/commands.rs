//! Secrets on command lines: options of one letter, which mean a secret only to some programs, and options that are named
//! after one.

use std::ops::Range;

use serde_json::Value;

use super::REDACTED;
use super::alphabet::Alphabet;
use super::cost::spend;
use super::scan::Scanner;

/// How an option of one letter takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// `-pvalue`
    Joined,
    /// `-p value` and `-pvalue`
    Either,
    /// `-u user:value`
    User,
}

/// Programs, and their options that take a secret.
pub(super) const PROGRAMS: &[(&str, &str)] = &[
    ("mysql", "-p"),
    ("mariadb", "-p"),
    ("sshpass", "-p"),
    ("docker login", "-p"),
    ("podman login", "-p"),
    ("helm registry login", "-p"),
    ("mongo", "-p"),
    ("az login", "-p"),
    ("plink", "-pw"),
    ("sqlcmd", "-p"),
    ("bcp", "-p"),
    ("redis-cli", "-a"),
    ("ldapsearch", "-w"),
    ("ldapmodify", "-w"),
    ("curl", "-u"),
    ("wget", "-u"),
    ("httpie", "-a"),
    ("https ", "-a"),
];

/// The options of one letter.
pub(super) const OPTIONS: &[&str] = &["-p", "-pw", "-u", "-a", "-w", "--user", "--proxy-user"];

/// How far behind its program's name an option may stand, in bytes.
const COMMAND_BYTES_MAX: usize = 1_024;

/// Words of options that hold no secret themselves.
const HARMLESS: &[&str] = &["no", "stdin", "ask", "prompt", "without", "file"];

/// Words behind the name of an option in a sentence about it.
const PROSE: &[&str] = &[
    "option",
    "options",
    "flag",
    "flags",
    "argument",
    "parameter",
    "switch",
    "value",
    "is",
    "was",
    "are",
    "and",
    "or",
    "to",
    "for",
    "with",
    "on",
    "if",
    "when",
    "as",
    "in",
    "from",
    "instead",
    "then",
    "must",
    "can",
    "may",
    "should",
    "has",
    "that",
    "which",
];

/// Whether a named option takes a secret as its next word.
pub(super) fn takes_value(option: &str) -> bool {
    !option.split(['-', '_']).any(|word| HARMLESS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Whether the word behind an option only continues a sentence.
pub(super) fn is_prose(word: &str) -> bool {
    PROSE.contains(&word.trim_end_matches(['.', ',', ';', ':']))
}

impl Scanner<'_> {
    /// An option of one letter of the program that was named before it.
    pub(super) fn option(&mut self, option: &str, at: usize) -> Option<Range<usize>> {
        let (program, place) = self.program?;
        let is_free = at > 0 && matches!(self.bytes[at - 1], b' ' | b'\t' | b'\n' | b'"' | b'\'');
        if !is_free || at - place > COMMAND_BYTES_MAX {
            return None;
        }
        let takes = takes(program, option, &self.bytes[at..at + option.len()])?;
        let from = at + option.len();
        // As a shell reads it, and as the items of a list.
        let skipped = self.bytes[from..].iter().take(8).take_while(|byte| b" \t\"',=".contains(byte)).count();
        spend(skipped + 1);
        let value = from + skipped;
        if takes == Takes::Joined && skipped > 0 && !matches!(self.bytes[from], b'"' | b'\'') {
            return None;
        }
        let range = self.bare(value);
        let word = &self.text[range.clone()];
        match takes {
            Takes::User => {
                let (user, secret) = word.split_once(':')?;
                let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                let is_kept = secret.is_empty() || secret == REDACTED || (is_id(user) && is_id(secret));
                (!is_kept).then(|| range.start + user.len() + 1..range.end)
            }
            _ if word.is_empty() || word.starts_with('-') || word == REDACTED || is_prose(word) => None,
            _ => Some(range),
        }
    }
}

/// How the program takes this option; `None` where it means something else. Case of programs does not matter, that of
/// options does, but for those of Windows.
fn takes(program: &str, option: &str, written: &[u8]) -> Option<Takes> {
    let is_long = option.starts_with("--");
    if matches!(program, "curl" | "wget") {
        return (is_long || option == "-u").then_some(Takes::User).filter(|_| written == option.as_bytes());
    }
    let own = PROGRAMS.iter().find(|known| known.0 == program)?.1;
    if own != option || is_long {
        return None;
    }
    match program {
        "mysql" | "mariadb" => (written == b"-p").then_some(Takes::Joined),
        "sqlcmd" | "bcp" => (written == b"-P").then_some(Takes::Either),
        "httpie" | "https " => Some(Takes::User),
        _ => (written == option.as_bytes()).then_some(Takes::Either),
    }
}

/// The words of a command, one an item, without the secrets among them; what changes is written in its place.
pub(super) fn redact_words(words: &mut [Value]) -> bool {
    let mut program = None;
    let mut is_changed = false;
    for at in 0..words.len() {
        let Some(word) = words[at].as_str() else { continue };
        if let Some(known) = PROGRAMS.iter().find(|known| word.rsplit('/').next() == Some(known.0)) {
            program = Some(known.0);
        }
        let Some(program) = program else { continue };
        let known = |option: &&&str| word.starts_with(**option) && takes(program, option, option.as_bytes()).is_some();
        let Some(option) = OPTIONS.iter().filter(known).max_by_key(|option| option.len()) else { continue };
        let takes = takes(program, option, option.as_bytes());
        let joined = &word[option.len()..];
        let (place, head, secret) = match (joined, words.get(at + 1).and_then(Value::as_str)) {
            ("", Some(next)) if takes != Some(Takes::Joined) => (at + 1, "", next),
            ("", _) => continue,
            (joined, _) => (at, *option, joined.trim_start_matches('=')),
        };
        let (user, secret) = match takes {
            Some(Takes::User) => secret.split_once(':').unwrap_or((secret, "")),
            _ => ("", secret),
        };
        if !secret.is_empty() && secret != REDACTED && !secret.starts_with('-') {
            let colon = if takes == Some(Takes::User) { ":" } else { "" };
            words[place] = Value::String(format!("{head}{user}{colon}{REDACTED}"));
            is_changed = true;
        }
    }
    is_changed
}

/// Whether a byte ends a bare word of a shell or of a program.
pub(super) fn ends_word(byte: u8) -> bool {
    Alphabet::Space.has(byte) || b"\"'`\\,;&{}[]()<>".contains(&byte)
}
