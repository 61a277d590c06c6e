//! Text behind an encoding: percent signs, the escapes of JSON, base64. Each is decoded once and judged as the text that
//! it is; what is found is removed where it stands in the text as it was written.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::alphabet::Alphabet;
use super::cost::spend;

/// Reads what is encoded at the beginning of the bytes: what it stands for, if for anything, and its length.
type Escape = fn(&[u8]) -> Option<(Option<char>, usize)>;

/// Encodings that are read in one go.
#[derive(Clone, Copy)]
pub(super) struct Code {
    /// What each begins with.
    marks: &'static [u8],
    escape: Escape,
}

/// What the web writes: percent signs, and the entities of HTML.
pub(super) const WEB: Code = Code { marks: b"%&", escape: of_web };

/// Characters by their number, colours of terminals, and characters that only look like others.
pub(super) const CHARACTERS: Code = Code { marks: MARKS, escape: of_characters };

/// The same, and the ends of lines and quotation marks in strings: no word begins by them that did not before.
pub(super) const STRINGS: Code = Code { marks: MARKS, escape: of_strings };

const MARKS: &[u8] = &[b'\\', ESCAPE, 0xC2, 0xE2, 0xEF];

/// Begins what terminals take for colours.
const ESCAPE: u8 = 0x1B;

/// The longest sequence that a terminal takes, in bytes.
const SEQUENCE_BYTES_MAX: usize = 64;

/// Entities of HTML, by what stands between `&` and `;`.
const ENTITIES: &[(&str, char)] = &[
    ("quot", '"'),
    ("apos", '\''),
    ("lt", '<'),
    ("gt", '>'),
    ("amp", '&'),
    ("nbsp", ' '),
    ("colon", ':'),
    ("equals", '='),
];

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::RequireNone)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The shortest base64 that is looked into: 12 bytes.
const BASE64_MIN: usize = 16;

fn of_web(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    match bytes.first()? {
        b'%' => percent(bytes),
        _ => entity(bytes),
    }
}

/// `%3D`; only of ASCII: the beginnings of other characters hide nothing.
fn percent(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let [b'%', high, low, ..] = bytes else { return None };
    let byte = hex(*high)? << 4 | hex(*low)?;
    (byte < 0x80 && byte != 0).then_some((Some(char::from(byte)), 3))
}

/// `&quot;`, `&#34;`, `&#x22;`; of numbers only ASCII.
fn entity(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let window = &bytes[1..bytes.len().min(10)];
    let length = window.iter().position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&window[..length]).ok()?;
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        },
        None => None,
    };
    let character = match number {
        Some(number) => Some(char::from(number)).filter(|_| (0x20..0x7F).contains(&number)),
        None => ENTITIES.iter().find(|entity| entity.0 == name).map(|entity| entity.1),
    };
    Some((Some(character?), length + 2))
}

fn of_strings(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    match bytes {
        [b'\\', b'n', ..] => Some((Some('\n'), 2)),
        [b'\\', b'r', ..] => Some((Some('\r'), 2)),
        [0xE2, 0x80, 0x9C | 0x9D, ..] => Some((Some('"'), 3)),
        [b'\\', b't', ..] => Some((Some('\t'), 2)),
        [b'\\', mark @ (b'"' | b'\'' | b'/' | b'\\'), ..] => Some((Some(char::from(*mark)), 2)),
        _ => of_characters(bytes),
    }
}

fn of_characters(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    match bytes.first()? {
        b'\\' => by_number(bytes),
        &ESCAPE => terminal(bytes),
        _ => unusual(bytes),
    }
}

/// `\u0061` and `\x61`.
fn by_number(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let digits = match bytes {
        [b'\\', b'u', digits @ ..] => digits.get(..4)?,
        [b'\\', b'x', digits @ ..] => digits.get(..2)?,
        _ => return None,
    };
    let code = digits.iter().try_fold(0, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)))?;
    let is_text = code >= 0x20 || code == u32::from(ESCAPE);
    Some((Some(char::from_u32(code).filter(|_| is_text)?), digits.len() + 2))
}

/// What a terminal takes for a colour, a place or a link, and does not show.
fn terminal(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let window = &bytes[..bytes.len().min(SEQUENCE_BYTES_MAX)];
    let length = match window.get(1)? {
        b'[' => {
            let end = 2 + window[2..].iter().position(|byte| !matches!(byte, 0x20..=0x3F))?;
            matches!(window[end], 0x40..=0x7E).then_some(end + 1)?
        }
        b']' => window.iter().position(|byte| *byte == 7)? + 1,
        // What names a set of characters is one of ASCII: nothing is cut in half.
        b'(' | b')' => window.get(2).filter(|byte| byte.is_ascii()).map(|_| 3)?,
        _ => return None,
    };
    Some((None, length))
}

