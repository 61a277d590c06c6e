//! Secrets on command lines: options of one letter, which mean a secret only to some programs, and options that are named
//! after one.

use std::ops::Range;

use serde_json::Value;

use super::REDACTED;
use super::alphabet::Alphabet;
use super::cost::spend;
use super::placeholders::is_placeholder;
use super::scan::Scanner;

/// How an option takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// `-pvalue`
    Joined,
    /// `-p value` and `-pvalue`
    Either,
    /// `-k value` only
    Word,
    /// `-u user:value`, with this mark between them
    User(char),
    /// `-b name=value`; without the mark it is a file
    Cookie,
}

/// A program whose options hold secrets.
pub(super) struct Program {
    /// What a command of it begins with, in any case.
    pub(super) name: &'static str,
    /// Its options, in this case.
    options: &'static [(&'static str, Takes)],
    /// Options of one letter that take nothing, and may stand before one that does: `-su user:value`.
    flags: &'static str,
}

const fn program(name: &'static str, options: &'static [(&'static str, Takes)]) -> Program {
    Program { name, options, flags: "" }
}

const P: &[(&str, Takes)] = &[("-p", Takes::Either)];
const P_JOINED: &[(&str, Takes)] = &[("-p", Takes::Joined)];
const P_UPPER: &[(&str, Takes)] = &[("-P", Takes::Either)];
const W: &[(&str, Takes)] = &[("-w", Takes::Either)];

pub(super) const PROGRAMS: &[Program] = &[
    program("mysql", P_JOINED),
    program("mariadb", P_JOINED),
    program("sshpass", P),
    program("docker login", P),
    program("podman login", P),
    program("helm registry login", P),
    program("mongo", P),
    program("az login", P),
    program("plink", &[("-pw", Takes::Either)]),
    program("sqlcmd", P_UPPER),
    program("bcp", P_UPPER),
    program("redis-cli", &[("-a", Takes::Either)]),
    program("ldapsearch", W),
    program("ldapmodify", W),
    program("ldapadd", W),
    program("ldapdelete", W),
    program("ldapwhoami", W),
    program("smbclient", &[("-U", Takes::User('%'))]),
    program("lftp", &[("-u", Takes::User(','))]),
    program("zip -", P_UPPER),
    program("unzip -", P_UPPER),
    program("7z ", P_JOINED),
    program("7za ", P_JOINED),
    program("rar ", &[("-p", Takes::Joined), ("-hp", Takes::Joined)]),
    program("openssl", &[("-k", Takes::Word), ("-K", Takes::Word)]),
    Program {
        name: "curl",
        options: &[
            ("-u", Takes::User(':')),
            ("-U", Takes::User(':')),
            ("--user", Takes::User(':')),
            ("--proxy-user", Takes::User(':')),
            ("-b", Takes::Cookie),
        ],
        flags: "sSLkvifgGjnNOqRIJ#0123456",
    },
    program("wget", &[("-u", Takes::User(':')), ("--user", Takes::User(':'))]),
    program("httpie", &[("-a", Takes::User(':'))]),
    program("https ", &[("-a", Takes::User(':'))]),
    Program { name: HTPASSWD, options: &[], flags: "bcnmBsp25dDv" },
];

/// It takes its secret as its last word, where it is told to.
const HTPASSWD: &str = "htpasswd";

/// How far behind its program's name an option may stand, in bytes.
const COMMAND_BYTES_MAX: usize = 1_024;

/// Words of options that hold no secret themselves.
const HARMLESS: &[&str] = &["no", "stdin", "ask", "prompt", "with", "without", "file"];

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
    /// The command of a program: the secrets among its words, as a shell reads them and as the items of a list.
    pub(super) fn command(&mut self, program: &'static Program, at: usize) -> Option<Range<usize>> {
        if at < self.commands_end || !self.begins(at) {
            return None;
        }
        self.has_names = true;
        let name = program.name.trim_end_matches([' ', '-']);
        let mut command = Command::of(program);
        let mut next = at + name.len();
        // What continues the name is part of it: `mysqldump`.
        next = Alphabet::Url.end(self.bytes, next);
        while let Some(word) = self.next_word_of(next, at) {
            next = word.end;
            let text = &self.text[word.clone()];
            if let Some(known) = program_of(&self.text[word.start..]) {
                command = Command::of(known);
                continue;
            }
            let (takes, value) = match command.read(text) {
                Read::Nothing => continue,
                Read::Secret => (Takes::Either, word),
                Read::Joined(takes, length) => (takes, self.value_of(word.start + length)),
                Read::Next(takes) => match self.next_word_of(word.end, at) {
                    Some(following) => (takes, self.value_of(following.start)),
                    None => break,
                },
            };
            next = next.max(value.end);
            if let Some(secret) = secret_of(takes, &self.text[value.clone()]) {
                self.ranges.push(value.start + secret.start..value.start + secret.end);
            }
        }
        self.commands_end = next;
        None
    }

    /// The next word of a command that began at `begin`, without quotation marks; `None` where it ends.
    fn next_word_of(&self, from: usize, begin: usize) -> Option<Range<usize>> {
        let mut at = from;
        loop {
            let byte = *self.bytes.get(at).filter(|_| at - begin < COMMAND_BYTES_MAX)?;
            spend(1);
            match byte {
                b'|' | b';' | b'&' => return None,
                b'\n' if !self.continues(at) => return None,
                _ if Alphabet::Space.has(byte) || b"\"'`,[]()=\\^".contains(&byte) => at += 1,
                _ => break,
            }
        }
        let end = at + self.bytes[at..].iter().take_while(|byte| !ends_word(**byte)).count().max(1);
        spend(end - at);
        self.text.get(at..end).map(|_| at..end)
    }

    /// Whether a command goes on behind the end of a line: behind a backslash, or where another option or item follows.
    fn continues(&self, at: usize) -> bool {
        let before = self.bytes[..at].iter().rev().take(4).find(|byte| !matches!(byte, b' ' | b'\r' | b'\t'));
        let behind = self.bytes[at..].iter().take(64).find(|byte| !Alphabet::Space.has(**byte));
        spend(68);
        matches!(before, Some(b'\\' | b'^' | b'`')) || matches!(behind, Some(b'-' | b'"' | b'\''))
    }

    /// The value that begins here, up to the quotation mark that closes it.
    fn value_of(&self, at: usize) -> Range<usize> {
        let marks = |at: usize| self.bytes[at..].iter().take(8).take_while(|byte| **byte == b'\\').count();
        let is_quote = |at: usize| matches!(self.bytes.get(at), Some(b'"' | b'\''));
        if is_quote(at + marks(at)) {
            return self.quoted(at);
        }
        if at > 0 && is_quote(at - 1) {
            let before = self.bytes[..at - 1].iter().rev().take(8).take_while(|byte| **byte == b'\\').count();
            return self.quoted(at - 1 - before);
        }
        let from = at + usize::from(self.bytes.get(at) == Some(&b'='));
        self.bare(from)
    }
}

/// What a word of a command says.
enum Read {
    Nothing,
    /// The word is a secret itself.
    Secret,
    /// A secret begins at this byte of the word.
    Joined(Takes, usize),
    /// The next word holds a secret.
    Next(Takes),
}

/// A command that is read word for word.
struct Command {
    program: &'static Program,
    /// The words without a dash that were read.
    words: usize,
    /// Of `htpasswd`: how many words stand before the secret, once it is told to take it from there.
    before: Option<usize>,
    is_skipping: bool,
}

impl Command {
    const fn of(program: &'static Program) -> Self {
        Self { program, words: 0, before: None, is_skipping: false }
    }

    fn read(&mut self, word: &str) -> Read {
        if std::mem::take(&mut self.is_skipping) {
            return Read::Nothing;
        }
        if self.program.name == HTPASSWD {
            return self.read_htpasswd(word);
        }
        let Some((takes, length)) = self.option(word) else { return Read::Nothing };
        match takes {
            Takes::Joined => Read::Joined(takes, length),
            Takes::Word if length < word.len() => Read::Nothing,
            _ if length == word.len() => Read::Next(takes),
            _ => Read::Joined(takes, length),
        }
    }

    /// The option that a word is or begins with, and its length, flags before it included.
    fn option(&self, word: &str) -> Option<(Takes, usize)> {
        let known = self.program.options.iter().filter(|option| word.starts_with(option.0));
        if let Some((option, takes)) = known.max_by_key(|option| option.0.len()) {
            let is_whole = !option.starts_with("--") || matches!(word.as_bytes().get(option.len()), None | Some(b'='));
            return is_whole.then_some((*takes, option.len()));
        }
        let letters = word.strip_prefix('-').filter(|_| !self.program.flags.is_empty())?;
        let flags = letters.chars().take_while(|letter| self.program.flags.contains(*letter)).count();
        let option = letters.get(flags..flags + 1)?;
        let takes = self.program.options.iter().find(|known| known.0.len() == 2 && known.0.ends_with(option))?.1;
        Some((takes, flags + 2))
    }

    fn read_htpasswd(&mut self, word: &str) -> Read {
        if let Some(letters) = word.strip_prefix('-') {
            self.is_skipping = letters.ends_with('C');
            if letters.contains('b') {
                self.before = Some(2);
            }
            if letters.contains('n') {
                self.before = self.before.map(|_| 1);
            }
            return Read::Nothing;
        }
        self.words += 1;
        if self.before.is_some_and(|before| self.words == before + 1) { Read::Secret } else { Read::Nothing }
    }
}

/// The program that a word is the beginning of, a path before it or not.
fn program_of(text: &str) -> Option<&'static Program> {
    let length = text.bytes().take(64).take_while(|byte| Alphabet::Dotted.has(*byte) || *byte == b'/').count();
    let from = text[..length].rfind('/').map_or(0, |slash| slash + 1);
    let rest = &text.as_bytes()[from..];
    let begins = |name: &str| rest.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name.as_bytes()));
    spend(length + 1);
    PROGRAMS.iter().find(|program| begins(program.name))
}

