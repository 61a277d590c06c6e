//! Finds what is to be removed from plain text, in one pass. One automaton finds every place where a secret may begin: the
//! prefixes of the issuers, words of names, `@`, `://` and so on. Each place is judged by a scanner that reads forward, and
//! backward only as far as nothing was read before; runs of bytes that many places share are measured once. So the work is
//! in proportion to the text, whatever the text.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

use super::alphabet::{ALPHABETS, Alphabet};
use super::commands::{self, Program};
use super::cost::spend;
use super::forms::{self, Form};
use super::issuers::{self, Issuer, Needs, Part};
use super::{decode, marks, numbers};

/// How often text may be encoded in encoded text, and still be looked into.
pub(super) const DECODINGS: u32 = 3;

/// What begins where the automaton has found something.
#[derive(Clone, Copy)]
enum Anchor {
    Key(&'static Issuer),
    /// A word of which names of secrets are made.
    Name,
    Mail,
    Url,
    Pem,
    Jwt,
    /// `Bearer`, `Basic`.
    Scheme,
    /// A program whose options hold secrets.
    Program(&'static Program),
    /// A form of its own.
    Form(Form),
}

/// Words of which names of secrets are made; each name of [`super::keys`] holds one.
pub(super) const STEMS: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "bearer",
    "cred",
    "ssn",
    "social",
    "card",
    "cvv",
    "cvc",
    "cookie",
    "jwt",
    "conn",
    "assword",
    "signature",
];

static ANCHORS: LazyLock<Vec<(&'static str, Anchor)>> = LazyLock::new(|| {
    let keys = issuers::all().map(|issuer| (issuer.prefix, Anchor::Key(issuer)));
    let names = STEMS.iter().map(|stem| (*stem, Anchor::Name));
    let programs = commands::PROGRAMS.iter().map(|program| (program.name, Anchor::Program(program)));
    let forms = forms::FORMS.iter().map(|(word, form)| (*word, Anchor::Form(*form)));
    let others = [
        ("@", Anchor::Mail),
        ("//", Anchor::Url),
        ("sig=", Anchor::Name),
        ("-----BEGIN ", Anchor::Pem),
        ("eyJ", Anchor::Jwt),
        ("bearer", Anchor::Scheme),
        ("basic", Anchor::Scheme),
    ];
    keys.chain(names).chain(programs).chain(forms).chain(others).collect()
});

#[expect(clippy::expect_used, reason = "constant words; the tests use it")]
static AUTOMATON: LazyLock<DFA> = LazyLock::new(|| {
    DFA::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .start_kind(StartKind::Unanchored)
        .prefilter(false)
        .build(ANCHORS.iter().map(|anchor| anchor.0))
        .expect("words")
});

/// A text that is being read.
pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    /// Up to here everything is found: what begins before it is within something that is removed.
    pub(super) done: usize,
    /// Up to here names were read.
    pub(super) names_end: usize,
    /// Up to here mail addresses were read.
    pub(super) mails_end: usize,
    /// Up to here commands were read.
    pub(super) commands_end: usize,
    /// Up to here text was read backward, for what stands before its name.
    pub(super) backward_end: usize,
    /// The line that was tried last as the head of a table.
    pub(super) head: Range<usize>,
    runs: [Range<usize>; ALPHABETS],
    pub(super) ranges: Vec<Range<usize>>,
    /// A value may hide behind the structure of JSON: there are names of secrets, or escapes.
    is_suspicious: bool,
    /// There are names of secrets, with a value or without.
    pub(super) has_names: bool,
    /// There are backslashes.
    pub(super) has_escapes: bool,
}

/// What was found.
pub(super) struct Found {
    /// What is to be removed; sorted and apart.
    pub(super) ranges: Vec<Range<usize>>,
    is_suspicious: bool,
    has_names: bool,
}

impl Found {
    /// Whether JSON is worth to be read as JSON.
    pub(super) fn is_worth_reading(&self) -> bool {
        self.is_suspicious || !self.ranges.is_empty()
    }

    /// What is to be removed from a text as it is written.
    pub(super) fn in_text(text: &str) -> Self {
        spend(text.len());
        let mut found = Self { ranges: Vec::new(), is_suspicious: false, has_names: false };
        // Most texts hold no beginning of a secret at all.
        if let Some(first) = Place::first(text.as_bytes()) {
            let mut scanner = Scanner::new(text);
            scanner.read(first);
            found.is_suspicious = scanner.is_suspicious || scanner.has_escapes;
            found.has_names = scanner.has_names;
            found.ranges = scanner.ranges;
        }
        numbers::find(text, &mut found.ranges);
        if !found.ranges.is_empty() {
            merge(&mut found.ranges);
        }
        found
    }

