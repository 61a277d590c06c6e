//! Every setting, once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::{
    OptionalAddress, Secret, parse_address, parse_bool, parse_duration, parse_log_level, parse_optional_address,
    parse_origin, whole,
};

/// Whether callers must prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// An API key or a JWT with every request.
    Required,
    /// Nothing is asked; only for loopback addresses.
    Off,
}

/// When a read of evidence is on record in the access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessAuditMode {
    /// Before its answer leaves; a read that cannot be recorded is refused.
    Strict,
    /// Soon after: reads wait in a bounded queue, whose end a crash may lose; with a full queue it is strict.
    Async,
    /// Never.
    Off,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings of every command that opens the database.
#[derive(Args, Clone, Debug)]
pub struct BaseSettings {
    /// Database: `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME`. A file that is missing is made by `serve` and by
    /// commands that write, not by those that look.
    #[arg(
        long,
        env = "RUNLEDGER_DATABASE_URL",
        default_value = "sqlite://runledger.db",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_url: Secret,
    /// Folder for what is kept outside the database.
    #[arg(long, env = "RUNLEDGER_DATA_DIR", default_value = "runledger-data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Name of this ledger on its checkpoints and keys: one that nobody else uses, such as a host name. It stays as it is
    /// once there are records.
    #[arg(long, env = "RUNLEDGER_LEDGER_ORIGIN", default_value = "runledger", value_parser = parse_origin, value_name = "NAME")]
    pub ledger_origin: String,
    /// File of the key that signs checkpoints, made on first start; `ledger.key` in the data folder when absent.
    #[arg(long, env = "RUNLEDGER_LEDGER_KEY", value_name = "FILE")]
    pub ledger_key: Option<PathBuf>,
    /// Connections to PostgreSQL; 0 is four a core.
    #[arg(long, env = "RUNLEDGER_POOL_SIZE", default_value = "0", value_parser = whole(0_u32..=1000), value_name = "N")]
    pub pool_size: u32,
    /// Form of log lines.
    #[arg(long, env = "RUNLEDGER_LOG_FORMAT", default_value = "text", value_enum)]
    pub log_format: LogFormat,
    /// What is logged: `off`, `error`, `warn`, `info`, `debug`, `trace`, or one of them and others for parts of the program,
    /// like `info,runledger::http=debug`.
    #[arg(long, env = "RUNLEDGER_LOG_LEVEL", default_value = "info", value_parser = parse_log_level, value_name = "LEVEL")]
    pub log_level: String,
}

/// Settings of every command that writes to the database.
#[derive(Args, Clone, Debug)]
pub struct ChangeSettings {
    /// Leave the database's schema alone at start, and refuse to start when it is not up to date.
    #[arg(long, env = "RUNLEDGER_NO_MIGRATE", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = parse_bool, value_name = "BOOL")]
    pub no_migrate: bool,
}

/// How a JWT is checked. One of secret, file and URL turns JWT on.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "JWT")]
pub struct JwtSettings {
    /// Shared secret of HS256 tokens, at least 32 bytes.
    #[arg(long, env = "RUNLEDGER_JWT_HS256_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub jwt_hs256_secret: Option<Secret>,
    /// JWKS file with the public keys of RS256, ES256 or EdDSA tokens.
    #[arg(long, env = "RUNLEDGER_JWT_JWKS_FILE", value_name = "FILE")]
    pub jwt_jwks_file: Option<PathBuf>,
    /// JWKS URL with those keys; https, or http on this machine.
    #[arg(long, env = "RUNLEDGER_JWT_JWKS_URL", value_name = "URL")]
    pub jwt_jwks_url: Option<String>,
    /// The `iss` that tokens must have.
    #[arg(long, env = "RUNLEDGER_JWT_ISSUER", value_name = "TEXT")]
    pub jwt_issuer: Option<String>,
    /// The `aud` that tokens must have; needed with JWKS, where one issuer serves many applications.
    #[arg(long, env = "RUNLEDGER_JWT_AUDIENCE", value_name = "TEXT")]
    pub jwt_audience: Option<String>,
    /// Claim that names the tenant.
    #[arg(long, env = "RUNLEDGER_JWT_TENANT_CLAIM", default_value = "tenant", value_name = "CLAIM")]
    pub jwt_tenant_claim: String,
    /// Claim that names the actor.
    #[arg(long, env = "RUNLEDGER_JWT_ACTOR_CLAIM", default_value = "sub", value_name = "CLAIM")]
    pub jwt_actor_claim: String,
    /// Claim with the scopes: text with spaces between them, or a list.
    #[arg(long, env = "RUNLEDGER_JWT_SCOPE_CLAIM", default_value = "scope", value_name = "CLAIM")]
    pub jwt_scope_claim: String,
    /// How far clocks may differ when `exp` and `nbf` are checked; at most 5m.
    #[arg(long, env = "RUNLEDGER_JWT_LEEWAY", default_value = "30s", value_parser = parse_duration, value_name = "DURATION")]
    pub jwt_leeway: Duration,
}

