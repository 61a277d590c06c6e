//! RFC 8785 text of the values of flat objects. A general canonicaliser takes many times as long (`cargo bench --bench capture`
//! measures both); the tests hold the two equal.

use crate::domain::ids::{Digest, RecordId};
use crate::domain::record::Datum;
use crate::domain::time::{MICROS_PER_SECOND, Timestamp};

/// Appends a value; nothing for null, whose member is left out.
pub(super) fn write(out: &mut Vec<u8>, value: Datum<'_>) {
    match value {
        Datum::Null => {}
        Datum::Text(value) => text(out, value),
        Datum::Number(value) => number(out, value),
        Datum::Flag(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Datum::Digest(value) => digest(out, value),
        Datum::Instant(value) => instant(out, value),
        Datum::Texts(values) => texts(out, values),
    }
}

pub(super) fn text(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut plain = 0;
    // Nearly every text is plain, and looking at all of it without a branch is what compilers make fast.
    if bytes.iter().fold(false, |found, byte| found | is_escaped(*byte)) {
        for (at, byte) in bytes.iter().copied().enumerate().filter(|(_, byte)| is_escaped(*byte)) {
            out.extend_from_slice(&bytes[plain..at]);
            escape(byte, out);
            plain = at + 1;
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

const fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            hex(&[byte], out);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn texts(out: &mut Vec<u8>, values: &[String]) {
    out.push(b'[');
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        text(out, value);
    }
    out.push(b']');
}

/// As a string: a JSON number beyond 2^53 would lose digits in most readers.
fn number(out: &mut Vec<u8>, value: i64) {
    out.push(b'"');
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.push(b'"');
}

/// The last decimal digit of a number.
fn digit(number: u64) -> u8 {
    b"0123456789"[(number % 10) as usize]
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    for (pair, byte) in out[start..].chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

fn digest(out: &mut Vec<u8>, value: Digest) {
    out.push(b'"');
    hex(&value.0, out);
    out.push(b'"');
}

pub(super) fn id(out: &mut Vec<u8>, value: RecordId) {
    let mut buffer = uuid::Uuid::encode_buffer();
    text(out, value.0.as_hyphenated().encode_lower(&mut buffer));
}

/// As [`Timestamp::to_rfc3339`] writes it.
fn instant(out: &mut Vec<u8>, value: Timestamp) {
    let seconds = value.as_micros().div_euclid(MICROS_PER_SECOND);
    let micros = value.as_micros().rem_euclid(MICROS_PER_SECOND).unsigned_abs();
    let second = seconds.rem_euclid(86_400).unsigned_abs();
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    let fields = [(year, 1..5), (month, 6..8), (day, 9..11), (second / 3600, 12..14), (second / 60 % 60, 15..17)];
    for (number, place) in fields.into_iter().chain([(second % 60, 18..20), (micros, 21..27)]) {
        let mut rest = number;
        for at in place.rev() {
            text[at] = digit(rest);
            rest /= 10;
        }
    }
    out.extend_from_slice(&text);
}

/// Year, month and day of the proleptic Gregorian calendar, from days since 1970-01-01. Counts in years that begin on the
/// first of March, so that the leap day is the last of its year.
fn civil(days: i64) -> (u64, u64, u64) {
    // Days since 0000-03-01; every instant that there is lies after it.
    let days = days.saturating_add(719_468).unsigned_abs();
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}