    /// Adds what stands in base64, behind percent signs and escapes; the text is decoded `left` times at most.
    pub(super) fn with_encodings(mut self, text: &str, left: u32) -> Self {
        let Some(left) = left.checked_sub(1) else { return self };
        let mut found: Vec<Range<usize>> = decode::base64_texts(text)
            .filter_map(|(range, inner)| match decode::bot_of_discord(text, &range, &inner) {
                None => (super::redact_within(&inner, left) != inner).then_some(range),
                bot => bot,
            })
            .collect();
        // Ends of lines and quotation marks only make places for the values of names that are there.
        for code in [decode::WEB, if self.has_names { decode::STRINGS } else { decode::CHARACTERS }] {
            if let Some(inner) = decode::decoded(text, code) {
                let mut within = find(&inner, left).ranges;
                decode::placed(text, code, &mut within);
                found.append(&mut within);
            }
        }
        if !found.is_empty() {
            self.ranges.append(&mut found);
            merge(&mut self.ranges);
        }
        self
    }
}

/// Everything that is to be removed from a text, which is decoded `left` times at most.
pub(super) fn find(text: &str, left: u32) -> Found {
    Found::in_text(text).with_encodings(text, left)
}

/// Where the automaton has found something: its state, and the byte behind.
#[derive(Clone, Copy)]
struct Place {
    state: StateID,
    end: usize,
}

impl Place {
    /// The first place of a text.
    fn first(bytes: &[u8]) -> Option<Self> {
        let state = AUTOMATON.start_state(Anchored::No).ok()?;
        Self { state, end: 0 }.next(&AUTOMATON, bytes)
    }

    /// The next place.
    fn next(self, automaton: &DFA, bytes: &[u8]) -> Option<Self> {
        let mut state = self.state;
        for (at, byte) in bytes.iter().enumerate().skip(self.end) {
            state = automaton.next_state(Anchored::No, state, *byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                return Some(Self { state, end: at + 1 });
            }
        }
        None
    }
}

/// Sorts ranges, and makes one of those that touch.
fn merge(ranges: &mut Vec<Range<usize>>) {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    ranges.dedup_by(|next, before| {
        let touches = next.start <= before.end;
        if touches {
            before.end = before.end.max(next.end);
        }
        touches
    });
}

/// Whether the byte before is the letter of an escape: `\n` in text that was written as a string is the end of a line, and
/// what follows it begins a word.
pub(super) fn follows_escape(bytes: &[u8], at: usize) -> bool {
    at >= 2 && bytes[at - 2] == b'\\' && matches!(bytes[at - 1], b'n' | b'r' | b't' | b'b' | b'f')
}

