//! Names that say that their value is a secret. Case, `-` and `_` do not matter, and a name may be written together
//! (`PGPASSWORD`, `clientsecret`). Only whole words count, and counts of tokens are none: `max_tokens` stays.

/// One word that makes a name sensitive.
const WORDS: &[&str] = &[
    "pwds",
    "token",
    "creds",
    "ssn",
    "creditcard",
    "cardnumber",
    "cvv",
    "cvc",
    "bearer",
    "jwt",
    "jwts",
    "sshpass",
    "passkey",
    "passkeys",
];

/// What a word that makes a name sensitive ends with: other words may be written before it.
const ENDINGS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passwds",
    "passphrase",
    "passphrases",
    "passcode",
    "passcodes",
    "pwd",
    "secret",
    "secrets",
    "token",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "cookies",
    "apikey",
    "apikeys",
    "privatekey",
    "privatekeys",
    "accesskey",
    "accesskeys",
    "secretkey",
    "secretkeys",
    "signingkey",
    "signingkeys",
    "encryptionkey",
    "encryptionkeys",
    "authkey",
    "authkeys",
    "sshkey",
    "sshkeys",
    "masterkey",
    "masterkeys",
    "accountkey",
    "sharedkey",
    "subscriptionkey",
    "connectionstring",
    "refreshtokens",
    "accesstokens",
    "authtokens",
    "apitokens",
    "sessiontokens",
    "bearertokens",
    "dbpass",
    "userpass",
    "mysqlpass",
    "pgpass",
    "rootpass",
    "adminpass",
    "smtppass",
    "redispass",
    "mailpass",
    "ftppass",
    "keypass",
    "storepass",
    // As scripts wait for it: `*?assword:`.
    "assword",
];

/// What such a word begins with, where something is written behind it: `passwordhash`.
const BEGINNINGS: &[&str] = &["password", "passwd", "passphrase"];

/// Words that begin so and are none.
const OTHERS: &[&str] = &["passwordless", "nonsecret"];

/// Words that, with `key` or `keys` behind them, make a name sensitive.
const KEYS: &[&str] = &[
    "api",
    "private",
    "access",
    "signing",
    "encryption",
    "decryption",
    "secret",
    "auth",
    "ssh",
    "master",
    "account",
    "shared",
    "subscription",
    "deploy",
    "hmac",
    "rsa",
    "pgp",
    "gpg",
    "tls",
    "ssl",
    "app",
    "application",
    "admin",
    "webhook",
    "license",
];

/// Words that, with `tokens` behind them, hold tokens and do not count them.
const TOKENS: &[&str] =
    &["refresh", "access", "auth", "oauth", "api", "session", "bearer", "csrf", "security", "bot", "user"];

/// Words that, with `pass` behind them, hold a password; of other words it is what tests do, and trains of thought.
const OWNERS: &[&str] = &[
    "db", "database", "user", "my", "pg", "postgres", "sql", "mysql", "mongo", "redis", "rabbitmq", "smtp", "imap",
    "mail", "email", "ftp", "sftp", "ssh", "ldap", "http", "proxy", "root", "admin", "login", "account", "auth",
    "basic", "registry", "config", "env", "key", "store", "keystore", "sudo", "wifi", "vpn",
];

/// Two words in a row that make a name sensitive.
const PAIRS: &[(&str, &str)] = &[
    ("credit", "card"),
    ("card", "number"),
    ("social", "security"),
    ("connection", "string"),
    ("conn", "str"),
    ("pass", "phrase"),
    ("pass", "word"),
    ("pass", "code"),
    ("auth", "header"),
    ("amz", "signature"),
    ("goog", "signature"),
];

/// Words that make a name with `token` in it the name of a count or of a measure.
const COUNTS: &[&str] =
    &["count", "counts", "usage", "total", "limit", "budget", "length", "size", "number", "num", "used"];

/// Beginnings of names of functions that ask for a secret: what they are given is no secret.
const QUESTIONS: &[&str] = &[
    "get", "fetch", "load", "read", "find", "lookup", "resolve", "retrieve", "has", "is", "check", "delete", "list",
    "count", "parse",
];

/// Whether values under this name are removed.
#[must_use]
pub fn is_sensitive_key(key: &str) -> bool {
    // Long names are looked at too: a cap here would be a way around.
    super::cost::spend(key.len());
    match super::decode::visible(key) {
        Some(key) => says_secret(&key),
        None => says_secret(key),
    }
}

