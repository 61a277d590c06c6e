mod cost;
mod forms;
mod harmless;
mod issuers;
mod plain;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn is_redacted(text: &str) -> bool {
    redact_text(text) == REDACTED
}

#[test]
fn values_that_look_like_secrets_are_removed() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    for secret in [
        "jane.doe@example.test",
        "jane.doe%40example.test",
        "jürgen+x@bücher.example",
        "sk-fake",
        "sk-live-abc123",
        "sk-proj-0123456789abcdef",
        "sk-ant-api03-0123456789abcdef",
        "sk_live_0123456789abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA-0123456789abcdefghijklmnopqrstu",
        "ya29.a0AfH6SMBx-0123456789",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "github_pat_11ABCDEFG0123456789_abcdefgh",
        "glpat-0123456789abcdefghij",
        "xoxb-123456789012-abcdefghijkl",
        "hf_0123456789abcdefghijABCDEFGHIJ",
        "rl_k1_0123456789abcdefghijABCDEFGHIJ",
        jwt,
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "378282246310005",
        "123-45-6789",
        "Bearer abc.def-123",
        "Basic dXNlcjpwYXNzd29yZA==",
    ] {
        assert!(is_redacted(secret), "{secret}: {}", redact_text(secret));
        let inside = format!("before {secret}, after");
        assert_eq!(redact_text(&inside), "before [REDACTED], after", "{secret}");
    }
}

#[test]
fn private_keys_go_whole_or_cut_off() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----";
    assert_eq!(redact_text(&format!("a {key} b")), "a [REDACTED] b");
    assert_eq!(redact_text(&key.replace('\n', "\\n")), REDACTED);
    assert_eq!(redact_text("-----BEGIN PRIVATE KEY-----\nMIIEpAIB"), REDACTED);
    let public = "-----BEGIN PUBLIC KEY-----\nMIIBIjAN\n-----END PUBLIC KEY-----";
    assert_eq!(redact_text(public), public);
}

#[test]
fn what_only_resembles_a_secret_stays() {
    for text in [
        "chatcmpl-afe7dc7a8f1adcda0949cb19",
        "a risk-free task-list, desk-bound",
        "01a1fbe7-365f-77e3-a250-c782b511bf70",
        "5698817013458964-7165-9091-8336-701545525345",
        "4111 1111 1111 1112",
        "1760000000123456789",
        "2026-11-21T08:30:00.123456Z",
        "000-12-3456",
        "0.4111111111111111",
        "the bearer of news",
        "basic research",
        "user@host",
        "@types/node",
        "10.0.0.1:8080",
        "gpt-4o-2026-08-06",
        "max_tokens: 300",
        "token_count: 12",
    ] {
        assert_eq!(redact_text(text), text);
    }
}

#[test]
fn names_decide_in_json_at_any_depth_and_in_json_in_strings() {
    let inner = json!({"api_key": "abc", "max_tokens": 5, "token": 7, "note": "x"}).to_string();
    let redacted = redact_json(json!({
        "password": "hunter2", "nested": [{"Authorization": {"scheme": "x"}}], "inner": inner, "secret": null,
        "token_count": "12", "tokens": ["a"], "jane@example.test": 1, "n": 4_111_111_111_111_111_i64,
    }))
    .expect("shallow");
    assert_eq!(
        redacted,
        json!({
            "password": REDACTED, "nested": [{"Authorization": REDACTED}],
            "inner": json!({"api_key": REDACTED, "max_tokens": 5, "token": 7, "note": "x"}).to_string(),
            "secret": null, "token_count": "12", "tokens": ["a"], REDACTED: 1, "n": REDACTED,
        })
    );
}

