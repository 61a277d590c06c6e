//! Which bytes may stand in what: one table, so that a test of a byte is one look. Bytes of letters beyond ASCII belong to
//! what people write (mail addresses), never to what machines make.

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Alphabet {
    /// `0-9`
    Digit,
    /// `0-9a-f`
    Hex,
    /// `A-Z0-9`
    Upper,
    /// `A-Za-z0-9`
    Alnum,
    /// Letters, digits, `_`
    Word,
    /// Letters, digits, `_`, `-`: base64 as URLs have it
    Url,
    /// Letters, digits, `_`, `-`, `.`
    Dotted,
    /// Letters, digits, `+`, `/`, `_`, `-`: base64 of either kind, without its padding
    Base64,
    /// What tokens of HTTP are made of: letters, digits, `._~+/=-`
    Credential,
    /// Values in URLs: letters, digits, `%+/=_-`
    Encoded,
    /// Keys that show their beginning and stars: letters, digits, `_*.-`
    Masked,
    /// The part of a mail address before the `@`
    Local,
    /// User and host of a URL
    Authority,
    /// Bodies of PEM blocks
    Pem,
    /// White space
    Space,
}

/// How many there are.
pub(super) const ALPHABETS: usize = 15;

const MEMBERS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let own = byte as u8;
        table[byte] = sets(own);
        byte += 1;
    }
    table
};

const fn sets(byte: u8) -> u16 {
    let (digit, letter) = (byte.is_ascii_digit(), byte.is_ascii_alphabetic());
    let alnum = digit || letter;
    let word = alnum || byte == b'_';
    let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 11 | 12);
    let base64 = word || matches!(byte, b'+' | b'/' | b'-');
    let holds = [
        digit,
        digit || matches!(byte, b'a'..=b'f'),
        digit || byte.is_ascii_uppercase(),
        alnum,
        word,
        word || byte == b'-',
        word || matches!(byte, b'-' | b'.'),
        base64,
        base64 || matches!(byte, b'.' | b'~' | b'='),
        base64 || matches!(byte, b'%' | b'='),
        word || matches!(byte, b'*' | b'.' | b'-'),
        word || matches!(byte, b'.' | b'%' | b'+' | b'\'' | b'-') || byte >= 0x80,
        !(space || matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'?' | b'#' | b'`' | 0..=31)),
        base64 || space || matches!(byte, b'=' | b'\\' | b':' | b',' | b'.' | b'(' | b')'),
        space,
    ];
    let mut bits = 0;
    let mut at = 0;
    while at < ALPHABETS {
        if holds[at] {
            bits |= 1 << at;
        }
        at += 1;
    }
    bits
}

impl Alphabet {
    /// Whether the byte belongs to it.
    pub(super) const fn has(self, byte: u8) -> bool {
        MEMBERS[byte as usize] & (1 << self as u8) != 0
    }

    /// The end of the run of such bytes that begins at `from`.
    pub(super) fn end(self, bytes: &[u8], from: usize) -> usize {
        let length = bytes[from.min(bytes.len())..].iter().take_while(|byte| self.has(**byte)).count();
        super::cost::spend(length + 1);
        from.min(bytes.len()) + length
    }

    /// The beginning of the run of such bytes that ends at `to`, not before `floor`.
    pub(super) fn start(self, bytes: &[u8], floor: usize, to: usize) -> usize {
        let length = bytes[floor.min(to)..to].iter().rev().take_while(|byte| self.has(**byte)).count();
        super::cost::spend(length + 1);
        to - length
    }
}