/// Limits of one GraphQL request.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "GraphQL limits")]
pub struct GraphqlSettings {
    /// Bytes of a request's body.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_BODY_BYTES", default_value = "2097152", value_parser = whole(1024_u64..=67_108_864), value_name = "N")]
    pub graphql_body_bytes: u64,
    /// Tokens of the document.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_TOKENS", default_value = "10000", value_parser = whole(1_u32..=1_000_000), value_name = "N")]
    pub graphql_tokens: u32,
    /// Nesting of fields.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_DEPTH", default_value = "15", value_parser = whole(1_u32..=100), value_name = "N")]
    pub graphql_depth: u32,
    /// Cost of the query: fields times the rows that they may give.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_COMPLEXITY", default_value = "50000", value_parser = whole(1_u32..=10_000_000), value_name = "N")]
    pub graphql_complexity: u32,
    /// Selections after fragments are expanded.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_SELECTIONS", default_value = "10000", value_parser = whole(1_u32..=1_000_000), value_name = "N")]
    pub graphql_selections: u32,
    /// Aliases.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_ALIASES", default_value = "100", value_parser = whole(0_u32..=10_000), value_name = "N")]
    pub graphql_aliases: u32,
    /// Directives.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_DIRECTIVES", default_value = "20", value_parser = whole(0_u32..=1_000), value_name = "N")]
    pub graphql_directives: u32,
    /// Fields of the query itself.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_ROOT_FIELDS", default_value = "20", value_parser = whole(1_u32..=1_000), value_name = "N")]
    pub graphql_root_fields: u32,
    /// Bytes of an answer, before compression; 64 kB to 1 GB.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_ANSWER_BYTES", default_value = "33554432", value_parser = whole(65_536_u64..=1_073_741_824), value_name = "N")]
    pub graphql_answer_bytes: u64,
    /// Time to execute a request; 100ms to 5m.
    #[arg(long, env = "RUNLEDGER_GRAPHQL_TIMEOUT", default_value = "10s", value_parser = parse_duration, value_name = "DURATION")]
    pub graphql_timeout: Duration,
    /// Whether the schema can be asked for.
    #[arg(long, env = "RUNLEDGER_INTROSPECTION", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = parse_bool, value_name = "BOOL")]
    pub introspection: bool,
    /// Whether errors suggest names of fields.
    #[arg(long, env = "RUNLEDGER_SUGGESTIONS", default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = parse_bool, value_name = "BOOL")]
    pub suggestions: bool,
}