impl<'t> Scanner<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            done: 0,
            names_end: 0,
            mails_end: 0,
            commands_end: 0,
            backward_end: 0,
            head: 0..0,
            runs: std::array::from_fn(|_| 0..0),
            ranges: Vec::new(),
            is_suspicious: false,
            has_names: false,
            has_escapes: text.as_bytes().contains(&b'\\'),
        }
    }

    /// Judges every place that the automaton finds, in order of where their words end.
    fn read(&mut self, first: Place) {
        let (automaton, anchors) = (&*AUTOMATON, &*ANCHORS);
        let mut next = Some(first);
        while let Some(place) = next {
            for found in 0..automaton.match_len(place.state) {
                let (word, anchor) = anchors[automaton.match_pattern(place.state, found).as_usize()];
                self.judge((word, anchor), place.end - word.len());
            }
            next = place.next(automaton, self.bytes);
        }
    }

    fn judge(&mut self, (word, anchor): (&'static str, Anchor), at: usize) {
        let found = match anchor {
            // Names are judged by where they end, and may begin before what is done.
            Anchor::Name => self.name(at),
            _ if at < self.done => None,
            Anchor::Key(issuer) => self.key(issuer, at),
            Anchor::Mail => self.mail(at),
            Anchor::Url => self.url(at),
            Anchor::Pem => self.pem(at),
            Anchor::Jwt => self.jwt(at),
            Anchor::Scheme => self.scheme(word, at),
            Anchor::Program(program) => self.command(program, at),
            Anchor::Form(form) => self.form(form, word, at),
        };
        if let Some(range) = found {
            self.done = self.done.max(range.end);
            self.ranges.push(range);
        }
    }

    /// The end of the run of an alphabet that `at` stands in, measured once for all that stand in it.
    pub(super) fn run_end(&mut self, alphabet: Alphabet, at: usize) -> usize {
        let run = &mut self.runs[alphabet as usize];
        if !run.contains(&at) {
            *run = at..alphabet.end(self.bytes, at);
        }
        run.end
    }

    /// Whether a word may begin here.
    pub(super) fn begins(&self, at: usize) -> bool {
        at == 0 || !Alphabet::Word.has(self.bytes[at - 1]) || follows_escape(self.bytes, at)
    }

    /// A name was seen whose value is to be removed.
    pub(super) fn suspect(&mut self) {
        self.is_suspicious = true;
    }

    fn key(&mut self, issuer: &Issuer, at: usize) -> Option<Range<usize>> {
        let body = at + issuer.prefix.len();
        if &self.bytes[at..body] != issuer.prefix.as_bytes() {
            return None;
        }
        let start = match issuer.before {
            Some((alphabet, min, max)) => {
                let mut start = alphabet.start(self.bytes, at.saturating_sub(max + 1), at);
                if start > 0 && self.bytes[start - 1] == b'\\' && follows_escape(self.bytes, start + 1) {
                    start += 1;
                }
                Some(start).filter(|start| (min..=max).contains(&(at - start)))?
            }
            None => at,
        };
        if !self.begins(start) {
            return None;
        }
        let mut end = body;
        for (place, part) in issuer.body.iter().enumerate() {
            end = self.part(*part, end, place + 1 == issuer.body.len())?;
        }
        let key = &self.bytes[body..end];
        let is_key = match issuer.needs {
            Needs::Nothing => true,
            Needs::Digit => {
                spend(key.len().min(DIGIT_WITHIN));
                key.iter().take(DIGIT_WITHIN).any(u8::is_ascii_digit)
            }
            Needs::NoneOf(words) => !words.iter().any(|word| key == word.as_bytes()),
        };
        is_key.then_some(start..end)
    }

    fn part(&mut self, part: Part, at: usize, is_last: bool) -> Option<usize> {
        match part {
            Part::Is(text) => self.bytes[at..].starts_with(text.as_bytes()).then_some(at + text.len()),
            Part::Run(alphabet, min, max) => {
                let end = if is_last && max == usize::MAX {
                    self.run_end(alphabet, at)
                } else {
                    let within = &self.bytes[..self.bytes.len().min(at.saturating_add(max).saturating_add(1))];
                    alphabet.end(within, at)
                };
                (min..=max).contains(&(end - at)).then_some(end)
            }
        }
    }

    fn jwt(&mut self, at: usize) -> Option<Range<usize>> {
        if &self.bytes[at..at + 3] != b"eyJ" || !self.begins(at) {
            return None;
        }
        let head = self.run_end(Alphabet::Url, at);
        let has_body = self.bytes.get(head) == Some(&b'.')
            && self.bytes.get(head + 1).is_some_and(|byte| Alphabet::Url.has(*byte));
        (head - at >= 8 && has_body).then(|| at..self.run_end(Alphabet::Dotted, head))
    }

    /// `Bearer abc`, `Basic dXNlcjpwYXNz`; shorter words are prose: "bearer of news", "basic research".
    fn scheme(&mut self, word: &str, at: usize) -> Option<Range<usize>> {
        if !self.begins(at) {
            return None;
        }
        let from = at + word.len();
        let value = Alphabet::Space.end(self.bytes, from);
        let end = self.run_end(Alphabet::Credential, value);
        let credential = &self.bytes[value..end];
        if value == from || credential.is_empty() {
            return None;
        }
        let first = &credential[..credential.len().min(DIGIT_WITHIN)];
        spend(first.len());
        let is_credential = if word == "basic" {
            first.iter().skip(1).any(|byte| !byte.is_ascii_lowercase() && !matches!(byte, b'.' | b'-' | b'_'))
        } else {
            credential.len() >= 16 || first.iter().any(|byte| !byte.is_ascii_alphabetic())
        };
        // A full stop behind a word is prose too.
        let is_prose = marks::is_prose(credential);
        (is_credential && !is_prose).then_some(at..end)
    }
}

/// Where a digit is looked for in a key.
const DIGIT_WITHIN: usize = 128;
