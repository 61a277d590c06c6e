//! What redaction costs is in proportion to the text, whatever the text: ten times the text is ten times the work. Counted
//! are bytes that were looked at, not seconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::super::cost;
use super::super::redact_text;
use super::issuers::example;

/// Pieces of which texts are made that are hard to read: each begins what it does not end, or ends what others began.
const PIECES: &[&str] = &[
    "0 1 ",
    "0",
    "4111 1111 ",
    "12-",
    "a@",
    "a@a.",
    "@",
    "a",
    "://a:",
    "://a:a@",
    "a:b@",
    "sk-",
    "sk_",
    "eyJ",
    "eyJ.",
    "eyJa-",
    "eyJaaaaaaaa.",
    "password=",
    "password",
    "token_",
    "token=1 ",
    "token:\"\" ",
    "token:\"",
    "-token ",
    "--token ",
    "pass=",
    "key:",
    "secret: >\n",
    "secret:\n- ",
    "secret: |\n  ",
    "secret:|x ",
    "secret:>x ",
    "secret:|  ",
    "\"\\\"\"",
    "\\",
    "\"",
    "'",
    "\\\"",
    "{",
    "[",
    "[[{",
    "{\"a\":",
    "\"token\": [",
    "\"token\",",
    "(\"token\",",
    "%25",
    "%",
    "%3D",
    "%2525",
    "\\u0061",
    "\\u005c",
    "\\x61",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END ",
    "-----",
    "bearer ",
    "bearer",
    "basic A",
    "Authorization: ",
    "cookie: a\n",
    "<token>",
    "<token ",
    "<token>a<",
    "<![CDATA[",
    "<token><![CDATA[",
    "Some(",
    "token=Some(",
    "mysql -p",
    "curl -u ",
    "curl -u a",
    "-p",
    "Q~",
    ".atlasv1.",
    "-us",
    ":AA",
    "s.",
    "SG.",
    "SG.aaaaaaaaaaaaaaaaaaaa.",
    "hooks.slack.com/",
    "AKIA",
    "\u{e9}",
    "\u{e9}@",
    " ",
    "\n",
    "[REDACTED]",
    "token=[REDACTED]",
    "aHVudGVyMg",
    "/",
    "a.",
    "a-",
    "a_",
    "=",
    ":",
    "token: str = ",
    "name: token\nvalue: ",
    "\0",
    "//",
    "//a:",
    "a//a:a@",
    "password,",
    "user,password\n",
    "user,password\na,b\n",
    "password\t",
    "| password ",
    "| password |\n",
    "|password|\n|--|\n|a|\n",
    "password|",
    "\"value\":\"a\",\"name\":\"token\"",
    "{\"value\":\"a\",\"name\":\"token\"},",
    "\"name\":\"token\" ",
    "name: token\n",
    "- value: a\n  name: token\n",
    "value: ",
    "<x value=\"a\" key=\"token\"/>",
    "<key>token</key>",
    "</td>",
    "token</td><td>",
    "token</td>",
    "<a:token ",
    "<b>",
    "token:** ",
    "**token** ",
    "token: <b>",
    "curl ",
    "curl -su a:b ",
    "curl -",
    "curl \\\n",
    "zip -P ",
    "htpasswd -b a b ",
    "curl '",
    "docker login ",
    "echo a | x --password-stdin ",
    "--password-stdin ",
    "echo ",
    "chpasswd ",
    "'password:' ",
    "\"password: \" ",
    "'password:' send ",
    "password '",
    "password for ",
    "password by '",
    "password is ",
    "password - ",
    "password (",
    "password (a): ",
    "passwords: a1b2c3, ",
    "login u password ",
    "variable \"token\" {",
    "variable \"token\" { default ",
    "default ",
    "identified by ",
    "identified by '",
    ":5432:",
    "a:5432:b:c:d",
    "*:*:",
    "wifi:",
    "wifi:S:a;",
    "private-lines: 9",
    "private-lines: 999\na\n",
    "\"kty\"",
    "{\"kty\":\"",
    "\"d\":\"",
    "sig=",
    "?sig=",
    "${",
    "token=${a:-",
    "token=env(",
    "token: [",
    "token: [a1b2c3,",
    "API key: ",
    "api key ",
    "token:\n",
    "token:\na=b",
    "&",
    "&quot;",
    "&amp;",
    "&#34;token&#34;:",
    "\u{1b}[",
    "\u{1b}]",
    "\u{1b}[0m",
    "\u{a0}",
    "\u{200b}",
    "\u{201c}",
    "\u{ff50}",
    "\\n",
    "\\n\\\"token\\\": ",
    "token\\\\",
];

