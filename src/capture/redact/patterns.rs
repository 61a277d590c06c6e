//! Values that look like secrets or personal data, wherever they stand in a text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::{REDACTED, is_kept_text, is_sensitive_key};

/// Every match is removed whole.
const SECRETS: &[&str] = &[
    // E-mail, also with the @ of URLs.
    r"[\p{L}\p{N}._%+'-]+(?:@|%40)[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?\.[\p{L}]{2,}",
    // Bearer and basic credentials. Shorter words are prose: "bearer of news".
    r"(?i:\bbearer\s+[a-z0-9._~+/=-]*[0-9._~+/=-][a-z0-9._~+/=-]*)",
    r"(?i:\bbearer\s+[a-z]{16,})",
    r"\b(?i:basic)\s+[A-Za-z0-9+/_-]+[A-Z0-9+/=][A-Za-z0-9+/_-]*={0,2}",
    // `sk-` keys of model providers, `sk_live_` and kin of payment providers.
    r"\bsk-[A-Za-z0-9_*.-]{3,}",
    r"\b(?:sk|rk|pk|whsec)_(?:live_|test_)?[A-Za-z0-9]{10,}",
    // Clouds.
    r"\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA)[A-Z0-9]{12,}",
    r"\bAIza[0-9A-Za-z_-]{30,}",
    r"\bya29\.[0-9A-Za-z_-]{10,}",
    r"\bGOCSPX-[0-9A-Za-z_-]{10,}",
    r"(?i:\b(?:AccountKey|SharedAccessKey|sig)=[a-z0-9+/%]{20,}={0,2})",
    // Forges and registries.
    r"\bgh[pousr]_[A-Za-z0-9]{16,}",
    r"\bgithub_pat_[A-Za-z0-9_]{16,}",
    r"\bgl(?:pat|ptt|rt|dt|soat|ft|imt|agent|cbt|oas)-[A-Za-z0-9_.-]{12,}",
    r"\bhf_[A-Za-z0-9]{16,}",
    r"\bnpm_[A-Za-z0-9]{20,}",
    r"\bpypi-[A-Za-z0-9_-]{20,}",
    // Slack.
    r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{6,}",
    r"\bxapp-[A-Za-z0-9-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]+",
    // Our own keys.
    r"\brl_[A-Za-z0-9]+_[A-Za-z0-9_-]{16,}",
    // JWT and JWE.
    r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*",
    // PEM private keys, also with their line ends escaped, also cut off.
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\:,.]*(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)?",
    // User and password of a URL.
    r"://[^/\s:@'\x22]+:[^/\s@'\x22]+@",
    // Runs of digits with at most one separator between two: tested further for card and social security numbers.
    r"[0-9](?:[ -]?[0-9]){8,}",
];

/// Something that every secret above holds, or a name that makes its value one. Much cheaper than the secrets.
const TRIGGERS: &str = r"(?x)
    @ | %40 | sk[-_] | [rp]k_ | whsec | eyJ | A[KSBCGIRN][A-Z][A-Z][A-Z0-9] | AIza | ya29 | GOCSPX | gh[pousr]_ | github_pat
    | gl[a-z]+- | hf_ | npm_ | pypi- | xox | xapp | hooks\.slack | rl_ | -----BEGIN | [0-9](?:[\x20-]?[0-9]){8}
    | (?i: bearer | basic\x20 | passw | pwd | passphrase | passcode | secret | token(?:[^s]|$) | api[_.\x20-]?key | authoriz
         | private[_.\x20-]?key | access[_.\x20-]?key | key= | sig= | credential | creds | ssn | credit | card[_.\x20-]?num | cvv | cvc
         | cookie | jwt | social[_.\x20-]?sec | signing[_.\x20-]?key | encryption[_.\x20-]?key )";

/// `name: value` and `name=value` outside of JSON: quoted, escaped or bare.
const MEMBERS: &str = r#"([A-Za-z0-9_.-]{2,80})\\*["']?\s*[:=]\s*(?:\\*"([^"\\]+)|\\*'([^'\\]+)|((?:\[REDACTED\]|[^\s"'\\,;&{}\[\]()])+))"#;

static TRIGGER: LazyLock<Regex> = LazyLock::new(|| compile(TRIGGERS));
static SECRET: LazyLock<Regex> = LazyLock::new(|| compile(&SECRETS.join("|")));
static MEMBER: LazyLock<Regex> = LazyLock::new(|| compile(MEMBERS));

