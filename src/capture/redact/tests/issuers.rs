//! Every row of the table in every form and path: a new row is tried without a change here.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::alphabet::Alphabet;
use super::super::issuers::{self, Issuer, Part};
use super::super::{REDACTED, redact_json, redact_text};

/// So many bytes of an alphabet, in no order that people would write, digits among them.
fn bytes_of(alphabet: Alphabet, count: usize) -> String {
    let all: Vec<char> =
        (b'0'..=b'z').filter(|byte| byte.is_ascii_alphanumeric() && alphabet.has(*byte)).map(char::from).collect();
    (0..count).map(|place| all[(place * 7 + 5) % all.len()]).collect()
}

/// The shortest key that a row takes.
pub(super) fn example(issuer: &Issuer) -> String {
    let before = issuer.before.map(|(alphabet, min, _)| bytes_of(alphabet, min)).unwrap_or_default();
    let body = issuer.body.iter().map(|part| match part {
        Part::Run(alphabet, min, _) => bytes_of(*alphabet, *min),
        Part::Is(text) => (*text).to_owned(),
    });
    format!("{before}{}{}", issuer.prefix, body.collect::<String>())
}

/// The forms in which text brings a key.
fn forms(key: &str) -> Vec<(&'static str, String)> {
    let json = json!({ "note": format!("see {key}"), "deep": [{ "list": [key] }] });
    vec![
        ("alone", key.to_owned()),
        ("in a sentence", format!("the key {key}, as of today")),
        ("at the end", format!("use {key}.")),
        ("in brackets", format!("({key})")),
        ("in quotation marks", format!("'{key}' \"{key}\"")),
        ("under a harmless name", format!("value={key}&x=1")),
        ("on a line", format!("a\n{key}\nb")),
        ("on an escaped line", format!("a\\n{key}\\nb")),
        ("in a path", format!("https://example.test/{key}/x?y={key}")),
        ("in JSON", json.to_string()),
        ("in JSON in JSON", json!({ "inner": json.to_string() }).to_string()),
        ("in JSON that is cut off", format!("{{\"a\": \"{key}\", \"b")),
        ("in JSON with escapes", format!("{{\"a\": \"\\u{:04x}{}\"}}", u32::from(key.as_bytes()[0]), &key[1..])),
        ("behind percent signs", format!("a%22{}%22", key.replace('/', "%2F").replace(':', "%3A").replace('+', "%2B"))),
        ("in base64", STANDARD.encode(format!("my key is {key} "))),
        ("in base64 without padding", STANDARD_NO_PAD.encode(format!("my key is {key} "))),
        ("in base64 of URLs", URL_SAFE_NO_PAD.encode(format!("my key is {key} ?? "))),
        ("in base64 in a sentence", format!("data: {} end", STANDARD.encode(format!("my key is {key} ")))),
        ("in YAML", format!("a:\n  b: {key}\n  c: 1")),
        ("in XML", format!("<a><b>{key}</b></a>")),
        ("as an option", format!("tool --value {key} --next")),
        ("in a call", format!("connect(\"{key}\")")),
        ("in a table", format!("| a | {key} | b |")),
    ]
}

#[test]
fn every_key_is_removed_in_every_form() {
    let mut kept = Vec::new();
    for issuer in issuers::all() {
        let key = example(issuer);
        for (form, text) in forms(&key) {
            let redacted = redact_text(&text);
            // The first bytes may stay where nobody can tell them from what stands before.
            if redacted.contains(&key[key.len() / 2..]) || !redacted.contains(REDACTED) {
                kept.push(format!("{} {form}: {redacted}", issuer.name));
            }
            assert_eq!(redact_text(&redacted), redacted, "{form} of {key} is redacted again");
            let is_json = serde_json::from_str::<Value>(&text).is_ok();
            assert!(
                !is_json || serde_json::from_str::<Value>(&redacted).is_ok(),
                "{text} is no JSON any more: {redacted}"
            );
        }
        let value = redact_json(json!({ "a": [key.as_str()], key.as_str(): 1 })).expect("shallow");
        assert_eq!(value, json!({ "a": [REDACTED], REDACTED: 1 }), "{}", issuer.name);
    }
    assert!(kept.is_empty(), "{} are kept: {kept:#?}", kept.len());
}

#[test]
fn what_stands_around_a_key_stays() {
    for issuer in issuers::all() {
        let text = format!("before {}, after", example(issuer));
        assert_eq!(redact_text(&text), "before [REDACTED], after", "{}", issuer.name);
    }
}

#[test]
fn half_a_key_is_none() {
    // One byte less than the shortest: a row that takes anything is found here.
    for issuer in issuers::all() {
        let key = example(issuer);
        let short = &key[..key.len() - 1];
        // Another row may take it: `sk-ant-` is `sk-` too.
        let others = issuers::all().filter(|other| other.before.is_none() && other.prefix != issuer.prefix);
        if !others.into_iter().any(|other| short.starts_with(other.prefix)) && issuer.prefix.len() > 1 {
            assert_eq!(redact_text(short), short, "{}", issuer.name);
        }
    }
}

#[test]
fn every_row_says_where_it_is_from_and_none_is_there_twice() {
    let mut seen = std::collections::BTreeSet::new();
    for issuer in issuers::all() {
        assert!(issuer.source.len() >= 7 && !issuer.name.is_empty(), "{}", issuer.prefix);
        assert!(
            seen.insert((issuer.prefix, issuer.before.is_some(), format!("{:?}", issuer.body))),
            "{} twice",
            issuer.prefix
        );
        assert!(issuer.prefix.is_ascii(), "{}", issuer.prefix);
    }
    assert!(seen.len() > 150, "{}", seen.len());
}