/// Characters that look like those of ASCII, and those that nobody sees.
fn unusual(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    match bytes {
        // Spaces that do not break, and that are narrow; a hyphen that does not show.
        [0xC2, 0xA0, ..] => Some((Some(' '), 2)),
        [0xC2, 0xAD, ..] => Some((None, 2)),
        [0xE2, 0x80, 0x80..=0x8A | 0xAF, ..] => Some((Some(' '), 3)),
        // Of no width, and those that turn the direction.
        [0xE2, 0x80, 0x8B..=0x8F | 0xAA..=0xAE, ..]
        | [0xE2, 0x81, 0xA0..=0xA4 | 0xA6..=0xA9, ..]
        | [0xEF, 0xBB, 0xBF, ..] => Some((None, 3)),
        // Of full width.
        [0xEF, 0xBC, low @ 0x81..=0xBF, ..] => Some((Some(char::from(low - 0x60)), 3)),
        [0xEF, 0xBD, low @ 0x80..=0x9E, ..] => Some((Some(char::from(low - 0x20)), 3)),
        _ => None,
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The name as a reader sees it, where it is written in other characters.
pub(super) fn visible(name: &str) -> Option<String> {
    let is_plain = name.is_ascii() && !name.as_bytes().contains(&ESCAPE);
    if is_plain { None } else { decoded(name, CHARACTERS) }
}

/// The text with what is encoded read; `None` where nothing is.
pub(super) fn decoded(text: &str, code: Code) -> Option<String> {
    let bytes = text.as_bytes();
    spend(bytes.len());
    let is_ascii = text.is_ascii();
    let is_there = |mark: &&u8| (mark.is_ascii() || !is_ascii) && bytes.contains(mark);
    // Looked for one by one, and fast: most texts hold none of them, and most others only one.
    let there: Vec<u8> = code.marks.iter().filter(is_there).copied().collect();
    let only = match there[..] {
        [] => return None,
        [mark] if mark.is_ascii() => Some(char::from(mark)),
        _ => None,
    };
    let is_mark = marks(there.iter());
    let next_mark = |at: usize| match only {
        Some(mark) => text[at..].find(mark),
        None => bytes[at..].iter().position(|byte| is_mark[usize::from(*byte)]),
    };
    let mut out: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(next) = next_mark(at) {
        at += next;
        match (code.escape)(&bytes[at..]) {
            Some((character, length)) => {
                let out = out.get_or_insert_with(|| String::with_capacity(bytes.len()));
                out.push_str(&text[copied..at]);
                out.extend(character);
                at += length;
                copied = at;
            }
            None => at += 1,
        }
    }
    out.map(|mut out| {
        out.push_str(&text[copied..]);
        out
    })
}

fn marks<'m>(marks: impl Iterator<Item = &'m u8>) -> [bool; 256] {
    let mut table = [false; 256];
    marks.for_each(|mark| table[usize::from(*mark)] = true);
    table
}

/// Where ranges of the decoded text, sorted and apart, stand in the text.
pub(super) fn placed(text: &str, code: Code, ranges: &mut [Range<usize>]) {
    let bytes = text.as_bytes();
    spend(bytes.len());
    let is_mark = marks(code.marks.iter());
    let mut bounds = ranges.iter_mut().flat_map(|range| [&mut range.start, &mut range.end]).peekable();
    // `at` in the text is `place` in the decoded one.
    let (mut at, mut place) = (0, 0);
    while bounds.peek().is_some() {
        let plain = bytes[at..].iter().position(|byte| is_mark[usize::from(*byte)]).unwrap_or(bytes.len() - at);
        while let Some(bound) = bounds.next_if(|bound| **bound <= place + plain) {
            *bound = at + (*bound - place);
        }
        (at, place) = (at + plain, place + plain);
        match bytes.get(at..).and_then(code.escape) {
            Some((character, length)) => (at, place) = (at + length, place + character.map_or(0, char::len_utf8)),
            None if at >= bytes.len() => break,
            None => (at, place) = (at + 1, place + 1),
        }
    }
}

/// Runs of base64 that are text, each with the text.
pub(super) fn base64_texts(text: &str) -> impl Iterator<Item = (Range<usize>, String)> + '_ {
    let bytes = text.as_bytes();
    let mut floor = 0;
    std::iter::from_fn(move || {
        while floor + BASE64_MIN <= bytes.len() {
            // Every run of that length has a byte at this place, and most runs are shorter.
            let inside = floor + BASE64_MIN - 1;
            spend(1);
            if !Alphabet::Base64.has(bytes[inside]) {
                floor = inside + 1;
                continue;
            }
            let start = Alphabet::Base64.start(bytes, floor, inside);
            let end = Alphabet::Base64.end(bytes, inside);
            floor = end;
            if end - start >= BASE64_MIN
                && let Some(inner) = base64_text(&bytes[start..end])
            {
                let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
                return Some((start..end + padding, inner));
            }
        }
        None
    })
}

/// What base64 without its padding stands for, where that is text.
fn base64_text(run: &[u8]) -> Option<String> {
    let engine = if run.iter().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    let mut head = [0; BASE64_MIN / 4 * 3];
    engine.decode_slice(&run[..BASE64_MIN], &mut head).ok()?;
    // Of words and of pictures the first bytes show already that they are no text.
    if head.iter().any(|byte| *byte < 0x20 && !matches!(*byte, b'\n' | b'\r' | b'\t' | ESCAPE) || *byte == 0x7F) {
        return None;
    }
    // One cut off has a last character that stands for nothing.
    let whole = if run.len() % 4 == 1 { run.len() - 1 } else { run.len() };
    spend(whole);
    let mut bytes = engine.decode(&run[..whole]).ok()?;
    if let Err(error) = std::str::from_utf8(&bytes) {
        // Cut off within a character.
        let valid = error.valid_up_to();
        if error.error_len().is_some() || bytes.len() - valid > 3 {
            return None;
        }
        bytes.truncate(valid);
    }
    String::from_utf8(bytes).ok()
}

/// The key of a bot of Discord: base64 of its number, and two more runs behind full stops.
pub(super) fn bot_of_discord(text: &str, range: &Range<usize>, number: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if !(17..=20).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| {
        (bytes.get(at) == Some(&b'.')).then(|| Alphabet::Url.end(&bytes[..bytes.len().min(at + 80)], at + 1))
    };
    let middle = part(range.end)?;
    let end = part(middle)?;
    (middle - range.end == 7 && end - middle > 26).then_some(range.start..end)
}
