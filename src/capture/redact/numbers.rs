//! Card and social security numbers within runs of digits.

use std::ops::Range;

use super::alphabet::Alphabet;
use super::cost::spend;

/// The fewest digits that are looked at.
const DIGITS_MIN: usize = 9;
/// The digits of a card number.
const CARD: Range<usize> = 13..20;

/// Every card and social security number of the text.
pub(super) fn find(text: &str, ranges: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut floor = 0;
    // A run has no two bytes in a row that are no digits, so one pair in nine tells whether there is one.
    while floor + DIGITS_MIN <= bytes.len() {
        spend(2);
        let Some(inside) = [floor + 7, floor + 8].into_iter().find(|at| is_digit(*at)) else {
            floor += DIGITS_MIN;
            continue;
        };
        let run = run_around(bytes, floor, inside);
        spend(run.len());
        let has_digits = || bytes[run.clone()].iter().filter(|byte| byte.is_ascii_digit()).count() >= DIGITS_MIN;
        if run.len() >= DIGITS_MIN && has_digits() && !continues_a_word(bytes, &run) {
            within(bytes, run.clone(), ranges);
        }
        floor = run.end + 1;
    }
}

/// The run of digits with at most one separator between two that a digit stands in.
fn run_around(bytes: &[u8], floor: usize, inside: usize) -> Range<usize> {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_separator = |at: usize| matches!(bytes.get(at), Some(b' ' | b'-'));
    let (mut start, mut end) = (inside, inside + 1);
    while start > floor {
        if is_digit(start - 1) {
            start -= 1;
        } else if start >= floor + 2 && is_separator(start - 1) && is_digit(start - 2) {
            start -= 2;
        } else {
            break;
        }
    }
    while is_digit(end) || (is_separator(end) && is_digit(end + 1)) {
        end += 1;
    }
    start..end
}

/// Digits that continue a word, a UUID or a decimal fraction are no numbers of their own.
fn continues_a_word(bytes: &[u8], run: &Range<usize>) -> bool {
    let is_part = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| Alphabet::Url.has(*byte));
    let is_fraction = run.start >= 2 && bytes[run.start - 1] == b'.' && bytes[run.start - 2].is_ascii_digit();
    let before = run.start.checked_sub(1).filter(|_| !super::scan::follows_escape(bytes, run.start));
    is_part(before) || is_part(Some(run.end)) || is_fraction
}

fn within(bytes: &[u8], run: Range<usize>, ranges: &mut Vec<Range<usize>>) {
    let mut at = run.start;
    while at < run.end {
        match longest(&bytes[at..run.end]) {
            Some(length) => {
                ranges.push(at..at + length);
                at += length;
            }
            None => at = Alphabet::Digit.end(bytes, at),
        }
        // Behind a group stands its separator, or the end of the run.
        at += 1;
    }
}

/// The length of the longest number that begins with the first group and ends with a group. At most 20 digits are looked
/// at, and every end is judged on the way: both sums of Luhn's test grow together.
fn longest(run: &[u8]) -> Option<usize> {
    let (mut digits, mut sums, mut groups, mut found) = (0, [0, 0], [0; 4], None);
    let mut group = 0;
    for (at, byte) in run.iter().enumerate() {
        spend(1);
        if !byte.is_ascii_digit() {
            group += 1;
            continue;
        }
        let digit = u32::from(byte - b'0');
        let doubled = digit * 2 / 10 + digit * 2 % 10;
        sums[digits % 2] += digit;
        sums[(digits + 1) % 2] += doubled;
        digits += 1;
        if digits >= CARD.end {
            break;
        }
        if let Some(count) = groups.get_mut(group) {
            *count += 1;
        }
        let is_end = run.get(at + 1).is_none_or(|next| !next.is_ascii_digit());
        let is_card = CARD.contains(&digits) && sums[(digits - 1) % 2] % 10 == 0 && begins_as_card(run[0]);
        let is_ssn = group == 2 && groups == [3, 2, 4, 0] && is_given_out(&run[..=at]);
        if is_end && (is_ssn || (is_card && !(digits == at + 1 && is_instant(&run[..=at])))) {
            found = Some(at + 1);
        }
    }
    found
}

fn begins_as_card(first: u8) -> bool {
    matches!(first, b'2'..=b'6')
}

/// 13 to 19 digits that begin as card numbers do and pass Luhn's test.
pub(super) fn is_card(digits: &str) -> bool {
    CARD.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && longest(digits.as_bytes()) == Some(digits.len())
}

/// `20261130165948`: an instant to the second, one in ten of which passes Luhn's test too.
fn is_instant(digits: &[u8]) -> bool {
    let pair = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
    digits.len() == 14
        && matches!(pair(0), 19..=20)
        && matches!(pair(4), 1..=12)
        && matches!(pair(6), 1..=31)
        && pair(8) < 24
        && pair(10) < 60
        && pair(12) < 60
}

/// `123-45-6789` with parts that are given out.
fn is_given_out(ssn: &[u8]) -> bool {
    let (area, group, serial) = (&ssn[..3], &ssn[4..6], &ssn[7..]);
    area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000"
}
