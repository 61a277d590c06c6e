//! From settings to the parts they configure.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use crate::capture::pricing::PriceTable;
use crate::clock::{Clock, SharedClock};
use crate::config::{AccessAuditMode, AuthMode, BaseSettings, ChangeSettings, Config, JwtSettings};
use crate::domain::ids::TenantId;
use crate::domain::settle::SettlePolicy;
use crate::facade::access::{AccessAudit, AccessConfig};
use crate::facade::keys::operator;
use crate::facade::{Logs, LogsConfig};
use crate::http::HttpSettings;
use crate::http::auth::{self, AuthSettings, JwtKeys};
use crate::store::{LedgerConfig, Serving, Store, StoreConfig, holdings};

/// Connections to PostgreSQL a core, where the setting leaves it to us.
const CONNECTIONS_A_CORE: usize = 4;
/// Commands seal no traces.
const NEVER: SettlePolicy = SettlePolicy { settle_us: i64::MAX, settle_remote_us: i64::MAX, timeout_us: i64::MAX };
/// A command writes a record at a time.
const COMMAND_QUEUE_RECORDS: usize = 512;

/// Makes the data folder, and takes the database for a server that listens at this address: a SQLite file belongs to one
/// process. To be held as long as the server runs.
///
/// # Errors
/// When the folder cannot be made, when there is no database and none may be made, or another process has it.
pub fn claim(config: &Config, address: SocketAddr, clock: &dyn Clock) -> Result<Serving, AppError> {
    if config.changes.no_migrate {
        require_file(&config.base)?;
    }
    std::fs::create_dir_all(&config.base.data_dir)
        .map_err(|error| AppError::new(format!("data-dir: {}: {error}", config.base.data_dir.display())))?;
    let (process, since) = (std::process::id(), clock.now().to_rfc3339());
    let holder = format!("runledger serve, process {process}, which listens at {address} since {since}");
    Ok(Serving::begin(config.base.database_url.expose(), &holder)?)
}

/// Connects for a server.
///
/// # Errors
/// When the database cannot be reached or used.
pub async fn open_store(config: &Config, clock: SharedClock) -> Result<Store, AppError> {
    let settle = SettlePolicy {
        settle_us: micros(config.trace_settle),
        settle_remote_us: micros(config.trace_settle_remote),
        timeout_us: micros(config.trace_timeout),
    };
    let store = StoreConfig {
        database_url: config.base.database_url.expose().to_owned(),
        migrate: !config.changes.no_migrate,
        pool_size: pool_size(&config.base),
        settle,
        queue_records: usize::try_from(config.queue_records).unwrap_or(usize::MAX),
        ledger: LedgerConfig::of(&config.base.ledger_origin),
    };
    Ok(Store::connect(store, clock).await?)
}

/// The facade and its store for commands that serve and capture nothing.
///
/// # Errors
/// When the database cannot be reached or used, or lacks changes that the settings do not let be applied.
pub async fn open_for_command(
    base: &BaseSettings,
    changes: &ChangeSettings,
    clock: SharedClock,
) -> Result<(Logs, Store), AppError> {
    if changes.no_migrate {
        require_file(base)?;
    }
    let config = StoreConfig {
        database_url: base.database_url.expose().to_owned(),
        migrate: !changes.no_migrate,
        pool_size: 1,
        settle: NEVER,
        queue_records: COMMAND_QUEUE_RECORDS,
        ledger: LedgerConfig::of(&base.ledger_origin),
    };
    let store = Store::connect(config, Arc::clone(&clock)).await?;
    let logs = command_logs(&store, clock)?;
    logs.record_migrations(store.migrations(), Some(operator())).await?;
    Ok((logs, store))
}

/// The same for commands that only look: nothing in the database is changed or made, not even its schema.
///
/// # Errors
/// When there is no database, or it cannot be reached or lacks changes.
pub async fn open_to_look(base: &BaseSettings, clock: SharedClock) -> Result<(Logs, Store), AppError> {
    require_file(base)?;
    let store = Store::open_reader(base.database_url.expose(), 1, Arc::clone(&clock)).await?;
    Ok((command_logs(&store, clock)?, store))
}

