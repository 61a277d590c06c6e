//! What settings must be together.

use std::path::Path;
use std::time::Duration;

use super::settings::{AuthMode, JwtSettings, Settings};
use super::{ConfigError, Secret};

type Check = Result<(), ConfigError>;

const HS256_SECRET_BYTES_MIN: usize = 32;
const TENANT_BYTES_MAX: usize = 128;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn check(settings: &Settings) -> Check {
    let url = settings.base.database_url.expose();
    require(
        ["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)),
        "database-url",
        "it begins with sqlite:// or postgres://",
    )?;
    check_open_server(settings)?;
    check_web(settings)?;
    check_times(settings)?;
    if let Some(prices) = &settings.prices {
        require_file("prices", prices)?;
    }
    require(
        settings.content_capture.iter().all(|tenant| tenant.len() <= TENANT_BYTES_MAX),
        "content-capture",
        "a tenant has 1 to 128 bytes",
    )?;
    check_jwt(&settings.jwt)
}

/// Without authentication everyone who reaches the port owns the data.
fn check_open_server(settings: &Settings) -> Check {
    if settings.auth == AuthMode::Required {
        return Ok(());
    }
    let addresses = [("listen", Some(settings.listen)), ("otlp-grpc-listen", settings.otlp_grpc_listen)];
    for (setting, address) in addresses {
        let is_reachable = address.is_some_and(|address| !address.ip().is_loopback());
        require(
            !is_reachable,
            setting,
            "with --auth off it must be a loopback address (127.0.0.1 or [::1]); set --auth required to listen elsewhere",
        )?;
    }
    require(
        !settings.cors_origins.iter().any(|origin| origin == "*"),
        "cors-origins",
        "with --auth off every web page could read the data; name the origins that may",
    )
}

fn check_web(settings: &Settings) -> Check {
    for origin in settings.cors_origins.iter().filter(|origin| *origin != "*") {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let is_origin = host.is_some_and(|host| is_host(host) && !host.ends_with(':'));
        let message = format!("'{origin}' is not an origin: write scheme://host or scheme://host:port, without a path");
        require(is_origin, "cors-origins", message)?;
    }
    for host in &settings.allowed_hosts {
        let message = format!("'{host}' is not a host: write a name like ledger.example.com, without scheme and path");
        require(is_host(host), "allowed-hosts", message)?;
    }
    match (&settings.tls_cert, &settings.tls_key) {
        (None, None) => Ok(()),
        (Some(cert), Some(key)) => require_file("tls-cert", cert).and_then(|()| require_file("tls-key", key)),
        (Some(_), None) => Err(ConfigError::new("tls-key", "tls-cert is set, so this must be set too")),
        (None, Some(_)) => Err(ConfigError::new("tls-cert", "tls-key is set, so this must be set too")),
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

fn check_times(settings: &Settings) -> Check {
    let within = |setting, value: Duration, min: Duration, max: Duration, text: &str| {
        require((min..=max).contains(&value), setting, format!("it is {text}, not {value:?}"))
    };
    within("trace-timeout", settings.trace_timeout, Duration::from_secs(1), 30 * DAY, "1s to 30d")?;
    within("trace-settle", settings.trace_settle, Duration::ZERO, settings.trace_timeout, "at most trace-timeout")?;
    let remote = settings.trace_settle_remote;
    within("trace-settle-remote", remote, Duration::ZERO, settings.trace_timeout, "at most trace-timeout")?;
    let signed = settings.checkpoint_interval;
    within("checkpoint-interval", signed, Duration::from_millis(100), 60 * MINUTE, "100ms to 1h")?;
    within("platform-log-interval", settings.platform_log_interval, Duration::from_secs(1), DAY, "1s to 1d")?;
    within("telemetry-retention", settings.telemetry_retention, 60 * MINUTE, 366 * DAY, "1h to 366d")?;
    within("shutdown-timeout", settings.shutdown_timeout, Duration::ZERO, 10 * MINUTE, "at most 10m")?;
    within("idempotency-expiry", settings.idempotency_expiry, MINUTE, 30 * DAY, "1m to 30d")?;
    within("jwt-leeway", settings.jwt.jwt_leeway, Duration::ZERO, 5 * MINUTE, "at most 5m")?;
    // A look that is older than five minutes tells nothing any more.
    within("verify-interval", settings.verify_interval, Duration::ZERO, 5 * MINUTE, "at most 5m")?;
    let timeout = settings.graphql.graphql_timeout;
    within("graphql-timeout", timeout, Duration::from_millis(100), 5 * MINUTE, "100ms to 5m")
}

fn check_jwt(jwt: &JwtSettings) -> Check {
    let sources = [jwt.jwt_hs256_secret.is_some(), jwt.jwt_jwks_file.is_some(), jwt.jwt_jwks_url.is_some()];
    require(
        sources.iter().filter(|is_set| **is_set).count() <= 1,
        "jwt-hs256-secret",
        "set only one of jwt-hs256-secret, jwt-jwks-file and jwt-jwks-url",
    )?;
    let secret_bytes = jwt.jwt_hs256_secret.as_ref().map(Secret::expose).map_or(HS256_SECRET_BYTES_MIN, str::len);
    require(
        secret_bytes >= HS256_SECRET_BYTES_MIN,
        "jwt-hs256-secret",
        "it has at least 32 bytes; make one with: openssl rand -hex 32",
    )?;
    if let Some(file) = &jwt.jwt_jwks_file {
        require_file("jwt-jwks-file", file)?;
    }
    if let Some(url) = &jwt.jwt_jwks_url {
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_local = local
            .iter()
            .any(|prefix| url.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])));
        let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).split(['/', '?', '#']).next();
        let has_user = authority.is_some_and(|authority| authority.contains('@'));
        require(!has_user, "jwt-jwks-url", "a URL with a user or a password is not taken: the keys in it are public")?;
        // An open http:// URL lets anyone on the way choose who may sign.
        require(url.starts_with("https://") || is_local, "jwt-jwks-url", "it is https://, or http:// on this machine")?;
    }
    let has_jwks = jwt.jwt_jwks_file.is_some() || jwt.jwt_jwks_url.is_some();
    let has_audience = jwt.jwt_audience.as_deref().is_some_and(|audience| !audience.is_empty());
    require(
        has_audience || !has_jwks,
        "jwt-audience",
        "it is needed with JWKS: the issuer signs tokens for other applications too, and this tells them apart",
    )
}

fn require(holds: bool, setting: &'static str, message: impl Into<String>) -> Check {
    if holds { Ok(()) } else { Err(ConfigError::new(setting, message)) }
}

fn require_file(setting: &'static str, path: &Path) -> Check {
    require(path.is_file(), setting, format!("there is no file {}", path.display()))
}
