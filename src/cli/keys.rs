//! `runledger keys`: API keys, and the keys of the ledger.

use std::sync::Arc;

use clap::Subcommand;

use super::said::say;
use super::{init_logs, keys_ledger};
use crate::app::{AppError, open_for_command, open_to_look};
use crate::clock::{Clock, SystemClock};
use crate::config::{BaseSettings, ChangeSettings, parse_duration};
use crate::domain::ids::TenantId;
use crate::domain::scope::{Permission, Permissions};
use crate::domain::time::Timestamp;
use crate::facade::Logs;
use crate::facade::keys::ApiKey;
use crate::store::Store;

/// Make, list and revoke API keys; show and rotate the key that signs the ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  runledger keys create --tenant acme --name collector --scopes runs:write
  runledger keys create --tenant acme --scopes runs:read,payloads:read --expires 90d
  runledger keys list --tenant acme
  runledger keys revoke --tenant acme 4f1c0b9a2d3e5f60
  runledger keys ledger show                  the vkey for those who verify receipts
  runledger keys ledger rotate")]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key and print it, this once.
    Create {
        /// The tenant that the key opens.
        #[arg(long, value_parser = parse_tenant)]
        tenant: TenantId,
        /// What the key allows, with commas between: runs:read, runs:write, payloads:read, system:read, system:write,
        /// audit:read, audit:write, exports:create, ledger:verify, platform:write, admin.
        #[arg(long, value_delimiter = ',', value_parser = parse_permission, default_value = "runs:read,runs:write")]
        scopes: Vec<Permission>,
        /// What the key is for.
        #[arg(long)]
        name: Option<String>,
        /// When it ends: a duration from now (90d) or an instant (2027-01-01T00:00:00Z); never, when absent.
        #[arg(long)]
        expires: Option<String>,
        #[command(flatten)]
        base: BaseSettings,
        #[command(flatten)]
        changes: ChangeSettings,
    },
    /// List a tenant's keys, without their secrets.
    List {
        /// The tenant.
        #[arg(long, value_parser = parse_tenant)]
        tenant: TenantId,
        #[command(flatten)]
        base: BaseSettings,
    },
    /// Revoke a key; running servers notice within seconds.
    Revoke {
        /// The tenant.
        #[arg(long, value_parser = parse_tenant)]
        tenant: TenantId,
        /// The key's id: the part between `rl_` and the next `_`.
        key_id: String,
        #[command(flatten)]
        base: BaseSettings,
        #[command(flatten)]
        changes: ChangeSettings,
    },
    /// The keys that sign the ledger's checkpoints.
    Ledger {
        #[command(subcommand)]
        action: keys_ledger::LedgerAction,
    },
}

pub(super) async fn run(args: KeysArgs) -> Result<(), AppError> {
    match args.action {
        Action::Create { tenant, scopes, name, expires, base, changes } => {
            let expires_at = expires.as_deref().map(parse_expiry).transpose()?;
            let permissions: Permissions = scopes.into_iter().collect();
            let (logs, store) = open(&base, &changes).await?;
            let made = logs.create_api_key(tenant.clone(), name, permissions, expires_at).await;
            store.close().await;
            let (key, token) = made?;
            eprintln!("key {} of tenant {tenant}; keep it now, it is not shown again:", key.key_id);
            say(token)
        }
        Action::List { tenant, base } => {
            init_logs(&base)?;
            let (logs, store) = open_to_look(&base, Arc::new(SystemClock)).await?;
            let keys = logs.list_api_keys(&tenant).await;
            store.close().await;
            let keys = keys?;
            if keys.is_empty() {
                eprintln!("tenant {tenant} has no keys here; runledger keys create --tenant {tenant} makes one");
                return Ok(());
            }
            print_table(&keys)
        }
        Action::Revoke { tenant, key_id, base, changes } => {
            let key_id = id_of(&key_id);
            let (logs, store) = open(&base, &changes).await?;
            let revoked = logs.revoke_api_key(&tenant, key_id).await;
            store.close().await;
            if !revoked? {
                return Err(AppError::new(format!("tenant {tenant} has no key {key_id}; see runledger keys list")));
            }
            eprintln!("key {key_id} of tenant {tenant} is revoked");
            Ok(())
        }
        Action::Ledger { action } => keys_ledger::run(action).await,
    }
}

fn print_table(keys: &[ApiKey]) -> Result<(), AppError> {
    say(format_args!("{:<18}{:<10}{:<28}{:<28}{:<20}SCOPES", "ID", "STATE", "CREATED", "EXPIRES", "NAME"))?;
    let now = SystemClock.now();
    for key in keys {
        let state = match (key.revoked_at, key.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "expired",
            _ => "valid",
        };
        let scopes: Vec<&str> = key.permissions.iter().map(Permission::as_str).collect();
        let expires = key.expires_at.map_or_else(|| "never".to_owned(), Timestamp::to_rfc3339);
        let name = key.name.as_deref().unwrap_or("-");
        let (id, created, scopes) = (&key.key_id, key.created_at.to_rfc3339(), scopes.join(","));
        say(format_args!("{id:<18}{state:<10}{created:<28}{expires:<28}{name:<20}{scopes}"))?;
    }
    Ok(())
}

async fn open(base: &BaseSettings, changes: &ChangeSettings) -> Result<(Logs, Store), AppError> {
    init_logs(base)?;
    open_for_command(base, changes, Arc::new(SystemClock)).await
}

/// The id of a key, of which somebody may have given the whole: its secret half is not to be shown again.
fn id_of(given: &str) -> &str {
    given.strip_prefix("rl_").map_or(given, |rest| rest.split('_').next().unwrap_or(rest))
}

fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse_callers(text).map_err(|error| error.message().to_owned())
}

fn parse_permission(text: &str) -> Result<Permission, String> {
    Permission::parse(text).ok_or_else(|| {
        let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
        format!("a scope is one of {}", all.join(", "))
    })
}

fn parse_expiry(text: &str) -> Result<Timestamp, AppError> {
    let now = SystemClock.now();
    let end = match parse_duration(text) {
        Ok(duration) => i64::try_from(duration.as_micros()).ok().map(|micros| now.plus_micros(micros)),
        Err(_) => Timestamp::parse(text).ok(),
    };
    end.filter(|end| *end > now).ok_or_else(|| {
        AppError::setting(format!(
            "--expires {text}: write a duration like 90d or an instant like 2027-01-01T00:00:00Z, in the future"
        ))
    })
}
