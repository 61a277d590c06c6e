//! The GraphiQL page: built files inside the binary, so that it works with no outside host.
//!
//! Assets lie under a path with a digest of all of them and may be cached for ever; the page that names this path is
//! revalidated each time. The policy lets the page run its own scripts and talk to its own server, nothing else.

use std::io::Read;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("assets/graphiql/dist/index.html");

/// The one hash is of the style that GraphiQL's dialogs add to keep the page behind them from scrolling.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='; \
    img-src 'self' data:; font-src data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const COMMON: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
];

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    is_gzip: bool,
}

static ASSETS: [Asset; 4] = [
    Asset {
        name: "app.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("assets/graphiql/dist/app.js.gz"),
        is_gzip: true,
    },
    Asset {
        name: "app.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/graphiql/dist/app.css.gz"),
        is_gzip: true,
    },
    Asset {
        name: "favicon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("assets/graphiql/dist/favicon.svg"),
        is_gzip: false,
    },
    Asset {
        name: "LICENSES.txt",
        content_type: "text/plain; charset=utf-8",
        bytes: include_bytes!("assets/graphiql/dist/LICENSES.txt"),
        is_gzip: false,
    },
];

/// Names one build of all assets: a part of their path, and of the page's ETag.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Sha256::new();
    hasher.update(PAGE);
    for asset in &ASSETS {
        hasher.update(asset.bytes);
    }
    hex::encode(&hasher.finalize()[..8])
});

/// `GET /` (to the page), `GET /graphiql` and the files it asks for. They need no credentials: what the page shows is
/// fetched from `/graphql`, with the key that a person types into it.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/graphiql") }))
        .route("/graphiql", get(page))
        .route("/graphiql/", get(|| async { Redirect::permanent("/graphiql") }))
        .route("/graphiql/assets/{version}/{name}", get(asset))
}

async fn page(request: HeaderMap) -> Response {
    let etag = format!("\"{}\"", *VERSION);
    let headers = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, etag.clone())];
    if is_known(&request, &etag) {
        return (StatusCode::NOT_MODIFIED, COMMON, headers).into_response();
    }
    let body = PAGE.replace("{{version}}", &VERSION);
    (COMMON, headers, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

async fn asset(Path((version, name)): Path<(String, String)>, request: HeaderMap) -> Response {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = found.filter(|_| version == *VERSION) else {
        return (StatusCode::NOT_FOUND, COMMON, "no such asset: reload /graphiql\n").into_response();
    };
    let etag = format!("\"{}-{}\"", *VERSION, asset.name);
    let headers = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::ETAG, etag.clone()),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    if is_known(&request, &etag) {
        return (StatusCode::NOT_MODIFIED, COMMON, headers).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, asset.content_type)];
    if !asset.is_gzip {
        return (COMMON, headers, content_type, Bytes::from_static(asset.bytes)).into_response();
    }
    if takes_gzip(&request) {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        return (COMMON, headers, content_type, encoding, Bytes::from_static(asset.bytes)).into_response();
    }
    let mut plain = Vec::new();
    match GzDecoder::new(asset.bytes).read_to_end(&mut plain) {
        Ok(_) => (COMMON, headers, content_type, plain).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Does the client hold this very version? Weak comparison, as `If-None-Match` asks for.
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING);
    values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        is_named && !parts.any(|weight| weight.trim_start_matches("q=").parse() == Ok(0.0_f32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn fetch(path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = routes::<()>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    fn asset_path(name: &str) -> String {
        format!("/graphiql/assets/{}/{name}", *VERSION)
    }

    #[tokio::test]
    async fn root_leads_to_the_page() {
        let (status, headers, _) = fetch("/", &[]).await;
        assert_eq!((status, headers[header::LOCATION].as_bytes()), (StatusCode::TEMPORARY_REDIRECT, &b"/graphiql"[..]));
    }

    #[tokio::test]
    async fn page_names_only_assets_that_are_served() {
        let (status, headers, body) = fetch("/graphiql", &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(!html.contains("{{"), "a placeholder was left: {html}");
        let paths: Vec<&str> = html.split('"').filter(|part| part.starts_with('/')).collect();
        assert_eq!(paths.len(), 3);
        for path in paths {
            let (status, headers, _) = fetch(path, &[]).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        }
    }

    #[tokio::test]
    async fn page_has_no_inline_code_and_a_policy_that_would_refuse_it() {
        let (_, headers, body) = fetch("/graphiql", &[]).await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe-"), "{policy}");
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(html.matches("<script").count() == 1 && html.contains("></script>"), "{html}");
        assert!(!html.contains("<style") && !html.contains("http://") && !html.contains("https://"), "{html}");
    }

    #[tokio::test]
    async fn what_the_client_holds_is_not_sent_again() {
        for path in ["/graphiql".to_owned(), asset_path("app.js")] {
            let (_, headers, _) = fetch(&path, &[]).await;
            let etag = headers[header::ETAG].to_str().unwrap();
            let weak = format!("\"other\", W/{etag}");
            for tag in [etag, &weak] {
                let (status, _, body) = fetch(&path, &[("if-none-match", tag)]).await;
                assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
            }
            let (status, _, _) = fetch(&path, &[("if-none-match", "\"other\"")]).await;
            assert_eq!(status, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn packed_and_plain_bodies_hold_the_same() {
        let path = asset_path("app.css");
        let (_, headers, packed) = fetch(&path, &[("accept-encoding", "br, gzip;q=0.5")]).await;
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip");
        for refusal in ["identity", "gzip;q=0", "br"] {
            let (_, headers, plain) = fetch(&path, &[("accept-encoding", refusal)]).await;
            assert!(!headers.contains_key(header::CONTENT_ENCODING), "{refusal}");
            let mut unpacked = Vec::new();
            GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(plain, unpacked);
        }
    }

    #[tokio::test]
    async fn another_version_or_name_is_not_found() {
        for path in ["/graphiql/assets/0000000000000000/app.js".to_owned(), asset_path("app.ts")] {
            assert_eq!(fetch(&path, &[]).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