#[expect(clippy::expect_used, reason = "constant patterns; the tests compile each of them")]
fn compile(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).size_limit(32 << 20).build().expect("a valid pattern")
}

/// Whether the text may hold a secret; most texts do not, and this is what they cost.
pub(super) fn may_match(text: &str) -> bool {
    text.len() >= 6 && TRIGGER.is_match(text)
}

/// The text without secrets, read as plain text.
pub(super) fn replace(text: &str) -> Cow<'_, str> {
    let secrets = secrets(text);
    let text = cut(Cow::Borrowed(text), &secrets);
    let members = members(&text);
    cut(text, &members)
}

fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for found in SECRET.find_iter(text) {
        match found.as_str().as_bytes() {
            [b':', b'/', b'/', ..] => ranges.push(found.start() + 3..found.end() - 1),
            bytes if bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b' ' | b'-')) => {
                numbers(text, found.range(), &mut ranges);
            }
            _ => ranges.push(found.range()),
        }
    }
    ranges
}

/// Card and social security numbers within a run of digits. Digits that continue a word, a UUID or a decimal fraction are
/// none.
fn numbers(text: &str, run: Range<usize>, ranges: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_part = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let continues_fraction = run.start >= 2 && bytes[run.start - 1] == b'.' && bytes[run.start - 2].is_ascii_digit();
    if is_part(run.start.checked_sub(1)) || is_part(Some(run.end)) || continues_fraction {
        return;
    }
    let groups: Vec<Range<usize>> =
        groups(&text[run.clone()]).map(|group| group.start + run.start..group.end + run.start).collect();
    let mut first = 0;
    while first < groups.len() {
        let last = (first..groups.len()).rev().find(|last| {
            let candidate = &text[groups[first].start..groups[*last].end];
            is_card(&digits(candidate)) || is_ssn(candidate)
        });
        match last {
            Some(last) => {
                ranges.push(groups[first].start..groups[last].end);
                first = last + 1;
            }
            None => first += 1,
        }
    }
}

fn groups(run: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    run.split([' ', '-']).map(move |group| {
        let range = at..at + group.len();
        at = range.end + 1;
        range
    })
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// 13 to 19 digits that begin as card numbers do and pass Luhn's test.
pub(super) fn is_card(digits: &str) -> bool {
    let begins_as_card = matches!(digits.as_bytes().first(), Some(b'2'..=b'6'));
    let luhn: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    begins_as_card && (13..=19).contains(&digits.len()) && luhn.is_multiple_of(10)
}

/// `123-45-6789` with parts that are given out.
fn is_ssn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['-', ' ']).collect();
    let [area, group, serial] = parts[..] else { return false };
    let has_form = area.len() == 3 && group.len() == 2 && serial.len() == 4;
    has_form && area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// Values under sensitive names.
fn members(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(captures) = MEMBER.captures_at(text, at) {
        let (Some(whole), Some(key)) = (captures.get(0), captures.get(1)) else { break };
        let value = (2..=4).find_map(|group| captures.get(group));
        let Some(value) = value.filter(|_| is_sensitive_key(key.as_str())) else {
            // The value of a harmless name may itself be a sensitive one: "error: password=...".
            at = key.end().max(at + 1);
            continue;
        };
        at = whole.end();
        let is_harmless = matches!(value.as_str(), "null" | "None" | "none" | "undefined")
            || value.as_str().parse::<f64>().is_ok()
            || is_kept_text(key.as_str(), value.as_str());
        if !is_harmless {
            let end = if is_header(key.as_str()) { end_of_header(text, value.end()) } else { value.end() };
            ranges.push(value.start()..end);
            at = end;
        }
    }
    ranges
}

/// Headers hold several words: `Authorization: Token abc`.
fn is_header(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("authorization") || key.contains("cookie")
}

fn end_of_header(text: &str, from: usize) -> usize {
    text[from..].find(['\r', '\n', '"', '\'', '\\', '}']).map_or(text.len(), |length| from + length)
}

fn cut<'a>(text: Cow<'a, str>, ranges: &[Range<usize>]) -> Cow<'a, str> {
    if ranges.is_empty() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        out.push_str(&text[at..range.start]);
        out.push_str(REDACTED);
        at = range.end;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}
