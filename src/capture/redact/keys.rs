//! Names that say that their value is a secret. Case, `-` and `_` do not matter; only whole words count, so that
//! `max_tokens` is none.

/// One word that makes a name sensitive.
const WORDS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "secrets",
    "token",
    "apikey",
    "apikeys",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "creds",
    "privatekey",
    "accesskey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "ssn",
    "creditcard",
    "cardnumber",
    "cvv",
    "cvc",
    "cookie",
    "cookies",
    "jwt",
];

/// Two words in a row that make a name sensitive.
const PAIRS: &[(&str, &str)] = &[
    ("api", "key"),
    ("api", "keys"),
    ("private", "key"),
    ("access", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("credit", "card"),
    ("card", "number"),
    ("social", "security"),
];

/// Words that make a name with `token` in it the name of a count or of a measure.
const COUNTS: &[&str] = &["count", "counts", "usage", "total", "limit", "budget", "length", "size", "number", "num"];

/// Whether values under this name are removed.
#[must_use]
pub fn is_sensitive_key(key: &str) -> bool {
    // Long names are looked at too: a cap here would be a way around.
    if !may_be_sensitive(key.as_bytes()) {
        return false;
    }
    let mut before = "";
    words(key).any(|word| {
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        let is_pair = |pair: &(&str, &str)| before.eq_ignore_ascii_case(pair.0) && word.eq_ignore_ascii_case(pair.1);
        let is_sensitive = WORDS.iter().any(|known| is(known)) || PAIRS.iter().any(is_pair);
        before = word;
        is_sensitive
    })
}

/// Whether the name says that it counts tokens rather than holds one.
pub(super) fn is_count(key: &str) -> bool {
    words(key).any(|word| COUNTS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// A cheap test that every sensitive name passes: it holds one of these beginnings, in any case. Counts of tokens, by far
/// the most frequent names that come near, do not.
fn may_be_sensitive(key: &[u8]) -> bool {
    let begins = |rest: &[u8], stem: &[u8]| rest.get(..stem.len()).is_some_and(|part| part.eq_ignore_ascii_case(stem));
    (0..key.len()).any(|at| {
        let rest = &key[at..];
        match key[at] | 0x20 {
            b'p' => begins(rest, b"pass") || begins(rest, b"pwd"),
            b's' => begins(rest, b"secret") || begins(rest, b"ssn") || begins(rest, b"social"),
            b't' => begins(rest, b"token") && rest.get(5).is_none_or(|next| next | 0x20 != b's'),
            b'k' => begins(rest, b"key"),
            b'a' => begins(rest, b"auth"),
            b'b' => begins(rest, b"bearer"),
            b'c' => [&b"cred"[..], b"card", b"cvv", b"cvc", b"cookie"].iter().any(|stem| begins(rest, stem)),
            b'j' => begins(rest, b"jwt"),
            _ => false,
        }
    })
}

/// The words of a name: split at everything but letters and digits, and where lower case turns to upper.
fn words(key: &str) -> impl Iterator<Item = &str> {
    let mut rest = key;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|character: char| !character.is_alphanumeric());
        let mut before = ' ';
        let mut characters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, character)) = characters.next() {
            let next_is_lower = characters.peek().is_some_and(|(_, next)| next.is_lowercase());
            let is_hump = character.is_uppercase()
                && (before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && next_is_lower));
            if !character.is_alphanumeric() || is_hump {
                end = at;
                break;
            }
            before = character;
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_in_any_spelling() {
        for key in [
            "password",
            "Password",
            "PASSWORD",
            "db_password",
            "userPassword",
            "api_key",
            "api-key",
            "apiKey",
            "APIKey",
            "apikey",
            "x-api-key",
            "access_token",
            "accessToken",
            "Authorization",
            "http.request.header.authorization",
            "private_key",
            "privateKey",
            "aws_access_key_id",
            "clientSecret",
            "credentials",
            "SSN",
            "credit_card",
            "creditCardNumber",
            "cvv",
            "set-cookie",
            "sessionToken",
            "JWT",
            "OPENAI_API_KEY",
        ] {
            assert!(is_sensitive_key(key), "{key}");
        }
    }

    #[test]
    fn parts_of_words_and_counts_are_left_alone() {
        for key in [
            "max_tokens",
            "gen_ai.usage.input_tokens",
            "inputTokens",
            "author",
            "authority",
            "tokenizer",
            "key",
            "keys",
            "passage",
            "compass",
            "secretary",
            "session",
            "monkey",
            "keyboard",
            "cardinal",
            "class",
            "assn",
        ] {
            assert!(!is_sensitive_key(key), "{key}");
        }
        assert!(is_count("token_count") && is_count("llm.token_count.prompt"));
        assert!(!is_count("access_token"));
    }
}