/// Work of a text that is a piece again and again.
fn work(piece: &str, bytes: usize) -> u64 {
    let text = piece.repeat(bytes.div_ceil(piece.len()));
    cost::of(|| {
        let _ = redact_text(&text);
    })
}

/// No more than ten times the work and a little for ten times the text, and no more than so much for a byte.
fn assert_in_proportion(name: &str, mut work: impl FnMut(usize) -> u64, sizes: &[usize]) {
    let works: Vec<u64> = sizes.iter().map(|bytes| work(*bytes)).collect();
    for (pair, bytes) in works.windows(2).zip(sizes) {
        assert!(pair[1] <= pair[0] * 12, "{name:?}: {} for {bytes} bytes, {} for ten times as many", pair[0], pair[1]);
    }
    for (work, bytes) in works.iter().zip(sizes) {
        assert!(*work <= *bytes as u64 * 400 + 100_000, "{name:?}: {work} for {bytes} bytes");
    }
}

#[test]
fn every_piece_again_and_again() {
    for piece in PIECES {
        assert_in_proportion(piece, |bytes| work(piece, bytes), &[10_000, 100_000]);
    }
    for piece in ["0 1 ", "password=", "a@"] {
        assert_in_proportion(piece, |bytes| work(piece, bytes), &[1_000_000, 10_000_000]);
    }
}

#[test]
fn every_key_and_every_beginning_of_one_again_and_again() {
    for issuer in super::super::issuers::all() {
        let key = example(issuer);
        for piece in [issuer.prefix, &key[..key.len() - 1], &format!("{key} ")] {
            assert_in_proportion(piece, |bytes| work(piece, bytes), &[2_000, 20_000]);
        }
    }
}

#[test]
fn pieces_at_random_up_to_ten_megabytes() {
    let mixed = |seed: u64, bytes: usize| {
        let mut state = seed;
        let mut text = String::new();
        while text.len() < bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 33).expect("31 bits") % PIECES.len();
            text.push_str(PIECES[at]);
        }
        text
    };
    for seed in 0..8 {
        let work = |bytes| {
            let text = mixed(seed, bytes);
            cost::of(|| {
                let _ = redact_text(&text);
            })
        };
        assert_in_proportion(
            "mixed",
            work,
            if seed == 0 { &[10_000, 100_000, 1_000_000, 10_000_000] } else { &[10_000, 100_000] },
        );
    }
}

#[test]
fn text_in_text_in_text() {
    let nested = |bytes: usize, wrap: fn(String) -> String| {
        let mut text = "password=hunter2 0 1 0 1 ".repeat(bytes / 100 + 1);
        while text.len() < bytes {
            text = wrap(text);
        }
        text
    };
    type Wrap = fn(String) -> String;
    let wraps: [(&str, Wrap); 5] = [
        ("base64", |text| STANDARD.encode(text)),
        ("percent", |text| text.replace('%', "%25").replace(' ', "%20").replace('=', "%3D") + " "),
        ("JSON", |text| json!({ "a": text }).to_string()),
        ("text", |text| format!("{text}{text}")),
        ("list", |text| json!([text, "0 1 0 1 "]).to_string()),
    ];
    for (name, wrap) in wraps {
        let work = |bytes| {
            let text = nested(bytes, wrap);
            let work = cost::of(|| {
                let _ = redact_text(&text);
            });
            work * bytes as u64 / text.len() as u64
        };
        assert_in_proportion(name, work, &[10_000, 100_000]);
    }
}

#[test]
fn usual_text_is_looked_at_a_few_times() {
    let text =
        "an ordinary line of an attribute, with numbers 12 and 2026-11-21T08:30:00Z and an id 01a1fbe7-365f-77e3 ";
    let text = text.repeat(100);
    let work = cost::of(|| assert_eq!(redact_text(&text), text));
    assert!(work <= text.len() as u64 * 5, "{work} for {} bytes", text.len());
}
