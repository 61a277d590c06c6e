//! Public keys of token issuers: from a file once, or from a URL and again when a token names an unknown key.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tracing::Instrument as _;

use crate::error::{Error, Result};

const DOCUMENT_BYTES_MAX: usize = 1 << 20;
const KEYS_MAX: usize = 100;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// However many tokens name unknown keys, the URL is asked no more often.
const FETCH_INTERVAL_MIN: Duration = Duration::from_secs(10);
/// Keys older than this are read again, so that a withdrawn one goes away.
const FRESH_FOR: Duration = Duration::from_secs(300);

/// A key with the one algorithm that its type allows, whatever a token says.
pub(super) struct PinnedKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    kid: Option<String>,
}

/// The keys of one JWKS document.
#[derive(Default)]
pub(super) struct Keys(Vec<Arc<PinnedKey>>);

impl Keys {
    /// Takes the keys that sign with RS256, ES256 or EdDSA. Symmetric keys never: a public document cannot hold a secret.
    pub(super) fn parse(document: &[u8]) -> Result<Self> {
        let refuse = |message: String| Error::input("jwt-jwks", message);
        // Unknown key types are skipped, not fatal: issuers add new ones.
        let json: serde_json::Value =
            serde_json::from_slice(document).map_err(|error| refuse(format!("this is no JWKS document: {error}")))?;
        let entries = json.get("keys").and_then(serde_json::Value::as_array);
        let entries = entries.ok_or_else(|| refuse("this is no JWKS document: it has no list of keys".to_owned()))?;
        if entries.len() > KEYS_MAX {
            return Err(refuse(format!("a JWKS document has at most {KEYS_MAX} keys, this one {}", entries.len())));
        }
        let jwks = JwkSet { keys: entries.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() };
        let keys: Vec<_> = jwks.keys.iter().filter_map(pin).map(Arc::new).collect();
        if keys.is_empty() {
            return Err(refuse("no key of it can sign with RS256, ES256 or EdDSA".to_owned()));
        }
        Ok(Self(keys))
    }

    /// The key that a token names; without a name, the only one of the algorithm.
    fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Option<Arc<PinnedKey>> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        match kid {
            Some(kid) => fitting.find(|key| key.kid.as_deref() == Some(kid)).cloned(),
            None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
        }
    }
}

fn pin(jwk: &Jwk) -> Option<PinnedKey> {
    let common = &jwk.common;
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let is_for_signing = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    if !is_for_signing || common.key_algorithm.is_some_and(|given| given != named) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(PinnedKey { algorithm, key, kid: common.key_id.clone() })
}

/// Where keys are looked up.
pub(super) enum KeySource {
    /// Read once.
    Fixed(Keys),
    /// Read again when needed.
    Remote(Arc<RemoteKeys>),
}

impl KeySource {
    pub(super) fn from_file(path: &Path) -> Result<Self> {
        let document = std::fs::read(path)
            .map_err(|error| Error::input("jwt-jwks-file", format!("{}: {error}", path.display())))?;
        Keys::parse(&document).map(Self::Fixed).map_err(|error| error.at_field("jwt-jwks-file"))
    }

    pub(super) fn from_url(url: String) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        let parsed: reqwest::Url =
            url.parse().map_err(|error| Error::input("jwt-jwks-url", format!("it is no URL: {error}")))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::input("jwt-jwks-url", "a URL with a user or a password is not taken: keys are public"));
        }
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let known = Mutex::new(Known { keys: Arc::default(), read_at: None });
        Ok(Self::Remote(Arc::new(RemoteKeys { url, host, client, known, last_try: Arc::default() })))
    }

    /// The key for a token; `None` where there is none.
    ///
    /// # Errors
    /// `UNAVAILABLE` while no keys could be read yet.
    pub(super) async fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Option<Arc<PinnedKey>>> {
        match self {
            Self::Fixed(keys) => Ok(keys.find(algorithm, kid)),
            Self::Remote(remote) => remote.find(algorithm, kid).await,
        }
    }
}

struct Known {
    keys: Arc<Keys>,
    read_at: Option<Instant>,
}

/// Keys behind a URL. While it does not answer, the keys that are known stay in use.
pub(super) struct RemoteKeys {
    url: String,
    /// Its host, for the log.
    host: String,
    client: reqwest::Client,
    known: Mutex<Known>,
    /// Held while the URL is asked: one request at a time.
    last_try: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

impl RemoteKeys {
    async fn find(self: &Arc<Self>, algorithm: Algorithm, kid: Option<&str>) -> Result<Option<Arc<PinnedKey>>> {
        let (found, is_fresh, _) = self.look_up(algorithm, kid);
        if found.is_some() && is_fresh {
            return Ok(found);
        }
        let was_asked = self.refresh().await;
        let (found, _, was_read) = self.look_up(algorithm, kid);
        // While another request asks, an unknown key may be among the new ones.
        if found.is_none() && (!was_asked || !was_read) {
            let message = "the keys of the token issuer are not here yet: send the request again";
            return Err(Error::unavailable(message, if was_asked { 10_000 } else { 1_000 }));
        }
        Ok(found)
    }