/// A command that may not make a database says that there is none.
///
/// # Errors
/// Names the file that is not there.
pub fn require_file(base: &BaseSettings) -> Result<(), AppError> {
    match holdings::missing_file(base.database_url.expose())? {
        None => Ok(()),
        Some(file) => {
            let file = file.display();
            let message =
                format!("database-url: there is no file {file}: name the right one, or make it (runledger migrate up)");
            Err(AppError::new(message))
        }
    }
}

fn command_logs(store: &Store, clock: SharedClock) -> Result<Logs, AppError> {
    let logs = LogsConfig {
        prices: Arc::new(PriceTable::embedded()?),
        content_capture: HashSet::new(),
        settle_us: NEVER.settle_us,
        access: AccessConfig { audit: AccessAudit::Strict, identifies_callers: true },
        idempotency_expiry_us: i64::MAX,
        telemetry_retention_us: i64::MAX,
    };
    Ok(Logs::new(store.clone(), clock, logs))
}

/// The facade over a store.
///
/// # Errors
/// When the price table or a tenant's name is wrong.
pub fn open_logs(config: &Config, store: Store, clock: SharedClock) -> Result<Logs, AppError> {
    let tenants: Result<HashSet<TenantId>, _> = config.content_capture.iter().map(TenantId::parse).collect();
    let logs = LogsConfig {
        prices: Arc::new(prices(config)?),
        content_capture: tenants?,
        settle_us: micros(config.trace_settle),
        access: AccessConfig {
            audit: match config.access_audit {
                AccessAuditMode::Strict => AccessAudit::Strict,
                AccessAuditMode::Async => AccessAudit::Async,
                AccessAuditMode::Off => AccessAudit::Off,
            },
            identifies_callers: config.auth == AuthMode::Required,
        },
        idempotency_expiry_us: micros(config.idempotency_expiry),
        telemetry_retention_us: micros(config.telemetry_retention),
    };
    Ok(Logs::new(store, clock, logs))
}

fn prices(config: &Config) -> Result<PriceTable, AppError> {
    let Some(path) = &config.prices else { return Ok(PriceTable::embedded()?) };
    let refuse = |reason: String| AppError::setting(format!("prices: {}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    PriceTable::parse(&text).map_err(|error| refuse(error.message().to_owned()))
}

pub(super) fn pool_size(base: &BaseSettings) -> u32 {
    if base.pool_size > 0 {
        return base.pool_size;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores * CONNECTIONS_A_CORE).unwrap_or(u32::MAX)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn http_settings(config: &Config) -> HttpSettings {
    HttpSettings {
        auth: match config.auth {
            AuthMode::Off => AuthSettings::Off,
            AuthMode::Required => AuthSettings::Required(jwt_settings(&config.jwt)),
        },
        rate_limit: config.rate_limit,
        cors_origins: config.cors_origins.clone(),
        allowed_hosts: config.allowed_hosts.clone(),
        has_tls: config.tls_cert.is_some(),
        access_log: config.access_log,
        graphql_body_bytes: usize::try_from(config.graphql.graphql_body_bytes).unwrap_or(usize::MAX),
        graphql_answer_bytes: usize::try_from(config.graphql.graphql_answer_bytes).unwrap_or(usize::MAX),
    }
}

fn jwt_settings(jwt: &JwtSettings) -> Option<auth::JwtSettings> {
    let secret = jwt.jwt_hs256_secret.as_ref().map(|secret| JwtKeys::Hs256(secret.expose().to_owned()));
    let file = || jwt.jwt_jwks_file.clone().map(JwtKeys::JwksFile);
    let url = || jwt.jwt_jwks_url.clone().map(JwtKeys::JwksUrl);
    Some(auth::JwtSettings {
        keys: secret.or_else(file).or_else(url)?,
        issuer: jwt.jwt_issuer.clone(),
        audience: jwt.jwt_audience.clone(),
        tenant_claim: jwt.jwt_tenant_claim.clone(),
        actor_claim: jwt.jwt_actor_claim.clone(),
        scope_claim: jwt.jwt_scope_claim.clone(),
        leeway: jwt.jwt_leeway,
    })
}