fn says_secret(key: &str) -> bool {
    if !may_be_sensitive(key.as_bytes()) {
        return false;
    }
    let mut before = "";
    let mut words = words(key).peekable();
    while let Some(word) = words.next() {
        let is_last = words.peek().is_none();
        if is_secret(word, before, is_last) {
            return true;
        }
        before = word;
    }
    false
}

fn is_secret(word: &str, before: &str, is_last: bool) -> bool {
    let is = |known: &&str| word.eq_ignore_ascii_case(known);
    let follows = |known: &[&str]| known.iter().any(|known| before.eq_ignore_ascii_case(known));
    let ends = |known: &&str| {
        let from = word.len().checked_sub(known.len());
        from.and_then(|from| word.get(from..)).is_some_and(|end| end.eq_ignore_ascii_case(known))
    };
    let begins = |known: &&str| word.get(..known.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(known));
    let is_pair = |pair: &(&str, &str)| before.eq_ignore_ascii_case(pair.0) && is(&pair.1);
    match word.as_bytes().first().map(u8::to_ascii_lowercase) {
        Some(b'k') if is(&"key") || is(&"keys") => follows(KEYS),
        Some(b't') if is(&"tokens") => follows(TOKENS),
        Some(b'p') if is(&"pass") => follows(OWNERS) || (before.is_empty() && is_last),
        _ => {
            (WORDS.iter().any(is)
                || ENDINGS.iter().any(ends)
                || BEGINNINGS.iter().any(begins)
                || PAIRS.iter().any(is_pair))
                && !OTHERS.iter().any(is)
        }
    }
}

/// Whether the name says that it counts tokens rather than holds one.
pub(super) fn is_count(key: &str) -> bool {
    words(key).any(|word| COUNTS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Whether it is the name of a header, whose value may be several words.
pub(super) fn is_header(key: &str) -> bool {
    let ends = |word: &str, known: &str| {
        word.len()
            .checked_sub(known.len())
            .and_then(|from| word.get(from..))
            .is_some_and(|end| end.eq_ignore_ascii_case(known))
    };
    words(key).any(|word| ["authorization", "cookie", "cookies"].iter().any(|known| ends(word, known)))
}

/// Whether it is the name of a function that asks for a secret.
pub(super) fn is_question(key: &str) -> bool {
    words(key).next().is_some_and(|word| QUESTIONS.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Whether it is the last word of a name that people write as two: `API key`, `secret keys`.
pub(super) fn is_key(word: &str) -> bool {
    word.eq_ignore_ascii_case("key") || word.eq_ignore_ascii_case("keys")
}

/// Whether the value is what a test, not a person, has under `pass`.
pub(super) fn is_status(key: &str, value: &str) -> bool {
    let value = value.trim_end_matches(['.', ',']);
    key.eq_ignore_ascii_case("pass")
        && ["true", "false", "yes", "no", "ok", "passed", "failed", "fail", "all", "none", "rate"].contains(&value)
}

/// A cheap test that every sensitive name passes: it holds one of these beginnings, in any case. Counts of tokens, by far
/// the most frequent names that come near, do not.
fn may_be_sensitive(key: &[u8]) -> bool {
    let begins = |rest: &[u8], stem: &[u8]| rest.get(..stem.len()).is_some_and(|part| part.eq_ignore_ascii_case(stem));
    (0..key.len()).any(|at| {
        let rest = &key[at..];
        match key[at] | 0x20 {
            b'p' => begins(rest, b"pass") || begins(rest, b"pwd"),
            b's' => [&b"secret"[..], b"ssn", b"social", b"signature"].iter().any(|stem| begins(rest, stem)),
            b't' => {
                begins(rest, b"token")
                    && (rest.get(5).is_none_or(|next| next | 0x20 != b's') || holds_tokens(&key[..at]))
            }
            b'k' => begins(rest, b"key"),
            b'a' => begins(rest, b"auth") || begins(rest, b"assword"),
            b'b' => begins(rest, b"bearer"),
            b'c' => [&b"cred"[..], b"card", b"cvv", b"cvc", b"cookie", b"conn"].iter().any(|stem| begins(rest, stem)),
            b'j' => begins(rest, b"jwt"),
            _ => false,
        }
    })
}

/// Whether a word of [`TOKENS`] may end here: by its last letter.
fn holds_tokens(before: &[u8]) -> bool {
    let last = before.iter().rev().find(|byte| byte.is_ascii_alphabetic());
    last.is_some_and(|last| matches!(last | 0x20, b'h' | b's' | b'i' | b'n' | b'r' | b'f' | b'y' | b't'))
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
mod tests;
