use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub(in crate::http::auth) use self::signing::signer;
use super::*;
use crate::error::Code;

mod signing;

// Keys of these tests and of nothing else.
const RSA: &str = include_str!("rsa.test.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("rsa.test.pub.pem");
const EC: &str = include_str!("ec.test.pem");
const ED: &str = include_str!("ed.test.pem");
/// The public halves.
const PUBLIC: &str = include_str!("public.test.json");
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What stands between the first and the last line of a PEM file.
fn der(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(text).expect("base64")
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(&der(RSA))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(&der(EC))
}

fn ed() -> EncodingKey {
    EncodingKey::from_ed_der(&der(ED))
}

fn hs() -> EncodingKey {
    EncodingKey::from_secret(SECRET.as_bytes())
}

fn settings(keys: JwtKeys) -> JwtSettings {
    JwtSettings {
        keys,
        issuer: Some("https://issuer.test".to_owned()),
        audience: Some("runledger".to_owned()),
        tenant_claim: "tenant".to_owned(),
        actor_claim: "sub".to_owned(),
        scope_claim: "scope".to_owned(),
        leeway: Duration::from_secs(30),
    }
}

fn with_secret() -> JwtVerifier {
    JwtVerifier::new(&settings(JwtKeys::Hs256(SECRET.to_owned()))).expect("verifier")
}

fn jwks() -> Value {
    let mut keys: Vec<Value> = serde_json::from_str(PUBLIC).expect("JSON");
    // A symmetric key in a public document: must never be used.
    keys.push(
        json!({ "kty": "oct", "kid": "oct", "alg": "HS256", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" }),
    );
    keys.push(json!({ "kty": "NEW", "kid": "unknown-type" }));
    json!({ "keys": keys })
}

fn with_jwks(document: &Value) -> JwtVerifier {
    let mut file = tempfile::NamedTempFile::new().expect("file");
    file.write_all(document.to_string().as_bytes()).expect("written");
    JwtVerifier::new(&settings(JwtKeys::JwksFile(file.path().to_owned()))).expect("verifier")
}

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

fn claims() -> Value {
    json!({ "iss": "https://issuer.test", "aud": "runledger", "exp": now() + 60, "tenant": "acme", "sub": "ada", "scope": "runs:read other:thing payloads:read" })
}

fn sign(claims: &Value, algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).expect("token")
}

async fn refused(verifier: &JwtVerifier, token: &str, why: &str) {
    let error = verifier.verify(token).await.expect_err(why);
    assert_eq!(error.code(), Code::Unauthenticated, "{why}");
}

#[tokio::test]
async fn claims_become_a_scope() {
    let scope = with_secret().verify(&sign(&claims(), Algorithm::HS256, None, &hs())).await.expect("valid");
    assert_eq!((scope.tenant.as_str(), scope.actor.id.as_str()), ("acme", "ada"));
    assert_eq!(scope.actor.actor_type, ActorType::Human);
    assert_eq!(scope.permissions.iter().collect::<Vec<_>>(), [Permission::RunsRead, Permission::PayloadsRead]);

    let mut verifier = with_secret();
    verifier.settings.tenant_claim = "https://acme.test/tenant".to_owned();
    verifier.settings.actor_claim = "client".to_owned();
    verifier.settings.scope_claim = "scp".to_owned();
    let mut other = claims();
    other["https://acme.test/tenant"] = "b".into();
    other["client"] = "agent-7".into();
    other["scp"] = json!(["runs:write", 7, "nonsense"]);
    other["actor_type"] = "AGENT".into();
    let scope = verifier.verify(&sign(&other, Algorithm::HS256, None, &hs())).await.expect("valid");
    assert_eq!((scope.tenant.as_str(), scope.actor.id.as_str()), ("b", "agent-7"));
    assert_eq!(scope.actor.actor_type, ActorType::Agent);
    assert_eq!(scope.permissions.iter().collect::<Vec<_>>(), [Permission::RunsWrite]);
}

#[tokio::test]
async fn every_claim_that_is_checked_is_needed() {
    let verifier = with_secret();
    let cases: [(&str, Value); 29] = [
        ("exp", json!(now() - 31)),
        ("exp", Value::Null),
        ("exp", json!("soon")),
        ("nbf", json!(now() + 60)),
        ("iss", json!("https://other.test")),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", Value::Null),
        ("tenant", Value::Null),
        ("tenant", json!("platform")),
        ("tenant", json!("x".repeat(129))),
        ("sub", json!("")),
        ("actor_type", json!("GOD")),
        ("tenant", json!("acme\n")),
        ("tenant", json!(" acme")),
        ("tenant", json!("plat\u{200b}form")),
        ("tenant", json!(["acme"])),
        ("sub", json!("key:0011223344556677")),
        ("sub", json!("Key:1")),
        ("sub", json!("operator")),
        ("sub", json!("anonymous")),
        ("sub", json!("server")),
        ("sub", json!("operator ")),
        ("sub", json!("oper\u{ad}ator")),
        ("sub", json!("key :1")),
        ("sub", json!("key\u{ff1a}1")),
        ("sub", json!("\u{ff4f}perator")),
        ("sub", json!("a\nb")),
        ("sub", json!("otlp")),
    ];
    for (claim, value) in cases {
        let mut claims = claims();
        match value {
            Value::Null => drop(claims.as_object_mut().expect("object").remove(claim)),
            ref value => claims[claim] = value.clone(),
        }
        refused(&verifier, &sign(&claims, Algorithm::HS256, None, &hs()), &format!("{claim}: {value}")).await;
    }
    let mut late = claims();
    late["exp"] = json!(now() - 5);
    verifier.verify(&sign(&late, Algorithm::HS256, None, &hs())).await.expect("within the leeway");
}

#[tokio::test]
async fn each_key_type_verifies_its_own_algorithm() {
    let verifier = with_jwks(&jwks());
    for (algorithm, kid, key) in
        [(Algorithm::RS256, "rsa", rsa()), (Algorithm::ES256, "ec", ec()), (Algorithm::EdDSA, "ed", ed())]
    {
        verifier.verify(&sign(&claims(), algorithm, Some(kid), &key)).await.expect(kid);
        verifier.verify(&sign(&claims(), algorithm, None, &key)).await.expect("the only key of its kind");
    }
    refused(&verifier, &sign(&claims(), Algorithm::RS256, Some("no-such"), &rsa()), "unknown kid").await;
    refused(&verifier, &sign(&claims(), Algorithm::RS512, Some("rsa"), &rsa()), "an algorithm that is not taken").await;
    refused(&verifier, &sign(&claims(), Algorithm::ES256, Some("rsa"), &ec()), "another key's kid").await;
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let verifier = with_jwks(&jwks());
    let document = jwks();
    let modulus = document["keys"][0]["n"].as_str().expect("text").as_bytes();
    for secret in [RSA_PUBLIC, modulus, SECRET.as_bytes(), b""] {
        let key = EncodingKey::from_secret(secret);
        for kid in [Some("rsa"), Some("oct"), None] {
            refused(&verifier, &sign(&claims(), Algorithm::HS256, kid, &key), "HS256 with a public key").await;
        }
    }
    // And a server with a secret takes no public-key token.
    refused(&with_secret(), &sign(&claims(), Algorithm::RS256, None, &rsa()), "RS256 for a secret").await;
}

#[tokio::test]
async fn unsigned_and_altered_tokens_are_refused() {
    let encode = |json: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json);
    let body = encode(&claims().to_string());
    for verifier in [with_secret(), with_jwks(&jwks())] {
        for alg in ["none", "None", "NONE", ""] {
            let head = encode(&json!({ "alg": alg, "typ": "JWT" }).to_string());
            refused(&verifier, &format!("{head}.{body}."), "alg none").await;
        }
        refused(&verifier, "a.b.c", "noise").await;
        refused(&verifier, "", "nothing").await;
    }
    let token = sign(&claims(), Algorithm::HS256, None, &hs());
    let (head, rest) = token.split_once('.').expect("three parts");
    let signature = rest.split_once('.').expect("three parts").1;
    let mut altered = claims();
    altered["tenant"] = "other".into();
    refused(&with_secret(), &format!("{head}.{}.{signature}", encode(&altered.to_string())), "altered").await;
    refused(&with_secret(), &format!("{head}.{body}."), "signature cut off").await;
    let crit = encode(&json!({ "alg": "HS256", "crit": ["x"], "x": 1 }).to_string());
    refused(&with_secret(), &format!("{crit}.{body}.{signature}"), "crit").await;
}

#[test]
fn a_document_without_a_usable_key_is_refused_at_start() {
    let documents = [
        "".to_owned(),
        "{}".to_owned(),
        json!({ "keys": [] }).to_string(),
        json!({ "keys": [jwks()["keys"][3]] }).to_string(),
        json!({ "keys": vec![jwks()["keys"][0].clone(); 101] }).to_string(),
    ];
    for document in documents {
        assert!(super::super::jwks::Keys::parse(document.as_bytes()).is_err(), "{document:.80}");
    }
    let mut encryption = jwks()["keys"][0].clone();
    encryption["use"] = "enc".into();
    assert!(super::super::jwks::Keys::parse(json!({ "keys": [encryption] }).to_string().as_bytes()).is_err());
}

#[tokio::test]
async fn a_url_is_asked_once_however_many_unknown_keys_come() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    let serve = axum::routing::get(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { jwks().to_string() }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
    let url = format!("http://{}/jwks", listener.local_addr().expect("address"));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/jwks", serve)).await });
    let verifier = JwtVerifier::new(&settings(JwtKeys::JwksUrl(url))).expect("verifier");
    verifier.verify(&sign(&claims(), Algorithm::ES256, Some("ec"), &ec())).await.expect("valid");
    for number in 0..20 {
        let kid = format!("unknown-{number}");
        refused(&verifier, &sign(&claims(), Algorithm::ES256, Some(&kid), &ec()), &kid).await;
    }
    assert_eq!(hits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_any_keys_yet_the_answer_is_come_again() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let verifier =
        JwtVerifier::new(&settings(JwtKeys::JwksUrl("http://127.0.0.1:1/jwks".to_owned()))).expect("verifier");
    let error = verifier.verify(&sign(&claims(), Algorithm::ES256, Some("ec"), &ec())).await.expect_err("no keys");
    assert_eq!(error.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_claim_that_is_there_twice_is_refused() {
    let encode = |json: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(json);
    let claims = claims().to_string();
    let head = encode(&json!({ "alg": "HS256", "typ": "JWT" }).to_string());
    let sign = |claims: &str| {
        let message = format!("{head}.{}", encode(claims));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, message.as_bytes()));
        format!("{message}.{signature}")
    };
    with_secret().verify(&sign(&claims)).await.expect("once");
    for (claim, value) in [("tenant", "other"), ("sub", "eve"), ("scope", "admin"), ("t\\u0065nant", "other")] {
        let last = format!("{},\"{claim}\":\"{value}\"}}", &claims[..claims.len() - 1]);
        let first = format!("{{\"{claim}\":\"{value}\",{}", &claims[1..]);
        for twice in [last, first] {
            refused(&with_secret(), &sign(&twice), claim).await;
        }
    }
}

#[tokio::test]
async fn a_token_that_names_an_actor_of_the_server_is_told_so() {
    let mut claims = claims();
    claims["sub"] = json!("key:0011");
    claims["actor_type"] = json!("SYSTEM");
    let error = with_secret().verify(&sign(&claims, Algorithm::HS256, None, &hs())).await.expect_err("refused");
    assert!(error.message().contains("sub") && error.message().contains("key:"), "{}", error.message());
    claims["sub"] = json!("ada");
    claims["tenant"] = json!("platform");
    let error = with_secret().verify(&sign(&claims, Algorithm::HS256, None, &hs())).await.expect_err("refused");
    assert!(error.message().contains("reserved"), "{}", error.message());
}