#[test]
fn names_decide_in_text_that_is_not_json() {
    for (text, redacted) in [
        ("password=hunter2 user=joe", "password=[REDACTED] user=joe"),
        ("{'api_key': 'abc', 'n': 1}", "{'api_key': '[REDACTED]', 'n': 1}"),
        (r#"{"cut": 1, "client_secret": "abc", "x"#, r#"{"cut": 1, "client_secret": "[REDACTED]", "x"#),
        (r#"a {\"token\": \"abc\"} b"#, r#"a {\"token\": \"[REDACTED]\"} b"#),
        ("Authorization: Token abc def\nAccept: x", "Authorization: [REDACTED]\nAccept: x"),
        ("https://user:pass@host/x", "https://[REDACTED]@host/x"),
        ("{\"a\":\"jane@example.test\",\"a\":\"x\"}", "{\"a\":\"[REDACTED]\",\"a\":\"x\"}"),
        ("{\"password\":\"x\",\"password\":null}", "{\"password\":\"[REDACTED]\",\"password\":null}"),
        ("error: password=x", "error: password=[REDACTED]"),
    ] {
        assert_eq!(redact_text(text), redacted);
    }
}

#[test]
fn what_is_nested_too_deep_is_not_kept_raw() {
    let mut deep = "jane@example.test".to_owned();
    for _ in 0..9 {
        deep = serde_json::to_string(&deep).expect("text");
    }
    assert!(!redact_text(&deep).contains("jane"));
    let mut value = json!("jane@example.test");
    for _ in 0..DEPTH_MAX {
        value = json!([value]);
    }
    assert!(redact_json(value).is_err());
}

#[test]
fn base64_hides_nothing() {
    assert_eq!(redact_text(&STANDARD.encode("mail jane.doe@example.test now")), REDACTED);
    let harmless = STANDARD.encode("what is retention?!");
    assert_eq!(redact_text(&harmless), harmless);
}

fn secrets() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}@[a-z]{1,8}\\.(com|test|io)",
        "sk-[a-zA-Z0-9]{8,40}",
        "AKIA[A-Z0-9]{16}",
        "gh[pousr]_[A-Za-z0-9]{36}",
        "glpat-[A-Za-z0-9]{20}",
        "xox[bp]-[0-9]{12}-[a-zA-Z0-9]{24}",
        "eyJ[A-Za-z0-9]{10,20}\\.eyJ[A-Za-z0-9]{10,20}\\.[A-Za-z0-9]{20,43}",
        "[2-6][0-9]{14}".prop_map(|digits| {
            let check = (b'0'..=b'9').map(char::from).find(|last| numbers::is_card(&format!("{digits}{last}")));
            format!("{digits}{}", check.expect("one digit completes it"))
        }),
        "[1-8][0-9]{2}-[1-9][0-9]-[1-9][0-9]{3}".prop_filter("given out", |ssn| !ssn.starts_with("666")),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        secrets().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-z_]{1,8}|password|api_key|max_tokens|text", inner.clone(), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            inner.prop_map(|value| Value::String(value.to_string())),
        ]
    })
}

/// Beginnings of encodings and of forms, and characters of several bytes that may stand within them.
const BROKEN: &str = "[\u{1b}(\\[\\])\\\\uxn%&;#\"'`|:=,<>/{}@* \n\u{a0}\u{e9}\u{200b}\u{201c}\u{ff1a}\u{ff50}\u{1f600}]|password|token|is |send|curl -u|htpasswd -b|kty|:5432:|wifi:|value|name|\u{1b}\\[0m|--password-stdin|echo |user,|default|variable|API key|quot;";

proptest! {
    #[test]
    fn no_generated_secret_survives(before in "[a-z ,.]{0,12}", secret in secrets(), after in "[ ,;\"][a-z ]{0,12}") {
        let text = format!("{before} {secret}{after}");
        prop_assert!(!redact_text(&text).contains(&secret), "{}", redact_text(&text));
        let json = json!({"k": {"inner": json!([text.clone()]).to_string()}}).to_string();
        prop_assert!(!redact_text(&json).contains(&secret));
    }

    #[test]
    fn twice_is_once(text in ".{0,60}", secret in secrets(), tail in "[a-z:=\"' {}]{0,20}") {
        let text = format!("{text}{secret} {tail}");
        let once = redact_text(&text).into_owned();
        prop_assert_eq!(redact_text(&once), once.as_str());
    }

    #[test]
    fn json_stays_json_and_twice_is_once(value in values()) {
        let once = redact_json(value.clone()).expect("shallow");
        prop_assert_eq!(redact_json(once.clone()).expect("shallow"), once);
        let text = value.to_string();
        let redacted = redact_text(&text);
        prop_assert!(serde_json::from_str::<Value>(&redacted).is_ok(), "{} -> {}", text, redacted);
    }

    #[test]
    fn arbitrary_text_is_taken(text in any::<String>()) {
        let _ = redact_text(&text);
    }

    #[test]
    fn what_is_encoded_badly_is_taken(pieces in proptest::collection::vec(BROKEN, 0..24)) {
        let text = pieces.concat();
        let once = redact_text(&text).into_owned();
        prop_assert_eq!(redact_text(&once), once.as_str());
    }
}

#[test]
fn a_nul_does_not_hide_the_names_in_a_json_text() {
    let text = "{\"note\": \"a\0b\", \"password\": \"hunter2\"}";
    let redacted = redact_text(text);
    assert!(!redacted.contains("hunter2") && redacted.contains("a\u{FFFD}b"), "{redacted}");
    assert_eq!(redact_text(&redacted), redacted);
}