/// What of an option's value is secret.
fn secret_of(takes: Takes, value: &str) -> Option<Range<usize>> {
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_kept = |text: &str| text.is_empty() || text.starts_with('$') || is_placeholder(text);
    match takes {
        Takes::User(mark) => {
            let (user, secret) = value.split_once(mark)?;
            let are_ids = is_id(user) && is_id(secret);
            (!is_kept(secret) && !are_ids).then(|| user.len() + 1..value.len())
        }
        Takes::Cookie => (value.contains('=') && value != REDACTED).then_some(0..value.len()),
        Takes::Joined | Takes::Either | Takes::Word => {
            (!is_kept(value) && !value.starts_with('-') && !is_prose(value)).then_some(0..value.len())
        }
    }
}

/// The program that two items of a list name: `docker`, `login`.
fn program_of_two(first: &str, second: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| {
        let words = program.name.split_once(' ').filter(|words| !words.1.is_empty());
        words.is_some_and(|words| words.0.eq_ignore_ascii_case(first) && words.1.eq_ignore_ascii_case(second))
    })
}

/// The program that an item of a list names.
fn program_of_item(item: &str) -> Option<&'static Program> {
    let own = item.rsplit('/').next().filter(|own| own.len() <= 64)?;
    PROGRAMS.iter().find(|program| {
        let name = program.name.trim_end_matches([' ', '-']);
        let begins = own.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
        begins && (own.len() == name.len() || name.len() == program.name.len())
    })
}

