//! Text behind an encoding: percent signs, the escapes of JSON, base64. Each is decoded once and judged as the text that
//! it is; what is found is removed where it stands in the text as it was written.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::alphabet::Alphabet;
use super::cost::spend;

/// Reads an escape at the beginning of the bytes: what it stands for, and its length.
pub(super) type Escape = fn(&[u8]) -> Option<(char, usize)>;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::RequireNone)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The shortest base64 that is looked into: 12 bytes.
const BASE64_MIN: usize = 16;

/// `%3D`; only of ASCII: the beginnings of other characters hide nothing.
pub(super) fn percent(bytes: &[u8]) -> Option<(char, usize)> {
    let [b'%', high, low, ..] = bytes else { return None };
    let byte = hex(*high)? << 4 | hex(*low)?;
    (byte < 0x80 && byte != 0).then_some((char::from(byte), 3))
}

/// `\u0061` and `\x61`.
pub(super) fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let digits = match bytes {
        [b'\\', b'u', digits @ ..] => digits.get(..4)?,
        [b'\\', b'x', digits @ ..] => digits.get(..2)?,
        _ => return None,
    };
    let code = digits.iter().try_fold(0, |code, digit| Some(code << 4 | u32::from(hex(*digit)?)))?;
    let is_text = code >= 0x20;
    Some((char::from_u32(code).filter(|_| is_text)?, digits.len() + 2))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The text with its escapes read; `None` where it has none.
pub(super) fn decoded(text: &str, mark: u8, escape: Escape) -> Option<String> {
    let bytes = text.as_bytes();
    spend(bytes.len());
    if !bytes.contains(&mark) {
        return None;
    }
    let mut out: Option<String> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == mark) {
        at += next;
        match escape(&bytes[at..]) {
            Some((character, length)) => {
                let out = out.get_or_insert_with(|| String::with_capacity(bytes.len()));
                out.push_str(&text[copied..at]);
                out.push(character);
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

/// Where ranges of the decoded text, sorted and apart, stand in the text.
pub(super) fn placed(text: &str, mark: u8, escape: Escape, ranges: &mut [Range<usize>]) {
    let bytes = text.as_bytes();
    spend(bytes.len());
    let mut bounds = ranges.iter_mut().flat_map(|range| [&mut range.start, &mut range.end]).peekable();
    // `at` in the text is `place` in the decoded one.
    let (mut at, mut place) = (0, 0);
    while bounds.peek().is_some() {
        let plain = bytes[at..].iter().position(|byte| *byte == mark).unwrap_or(bytes.len() - at);
        while let Some(bound) = bounds.next_if(|bound| **bound <= place + plain) {
            *bound = at + (*bound - place);
        }
        (at, place) = (at + plain, place + plain);
        match bytes.get(at..).and_then(escape) {
            Some((character, length)) => (at, place) = (at + length, place + character.len_utf8()),
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
    if head.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t') || *byte == 0x7F) {
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