/// Every setting of the server.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Of every command.
    #[command(flatten)]
    pub base: BaseSettings,
    /// Address of GraphQL, GraphiQL and OTLP/HTTP; a port alone, like `:8080`, is of 127.0.0.1.
    #[arg(long, env = "RUNLEDGER_LISTEN", default_value = "127.0.0.1:8080", value_parser = parse_address, value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Address of OTLP/gRPC; empty is off.
    #[arg(long, env = "RUNLEDGER_OTLP_GRPC_LISTEN", default_value = "127.0.0.1:4317", value_parser = parse_optional_address, value_name = "ADDRESS")]
    pub otlp_grpc_listen: OptionalAddress,
    /// Whether callers must prove who they are; `off` only on loopback addresses.
    #[arg(long, env = "RUNLEDGER_AUTH", default_value = "required", value_enum)]
    pub auth: AuthMode,
    /// What may be done to the schema.
    #[command(flatten)]
    pub changes: ChangeSettings,
    /// TLS certificate chain, PEM.
    #[arg(long, env = "RUNLEDGER_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// TLS private key, PEM.
    #[arg(long, env = "RUNLEDGER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Origins whose pages may call the API, like `https://app.example.com`; comma between them.
    #[arg(long, env = "RUNLEDGER_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origins: Vec<String>,
    /// Host names under which the server may be asked, beside loopback; comma between them. Checked where authentication
    /// is off, and wherever this is set.
    #[arg(long, env = "RUNLEDGER_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub allowed_hosts: Vec<String>,
    /// Connections that may be open at a time; 0 is what the limit of open files allows, at most 4096. One address has as
    /// many as it leaves to the others: alone half of them, which is what a proxy in front has.
    #[arg(long, env = "RUNLEDGER_CONNECTIONS", default_value = "0", value_parser = whole(0_u32..=1_000_000), value_name = "N")]
    pub connections: u32,
    /// Requests a second that one key may make, and at once; 0 is no limit.
    #[arg(long, env = "RUNLEDGER_RATE_LIMIT", default_value = "1000", value_parser = whole(0_u32..=1_000_000), value_name = "N")]
    pub rate_limit: u32,
    /// Whether each request gets a line in the log, at `info`: method, route, status, gRPC status, time, bytes, tenant, id.
    #[arg(long, env = "RUNLEDGER_ACCESS_LOG", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = parse_bool, value_name = "BOOL")]
    pub access_log: bool,
    /// When reads are recorded in the access log: `strict` before the answer leaves, `async` soon after, `off` never.
    #[arg(long, env = "RUNLEDGER_ACCESS_AUDIT", default_value = "strict", value_enum, hide_possible_values = true)]
    pub access_audit: AccessAuditMode,
    /// Time after which an idempotency key may be used for another request; 1m to 30d.
    #[arg(long, env = "RUNLEDGER_IDEMPOTENCY_EXPIRY", default_value = "24h", value_parser = parse_duration, value_name = "DURATION")]
    pub idempotency_expiry: Duration,
    /// Quiet time after which a trace whose root has arrived is sealed; 0 seals at once.
    #[arg(long, env = "RUNLEDGER_TRACE_SETTLE", default_value = "15s", value_parser = parse_duration, value_name = "DURATION")]
    pub trace_settle: Duration,
    /// The same where the root belongs to another service.
    #[arg(long, env = "RUNLEDGER_TRACE_SETTLE_REMOTE", default_value = "60s", value_parser = parse_duration, value_name = "DURATION")]
    pub trace_settle_remote: Duration,
    /// Silence after which an unfinished trace is sealed as TIMEOUT; 1s to 30d.
    #[arg(long, env = "RUNLEDGER_TRACE_TIMEOUT", default_value = "1h", value_parser = parse_duration, value_name = "DURATION")]
    pub trace_timeout: Duration,
    /// How long samples of OTLP metrics are kept; they are telemetry, no evidence. 1h to 366d.
    #[arg(long, env = "RUNLEDGER_TELEMETRY_RETENTION", default_value = "7d", value_parser = parse_duration, value_name = "DURATION")]
    pub telemetry_retention: Duration,
    /// How often what was written is verified in the background; 0 is never, at most 5m.
    #[arg(long, env = "RUNLEDGER_VERIFY_INTERVAL", default_value = "60s", value_parser = parse_duration, value_name = "DURATION")]
    pub verify_interval: Duration,
    /// Price table; the built-in one when absent.
    #[arg(long, env = "RUNLEDGER_PRICES", value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Tenants whose message text is kept (redacted); of all others only digests. Comma between them.
    #[arg(long, env = "RUNLEDGER_CONTENT_CAPTURE", value_delimiter = ',', value_name = "TENANT")]
    pub content_capture: Vec<String>,
    /// Records that may wait to be written; requests that do not fit are told to come again.
    #[arg(long, env = "RUNLEDGER_QUEUE_RECORDS", default_value = "32768", value_parser = whole(512_u32..=1_000_000), value_name = "N")]
    pub queue_records: u32,
    /// How often a log that changes is signed; 100ms to 1h.
    #[arg(long, env = "RUNLEDGER_CHECKPOINT_INTERVAL", default_value = "1s", value_parser = parse_duration, value_name = "DURATION")]
    pub checkpoint_interval: Duration,
    /// How often new checkpoints are noted in the platform's log, so that a log that is removed shows; 1s to 1d.
    #[arg(long, env = "RUNLEDGER_PLATFORM_LOG_INTERVAL", default_value = "10s", value_parser = parse_duration, value_name = "DURATION")]
    pub platform_log_interval: Duration,
    /// Time for requests to finish when the server stops; at most 10m.
    #[arg(long, env = "RUNLEDGER_SHUTDOWN_TIMEOUT", default_value = "20s", value_parser = parse_duration, value_name = "DURATION")]
    pub shutdown_timeout: Duration,
    /// JWT.
    #[command(flatten)]
    pub jwt: JwtSettings,
    /// Limits of GraphQL requests.
    #[command(flatten)]
    pub graphql: GraphqlSettings,
}