/// The words of a command, one an item, without the secrets among them; what changes is written in its place.
pub(super) fn redact_words(words: &mut [Value]) -> bool {
    let mut command: Option<Command> = None;
    let (mut is_changed, mut before, mut last) = (false, None, String::new());
    for word in words {
        let Some(text) = word.as_str() else { continue };
        let found = match before.take() {
            Some(takes) => secret_of(takes, text),
            None => {
                let known = program_of_item(text).or_else(|| program_of_two(&last, text));
                text.clone_into(&mut last);
                if let Some(program) = known {
                    command = Some(Command::of(program));
                    continue;
                }
                match command.as_mut().map_or(Read::Nothing, |command| command.read(text)) {
                    Read::Nothing => None,
                    Read::Secret => secret_of(Takes::Either, text),
                    Read::Joined(takes, length) => {
                        let length = length + usize::from(text.as_bytes().get(length) == Some(&b'='));
                        secret_of(takes, &text[length..]).map(|range| length + range.start..length + range.end)
                    }
                    Read::Next(takes) => {
                        before = Some(takes);
                        None
                    }
                }
            }
        };
        if let Some(range) = found {
            *word = Value::String(format!("{}{REDACTED}{}", &text[..range.start], &text[range.end..]));
            is_changed = true;
        }
    }
    is_changed
}

/// Whether a byte ends a bare word of a shell or of a program.
pub(super) fn ends_word(byte: u8) -> bool {
    Alphabet::Space.has(byte) || b"\"'`\\,;&{}[]()<>".contains(&byte)
}
