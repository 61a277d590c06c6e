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
    if !may_be_sensitive(key) {
        return false;
    }
    let words = words(key);
    words.iter().any(|word| WORDS.contains(&word.as_str()))
        || words.windows(2).any(|pair| PAIRS.contains(&(pair[0].as_str(), pair[1].as_str())))
}

/// Whether the name says that it counts tokens rather than holds one.
pub(super) fn is_count(key: &str) -> bool {
    words(key).iter().any(|word| COUNTS.contains(&word.as_str()))
}

/// A cheap test that every sensitive name passes: it holds one of these beginnings, in any case.
fn may_be_sensitive(key: &str) -> bool {
    const STEMS: &[&[u8]] = &[
        b"pass", b"pwd", b"secret", b"token", b"key", b"auth", b"bearer", b"cred", b"ssn", b"card", b"cvv", b"cvc",
        b"cookie", b"jwt", b"social",
    ];
    let bytes = key.as_bytes();
    (0..bytes.len()).any(|at| {
        matches!(bytes[at] | 0x20, b'p' | b's' | b't' | b'k' | b'a' | b'b' | b'c' | b'j')
            && STEMS
                .iter()
                .any(|stem| bytes[at..].get(..stem.len()).is_some_and(|part| part.eq_ignore_ascii_case(stem)))
    })
}

/// The words of a name in lower case: split at everything but letters and digits, and where lower case turns to upper.
fn words(key: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let mut characters = key.chars().peekable();
    while let Some(character) = characters.next() {
        let is_border = !character.is_alphanumeric();
        let next_is_lower = characters.peek().is_some_and(|next| next.is_lowercase());
        let is_hump = character.is_uppercase()
            && (before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && next_is_lower));
        if (is_border || is_hump) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !is_border {
            word.extend(character.to_lowercase());
        }
        before = character;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
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
