//! What stands under the name of a secret and is none: words that say what would stand there, stars, and names of where it
//! is.

use serde_json::Value;

/// Words that say what kind of value there would be, or what became of it; in any case.
const WORDS: &[&str] = &[
    "null",
    "none",
    "undefined",
    "nil",
    "n/a",
    "na",
    "true",
    "false",
    "yes",
    "no",
    "required",
    "optional",
    "mandatory",
    "string",
    "str",
    "text",
    "bytes",
    "number",
    "int",
    "integer",
    "bool",
    "boolean",
    "object",
    "any",
    "option",
    "secretstr",
    "&str",
    "char",
    "varchar",
    "empty",
    "missing",
    "unset",
    "unknown",
    "unchanged",
    "invalid",
    "incorrect",
    "wrong",
    "expired",
    "revoked",
    "hidden",
    "masked",
    "filtered",
    "redacted",
    "removed",
    "omitted",
];

/// What stands in the place of a secret that somebody else has removed.
const MASKS: &[&str] =
    &["[REDACTED]", "[FILTERED]", "[MASKED]", "[HIDDEN]", "(redacted)", "(hidden)", "(required)", "(optional)"];

/// What masks are made of; of letters there must be three.
const MASK_CHARACTERS: &[char] = &['*', '\u{2022}', '\u{25CF}', '\u{2026}', '.', '-', '_', '?', '#'];

/// The longest placeholder, in bytes.
const BYTES_MAX: usize = 96;

/// Whether the text, without what ends a sentence, is no secret but says that there is one.
pub(super) fn is_placeholder(text: &str) -> bool {
    if text.len() > BYTES_MAX {
        return false;
    }
    super::cost::spend(text.len());
    let word = text.trim_end_matches(['.', ',', ';', '!', ':']);
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
        || MASKS.iter().any(|known| word.eq_ignore_ascii_case(known))
        || is_mask(text)
        || is_hole(word)
        || is_reference(word)
}

/// Whether a value says only how a secret would have to look: `{"type": "string", "minLength": 8}` of a JSON schema, as the
/// descriptions of tools have it. With a default or an example in it, it is none.
pub(super) fn is_schema(value: &Value) -> bool {
    const SAYS: &[&str] = &[
        "type",
        "title",
        "description",
        "format",
        "minLength",
        "maxLength",
        "writeOnly",
        "readOnly",
        "nullable",
        "deprecated",
    ];
    const TYPES: &[&str] = &["string", "number", "integer", "boolean"];
    let Some(members) = value.as_object() else { return false };
    members.get("type").and_then(Value::as_str).is_some_and(|of| TYPES.contains(&of))
        && members.iter().all(|(name, member)| {
            SAYS.contains(&name.as_str())
                && match member {
                    // A sentence, and no word that could be a secret.
                    Value::String(text) if name == "description" || name == "title" => !is_like_secret(text.trim()),
                    Value::String(text) => text.len() <= 16 && !is_like_secret(text),
                    other => other.is_number() || other.is_boolean(),
                }
        })
}

fn is_mask(text: &str) -> bool {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return false };
    let is_letters = matches!(first, 'x' | 'X') && text.len() >= 3;
    (is_letters || MASK_CHARACTERS.contains(&first)) && characters.all(|character| character == first)
}

/// `<password>`, `<your password>`: letters only.
fn is_hole(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    inner.is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || b" _-".contains(&byte))
    })
}

/// `${NAME}`, `$NAME`, `%NAME%`, `{{ name }}`: where the value is.
fn is_reference(text: &str) -> bool {
    let inside = |open: &str, close: &str| text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
    let is_path = |name: &str| {
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'));
        first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
    };
    inside("${{", "}}").or_else(|| inside("{{", "}}")).is_some_and(|name| is_path(name.trim()))
        || inside("${", "}").is_some_and(is_path)
        || inside("%", "%").is_some_and(is_variable)
        || text.strip_prefix('$').is_some_and(is_variable)
}

/// Whether it is a name of a variable as shells have it: `DB_PASSWORD`.
pub(super) fn is_variable(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit()) && name.bytes().all(is_part)
}

/// Whether a word that stands where a secret may stand, with nothing that says so for certain, is one: it mixes letters and
/// digits as names, versions and instants do not.
pub(super) fn is_like_secret(word: &str) -> bool {
    let bytes = word.as_bytes();
    super::cost::spend(bytes.len().min(256));
    if !(6..=256).contains(&bytes.len()) || !bytes.iter().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_call = word.contains(['(', ')', '<', '>', '{', '}']);
    let is_address = word.contains("://") || word.starts_with(['/', '.', '-']);
    let is_version = bytes.iter().all(|byte| byte.is_ascii_digit() || b"-:.+TZv".contains(byte));
    let is_variable = bytes.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && word.contains('_');
    let is_known = [
        "sha", "aes", "rsa", "md5", "base64", "base32", "utf", "int", "uint", "ed25519", "oauth2", "uuid", "hs256",
        "rs256",
    ]
    .iter()
    .any(|known| word.get(..known.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(known)))
        && bytes.len() < 14;
    letters >= 2 && digits >= 1 && !is_call && !is_address && !is_version && !is_variable && !is_known
}