    /// The key, whether the keys are fresh, and whether they were ever read.
    fn look_up(&self, algorithm: Algorithm, kid: Option<&str>) -> (Option<Arc<PinnedKey>>, bool, bool) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = known.read_at.is_some_and(|at| at.elapsed() < FRESH_FOR);
        (known.keys.find(algorithm, kid), is_fresh, known.read_at.is_some())
    }

    /// Asks the URL, unless it was asked just now; false while another request asks it. Nobody waits for that one: callers
    /// whose keys are unknown could be as many as they like. It is asked for all of them: a caller who hangs up meanwhile
    /// does not end it, or anybody could keep the keys from the others until it may be asked again.
    async fn refresh(self: &Arc<Self>) -> bool {
        let Ok(mut last_try) = Arc::clone(&self.last_try).try_lock_owned() else { return false };
        if last_try.is_some_and(|at| at.elapsed() < FETCH_INTERVAL_MIN) {
            return true;
        }
        *last_try = Some(Instant::now());
        let keys = Arc::clone(self);
        let asking = async move {
            keys.read().await;
            drop(last_try);
        };
        if let Err(error) = tokio::spawn(asking.in_current_span()).await {
            tracing::error!(?error, host = self.host, "reading the JWKS was broken off; known keys stay in use");
        }
        true
    }

    /// Asks the URL, and keeps what it answers.
    async fn read(&self) {
        match self.fetch().await {
            Ok(keys) => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                *known = Known { keys: Arc::new(keys), read_at: Some(Instant::now()) };
            }
            // A URL may hold what its owner would not want in a log.
            Err(error) => tracing::warn!(?error, host = self.host, "the JWKS cannot be read; known keys stay in use"),
        }
    }

    async fn fetch(&self) -> Result<Keys> {
        let response = self.client.get(&self.url).send().await.and_then(reqwest::Response::error_for_status);
        let mut response = response.map_err(|error| Error::internal(error.without_url()))?;
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| Error::internal(error.without_url()))? {
            document.extend_from_slice(&chunk);
            if document.len() > DOCUMENT_BYTES_MAX {
                return Err(Error::internal(format!("the JWKS has more than {DOCUMENT_BYTES_MAX} bytes")));
            }
        }
        Keys::parse(&document)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// RFC 8037, appendix A.2.
    const JWKS: &[u8] =
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[tokio::test]
    async fn known_keys_stay_in_use_while_the_url_does_not_answer() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let KeySource::Remote(remote) = KeySource::from_url("http://127.0.0.1:1/jwks".to_owned()).expect("a source")
        else {
            panic!("a URL is remote");
        };
        let keys = Arc::new(Keys::parse(JWKS).expect("keys"));
        let stale = Instant::now().checked_sub(FRESH_FOR);
        *remote.known.lock().expect("lock") =
            Known { keys, read_at: Some(stale.expect("a machine that runs for long")) };
        let _asking = remote.last_try.lock().await;
        let found = tokio::time::timeout(Duration::from_secs(1), remote.find(Algorithm::EdDSA, Some("k"))).await;
        assert!(found.expect("does not wait").expect("keys").is_some());
        // A key that is not known may be among the new ones, but nobody waits for them: there may be many who would.
        for _ in 0..100 {
            let unknown =
                tokio::time::timeout(Duration::from_secs(1), remote.find(Algorithm::EdDSA, Some("other"))).await;
            let error = unknown.expect("does not wait").err().expect("no such key yet");
            assert_eq!(error.code(), crate::error::Code::Unavailable);
        }
    }

    #[tokio::test]
    async fn a_caller_who_hangs_up_keeps_the_keys_from_nobody() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (asked, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (asking, answering) = (Arc::clone(&asked), Arc::clone(&gate));
        let serve = axum::routing::get(move || async move {
            asking.add_permits(1);
            drop(answering.acquire().await);
            JWKS
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("address"));
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/jwks", serve)).await });
        let source = KeySource::from_url(url).expect("a source");
        // The first caller is gone when the answer comes.
        tokio::select! {
            _ = source.find(Algorithm::EdDSA, Some("k")) => panic!("there is no answer yet"),
            permit = asked.acquire() => permit.expect("open").forget(),
        }
        gate.add_permits(1);
        let found = async {
            loop {
                match source.find(Algorithm::EdDSA, Some("k")).await {
                    Ok(found) => break found,
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(60), found).await.expect("the keys come");
        assert!(found.is_some());
        assert_eq!(asked.available_permits(), 0, "nobody had to ask again");
    }

    #[test]
    fn a_url_with_a_password_is_not_taken() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        for url in
            ["https://ada:hunter2@issuer.test/jwks", "https://ada@issuer.test/jwks", "https://:hunter2@issuer.test/"]
        {
            let error = KeySource::from_url(url.to_owned()).err().expect("refused");
            assert!(!error.message().contains("hunter2") && error.message().contains("password"), "{error:?}");
        }
    }
}
